//! One request of a process, from its arrival to its outcome.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    mem,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use actix::Recipient;
use tokio::sync::oneshot;

use crate::{
    artifact::{
        Artifact, BuildFailure, Built, CargoVariables, DescribeKnown, Diagnosed, Environment,
        Sources, Work,
    },
    build::{
        compile::compile,
        direnv::{self, Evaluation},
        environment::BaseEnvironment,
        known::Known,
        nursery::{Child, Nursery},
        search_path::resolve,
        watches::{is_fresh, nearest_envrc},
    },
    builder_actor::Enlist,
    children::{Launch, SpawnError, TreeId},
    ids::{BuildId, JobId, ProcessName, Sequence},
    logs::{Append, BuildEnded, BuildEnding, OpenLog},
    spec::{CargoTarget, CommandLine, ProcessSpec, Program, Project},
};

/// What came of a job that nobody cancelled.
pub(crate) type Outcome = Result<Built, BuildFailure>;

/// How a job ended.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    /// What its process is known to have now; `None` if cargo did not run.
    pub(crate) known: Option<Arc<Known>>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            known: None,
        }
    }
}

/// What all jobs share.
pub(crate) struct Workshop {
    pub(crate) project: Project,
    pub(crate) base: BaseEnvironment,
    pub(crate) nursery: Nursery,
    pub(crate) builds: Sequence<BuildId>,
    pub(crate) log: BuildLog,
    /// What the builds of each process in this daemon are known to find fault with. Only a build that somebody still
    /// waits for changes it.
    pub(crate) known: RefCell<HashMap<ProcessName, Arc<Known>>>,
}

/// Where the output of builds goes: the log store.
#[derive(Clone)]
pub struct BuildLog {
    /// Begins a log.
    pub open: Recipient<OpenLog>,
    /// Adds to it.
    pub append: Recipient<Append>,
    /// Is told what the compiler found.
    pub diagnosed: Recipient<Diagnosed>,
    /// Remembers what was found before this daemon.
    pub known: Recipient<DescribeKnown>,
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
    /// The same, and then its turn at cargo: one `.envrc` that hangs must not stop the builds of
    /// others.
    DirenvThenCargo,
    /// Its turn at cargo.
    Cargo,
}

/// How far a job came that nobody cancelled.
pub(crate) enum Step {
    /// To its end.
    Done(Box<Done>),
    /// Before cargo.
    Ready(Box<Prepared>),
}

impl From<Done> for Step {
    fn from(done: Done) -> Self {
        Self::Done(Box::new(done))
    }
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        Done::from(outcome).into()
    }
}

