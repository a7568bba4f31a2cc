//! Follows a queue: what its messages name is fetched, analysed and committed, and only then is a
//! message acknowledged.
//!
//! ```text
//! poll (task) → Work → fetch (task) → Fetched → workers (threads) → Drawn → collector (this thread)
//!   receives            bounded by bytes            analyse                   commits, acknowledges
//! ```
//!
//! Each arrow is bounded: messages by the leases, bytes by a budget, yields by a channel. So a fast S3
//! waits for slow workers, and both wait for a slow output. An object's bytes stay until the collector has
//! taken what was drawn from them: where it must be drawn again, for events that are known, nothing is
//! fetched again that may fail by then. A message travels as a share of its lease
//! with each object that it names; whoever drops a share gives the message back.

mod fetch;
mod pace;
mod poll;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rustc_hash::FxHashSet;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use self::fetch::Fetched;
use super::collector::{Became, Collector, Settled};
use super::cores::Cores;
use super::draw::{analyze, failed};
use super::{Observer, PipelineError, Settings};
use crate::analyze::{Analyzer, Plan};
use crate::lake::Lake;
use crate::model::object::ObjectRef;
use crate::model::r#yield::Yield;
use crate::source::lease::{Held, Leases};
use crate::source::s3::S3Store;
use crate::telemetry::summary::Summary;

/// How a queue is followed.
#[derive(Debug, Clone, Copy)]
pub struct FollowSettings {
    /// Age at which an open batch is committed.
    pub flush_interval: Duration,
    /// Objects fetched at once, at most; how many it is depends on S3 and the workers.
    pub fetches: usize,
    /// Whether to end when the queue is empty.
    pub until_empty: bool,
    /// How long a message that could not be dealt with stays invisible before it is tried again.
    pub try_again_after: Duration,
    /// How long ending may take: what is not acknowledged by then comes again.
    pub grace: Duration,
}

/// The plan by which objects are analysed, which may change meanwhile.
pub struct Plans {
    current: RwLock<Arc<Plan>>,
}

impl Plans {
    /// Begins with a plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { current: RwLock::new(Arc::new(plan)) }
    }

    /// The plan of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Plan> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From the next object on, another plan.
    pub fn replace(&self, plan: Plan) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }
}

/// Everything that following takes, beside the lake.
pub struct Follow<'f> {
    /// The messages.
    pub leases: Leases,
    /// The objects.
    pub store: S3Store,
    /// The rules.
    pub plans: &'f Plans,
    /// As for a list.
    pub settings: Settings,
    /// As for a queue.
    pub follow: FollowSettings,
    /// True when it is to end.
    pub stop: watch::Receiver<bool>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Where polling and fetching run; it must have threads of its own.
    pub runtime: Handle,
}

/// An object that a message names, and the share of the message that it is.
struct Work {
    object: ObjectRef,
    held: Held,
}

/// What was drawn from an object, and all that is held of it.
struct Drawn {
    drawn: Yield,
    /// Its bytes; none if it could not be fetched.
    stored: Vec<u8>,
    held: Held,
    /// What the bytes take of the budget, until it is dropped.
    _room: OwnedSemaphorePermit,
}

