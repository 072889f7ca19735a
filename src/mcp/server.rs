//! The MCP server: seven tools, and some resources, over one [`Service`].

mod diagnostics;
mod resources;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bpm_actors::{
    ids::ProcessName,
    pattern::{BadPattern, Pattern},
    restart::Asker,
    search::LogKind,
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest,
        CustomResult, ErrorCode, Implementation, JsonObject, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde::Serialize;

use super::{
    arguments::{Arguments, BadArguments},
    instructions::instructions,
    notes::Notes,
    questions::{Asked, asked},
    rendered::Rendered,
    resources as addresses, text, tools,
};
use crate::service::{Order, Service, ServiceError, Until, Wanted};

/// How long an order's outcome is awaited by default, in seconds: less than clients wait.
const PATIENCE: f64 = 50.0;
/// The same for a client that asked for progress and so waits as long as it hears of it.
const PATIENCE_WITH_PROGRESS: f64 = 600.0;

/// Serves the tools.
#[derive(Clone)]
pub(crate) struct Server {
    service: Service,
    status: Rendered,
    config: Arc<ServerConfig>,
    /// What ages in questions count from.
    clock: fn() -> SystemTime,
}

/// Why a tool did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Arguments(#[from] BadArguments),
    #[error("`pattern` is no valid regex: {}", brief(.0))]
    Pattern(#[from] BadPattern),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// What is wrong with a pattern. The regex crate repeats it, however long it is, and ends with a line
/// of its own.
fn brief(pattern: &BadPattern) -> String {
    const MOST: usize = 1_500;
    let text = pattern.to_string();
    if text.len() <= MOST {
        return text;
    }
    let last = text.lines().last().unwrap_or_default();
    last[..last.floor_char_boundary(MOST)].to_owned()
}

impl Server {
    /// The server of this service.
    pub(super) fn new(service: Service, status: Rendered) -> Self {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .build();
        let name = Implementation::new("background-process-manager", service.version())
            .with_title("Background process manager");
        let config = ServerConfig::new(capabilities).with_server_info(name);
        Self {
            service,
            status,
            config: Arc::new(config),
            clock: SystemTime::now,
        }
    }

    async fn call(
        &self,
        tool: &Tool,
        arguments: Option<JsonObject>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, Refused> {
        let arguments = Arguments::new(arguments);
        if tool.name != tools::GET_STATUS {
            self.service.activity();
        }
        match tool.name.as_ref() {
            tools::RESTART => self.carry_out(Order::Restart, arguments, context).await,
            tools::SEARCH_LOGS => self.search(LogKind::Runs, arguments).await,
            tools::SEARCH_BUILD_LOG => self.build_log(arguments).await,
            tools::WAIT_FOR => self.wait_for(arguments, context).await,
            tools::START => self.carry_out(Order::Start, arguments, context).await,
            tools::STOP => {
                let order = Order::Stop(Asker::Agent);
                self.carry_out(order, arguments, context).await
            }
            _ => self.status(arguments).await,
        }
    }

    async fn carry_out(
        &self,
        order: Order,
        mut arguments: Arguments,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, Refused> {
        let process = arguments.text("process");
        let patience = arguments.seconds("timeout_seconds", tools::MOST_PATIENCE);
        arguments.finish()?;

        let mut notes = Notes::to(context);
        let usual = if notes.are_heard() {
            PATIENCE_WITH_PROGRESS
        } else {
            PATIENCE
        };
        let patience = Duration::from_secs_f64(patience.unwrap_or(usual));
        let report = self
            .service
            .carry_out(order, process.as_deref(), patience, &mut notes)
            .await?;
        let text = text::restart(&report);
        Ok(structured(text, &report, report.is_error()))
    }

    async fn wait_for(
        &self,
        mut arguments: Arguments,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, Refused> {
        let words = [
            ("ready", Wanted::Ready),
            ("exit", Wanted::Exit),
            ("log", Wanted::Log),
            ("build", Wanted::Build),
        ];
        let process = arguments.text("process");
        let until = arguments.required_word("until", &words);
        let pattern = arguments.text("pattern");
        let patience = arguments.seconds("timeout_seconds", tools::MOST_PATIENCE);
        let pattern = match (until, pattern) {
            (Some(Wanted::Log), None) => {
                arguments.refuse("`pattern` is missing: until \"log\" needs a Rust regex");
                None
            }
            (Some(Wanted::Ready | Wanted::Exit | Wanted::Build), Some(_)) => {
                arguments.refuse("`pattern` is only for until \"log\"; leave it out");
                None
            }
            (_, pattern) => pattern,
        };
        arguments.finish()?;

        let until = match (until, pattern) {
            (Some(Wanted::Log), Some(pattern)) => Until::Log(Pattern::parse(&pattern)?),
            (Some(Wanted::Exit), _) => Until::Exit,
            (Some(Wanted::Build), _) => Until::Build,
            // What is missing was refused above.
            (Some(Wanted::Ready | Wanted::Log) | None, _) => Until::Ready,
        };
        let patience = Duration::from_secs_f64(patience.unwrap_or(tools::WAIT_PATIENCE));
        let mut notes = Notes::to(context);
        let report = self
            .service
            .wait_for(process.as_deref(), &until, patience, &mut notes)
            .await?;
        let text = text::wait(&report);
        Ok(structured(text, &report, report.is_error()))
    }

    async fn status(&self, arguments: Arguments) -> Result<CallToolResult, Refused> {
        arguments.finish()?;
        Ok(self.status.now().await.result.clone())
    }

    async fn search(&self, kind: LogKind, arguments: Arguments) -> Result<CallToolResult, Refused> {
        let project = self.service.project();
        let Asked { mut question, most } = asked(kind, (self.clock)(), arguments)?;
        let processes = self.service.searched(&question)?;
        let names = processes.iter().map(ProcessName::as_str);
        question.query.budget = text::budget(project, names, most);
        let query = question.query.clone();
        let answer = self.service.search(question).await?;
        let text = text::search(project, &query, most, &answer);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }
}

/// Refuses every page but the first.
fn only_page(page: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    if page.is_some_and(|page| page.cursor.is_some()) {
        let text = "there is only one page, so no cursor is valid";
        return Err(ErrorData::invalid_params(text, None));
    }
    Ok(())
}

fn cancelled() -> ErrorData {
    ErrorData::new(ErrorCode::INTERNAL_ERROR, "cancelled", None)
}

/// A result with both parts, which say the same.
fn structured(text: String, report: &impl Serialize, is_error: bool) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(report).ok();
    result.is_error = Some(is_error);
    result
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        // A reload may have changed the processes.
        let service = &self.service;
        let instructions = instructions(service.project(), &service.names());
        ServerConfig::clone(&self.config).with_instructions(instructions)
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        only_page(page)?;
        Ok(ListToolsResult::with_all_items(tools::TOOLS.clone()))
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        only_page(page)?;
        let processes = self.service.processes();
        let all = addresses::list(&resources::borrowed(&processes));
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        only_page(page)?;
        Ok(ListResourceTemplatesResult::with_all_items(
            addresses::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        tokio::select! {
            result = self.resource(&request.uri) => result.map(Into::into),
            () = context.ct.cancelled() => Err(cancelled()),
        }
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::named(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::named(&request.name) else {
            let known: Vec<&str> = tools::TOOLS.iter().map(|it| it.name.as_ref()).collect();
            let text = format!("there is no such tool; known: {}", known.join(", "));
            return Err(ErrorData::invalid_params(text, None));
        };
        let result = tokio::select! {
            result = self.call(tool, request.arguments, &context) => result,
            // The client hung up: the wait ends, nobody reads the answer.
            () = context.ct.cancelled() => {
                return Err(cancelled());
            }
        };
        let result = result.unwrap_or_else(|refused| {
            CallToolResult::error(vec![ContentBlock::text(refused.to_string())])
        });
        Ok(result.into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // rmcp takes a known method whose parameters it cannot read for an unknown one. In the
        // protocol that has no handshake, `initialize` is really unknown.
        let known = match request.method.as_str() {
            "tools/call"
            | "tools/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read" => true,
            "initialize" => context.meta.protocol_version().is_none(),
            _ => false,
        };
        let method = request.method;
        if known {
            let text = format!("the params of {method} are malformed");
            return Err(ErrorData::invalid_params(text, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }
}
