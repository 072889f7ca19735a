//! Input that nobody sends by accident. It never gives a 500, and the server lives on.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use crate::support::{Running, one};

const JSON: [&str; 2] = ["Host: localhost", "Content-Type: application/json"];

async fn is_well(server: &Running) {
    let answer = server
        .post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_and_its_sender_reads_why() {
    let server = one();
    let large = vec![b' '; 3 * 1024 * 1024];
    let answer = server.request("POST /mcp HTTP/1.1", &JSON, &large).await;
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.json()["error"]["message"],
        "a request has at most 1048576 bytes"
    );

    // The largest that is read, with its length not told before.
    let mut chunked =
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let padding = 1024 * 1024 - body.len();
    for chunk in [body.to_vec(), vec![b' '; padding]] {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(&chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(server.exchange(&chunked).await.status, 200);
    is_well(&server).await;
}

#[actix_web::test]
async fn strange_bodies_are_refused() {
    let server = one();
    let nested = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"search_logs","arguments":{arguments}}}}}"#
        )
        .into_bytes()
    };
    let bodies: Vec<Vec<u8>> = vec![
        nested("[", "]").into_bytes(),
        nested(r#"{"a":"#, "}").into_bytes(),
        call(&format!(r#"{{"head":{}}}"#, nested("[", "]"))),
        call(&format!(r#"{{"head":{}}}"#, "9".repeat(5_000))),
        call(r#"{"head":1e400}"#),
        call(r#"{"head":1,"head":"x","head":-1}"#),
        call(r#"{"pattern":"(((((a{1000}){1000}){1000})"}"#),
        call(&format!(r#"{{"pattern":"{}"}}"#, "(".repeat(10_000))),
        call(&format!(r#"{{"process":"{}"}}"#, "m".repeat(900_000))),
        call(r#"{"process":"\u0000\ud83d\ude00"}"#),
        call(r#"{"process":"\ud800"}"#),
        b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\xfe\",\"method\":\"ping\"}".to_vec(),
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".to_vec(),
        br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping","method":"tools/list"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#.to_vec(),
        vec![0; 1_000],
    ];
    for body in bodies {
        let answer = server.request("POST /mcp HTTP/1.1", &JSON, &body).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        assert!(answer.status < 500, "{shown}: {answer:?}");
        let json = answer.json();
        let refused = json["error"].is_object() || json["result"]["isError"] == true;
        assert!(refused, "{shown}: {answer:?}");
        assert!(answer.body.len() < 5_000, "{shown}: {}", answer.body.len());
        let of_a_bad_id = shown.contains("\"id\":{}") || shown.contains("\"id\":1.5");
        assert!(!of_a_bad_id || answer.status == 400, "{shown}: {answer:?}");
    }
    is_well(&server).await;
}

#[actix_web::test]
async fn strange_headers_are_refused() {
    let server = one();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let long = format!("X-Long: {}", "x".repeat(500_000));
    let many = "X-Many: 1\r\n".repeat(2_000);
    for header in [
        long.as_str(),
        many.trim_end(),
        "MCP-Protocol-Version: \u{e9}",
        "MCP-Protocol-Version: 1999-01-01",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Session-Id: nonsense",
        "Accept: \u{fffd}",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Content-Length: 3",
        "Expect: nonsense",
        "Upgrade: websocket\r\nConnection: upgrade",
    ] {
        let headers = [JSON[0], JSON[1], header];
        let answer = server.request("POST /mcp HTTP/1.1", &headers, body).await;
        let header: String = header.chars().take(60).collect();
        assert!(answer.status < 500, "{header}: {answer:?}");
    }
    is_well(&server).await;
}

#[actix_web::test]
async fn random_bytes_and_random_json_never_give_a_500() {
    let server = one();
    let mut runner = TestRunner::deterministic();
    let bytes = vec(any::<u8>(), 0..200);
    for _ in 0..150 {
        let body = bytes.new_tree(&mut runner).unwrap().current();
        let answer = server.request("POST /mcp HTTP/1.1", &JSON, &body).await;
        assert_eq!(answer.status, 400, "{body:?}");
    }
    let tool = prop_oneof![
        Just("restart"),
        Just("get_status"),
        Just("search_logs"),
        Just("search_build_log"),
    ];
    let key = prop_oneof![
        Just("process"),
        Just("timeout_seconds"),
        Just("pattern"),
        Just("context_lines"),
        Just("head"),
        Just("tail"),
        Just("index"),
        Just("run"),
        Just("processes"),
        Just("since"),
        Just("after_cursor"),
        Just("level"),
        Just("invert"),
        Just("max_bytes"),
        Just("stream"),
        Just("nonsense"),
    ];
    let call = (tool, vec((key, value()), 0..6));
    for _ in 0..250 {
        let (tool, arguments) = call.new_tree(&mut runner).unwrap().current();
        let arguments: serde_json::Map<String, Value> = arguments
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let answer = server.call(tool, Value::Object(arguments)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()["result"].is_object(), "{answer:?}");
    }
    let message = (value(), value(), value(), value());
    for _ in 0..150 {
        let (id, method, params, version) = message.new_tree(&mut runner).unwrap().current();
        let body = json!({"jsonrpc": version, "id": id, "method": method, "params": params});
        let answer = server.post(body.to_string()).await;
        assert!(answer.status < 500, "{body}: {answer:?}");
    }
    is_well(&server).await;
}

/// Any JSON.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("main")),
        Just(json!("2.0")),
        Just(json!("tools/call")),
        Just(json!(0)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".{0,6}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[actix_web::test]
async fn a_client_that_hangs_up_halfway_through_its_request_does_no_harm() {
    let server = one();
    for part in [
        "POST",
        "POST /mcp HTTP/1.1\r\nHost: loc",
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{\"json",
    ] {
        drop(server.send(part.as_bytes()).await);
    }
    is_well(&server).await;
}