/// A job that needs nothing more but its turn at cargo.
pub(crate) struct Prepared {
    pub(crate) job: Job,
    pub(crate) evaluation: Evaluation,
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
    /// Gives its turn at cargo to the next one, while it has it.
    turn: Cell<Option<oneshot::Sender<()>>>,
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
            turn: Cell::new(None),
        }
    }

    /// It can do nothing now: the next one may run cargo beside it.
    pub(crate) fn step_aside(&self) {
        if let Some(turn) = self.turn.take() {
            // The builder may end.
            let _ = turn.send(());
        }
    }

    /// What the job is about: an artifact that is used again is used as it was, whatever the
    /// configuration says now.
    pub(crate) fn spec(&self) -> &Arc<ProcessSpec> {
        match &self.work {
            Work::Reuse(artifact) => &artifact.spec,
            Work::Compile(_) => &self.customer.spec,
        }
    }

    /// What this job must wait for. Some calls of stat and nothing else: a crashed process is
    /// started again only after this.
    pub(crate) fn need(&self) -> Need {
        let cwd = &self.spec().cwd;
        if let Work::Reuse(artifact) = &self.work
            && !is_lost(artifact)
            && is_fresh(&artifact.environment, cwd)
        {
            return Need::Nothing(Box::new(Ok(unbuilt(artifact.clone(), Vec::new()))));
        }
        match self.plan() {
            Plan::Cargo(_) if nearest_envrc(cwd).is_none() => Need::Cargo,
            Plan::Cargo(_) => Need::DirenvThenCargo,
            Plan::Resolve(line) if nearest_envrc(cwd).is_none() => {
                Need::Nothing(Box::new(self.resolved(line, Evaluation::default())))
            }
            Plan::Resolve(_) | Plan::Again(_) => Need::Direnv,
        }
    }

    fn plan(&self) -> Plan<'_> {
        match (&self.work, &self.spec().program) {
            (_, Program::Npm(line) | Program::Command(line)) => Plan::Resolve(line),
            (Work::Reuse(artifact), Program::Rust(_)) if !is_lost(artifact) => {
                Plan::Again(artifact)
            }
            (_, Program::Rust(target)) => Plan::Cargo(target),
        }
    }

    /// Goes as far as it can without cargo, unless the sender of `cancelled` speaks or is dropped:
    /// then it ends what it started, and answers `None` when that is gone.
    pub(crate) async fn prepare(self, cancelled: oneshot::Receiver<()>) -> Option<Step> {
        let evaluation = self.unless(cancelled, self.evaluate()).await?;
        let evaluation = match evaluation {
            Ok(evaluation) => evaluation,
            Err(failure) => return Some(Err(failure).into()),
        };
        Some(match self.plan() {
            Plan::Again(artifact) => Ok(self.again(artifact, evaluation)).into(),
            Plan::Resolve(line) => self.resolved(line, evaluation).into(),
            Plan::Cargo(_) => Step::Ready(Box::new(Prepared {
                job: self,
                evaluation,
            })),
        })
    }

    async fn unless<T>(
        &self,
        cancelled: oneshot::Receiver<()>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            _ = cancelled => {
                self.abandon().await;
                None
            }
            done = work => Some(done),
        }
    }

    async fn evaluate(&self) -> Result<Evaluation, BuildFailure> {
        self.require_cwd()?;
        direnv::evaluate(self).await.map_err(|e| failure(&e))
    }

    fn again(&self, artifact: &Artifact, mut evaluation: Evaluation) -> Built {
        let cargo = artifact.environment.cargo.clone();
        let said = mem::take(&mut evaluation.said);
        let artifact = Artifact {
            environment: self.environment(evaluation, cargo),
            ..artifact.clone()
        };
        unbuilt(artifact, said)
    }

    async fn perform(&self, evaluation: Evaluation) -> Done {
        // It may have waited for long.
        if let Err(failure) = self.require_cwd() {
            return Err(failure).into();
        }
        match self.plan() {
            Plan::Again(artifact) => Ok(self.again(artifact, evaluation)).into(),
            Plan::Resolve(line) => self.resolved(line, evaluation).into(),
            Plan::Cargo(target) => compile(self, target, self.work.mode(), evaluation).await,
        }
    }

    fn resolved(&self, line: &CommandLine, mut evaluation: Evaluation) -> Outcome {
        self.require_cwd()?;
        let spec = self.spec();
        let said = mem::take(&mut evaluation.said);
        let environment = self.environment(evaluation, CargoVariables::default());
        let run = self.shop.base.of_run(&environment, &spec.env);
        let variables = run.into_iter().collect();
        let program = resolve(&line.program, &variables, &spec.cwd);
        let artifact = Artifact {
            build: None,
            mode: self.work.mode(),
            program: program.map_err(|e| failure(&e))?,
            environment,
            sources: Sources::default(),
            spec: Arc::clone(spec),
        };
        Ok(unbuilt(artifact, said))
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
        let spec = self.spec();
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

    /// What the process is known to have before this build; `None` if it has no build before, or
    /// nobody remembers it.
    pub(crate) async fn known(&self, before: BuildId) -> Option<Arc<Known>> {
        let process = &self.spec().name;
        let known = self.shop.known.borrow().get(process).cloned();
        if known.is_some() {
            return known;
        }
        let process = process.clone();
        let question = DescribeKnown { process, before };
        // A log store that has gone remembers nothing.
        self.shop.log.known.send(question).await.ok().flatten()
    }

    /// From now on there is a log that must be ended.
    pub(crate) fn open_log(&self, build: BuildId) {
        self.open.set(Some(build));
    }

    /// Ends the log, if one is open.
    pub(crate) fn close_log(&self, ending: BuildEnding) -> Option<BuildId> {
        let build = self.open.take()?;
        self.shop.log.ended.do_send(BuildEnded {
            process: self.spec().name.clone(),
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
            log::info!("{}: build {build} cancelled", self.spec().name);
        }
    }
}

impl Prepared {
    /// Does the job, unless it is cancelled, as with [`Job::prepare`]. `turn` is told when it waits for
    /// a lock of cargo's, so that others need not wait for it.
    pub(crate) async fn run(
        self,
        cancelled: oneshot::Receiver<()>,
        turn: oneshot::Sender<()>,
    ) -> Option<Step> {
        let Self { job, evaluation } = self;
        job.turn.set(Some(turn));
        let done = job.unless(cancelled, job.perform(evaluation)).await?;
        Some(done.into())
    }
}

/// Somebody emptied the folder that it was in: it must be made anew.
fn is_lost(artifact: &Artifact) -> bool {
    artifact.program.is_absolute() && !artifact.program.is_file()
}

/// What can be started without a build, and what direnv `said` about it.
fn unbuilt(artifact: Artifact, said: Vec<u8>) -> Built {
    Built {
        artifact,
        report: None,
        said: said.into(),
    }
}

/// A failure that did not come to a build.
pub(crate) fn failure(error: &dyn std::error::Error) -> BuildFailure {
    BuildFailure {
        reason: error.to_string(),
        report: None,
    }
}
