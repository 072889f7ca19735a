//! What the daemon's port says to those who are no clients: refusals, never a failure of its own.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    strategy::{Just, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use crate::support::{Daemon, Http, LIMIT, Project, pid_in};

fn one(name: &str) -> (Project, Daemon) {
    let project = Project::new(name);
    project.config("[process.main]\ntype = \"command\"\ncommand = [\"sleep\", \"1000\"]\n");
    let daemon = project.start();
    (project, daemon)
}

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

/// Sends bytes, ends the sending, and takes what comes until the other side closes: the status, or
/// none if it closed without a word.
fn sent(port: u16, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may have refused before all is sent.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it hangs");
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split(' ').nth(1)?.parse().ok()
}

#[track_caller]
fn is_well(daemon: &Daemon) {
    let status = daemon.status();
    let main = &status["processes"][0];
    assert_eq!((&main["run"], &main["crashes"]), (&json!(1), &json!(0)));
}

#[test]
fn pages_and_hosts_from_elsewhere_are_refused_on_every_route() {
    let (_project, daemon) = one("door");
    daemon.until("main", "a run", |main| main["run"].is_u64());
    let http = Http::new(daemon.port());
    let own = format!("http://localhost:{}", daemon.port());
    for (headers, status) in [
        (vec![("Host", "evil.example")], 403),
        (
            vec![
                ("Host", "evil.example:80"),
                ("Origin", "http://evil.example:80"),
            ],
            403,
        ),
        (vec![("Origin", "http://evil.example")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "http://localhost:1")], 403),
        (vec![("Origin", own.as_str())], 200),
        (vec![("Host", "localhost:4711")], 200),
        (vec![("Content-Type", "text/plain")], 415),
        (
            vec![
                ("Content-Type", "text/plain"),
                ("Origin", "http://evil.example"),
            ],
            403,
        ),
    ] {
        let answer = http.post(&headers, PING);
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        let head = answer.head.to_lowercase();
        assert!(!head.contains("access-control"), "{answer:?}");
    }
    for line in [
        "GET / HTTP/1.1",
        "GET /mcp HTTP/1.1",
        "OPTIONS /mcp HTTP/1.1",
        "POST /api/status HTTP/1.1",
        "GET /api/processes/main/stop HTTP/1.1",
        "GET /api/nonsense HTTP/1.1",
        "DELETE /nonsense HTTP/1.1",
    ] {
        let request = |host: &str| format!("{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = http.raw(request("evil.example").as_bytes());
        assert_eq!(answer.status, 403, "{line}");
        let answer = http.raw(request("localhost").as_bytes());
        assert!([404, 405].contains(&answer.status), "{line}: {answer:?}");
    }
    is_well(&daemon);
}

#[test]
fn notifications_pings_and_malformed_messages_are_answered_as_the_protocol_says() {
    let (_project, daemon) = one("json-rpc");
    daemon.until("main", "a run", |main| main["run"].is_u64());
    let http = Http::new(daemon.port());
    let json = |body: &str| -> (u16, Value) {
        let answer = http.post(&[], body.as_bytes());
        let json = serde_json::from_str(&answer.body);
        (
            answer.status,
            json.unwrap_or_else(|_| panic!("{body}: {answer:?}")),
        )
    };
    let notification = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = http.post(&[], notification);
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));

    let pong = json(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
    assert_eq!(
        pong,
        (200, json!({"jsonrpc": "2.0", "id": 7, "result": {}}))
    );

    for (body, status, code) in [
        ("{\"jsonrpc\":", 400, -32700),
        ("nonsense", 400, -32700),
        ("", 400, -32700),
        ("[]", 400, -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600),
        ("5", 400, -32600),
        (r#"{"id":1,"method":"ping"}"#, 400, -32600),
    ] {
        let (got, answer) = json(body);
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{body}: {answer}"
        );
    }
    let (_, answer) = json(r#"{"jsonrpc":"2.0","id":"x","method":"no/such"}"#);
    assert_eq!(
        (&answer["error"]["code"], &answer["id"]),
        (&json!(-32601), &json!("x"))
    );
    let call = |name: &str, arguments: Value| {
        http.rpc("tools/call", &json!({"name": name, "arguments": arguments}))
    };
    let answer = call("no_such_tool", json!({}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    // What a tool refuses is a result of the tool, which the model gets to see.
    for (tool, arguments) in [
        ("restart", json!({"process": "nobody"})),
        ("restart", json!({"timeout_seconds": -1})),
        ("search_logs", json!({"pattern": "("})),
        ("get_status", json!({"verbose": true})),
    ] {
        let answer = call(tool, arguments);
        assert!(answer.get("error").is_none(), "{answer}");
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }

    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#,
        "x".repeat(2 * 1024 * 1024)
    );
    assert_eq!(http.post(&[], large.as_bytes()).status, 413);
    is_well(&daemon);
}

/// A POST to the endpoint with these headers beside the usual ones.
fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A search with these arguments.
fn arguments(arguments: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"search_logs","arguments":{arguments}}}}}"#
    );
    post("", body.as_bytes())
}

