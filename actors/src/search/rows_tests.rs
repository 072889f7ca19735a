#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "the texts of tests are short"
)]

use proptest::prelude::*;

use super::*;

/// What a reader sees of these lines, of one group, none of which was looked for.
fn shown(text: &str, collapse: Collapse) -> Vec<String> {
    let lines = candidates(text);
    written(&lines, &rows(&lines, collapse))
}

fn candidates(text: &str) -> Vec<Candidate<'_>> {
    let line = |text| Candidate {
        text,
        group: 0,
        matched: false,
    };
    text.lines().map(line).collect()
}

fn written(lines: &[Candidate<'_>], rows: &[Row]) -> Vec<String> {
    let row = |row: &Row| {
        let text = lines[row.from].text;
        let count = row.to - row.from;
        match &row.kind {
            RowKind::Line => text.to_owned(),
            RowKind::Repeated => format!("{text} (×{count})"),
            RowKind::Alike(template) => format!("{template} (×{count})"),
            RowKind::Frames => format!("… {} frames", frames_in(&lines[row.from..row.to])),
        }
    };
    rows.iter().map(row).collect()
}

#[test]
fn equal_lines_that_follow_each_other_share_a_row() {
    let text = "a\nb\nb\nc\nc\nc\nb\n";
    assert_eq!(shown(text, Collapse::Equal), ["a", "b (×2)", "c (×3)", "b"]);
    assert_eq!(shown(text, Collapse::Nothing).len(), 7);
}

#[test]
fn lines_of_different_groups_and_matches_never_share_a_row() {
    let line = |group, matched| Candidate {
        text: "a",
        group,
        matched,
    };
    for collapse in [Collapse::Equal, Collapse::Similar] {
        let lines = [line(0, true), line(1, true), line(1, false), line(1, false)];
        let ends: Vec<_> = rows(&lines, collapse).iter().map(|row| row.to).collect();
        assert_eq!(ends, [1, 2, 4]);
    }
}

#[test]
fn lines_that_differ_in_numbers_share_a_row_when_that_is_asked_for() {
    let text = "\
12:00:01 GET /item/17 200 in 5ms
12:00:02 GET /item/4 200 in 17ms
12:00:03 GET /item/4 200 in 6ms
12:00:03 GET /item/4 500 in 6ms
done 1
done 2
";
    let similar = ["… GET /item/… … in …ms (×4)", "done 1", "done 2"];
    assert_eq!(shown(text, Collapse::Similar), similar);
    assert_eq!(shown(text, Collapse::Equal).len(), 6);
}

#[test]
fn what_is_equal_in_all_lines_stays_in_their_template() {
    let text = "  a 1 of 3 k8s\n  a 2 of 3 k8s\n  a 3 of 3 k8s\n";
    assert_eq!(shown(text, Collapse::Similar), ["  a … of 3 k8s (×3)"]);
    let text = "job 0aff gone\njob 1aff gone\njob 1aff gone\n";
    assert_eq!(shown(text, Collapse::Similar), ["job …aff gone (×3)"]);
    let text = "id deadbeef\nid dadbeef0\nid 0000beef\n";
    assert_eq!(shown(text, Collapse::Similar), ["id … (×3)"]);
    let text = "größe 1 ä\ngröße 22 ä\ngröße 3 ä\n";
    assert_eq!(shown(text, Collapse::Similar), ["größe … ä (×3)"]);
}

#[test]
fn durations_and_dates_share_a_row() {
    let text = "took 15µs ok\ntook 7µs ok\ntook 12µs ok\n";
    assert_eq!(shown(text, Collapse::Similar), ["took …µs ok (×3)"]);
    let text = "took 1.2s ok\ntook 300ms ok\ntook 2m 3s ok\ntook 15µs ok\n";
    assert_eq!(shown(text, Collapse::Similar), ["took … ok (×4)"]);
    let text = "Mon Nov 23 up\nTue Nov 24 up\nTue Dec  1 up\n";
    assert_eq!(shown(text, Collapse::Similar), ["… up (×3)"]);
}

#[test]
fn lines_of_numbers_alone_stay_and_equal_ones_are_counted() {
    assert_eq!(
        shown("1\n2\n3\n3\nx\nx\nx\n", Collapse::Similar),
        ["1", "2", "3 (×2)", "x (×3)"]
    );
}

#[test]
fn cargo_says_what_it_compiles_in_one_row() {
    let text =
        "   Compiling libc v0.2.186\n   Compiling memchr v2.8.3\n   Compiling regex v1.12.4\n";
    assert_eq!(shown(text, Collapse::Similar).len(), 3);
    let text = "Downloaded 3 of 10\nDownloaded 4 of 10\nDownloaded 10 of 10\n";
    assert_eq!(shown(text, Collapse::Similar), ["Downloaded … of 10 (×3)"]);
}

#[test]
fn of_a_rust_backtrace_the_frames_of_the_program_are_shown() {
    let rows = shown(include_str!("samples/rust.txt"), Collapse::Equal);
    assert_eq!(
        rows[3..],
        [
            "index out of bounds: the len is 0 but the index is 3",
            "stack backtrace:",
            "… 6 frames",
            "   6: main::descend",
            "             at ./src/main.rs:1:79",
            "   7: main::descend",
            "             at ./src/main.rs:1:108",
            "   8: main::descend",
            "             at ./src/main.rs:1:108",
            "   9: main::descend",
            "             at ./src/main.rs:1:108",
            "  10: main::descend",
            "             at ./src/main.rs:1:108",
            "… 3 frames",
            "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
        ]
    );
}

#[test]
fn a_full_rust_backtrace_folds_too() {
    let rows = shown(include_str!("samples/rust-full.txt"), Collapse::Equal);
    assert_eq!(rows.len(), 5 + 1 + 10 + 1);
    assert_eq!(rows[5], "… 20 frames");
    assert!(rows[6].ends_with(" - main::descend::h81e786d162482516"));
    assert_eq!(rows[16], "… 20 frames");
}

#[test]
fn a_rust_backtrace_without_places_folds_too() {
    let mut text =
        "stack backtrace:\n   0: __rustc::rust_begin_unwind\n   1: core::panicking::panic_fmt\n"
            .to_owned();
    text += "   2: <usize as core::slice::index::SliceIndex<[T]>>::index\n   3: std::x\n";
    for frame in 4..30 {
        text += &format!("{frame:4}: app::f\n");
    }
    text += "note: run with\n";
    let rows = shown(&text, Collapse::Equal);
    assert_eq!(
        rows[..3],
        [
            "stack backtrace:",
            "   0: __rustc::rust_begin_unwind",
            "   1: core::panicking::panic_fmt"
        ]
    );
    assert_eq!(rows[3..8].len(), 5);
    assert_eq!(rows[rows.len() - 2..], ["… 23 frames", "note: run with"]);
}

#[test]
fn the_causes_that_are_numbered_are_no_frames() {
    let mut text = "Caused by:\n".to_owned();
    for cause in 0..12 {
        text += &format!("    {cause}: shop::order {} is gone\n", "x".repeat(cause));
    }
    assert_eq!(shown(&text, Collapse::Equal).len(), 13);
}

#[test]
fn node_shows_the_first_frames_and_counts_one_that_repeats_once() {
    let rows = shown(include_str!("samples/node.txt"), Collapse::Equal);
    assert_eq!(
        rows[1..9],
        [
            "TypeError: Cannot read properties of null (reading 'items')",
            "    at undefined_thing (/app/server.js:3:42)",
            "    at load (/app/server.js:2:51)",
            "    at load (/app/server.js:2:78) (×4)",
            "    at /app/server.js:4:69",
            "    at Array.map (<anonymous>)",
            "    at Shop.order (/app/server.js:4:57)",
            "    at Shop.<anonymous> (/app/server.js:6:30)",
        ]
    );
    assert!(
        rows.iter()
            .any(|row| row
                == "  [cause]: TypeError: Cannot read properties of null (reading 'items')")
    );
}

#[test]
fn a_trace_of_the_event_loop_folds_up_to_its_end() {
    let mut text = "Error: no\n".to_owned();
    for n in 0..5 {
        text += &format!("    at f{n} (/app/a.js:1:{n})\n");
    }
    text += "    at async Promise.all (index 0)\n    at async g (file:///app/b.mjs:2:3)\n    at new H (node:internal/x:1:2)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {\n  code: 'E'\n}\n";
    let rows = shown(&text, Collapse::Equal);
    assert_eq!(
        rows[5..],
        [
            "    at f4 (/app/a.js:1:4)",
            "… 4 frames",
            "  code: 'E'",
            "}"
        ]
    );
}

#[test]
fn vite_shows_the_first_frames_of_each_error() {
    let rows = shown(include_str!("samples/vite.txt"), Collapse::Equal);
    let first = rows
        .iter()
        .position(|row| row.ends_with("Internal server error: shop plugin failed"));
    let first = first.unwrap();
    assert_eq!(
        rows[first + 3..first + 9],
        [
            "      at deep (file:///app/web/vite.config.js:11:22)",
            "      at deep (file:///app/web/vite.config.js:12:10) (×3)",
            "      at helper (file:///app/web/vite.config.js:8:10)",
            "      at TransformPluginContext.transform (file:///app/web/vite.config.js:4:12)",
            "      at EnvironmentPluginContainer.transform (file:///app/web/node_modules/vite/dist/node/chunks/dep-Cohbwjf9.js:42648:19)",
            "      at async loadAndTransform (file:///app/web/node_modules/vite/dist/node/chunks/dep-Cohbwjf9.js:36059:27)",
        ]
    );
}

#[test]
fn what_cargo_says_is_kept_and_only_what_is_alike_shares_a_row() {
    let text = include_str!("samples/cargo.txt");
    let all: Vec<_> = text.lines().collect();
    assert_eq!(
        shown(text, Collapse::Equal),
        all,
        "nothing of it is equal or a trace"
    );
    let rows = shown(text, Collapse::Similar);
    assert!(
        rows.contains(&"test tests::case_… ... ok (×4)".to_owned()),
        "{rows:#?}"
    );
    // Both errors are there, with their places.
    for place in [" --> src/main.rs:2:18", " --> src/main.rs:3:18"] {
        assert!(rows.iter().any(|row| row == place), "{rows:#?}");
    }
    assert_eq!(rows.len(), all.len() - 3, "{rows:#?}");
}

#[test]
fn browsers_without_at_fold_too() {
    let frames: String = (0..12)
        .map(|n| format!("f{n}@http://localhost:5173/src/a.js:{n}:7\n"))
        .collect();
    let rows = shown(&format!("TypeError: x is null\n{frames}"), Collapse::Equal);
    assert_eq!(
        rows[5..],
        ["f4@http://localhost:5173/src/a.js:4:7", "… 7 frames"]
    );
}

#[test]
fn python_shows_both_ends_of_a_traceback() {
    let rows = shown(include_str!("samples/python.txt"), Collapse::Equal);
    assert_eq!(
        rows[2..19],
        [
            "Traceback (most recent call last):",
            "  File \"/app/shop.py\", line 10, in order",
            "    return descend(n)",
            "           ^^^^^^^^^^",
            "  File \"/app/shop.py\", line 7, in descend",
            "    return descend(n - 1) + 1",
            "           ^^^^^^^^^^^^^^",
            "… 3 frames",
            "  File \"/usr/lib/python3.11/json/__init__.py\", line 346, in loads",
            "    return _default_decoder.decode(s)",
            "           ^^^^^^^^^^^^^^^^^^^^^^^^^^",
            "  File \"/usr/lib/python3.11/json/decoder.py\", line 337, in decode",
            "    obj, end = self.raw_decode(s, idx=_w(s, 0).end())",
            "               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
            "  File \"/usr/lib/python3.11/json/decoder.py\", line 355, in raw_decode",
            "    raise JSONDecodeError(\"Expecting value\", s, err.value) from None",
            "json.decoder.JSONDecodeError: Expecting value: line 1 column 17 (char 16)",
        ]
    );
    // The second traceback is short.
    assert_eq!(rows[rows.len() - 9], "Traceback (most recent call last):");
}

#[test]
fn groups_of_exceptions_fold_behind_their_margin() {
    let frames = "  |   File \"a.py\", line 1, in f\n  |     g()\n".repeat(9);
    let text = format!(
        "  + Exception Group Traceback (most recent call last):\n{frames}  | ExceptionGroup: no (2 sub-exceptions)\n"
    );
    let rows = shown(&text, Collapse::Equal);
    assert_eq!(rows.len(), 1 + 4 + 1 + 6 + 1);
    assert_eq!(rows[5], "… 4 frames");
}

#[test]
fn java_shows_every_cause_with_its_first_frames() {
    let rows = shown(include_str!("samples/java.txt"), Collapse::Equal);
    assert_eq!(
        rows[1..],
        [
            "Exception in thread \"main\" java.lang.IllegalStateException: order failed",
            "\tat Shop.order(Shop.java:4)",
            "\tat Shop.lambda$handle$0(Shop.java:6)",
            "\tat Shop.handle(Shop.java:6)",
            "\tat Shop.main(Shop.java:5)",
            "Caused by: java.lang.NumberFormatException: For input string: \"seven\"",
            "\tat java.base/java.lang.NumberFormatException.forInputString(NumberFormatException.java:67)",
            "\tat java.base/java.lang.Integer.parseInt(Integer.java:668)",
            "\tat java.base/java.lang.Integer.parseInt(Integer.java:786)",
            "\tat Shop.descend(Shop.java:3) (×5)",
            "\tat java.base/java.util.stream.ReferencePipeline$4$1.accept(ReferencePipeline.java:214)",
            "… 8 frames",
        ]
    );
}

#[test]
fn the_sanitizers_of_c_keep_their_stacks_apart() {
    let rows = shown(include_str!("samples/asan.txt"), Collapse::Equal);
    let stack = rows
        .iter()
        .position(|row| row.starts_with("READ of size 4"))
        .unwrap();
    assert_eq!(rows[stack + 6], "… 7 frames");
    assert!(rows.contains(&"freed by thread T0 here:".to_owned()));
    assert!(
        rows.iter()
            .any(|row| row.starts_with("    #2 0x7fe3e5845249 in __libc_start_call_main"))
    );
}

#[test]
fn go_frames_are_pairs_of_lines() {
    let mut text = "panic: no\n\ngoroutine 1 [running]:\n".to_owned();
    for n in 0..9 {
        text += &format!("main.(*Shop).f({n:#x}, ...)\n\t/app/main.go:{n} +0x1d\n");
    }
    text += "created by main.main in goroutine 1\n\t/app/main.go:12\nexit status 2\n";
    let rows = shown(&text, Collapse::Equal);
    assert_eq!(
        rows[2..5],
        [
            "goroutine 1 [running]:",
            "main.(*Shop).f(0x0, ...)",
            "\t/app/main.go:0 +0x1d"
        ]
    );
    assert_eq!(rows[13..], ["… 5 frames", "exit status 2"]);
}

/// Ten frames of each; five are shown.
#[test]
fn the_frames_of_other_languages_fold_too() {
    let frame = |form: &str, n: usize| form.replace("{n}", &n.to_string());
    for form in [
        "   at Shop.Order.Place(Int32 id) in /app/Order.cs:line {n}",
        "   at System.Threading.Tasks.Task.Run{n}(Action action)",
        "\tfrom shop.rb:{n}:in 'Shop#order'",
        "\tfrom shop.rb:{n}:in `order'",
        "app/models/shop.rb:{n}:in 'Shop#order'",
        "#{n} /app/shop.php(12): Shop->order()",
        "#{n}  0x00005555 in order (n=4) at shop.c:3",
        "#{n}      order (package:shop/shop.dart:3:5)",
        "    (shop 0.1.0) lib/shop.ex:{n}: Shop.order/1",
        "    (stdlib 5.0) gen_server.erl:{n}: :gen_server.loop/7",
        "\tat shop.Shop.order(Shop.kt:{n}) ~[shop.jar:0.1]",
        "    at order (eval at <anonymous> (/app/x.js:1:1), <anonymous>:{n}:3)",
    ] {
        let text: String = (0..10).map(|n| frame(form, n) + "\n").collect();
        let rows = shown(&text, Collapse::Equal);
        assert_eq!(rows.len(), 6, "{rows:?}");
        assert_eq!(rows[5], "… 5 frames");
    }
}

#[test]
fn lists_and_prose_are_no_traces() {
    for text in [
        "  1: apples\n  2: pears\n",
        "#12 mend the door (again)\n#7 paint it (blue)\n",
        "    at noon\n    at six\n",
        "user@example.org\nfoo@bar\n",
        "- a (b)\n- c (d)\n",
        "  Files:\n  \"x\", line\n",
        "call me (maybe)\n\tor not\n",
    ] {
        let text = text.repeat(10);
        let lines = text.lines().count();
        assert_eq!(shown(&text, Collapse::Equal).len(), lines, "{text}");
    }
}

#[test]
fn a_fold_that_saves_little_does_not_happen() {
    let trace = |frames: usize| -> String {
        (0..frames)
            .map(|n| format!("    at f{n} (a.js:1:{n})\n"))
            .collect()
    };
    assert_eq!(shown(&trace(8), Collapse::Equal).len(), 8);
    assert_eq!(shown(&trace(9), Collapse::Equal).len(), 6);
}

#[test]
fn a_frame_that_was_looked_for_is_shown() {
    let text: String = (0..20)
        .map(|n| format!("    at f{n} (a.js:1:{n})\n"))
        .collect();
    let mut lines = candidates(&text);
    lines[12].matched = true;
    let shown = written(&lines, &rows(&lines, Collapse::Equal));
    assert_eq!(
        shown[5..],
        ["… 7 frames", "    at f12 (a.js:1:12)", "… 7 frames"]
    );
}

#[test]
fn another_stream_in_between_ends_a_trace() {
    let text: String = (0..20)
        .map(|n| format!("    at f{n} (a.js:1:{n})\n"))
        .collect();
    let mut lines = candidates(&text);
    lines[10] = Candidate {
        text: "hello",
        group: 1,
        matched: false,
    };
    let shown = written(&lines, &rows(&lines, Collapse::Equal));
    assert_eq!(shown[5..7], ["… 5 frames", "hello"]);
    assert_eq!(shown[12..], ["… 4 frames"]);
}

#[test]
fn a_window_of_many_lines_takes_no_time_to_speak_of() {
    let traces = include_str!("samples/node.txt").repeat(300);
    let files = "  File \"a\", line 1\n".to_owned() + &"    x\n".repeat(5_000);
    let numbers = "   1: a::b\n   3: c::d\n".repeat(5_000);
    for text in [traces, files, numbers] {
        for collapse in [Collapse::Equal, Collapse::Similar] {
            let begun = tokio::time::Instant::now();
            shown(&text, collapse);
            // Even unoptimised and on a busy machine.
            assert!(begun.elapsed().as_secs() < 5);
        }
    }
}

/// Lines of traces and others, cut anywhere.
fn line() -> impl Strategy<Value = String> {
    let files = concat!(
        include_str!("samples/rust.txt"),
        include_str!("samples/node.txt"),
        include_str!("samples/python.txt"),
        include_str!("samples/java.txt"),
        include_str!("samples/asan.txt"),
        "goroutine 1 [running]:\nmain.f(0x1)\n\t/app/x.go:1 +0x1\n\n",
    );
    let lines: Vec<String> = files.lines().map(str::to_owned).collect();
    prop_oneof![
        prop::sample::select(lines),
        "[a-c]{0,2}",
        "(GET|ö|PUT) [0-9]{1,3}[a-f]{0,9}-[0-9]",
        "\\PC{0,12}",
    ]
}

fn collapse() -> impl Strategy<Value = Collapse> {
    prop::sample::select(vec![Collapse::Nothing, Collapse::Equal, Collapse::Similar])
}

proptest! {
    // Each case has many lines.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn lines_that_differ_in_uuids_share_a_row(
        ids in prop::collection::vec("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", 500),
    ) {
        let text: String = ids.iter().map(|id| format!("user {id}: gone\n")).collect();
        prop_assert_eq!(shown(&text, Collapse::Similar), ["user …: gone (×500)"]);
    }

    #[test]
    fn lines_that_differ_in_ids_of_letters_share_a_row(
        ids in prop::collection::vec(prop_oneof![
            // As a UUID of any version, the worst that there may be.
            "[a-f]{8}-[a-f]{4}-[a-f]{4}-[a-f]{4}-[a-f]{12}",
            "[0-9]{8}-[a-f]{4}-[0-9]{4}-[a-f]{4}-[a-f]{12}",
            "[0-9]{7}",
            "[a-f]{7,40}".prop_filter("a word", |id| !["acceded", "decaded", "defaced", "effaced", "facaded"].contains(&id.as_str())),
        ], 50),
    ) {
        let text: String = ids.iter().map(|id| format!("at {id} gone\n")).collect();
        prop_assert_eq!(shown(&text, Collapse::Similar), ["at … gone (×50)"]);
    }
}

