//! `search_logs` and `search_build_log`: the log store is asked; an empty answer learns why.

use bpm_actors::{
    ids::ProcessName,
    logs::Stream,
    report::{EventKind, EventReport, ProcessReport},
    search::{Extent, Found, LogKind, NoSuchLog, Query, Search},
    spec::ProcessType,
};
use tokio::time::Instant;

use super::{Member, Service, ServiceError};

/// What is asked of a log.
#[derive(Clone, Debug)]
pub struct LogQuestion {
    /// Whose; may be left out when there is only one process.
    pub process: Option<String>,
    /// Of its runs or of its builds.
    pub kind: LogKind,
    /// Which: -1 the newest, 0 the oldest kept.
    pub index: i64,
    /// What to look for.
    pub query: Query,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct LogAnswer {
    /// Whose log.
    pub process: ProcessName,
    /// Of its runs or of its builds.
    pub kind: LogKind,
    /// What was found.
    pub finding: Finding,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub enum Finding {
    /// There is such a log.
    Log {
        /// Its lines.
        found: Found,
        /// How many lines the wish for one stream hides, where it hides all there are.
        hidden: u64,
        /// A newer attempt to build that failed before cargo, where the newest build was asked for.
        unbuilt: Option<EventReport>,
    },
    /// A process of this type has no builds.
    NothingIsBuilt(ProcessType),
    /// It has not run, or was not built, yet.
    NothingRecorded {
        /// What the process does instead.
        now: Box<ProcessReport>,
    },
}

impl Finding {
    /// The latest thing that went wrong, where nothing was recorded. The wait that follows it is no
    /// reason.
    #[must_use]
    pub fn trouble(now: &ProcessReport) -> Option<&EventReport> {
        let wrong = |event: &&EventReport| {
            matches!(event.kind, EventKind::BuildFailed | EventKind::Crashed)
        };
        now.events.iter().find(wrong)
    }
}

impl Service {
    /// Lines of one run or build.
    ///
    /// # Errors
    /// When no such process exists, when that run is not kept, or when the log store has gone.
    pub async fn search(&self, question: LogQuestion) -> Result<LogAnswer, ServiceError> {
        let member = self.member(question.process.as_deref())?;
        let answer = |finding| LogAnswer {
            process: member.name.clone(),
            kind: question.kind,
            finding,
        };
        if question.kind == LogKind::Builds && member.kind != ProcessType::Rust {
            return Ok(answer(Finding::NothingIsBuilt(member.kind)));
        }
        let stream = question.query.stream;
        let found = match self.ask(member, &question, question.query.clone()).await? {
            Ok(found) => found,
            Err(NoSuchLog::None) => {
                let now = Box::new(member.board.borrow().report(Instant::now()));
                return Ok(answer(Finding::NothingRecorded { now }));
            }
            Err(cause) => {
                let process = member.name.clone();
                return Err(ServiceError::NoSuchLog { process, cause });
            }
        };
        let hidden = match stream {
            Some(stream) if found.kept == 0 => self.other_lines(member, &question, stream).await?,
            _ => 0,
        };
        let unbuilt = match question.kind {
            // What still builds is the newest attempt.
            LogKind::Builds if question.index == -1 && found.ending.is_some() => {
                member.board.borrow().unbuilt(Instant::now())
            }
            LogKind::Builds | LogKind::Runs => None,
        };
        Ok(answer(Finding::Log {
            found,
            hidden,
            unbuilt,
        }))
    }

    /// How many lines the other stream has.
    async fn other_lines(
        &self,
        member: &Member,
        question: &LogQuestion,
        stream: Stream,
    ) -> Result<u64, ServiceError> {
        let other = match stream {
            Stream::Stdout => Stream::Stderr,
            Stream::Stderr => Stream::Stdout,
        };
        let query = Query {
            pattern: None,
            context: 0,
            extent: Extent::Head(0),
            stream: Some(other),
            budget: 0,
        };
        let found = self.ask(member, question, query).await?;
        Ok(found.map_or(0, |found| found.kept))
    }

    async fn ask(
        &self,
        member: &Member,
        question: &LogQuestion,
        query: Query,
    ) -> Result<Result<Found, NoSuchLog>, ServiceError> {
        let search = Search {
            process: member.name.clone(),
            kind: question.kind,
            index: question.index,
            query,
        };
        let answer = self.parts.logs.send(search).await;
        answer.map_err(|_| ServiceError::LogsSilent)
    }
}
