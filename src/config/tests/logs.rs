//! The table `[logs]`.

use bpm_actors::spec::LogSettings;

use super::{MINIMAL, parse, wrong};

fn settings(lines: &str) -> LogSettings {
    parse(&format!("{MINIMAL}[logs]\n{lines}\n")).logs
}

/// What is wrong with one line of the table.
fn wrong_line(line: &str) -> Vec<String> {
    wrong(&format!("{MINIMAL}[logs]\n{line}\n"))
}

#[test]
fn without_it_the_documented_defaults_hold() {
    let defaults = LogSettings {
        keep_bytes: 256 << 20,
        keep_days: 14,
        memory_bytes: 64 << 20,
        disk: true,
    };
    assert_eq!(parse(MINIMAL).logs, defaults);
    assert_eq!(settings(""), defaults);
}

#[test]
fn everything_that_can_be_said_is_understood() {
    assert_eq!(
        settings("keep_bytes = \"2G\"\nkeep_days = 3650\nmemory_bytes = 1048576\ndisk = false"),
        LogSettings {
            keep_bytes: 2 << 30,
            keep_days: 3650,
            memory_bytes: 1 << 20,
            disk: false,
        }
    );
    for (size, bytes) in [
        ("\"1024K\"", 1 << 20),
        ("\"1M\"", 1 << 20),
        ("\"1T\"", 1 << 40),
        ("\"1024G\"", 1 << 40),
        ("\"1048577\"", (1 << 20) + 1),
        ("0x10_0000", 1 << 20),
    ] {
        assert_eq!(settings(&format!("keep_bytes = {size}")).keep_bytes, bytes);
    }
    let inline = parse(&format!("logs = {{ disk = false }}\n{MINIMAL}"));
    assert!(!inline.logs.disk);
}

#[test]
fn sizes_out_of_range_say_the_range() {
    for (key, most) in [("keep_bytes", "1T"), ("memory_bytes", "16G")] {
        for value in [
            "0",
            "-1",
            "1048575",
            "\"1023K\"",
            "\"2T\"",
            "\"99999999999999999999G\"",
            "\"18014398509481984K\"",
            "\"\"",
            "\"M\"",
            "\"1.5G\"",
            "\"+5M\"",
            "\"256 M\"",
            "\"256X\"",
            "\"256Ö\"",
            "1.5",
            "true",
            "[]",
        ] {
            let advice = format!(
                "must be a size from 1M to {most}: a number of bytes, or a string such as \"256M\" \
                 with K, M, G or T for powers of 1024"
            );
            assert_eq!(
                wrong_line(&format!("{key} = {value}")),
                [format!("6: logs.{key} = {value}: {advice}")]
            );
        }
    }
}

#[test]
fn how_sizes_are_usually_written_is_understood_as_a_hint() {
    for (written, meant) in [
        ("256MB", "256M"),
        ("1GiB", "1G"),
        ("64m", "64M"),
        ("1 gb", "1G"),
    ] {
        let [problem] = &wrong_line(&format!("keep_bytes = \"{written}\""))[..] else {
            panic!("{written}");
        };
        let hint = format!("; did you mean \"{meant}\"?");
        assert!(problem.ends_with(&hint), "{problem}");
    }
}

#[test]
fn days_are_whole_and_disk_is_a_flag() {
    for value in ["0", "-1", "3651", "1.5", "true"] {
        assert_eq!(
            wrong_line(&format!("keep_days = {value}")),
            [format!(
                "6: logs.keep_days = {value}: must be a whole number of days from 1 to 3650"
            )]
        );
    }
    assert_eq!(
        wrong_line("keep_days = \"14\""),
        [
            "6: logs.keep_days = \"14\": must be a whole number of days from 1 to 3650, without quotes"
        ]
    );
    assert_eq!(
        wrong_line("disk = \"false\""),
        ["6: logs.disk = \"false\": must be true or false, without quotes"]
    );
}

#[test]
fn unknown_keys_name_the_nearest_valid_one() {
    assert_eq!(
        wrong_line("keep_day = 3\nzzz = 1"),
        [
            "6: logs.keep_day = 3: unknown key, did you mean keep_days? valid in logs: keep_bytes, \
             keep_days, memory_bytes, disk",
            "7: logs.zzz = 1: unknown key; valid in logs: keep_bytes, keep_days, memory_bytes, disk",
        ]
    );
}

#[test]
fn it_stands_at_the_top_level_and_nothing_else_stands_in_it() {
    assert_eq!(
        wrong(&format!(
            "keep_bytes = \"1G\"\n{MINIMAL}[process.main.logs]\ndisk = true\n"
        )),
        [
            "1: keep_bytes = \"1G\": belongs in the [logs] table",
            "6: process.main.logs: belongs at the top level: write [logs]",
        ]
    );
    assert_eq!(
        wrong(&format!("{MINIMAL}disk = false\n")),
        ["5: process.main.disk = false: belongs in the [logs] table"]
    );
    assert_eq!(
        wrong(&format!("logs = true\n{MINIMAL}")),
        ["1: logs = true: must be a table: write [logs] with its keys below"]
    );
    assert_eq!(
        wrong("[logs]\nmcp_port = 1\nargs = []\n[process.main]\ntype = \"rust\"\n"),
        [
            "2: logs.mcp_port = 1: belongs at the top of the file, above [logs]",
            "3: logs.args = []: belongs in a [process.NAME] table",
        ]
    );
    let misspelt = wrong(&format!("{MINIMAL}[log]\ndisk = true\n"));
    assert!(misspelt[0].contains("did you mean logs?"), "{misspelt:?}");
}
