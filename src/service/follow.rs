//! Logs read forwards, a page at a time, and what comes next.
//!
//! The reader pulls: the log store is asked for a page when he has taken the one before. So nothing
//! queues for him, and he is told when more was stored, not what.

use std::time::Duration;

use actix::Recipient;
use bpm_actors::{
    ids::ProcessName,
    search::{
        LogKind, NoSuchLog, Query, Which,
        walk::{Item, Listen, Locate, Page, Reach, ReadOn, Then, Walk},
    },
};
use futures_util::future::{pending, select_all};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{ConfiguredBoard, LogQuestion, Names, Service, ServiceError};

/// The shortest time from one page to the next, where the reader has all there was: what is printed
/// line by line is read in pieces.
const BREATH: Duration = Duration::from_millis(20);

/// How the log store is asked by those who follow.
#[derive(Clone)]
pub struct FollowPorts {
    /// For the place where they begin.
    pub locate: Recipient<Locate>,
    /// For a page.
    pub read_on: Recipient<ReadOn>,
    /// For what tells that there is more.
    pub listen: Recipient<Listen>,
}

/// A reader of logs.
pub struct Following {
    ports: FollowPorts,
    /// For messages.
    processes: Vec<ProcessName>,
    kind: LogKind,
    bells: Vec<watch::Receiver<()>>,
    then: Then,
    /// When the last page was read.
    read_at: Option<Instant>,
    /// Where those are to be found that are added later.
    newcomers: Option<Newcomers>,
}

/// Who follows all processes follows those as well that a reload adds.
struct Newcomers {
    service: Service,
    configured: ConfiguredBoard,
    question: LogQuestion,
}

/// Why somebody who has all goes on.
enum Woken {
    /// More was stored.
    Stored,
    /// The configuration is another one.
    Configured,
}

impl Service {
    /// Lines of runs or builds, to be read forwards.
    ///
    /// # Errors
    /// When no such process exists, nothing is built of those that are named, that run is not kept, a
    /// cursor is not of all processes that are asked about, or the log store has gone.
    pub async fn follow(
        &self,
        question: LogQuestion,
        reach: Reach,
    ) -> Result<Following, ServiceError> {
        let kind = question.kind;
        let newcomers = self.newcomers(&question, reach);
        let (processes, search) = self.asked(question)?;
        let ports = self.parts.follow.clone();
        let listen = Listen {
            processes: processes.clone(),
            kind,
        };
        // Before anything is read, so that nothing falls between.
        let bells = ports.listen.send(listen).await;
        let bells = bells.map_err(|_| ServiceError::LogsSilent)?;
        let walk = ports.locate.send(Locate { search, reach }).await;
        let then = match walk.map_err(|_| ServiceError::LogsSilent)? {
            Ok(walk) => Then::More(walk),
            Err(NoSuchLog::None) => Then::End,
            Err(cause) => {
                let process = Names(processes);
                return Err(ServiceError::NoSuchLog { process, cause });
            }
        };
        Ok(Following {
            ports,
            processes,
            kind,
            bells,
            then,
            read_at: None,
            newcomers,
        })
    }

    /// Whoever may come later, where the question is about them too.
    fn newcomers(&self, question: &LogQuestion, reach: Reach) -> Option<Newcomers> {
        let has_all = question.processes.is_empty() && reach == Reach::Later;
        // A run or build that was chosen by its number or by its place is one of those that there are.
        let is_open = matches!(question.which, Which::All | Which::Index(-1));
        let mut configured = self.parts.configured.clone();
        configured.mark_unchanged();
        (has_all && is_open).then(|| Newcomers {
            service: self.clone(),
            configured,
            question: LogQuestion {
                query: Query {
                    // They have printed nothing before it.
                    after: None,
                    ..question.query.clone()
                },
                ..question.clone()
            },
        })
    }
}

impl Newcomers {
    /// Those that there are now, and were not among these.
    fn beside(&self, known: &[ProcessName]) -> Vec<String> {
        let all = self.service.searched(&self.question).unwrap_or_default();
        let new = all.iter().filter(|it| !known.contains(it));
        new.map(ToString::to_string).collect()
    }
}

impl Following {
    /// Of runs or of builds.
    #[must_use]
    pub fn kind(&self) -> LogKind {
        self.kind
    }

    /// What is next, when there is something; nothing at the end. The future must not be dropped
    /// before it is done, unless the reader is.
    ///
    /// # Errors
    /// When the log store has gone, or the daemon ends.
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>, ServiceError> {
        loop {
            let walk = match std::mem::replace(&mut self.then, Then::End) {
                Then::End => return Ok(None),
                Then::More(walk) => walk,
                Then::Later(mut walk) => {
                    if let Woken::Configured = self.more().await {
                        self.take_in(&mut walk).await;
                    }
                    walk
                }
            };
            let Page { items, then } = self.page(walk).await?;
            self.then = then;
            if !items.is_empty() {
                return Ok(Some(items));
            }
        }
    }

    async fn page(&mut self, walk: Walk) -> Result<Page, ServiceError> {
        // What is stored from here on may be missing in the page.
        self.bells
            .iter_mut()
            .for_each(watch::Receiver::mark_unchanged);
        let page = self.ports.read_on.send(ReadOn(walk)).await;
        let page = page.map_err(|_| ServiceError::LogsSilent)?;
        self.read_at = Some(Instant::now());
        page.map_err(|cause| ServiceError::NoSuchLog {
            process: Names(self.processes.clone()),
            cause,
        })
    }

    /// Goes on with the processes that are new, as if they had been there from the beginning.
    async fn take_in(&mut self, walk: &mut Walk) {
        let Some(newcomers) = &self.newcomers else {
            return;
        };
        let processes = newcomers.beside(&self.processes);
        if processes.is_empty() {
            return;
        }
        let question = LogQuestion {
            processes,
            ..newcomers.question.clone()
        };
        match newcomers.service.follow(question, Reach::Later).await {
            Ok(mut reader) => {
                if let Then::More(theirs) = reader.then {
                    walk.join(theirs);
                }
                self.bells.append(&mut reader.bells);
                self.processes.append(&mut reader.processes);
            }
            // Whoever is gone again, or is not ready to be asked, prints nothing.
            Err(error) => log::debug!("logs: {error}"),
        }
    }

    /// Waits until there may be more.
    async fn more(&mut self) -> Woken {
        let bells = self.bells.iter_mut().map(|it| Box::pin(it.changed()));
        let bells: Vec<_> = bells.collect();
        let stored = async move {
            // If the log store has gone, that ends with the daemon.
            if bells.is_empty() || select_all(bells).await.0.is_err() {
                pending::<()>().await;
            }
        };
        let configured = async {
            if let Some(newcomers) = &mut self.newcomers
                && newcomers.configured.changed().await.is_ok()
            {
                return;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = stored => {}
            () = configured => return Woken::Configured,
        }
        if let Some(read_at) = self.read_at {
            sleep_until(read_at + BREATH).await;
        }
        Woken::Stored
    }
}
