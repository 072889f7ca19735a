//! `search_build_log` with `diagnostics`.

use serde_json::json;

use crate::support::{one, two};

const FOUND: &str = "main build 9 (failed, dev) in /home/u/ganbot: 1 error, 0 warnings; 1 new since \
    the build before\n\nerror[E0308] src/main.rs:3:5 (new): mismatched types\n --> src/main.rs:3:5";

#[actix_web::test]
async fn the_findings_of_a_build_come_as_text() {
    let server = one();
    for arguments in [
        json!({"diagnostics": true, "index": -2}),
        json!({"diagnostics": true, "build": 9, "process": "main", "max_bytes": 500}),
        json!({"diagnostics": true, "build": 9.0, "index": null, "pattern": null, "stream": null}),
    ] {
        let answer = server.call("search_build_log", arguments).await;
        assert!(!answer.is_error(), "{answer:?}");
        assert_eq!(answer.text(), FOUND);
        assert_eq!(answer.json()["result"]["structuredContent"], json!(null));
    }
    assert!(server.doubles.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn builds_without_findings_say_why() {
    let server = two();
    for (arguments, expected) in [
        (
            json!({"process": "main"}),
            "build 10 in /home/u/ganbot is still under way",
        ),
        (
            json!({"process": "main", "build": 3}),
            "build 3 in /home/u/ganbot: its errors and warnings are not remembered",
        ),
        (
            json!({"process": "web"}),
            "nothing is built for a process of type npm",
        ),
    ] {
        let mut arguments = arguments;
        arguments["diagnostics"] = json!(true);
        let answer = server.call("search_build_log", arguments).await;
        assert!(
            !answer.is_error() && answer.text().contains(expected),
            "{answer:?}"
        );
    }
}

#[actix_web::test]
async fn what_does_not_fit_together_is_refused_with_what_would() {
    let server = one();
    for (arguments, expected) in [
        (
            json!({"pattern": "x"}),
            "`pattern` is about lines of the log",
        ),
        (
            json!({"tail": 0, "stream": "stderr"}),
            "`stream` is about lines of the log",
        ),
        (
            json!({"index": -1, "build": 3}),
            "`index` and `build` both say which build",
        ),
        (
            json!({"max_bytes": 499}),
            "`max_bytes` is 499, but must be an integer from 500 to 40000",
        ),
        (
            json!({"max_bytes": 40_001}),
            "`max_bytes` is 40001, but must be an integer from 500 to 40000",
        ),
        (
            json!({"build": -1}),
            "`build` is -1, but must be an integer, 0 or more",
        ),
        (json!({"indx": -1}), "did you mean `index`?"),
        (json!({"index": -9}), "main: index -9 does not exist"),
        (json!({"process": "mian"}), "there is no process `mian`"),
    ] {
        let mut arguments = arguments;
        arguments["diagnostics"] = json!(true);
        let answer = server.call("search_build_log", arguments).await;
        assert!(
            answer.is_error() && answer.text().contains(expected),
            "{answer:?}"
        );
    }
    let answer = server
        .call("search_build_log", json!({"diagnostics": "yes"}))
        .await;
    let expected = "`diagnostics` is \"yes\", but must be true or false";
    assert!(
        answer.is_error() && answer.text().contains(expected),
        "{answer:?}"
    );
}

#[actix_web::test]
async fn without_it_the_log_is_searched() {
    let server = one();
    for diagnostics in [json!(false), json!(null)] {
        let arguments = json!({"diagnostics": diagnostics, "head": 1});
        let answer = server.call("search_build_log", arguments).await;
        assert!(
            answer.text().contains("3,400 lines, showing the first 1"),
            "{answer:?}"
        );
    }
    assert_eq!(server.doubles.asked.lock().unwrap().len(), 2);
}
