//! A test-only MCP server with the tools, resources and prompts that the conformance suites want,
//! behind the same door and endpoint as the daemon's. It has sessions for the older protocol, since
//! the suites ask clients questions, and only there a server can.
//!
//! `fixture_server PORT` serves until it is killed, and says its URL.

#![expect(
    deprecated,
    reason = "the older protocol still has what newer ones drop"
)]

mod catalogue;
mod rounds;

use std::{net::TcpListener, sync::Arc, time::Duration};

use background_process_manager::{http, mcp};
use rmcp::{
    ErrorData, Peer, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
        GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ServerConfig,
        ServerNotification, ServerRequest, SetLevelRequestParams, SubscribeRequestParams,
        SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpService, session::local::LocalSessionManager,
    },
};
use rounds::{Call, Round};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

type Context = RequestContext<RoleServer>;

/// Time between two steps of a tool that takes several.
const STEP: Duration = Duration::from_millis(50);

#[expect(clippy::print_stdout, reason = "scripts read the URL")]
#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|it| it.parse().ok());
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    println!("http://{}{}", listener.local_addr()?, mcp::PATH);
    let rmcp = |config: rmcp::transport::streamable_http_server::StreamableHttpServerConfig| {
        let sessions = Arc::new(LocalSessionManager::default());
        let config = config.with_legacy_session_mode(true);
        StreamableHttpService::new(|| Ok(Fixture), sessions, config)
    };
    http::serve_rmcp(vec![listener], rmcp, CancellationToken::new())?.await
}

struct Fixture;

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = parsed(json!({
            "tools": {},
            "resources": {"subscribe": true},
            "prompts": {},
            "completions": {},
            "logging": {},
        }));
        ServerConfig::new(capabilities).with_server_info(Implementation::new("fixture", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(parsed(catalogue::tools())))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools: Vec<Tool> = parsed(catalogue::tools());
        tools.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let call = Call {
            name: &request.name,
            responses: request.input_responses.as_ref(),
            state: request.request_state.as_deref(),
            can: json!(context.client_capabilities()),
        };
        if let Some(round) = rounds::play(&call) {
            return Ok(match round? {
                Round::Needs(result) => CallToolResponse::InputRequired(parsed(result)),
                Round::Says(text) => says(&text),
            });
        }
        if let Some(result) = catalogue::fixed(&request.name) {
            return Ok(complete(result));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        if let Some(question) = catalogue::question(&request.name, &arguments) {
            return Ok(ask(&context.peer, question).await);
        }
        match request.name.as_ref() {
            "test_missing_capability" => {
                if call.can["sampling"].is_object() {
                    return Ok(says("done"));
                }
                let missing = parsed(json!({"sampling": {}}));
                Err(ErrorData::missing_required_client_capability(missing))
            }
            "test_tool_with_logging" => {
                for text in ["started", "processing data", "completed"] {
                    let text = match text {
                        "processing data" => format!("Tool {text}"),
                        _ => format!("Tool execution {text}"),
                    };
                    let params = json!({"level": "info", "data": text});
                    notify(&context.peer, "notifications/message", &params).await;
                    sleep(STEP).await;
                }
                Ok(says("logged"))
            }
            "test_tool_with_progress" => {
                for progress in [0.0, 50.0, 100.0] {
                    if let Some(token) = context.meta.get_progress_token() {
                        let note = ProgressNotificationParam::new(token, progress);
                        _ = context.peer.notify_progress(note.with_total(100.0)).await;
                    }
                    sleep(STEP).await;
                }
                Ok(says("done"))
            }
            "test_reconnection" => {
                sleep(STEP * 2).await;
                Ok(says("done"))
            }
            _ => Err(ErrorData::invalid_params("no such tool", None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let all = parsed(catalogue::resources());
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = parsed(catalogue::templates());
        Ok(ListResourceTemplatesResult::with_all_items(all))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = catalogue::resource(&request.uri);
        let missing = || {
            let uri = Some(json!({"uri": request.uri}));
            ErrorData::resource_not_found("Resource not found", uri)
        };
        let contents = contents.ok_or_else(missing)?;
        Ok(ReadResourceResponse::Complete(result(contents)))
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let all = parsed(catalogue::prompts());
        Ok(ListPromptsResult::with_all_items(all))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let call = Call {
            name: &request.name,
            responses: request.input_responses.as_ref(),
            state: request.request_state.as_deref(),
            can: json!(context.client_capabilities()),
        };
        if let Some(Round::Needs(result)) = rounds::play(&call).transpose()? {
            return Ok(GetPromptResponse::InputRequired(parsed(result)));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let prompt = catalogue::prompt(&request.name, &arguments);
        let prompt = prompt.ok_or_else(|| ErrorData::invalid_params("no such prompt", None))?;
        Ok(GetPromptResponse::Complete(result(prompt)))
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let completion =
            json!({"values": ["paris", "park", "party"], "total": 3, "hasMore": false});
        Ok(result(json!({"completion": completion})))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }
}

/// The catalogue in rmcp's types.
fn parsed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the catalogue has the protocol's shapes")
}

/// The same for a result, which says that it is one.
fn result<T: DeserializeOwned>(mut value: Value) -> T {
    value["resultType"] = json!("complete");
    parsed(value)
}

fn complete(value: Value) -> CallToolResponse {
    CallToolResponse::Complete(result(value))
}

fn says(text: &str) -> CallToolResponse {
    complete(json!({"content": [{"type": "text", "text": text}]}))
}

/// Asks an older client.
async fn ask(peer: &Peer<RoleServer>, question: Value) -> CallToolResponse {
    let request: ServerRequest = parsed(question);
    match peer.send_request(request).await {
        Ok(answer) => {
            let answer = json!(answer);
            let text = match answer["content"]["text"].as_str() {
                Some(text) => format!("LLM response: {text}"),
                None => format!(
                    "Elicitation completed: action={}, content={}",
                    answer["action"].as_str().unwrap_or("?"),
                    answer["content"],
                ),
            };
            says(&text)
        }
        Err(error) => complete(json!({
            "content": [{"type": "text", "text": error.to_string()}],
            "isError": true,
        })),
    }
}

async fn notify(peer: &Peer<RoleServer>, method: &str, params: &Value) {
    let note: ServerNotification = parsed(json!({"method": method, "params": params}));
    _ = peer.send_notification(note).await;
}
