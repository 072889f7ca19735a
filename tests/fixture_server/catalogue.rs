//! What the fixture server offers, as the conformance suites name it.

use serde_json::{Value, json};

/// A red pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
/// A WAV file without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// Tools whose answer is always the same.
pub(crate) fn fixed(tool: &str) -> Option<Value> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, mime: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": text}});
    let content = match tool {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        )]),
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"),
            image,
            resource(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            ),
        ]),
        "test_logging_tool" | "test_custom_header" | "json_schema_2020_12_tool" => {
            json!([text("done")])
        }
        "test_error_handling" => {
            let text = text("This tool intentionally returns an error for testing");
            return Some(json!({"content": [text], "isError": true}));
        }
        _ => return None,
    };
    Some(json!({"content": content}))
}

/// All tools.
pub(crate) fn tools() -> Value {
    let mut tools: Vec<Value> = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_error_handling",
        "test_reconnection",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_logging_tool",
        "test_missing_capability",
        "test_streaming_elicitation",
        "test_input_required_result_elicitation",
        "test_input_required_result_sampling",
        "test_input_required_result_list_roots",
        "test_input_required_result_request_state",
        "test_input_required_result_multiple_inputs",
        "test_input_required_result_multi_round",
        "test_input_required_result_tampered_state",
        "test_input_required_result_capabilities",
    ]
    .into_iter()
    .map(|name| tool(name, &json!({"type": "object", "properties": {}})))
    .collect();
    let one_text = |argument: &str, more: &Value| {
        let mut property = json!({"type": "string"});
        for (key, value) in more.as_object().into_iter().flatten() {
            property[key] = value.clone();
        }
        json!({"type": "object", "properties": {argument: property}, "required": [argument]})
    };
    tools.push(tool("test_sampling", &one_text("prompt", &json!({}))));
    tools.push(tool("test_elicitation", &one_text("message", &json!({}))));
    tools.push(tool(
        "test_custom_header",
        &one_text("region", &json!({"x-mcp-header": "Region"})),
    ));
    tools.push(tool("json_schema_2020_12_tool", &rich_schema()));
    Value::Array(tools)
}

fn tool(name: &str, schema: &Value) -> Value {
    json!({"name": name, "description": format!("Fixture: {name}."), "inputSchema": schema})
}

fn rich_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// All resources that are no templates.
pub(crate) fn resources() -> Value {
    json!([
        {"uri": "test://static-text", "name": "text", "description": "A text.", "mimeType": "text/plain"},
        {"uri": "test://static-binary", "name": "binary", "description": "An image.", "mimeType": "image/png"},
        {"uri": "test://watched-resource", "name": "watched", "description": "A text to watch.", "mimeType": "text/plain"},
    ])
}

/// All templates.
pub(crate) fn templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "data",
        "description": "The data of an id.",
        "mimeType": "application/json",
    }])
}

/// What a resource holds.
pub(crate) fn resource(uri: &str) -> Option<Value> {
    let contents = match uri {
        "test://static-text" => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        "test://watched-resource" => {
            json!({"uri": uri, "mimeType": "text/plain", "text": "watched"})
        }
        "test://static-binary" => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
        }
    };
    Some(json!({"contents": [contents]}))
}

/// All prompts.
pub(crate) fn prompts() -> Value {
    let argument = |name: &str| json!({"name": name, "description": "A text.", "required": true});
    let prompt = |name: &str, arguments: Value| json!({"name": name, "description": format!("Fixture: {name}."), "arguments": arguments});
    json!([
        prompt("test_simple_prompt", json!([])),
        prompt(
            "test_prompt_with_arguments",
            json!([argument("arg1"), argument("arg2")])
        ),
        prompt(
            "test_prompt_with_embedded_resource",
            json!([argument("resourceUri")])
        ),
        prompt("test_prompt_with_image", json!([])),
        prompt("test_input_required_result_prompt", json!([])),
    ])
}

/// What a prompt says, given its arguments.
pub(crate) fn prompt(name: &str, arguments: &Value) -> Option<Value> {
    let given = |argument: &str| arguments[argument].as_str().unwrap_or_default().to_owned();
    let says = |content: Value| json!({"role": "user", "content": content});
    let text = |text: String| says(json!({"type": "text", "text": text}));
    let messages = match name {
        "test_simple_prompt" => json!([text("This is a simple prompt for testing.".to_owned())]),
        "test_prompt_with_arguments" => json!([text(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            given("arg1"),
            given("arg2")
        ))]),
        "test_prompt_with_embedded_resource" => json!([
            says(json!({"type": "resource", "resource": {
                "uri": given("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }})),
            text("Please process the embedded resource above.".to_owned()),
        ]),
        "test_prompt_with_image" => json!([
            says(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            text("Please analyze the image above.".to_owned()),
        ]),
        "test_input_required_result_prompt" => json!([text("In this context.".to_owned())]),
        _ => return None,
    };
    Some(json!({"messages": messages}))
}

/// What older clients are asked, as a request of the server.
pub(crate) fn question(tool: &str, arguments: &Value) -> Option<Value> {
    let given = |argument: &str| arguments[argument].as_str().unwrap_or_default();
    Some(match tool {
        "test_sampling" => sampling(given("prompt"), 100),
        "test_elicitation" => elicitation(
            given("message"),
            &json!({
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            }),
            &["username", "email"],
        ),
        "test_elicitation_sep1034_defaults" => elicitation(
            "Who are you?",
            &json!({
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {
                    "type": "string",
                    "enum": ["active", "inactive", "pending"],
                    "default": "active",
                },
                "verified": {"type": "boolean", "default": true},
            }),
            &[],
        ),
        "test_elicitation_sep1330_enums" => {
            let titled = |choice: &str| {
                let one = |number: u8, title: &str| json!({"const": format!("value{number}"), "title": format!("{title} {choice}")});
                json!([one(1, "First"), one(2, "Second"), one(3, "Third")])
            };
            let plain = json!({"type": "string", "enum": ["option1", "option2", "option3"]});
            elicitation(
                "What do you choose?",
                &json!({
                    "untitledSingle": plain,
                    "titledSingle": {"type": "string", "oneOf": titled("Option")},
                    "legacyEnum": {
                        "type": "string",
                        "enum": ["opt1", "opt2", "opt3"],
                        "enumNames": ["Option One", "Option Two", "Option Three"],
                    },
                    "untitledMulti": {"type": "array", "items": plain},
                    "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
                }),
                &[],
            )
        }
        _ => return None,
    })
}

/// Asks a client's model.
pub(crate) fn sampling(prompt: &str, most: u32) -> Value {
    let content = json!({"type": "text", "text": prompt});
    let messages = json!([{"role": "user", "content": content}]);
    json!({
        "method": "sampling/createMessage",
        "params": {"messages": messages, "maxTokens": most},
    })
}

/// Asks a client's user.
pub(crate) fn elicitation(message: &str, properties: &Value, required: &[&str]) -> Value {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    json!({
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": schema},
    })
}