/// What nobody sends by accident.
fn crafted() -> Vec<Vec<u8>> {
    vec![
        b"\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /mcp HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{".to_vec(),
        [b"GET /".as_slice(), &[b'a'; 200_000], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat(),
        format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(5_000)).into_bytes(),
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        post("MCP-Protocol-Version: 9999-99-99\r\n", PING),
        post("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n", PING),
        post("Mcp-Session-Id: \x7f\r\n", PING),
        post("Accept: image/png\r\n", PING),
        post("Expect: 100-continue\r\n", PING),
        post("Content-Encoding: gzip\r\n", PING),
        post("", &[0xff; 4_000]),
        post("", "[".repeat(200_000).as_bytes()),
        post("", format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).as_bytes()),
        arguments(&format!(r#"{{"pattern":"{}"}}"#, "(".repeat(100_000))),
        arguments(r#"{"pattern":"((((a{1000}){1000}){1000}){1000})"}"#),
        arguments(r#"{"pattern":"(?i)\\w{500}|\\p{L}{500}"}"#),
        arguments(r#"{"head":1e400}"#),
        arguments(r#"{"index":-9223372036854775808,"head":18446744073709551615}"#),
        arguments(r#"{"process":"\ud800"}"#),
        arguments("null"),
        arguments("[]"),
        arguments("\"x\""),
    ]
}

/// The same in every run, so that a failure repeats.
fn random() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let mut requests = Vec::new();
    let bytes = vec(any::<u8>(), 0..300);
    let json = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ]
    .prop_recursive(4, 32, 5, |inner| {
        let key = prop_oneof![
            Just("jsonrpc".to_owned()),
            Just("id".to_owned()),
            Just("method".to_owned()),
            Just("params".to_owned()),
            Just("_meta".to_owned()),
            ".{0,6}",
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key, inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    for _ in 0..100 {
        let random = bytes.new_tree(&mut runner).unwrap().current();
        requests.push(random.clone());
        requests.push(post("", &random));
        let value = json.new_tree(&mut runner).unwrap().current();
        requests.push(post("", value.to_string().as_bytes()));
        let mut call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call"});
        call["params"] = value.clone();
        requests.push(post("", call.to_string().as_bytes()));
        requests.push(arguments(&value.to_string()));
    }
    requests
}

#[test]
fn hostile_input_never_gives_a_500_and_the_daemon_lives_on() {
    let (_project, daemon) = one("hostile");
    let pid = pid_in(&daemon.until("main", "a run", |main| main["run"].is_u64()));
    let port = daemon.port();
    for request in crafted().into_iter().chain(random()) {
        let status = sent(port, &request);
        // 505 and 501 are words about what was asked for, not about the daemon.
        let fine = status.is_none_or(|status| status < 500 || [501, 505].contains(&status));
        assert!(
            fine,
            "{status:?} to {:?}",
            String::from_utf8_lossy(&request)
        );
    }
    // Connections that are left half-way do not keep others waiting.
    let left: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let half = post("", PING);
            stream.write_all(&half[..n % half.len()]).unwrap();
            stream
        })
        .collect();
    is_well(&daemon);
    drop(left);
    is_well(&daemon);
    assert_eq!(pid_in(&daemon.process("main")), pid);
    assert!(!daemon.output().contains("panicked"), "{}", daemon.output());
}
