//! A list of objects through workers, committed in the order of the list.
//!
//! Yields are put back in order before they are committed. So which copy of an event counts, and what a
//! kill leaves behind, does not depend on threads: what is committed is a prefix of the list.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashSet;

use super::collector::Collector;
use super::cores::Cores;
use super::draw::{analyze, failed};
use super::line::Line;
use super::{PipelineError, Settings, Silent};
use crate::analyze::{Analyzer, Plan};
use crate::decode::gunzip::release_stored;
use crate::lake::Lake;
use crate::model::object::ObjectRef;
use crate::model::r#yield::Yield;
use crate::source::Store;
use crate::telemetry::summary::Summary;

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
        let mut collector = Collector::new(lake, (settings, &cores), store, second_look, (summary, &Silent))?;
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
        let object = &objects[place];
        let drawn = if let Err(error) = store.fetch(object, &mut stored) {
            failed(object, &error)
        } else {
            let _core = cores.for_a_worker();
            analyze(object, &stored, &mut analyzer, &nothing)
        };
        // Before it waits for its turn: the bytes are not needed any more.
        release_stored(&mut stored);
        if out.send((place, drawn)).is_err() {
            return;
        }
    }
}

fn collect(
    receiver: &Receiver<(usize, Yield)>,
    line: &Line,
    collector: &mut Collector<'_, '_, ()>,
    progress: &dyn Progress,
) -> Result<(), PipelineError> {
    let (mut waiting, mut next) = (BTreeMap::new(), 0);
    for (place, drawn) in receiver {
        waiting.insert(place, drawn);
        while let Some(drawn) = waiting.remove(&next) {
            line.take(next);
            next += 1;
            let bytes = drawn.object.size;
            collector.take(drawn, ())?;
            progress.object(bytes);
        }
    }
    collector.commit().map(|_| ())
}
