//! Lines as programs print them.

use proptest::prelude::*;

use super::*;
use crate::pattern::Pattern;

#[track_caller]
fn all(expected: Option<Level>, lines: &[&str]) {
    for line in lines {
        assert_eq!(level(line.as_bytes()), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn whatever_has_a_level_is_a_candidate_for_it(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "error", "ERROR", "Err", "warn", "WRN", "Warning", "fatal", "FTL", "panic", "severe", "eror", "alert",
            "E0131 12:00:00.1 7 f.go:1] x", "W0131 12:00:00.1 7 f.go:1] x", "<3>", "<12>", "{\"level\":50,", "{\"lvl\":\"warn\"",
            "level=", "TypeError", "IOException", "UnhandledPromiseRejectionWarning", "Traceback (most recent call last)",
            "thread 'main' panicked at x", "Uncaught ", "npm error ", "unhandled rejection",
            "ERRO", "WARN", "FATA", "PANI", "ERRO[0000] x", "FATA[0012] x", "WARN[0000] x", "[0000]", "{\"@level\":\"error\"", "{\"@level\":\"warn\"",
            "fail", "fail: ", "fail: A.B[0]", "crit: A.B[0]", "warn: A.B[0]", "A.B[13]", ":", ": ", "[", "]", " ", "  ", "\t", "info", "INFO", "x",
        ]), 1..6),
    ) {
        let line = pieces.concat();
        let found = level(line.as_bytes());
        for least in [Level::Fatal, Level::Error, Level::Warn] {
            let candidates = Pattern::parse(&candidates(least).unwrap()).unwrap();
            if found.is_some_and(|level| level <= least) {
                prop_assert!(candidates.matches(line.as_bytes()), "{:?} {}", found, line);
            }
        }
    }
}

#[test]
fn most_lines_are_no_candidates() {
    let candidates = Pattern::parse(&candidates(Level::Warn).unwrap()).unwrap();
    for line in [
        "2026-01-01T00:00:00Z INFO GET /item/7 200 in 3 ms",
        "listening on 8080",
        "",
    ] {
        assert!(!candidates.matches(line.as_bytes()), "{line}");
    }
    assert!(super::candidates(Level::Info).is_none());
}

#[test]
fn errors_of_loggers_are_recognised() {
    all(
        Some(Level::Error),
        &[
            "2026-01-01T00:00:00.123456Z ERROR app::db: no connection",
            "  2026-01-01T00:00:00.1Z ERROR app: span{id=3}: no",
            "[2026-01-01T00:00:00Z ERROR app] no",
            "ERROR app: no",
            "ERROR no",
            "ERROR",
            "[ERROR] no",
            "[error] no",
            "[ Error ] no",
            "[2026-01-01 00:00:00.000] [app] [error] spdlog",
            "2026/01/01 00:00:00 [error] 123#0: *1 open() failed",
            "12:00:00.000 [error] GenServer terminating",
            "2026-01-01 00:00:00,000 - my.module - ERROR - no",
            "2026-01-01 00:00:00,000 ERROR [main] com.x.App - no",
            "2026-01-01 00:00:00.000 ERROR 123 --- [main] c.e.App : no",
            "2026-01-01 00:00:00,000 1 ERROR db odoo.sql: no",
            "ERROR:root:no",
            "ERROR:my.module:no",
            "2026-01-01 00:00:00 UTC [1] ERROR:  relation \"x\" does not exist",
            "E, [2026-01-01T00:00:00.0 #1] ERROR -- : no",
            "12:00PM ERR no error=timeout",
            "[12:00:00.000] ERROR (123): no",
            "E0131 12:00:00.000000    7 file.go:1] no",
            "Jan  1 00:00:00 host app[123]: ERROR no",
            "web-1  | ERROR no",
            "SEVERE: no",
            "<3>no",
            "<27>no",
            "time=2026-01-01T00:00:00Z level=ERROR msg=no",
            "t=1 lvl=eror msg=no",
            "level=\"error\" msg=no",
            "npm ERR! code E404",
            "npm error code E404",
        ],
    );
}

