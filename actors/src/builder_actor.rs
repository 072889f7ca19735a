//! Builds what processes ask for: one cargo at a time, in the order of arrival. Where direnv is to be
//! asked, that is done before, beside the queue; who still waits for it lets others pass, and so does
//! who waits for a lock that a foreign cargo has.
//!
//! | message | from | |
//! |---|---|---|
//! | [`Enlist`] | the daemon, once per process | whom to answer, and what is built |
//! | [`Dismiss`] | the daemon | a process that was removed: what it asked for is dropped |
//! | [`Build`] | a process | answered at once; the outcome is told with [`BuildDone`] |
//! | [`CancelBuild`] | a process | its job is dropped and never reported |
//! | [`Shutdown`] | the daemon | everything is cancelled; answered when all children are gone |
//!
//! A process has one request here: a newer one takes the place of the older one in the queue, and
//! cancels it if it is under way. What needs no cargo waits for nobody: it is answered within the
//! handler, because a crashed process is started again only after that, or, where direnv is to be
//! asked, beside the queue.
//!
//! It must not know what a build is for: modes, crashes and swaps are the process's.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use actix::prelude::*;
use tokio::{sync::oneshot, task::JoinError};

pub use crate::build::job::BuildLog;
use crate::{
    artifact::{
        Build, BuildDone, BuildFailure, BuildStarted, BuildWaits, BuilderClosed, CancelBuild,
    },
    beat::beats,
    build::{
        direnv::Evaluation,
        environment::BaseEnvironment,
        job::{Done, Job, Need, Outcome, Prepared, Step, Workshop},
        nursery::Nursery,
        queue::Queue,
    },
    children::SharedChildren,
    ids::{BuildId, JobId, ProcessName, Sequence},
    restart::Shutdown,
    spec::{ProcessSpec, Project},
};

/// Command to the builder: take orders from this process. Sent before its first [`Build`], and again
/// when its configuration changes; a job that waits or runs keeps the old one.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Enlist {
    /// What is built, and where.
    pub spec: Arc<ProcessSpec>,
    /// Told when cargo starts.
    pub started: Recipient<BuildStarted>,
    /// Told when cargo waits for another one.
    pub waits: Recipient<BuildWaits>,
    /// Told what came of a job.
    pub done: Recipient<BuildDone>,
}

/// Command to the builder: this process was removed from the configuration. What it asked for is
/// dropped.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Dismiss(pub ProcessName);

/// The builder.
pub struct BuilderActor {
    shop: Rc<Workshop>,
    customers: HashMap<ProcessName, Rc<Enlist>>,
    queue: Queue<Prepared>,
    /// Jobs under way, by a number of their own: a cancelled one may still be ending beside its
    /// successor.
    tasks: BTreeMap<u64, Task>,
    last_task: u64,
    door: Door,
}

enum Door {
    Open,
    /// The daemon ends; these wait until no job is left.
    Closed(Vec<oneshot::Sender<()>>),
}

/// A job under way.
struct Task {
    process: ProcessName,
    job: JobId,
    lane: Lane,
    /// Dropped to cancel it; then nobody is told what comes of it.
    wanted: Option<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Cargo,
    /// It does not need cargo, or not yet, or its cargo waits for a foreign one.
    Beside,
}

impl BuilderActor {
    /// A builder for `project`. `base` is what its children inherit; ids of builds come from
    /// `builds`; their output goes to `log`.
    #[must_use]
    pub fn new(
        project: Project,
        base: BaseEnvironment,
        children: SharedChildren,
        builds: Sequence<BuildId>,
        log: BuildLog,
    ) -> Self {
        Self {
            shop: Rc::new(Workshop {
                project,
                base,
                nursery: Nursery::new(children),
                builds,
                log,
                known: RefCell::default(),
            }),
            customers: HashMap::new(),
            queue: Queue::new(),
            tasks: BTreeMap::new(),
            last_task: 0,
            door: Door::Open,
        }
    }

    fn cancel(&mut self, unwanted: impl Fn(&Task) -> bool) {
        for task in self.tasks.values_mut().filter(|task| unwanted(task)) {
            task.wanted = None;
        }
    }

    /// Asks direnv for `job`, beside the queue.
    fn prepare(&mut self, job: Job, ctx: &mut Context<Self>) {
        let (customer, id) = (Rc::clone(&job.customer), job.id);
        let work = |cancelled| job.prepare(cancelled);
        self.start(customer, id, Lane::Beside, work, ctx);
    }

    fn start<W>(
        &mut self,
        customer: Rc<Enlist>,
        job: JobId,
        lane: Lane,
        work: impl FnOnce(oneshot::Receiver<()>) -> W,
        ctx: &mut Context<Self>,
    ) -> u64
    where
        W: Future<Output = Option<Step>> + 'static,
    {
        let (wanted, cancelled) = oneshot::channel();
        self.last_task += 1;
        let number = self.last_task;
        let task = Task {
            process: customer.spec.name.clone(),
            job,
            lane,
            wanted: Some(wanted),
        };
        self.tasks.insert(number, task);
        // A task of its own: a talkative cargo does not wake the actor, and a panic is seen here.
        let work = actix::spawn(work(cancelled));
        let finish = work
            .into_actor(self)
            .map(move |end, actor, ctx| actor.finished(number, end, &customer, ctx));
        ctx.spawn(finish);
        number
    }

    /// A build that can do nothing before a foreign cargo is done: its turn is over.
    fn stepped_aside(&mut self, number: u64, ctx: &mut Context<Self>) {
        let Some(task) = self.tasks.get_mut(&number) else {
            return;
        };
        if task.lane == Lane::Cargo {
            task.lane = Lane::Beside;
            self.queue.leave();
            self.proceed(ctx);
        }
    }

