//! `restart`: the order goes to the process's actor, the wait for its outcome stays here.

use std::{future::Future, time::Duration};

use bpm_actors::{
    ids::ProcessName,
    report::{Outcome, ProcessReport, RestartReport, StateName},
    restart::{Cause, Restart, ShuttingDown},
    spec::{Mode, ProcessType},
};
use tokio::time::{Instant, interval, sleep_until};

use super::{Member, Service, ServiceError};

/// Receives, while somebody waits for a restart, what it is doing.
pub trait Progress {
    /// Takes one note, such as `building 12 s`.
    fn tell(&mut self, note: String) -> impl Future<Output = ()> + Send;
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Progress for Unheard {
    async fn tell(&mut self, _note: String) {}
}

impl Service {
    /// Time between two notes. Clients give up after a minute of silence.
    const BEAT: Duration = Duration::from_secs(10);

    /// Builds the process in dev and swaps it in; answers when it is done or `patience` is over.
    /// Dropping the future ends the wait; the restart goes on.
    ///
    /// # Errors
    /// When no such process exists or its actor has gone. What the restart itself comes to, good or
    /// bad, is in the report.
    pub async fn restart<P: Progress>(
        &self,
        process: Option<&str>,
        patience: Duration,
        progress: &mut P,
    ) -> Result<RestartReport, ServiceError> {
        let member = self.member(process)?;
        let began = Instant::now();
        let mut outcome = std::pin::pin!(outcome(member));
        let mut time_up = std::pin::pin!(sleep_until(began + patience));
        let mut beat = interval(Self::BEAT);
        loop {
            // In this order: an outcome that is there is worth more than a clock that ran out.
            tokio::select! {
                biased;
                outcome = &mut outcome => return outcome,
                () = &mut time_up => {
                    let report = member.board.borrow().report(Instant::now());
                    return Ok(unfinished(member, &report));
                }
                at = beat.tick() => {
                    let state = member.board.borrow().report(at).state;
                    progress.tell(note(&member.name, state, at - began)).await;
                }
            }
        }
    }
}

/// Orders the restart and waits for what comes of it.
async fn outcome(member: &Member) -> Result<RestartReport, ServiceError> {
    let silent = || ServiceError::ProcessSilent {
        process: member.name.clone(),
    };
    let order = Restart {
        mode: Mode::Dev,
        cause: Cause::Requested,
    };
    // A task of its own: actix throws a message away whose sender has gone before it is handled, and
    // neither a client that hangs up nor a patience that ends takes an order back.
    match tokio::spawn(member.restart.send(order)).await {
        Ok(Ok(Ok(pending))) => pending.await.map_err(|_| silent()),
        Ok(Ok(Err(ShuttingDown))) => {
            let report = member.board.borrow().report(Instant::now());
            Ok(refused(&report))
        }
        Ok(Err(_)) | Err(_) => Err(silent()),
    }
}

fn note(process: &ProcessName, state: StateName, waited: Duration) -> String {
    let seconds = waited.as_secs();
    if seconds == 0 {
        return format!("restarting {process}");
    }
    let doing = match state {
        StateName::Building => "building",
        StateName::Proving => "waiting until the new child is ready",
        StateName::Stopping => "stopping the old child",
        StateName::BackingOff => "backing off",
        StateName::Stopped | StateName::Running => "waiting",
    };
    format!("{doing} {seconds} s")
}

/// The answer when time is up: not an error, since the restart goes on.
fn unfinished(member: &Member, now: &ProcessReport) -> RestartReport {
    let cargo = match member.kind {
        ProcessType::Rust => ", and search_build_log for what cargo says meanwhile",
        ProcessType::Npm | ProcessType::Command => "",
    };
    let next = format!("the restart goes on; call get_status for what came of it{cargo}");
    without_outcome(now, Outcome::Building, next)
}

/// The answer of a daemon that takes no more orders.
fn refused(now: &ProcessReport) -> RestartReport {
    let next = "the daemon is ending; start it again, it builds and runs the process then";
    without_outcome(now, Outcome::ShuttingDown, next.to_owned())
}

fn without_outcome(now: &ProcessReport, outcome: Outcome, next: String) -> RestartReport {
    RestartReport {
        process: now.name.clone(),
        ok: false,
        outcome,
        reason: None,
        mode: now.mode,
        run: now.run,
        pid: now.pid,
        build: None,
        build_seconds: None,
        pause_ms: None,
        ready_after_ms: None,
        connections_refused: None,
        error_count: 0,
        warning_count: 0,
        new_count: 0,
        fixed_count: 0,
        errors: Vec::new(),
        omitted_count: 0,
        error_lines: Vec::new(),
        exit: None,
        last_lines: Vec::new(),
        behind: now.behind,
        next: Some(next),
    }
}