#[test]
fn errors_of_json_loggers_are_recognised() {
    all(
        Some(Level::Error),
        &[
            r#"{"level":"error","msg":"no"}"#,
            r#"{"level":50,"time":1,"pid":1,"msg":"no"}"#,
            r#"{"time":1, "level" : "ERROR" }"#,
            r#"  {"severity":"ERROR","message":"no"}"#,
            r#"{"a":{"level":"info"},"b":["x",{"level":30}],"level":"error"}"#,
            r#"{"msg":"a \" quote","Level":"Error"}"#,
            r#"{"levelname":"ERROR"}"#,
            r#"{"timestamp":"t","level":"ERROR","fields":{"message":"no"},"target":"app"}"#,
        ],
    );
    all(
        Some(Level::Fatal),
        &[r#"{"level":60}"#, r#"{"severity":"CRITICAL"}"#],
    );
    all(
        Some(Level::Warn),
        &[r#"{"level":40}"#, r#"{"level":"warning"}"#],
    );
    all(
        Some(Level::Info),
        &[r#"{"level":30,"error":"x","err":{"level":"error"}}"#],
    );
    all(Some(Level::Debug), &[r#"{"level":20}"#]);
    all(Some(Level::Trace), &[r#"{"level":10}"#]);
    all(
        None,
        &[
            r#"{"error":null}"#,
            r#"{"error":"no"}"#,
            r#"{"level":3,"player":"x"}"#,
            r#"{"level":null}"#,
            r#"{"msg":"\"level\":\"error\""}"#,
            r#"{"msg":"level","x":"error"}"#,
            r#"{"level":"#,
            r#"{"level":"err"#,
            r#"{"level"#,
            r#"{"a":"\"#,
            "{",
        ],
    );
}

#[test]
fn levels_that_logrus_cuts_are_recognised() {
    all(
        Some(Level::Error),
        &[
            "ERRO[0000] no",
            "ERRO[12345]",
            "ERRO[2026-01-01T00:00:00Z] no",
            "web-1  | ERRO[0000] no",
        ],
    );
    all(Some(Level::Fatal), &["FATA[0000] no", "PANI[0000] no"]);
    all(Some(Level::Warn), &["WARN[0000] error: no"]);
    all(Some(Level::Info), &["INFO[0000] error: no"]);
    all(Some(Level::Debug), &["DEBU[0000] error: no"]);
    all(Some(Level::Trace), &["TRAC[0000] error: no"]);
    all(
        None,
        &[
            "ERRO",
            "ERRO no",
            "ERRO[0] no",
            "ERRO[x000] no",
            "ERRO[0000",
            "xERRO[0000] no",
            "a.ERRO[0000] no",
            "erro[0000] no",
            "WARN[0000]=1",
        ],
    );
}

#[test]
fn levels_of_hclog_and_of_dotnet_are_recognised() {
    all(
        Some(Level::Error),
        &[
            r#"{"@level":"error","@message":"no"}"#,
            r#"{"@timestamp":"t","@module":"m","@level":"error"}"#,
            "fail: Microsoft.AspNetCore.Server.Kestrel[13]",
            "fail: App[0] no",
            "12:00:00 fail: App.List`1[-1] no",
            "web-1  | fail: App[0]",
            "fail: my-app[0]",
        ],
    );
    all(
        Some(Level::Warn),
        &[
            r#"{"@level":"warn","@message":"error: no"}"#,
            "warn: App[0]",
            "warn: App[0] error: no",
        ],
    );
    all(Some(Level::Fatal), &["crit: App[0]"]);
    all(Some(Level::Info), &["info: App[0] error: no"]);
    all(Some(Level::Debug), &["dbug: App[0] error: no"]);
    all(Some(Level::Trace), &["trce: App[0] error: no"]);
    all(
        None,
        &[
            "fail",
            "fail: 0",
            "fail: no",
            "fail: App",
            "fail: App[",
            "fail: App[]",
            "fail: App[x]",
            "fail: [0]",
            "pass 3, failed fail:App[0]",
            "it may fail: App[0]",
            "x-fail: App[0]",
        ],
    );
}

#[test]
fn errors_of_programs_and_compilers_are_recognised() {
    all(
        Some(Level::Error),
        &[
            "error: no such file",
            "Error: no such file",
            "ERROR: no such file",
            "error[E0308]: mismatched types",
            "app: error: no such file",
            "src/main.c:3:5: error: expected ';'",
            "[vite] error: no",
            "3:00:00 PM [vite] Internal server error: Failed to resolve",
            "12:00:01 error: no",
            "fatal error: all goroutines are asleep - deadlock!",
            "request failed with error: timeout",
            "Syntax error: unexpected end of file",
            "error:",
        ],
    );
}

#[test]
fn what_nobody_caught_is_recognised() {
    all(
        Some(Level::Error),
        &[
            "thread 'main' panicked at src/main.rs:2:5:",
            "thread 'main' (123) panicked at src/error.rs:2:5:",
            "Traceback (most recent call last):",
            "ValueError: invalid literal",
            "sqlalchemy.exc.OperationalError: (psycopg2) no",
            "AssertionError",
            "TypeError: x is not a function",
            "TypeError [ERR_INVALID_ARG_TYPE]: no",
            "Exception in thread \"main\" java.lang.NullPointerException: no",
            "java.io.IOException: no",
            "Uncaught TypeError: no",
            "Uncaught 'no'",
            "Unhandled Rejection at: Promise",
            "Unhandled promise rejection. no",
            "(node:1) UnhandledPromiseRejectionWarning: no",
            "unhandledRejection x",
        ],
    );
    all(
        Some(Level::Fatal),
        &[
            "panic: runtime error: index out of range",
            "fatal: not a git repository",
            "FATAL no",
            "FATAL:  role \"x\" does not exist",
            "CRITICAL:root:no",
            "2026-01-01 00:00:00,000 - x - CRITICAL - no",
            "[emerg] 1#0: no",
            "<0>no",
        ],
    );
}

#[test]
fn what_only_speaks_of_errors_says_nothing() {
    all(
        None,
        &[
            "",
            " ",
            "0 errors",
            "0 ERROR",
            "Found 0 errors. Watching for file changes.",
            "errors: 0",
            "no error",
            "no error: all is well",
            "finished without error",
            "error=null",
            "error=timeout",
            "\"error\":null",
            "{\"error\":null}",
            "error: null",
            "error: none, took 3 ms",
            "last error: nil",
            "ERROR: 0",
            "mean error: 0.031",
            "on error: retry",
            "src/error.rs",
            "compiled src/error.rs in 3 ms",
            "app::error::Error",
            "GET /error 200",
            "error_count 3",
            "ERROR_LOG=/tmp/x",
            "error-handler: ready",
            "stderr: text",
            "terror: text",
            "array[error] is 3",
            "see https://x.y/error: a page",
            "handles TypeError and ValueError",
            "class 'TypeError': documented",
            "caught \"TypeError: x\" as expected",
            "more info: see below",
            "the level=high",
            "<x>",
            "<999>x",
            "<>x",
            "E0308",
            "an information about uncaught exceptions",
            "the words are many before there is the word ERROR in it",
        ],
    );
}

#[test]
fn the_first_level_counts() {
    all(
        Some(Level::Info),
        &[
            "2026-01-01T00:00:00Z  INFO app: request failed, error: timeout",
            "INFO ERROR",
            "[info] TypeError: no",
            "info: error: no",
            "I0131 12:00:00.000000 7 file.go:1] error: no",
            "level=info msg=\"ERROR: no\" error=x",
            "12:00PM INF error: no",
            "INFO:root:Traceback (most recent call last)",
            "<6>error: no",
            "NOTICE:  relation exists",
        ],
    );
    all(
        Some(Level::Warn),
        &[
            "WARN app: retrying after error: timeout",
            "warning: unused variable: `error`",
            "(node:1) Warning: no",
            "(node:1) [DEP0040] DeprecationWarning: no",
            "WARNING:root:no",
            "12:00PM WRN no",
        ],
    );
    all(Some(Level::Debug), &["DEBUG x", "[debug] x", "debug: x"]);
    all(Some(Level::Trace), &["TRACE x", "[trace] x"]);
}

#[test]
fn only_the_beginning_of_a_line_is_looked_at() {
    let late = format!("{} error: no", "x".repeat(LOOKED_AT));
    all(None, &[&late]);
    let late = format!("{{\"x\":\"{}\",\"level\":\"error\"}}", "y".repeat(5000));
    all(None, &[&late]);
}

proptest! {
    #[test]
    fn any_bytes_have_a_level_or_none(line: Vec<u8>) {
        let _ = level(&line);
    }

    #[test]
    fn lines_of_the_pieces_that_levels_are_made_of_do_no_harm(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["error", "ERROR", "{", "\"", "level", ":", "=", "[", "]", " ", "<", "3", ">", "\\", "E0131 12:00", "é"]),
            0..20,
        ),
    ) {
        let line = pieces.concat();
        let _ = level(line.as_bytes());
        let _ = level(format!("{{{line}").as_bytes());
    }
}
