//! JSON-RPC and both eras of the protocol.

use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

use crate::support::{arguments, one, two};

#[actix_web::test]
async fn both_eras_list_and_call_the_same_tools() {
    let server = one();
    let older = server.older(()).await;
    let newer = server.newer(()).await;
    let names = |tools: Vec<rmcp::model::Tool>| -> Vec<String> {
        tools
            .into_iter()
            .map(|tool| tool.name.into_owned())
            .collect()
    };
    let expected = [
        "restart",
        "get_status",
        "search_logs",
        "search_build_log",
        "wait_for",
        "start",
        "stop",
    ];
    assert_eq!(names(older.list_all_tools().await.unwrap()), expected);
    assert_eq!(names(newer.list_all_tools().await.unwrap()), expected);

    let status = CallToolRequestParams::new("get_status");
    let from_older = older.call_tool(status.clone()).await.unwrap();
    let from_newer = newer.call_tool(status).await.unwrap();
    for result in [from_older, from_newer] {
        let status = result.structured_content.unwrap();
        assert_eq!(status["processes"][0]["name"], "main");
        assert_eq!(result.is_error, Some(false));
    }
    let search =
        CallToolRequestParams::new("search_logs").with_arguments(arguments(json!({"tail": 1})));
    let lines = newer.call_tool(search).await.unwrap();
    assert_eq!(lines.structured_content, None);
    older.cancel().await.unwrap();
    newer.cancel().await.unwrap();
}

#[actix_web::test]
async fn the_handshake_names_the_server_and_promises_tools_and_resources() {
    let server = two();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }});
        let answer = server.post(hello.to_string()).await;
        let result = &answer.json()["result"];
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "background-process-manager");
        assert_eq!(result["serverInfo"]["version"], "0.1.0");
        assert_eq!(
            result["capabilities"],
            json!({"resources": {}, "tools": {}})
        );
        let instructions = result["instructions"].as_str().unwrap();
        assert!(instructions.len() < 2_048);
        assert!(instructions.contains("call `restart`"));
        assert!(instructions.contains("main, web"));
        assert!(
            !answer.head.contains("mcp-session-id"),
            "there are no sessions"
        );
    }
}

#[actix_web::test]
async fn notifications_are_accepted_without_an_answer() {
    let server = one();
    for method in [
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/nonsense",
    ] {
        let note = json!({"jsonrpc": "2.0", "method": method, "params": {"requestId": 1}});
        let answer = server.post(note.to_string()).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{method}");
    }
}

#[actix_web::test]
async fn ping_is_answered() {
    let server = one();
    let answer = server
        .post(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#)
        .await;
    assert_eq!(
        answer.json(),
        json!({"jsonrpc": "2.0", "id": "a", "result": {}})
    );
}

#[actix_web::test]
async fn bad_json_is_a_parse_error_and_a_batch_an_invalid_request() {
    let server = one();
    let cases: [(&str, i64); 10] = [
        ("{", -32_700),
        ("", -32_700),
        ("nonsense", -32_700),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1e999,\"method\":\"ping\"}",
            -32_700,
        ),
        ("[]", -32_600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32_600),
        ("3", -32_600),
        ("{}", -32_600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32_600),
    ];
    for (body, code) in cases {
        let answer = server.post(body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.json()["error"]["code"], code, "{body}");
    }
}

#[actix_web::test]
async fn an_invalid_request_is_answered_under_its_id_where_it_can_be_read() {
    let server = one();
    let answer = server.post(r#"{"jsonrpc":"2.0","id":7}"#).await;
    assert_eq!(answer.json()["id"], 7);
    let answer = server.post("{").await;
    assert!(answer.json().as_object().unwrap().contains_key("id"));
    assert_eq!(answer.json()["id"], Value::Null);
    let headers = [
        "Host: localhost",
        "Content-Type: application/json",
        "MCP-Protocol-Version: 2026-07-28",
    ];
    let answer = server.request("POST /mcp HTTP/1.1", &headers, b"{").await;
    assert!(!answer.json().as_object().unwrap().contains_key("id"));
}

#[actix_web::test]
async fn unknown_methods_and_tools_are_protocol_errors() {
    let server = one();
    let code =
        async |body: Value| server.post(body.to_string()).await.json()["error"]["code"].clone();
    let request = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    assert_eq!(code(request("nonsense", json!({}))).await, -32_601);
    assert_eq!(code(request("prompts/list", json!({}))).await, -32_601);
    assert_eq!(
        code(request("logging/setLevel", json!({"level": "info"}))).await,
        -32_601
    );
    let call = |params: Value| request("tools/call", params);
    assert_eq!(code(call(json!({"name": "nonsense"}))).await, -32_602);
    assert_eq!(code(call(json!({"name": 3}))).await, -32_602);
    assert_eq!(
        code(call(json!({"name": "restart", "arguments": []}))).await,
        -32_602
    );
    assert_eq!(
        code(request("tools/list", json!({"cursor": "x"}))).await,
        -32_602
    );
}

#[actix_web::test]
async fn what_does_not_validate_is_a_tool_result_and_no_protocol_error() {
    let server = one();
    for arguments in [
        json!({"process": "mian"}),
        json!({"index": "-2"}),
        json!({"pattern": "("}),
    ] {
        let answer = server.call("search_logs", arguments).await;
        assert_eq!(answer.status, 200);
        assert!(answer.is_error(), "{answer:?}");
    }
}

#[actix_web::test]
async fn accept_may_be_missing_or_take_anything() {
    let server = one();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let line = "POST /mcp HTTP/1.1";
    let accepts = [
        "Accept: */*",
        "Accept: text/html, */*;q=0.8",
        "X-Nothing: 1",
    ];
    for accept in accepts {
        let headers = [
            "Host: localhost",
            "Content-Type: application/json; charset=utf-8",
            accept,
        ];
        assert_eq!(
            server.request(line, &headers, body).await.status,
            200,
            "{accept}"
        );
    }
    let headers = [
        "Host: localhost",
        "Content-Type: application/json",
        "Accept: text/html",
    ];
    let answer = server.request(line, &headers, body).await;
    assert_eq!(answer.status, 406);
    assert!(answer.json()["error"]["message"].is_string());
}

#[actix_web::test]
async fn only_tool_calls_other_than_get_status_count_as_activity() {
    let server = one();
    for method in ["ping", "tools/list", "server/discover", "nonsense"] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}});
        server.post(request.to_string()).await;
    }
    server.call("get_status", json!({})).await;
    server.call("nonsense", json!({})).await;
    assert_eq!(*server.doubles.calls.borrow(), 0);
    server.call("search_logs", json!({})).await;
    server.call("search_build_log", json!({})).await;
    server.call("restart", json!({})).await;
    // The answer does not wait for the clock.
    let mut calls = server.doubles.calls.clone();
    calls.wait_for(|calls| *calls == 3).await.unwrap();
}

#[actix_web::test]
async fn shutdown_ends_the_server_even_while_a_connection_is_kept() {
    let mut server = one();
    let client = server.older(()).await;
    client.list_all_tools().await.unwrap();
    server.shutdown.cancel();
    let limit = std::time::Duration::from_secs(5);
    let ended = tokio::time::timeout(limit, &mut server.ended).await;
    ended.expect("the server ends").unwrap().unwrap();
}
