//! What the daemon can be asked, whoever asks: the functions behind the MCP tools.
//!
//! It finds the process that is meant, talks to the actors, and answers with plain data. It knows
//! neither HTTP nor MCP; how an answer looks is decided where it is sent.
//!
//! Status is read from the boards on which the processes publish, so it neither waits for an actor
//! nor disturbs one. Whoever gave an order waits outside of the actor; dropping the wait drops the
//! answer, not the order. Whoever waits for something to happen watches the board.

mod configured;
mod diagnostics;
mod follow;
mod freshness;
mod logs;
mod orders;
mod progress;
mod reload;
mod status;
mod usage;
mod wait;

use std::{fmt, path::PathBuf, sync::Arc};

use actix::Recipient;
use bpm_actors::{
    artifact::DescribeDiagnosis,
    events::Events,
    ids::ProcessName,
    logs::AwaitLine,
    report::ProcessReport,
    restart::{Board, Restart, Start, Stop, ToolCalled},
    search::{NoSuchLog, Search},
    spec::ProcessType,
};
use tokio::{sync::watch, time::Instant};

pub use self::{
    configured::{Configured, ConfiguredBoard},
    diagnostics::{Diagnosed, DiagnosisAnswer},
    follow::{FollowPorts, Following},
    freshness::Freshness,
    logs::{Finding, LogAnswer, LogQuestion},
    orders::Order,
    progress::{Progress, Unheard},
    reload::{ReloadChange, ReloadDesk, ReloadError, ReloadReport, ReloadRequest, ReloadedProcess},
    status::{StatusReport, StatusWatch},
    usage::{ProcessUsage, UsageReport},
    wait::{Unmet, Until, WaitReport, Wanted},
};

/// One `[process.*]` entry, as the service reaches it.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub name: ProcessName,
    /// Its type.
    pub kind: ProcessType,
    /// Where restarts are ordered.
    pub restart: Recipient<Restart>,
    /// Where starts are ordered.
    pub start: Recipient<Start>,
    /// Where stops are ordered.
    pub stop: Recipient<Stop>,
    /// Where it publishes what it does.
    pub board: Board,
    /// What is known of its sources.
    pub freshness: Freshness,
}

impl Member {
    /// What it does, with ages and waits as of `now`.
    fn report(&self, now: Instant) -> ProcessReport {
        let snapshot = Arc::clone(&*self.board.borrow());
        let mut report = snapshot.report(now);
        report.behind = self.freshness.behind(&snapshot.sources(), &report);
        report
    }

    /// Looks at its sources, if that is due.
    async fn refresh(&self) {
        let sources = self.board.borrow().sources();
        self.freshness.look(sources).await;
    }
}

/// What a [`Service`] is made of.
pub struct Parts {
    /// The project's directory; canonical.
    pub project_dir: PathBuf,
    /// The daemon's version.
    pub version: String,
    /// What the configuration comes to at the moment.
    pub configured: ConfiguredBoard,
    /// Where a reload of it is asked for.
    pub reload: ReloadDesk,
    /// The log store.
    pub logs: Recipient<Search>,
    /// The log store, asked for a line that may not be there yet.
    pub lines: Recipient<AwaitLine>,
    /// The log store, as those who follow ask it.
    pub follow: FollowPorts,
    /// The log store, asked for what the compiler found.
    pub diagnoses: Recipient<DescribeDiagnosis>,
    /// The idle clock.
    pub activity: Recipient<ToolCalled>,
    /// What happens.
    pub events: Events,
    /// When dev mode ends by itself; `None` while nothing is in dev.
    pub release_at: watch::Receiver<Option<Instant>>,
}

