//! Runs a list of objects through workers and commits what comes of them, in the order of the list.
//!
//! Workers take objects as they are free; their yields are put back in order before they are
//! committed. So which copy of an event counts, and what a kill leaves behind, does not depend on
//! threads: what is committed is a prefix of the list.

mod cores;
mod line;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashSet;

use self::cores::Cores;
use self::line::Line;
use crate::analyze::{Analyzer, Plan};
use crate::lake::seen::SeenWindow;
use crate::lake::{Lake, LakeError};
use crate::model::object::{ObjectRef, ObjectStatus};
use crate::model::r#yield::Yield;
use crate::source::Store;
use crate::telemetry::summary::Summary;

/// Settings of the pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Threads that work at the same time; so many cores are used.
    pub threads: usize,
    /// Most bytes of JSON in one object.
    pub max_object_size: usize,
    /// Objects after which a batch is committed.
    pub batch_objects: usize,
    /// Bytes of rows after which a batch is committed.
    pub batch_bytes: usize,
    /// Event identities kept to notice a second copy.
    pub seen_events: usize,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The output could not be written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A worker could not be set up.
    #[error("cannot set up a worker: {0}")]
    Worker(#[from] crate::decode::gunzip::GunzipError),
}

/// Watches a run.
pub trait Progress: Sync {
    /// An object was dealt with; `bytes` is its size as stored.
    fn object(&self, bytes: u64);
}

/// Analyses `objects`, in their order, and commits what comes of them.
///
/// # Errors
/// If the output cannot be written. What was committed before stays.
pub fn run(
    objects: &[ObjectRef],
    store: &dyn Store,
    plan: &Plan,
    lake: &mut Lake,
    settings: &Settings,
    progress: &dyn Progress,
    summary: &mut Summary,
) -> Result<(), PipelineError> {
    let line = Line::new(settings.threads * AHEAD);
    let cores = Cores::new(settings.threads);
    let (sender, receiver) = crossbeam_channel::bounded(settings.threads * AHEAD);
    // Analysers are made here: a failure is the run's, not a thread's.
    let workers =
        (0..settings.threads).map(|_| Analyzer::new(plan, settings.max_object_size)).collect::<Result<Vec<_>, _>>()?;
    let second_look = Analyzer::new(plan, settings.max_object_size)?;
    std::thread::scope(|scope| {
        for analyzer in workers {
            let (line, cores, sender) = (&line, &cores, sender.clone());
            scope.spawn(move || work(objects, store, analyzer, (line, cores), &sender));
        }
        drop(sender);
        let mut collector = Collector {
            seen: lake.seen_window(settings.seen_events)?,
            lake,
            settings,
            cores: &cores,
            store,
            second_look,
            batch: Vec::new(),
            bytes: 0,
            summary,
        };
        let result = collect(&receiver, &line, &mut collector, progress);
        line.stop();
        // Workers that wait to hand something over are let go by the closed channel.
        drop(receiver);
        result
    })
}

/// Objects that may be analysed ahead of the one that is next to be committed, for each worker:
/// enough that one large object does not stop the others, few enough to bound what is held.
const AHEAD: usize = 8;

fn work(
    objects: &[ObjectRef],
    store: &dyn Store,
    mut analyzer: Analyzer<'_>,
    (line, cores): (&Line, &Cores),
    out: &Sender<(usize, Yield)>,
) {
    let (mut stored, nothing) = (Vec::new(), FxHashSet::default());
    while let Some(place) = line.next(objects.len()) {
        let core = cores.for_a_worker();
        let drawn = draw(&objects[place], store, &mut analyzer, &mut stored, &nothing);
        drop(core);
        if out.send((place, drawn)).is_err() {
            return;
        }
    }
}

/// Fetches and analyses one object. A panic is that object's failure, not the run's.
fn draw(
    object: &ObjectRef,
    store: &dyn Store,
    analyzer: &mut Analyzer<'_>,
    stored: &mut Vec<u8>,
    seen: &FxHashSet<u64>,
) -> Yield {
    let failed = |reason: String| Yield::without_records(object.clone(), ObjectStatus::Failed, reason);
    match store.fetch(object, stored) {
        Err(error) => failed(error.to_string()),
        Ok(()) => catch_unwind(AssertUnwindSafe(|| analyzer.analyze(object, stored, seen)))
            .unwrap_or_else(|_| failed("keytrail itself failed on this object: please report it".to_owned())),
    }
}

fn collect(
    receiver: &Receiver<(usize, Yield)>,
    line: &Line,
    collector: &mut Collector<'_, '_>,
    progress: &dyn Progress,
) -> Result<(), PipelineError> {
    let (mut waiting, mut next) = (BTreeMap::new(), 0);
    for (place, drawn) in receiver {
        waiting.insert(place, drawn);
        while let Some(drawn) = waiting.remove(&next) {
            line.take(next);
            next += 1;
            let bytes = drawn.object.size;
            collector.take(drawn)?;
            progress.object(bytes);
        }
    }
    collector.commit()
}

/// Gathers yields, in order, into batches.
struct Collector<'r, 'p> {
    lake: &'r mut Lake,
    seen: SeenWindow,
    settings: &'r Settings,
    cores: &'r Cores,
    store: &'r dyn Store,
    /// For objects that hold events which another object held already.
    second_look: Analyzer<'p>,
    batch: Vec<Yield>,
    bytes: usize,
    summary: &'r mut Summary,
}

impl Collector<'_, '_> {
    fn take(&mut self, mut drawn: Yield) -> Result<(), PipelineError> {
        let known = self.seen.known(&drawn.seen);
        if !known.is_empty() {
            drawn = draw(&drawn.object, self.store, &mut self.second_look, &mut Vec::new(), &known);
        }
        self.seen.add(&drawn.seen);
        self.summary.add(&drawn);
        self.bytes += drawn.bytes();
        self.batch.push(drawn);
        if self.batch.len() >= self.settings.batch_objects || self.bytes >= self.settings.batch_bytes {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), PipelineError> {
        self.bytes = 0;
        let _core = self.cores.for_the_collector();
        let committed = self.lake.commit_batch(std::mem::take(&mut self.batch))?;
        self.summary.rows_written += committed.rows;
        self.summary.bytes_written += committed.bytes;
        self.summary.commits += u64::from(committed.rows > 0);
        Ok(())
    }
}
