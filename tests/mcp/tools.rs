//! What the tools say about themselves.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Running, one};

async fn tools(server: &Running) -> Value {
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    server.post(list.to_string()).await.json()["result"]["tools"].take()
}

#[actix_web::test]
async fn the_list_of_tools_is_as_it_was_written_down() {
    let tools = tools(&one()).await;
    let now = serde_json::to_string_pretty(&tools).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/tools.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        now == written,
        "tools.json is out of date; UPDATE_SNAPSHOTS=1 writes it:\n{now}"
    );
}

#[actix_web::test]
async fn parameters_are_named_described_and_of_one_type() {
    let expected: [(&str, &[&str]); 7] = [
        ("restart", &["process", "timeout_seconds"]),
        ("get_status", &[]),
        (
            "search_logs",
            &[
                "process",
                "processes",
                "pattern",
                "ignore_case",
                "invert",
                "level",
                "context_lines",
                "head",
                "tail",
                "index",
                "run",
                "since",
                "until",
                "after_cursor",
                "stream",
                "collapse",
                "detail",
                "max_bytes",
            ],
        ),
        (
            "search_build_log",
            &[
                "process",
                "processes",
                "pattern",
                "ignore_case",
                "invert",
                "level",
                "context_lines",
                "head",
                "tail",
                "index",
                "build",
                "since",
                "until",
                "after_cursor",
                "stream",
                "collapse",
                "detail",
                "max_bytes",
                "diagnostics",
            ],
        ),
        (
            "wait_for",
            &["process", "until", "pattern", "timeout_seconds"],
        ),
        ("start", &["process", "timeout_seconds"]),
        ("stop", &["process", "timeout_seconds"]),
    ];
    let tools = tools(&one()).await;
    let tools = tools.as_array().unwrap();
    assert_eq!(tools.len(), expected.len());
    for (tool, (name, parameters)) in tools.iter().zip(expected) {
        assert_eq!(tool["name"], name);
        let description = tool["description"].as_str().unwrap();
        assert!((100..2_048).contains(&description.len()), "{name}");
        let schema = tool["inputSchema"].as_object().unwrap();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        let required = match name {
            "wait_for" => Some(&json!(["until"])),
            _ => None,
        };
        assert_eq!(schema.get("required"), required, "{name}");
        let properties = schema["properties"].as_object().unwrap();
        let names: Vec<&String> = properties.keys().collect();
        assert_eq!(names, parameters, "{name}");
        for (parameter, schema) in properties {
            assert!(schema["type"].is_string(), "{name} {parameter}");
            assert!(schema["description"].is_string(), "{name} {parameter}");
        }
    }
}

#[actix_web::test]
async fn schemas_have_nothing_that_strict_clients_refuse() {
    fn check(place: &str, schema: &Value) {
        if let Some(fields) = schema.as_object() {
            assert!(!fields.contains_key("$ref"), "{place}");
            assert!(!fields.get("type").is_some_and(Value::is_array), "{place}");
            let format = fields.get("format").filter(|it| it.is_string());
            assert!(format.is_none_or(|it| it == "date-time"), "{place}");
            for (key, value) in fields {
                check(&format!("{place}.{key}"), value);
            }
        }
        for (place_in, value) in schema.as_array().into_iter().flatten().enumerate() {
            check(&format!("{place}[{place_in}]"), value);
        }
    }
    for tool in tools(&one()).await.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        for schema in ["inputSchema", "outputSchema"] {
            let schema = &tool[schema];
            for branches in ["anyOf", "oneOf", "allOf"] {
                assert!(schema.get(branches).is_none(), "{name}");
            }
            check(name, schema);
        }
    }
}

#[actix_web::test]
async fn annotations_are_honest_and_only_status_and_outcomes_are_structured() {
    let hints = |read_only, destructive, idempotent| {
        json!({
            "readOnlyHint": read_only, "destructiveHint": destructive,
            "idempotentHint": idempotent, "openWorldHint": false,
        })
    };
    for tool in tools(&one()).await.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let lines = ["search_logs", "search_build_log"].contains(&name);
        assert_eq!(tool["outputSchema"].is_object(), !lines, "{name}");
        let first = ["restart", "get_status"].contains(&name);
        let loaded = tool["_meta"]["anthropic/alwaysLoad"] == true;
        assert_eq!(loaded, first, "{name}");
        let expected = match name {
            "restart" => hints(false, true, false),
            "start" => hints(false, false, true),
            "stop" => hints(false, true, true),
            _ => hints(true, false, true),
        };
        assert_eq!(tool["annotations"], expected, "{name}");
    }
}

#[actix_web::test]
async fn every_field_of_an_answer_is_in_its_schema_and_the_other_way_round() {
    fn compare(place: &str, schema: &Value, value: &Value) {
        let branches = schema["anyOf"].as_array();
        let typed = branches
            .into_iter()
            .flatten()
            .find(|it| it["type"] != "null");
        let schema = typed.unwrap_or(schema);
        if let Some(fields) = value.as_object() {
            let properties = schema["properties"].as_object().unwrap();
            assert!(fields.keys().eq(properties.keys()), "{place}");
            let required = schema["required"].as_array().unwrap();
            assert_eq!(
                required.len(),
                fields.len(),
                "{place}: unknown is null, never missing"
            );
            for (key, value) in fields {
                compare(&format!("{place}.{key}"), &properties[key], value);
            }
        }
        for value in value.as_array().into_iter().flatten() {
            compare(place, &schema["items"], value);
        }
    }
    let server = one();
    let tools = tools(&server).await;
    for tool in tools.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let arguments = match name {
            "search_logs" | "search_build_log" => continue,
            "wait_for" => json!({"until": "ready"}),
            _ => json!({}),
        };
        let answer = server.call(name, arguments).await.json();
        compare(
            name,
            &tool["outputSchema"],
            &answer["result"]["structuredContent"],
        );
    }
}
