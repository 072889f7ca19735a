//! Stack frames, as the usual languages print them: which lines are one frame, and which frames
//! are one trace.
//!
//! A line alone is seldom proof. Three frames of one form in a row are a trace; what is looked at
//! is therefore the form of a line and, where frames are numbered, that the numbers go up.

use std::ops::Range;

/// So many frames in a row are a trace; fewer are lines like any other.
const FEWEST: usize = 3;

/// Consecutive frames of one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The lines of each, in order, without gaps.
    pub(crate) frames: Vec<Range<usize>>,
    /// The frame that says most, counted from the first: the first few from there on are shown.
    pub(crate) first: usize,
    /// Whether the innermost frame is the last one.
    pub(crate) ends_inside: bool,
}

impl Trace {
    /// Its lines.
    pub(crate) fn lines(&self) -> Range<usize> {
        let start = self.frames.first().map_or(0, |frame| frame.start);
        start..self.frames.last().map_or(start, |frame| frame.end)
    }
}

/// The traces among lines that follow each other on one stream, in order.
pub(crate) fn traces(lines: &[&str]) -> Vec<Trace> {
    let mut traces = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let frames = frames_from(lines, at);
        let Some((kind, first)) = frames.first().map(|frame| (frame.kind, frame.lines.start))
        else {
            at += 1;
            continue;
        };
        at = frames.last().map_or(first, |frame| frame.lines.end);
        if frames.len() < FEWEST {
            continue;
        }
        let own = |frame: &Frame| kind != Kind::Rust || !is_runtime(&lines[frame.lines.clone()]);
        traces.push(Trace {
            first: frames.iter().position(own).unwrap_or(0),
            ends_inside: kind == Kind::Python,
            frames: frames.into_iter().map(|frame| frame.lines).collect(),
        });
    }
    traces
}

/// How many frames there are in lines that are nothing but frames.
pub(crate) fn count(lines: &[&str]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < lines.len() {
        let frames = frames_from(lines, at);
        at = frames.last().map_or(at + 1, |frame| frame.lines.end);
        // A line that stands there alone was the rest of something.
        count += frames.len().max(1);
    }
    count
}

/// The forms of frames. All but `Go` are told by their first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `   3: core::panicking::panic`, and `at ./src/main.rs:3:5` below it.
    Rust,
    /// `    at …`: JavaScript, the JVM, .NET.
    At,
    /// `order@http://localhost:5173/src/main.js:3:7`: Firefox, Safari.
    Browser,
    /// `  File "x.py", line 1, in f`, and the source below it.
    Python,
    /// `main.f(0x1)`, and `\t/app/x.go:12 +0x1d` below it.
    Go,
    /// `\tfrom x.rb:1:in 'f'`.
    Ruby,
    /// `#0 …`: PHP, gdb, the sanitizers of C, Dart.
    Numbered,
    /// `    (app 0.1.0) lib/x.ex:12: X.f/1`.
    Elixir,
}

#[derive(Clone, Debug)]
struct Frame {
    kind: Kind,
    lines: Range<usize>,
    number: Option<u32>,
}

/// The frames that begin at a line and follow each other.
fn frames_from(lines: &[&str], at: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = at;
    while let Some(frame) = frame(lines, at, frames.last()) {
        at = frame.lines.end;
        frames.push(frame);
    }
    frames
}

/// The frame that begins at a line, and is of the trace that `before` belongs to.
fn frame(lines: &[&str], at: usize, before: Option<&Frame>) -> Option<Frame> {
    let line = lines.get(at)?;
    let text = line.trim_start_matches(is_indentation);
    let indentation = line.len() - text.len();
    let (kind, number) = recognise(line, text, indentation, before)
        .or_else(|| is_go(lines, at).then_some((Kind::Go, None)))?;
    if let Some(before) = before
        && (before.kind != kind || before.number.map(|it| it.wrapping_add(1)) != number)
    {
        return None;
    }
    let end = match kind {
        Kind::Rust => {
            let place = lines.get(at + 1).filter(|line| is_rust_place(line));
            at + 1 + usize::from(place.is_some())
        }
        Kind::Python => {
            let below = &lines[at + 1..];
            let below = below.iter().take_while(|line| is_below(line, indentation));
            at + 1 + below.count()
        }
        Kind::Go => at + 2,
        _ => at + 1,
    };
    Some(Frame {
        kind,
        lines: at..end,
        number,
    })
}

fn recognise(
    line: &str,
    text: &str,
    indentation: usize,
    before: Option<&Frame>,
) -> Option<(Kind, Option<u32>)> {
    let text = text.trim_end();
    if indentation > 0 {
        if text.strip_prefix("at ").is_some_and(is_call) {
            return Some((Kind::At, None));
        }
        // `... 23 more`: the rest of a trace is in another one.
        let goes_on = before.is_some_and(|frame| frame.kind == Kind::At);
        if goes_on && text.starts_with("... ") {
            return Some((Kind::At, None));
        }
        if text.starts_with("File \"") && text.contains("\", line ") {
            return Some((Kind::Python, None));
        }
        if is_elixir(text) {
            return Some((Kind::Elixir, None));
        }
        let inside = before.is_some_and(|frame| frame.kind == Kind::Rust);
        if let Some(number) = rust_number(text, inside) {
            return Some((Kind::Rust, Some(number)));
        }
    }
    if is_ruby(text, indentation) {
        return Some((Kind::Ruby, None));
    }
    if let Some(number) = text.strip_prefix('#').and_then(numbered) {
        return Some((Kind::Numbered, Some(number)));
    }
    is_browser(line.trim()).then_some((Kind::Browser, None))
}