proptest! {
    #[test]
    fn every_line_is_in_one_row_and_their_order_stays(
        runs in prop::collection::vec((prop::collection::vec(line(), 1..12), 1..3_usize, 0..2_u32, prop::bool::weighted(0.1)), 0..8),
        collapse in collapse(),
    ) {
        let mut lines = Vec::new();
        for (texts, times, group, matched) in &runs {
            for text in texts.iter().flat_map(|text| std::iter::repeat_n(text, *times)) {
                lines.push(Candidate { text, group: *group, matched: *matched });
            }
        }
        let rows = rows(&lines, collapse);
        let mut done = 0;
        for row in &rows {
            prop_assert_eq!(row.from, done);
            prop_assert!(row.to > row.from);
            done = row.to;
            let inside = &lines[row.from..row.to];
            prop_assert!(inside.iter().all(|line| line.group == inside[0].group));
            match row.kind {
                RowKind::Line => prop_assert_eq!(inside.len(), 1),
                RowKind::Repeated => prop_assert!(inside.iter().all(|line| line.text == inside[0].text)),
                RowKind::Alike(_) => prop_assert_eq!(collapse, Collapse::Similar),
                RowKind::Frames => prop_assert!(inside.iter().all(|line| !line.matched)),
            }
            if row.kind != RowKind::Frames {
                prop_assert!(inside.iter().all(|line| line.matched == inside[0].matched));
            }
            prop_assert!(collapse != Collapse::Nothing || row.kind == RowKind::Line);
        }
        prop_assert_eq!(done, lines.len());
    }

    #[test]
    fn lines_without_repeats_stay_as_they_are(count in 0..40_usize, collapse in collapse()) {
        let texts: Vec<String> = (0..count).map(|n| "word ".repeat(n + 1)).collect();
        let text = texts.join("\n");
        let once = shown(&text, collapse);
        prop_assert_eq!(&shown(&once.join("\n"), collapse), &once);
        prop_assert_eq!(once, texts);
    }
}

