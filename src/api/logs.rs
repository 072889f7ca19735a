//! `GET /api/logs`: lines as they were printed, one JSON object each, and what comes next.

use std::time::SystemTime;

use actix_web::{HttpRequest, web};
use bpm_actors::{
    history::timestamp,
    logs::{Stream, level::Level},
    pattern::{Case, Pattern},
    search::{
        Extent, LogKind, Matching, NoSuchLog, Query, Which,
        bound::{BadBound, Bound},
        cursor::BadCursor,
        walk::{Item, Reach, Role, WalkLine},
    },
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Api,
    errors::{Answer, Refused},
    query::Parameters,
    stream::{Gone, NDJSON, Stretch},
};
use crate::{
    http::refusal::Refusal,
    service::{Following, LogQuestion, Service, ServiceError},
};

/// How many lines may be asked for.
const MOST_LINES: usize = 100_000;
/// How many of the last lines are given where nothing says how many.
const USUAL_LINES: usize = 1_000;
/// How many before it goes on with what comes.
const LINES_BEFORE: usize = 100;
/// How many lines of context, on either side.
const MOST_CONTEXT: usize = 100;

/// Gives lines.
pub(super) async fn read(api: web::Data<Api>, request: HttpRequest) -> Answer {
    let (question, reach) = asked(Parameters::of(&request)?, SystemTime::now())?;
    let place = api.streams.place()?;
    let is_one = matches!(question.which, Which::Number(_));
    let (mut reader, lost) = follow(&api.service, question, reach).await?;
    let stretch = match reach {
        Reach::Kept => Stretch::Past,
        Reach::Later if is_one => Stretch::Ending,
        Reach::Later => Stretch::Endless,
    };
    let answer = api
        .streams
        .answer(&request, &NDJSON, stretch, place, |pen| async move {
            if !lost.is_empty() {
                pen.write(Bytes::from(written(&lost, reader.kind())))
                    .await?;
            }
            loop {
                let items = match reader.next().await {
                    Ok(Some(items)) => items,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        log::debug!("http: logs end: {error}");
                        return Err(Gone::Source);
                    }
                };
                let text = written(&items, reader.kind());
                // Freed before the reader takes it.
                drop(items);
                pen.write(Bytes::from(text)).await?;
            }
        });
    Ok(answer)
}

/// Begins to read. Numbers begin anew where no history is kept: who goes on behind a cursor of an
/// earlier daemon is told so, and begins with what there is.
async fn follow(
    service: &Service,
    question: LogQuestion,
    reach: Reach,
) -> Result<(Following, Vec<Item>), ServiceError> {
    let from_start = LogQuestion {
        query: Query {
            after: None,
            ..question.query.clone()
        },
        ..question.clone()
    };
    match service.follow(question, reach).await {
        Err(ServiceError::NoSuchLog {
            process,
            cause: NoSuchLog::Ahead { .. },
        }) if reach == Reach::Later => {
            let reader = service.follow(from_start, reach).await?;
            let gap = |process| Item::Gap {
                process,
                lines: None,
            };
            Ok((reader, process.0.into_iter().map(gap).collect()))
        }
        reader => Ok((reader?, Vec::new())),
    }
}

/// Reads what is asked.
fn asked(mut given: Parameters, now: SystemTime) -> Result<(LogQuestion, Reach), Refused> {
    let processes = given.all("process");
    let kind = given.word(
        "kind",
        &[("run", LogKind::Runs), ("build", LogKind::Builds)],
    );
    let number = given.number("run", 1..=u64::MAX >> 1);
    let index = given.number("index", i64::MIN..=i64::MAX);
    let since = given.read("since", BadBound, |it| Bound::parse(it, now).ok());
    let until = given.read("until", BadBound, |it| Bound::parse(it, now).ok());
    let right = "a cursor such as 7:1042, or main=7:1042,web=8:3 of several processes";
    let after = given.read("after_cursor", right, |it| {
        it.trim().parse().map_err(|_: BadCursor| ()).ok()
    });
    let pattern = given.text("pattern");
    let ignore_case = given.flag("ignore_case").unwrap_or(false);
    let invert = given.flag("invert").unwrap_or(false);
    let level = given.word("level", &LEVELS);
    let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr)];
    let stream = given.word("stream", &streams);
    let context = given.number("context_lines", 0..=MOST_CONTEXT);
    let head = given.number("head", 0..=MOST_LINES);
    let tail = given.number("tail", 0..=MOST_LINES);
    let follow = given.flag("follow").unwrap_or(false);

    let case = if ignore_case {
        Case::Ignored
    } else {
        Case::Counts
    };
    let pattern = pattern
        .map(|text| Pattern::parse_in(&text, case))
        .transpose();
    let pattern = pattern.unwrap_or_else(|error| {
        given.refuse(format!("`pattern`: {error}"));
        None
    });
    for (both, problem) in [
        (
            number.is_some() && index.is_some(),
            "`run` and `index` both say which run; give one of them",
        ),
        (
            head.is_some() && tail.is_some(),
            "`head` and `tail` exclude each other; give one of them",
        ),
        (
            follow && until.is_some(),
            "`follow` goes on with what comes, which `until` excludes",
        ),
    ] {
        if both {
            given.refuse(problem);
        }
    }
    given.finish()?;
    if invert && pattern.is_none() {
        let problem = "`invert` needs a `pattern`: it gives the lines that do not match";
        return Err(Refusal::bad_request(problem).into());
    }

    let is_bounded = since.is_some() || until.is_some() || after.is_some();
    let which = match (number, index) {
        (Some(number), _) => Which::Number(number),
        (None, Some(index)) => Which::Index(index),
        (None, None) if is_bounded => Which::All,
        (None, None) => Which::Index(-1),
    };
    let extent = match (head, tail) {
        (Some(head), _) => Extent::Head(head),
        (None, Some(tail)) => Extent::Tail(tail),
        (None, None) if is_bounded => Extent::All,
        (None, None) if follow => Extent::Tail(LINES_BEFORE),
        (None, None) => Extent::Tail(USUAL_LINES),
    };
    let query = Query {
        pattern,
        matching: if invert {
            Matching::OtherLines
        } else {
            Matching::Lines
        },
        level,
        context: context.unwrap_or(0),
        extent,
        stream,
        since,
        until,
        after,
        ..Query::default()
    };
    let question = LogQuestion {
        processes,
        kind: kind.unwrap_or(LogKind::Runs),
        which,
        query,
    };
    let reach = if follow { Reach::Later } else { Reach::Kept };
    Ok((question, reach))
}