/// Also what is drawn at the left of groups of exceptions in Python.
fn is_indentation(sign: char) -> bool {
    matches!(sign, ' ' | '\t' | '|')
}

/// What follows `at `: a function with its place, or a place.
fn is_call(text: &str) -> bool {
    // An object that has more to show than its trace.
    let text = text.strip_suffix(" {").unwrap_or(text);
    let has_brackets = text.contains('(') && text.ends_with([')', ']']);
    has_brackets || text.ends_with("<anonymous>") || text.contains(":line ") || is_place(text, 2)
}

/// Whether a text ends in so many numbers behind a file: `x.js:3:5`.
fn is_place(text: &str, numbers: usize) -> bool {
    let mut rest = text;
    for _ in 0..numbers {
        let Some((before, number)) = rest.rsplit_once(':') else {
            return false;
        };
        if !is_number(number) {
            return false;
        }
        rest = before;
    }
    !rest.is_empty()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits off digits at the start.
fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    Some((digits.parse().ok()?, rest))
}

/// `inside` a trace every name counts; before it, only what can hardly be an item of a list.
fn rust_number(text: &str, inside: bool) -> Option<u32> {
    let (number, rest) = number(text)?;
    let name = rest.strip_prefix(": ")?.trim_start();
    let (address, name) = match name.split_once(" - ") {
        Some((address, name)) if address.starts_with("0x") => (true, name),
        _ => (false, name),
    };
    let is_sure = address || name.contains("::");
    ((inside || is_sure) && is_rust_name(name)).then_some(number)
}

/// The causes of an error are numbered as well, but they are sentences.
fn is_rust_name(name: &str) -> bool {
    let mut depth = 0_usize;
    let mut before = ' ';
    for sign in name.chars() {
        match sign {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => return false,
            _ => {}
        }
        before = sign;
    }
    !name.is_empty()
}

fn is_rust_place(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len() && text.strip_prefix("at ").is_some_and(|at| is_place(at, 1))
}

/// Whether a frame is of Rust's own libraries, which say less than the message of the panic.
fn is_runtime(lines: &[&str]) -> bool {
    let [name, place @ ..] = lines else {
        return false;
    };
    if let [place] = place {
        return place.contains("at /rustc/");
    }
    let name = name.split_once(": ").map_or(*name, |(_, name)| name);
    let name = name.rsplit_once(" - ").map_or(name, |(_, name)| name);
    let name = name.trim_start().trim_start_matches('<');
    ["std", "core", "alloc", "__rustc"].iter().any(|it| {
        let rest = name.strip_prefix(it);
        rest.is_some_and(|rest| rest.starts_with("::") || rest.starts_with('['))
    }) || name.starts_with("rust_begin_unwind")
}

/// Whether a line belongs to the frame of Python whose first line has this indentation.
fn is_below(line: &str, indentation: usize) -> bool {
    let text = line.trim_start_matches(is_indentation);
    let own = line.len() - text.len();
    own > indentation || (own == indentation && text.starts_with("[Previous line repeated "))
}

fn is_go(lines: &[&str], at: usize) -> bool {
    let [function, place, ..] = &lines[at..] else {
        return false;
    };
    let is_function = function.ends_with(')') || function.starts_with("created by ");
    is_function && !function.starts_with(is_indentation) && is_go_place(place)
}

fn is_go_place(line: &str) -> bool {
    let Some(text) = line.strip_prefix('\t') else {
        return false;
    };
    let place = text.rsplit_once(" +0x").map_or(text, |(place, _)| place);
    let file = place.rsplit_once(':').map_or("", |(file, _)| file);
    is_place(place, 1) && [".go", ".s", ".c"].iter().any(|it| file.ends_with(it))
}

fn is_ruby(text: &str, indentation: usize) -> bool {
    // Older versions number them, the outermost first.
    let numbered = number(text).and_then(|(_, rest)| rest.strip_prefix(": "));
    let text = numbered.unwrap_or(text);
    let place = match text.strip_prefix("from ") {
        Some(place) if indentation > 0 => place,
        // What an exception says follows behind the name.
        _ if text.ends_with('\'') && !text.contains("': ") => text,
        _ => return false,
    };
    let Some((place, name)) = place.split_once(":in ") else {
        return text.len() > place.len() && is_place(place, 1);
    };
    is_place(place, 1) && name.starts_with(['\'', '`'])
}

/// What follows `#`.
fn numbered(text: &str) -> Option<u32> {
    let (number, rest) = number(text)?;
    let call = rest.strip_prefix(' ')?.trim_start();
    let is_call = call.starts_with("0x")
        || call.starts_with('{')
        || call.starts_with("[internal function]")
        || (call.contains('(') && !call.starts_with('('));
    is_call.then_some(number)
}

fn is_elixir(text: &str) -> bool {
    let app = text
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "));
    let place = app.map_or(text, |(_, place)| place);
    let Some((place, call)) = place.split_once(": ") else {
        return false;
    };
    let file = place.rsplit_once(':').map_or("", |(file, _)| file);
    let is_source = [".ex", ".exs", ".erl"].iter().any(|it| file.ends_with(it));
    is_source && is_place(place, 1) && !call.is_empty()
}

fn is_browser(text: &str) -> bool {
    let Some((name, place)) = text.split_once('@') else {
        return false;
    };
    let is_file = place.starts_with('/') || place.contains("://");
    is_file && is_place(place, 2) && !text.contains(' ') && !name.contains(':')
}
