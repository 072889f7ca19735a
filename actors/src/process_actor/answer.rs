//! What a caller of `restart`, `start` or `stop` is told.

use tokio::time::Instant;

use crate::{
    artifact::{BuildFailure, BuildReport},
    children::SpawnError,
    history::rounded,
    ids::{ProcessName, RunId},
    lifecycle::{Debut, Failure, FailureCause, Verdict},
    report::{Behind, LastExit, Outcome, RestartReport},
    spec::Mode,
};

/// The step to take when there is no such process any more.
const REMOVED: &str =
    "its entry was removed from .mcp-run; get_status shows the processes that there are";

/// What a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Restart,
    Start,
    Stop,
}

/// What became of the newest job so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    build: Option<BuildReport>,
    /// Why there is nothing to start.
    obstacle: Option<String>,
    /// What a probe found of the one that was not ready in time.
    found: Option<String>,
    /// The run that was started before the one that was started last.
    before: Option<RunId>,
    /// The run that was started last.
    newest: Option<RunId>,
    /// When the first child that had to leave was told to.
    left_at: Option<Instant>,
    /// From then to the start of the child that was started last, in milliseconds.
    pause_ms: Option<f64>,
    ready_after_ms: Option<f64>,
    /// The run before, if cargo made the same program again.
    same_as: Option<RunId>,
    /// How runs ended, newest first.
    exits: Vec<LastExit>,
}

impl Attempt {
    pub(super) fn built(&mut self, outcome: Result<Option<BuildReport>, BuildFailure>) {
        match outcome {
            Ok(report) => self.build = report,
            Err(failure) => {
                self.build = failure.report.map(|report| *report);
                self.obstacle = Some(failure.reason);
            }
        }
    }

    pub(super) fn started(
        &mut self,
        run: RunId,
        before: Option<RunId>,
        left_at: Option<Instant>,
        same_as: Option<RunId>,
    ) {
        self.newest = Some(run);
        self.before = before;
        self.same_as = same_as;
        self.left_at = self.left_at.or(left_at);
        self.pause_ms = self.left_at.map(|left| rounded(left.elapsed() * 1000));
    }

    pub(super) fn could_not_start(&mut self, error: &SpawnError) {
        self.obstacle = Some(error.to_string());
    }

    pub(super) fn ended(&mut self, exit: LastExit) {
        // The newest few are asked about.
        self.exits.truncate(4);
        self.exits.insert(0, exit);
    }

    pub(super) fn not_ready(&mut self, found: String) {
        self.found.get_or_insert(found);
    }

    pub(super) fn ready(&mut self, debut: Debut, after_ms: Option<f64>) {
        self.ready_after_ms = after_ms;
        if let Debut::Swapped(_) = debut {
            self.pause_ms = Some(0.0);
        }
    }

    /// The run that was started last, and the one before it.
    pub(super) fn runs(&self) -> (Option<RunId>, Option<RunId>) {
        (self.newest, self.before)
    }
}

/// How things stand when the answer is given.
pub(super) struct Answer<'a> {
    pub(super) process: &'a ProcessName,
    pub(super) wish: Wish,
    pub(super) attempt: &'a Attempt,
    pub(super) mode: Mode,
    pub(super) serving: Option<(RunId, Option<u32>)>,
    pub(super) behind: Option<Behind>,
    pub(super) next_attempt: Option<Instant>,
    /// Whether it is behind a relay.
    pub(super) relayed: bool,
    /// Whether a refused connection would be the daemon's doing; `None` where it cannot know.
    pub(super) refused: Option<u64>,
}

