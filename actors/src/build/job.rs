//! One request of a process, from its arrival to its outcome.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use actix::Recipient;
use tokio::sync::oneshot;

use crate::{
    artifact::{Artifact, BuildFailure, Built, CargoVariables, Environment, Work},
    build::{
        compile::compile,
        direnv::{self, Evaluation},
        environment::BaseEnvironment,
        nursery::{Child, Nursery},
        search_path::resolve,
        watches::{is_fresh, nearest_envrc},
    },
    builder_actor::Enlist,
    children::{Launch, SpawnError, TreeId},
    ids::{BuildId, JobId, Sequence},
    logs::{Append, BuildEnded, BuildEnding, OpenLog},
    spec::{CargoTarget, CommandLine, Program, Project},
};

/// What came of a job that nobody cancelled.
pub(crate) type Outcome = Result<Built, BuildFailure>;

/// What all jobs share.
pub(crate) struct Workshop {
    pub(crate) project: Project,
    pub(crate) base: BaseEnvironment,
    pub(crate) nursery: Nursery,
    pub(crate) builds: Sequence<BuildId>,
    pub(crate) log: BuildLog,
}

/// Where the output of builds goes: the log store.
#[derive(Clone)]
pub struct BuildLog {
    /// Begins a log.
    pub open: Recipient<OpenLog>,
    /// Adds to it.
    pub append: Recipient<Append>,
    /// Ends it.
    pub ended: Recipient<BuildEnded>,
}

/// What a job must wait for.
#[derive(Debug)]
pub(crate) enum Need {
    /// Nothing: this is its outcome.
    Nothing(Box<Outcome>),
    /// An evaluation of direnv, which waits for nobody.
    Direnv,
    /// Its turn at cargo.
    Cargo,
}