    fn finished(
        &mut self,
        number: u64,
        end: Result<Option<Step>, JoinError>,
        customer: &Enlist,
        ctx: &mut Context<Self>,
    ) {
        let Some(task) = self.tasks.remove(&number) else {
            return;
        };
        if task.lane == Lane::Cargo {
            self.queue.leave();
        }
        if task.wanted.is_some() {
            let broken = |error| {
                log::error!("{}: the builder broke off: {error}", task.process);
                let reason = format!("the builder broke off: {error}");
                let report = None;
                Some(Err(BuildFailure { reason, report }).into())
            };
            match end.unwrap_or_else(broken) {
                None => {}
                Some(Step::Ready(prepared)) => {
                    self.queue.push(task.process, task.job, *prepared);
                }
                Some(Step::Done(done)) => {
                    let Done { outcome, known } = *done;
                    if let Some(known) = known {
                        let name = task.process.clone();
                        self.shop.known.borrow_mut().insert(name, known);
                    }
                    // The place that was kept for it, if it did not come as far as cargo.
                    self.queue.cancel(&task.process, task.job);
                    tell(customer, task.job, outcome);
                }
            }
        }
        self.proceed(ctx);
    }

    /// Whoever is next at cargo starts; when nobody is left, whoever waits for that is told.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        if let Some(prepared) = self.queue.admit() {
            let (customer, id) = (Rc::clone(&prepared.job.customer), prepared.job.id);
            let (turn, passed_on) = oneshot::channel();
            let work = |cancelled| prepared.run(cancelled, turn);
            let number = self.start(customer, id, Lane::Cargo, work, ctx);
            let passed_on = passed_on.into_actor(self);
            ctx.spawn(passed_on.map(move |told, actor, ctx| {
                // An error means that it came to its end.
                if told.is_ok() {
                    actor.stepped_aside(number, ctx);
                }
            }));
        }
        if let Door::Closed(waiting) = &mut self.door
            && self.tasks.is_empty()
        {
            for promise in waiting.drain(..) {
                // Whoever asked may have given up.
                let _ = promise.send(());
            }
        }
    }
}

fn tell(customer: &Enlist, job: JobId, outcome: Outcome) {
    if let Err(failure) = &outcome
        && failure.report.is_none()
    {
        log::warn!("{}: cannot build: {}", customer.spec.name, failure.reason);
    }
    customer.done.do_send(BuildDone { job, outcome });
}

impl Actor for BuilderActor {
    type Context = Context<Self>;
}

beats!(BuilderActor, |_| "builder");

impl Handler<Enlist> for BuilderActor {
    type Result = ();

    fn handle(&mut self, enlist: Enlist, _: &mut Self::Context) {
        let name = enlist.spec.name.clone();
        self.customers.insert(name, Rc::new(enlist));
    }
}

impl Handler<Dismiss> for BuilderActor {
    type Result = ();

    fn handle(&mut self, Dismiss(process): Dismiss, ctx: &mut Self::Context) {
        self.customers.remove(&process);
        self.queue.withdraw(&process);
        self.cancel(|task| task.process == process);
        self.shop.known.borrow_mut().remove(&process);
        self.proceed(ctx);
    }
}

impl Handler<Build> for BuilderActor {
    type Result = Result<(), BuilderClosed>;

    fn handle(&mut self, build: Build, ctx: &mut Self::Context) -> Self::Result {
        if matches!(self.door, Door::Closed(_)) {
            return Err(BuilderClosed);
        }
        let Some(customer) = self.customers.get(&build.process) else {
            log::error!("{}: asks for a build but is not enlisted", build.process);
            return Ok(());
        };
        let (shop, customer) = (Rc::clone(&self.shop), Rc::clone(customer));
        let job = Job::new(shop, customer, build.job, build.work, build.keep);
        self.cancel(|task| task.process == build.process);
        match job.need() {
            Need::Cargo => {
                let evaluation = Evaluation::default();
                let prepared = Prepared { job, evaluation };
                self.queue.push(build.process, build.job, prepared);
            }
            Need::DirenvThenCargo => {
                self.queue.reserve(build.process, build.job);
                self.prepare(job, ctx);
            }
            Need::Direnv => {
                self.queue.withdraw(&build.process);
                self.prepare(job, ctx);
            }
            Need::Nothing(outcome) => {
                self.queue.withdraw(&build.process);
                tell(&job.customer, build.job, *outcome);
            }
        }
        self.proceed(ctx);
        Ok(())
    }
}

impl Handler<CancelBuild> for BuilderActor {
    type Result = ();

    fn handle(&mut self, CancelBuild { process, job }: CancelBuild, _: &mut Self::Context) {
        self.queue.cancel(&process, job);
        self.cancel(|task| task.process == process && task.job == job);
    }
}

impl Handler<Shutdown> for BuilderActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) -> Self::Result {
        self.queue.clear();
        self.cancel(|_| true);
        let (promise, no_job_left) = oneshot::channel();
        match &mut self.door {
            Door::Closed(waiting) => waiting.push(promise),
            Door::Open => self.door = Door::Closed(vec![promise]),
        }
        self.proceed(ctx);
        let shop = Rc::clone(&self.shop);
        Box::pin(async move {
            let nursery = &shop.nursery;
            let left_behind = nursery.left_behind();
            let (_, ()) = tokio::join!(no_job_left, nursery.end(&left_behind));
            nursery.end(&nursery.everybody()).await;
        })
    }
}

#[cfg(test)]
mod tests;
