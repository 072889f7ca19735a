//! One run of cargo: its output to the log, its messages into a report, its binary onto the shelf.

mod questions;

use std::{mem, path::Path, sync::Arc, time::SystemTime};

use bytes::Bytes;
use tokio::{
    task::{JoinError, spawn_blocking},
    time::Instant,
};

use crate::{
    artifact::{
        Artifact, BuildFailure, BuildReport, BuildStarted, BuildWaits, Built, Diagnosed, Diagnosis,
    },
    build::{
        artifacts::{CopyError, Shelf},
        binary::{Choice, NoBinary, Products},
        cargo::{self, Tool},
        complaint::plain,
        diagnostics::{Diagnostics, Findings, summary},
        direnv::Evaluation,
        follow::{LogWriter, Told, follow},
        inputs,
        job::{Done, Job, Outcome, failure},
        known::Known,
    },
    children::{Launch, Marker},
    exit::Exit,
    ids::{BuildId, ProcessName},
    logs::{BuildEnding, OpenLog, Stream},
    report::BuildOutcome,
    sockets::HeldSockets,
    spec::{CargoTarget, Mode},
};

/// Runs cargo for `job`, with `evaluation` as its environment.
pub(crate) async fn compile(
    job: &Job,
    target: &CargoTarget,
    mode: Mode,
    mut evaluation: Evaluation,
) -> Done {
    let cwd = &job.spec().cwd;
    let variables = job.shop.base.with(&evaluation.changes);
    let tool = match cargo::find(variables, cwd) {
        Ok(tool) => tool,
        Err(error) => return Err(failure(&error)).into(),
    };
    let build = job.shop.builds.next();
    let run = CargoRun {
        job,
        target,
        mode,
        build,
        tool,
        began: SystemTime::now(),
    };
    let child = match job.spawn(&run.launch(&run.tool.cargo, cargo::arguments(target, mode))) {
        Ok(child) => child,
        Err(error) => return Err(failure(&error)).into(),
    };
    let begun = Instant::now();
    let log = run.begin(mem::take(&mut evaluation.said));

    let tree = child.tree;
    let before = job.known(build).await;
    let waits = async |what: &str| run.waits(what, &log).await;
    let told = follow(child, &log, Diagnostics::against(before.clone()), waits).await;
    if !told.as_ref().is_ok_and(Told::is_orderly) {
        job.shop.nursery.end(&[tree]).await;
    }
    let verdict = match told {
        Ok(told) => run.judge(told, evaluation).await,
        Err(error) => {
            let message = format!("cannot read what cargo prints: {error}");
            let mut diagnostics = Diagnostics::against(before.clone());
            diagnostics.note_complaint(plain(&message, ""));
            Verdict {
                artifact: None,
                findings: diagnostics.conclude(None, &job.shop.project),
                complaint: None,
            }
        }
    };
    if let Some(complaint) = &verdict.complaint {
        log.write(Stream::Stderr, format!("error: {complaint}\n").into())
            .await;
    }
    let found = verdict.findings;
    let diagnosed = Diagnosis {
        mode,
        outcome: match verdict.artifact {
            Some(_) => BuildOutcome::Ok,
            None => BuildOutcome::Failed,
        },
        error_count: found.error_count,
        warning_count: found.warning_count,
        new_count: before.is_some().then_some(found.new_count),
        findings: found.all,
    };
    let known = Arc::new(found.known);
    run.diagnosed(diagnosed, &known);
    let report = BuildReport {
        id: build,
        mode,
        at: SystemTime::now(),
        took: begun.elapsed(),
        error_count: found.error_count,
        warning_count: found.warning_count,
        new_count: found.new_count,
        fixed_count: found.fixed_count,
        omitted_count: found.error_count + found.warning_count - found.shown.len(),
        errors: found.shown,
    };
    Done {
        outcome: run.end(verdict.artifact, report),
        known: Some(known),
    }
}

struct CargoRun<'a> {
    job: &'a Job,
    target: &'a CargoTarget,
    mode: Mode,
    build: BuildId,
    tool: Tool,
    /// Before cargo looked at any file.
    began: SystemTime,
}

/// What a run of cargo came to.
struct Verdict {
    artifact: Option<Artifact>,
    findings: Findings,
    /// What cargo knows nothing of, so that it must be said in the log.
    complaint: Option<String>,
}

/// cargo succeeded, but there is nothing to run.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    NoBinary(#[from] NoBinary),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("the copy of the executable was broken off: {0}")]
    BrokenOff(#[from] JoinError),
}

