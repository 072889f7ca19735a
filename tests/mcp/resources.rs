//! Resources: the status and the latest output, by address.

use serde_json::{Value, json};

use crate::support::{Answer, Running, one, two};

async fn ask(server: &Running, method: &str, params: Value) -> Answer {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    server.post(request.to_string()).await
}

async fn read(server: &Running, uri: &str) -> Answer {
    ask(server, "resources/read", json!({"uri": uri})).await
}

#[actix_web::test]
async fn the_list_has_the_status_and_the_logs_of_each_process() {
    let server = two();
    let list = ask(&server, "resources/list", json!({})).await.json();
    let resources = list["result"]["resources"].as_array().unwrap();
    let uris: Vec<_> = resources
        .iter()
        .map(|it| it["uri"].as_str().unwrap())
        .collect();
    assert_eq!(
        uris,
        [
            "bpm://status",
            "bpm://logs/main",
            "bpm://builds/main",
            "bpm://logs/web"
        ]
    );
    for resource in resources {
        let json = resource["uri"] == "bpm://status";
        let mime_type = if json {
            "application/json"
        } else {
            "text/plain"
        };
        assert_eq!(resource["mimeType"], mime_type);
        assert!(resource["description"].is_string() && resource["title"].is_string());
    }
    let templates = ask(&server, "resources/templates/list", json!({}))
        .await
        .json();
    let templates = templates["result"]["resourceTemplates"]
        .as_array()
        .unwrap()
        .clone();
    let uris: Vec<_> = templates
        .iter()
        .map(|it| it["uriTemplate"].as_str().unwrap())
        .collect();
    assert_eq!(uris, ["bpm://logs/{process}", "bpm://builds/{process}"]);
    let answer = ask(&server, "resources/read", json!({"uri": 3})).await;
    assert_eq!(answer.json()["error"]["code"], -32602, "{answer:?}");
    for method in ["resources/list", "resources/templates/list"] {
        let answer = ask(&server, method, json!({"cursor": "x"})).await.json();
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

#[actix_web::test]
async fn the_status_is_the_object_of_get_status() {
    let server = one();
    let answer = read(&server, "bpm://status").await.json();
    let [content] = answer["result"]["contents"].as_array().unwrap().as_slice() else {
        panic!("{answer}");
    };
    assert_eq!(content["uri"], "bpm://status");
    assert_eq!(content["mimeType"], "application/json");
    let status: Value = serde_json::from_str(content["text"].as_str().unwrap()).unwrap();
    let tool = server.call("get_status", json!({})).await.json();
    let tool = &tool["result"]["structuredContent"];
    assert_eq!(status["processes"][0]["run"], 7);
    assert_eq!(status["project_dir"], tool["project_dir"]);
    assert_eq!(status["processes"][0]["name"], tool["processes"][0]["name"]);
}

#[actix_web::test]
async fn logs_are_the_last_lines_that_fit() {
    let server = two();
    for (uri, start) in [
        (
            "bpm://logs/main",
            "main run 7 (running, dev) in /home/u/ganbot: 3,400 lines, showing the last ",
        ),
        ("bpm://logs/web", "web run 7 (running, dev) in "),
        ("bpm://builds/main", "main build 9 (building, dev) in "),
    ] {
        let answer = read(&server, uri).await.json();
        let content = &answer["result"]["contents"][0];
        assert_eq!(
            (&content["uri"], &content["mimeType"]),
            (&json!(uri), &json!("text/plain"))
        );
        let text = content["text"].as_str().unwrap();
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.ends_with("line 3399\n") && text.len() <= 16_000,
            "{}",
            text.len()
        );
    }
}

#[actix_web::test]
async fn what_is_not_there_is_an_error_of_the_protocol_that_names_what_is() {
    let server = two();
    for uri in [
        "bpm://logs/mian",
        "bpm://builds/web",
        "bpm://nothing",
        "file:///etc/passwd",
        "",
    ] {
        let answer = read(&server, uri).await.json();
        // The older protocol has a code of its own for it.
        assert_eq!(answer["error"]["code"], -32002, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("known: bpm://status, bpm://logs/main"),
            "{message}"
        );
        assert_eq!(answer["error"]["data"]["uri"], uri);
    }
    assert!(server.doubles.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_newer_client_is_told_in_the_newer_way() {
    let server = one();
    let client = server.newer(()).await;
    let resources = client.list_all_resources().await.unwrap();
    assert_eq!(resources.len(), 3);
    let params = rmcp::model::ReadResourceRequestParams::new("bpm://logs/nobody");
    let error = client.read_resource(params).await.unwrap_err();
    assert!(error.to_string().contains("-32602"), "{error}");
    let params = rmcp::model::ReadResourceRequestParams::new("bpm://logs/main");
    let log = client.read_resource(params).await.unwrap();
    assert_eq!(log.contents.len(), 1);
    client.cancel().await.unwrap();
}

#[actix_web::test]
async fn nothing_that_concerns_resources_is_activity_or_a_subscription() {
    let server = one();
    for uri in [
        "bpm://status",
        "bpm://logs/main",
        "bpm://builds/main",
        "bpm://x",
    ] {
        read(&server, uri).await;
    }
    ask(&server, "resources/list", json!({})).await;
    ask(&server, "resources/templates/list", json!({})).await;
    let answer = ask(
        &server,
        "resources/subscribe",
        json!({"uri": "bpm://status"}),
    )
    .await;
    assert_eq!(answer.json()["error"]["code"], -32601, "{answer:?}");
    assert_eq!(*server.doubles.calls.borrow(), 0);
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"},
    });
    let hello = ask(&server, "initialize", hello).await.json();
    assert_eq!(hello["result"]["capabilities"]["resources"], json!({}));
}
