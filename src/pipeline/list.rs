//! A list of objects through workers, committed in the order of the list.
//!
//! Yields are put back in order before they are committed. So which copy of an event counts, and what a
//! kill leaves behind, does not depend on threads: what is committed is a prefix of the list.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashSet;

use super::collector::Collector;
use super::cores::Cores;
use super::draw::{analyze, failed, fetch_and_analyze};
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
        (0..settings.threads).map(|_| Analyzer::new(settings.max_object_size)).collect::<Result<Vec<_>, _>>()?;
    let mut second_look = Analyzer::new(settings.max_object_size)?;
    std::thread::scope(|scope| {
        for analyzer in workers {
            let (line, cores, sender) = (&line, &cores, sender.clone());
            scope.spawn(move || work(objects, store, (analyzer, plan), (line, cores), &sender));
        }
        drop(sender);
        let mut collector = Collector::new(lake, (settings, &cores), (summary, &Silent))?;
        // A fetch that fails is treated as a first one is: the object has failed, and the next run takes it up.
        let draw_again = |object: &ObjectRef, known: &FxHashSet<u64>| {
            fetch_and_analyze(object, store, (&mut second_look, plan), &mut Vec::new(), known)
        };
        // Dropped when this thread panics as well: workers that wait, for their turn or to hand something over,
        // are let go.
        let (receiver, _collecting) = (receiver, Stop(&line));
        collect(&receiver, &line, &mut collector, draw_again, progress)
    })
}

/// Nobody commits any more when this is dropped: whoever waits for a place is let go.
struct Stop<'l>(&'l Line);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What a worker that panics had taken never comes: nobody is to wait for it.
struct StopInPanic<'l>(&'l Line);

impl Drop for StopInPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Objects that may be analysed ahead of the one that is next to be committed, for each worker:
/// enough that one large object does not stop the others, few enough to bound what is held.
const AHEAD: usize = 8;

fn work(
    objects: &[ObjectRef],
    store: &dyn Store,
    (mut analyzer, plan): (Analyzer, &Plan),
    (line, cores): (&Line, &Cores),
    out: &Sender<(usize, Yield)>,
) {
    let _working = StopInPanic(line);
    let (mut stored, nothing) = (Vec::new(), FxHashSet::default());
    while let Some(place) = line.next(objects.len()) {
        let object = &objects[place];
        let drawn = if let Err(error) = store.fetch(object, &mut stored) {
            failed(object, &error)
        } else {
            let _core = cores.for_a_worker();
            analyze(object, &stored, (&mut analyzer, plan), &nothing)
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
    collector: &mut Collector<'_, ()>,
    mut draw_again: impl FnMut(&ObjectRef, &FxHashSet<u64>) -> Yield,
    progress: &dyn Progress,
) -> Result<(), PipelineError> {
    let (mut waiting, mut next) = (BTreeMap::new(), 0);
    for (place, drawn) in receiver {
        waiting.insert(place, drawn);
        while let Some(drawn) = waiting.remove(&next) {
            line.take(next);
            next += 1;
            let bytes = drawn.object.size;
            collector.take(drawn, (), &mut draw_again)?;
            progress.object(bytes);
        }
    }
    collector.commit().map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::analyze::Selection;
    use crate::lake::local::LocalFolder;
    use crate::model::object::ObjectName;
    use crate::source::FetchError;

    const OBJECTS: usize = 200;

    /// Holds empty objects; fetching one of them panics.
    struct Panics(usize);

    impl Store for Panics {
        fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
            assert_ne!(object.key, self.0.to_string(), "a bug in a worker");
            into.clear();
            Ok(())
        }
    }

    /// Panics on the collector's thread, or does not.
    struct Bug(bool);

    impl Progress for Bug {
        fn object(&self, _bytes: u64) {
            assert!(!self.0, "a bug in the collector");
        }
    }

    /// Whether the run panicked; it must end.
    fn panics(store: Panics, progress: Bug) -> bool {
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let folder = tempfile::tempdir().expect("tempdir");
            let mut lake = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
            let plan = Plan::new(crate::rules::settings::Settings::default(), Selection::Fast);
            let settings = Settings {
                threads: 2,
                max_object_size: 1 << 20,
                batch_objects: 1_000,
                batch_bytes: 1 << 20,
                seen_events: 100,
            };
            let object = |number: usize| ObjectRef {
                bucket: String::new(),
                key: number.to_string(),
                etag: String::new(),
                size: 1,
                name: ObjectName::default(),
            };
            let objects: Vec<_> = (0..OBJECTS).map(object).collect();
            let mut summary = Summary::default();
            let run = AssertUnwindSafe(|| run(&objects, &store, &plan, &mut lake, &settings, &progress, &mut summary));
            let panicked = catch_unwind(run).is_err();
            assert!(panicked || summary.objects.skipped == OBJECTS as u64, "{summary:?}");
            sender.send(panicked)
        });
        ended.recv_timeout(Duration::from_mins(1)).expect("it ends")
    }

    #[test]
    fn a_run_in_which_something_panics_ends() {
        assert!(!panics(Panics(OBJECTS), Bug(false)));
        assert!(panics(Panics(OBJECTS), Bug(true)));
        assert!(panics(Panics(3), Bug(false)));
    }
}
