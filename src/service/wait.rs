//! `wait_for`: watches the board of a process, and the log store for a line, until what is wanted is
//! so, cannot come any more, or time is up. Nothing is asked twice and nobody is disturbed: the board
//! says when it changes. Dropping the future ends the wait.
//!
//! `verdict` decides, `report` says what came of it.

mod report;
mod verdict;

use std::{sync::Arc, time::Duration};

use bpm_actors::{
    ids::RunId,
    logs::{AwaitLine, LogKey, Source},
    pattern::Pattern,
    report::{ProcessReport, StateName},
    search::{Extent, LogKind, Query, Search, Which},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, interval, sleep_until};

pub use self::report::{Unmet, WaitReport, Wanted};
use self::verdict::{Goal, Sight, Verdict};
use super::{Member, Progress, Service, ServiceError};

/// What somebody waits for.
#[derive(Clone, Debug)]
pub enum Until {
    /// The process serves, is ready, and nothing newer is on its way.
    Ready,
    /// The run that serves now has ended or was replaced.
    Exit,
    /// A line of the current run matches.
    Log(Pattern),
    /// No build is under way.
    Build,
}

impl Until {
    fn wanted(&self) -> Wanted {
        match self {
            Self::Ready => Wanted::Ready,
            Self::Exit => Wanted::Exit,
            Self::Log(_) => Wanted::Log,
            Self::Build => Wanted::Build,
        }
    }

    /// What must come, as seen when the wait begins.
    fn goal(&self, now: &ProcessReport) -> Goal {
        match self {
            Self::Ready => Goal::Ready,
            Self::Exit => Goal::Exit(now.run),
            Self::Log(_) => Goal::Log,
            Self::Build => Goal::Build,
        }
    }
}

/// What is seen of a process now.
fn look(member: &Member) -> Sight {
    let now = Instant::now();
    let shown = Arc::clone(&*member.board.borrow());
    Sight {
        report: member.report(now),
        unbuilt: shown.unbuilt(now),
        is_ending: shown.is_ending(),
        is_removed: shown.is_removed(),
    }
}

impl Service {
    /// Time between two notes of a wait. Clients give up after a minute of silence.
    const WAIT_BEAT: Duration = Duration::from_secs(15);

    /// Waits until it is so, cannot come any more, or `patience` is over. Without patience it only
    /// looks.
    ///
    /// # Errors
    /// When no such process exists, or its actor or the log store has gone.
    pub async fn wait_for<P: Progress>(
        &self,
        process: Option<&str>,
        until: &Until,
        patience: Duration,
        progress: &mut P,
    ) -> Result<WaitReport, ServiceError> {
        let member = &self.member(process)?;
        let began = Instant::now();
        let deadline = began + patience;
        let mut board = member.board.clone();
        let look = || look(member);
        let goal = until.goal(&look().report);
        let mut time_up = std::pin::pin!(sleep_until(deadline));
        let mut beat = interval(Self::WAIT_BEAT);
        // One for each run that was current and whose log has not ended.
        let mut lines = FuturesUnordered::new();
        let mut read = None;
        let done = async |verdict, line| {
            member.refresh().await;
            let waited = began.elapsed();
            Ok(WaitReport::new(
                until.wanted(),
                verdict,
                line,
                waited,
                look(),
            ))
        };
        loop {
            board.mark_unchanged();
            let sight = look();
            if let (Until::Log(pattern), Some(run)) = (until, sight.report.run)
                && read != Some(run)
            {
                read = Some(run);
                lines.push(self.line(member, run, pattern.clone()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match goal.verdict(&sight, left) {
                Verdict::Open => {}
                // What was printed last may still be on its way.
                Verdict::Unmet(_) if !lines.is_empty() => {}
                verdict => return done(verdict, None).await,
            }
            // In this order: what is there is worth more than a clock that ran out.
            tokio::select! {
                biased;
                Some((run, line)) = lines.next() => {
                    let line: Option<String> = line?;
                    if line.is_some() && concerns(run, &look().report) {
                        return done(Verdict::Met, line).await;
                    }
                }
                () = &mut time_up => {
                    let line = match (until, read) {
                        (Until::Log(pattern), Some(run)) => {
                            self.printed(member, run, pattern).await?
                        }
                        _ => None,
                    };
                    let verdict = match goal.verdict(&look(), Duration::ZERO) {
                        _ if line.is_some() => Verdict::Met,
                        Verdict::Open => Verdict::Unmet(Unmet::TimeUp),
                        verdict => verdict,
                    };
                    return done(verdict, line).await;
                }
                changed = board.changed() => if changed.is_err() {
                    if look().is_removed {
                        return done(Verdict::Unmet(Unmet::Removed), None).await;
                    }
                    if sight.is_ending {
                        return done(Verdict::Unmet(Unmet::ShuttingDown), None).await;
                    }
                    let process = member.name.clone();
                    return Err(ServiceError::ProcessSilent { process });
                },
                at = beat.tick() => {
                    progress.tell(note(until, &sight.report, at - began)).await;
                }
            }
        }
    }

    /// Arrives with the first line of this run that matches, or with nothing when its log has ended.
    fn line(
        &self,
        member: &Member,
        run: RunId,
        pattern: Pattern,
    ) -> impl Future<Output = (RunId, Result<Option<String>, ServiceError>)> + Send + use<> {
        let key = LogKey {
            process: member.name.clone(),
            source: Source::Run(run),
        };
        let line = self.parts.lines.send(AwaitLine { key, pattern });
        async move { (run, line.await.map_err(|_| ServiceError::LogsSilent)) }
    }

    /// The first line of this run that matches, if it is stored already. That a line is awaited in
    /// vain does not tell, when time is short, that there is none.
    async fn printed(
        &self,
        member: &Member,
        run: RunId,
        pattern: &Pattern,
    ) -> Result<Option<String>, ServiceError> {
        // A line that is shown has at most 2,000 bytes.
        const BUDGET: usize = 4_000;
        let search = Search {
            processes: vec![member.name.clone()],
            kind: LogKind::Runs,
            which: Which::Number(run.0),
            query: Query {
                pattern: Some(pattern.clone()),
                extent: Extent::Head(1),
                budget: BUDGET,
                ..Query::default()
            },
        };
        let found = self.parts.logs.send(search).await;
        if let Ok(found) = found.map_err(|_| ServiceError::LogsSilent)? {
            let line = found.text.strip_prefix(" * ");
            let line = line.and_then(|it| it.lines().next());
            return Ok(line.map(str::to_owned));
        }
        Ok(None)
    }
}

/// Whether a line of this run counts: it serves, or nothing newer does, or it has just ended. Not
/// that of a run which was replaced and only serves the connections that it has.
fn concerns(run: RunId, now: &ProcessReport) -> bool {
    now.run.is_none_or(|it| it == run) || now.last_exit.as_ref().is_some_and(|it| it.run == run)
}

fn note(until: &Until, now: &ProcessReport, waited: Duration) -> String {
    let process = &now.name;
    let seconds = waited.as_secs();
    if seconds == 0 {
        return match until {
            Until::Ready => format!("waiting until {process} is ready"),
            Until::Exit => format!("waiting until {process} ends"),
            Until::Log(_) => format!("waiting for a line of {process}"),
            Until::Build => format!("waiting until the build of {process} ends"),
        };
    }
    let doing = match now.state {
        StateName::Stopped => "stopped",
        StateName::Building => "building",
        StateName::Proving => "waiting until the new child is ready",
        StateName::Running => "running",
        StateName::Stopping => "stopping",
        StateName::BackingOff => "backing off",
    };
    format!("{doing}, {seconds} s")
}