/// By their names.
const LEVELS: [(&str, Level); 6] = [
    ("fatal", Level::Fatal),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

/// One line of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Line {
        process: &'a str,
        run: u64,
        seq: u64,
        at: Timestamp,
        stream: &'static str,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        build: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<bool>,
    },
    Missing {
        notice: &'static str,
        process: &'a str,
        lines: Option<u64>,
    },
    Changed {
        notice: &'static str,
        process: &'a str,
        run: u64,
    },
}

impl<'a> Row<'a> {
    fn new(item: &'a Item, kind: LogKind) -> Self {
        match item {
            Item::Line(line) => Self::line(line, kind),
            Item::Gap { process, lines } => Self::Missing {
                notice: "gap",
                process: process.as_str(),
                lines: *lines,
            },
            Item::Dropped { process, lines } => Self::Missing {
                notice: "dropped",
                process: process.as_str(),
                lines: Some(*lines),
            },
            Item::Changed { process, number } => Self::Changed {
                notice: "run_changed",
                process: process.as_str(),
                run: *number,
            },
        }
    }

    fn line(line: &'a WalkLine, kind: LogKind) -> Self {
        Self::Line {
            process: line.process.as_str(),
            run: line.number,
            seq: line.seq,
            at: timestamp(line.at),
            stream: match line.stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            },
            text: &line.text,
            build: (kind == LogKind::Builds).then_some(true),
            context: (line.role == Role::Context).then_some(true),
        }
    }
}

fn written(items: &[Item], kind: LogKind) -> Vec<u8> {
    let mut text = Vec::new();
    for item in items {
        // Neither fails: there is memory, and all keys are texts.
        let _ = serde_json::to_writer(&mut text, &Row::new(item, kind));
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<(LogQuestion, Reach), String> {
        let given = Parameters::parse(query).unwrap();
        asked(given, SystemTime::UNIX_EPOCH).map_err(|refused| refused.to_string())
    }

    #[test]
    fn without_a_word_it_is_the_newest_run_of_all() {
        let (question, reach) = read("").unwrap();
        assert_eq!(question.processes, [""; 0]);
        assert_eq!(question.which, Which::Index(-1));
        assert_eq!(question.query.extent, Extent::Tail(1_000));
        assert_eq!(reach, Reach::Kept);
        let (question, reach) = read("follow=true&process=a").unwrap();
        assert_eq!(question.query.extent, Extent::Tail(100));
        assert_eq!(reach, Reach::Later);
    }

    #[test]
    fn behind_a_cursor_it_is_all_that_is_kept() {
        let (question, _) = read("after_cursor=a=7:3,b=8:1&follow=true").unwrap();
        assert_eq!(question.which, Which::All);
        assert_eq!(question.query.extent, Extent::All);
        let (question, _) = read("since=5m").unwrap();
        assert_eq!(question.query.extent, Extent::All);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for query in [
            "run=1&index=-1",
            "head=1&tail=1",
            "follow=true&until=5m",
            "invert=true",
            "pattern=(",
            "tail=100001",
            "context_lines=101",
            "level=bad",
            "after_cursor=7",
            "since=yesterday",
            "run=0",
            "kind=both",
            "stream=stdin",
        ] {
            let name = query.split(['=', '&']).next().unwrap();
            let refusal = read(query).unwrap_err();
            assert!(refusal.contains(name), "{query}: {refusal}");
        }
    }
}
