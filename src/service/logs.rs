//! `search_logs` and `search_build_log`: the log store is asked; an empty answer learns why.

use bpm_actors::{
    ids::ProcessName,
    report::{EventKind, EventReport, ProcessReport},
    search::{Found, LogKind, NoSuchLog, Query, Search, Which, bound::Bound, cursor::Cursor},
    spec::ProcessType,
};
use tokio::time::Instant;

use super::{Member, Names, Service, ServiceError};

/// What is asked of logs.
#[derive(Clone, Debug)]
pub struct LogQuestion {
    /// Whose; where none is named, those of all.
    pub processes: Vec<String>,
    /// Of its runs or of its builds.
    pub kind: LogKind,
    /// Which of them.
    pub which: Which,
    /// What to look for.
    pub query: Query,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct LogAnswer {
    /// Whose logs were searched.
    pub processes: Vec<ProcessName>,
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
        found: Box<Found>,
        /// A newer attempt to build that failed before cargo, where the newest build was asked for.
        unbuilt: Option<EventReport>,
    },
    /// A process of this type has no builds.
    NothingIsBuilt(ProcessType),
    /// None has run, or was built, yet.
    NothingRecorded {
        /// What the processes do instead.
        now: Vec<ProcessReport>,
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
    /// Lines of runs or builds.
    ///
    /// # Errors
    /// When no such process exists, when that run is not kept, when a cursor is not of all processes
    /// that are asked about, or when the log store has gone.
    pub async fn search(&self, question: LogQuestion) -> Result<LogAnswer, ServiceError> {
        let LogQuestion {
            processes,
            kind,
            which,
            query,
        } = question;
        let members = self.named(&processes)?;
        let asked = members.iter().filter(|it| has_logs(it, kind)).cloned();
        let asked: Vec<Member> = asked.collect();
        let names = |members: &[Member]| members.iter().map(|it| it.name.clone()).collect();
        let answer = |members: &[Member], finding| LogAnswer {
            processes: names(members),
            kind,
            finding,
        };
        if asked.is_empty() {
            let kind = members.first().map_or(ProcessType::Command, |it| it.kind);
            return Ok(answer(&members, Finding::NothingIsBuilt(kind)));
        }
        if asked.len() > 1 && is_of_one(&query) {
            return Err(ServiceError::CursorOfOne {
                asked: Names(names(&asked)),
            });
        }
        let search = Search {
            processes: names(&asked),
            kind,
            which,
            query,
        };
        let found = self.parts.logs.send(search).await;
        let found = match found.map_err(|_| ServiceError::LogsSilent)? {
            Ok(found) => Box::new(found),
            Err(NoSuchLog::None) => {
                let now = asked
                    .iter()
                    .map(|it| it.board.borrow().report(Instant::now()));
                let now = now.collect();
                return Ok(answer(&asked, Finding::NothingRecorded { now }));
            }
            Err(cause) => {
                let process = Names(names(&asked));
                return Err(ServiceError::NoSuchLog { process, cause });
            }
        };
        let unbuilt = match (kind, asked.as_slice(), found.logs.last()) {
            // What still builds is the newest attempt.
            (LogKind::Builds, [only], Some(last))
                if matches!(which, Which::Index(-1) | Which::All) && last.ending.is_some() =>
            {
                only.board.borrow().unbuilt(Instant::now())
            }
            _ => None,
        };
        Ok(answer(&asked, Finding::Log { found, unbuilt }))
    }

    /// The processes whose logs are asked for, and the question to the log store.
    pub(super) fn asked(
        &self,
        question: LogQuestion,
    ) -> Result<(Vec<ProcessName>, Search), ServiceError> {
        let processes = self.searched(&question)?;
        if processes.is_empty() {
            let named = self.named(&question.processes)?.into_iter();
            let processes = Names(named.map(|it| it.name.clone()).collect());
            return Err(ServiceError::NothingIsBuilt { processes });
        }
        if processes.len() > 1 && is_of_one(&question.query) {
            return Err(ServiceError::CursorOfOne {
                asked: Names(processes),
            });
        }
        let LogQuestion {
            kind, which, query, ..
        } = question;
        let search = Search {
            processes: processes.clone(),
            kind,
            which,
            query,
        };
        Ok((processes, search))
    }

    /// The processes whose logs a question is about.
    ///
    /// # Errors
    /// When a process is unknown.
    pub fn searched(&self, question: &LogQuestion) -> Result<Vec<ProcessName>, ServiceError> {
        let members = self.named(&question.processes)?.into_iter();
        let searched = members.filter(|it| has_logs(it, question.kind));
        Ok(searched.map(|it| it.name.clone()).collect())
    }

    /// The processes with these names, in the order of the file; all where none is named.
    fn named(&self, names: &[String]) -> Result<Vec<Member>, ServiceError> {
        let members = &self.configured().members;
        if names.is_empty() {
            return match members.as_slice() {
                [] => Err(ServiceError::WhichProcess {
                    known: self.names(),
                }),
                members => Ok(members.to_vec()),
            };
        }
        let named = names.iter().map(|name| self.member(Some(name)));
        let named: Vec<Member> = named.collect::<Result<_, _>>()?;
        let is_named = |member: &&Member| named.iter().any(|it| it.name == member.name);
        Ok(members.iter().filter(is_named).cloned().collect())
    }
}

/// Whether a process can have logs of this kind.
fn has_logs(process: &Member, kind: LogKind) -> bool {
    kind == LogKind::Runs || process.kind == ProcessType::Rust
}

/// Whether a cursor does not say of which process it is.
fn is_of_one(query: &Query) -> bool {
    let bounds = [query.since.as_ref(), query.until.as_ref()];
    let cursors = bounds
        .into_iter()
        .flatten()
        .filter_map(|bound| match bound {
            Bound::Cursor(cursor) => Some(cursor),
            Bound::Time(_) => None,
        });
    let mut cursors = cursors.chain(query.after.as_ref());
    cursors.any(|cursor| matches!(cursor, Cursor::One(_)))
}
