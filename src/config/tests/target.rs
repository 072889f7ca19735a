//! Where probes connect.

use bpm_actors::spec::{Probe, TargetPort};

use super::{
    ready::{about, probe, target},
    wrong_in_rust,
};

#[test]
fn an_url_may_be_short() {
    for (url, host, port, path) in [
        ("http://localhost", "localhost", 80, "/"),
        ("HTTP://Example.org:81", "Example.org", 81, "/"),
        ("http://10.0.0.1?a=b", "10.0.0.1", 80, "/?a=b"),
        ("http://[::1]/x", "::1", 80, "/x"),
        ("http://[::1]:82//x/%20", "::1", 82, "//x/%20"),
    ] {
        assert_eq!(
            probe("", &format!("http = \"{url}\"")),
            Probe::Http {
                target: target(host, TargetPort::Fixed(port)),
                path: path.to_owned(),
            },
            "{url}"
        );
    }
}

#[test]
fn an_url_that_cannot_be_asked_says_why() {
    for (url, advice) in [
        (
            "https://localhost/",
            "must begin with http://: for https write tcp = \"HOST:PORT\", or exec with a program that \
             asks",
        ),
        ("ftp://localhost/", "must begin with http://"),
        (
            "/health",
            "must begin with http:// and a host, such as \"http://127.0.0.1:8080/health\"",
        ),
        (
            "localhost:80/x",
            "must begin with http://: write \"http://localhost:80/x\"",
        ),
        (
            "http://a b/",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/ä",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/a\\nb",
            "must be ASCII without spaces: write other characters as %XX",
        ),
        (
            "http://localhost/#top",
            "must not contain `#`, which is never sent",
        ),
        (
            "http://me:pw@localhost/",
            "must not contain a user or password, which are not sent",
        ),
        ("http:///x", "lacks a host, such as 127.0.0.1"),
        ("http://:80/x", "lacks a host, such as 127.0.0.1"),
        (
            "http://localhost:/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:0/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:+80/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://localhost:65536/",
            "the port must be a number from 1 to 65535",
        ),
        (
            "http://::1/",
            "must have brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[::1/",
            "must have both brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[::1]80/",
            "must have both brackets around IPv6, such as \"[::1]:8080\"",
        ),
        (
            "http://[x]:80/",
            "must have an IPv6 address in the brackets, such as \"[::1]:8080\"",
        ),
        (
            "http://127.0.0.256/",
            "the host is no IP address, such as 127.0.0.1",
        ),
        (
            "http://a*b/",
            "the host must be an IP or a name, such as 127.0.0.1 or localhost",
        ),
    ] {
        assert_eq!(about("", &format!("http = \"{url}\"")), advice, "{url}");
    }
}

#[test]
fn a_tcp_target_that_is_none_says_what_to_write() {
    for (text, advice) in [
        ("8080", "must be HOST:PORT: write \"127.0.0.1:8080\""),
        ("localhost", "lacks a port, such as \"127.0.0.1:8080\""),
        (
            "http://localhost:80/",
            "must be HOST:PORT alone: write \"localhost:80\"",
        ),
        ("", "lacks a host, such as 127.0.0.1"),
        (":80", "lacks a host, such as 127.0.0.1"),
        ("a:b", "the port must be a number from 1 to 65535"),
        (
            "::1:80",
            "must have brackets around IPv6, such as \"[::1]:8080\"",
        ),
    ] {
        assert_eq!(about("", &format!("tcp = \"{text}\"")), advice, "{text}");
    }
    assert_eq!(about("", "tcp = 8080"), "must be a string in quotes");
}

#[test]
fn a_probe_of_the_public_port_goes_to_the_private_one() {
    for (port, text, host) in [
        ("8080", "127.0.0.1:8080", "127.0.0.1"),
        ("8080", "127.0.0.1:{port}", "127.0.0.1"),
        ("8080", "localhost:8080", "localhost"),
        ("8080", "[::1]:8080", "::1"),
        ("8080", "0.0.0.0:8080", "0.0.0.0"),
        ("8080", "[::]:{port}", "::"),
        ("\"192.168.1.5:8080\"", "192.168.1.5:8080", "192.168.1.5"),
        ("\"192.168.1.5:8080\"", "localhost:8080", "localhost"),
    ] {
        assert_eq!(
            probe(&format!("port = {port}"), &format!("tcp = \"{text}\"")),
            Probe::Tcp(target(host, TargetPort::Private)),
            "{text}"
        );
    }
    assert_eq!(
        probe("port = 80", "http = \"http://localhost\""),
        Probe::Http {
            target: target("localhost", TargetPort::Private),
            path: "/".to_owned(),
        }
    );
    assert_eq!(
        probe("port = 8080", "http = \"http://localhost:{port}/x\""),
        Probe::Http {
            target: target("localhost", TargetPort::Private),
            path: "/x".to_owned(),
        }
    );
    for (beside, text) in [
        ("port = 8080", "127.0.0.1:8081"),
        ("listen = [\"127.0.0.1:8081\"]", "127.0.0.1:8081"),
        ("port = 8080", "database:8081"),
    ] {
        let (host, _) = text.split_once(':').unwrap();
        assert_eq!(
            probe(beside, &format!("tcp = \"{text}\"")),
            Probe::Tcp(target(host, TargetPort::Fixed(8081)))
        );
    }
}

#[test]
fn the_private_port_is_asked_for_only_where_there_is_one() {
    let lacks = "{port} is the private port of a process with the key port, which this one lacks";
    assert_eq!(about("", "tcp = \"localhost:{port}\""), lacks);
    assert_eq!(
        about(
            "listen = [\"127.0.0.1:80\"]",
            "http = \"http://localhost:{port}/\""
        ),
        lacks
    );
    assert_eq!(
        about("port = 80", "tcp = \"example.org:{port}\""),
        "the private port is on this machine: write 127.0.0.1:{port}"
    );
    assert_eq!(
        about("port = 80", "tcp = \"example.org:80\""),
        "must not ask at the public port, where the old program answers too: write 127.0.0.1:{port}"
    );
    assert_eq!(
        about("port = 80", "http = \"http://localhost/{port}\""),
        "may have {port} only where the port stands, as in \"http://127.0.0.1:{port}/\""
    );
    assert_eq!(
        about("port = 80", "tcp = \"{port}\""),
        "must be HOST:PORT: write \"127.0.0.1:{port}\""
    );
    assert_eq!(
        wrong_in_rust("port = 0\nready = { tcp = \"localhost:{port}\" }").len(),
        1
    );
}
