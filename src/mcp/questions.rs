//! Reads what is asked of logs.

use std::time::SystemTime;

use bpm_actors::{
    logs::{Stream, level::Level},
    pattern::{Case, Pattern},
    search::{
        Collapse, Detail, Extent, LogKind, Matching, Query, Which,
        bound::{BadBound, Bound},
    },
};

use super::{arguments::Arguments, server::Refused, tools};
use crate::service::LogQuestion;

/// What is asked, and how long the answer may be, in bytes.
pub(super) struct Asked {
    pub(super) question: LogQuestion,
    pub(super) most: usize,
}

/// Reads the arguments of a search.
pub(super) fn asked(
    kind: LogKind,
    now: SystemTime,
    mut arguments: Arguments,
) -> Result<Asked, Refused> {
    let processes = processes(&mut arguments);
    let pattern = arguments.text("pattern");
    let case = arguments.flag("ignore_case");
    let invert = arguments.flag("invert");
    let level = arguments.word("level", &LEVELS);
    let context = arguments.count("context_lines");
    let head = arguments.count("head");
    let tail = arguments.count("tail");
    let log = which(kind, &mut arguments);
    let bad = BadBound.to_string();
    let since = arguments.read("since", &bad, |it| Bound::parse(it, now).ok());
    let until = arguments.read("until", &bad, |it| Bound::parse(it, now).ok());
    let right = "a cursor such as \"7:1042\", as an answer gives it";
    let after = arguments.read("after_cursor", right, |it| it.trim().parse().ok());
    let stream = arguments.word(
        "stream",
        &[("stdout", Stream::Stdout), ("stderr", Stream::Stderr)],
    );
    let collapse = arguments.word("collapse", &COLLAPSES);
    let detail = arguments.flag("detail");
    let most = arguments.within("max_bytes", tools::LEAST_BYTES..=tools::MOST_BYTES);
    let matching = match (invert, &pattern) {
        (Some(true), None) => {
            arguments.refuse("`invert` needs a `pattern`: it shows the lines that do not match");
            Matching::Lines
        }
        (Some(true), Some(_)) => Matching::OtherLines,
        (Some(false) | None, _) => Matching::Lines,
    };
    arguments.finish()?;

    let case = match case {
        Some(true) => Case::Ignored,
        Some(false) | None => Case::Counts,
    };
    let pattern = pattern.map(|it| Pattern::parse_in(&it, case)).transpose()?;
    let is_bounded = since.is_some() || until.is_some() || after.is_some();
    let usual = if is_bounded {
        Which::All
    } else {
        Which::Index(-1)
    };
    let most = most.unwrap_or(tools::USUAL_BYTES);
    let query = Query {
        pattern,
        matching,
        level,
        context: context.unwrap_or(0),
        extent: match (head, tail) {
            (_, Some(tail)) => Extent::Tail(tail),
            (Some(head), None) => Extent::Head(head),
            (None, None) => Extent::All,
        },
        stream,
        since,
        until,
        after,
        collapse: collapse.unwrap_or_default(),
        detail: match detail {
            Some(true) => Detail::Place,
            Some(false) | None => Detail::Text,
        },
        // How much stands above the log is known with the names of the processes.
        budget: most,
    };
    let question = LogQuestion {
        processes,
        kind,
        which: log.unwrap_or(usual),
        query,
    };
    Ok(Asked { question, most })
}

/// By their names in the arguments.
const LEVELS: [(&str, Level); 6] = [
    ("fatal", Level::Fatal),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

const COLLAPSES: [(&str, Collapse); 3] = [
    ("none", Collapse::Nothing),
    ("equal", Collapse::Equal),
    ("similar", Collapse::Similar),
];

/// Clients whose schemas know one type for each parameter send several names as `processes`; others
/// send them as `process`.
fn processes(arguments: &mut Arguments) -> Vec<String> {
    let one = arguments.texts("process");
    let several = arguments.texts("processes");
    if !one.is_empty() && !several.is_empty() {
        arguments.refuse("`process` and `processes` both name processes; give one of them");
    }
    if one.is_empty() { several } else { one }
}

fn which(kind: LogKind, arguments: &mut Arguments) -> Option<Which> {
    let name = match kind {
        LogKind::Runs => "run",
        LogKind::Builds => "build",
    };
    let index = arguments.integer("index", "-1");
    let number = arguments.within(name, 1..=usize::MAX >> 1);
    match (index, number) {
        (Some(_), Some(_)) => {
            arguments.refuse(format!(
                "`index` and `{name}` both say which {name}; give one of them"
            ));
            None
        }
        (Some(index), None) => Some(Which::Index(index)),
        (None, Some(number)) => Some(Which::Number(number as u64)),
        (None, None) => None,
    }
}
