//! `restart`, `start` and `stop`: the order goes to the process's actor, the wait for its outcome
//! stays here.

use std::{sync::Arc, time::Duration};

use bpm_actors::{
    ids::ProcessName,
    report::{Outcome, ProcessReport, RestartReport, StateName},
    restart::{Asker, Cause, Restart, ShuttingDown, Start, Stop},
    spec::{Mode, ProcessType},
};
use tokio::time::{Instant, interval, sleep_until};

use super::{Member, Progress, Service, ServiceError};

/// What a process can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Build in dev, then swap.
    Restart,
    /// Run again after a stop.
    Start,
    /// End, and stay stopped.
    Stop(Asker),
}

impl Service {
    /// Time between two notes. Clients give up after a minute of silence.
    const BEAT: Duration = Duration::from_secs(10);

    /// Gives the order to the process; answers when it is carried out or `patience` is over.
    /// Dropping the future ends the wait; the order stands.
    ///
    /// # Errors
    /// When no such process exists or its actor has gone. What the order itself comes to, good or
    /// bad, is in the report.
    pub async fn carry_out<P: Progress>(
        &self,
        order: Order,
        process: Option<&str>,
        patience: Duration,
        progress: &mut P,
    ) -> Result<RestartReport, ServiceError> {
        let member = &self.member(process)?;
        let began = Instant::now();
        let until = began + patience;
        let mut outcome = std::pin::pin!(outcome(order, member, until));
        let mut time_up = std::pin::pin!(sleep_until(until));
        let mut beat = interval(Self::BEAT);
        loop {
            // In this order: an outcome that is there is worth more than a clock that ran out.
            tokio::select! {
                biased;
                outcome = &mut outcome => return outcome,
                () = &mut time_up => {
                    let report = member.board.borrow().report(Instant::now());
                    return Ok(unfinished(order, member, &report));
                }
                at = beat.tick() => {
                    let state = member.board.borrow().report(at).state;
                    progress.tell(note(order, &member.name, state, at - began)).await;
                }
            }
        }
    }
}

/// Gives the order and waits for what comes of it.
async fn outcome(
    order: Order,
    member: &Member,
    until: Instant,
) -> Result<RestartReport, ServiceError> {
    // A task of its own: actix throws a message away whose sender has gone before it is handled, and
    // neither a client that hangs up nor a patience that ends takes an order back.
    let given = match order {
        Order::Restart => tokio::spawn(member.restart.send(Restart {
            mode: Mode::Dev,
            cause: Cause::Requested,
            until: Some(until),
        })),
        Order::Start => tokio::spawn(member.start.send(Start { until: Some(until) })),
        Order::Stop(by) => tokio::spawn(member.stop.send(Stop { by })),
    };
    match given.await {
        Ok(Ok(Ok(pending))) => {
            let Ok(mut report) = pending.await else {
                return gone(order, member);
            };
            // The actor knows no files.
            member.refresh().await;
            report.behind = report.behind.or(member.report(Instant::now()).behind);
            Ok(report)
        }
        Ok(Ok(Err(ShuttingDown))) => {
            let report = member.board.borrow().report(Instant::now());
            Ok(refused(order, &report))
        }
        Ok(Err(_)) | Err(_) => gone(order, member),
    }
}

fn note(order: Order, process: &ProcessName, state: StateName, waited: Duration) -> String {
    let seconds = waited.as_secs();
    if seconds == 0 {
        let doing = match order {
            Order::Restart => "restarting",
            Order::Start => "starting",
            Order::Stop(_) => "stopping",
        };
        return format!("{doing} {process}");
    }
    let doing = match (order, state) {
        // Until nobody is left it says what it did before.
        (Order::Stop(_), _) => "stopping",
        (_, StateName::Building) => "building",
        (_, StateName::Proving) => "waiting until the new child is ready",
        (_, StateName::Stopping) => "stopping the old child",
        (_, StateName::BackingOff) => "backing off",
        (_, StateName::Stopped | StateName::Running) => "waiting",
    };
    format!("{doing} {seconds} s")
}

/// The answer when time is up: not an error, since the order is carried out all the same.
fn unfinished(order: Order, member: &Member, now: &ProcessReport) -> RestartReport {
    let doing = match order {
        Order::Restart => "the restart",
        Order::Start => "the start",
        Order::Stop(_) => {
            let next = "stopping goes on, and what is left when the grace is over is killed; call \
                        get_status for what came of it";
            return without_outcome(now, Outcome::Stopping, next.to_owned());
        }
    };
    let (doing, cargo) = match (now.state, member.kind) {
        (StateName::Building, ProcessType::Rust) => (
            doing.to_owned(),
            ", and search_build_log for what cargo says meanwhile",
        ),
        (StateName::Proving, _) => (
            format!("the new run has not shown yet that it is ready; {doing}"),
            "",
        ),
        _ => (doing.to_owned(), ""),
    };
    let next = format!(
        "{doing} goes on; call get_status for what came of it, or wait_for until it is ready{cargo}"
    );
    without_outcome(now, Outcome::Building, next)
}

/// The answer where the actor is gone.
fn gone(order: Order, member: &Member) -> Result<RestartReport, ServiceError> {
    let last = Arc::clone(&*member.board.borrow());
    if !last.is_removed() {
        return Err(ServiceError::ProcessSilent {
            process: member.name.clone(),
        });
    }
    let next = "its entry was removed from .mcp-run; get_status shows the processes that there are";
    let report = without_outcome(
        &last.report(Instant::now()),
        Outcome::Stopped,
        next.to_owned(),
    );
    let ok = matches!(order, Order::Stop(_));
    Ok(RestartReport { ok, ..report })
}

/// The answer of a daemon that takes no more orders.
fn refused(order: Order, now: &ProcessReport) -> RestartReport {
    let next = match order {
        Order::Restart | Order::Start => {
            "the daemon is ending; start it again, it builds and runs the process then"
        }
        Order::Stop(_) => "the daemon is ending and stops all processes",
    };
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