/// Answers what clients ask. Clones share everything.
#[derive(Clone)]
pub struct Service {
    parts: Arc<Parts>,
    /// The project's directory as people read it.
    project: Arc<str>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// No process has this name.
    #[error("there is no process `{asked}`{}; known: {known}", meant(.nearest.as_ref()))]
    UnknownProcess {
        /// What was asked for.
        asked: String,
        /// The most similar name, if one is similar.
        nearest: Option<ProcessName>,
        /// All names.
        known: Names,
    },
    /// No name was given where there are several processes.
    #[error("there are several processes, so say which: {known}")]
    WhichProcess {
        /// All names.
        known: Names,
    },
    /// Builds of processes were asked for of which nothing is built.
    #[error("{processes}: a process of this type has no builds")]
    NothingIsBuilt {
        /// Which.
        processes: Names,
    },
    /// That run or build is not kept.
    #[error("{process}: {cause}")]
    NoSuchLog {
        /// Whose.
        process: Names,
        /// Why not.
        cause: NoSuchLog,
    },
    /// A cursor of one process was given where several are asked about.
    #[error(
        "several processes are asked about ({asked}), so a cursor must name them \
         (\"NAME=7:1042,OTHER=8:3\"); or say which process"
    )]
    CursorOfOne {
        /// Who is asked about.
        asked: Names,
    },
    /// A process's actor has gone, which only a fault of the daemon can cause.
    #[error("{process} does not answer because of a fault in the daemon; start the daemon again")]
    ProcessSilent {
        /// Which.
        process: ProcessName,
    },
    /// The log store has gone, which only a fault of the daemon can cause.
    #[error("the log store does not answer because of a fault in the daemon; start it again")]
    LogsSilent,
}

/// Names of processes, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<ProcessName>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(none is configured)");
        }
        for (place, name) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

fn meant(nearest: Option<&ProcessName>) -> String {
    nearest
        .map(|name| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

impl Service {
    /// Names that differ more than this from what was asked are not suggested (1 is equality).
    const SIMILAR: f64 = 0.7;
    /// How much of an unknown name is repeated, in characters.
    const REPEATED: usize = 80;

    /// A service of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let project = parts.project_dir.to_string_lossy().as_ref().into();
        Self {
            parts: Arc::new(parts),
            project,
        }
    }

    /// The names of the processes, in the order of the file.
    #[must_use]
    pub fn names(&self) -> Names {
        let configured = self.configured();
        Names(
            configured
                .members
                .iter()
                .map(|it| it.name.clone())
                .collect(),
        )
    }

    /// The names and types of the processes, in the order of the file.
    #[must_use]
    pub fn processes(&self) -> Vec<(ProcessName, ProcessType)> {
        let configured = self.configured();
        let members = configured.members.iter();
        members.map(|it| (it.name.clone(), it.kind)).collect()
    }

    /// The project's directory as people read it.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The daemon's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.parts.version
    }

    /// Somebody works with the project: the idle clock begins anew.
    pub fn activity(&self) {
        self.parts.activity.do_send(ToolCalled);
    }

    /// What happens, to follow.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.parts.events
    }

    /// What the configuration comes to now. Nothing is locked: a reload publishes another one.
    fn configured(&self) -> Arc<Configured> {
        Arc::clone(&*self.parts.configured.borrow())
    }

    /// The process that is meant; it need not be named when it is the only one.
    fn member(&self, asked: Option<&str>) -> Result<Member, ServiceError> {
        let configured = self.configured();
        let Some(asked) = asked else {
            return match configured.members.as_slice() {
                [only] => Ok(only.clone()),
                _ => Err(ServiceError::WhichProcess {
                    known: self.names(),
                }),
            };
        };
        let mut members = configured.members.iter();
        let found = members.find(|member| member.name.as_str() == asked);
        found.cloned().ok_or_else(|| self.unknown(asked))
    }

    fn unknown(&self, asked: &str) -> ServiceError {
        let asked: String = asked.chars().take(Self::REPEATED).collect();
        let lower = asked.to_lowercase();
        let configured = self.configured();
        let nearest = configured
            .members
            .iter()
            .map(|member| {
                let name = member.name.as_str().to_lowercase();
                (strsim::jaro_winkler(&name, &lower), &member.name)
            })
            .filter(|(similarity, _)| *similarity >= Self::SIMILAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, name)| name.clone());
        ServiceError::UnknownProcess {
            asked,
            nearest,
            known: self.names(),
        }
    }
}