/// How a job comes to its artifact.
enum Plan<'a> {
    /// Only the environment is made anew.
    Again(&'a Artifact),
    /// The program of a command line is looked up.
    Resolve(&'a CommandLine),
    /// cargo makes it.
    Cargo(&'a CargoTarget),
}

/// One request of a process.
pub(crate) struct Job {
    pub(crate) shop: Rc<Workshop>,
    pub(crate) customer: Rc<Enlist>,
    pub(crate) id: JobId,
    pub(crate) work: Work,
    pub(crate) keep: Vec<PathBuf>,
    /// The children that it started.
    trees: RefCell<Vec<TreeId>>,
    /// The build whose log is open.
    open: Cell<Option<BuildId>>,
}

impl Job {
    pub(crate) fn new(
        shop: Rc<Workshop>,
        customer: Rc<Enlist>,
        id: JobId,
        work: Work,
        keep: Vec<PathBuf>,
    ) -> Self {
        Self {
            shop,
            customer,
            id,
            work,
            keep,
            trees: RefCell::default(),
            open: Cell::new(None),
        }
    }

    /// What this job must wait for. Some calls of stat and nothing else: a crashed process is
    /// started again only after this.
    pub(crate) fn need(&self) -> Need {
        let cwd = &self.customer.spec.cwd;
        if let Work::Reuse(artifact) = &self.work
            && !is_lost(artifact)
            && is_fresh(&artifact.environment, cwd)
        {
            return Need::Nothing(Box::new(Ok(reused(artifact.clone()))));
        }
        match self.plan() {
            Plan::Cargo(_) => Need::Cargo,
            Plan::Resolve(line) if nearest_envrc(cwd).is_none() => {
                Need::Nothing(Box::new(self.resolved(line, Evaluation::default())))
            }
            Plan::Resolve(_) | Plan::Again(_) => Need::Direnv,
        }
    }

    fn plan(&self) -> Plan<'_> {
        match (&self.work, &self.customer.spec.program) {
            (_, Program::Npm(line) | Program::Command(line)) => Plan::Resolve(line),
            (Work::Reuse(artifact), Program::Rust(_)) if !is_lost(artifact) => {
                Plan::Again(artifact)
            }
            (_, Program::Rust(target)) => Plan::Cargo(target),
        }
    }

    /// Does the job, unless the sender of `cancelled` speaks or is dropped: then it ends what it
    /// started, and answers `None` when that is gone.
    pub(crate) async fn run(self, cancelled: oneshot::Receiver<()>) -> Option<Outcome> {
        tokio::select! {
            biased;
            _ = cancelled => {
                self.abandon().await;
                None
            }
            outcome = self.perform() => Some(outcome),
        }
    }

    async fn perform(&self) -> Outcome {
        self.require_cwd()?;
        let evaluation = direnv::evaluate(self).await.map_err(|e| failure(&e))?;
        match self.plan() {
            Plan::Again(artifact) => {
                let cargo = artifact.environment.cargo.clone();
                Ok(reused(Artifact {
                    environment: self.environment(evaluation, cargo),
                    ..artifact.clone()
                }))
            }
            Plan::Resolve(line) => self.resolved(line, evaluation),
            Plan::Cargo(target) => compile(self, target, self.work.mode(), evaluation).await,
        }
    }

    fn resolved(&self, line: &CommandLine, evaluation: Evaluation) -> Outcome {
        self.require_cwd()?;
        let spec = &self.customer.spec;
        let environment = self.environment(evaluation, CargoVariables::default());
        let run = self.shop.base.of_run(&environment, &spec.env);
        let variables = run.into_iter().collect();
        let program = resolve(&line.program, &variables, &spec.cwd);
        Ok(reused(Artifact {
            build: None,
            mode: self.work.mode(),
            program: program.map_err(|e| failure(&e))?,
            environment,
        }))
    }

    /// What a run of the artifact gets beside the daemon's own environment.
    pub(crate) fn environment(
        &self,
        evaluation: Evaluation,
        cargo: CargoVariables,
    ) -> Arc<Environment> {
        Arc::new(Environment {
            changes: self.shop.base.joined(evaluation.changes, &cargo),
            watches: evaluation.watches,
            direnv: evaluation.direnv,
            cargo,
        })
    }

    /// A missing folder would otherwise be reported as a missing program.
    fn require_cwd(&self) -> Result<(), BuildFailure> {
        let spec = &self.customer.spec;
        if spec.cwd.is_dir() {
            return Ok(());
        }
        Err(BuildFailure {
            reason: format!(
                "the folder {} does not exist: create it or change `cwd` in [process.{}]",
                spec.cwd.display(),
                spec.name
            ),
            report: None,
        })
    }

    /// Starts a child that ends with the job, if that is cancelled.
    pub(crate) fn spawn(&self, launch: &Launch) -> Result<Child, SpawnError> {
        let child = self.shop.nursery.spawn(launch)?;
        self.trees.borrow_mut().push(child.tree);
        Ok(child)
    }

    /// From now on there is a log that must be ended.
    pub(crate) fn open_log(&self, build: BuildId) {
        self.open.set(Some(build));
    }

    /// Ends the log, if one is open.
    pub(crate) fn close_log(&self, ending: BuildEnding) -> Option<BuildId> {
        let build = self.open.take()?;
        self.shop.log.ended.do_send(BuildEnded {
            process: self.customer.spec.name.clone(),
            build,
            ending,
        });
        Some(build)
    }

    async fn abandon(&self) {
        let nursery = &self.shop.nursery;
        // What an orderly child left behind (the server of a compiler cache) is not the job's.
        let trees = nursery.at_work(&self.trees.borrow());
        nursery.end(&trees).await;
        if let Some(build) = self.close_log(BuildEnding::Cancelled) {
            log::info!("{}: build {build} cancelled", self.customer.spec.name);
        }
    }
}

/// Somebody emptied the folder that it was in: it must be made anew.
fn is_lost(artifact: &Artifact) -> bool {
    artifact.program.is_absolute() && !artifact.program.is_file()
}

fn reused(artifact: Artifact) -> Built {
    Built {
        artifact,
        report: None,
    }
}

/// A failure that did not come to a build.
pub(crate) fn failure(error: &dyn std::error::Error) -> BuildFailure {
    BuildFailure {
        reason: error.to_string(),
        report: None,
    }
}
