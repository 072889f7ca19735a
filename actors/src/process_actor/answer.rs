//! What a caller of `restart` is told.

use tokio::time::Instant;

use crate::{
    artifact::{BuildFailure, BuildReport},
    children::SpawnError,
    history::rounded,
    ids::{ProcessName, RunId},
    lifecycle::Verdict,
    report::{Behind, LastExit, Outcome, RestartReport},
    spec::Mode,
};

/// What became of the newest job so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    build: Option<BuildReport>,
    /// Why there is nothing to start.
    obstacle: Option<String>,
    /// From the old child's stop signal to the new child's start, in milliseconds.
    pause_ms: Option<f64>,
    /// The run before, if cargo made the same program again.
    same_as: Option<RunId>,
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

    pub(super) fn started(&mut self, left_at: Option<Instant>, same_as: Option<RunId>) {
        self.same_as = same_as;
        self.pause_ms = left_at.map(|left| rounded(left.elapsed() * 1000));
    }

    pub(super) fn could_not_start(&mut self, error: &SpawnError) {
        self.obstacle = Some(error.to_string());
    }
}

/// How things stand when the answer is given.
pub(super) struct Answer<'a> {
    pub(super) process: &'a ProcessName,
    pub(super) attempt: &'a Attempt,
    pub(super) mode: Mode,
    pub(super) serving: Option<(RunId, Option<u32>)>,
    pub(super) behind: Option<Behind>,
    pub(super) last_exit: Option<&'a LastExit>,
    pub(super) next_attempt: Option<Instant>,
}

impl Answer<'_> {
    pub(super) fn report(&self, verdict: Verdict) -> RestartReport {
        let outcome = match verdict {
            Verdict::Restarted => Outcome::Restarted,
            Verdict::BuildFailed => Outcome::BuildFailed,
            Verdict::Crashed { .. } => Outcome::Crashed,
            Verdict::ShuttingDown => Outcome::ShuttingDown,
        };
        let build = self.attempt.build.as_ref();
        RestartReport {
            process: self.process.to_string(),
            ok: outcome == Outcome::Restarted,
            outcome,
            reason: None,
            mode: self.mode,
            run: self.serving.map(|(run, _)| run),
            pid: self.serving.and_then(|(_, pid)| pid),
            build: build.map(|build| build.id),
            build_seconds: build.map(|build| rounded(build.took)),
            pause_ms: self.attempt.pause_ms,
            ready_after_ms: None,
            connections_refused: None,
            error_count: build.map_or(0, |build| build.error_count),
            warning_count: build.map_or(0, |build| build.warning_count),
            new_count: build.map_or(0, |build| build.new_count),
            fixed_count: build.map_or(0, |build| build.fixed_count),
            errors: build.map(|build| build.errors.clone()).unwrap_or_default(),
            omitted_count: 0,
            error_lines: Vec::new(),
            exit: match verdict {
                Verdict::Crashed { run, exit: Some(_) } => {
                    self.last_exit.filter(|exit| exit.run == run).cloned()
                }
                _ => None,
            },
            last_lines: Vec::new(),
            behind: self.behind,
            next: self.next(outcome),
        }
    }

    /// The step that the caller should take.
    fn next(&self, outcome: Outcome) -> Option<String> {
        let again = self.next_attempt.map_or(String::new(), |at| {
            format!(
                "; the next attempt is in {} s",
                rounded(at.saturating_duration_since(Instant::now()))
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
            .is_some_and(|build| !build.errors.is_empty());
        let obstacle = self.attempt.obstacle.as_deref().filter(|_| !has_errors);
        let rest = self.rest_of_errors();
        match (outcome, obstacle) {
            (Outcome::BuildFailed, None) => {
                Some(format!("{keeps}; fix the error and restart again{again}{rest}"))
            }
            (Outcome::BuildFailed | Outcome::Crashed, Some(why)) => Some(format!(
                "{why}; {keeps}; mend this and restart again{again}"
            )),
            (Outcome::Crashed, None) if self.last_exit.is_some_and(|exit| exit.code == Some(0)) => {
                Some(format!(
                    "it ended by itself, but a process here is expected to stay; see search_logs, mend \
                     this and restart again{again}"
                ))
            }
            (Outcome::Crashed, None) => Some(format!(
                "see last_lines and search_logs, mend the cause and restart again{again}"
            )),
            (Outcome::ShuttingDown, _) => Some("the daemon ends; start it again".to_owned()),
            (Outcome::Restarted, _) => self.attempt.same_as.map(|run| {
                format!(
                    "cargo made the same program as in run {run}; if you changed something, touch the \
                     changed files, because cargo goes by their times, and restart again"
                )
            }),
            _ => None,
        }
    }

    /// What the answer leaves out of the errors, and where it is.
    fn rest_of_errors(&self) -> String {
        let Some(build) = &self.attempt.build else {
            return String::new();
        };
        let (all, shown) = (build.error_count, build.errors.len());
        if all > shown {
            format!("; {shown} of {all} errors are shown, search_build_log has all")
        } else {
            String::new()
        }
    }
}

/// The wait before the next attempt, as the log says it.
pub(super) fn wait_in_words(until: Instant, mode: Mode) -> String {
    let seconds = rounded(until.saturating_duration_since(Instant::now()));
    match mode {
        Mode::Dev => format!("waits {seconds} s so that you can look; restart acts at once"),
        Mode::Release => format!("again in {seconds} s"),
    }
}