impl Follow<'_> {
    /// Follows until it is told to stop, the queue is empty (if that is asked for), or nothing can be
    /// had any more. What was drawn is committed in any case.
    ///
    /// # Errors
    /// If the output cannot be written, or if queue or objects cannot be had and trying again is of no
    /// use. What was committed before stays; all other messages come again.
    pub fn run(self, lake: &mut Lake, summary: &mut Summary) -> Result<(), PipelineError> {
        let Self { leases, store, plans, settings, follow, stop, observer, runtime } = self;
        let cores = Cores::new(settings.threads);
        // Workers are set up here: a failure is the run's, not a thread's.
        let workers = (0..settings.threads).map(|_| Analyzer::new(settings.max_object_size));
        let workers = workers.collect::<Result<Vec<_>, _>>()?;
        let mut second_look = Analyzer::new(settings.max_object_size)?;
        let mut collector = Collector::new(lake, (&settings, &cores), (summary, &*observer))?;

        // Enough that nobody waits for the next poll's answer.
        let (works, works_in) = tokio::sync::mpsc::channel(follow.fetches.max(1) * 2);
        let (fetched, fetched_in) = crossbeam_channel::unbounded();
        let (drawn, drawn_in) = crossbeam_channel::bounded(settings.threads * 2);
        let polling =
            poll::Poll { leases: leases.clone(), works, stop: stop.clone(), follow, observer: Arc::clone(&observer) };
        let fetching = fetch::Fetch {
            store,
            works: works_in,
            fetched,
            stop,
            follow,
            observer: Arc::clone(&observer),
            workers: settings.threads,
        };
        let (polling, fetching) = (runtime.spawn(polling.run()), runtime.spawn(fetching.run()));
        // However this ends, by a panic too: nothing is received that nobody works on.
        let tasks = Tasks([polling.abort_handle(), fetching.abort_handle()]);

        let collected = std::thread::scope(|scope| {
            // Dropped when this thread panics as well: who waits for more is let go.
            let drawn_in = drawn_in;
            for analyzer in workers {
                let (cores, fetched_in, drawn, observer) = (&cores, &fetched_in, drawn.clone(), &*observer);
                scope.spawn(move || work(plans, analyzer, cores, fetched_in, &drawn, observer));
            }
            drop(drawn);
            let collecting = Collecting(&tasks);
            let collected = collect(&drawn_in, &mut collector, (&mut second_look, plans), &follow);
            if collected.is_ok() {
                std::mem::forget(collecting);
            }
            drop(drawn_in);
            collected
        });
        // What was fetched and not analysed goes back.
        drop(fetched_in);
        let fetching = runtime.block_on(fetching);
        if matches!(fetching, Ok(Err(_))) {
            // Nothing can be fetched: what comes is not wanted.
            polling.abort();
        }
        let polled = runtime.block_on(polling);
        let _ = runtime.block_on(async { tokio::time::timeout(follow.grace, leases.close()).await });
        collected?;
        // That a task was aborted is no error of its own.
        match (polled, fetching) {
            (Ok(Err(error)), _) => Err(error.into()),
            (_, Ok(Err(error))) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Polling and fetching, ended when dropped.
struct Tasks([AbortHandle; 2]);

impl Tasks {
    fn end(&self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end();
    }
}

/// Nobody commits any more when this is dropped: whoever waits to hand something over is let go.
struct Collecting<'t>(&'t Tasks);

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Analyses what is fetched, with the plan of the moment.
fn work(
    plans: &Plans,
    mut analyzer: Analyzer,
    cores: &Cores,
    fetched: &Receiver<Fetched>,
    out: &Sender<Drawn>,
    observer: &dyn Observer,
) {
    let nothing = FxHashSet::default();
    for Fetched { object, stored, held, room } in fetched {
        let (drawn, stored) = match stored {
            Err(error) => (failed(&object, &error), Vec::new()),
            Ok(stored) => {
                let _core = cores.for_a_worker();
                (analyze(&object, &stored, (&mut analyzer, &plans.current()), &nothing), stored)
            }
        };
        observer.drawn(&drawn);
        if out.send(Drawn { drawn, stored, held, _room: room }).is_err() {
            return;
        }
    }
}

/// Takes what is drawn and commits it by size or age, until nobody draws any more.
fn collect(
    drawn: &Receiver<Drawn>,
    collector: &mut Collector<'_, Held>,
    (second_look, plans): (&mut Analyzer, &Plans),
    follow: &FollowSettings,
) -> Result<(), PipelineError> {
    /// Draining a queue, nobody waits for more: what is there is committed when nothing comes for so long.
    const IDLE: Duration = Duration::from_millis(200);
    loop {
        let due = collector.opened().map(|opened| opened + follow.flush_interval);
        let idle = follow.until_empty.then(|| Instant::now() + IDLE).filter(|_| due.is_some());
        let received = match due.into_iter().chain(idle).min() {
            None => drawn.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => drawn.recv_deadline(deadline),
        };
        let settled = match received {
            Ok(Drawn { drawn, stored, held, _room }) => {
                let draw_again = |object: &ObjectRef, known: &FxHashSet<u64>| {
                    analyze(object, &stored, (&mut *second_look, &plans.current()), known)
                };
                let mut settled = collector.take(drawn, held, draw_again)?;
                // A batch beside which something always comes has an age too.
                if due.is_some_and(|due| Instant::now() >= due) {
                    settled.extend(collector.commit()?);
                }
                settled
            }
            Err(RecvTimeoutError::Timeout) => collector.commit()?,
            Err(RecvTimeoutError::Disconnected) => {
                let settled = collector.commit()?;
                return settle(settled, collector, follow);
            }
        };
        settle(settled, collector, follow)?;
    }
}

/// Messages of objects that are done with are acknowledged, all others go back. One of an object that fails
/// goes to the dead-letter queue in the end.
fn settle(
    settled: Vec<Settled<Held>>,
    collector: &mut Collector<'_, Held>,
    follow: &FollowSettings,
) -> Result<(), PipelineError> {
    // What another writer has committed counts as done when it is published: if that is not soon, it comes again.
    let is_elsewhere = settled.iter().any(|settled| settled.became == Became::Committed);
    let is_published = is_elsewhere && collector.is_all_published()?;
    for Settled { became, ticket } in settled {
        match became {
            Became::Done => ticket.done(),
            Became::Committed if is_published => ticket.done(),
            Became::Committed | Became::Failed => ticket.give_back(follow.try_again_after),
        }
    }
    Ok(())
}