/// What runs of lines have in common, found with all lines and their skeletons at hand.
fn naive(lines: &[Candidate<'_>]) -> Vec<Option<String>> {
    let is_next = |one: &Candidate<'_>, other: &Candidate<'_>| {
        one.matched == other.matched && skeleton(one.text).is_like(&skeleton(other.text))
    };
    let template = |run: &[Candidate<'_>]| {
        let (text, first) = (run[0].text, skeleton(run[0].text));
        if run.len() < 3 || !first.has_words() || run.iter().all(|line| line.text == text) {
            return None;
        }
        let trimmed = text.trim_ascii();
        let (before, behind) = text.split_once(trimmed)?;
        let (mut template, mut done) = (before.to_owned(), 0);
        for (nth, place) in first.places().iter().enumerate() {
            let number = |line: &Candidate<'_>| {
                let place = skeleton(line.text).places()[nth].clone();
                line.text.trim_ascii()[place].to_owned()
            };
            let numbers: Vec<_> = run.iter().map(number).collect();
            let parts = |number: &str| {
                let digits = number.find(|it: char| it.is_ascii_digit())?;
                let end = number.rfind(|it: char| it.is_ascii_digit())? + 1;
                let inside = number[digits..end].contains(char::is_alphabetic);
                (!inside).then(|| (number[..digits].to_owned(), number[end..].to_owned()))
            };
            let units: Vec<_> = numbers.iter().map(|it| parts(it)).collect();
            template.push_str(&trimmed[done..place.start]);
            template.push_str(&match &units[0] {
                _ if numbers.iter().all(|it| *it == numbers[0]) => numbers[0].clone(),
                Some((one, other)) if units.iter().all(|it| *it == units[0]) => {
                    format!("{one}…{other}")
                }
                _ => "…".to_owned(),
            });
            done = place.end;
        }
        Some(template + &trimmed[done..] + behind)
    };
    lines.chunk_by(is_next).map(template).collect()
}

proptest! {
    #[test]
    fn lines_that_are_alike_have_in_common_what_all_of_them_at_hand_have(
        lines in prop::collection::vec(("[ ]?(a|b) [12](ms|s)?( x[12]y?)?( [12]a[12])? ?", any::<bool>()), 0..30),
        changes in any::<bool>(),
    ) {
        let lines: Vec<_> = lines
            .iter()
            .map(|(text, matched)| Candidate { text, group: 0, matched: *matched && changes })
            .collect();
        let rows = rows(&lines, Collapse::Similar);
        let found: Vec<_> = rows
            .into_iter()
            .filter_map(|row| match row.kind {
                RowKind::Alike(template) => Some(template),
                _ => None,
            })
            .collect();
        let expected: Vec<_> = naive(&lines).into_iter().flatten().collect();
        prop_assert_eq!(found, expected);
    }
}