impl Answer<'_> {
    pub(super) fn report(&self, verdict: Verdict) -> RestartReport {
        let outcome = self.outcome(verdict);
        let failure = match verdict {
            Verdict::RolledBack(failure) | Verdict::Failed(failure) => Some(failure),
            _ => None,
        };
        let exit = failure
            .and_then(|failure| (self.attempt.exits.iter()).find(|exit| exit.run == failure.run))
            .cloned();
        let reason = failure.map(|failure| self.reason(failure, exit.as_ref()));
        let build = self.attempt.build.as_ref();
        let up = matches!(verdict, Verdict::Restarted | Verdict::Swapped);
        RestartReport {
            process: self.process.to_string(),
            ok: self.is_met(outcome),
            outcome,
            mode: self.mode,
            run: self.serving.map(|(run, _)| run),
            pid: self.serving.and_then(|(_, pid)| pid),
            build: build.map(|build| build.id),
            build_seconds: build.map(|build| rounded(build.took)),
            pause_ms: self
                .attempt
                .pause_ms
                .filter(|_| up || self.wish == Wish::Restart),
            ready_after_ms: self.attempt.ready_after_ms.filter(|_| up),
            connections_refused: self.refused,
            error_count: build.map_or(0, |build| build.error_count),
            warning_count: build.map_or(0, |build| build.warning_count),
            new_count: build.map_or(0, |build| build.new_count),
            fixed_count: build.map_or(0, |build| build.fixed_count),
            errors: build.map(|build| build.errors.clone()).unwrap_or_default(),
            omitted_count: build.map_or(0, |build| build.omitted_count),
            error_lines: Vec::new(),
            exit,
            last_lines: Vec::new(),
            behind: self.behind,
            next: match verdict {
                Verdict::Removed => Some(REMOVED.to_owned()),
                _ => self.next(outcome, failure),
            },
            reason,
        }
    }

    fn outcome(&self, verdict: Verdict) -> Outcome {
        match (verdict, self.wish) {
            (Verdict::Restarted | Verdict::Swapped, Wish::Start) => Outcome::Started,
            (Verdict::Restarted, _) => Outcome::Restarted,
            (Verdict::Swapped, _) => Outcome::Swapped,
            (Verdict::Running, _) => Outcome::Running,
            (Verdict::BuildFailed, _) => Outcome::BuildFailed,
            (Verdict::RolledBack(_), _) => Outcome::RolledBack,
            (Verdict::Failed(failure), _) => match failure.cause {
                FailureCause::NotReady => Outcome::NotReady,
                FailureCause::Exited(_) | FailureCause::NotStarted => Outcome::Crashed,
            },
            (Verdict::Stopped | Verdict::Removed, _) => Outcome::Stopped,
            (Verdict::Superseded, _) => Outcome::Superseded,
            (Verdict::ShuttingDown, _) => Outcome::ShuttingDown,
        }
    }

    /// Whether the caller has what he asked for.
    fn is_met(&self, outcome: Outcome) -> bool {
        match self.wish {
            Wish::Restart => matches!(outcome, Outcome::Restarted | Outcome::Swapped),
            Wish::Start => matches!(outcome, Outcome::Started | Outcome::Running),
            Wish::Stop => outcome == Outcome::Stopped,
        }
    }

    /// Why a run did not prove itself.
    fn reason(&self, failure: Failure, exit: Option<&LastExit>) -> String {
        let run = failure.run;
        match failure.cause {
            FailureCause::NotReady => {
                let found = self.attempt.found.as_deref().unwrap_or_default();
                format!("not_ready: {found}")
            }
            FailureCause::NotStarted => {
                let obstacle = self.attempt.obstacle.as_deref();
                obstacle.unwrap_or("it could not be started").to_owned()
            }
            FailureCause::Exited(how) => {
                let how = exit.map_or_else(|| how.to_string(), |exit| exit.text.clone());
                format!("run {run} ended before it had proved itself ({how})")
            }
        }
    }

    /// The step that the caller should take.
    fn next(&self, outcome: Outcome, failure: Option<Failure>) -> Option<String> {
        let again = self.next_attempt.map_or(String::new(), |at| {
            format!(
                "; the next attempt is in {:.1} s",
                at.saturating_duration_since(Instant::now()).as_secs_f64()
            )
        });
        let keeps = match self.serving {
            Some((run, _)) => format!("run {run} keeps serving"),
            None => "nothing runs".to_owned(),
        };
        let has_errors = self
            .attempt
            .build
            .as_ref()
            .is_some_and(|build| build.error_count > 0);
        let obstacle = self.attempt.obstacle.as_deref().filter(|_| !has_errors);
        let rest = self.rest_of_errors();
        match (outcome, obstacle) {
            (Outcome::RolledBack, _) => Some(self.after_rollback(failure)),
            (Outcome::BuildFailed, None) => {
                Some(format!("{keeps}; fix the error and restart again{again}{rest}"))
            }
            (Outcome::BuildFailed | Outcome::Crashed, Some(why)) => Some(format!(
                "{why}; {keeps}; mend this and restart again{again}"
            )),
            (Outcome::Crashed, None) if ended_well(failure) => Some(format!(
                "it ended by itself, but a process here is expected to stay; see search_logs, mend \
                 this and restart again{again}"
            )),
            (Outcome::Crashed | Outcome::NotReady, _) => Some(format!(
                "see last_lines and search_logs, mend the cause and restart again{again}{}",
                self.hint()
            )),
            (Outcome::ShuttingDown, _) => Some("the daemon ends; start it again".to_owned()),
            (Outcome::Restarted | Outcome::Swapped, _) => self.attempt.same_as.map(|run| {
                format!(
                    "cargo made the same program as in run {run}; if you changed something, touch the \
                     changed files, because cargo goes by their times, and restart again"
                )
            }),
            (Outcome::Stopped, _) if self.wish == Wish::Stop => {
                Some("it stays stopped until start or restart is called".to_owned())
            }
            (Outcome::Stopped, _) => {
                Some("somebody stopped it meanwhile; start or restart runs it again".to_owned())
            }
            (Outcome::Superseded, _) => {
                Some("somebody started it again meanwhile; see get_status".to_owned())
            }
            _ => None,
        }
    }

    /// What is wrong most often with a program behind a relay.
    fn hint(&self) -> &'static str {
        let refuses = |found: &String| found.contains("refuses connections");
        if self.relayed && self.attempt.found.as_ref().is_some_and(refuses) {
            "; it has to listen at the port in its variable PORT ({port} in its arguments)"
        } else {
            ""
        }
    }

    fn after_rollback(&self, failure: Option<Failure>) -> String {
        let new = failure.map_or(String::new(), |failure| {
            format!(": what run {} wrote is still there", failure.run)
        });
        let serves = match self.serving {
            Some((run, _)) => format!("run {run} serves with the code before the change"),
            None => "nothing runs".to_owned(),
        };
        format!(
            "{serves}; a rollback does not touch data{new}; see reason, last_lines and search_logs, \
             mend the cause and restart again{}",
            self.hint()
        )
    }

    /// What the answer leaves out of the errors, and where it is.
    fn rest_of_errors(&self) -> String {
        let Some(build) = &self.attempt.build else {
            return String::new();
        };
        let (all, shown) = (build.error_count, build.errors.len());
        if all > shown {
            format!(
                "; {shown} of {all} errors are shown, search_build_log with diagnostics: true has the others"
            )
        } else {
            String::new()
        }
    }
}

fn ended_well(failure: Option<Failure>) -> bool {
    let exit = failure.map(|failure| failure.cause);
    matches!(exit, Some(FailureCause::Exited(exit)) if exit.code() == Some(0))
}

/// The wait before the next attempt, as the log says it.
pub(super) fn wait_in_words(until: Instant, mode: Mode) -> String {
    let seconds = rounded(until.saturating_duration_since(Instant::now()));
    match mode {
        Mode::Dev => format!("waits {seconds} s so that you can look; restart acts at once"),
        Mode::Release => format!("again in {seconds} s"),
    }
}
