//! Who is admitted, on every route.

use crate::support::one;

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[actix_web::test]
async fn a_page_from_elsewhere_is_refused_on_every_route_and_with_every_method() {
    let server = one();
    for method in ["POST", "GET", "OPTIONS", "DELETE", "PUT", "HEAD"] {
        for path in ["/mcp", "/", "/api/status", "/nonsense"] {
            let line = format!("{method} {path} HTTP/1.1");
            let json = "Content-Type: application/json";
            for headers in [
                ["Host: evil.example", json],
                [
                    "Host: evil.example:80\r\nOrigin: http://evil.example:80",
                    json,
                ],
                ["Host: localhost\r\nOrigin: http://evil.example", json],
                ["Host: localhost\r\nOrigin: null", json],
                ["Host:", json],
            ] {
                let answer = server.request(&line, &headers, PING).await;
                assert_eq!(answer.status, 403, "{line} {headers:?}: {answer:?}");
                assert!(!answer.head.contains("access-control"), "{answer:?}");
            }
        }
    }
}

#[actix_web::test]
async fn there_are_no_cors_headers_even_for_our_own_page() {
    let server = one();
    let origin = format!("Origin: http://localhost:{}", server.port);
    let preflight = [
        "Host: localhost",
        &origin,
        "Access-Control-Request-Method: POST",
    ];
    let answer = server
        .request("OPTIONS /mcp HTTP/1.1", &preflight, b"")
        .await;
    assert_eq!(answer.status, 405);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
    let headers = ["Host: localhost", &origin, "Content-Type: application/json"];
    let answer = server.request("POST /mcp HTTP/1.1", &headers, PING).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
}

#[actix_web::test]
async fn a_missing_host_is_refused_also_in_http_1_0() {
    let server = one();
    let answer = server.exchange(b"GET /mcp HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 403);
}

#[actix_web::test]
async fn all_loopback_hosts_and_any_port_reach_the_tools() {
    let server = one();
    for host in [
        "localhost",
        "localhost:8080",
        "127.0.0.1:1",
        "127.3.4.5",
        "[::1]:3001",
    ] {
        let host = format!("Host: {host}");
        let headers = [host.as_str(), "Content-Type: application/json"];
        let answer = server.request("POST /mcp HTTP/1.1", &headers, PING).await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
}

#[actix_web::test]
async fn the_door_does_not_wait_for_the_body() {
    let server = one();
    let head = b"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n\
        Content-Length: 1000\r\n\r\n";
    let mut stream = server.send(head).await;
    let mut first = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first)
        .await
        .unwrap();
    assert_eq!(&first, b"HTTP/1.1 403");
}

#[actix_web::test]
async fn what_is_not_served_is_said_in_json() {
    let server = one();
    let local = ["Host: localhost"];
    let answer = server.request("GET /nonsense HTTP/1.1", &local, b"").await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (404, Some("not_found"))
    );
    for method in ["GET", "DELETE", "PUT"] {
        let answer = server
            .request(&format!("{method} /mcp HTTP/1.1"), &local, b"")
            .await;
        assert_eq!(answer.status, 405);
        assert!(answer.head.contains("allow: post"), "{answer:?}");
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[actix_web::test]
async fn a_form_or_a_text_is_no_request() {
    let server = one();
    for kind in [
        "Content-Type: text/plain",
        "Content-Type: text/plain; x=application/json",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data",
        "Content-Type: application/jsonp",
        "X-No-Type: 1",
    ] {
        let headers = ["Host: localhost", kind];
        let answer = server.request("POST /mcp HTTP/1.1", &headers, PING).await;
        assert_eq!(answer.status, 415, "{kind}");
        assert!(answer.json()["error"]["message"].is_string());
    }
}