impl CargoRun<'_> {
    fn process(&self) -> &ProcessName {
        &self.job.spec().name
    }

    fn launch(&self, program: &Path, args: Vec<std::ffi::OsString>) -> Launch {
        Launch {
            program: program.to_owned(),
            args,
            cwd: self.job.spec().cwd.clone(),
            environment: self.tool.variables.clone().into_iter().collect(),
            marker: Marker {
                process: self.process().clone(),
                run: format!("build-{}", self.build),
            },
            sockets: HeldSockets::default(),
        }
    }

    /// Tells everybody that there is a build now. Its log begins with what direnv `said`.
    fn begin(&self, said: Vec<u8>) -> LogWriter {
        let (build, mode) = (self.build, self.mode);
        log::info!("{}: build {build} ({mode}) started", self.process());
        let log = LogWriter {
            process: self.process().clone(),
            build,
            append: self.job.shop.log.append.clone(),
        };
        self.job.shop.log.open.do_send(OpenLog {
            key: log.key(),
            mode,
            at: SystemTime::now(),
            preface: said.into(),
            // Both are read here: stdout is data, and stderr may hold the only error.
            outputs: Vec::new(),
        });
        self.job.open_log(build);
        self.job.customer.started.do_send(BuildStarted {
            job: self.job.id,
            build,
            mode,
        });
        log
    }

    /// Another cargo is at work in the same place: tells everybody, and lets others pass.
    async fn waits(&self, what: &str, log: &LogWriter) {
        let (process, build) = (self.process(), self.build);
        log::info!("{process}: build {build} waits for cargo's lock on the {what}");
        let own = if self.target.target_dir.is_none() && is_folder(what) {
            format!("; `target_dir` in [process.{process}] gives it a folder of its own")
        } else {
            String::new()
        };
        let line =
            format!("waiting for cargo's lock on the {what}, which another cargo has{own}\n");
        log.write(Stream::Stderr, line.into()).await;
        self.job.customer.waits.do_send(BuildWaits {
            job: self.job.id,
            build,
            lock: what.to_owned(),
        });
        self.job.step_aside();
    }

    /// Leaves what was found with the log.
    fn diagnosed(&self, diagnosis: Diagnosis, known: &Arc<Known>) {
        self.job.shop.log.diagnosed.do_send(Diagnosed {
            process: self.process().clone(),
            build: self.build,
            diagnosis: Arc::new(diagnosis),
            known: Arc::clone(known),
        });
    }

    async fn judge(&self, told: Told, evaluation: Evaluation) -> Verdict {
        let (mut diagnostics, project) = (told.diagnostics, &self.job.shop.project);
        let (mut artifact, mut unusable) = (None, None);
        if told.exit == Some(Exit::Code(0)) {
            match self.take(&told.products, evaluation).await {
                Ok(taken) => artifact = Some(taken),
                Err(error) => {
                    let error = error.to_string();
                    diagnostics.note_complaint(plain(&error, ""));
                    unusable = Some(error);
                }
            }
        } else if !diagnostics.has_errors() {
            let cwd = &self.job.spec().cwd;
            diagnostics.note_complaint(told.complaint.into_error(told.exit, cwd, project));
        }
        Verdict {
            artifact,
            findings: diagnostics.conclude(told.exit, project),
            complaint: unusable,
        }
    }

    /// Finds the program among what cargo made, and puts a copy of it onto the shelf.
    async fn take(
        &self,
        products: &Products,
        evaluation: Evaluation,
    ) -> Result<Artifact, Unusable> {
        let process = self.process();
        let binary = match products.choose(process, self.target.bin.as_deref())? {
            Choice::One(binary) => binary,
            Choice::Several(all) => match self.default_of(&all).await {
                Some(binary) => binary,
                None => return Err(NoBinary::several(process, &all).into()),
            },
        };
        let variables = self.variables(products, &binary).await;
        let (inputs, began) = (products.inputs(&binary), self.began);
        let sources = spawn_blocking(move || inputs::sources(&inputs, began)).await;
        let program = if self.target.in_place {
            binary.path
        } else {
            let copies = Shelf::of(process, &self.job.shop.project.state_dir);
            let keep = self.job.keep.clone();
            spawn_blocking(move || copies.put(&binary.path, &keep)).await??
        };
        Ok(Artifact {
            build: Some(self.build),
            mode: self.mode,
            program,
            environment: self.job.environment(evaluation, variables),
            // Broken off only when the daemon ends.
            sources: sources.unwrap_or_default(),
            spec: Arc::clone(self.job.spec()),
        })
    }

    /// Tells everybody that the build is over.
    fn end(&self, artifact: Option<Artifact>, report: BuildReport) -> Outcome {
        let (process, build) = (self.process(), self.build);
        let seconds = report.took.as_secs_f64();
        let Some(artifact) = artifact else {
            self.job.close_log(BuildEnding::Failed);
            let reason = match report.errors.first() {
                Some(first) => summary(report.error_count, first),
                None => "cargo failed".to_owned(),
            };
            log::warn!("{process}: build {build} failed in {seconds:.1} s: {reason}");
            return Err(BuildFailure {
                reason,
                report: Some(Box::new(report)),
            });
        };
        self.job.close_log(BuildEnding::Succeeded);
        let warnings = match report.warning_count {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            several => format!(", {several} warnings"),
        };
        log::info!("{process}: build {build} ok in {seconds:.1} s{warnings}");
        Ok(Built {
            artifact,
            report: Some(report),
            said: Bytes::new(),
        })
    }
}

/// Whether a lock is one on a folder that `target_dir` moves.
fn is_folder(lock: &str) -> bool {
    ["build directory", "artifact directory"].contains(&lock)
}
