//! Gathers what was drawn into batches and commits them. Each object comes with a ticket, which is handed
//! back when it is known what became of the object.

use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use super::cores::Cores;
use super::{Observer, PipelineError, Settings};
use crate::lake::Lake;
use crate::lake::seen::SeenWindow;
use crate::model::object::{ObjectId, ObjectRef, ObjectStatus};
use crate::model::r#yield::Yield;
use crate::telemetry::summary::Summary;

/// Takes what was drawn, in the order in which it is to be committed.
pub(super) struct Collector<'r, T> {
    lake: &'r mut Lake,
    seen: SeenWindow,
    settings: &'r Settings,
    cores: &'r Cores,
    batch: Vec<Yield>,
    tickets: Vec<Vec<T>>,
    places: FxHashMap<ObjectId, usize>,
    bytes: usize,
    opened: Option<Instant>,
    summary: &'r mut Summary,
    observer: &'r dyn Observer,
}

/// A ticket, and what became of its object.
pub(super) struct Settled<T> {
    pub(super) became: Became,
    pub(super) ticket: T,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// All its rows are durable and published, or there are none.
    Done,
    /// It could not be read.
    Failed,
    /// It is in the ledger already; whose entry that is may be about to publish it.
    Committed,
}

impl<'r, T> Collector<'r, T> {
    pub(super) fn new(
        lake: &'r mut Lake,
        (settings, cores): (&'r Settings, &'r Cores),
        (summary, observer): (&'r mut Summary, &'r dyn Observer),
    ) -> Result<Self, PipelineError> {
        let seen = lake.seen_window(settings.seen_events)?;
        let (batch, tickets, places) = (Vec::new(), Vec::new(), FxHashMap::default());
        let (bytes, opened) = (0, None);
        Ok(Self { lake, seen, settings, cores, batch, tickets, places, bytes, opened, summary, observer })
    }

    /// When the oldest object of the open batch was taken.
    pub(super) fn opened(&self) -> Option<Instant> {
        self.opened
    }

    /// Takes what was drawn from an object, and commits the batch if it is large enough by now.
    ///
    /// An object that holds events which another object held already is drawn from again, without them:
    /// `draw_again` does that.
    pub(super) fn take(
        &mut self,
        drawn: Yield,
        ticket: T,
        draw_again: impl FnOnce(&ObjectRef, &FxHashSet<u64>) -> Yield,
    ) -> Result<Vec<Settled<T>>, PipelineError> {
        if self.lake.ledger().holds(&drawn.object) {
            // Another delivery of what is committed, perhaps by another process since it was listed here:
            // what it holds is known, and a copy of it in another object is one.
            self.seen.add(&drawn.seen);
            self.note_already_done(&drawn);
            return Ok(vec![Settled { became: Became::Committed, ticket }]);
        }
        if let Some(place) = self.places.get(&drawn.object.id()) {
            // Another delivery of what is about to be committed: it waits for that.
            self.tickets[*place].push(ticket);
            self.note_already_done(&drawn);
        } else {
            let known = self.seen.known(&drawn.seen);
            let drawn = if known.is_empty() { drawn } else { draw_again(&drawn.object, &known) };
            self.add(drawn, ticket);
        }
        if self.batch.len() >= self.settings.batch_objects || self.bytes >= self.settings.batch_bytes {
            return self.commit();
        }
        Ok(Vec::new())
    }

    fn add(&mut self, drawn: Yield, ticket: T) {
        self.seen.add(&drawn.seen);
        self.summary.add(&drawn);
        self.bytes += drawn.bytes();
        self.opened.get_or_insert_with(Instant::now);
        self.observer.held();
        self.places.insert(drawn.object.id(), self.batch.len());
        self.batch.push(drawn);
        self.tickets.push(vec![ticket]);
    }

    fn note_already_done(&mut self, drawn: &Yield) {
        self.summary.objects.already_done += 1;
        self.observer.already_done(&drawn.object);
    }

    /// Commits the open batch, and hands back the tickets of its objects.
    pub(super) fn commit(&mut self) -> Result<Vec<Settled<T>>, PipelineError> {
        self.bytes = 0;
        self.opened = None;
        self.places.clear();
        let mut batch = std::mem::take(&mut self.batch);
        let statuses: Vec<ObjectStatus> = batch.iter().map(|drawn| drawn.status).collect();
        let ids: Vec<ObjectId> = batch.iter().map(|drawn| drawn.object.id()).collect();
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let core = self.cores.for_the_collector();
        let started = Instant::now();
        let committed = self.lake.commit_batch(&mut batch).inspect_err(|_| self.summary.take_back(&statuses))?;
        drop(core);
        self.observer.committed(&batch, &committed, started.elapsed());
        self.summary.rows_written += committed.rows;
        self.summary.bytes_written += committed.bytes;
        self.summary.commits += u64::from(committed.rows > 0);
        // Of what was not written, all but failures are in entries of others.
        let written: FxHashSet<ObjectId> = batch.iter().map(|drawn| drawn.object.id()).collect();
        let mut settled = Vec::new();
        for ((id, status), tickets) in ids.into_iter().zip(statuses).zip(self.tickets.drain(..)) {
            let became = match status {
                ObjectStatus::Failed => Became::Failed,
                _ if written.contains(&id) => Became::Done,
                _ => Became::Committed,
            };
            settled.extend(tickets.into_iter().map(|ticket| Settled { became, ticket }));
        }
        Ok(settled)
    }

    /// Whether all that is committed is published too, by whomever: see [`Lake::is_all_published`].
    pub(super) fn is_all_published(&mut self) -> Result<bool, PipelineError> {
        Ok(self.lake.is_all_published()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::lake::batch::Committed;
    use crate::lake::failing::Failing;
    use crate::lake::local::LocalFolder;
    use crate::model::object::{ObjectName, ObjectRef};
    use crate::model::r#yield::SeenEvent;
    use crate::pipeline::Silent;

    fn drawn(number: usize) -> Yield {
        let (key, etag) = (format!("/logs/{number}"), number.to_string());
        let object = ObjectRef { bucket: String::new(), key, etag, size: 1, name: ObjectName::default() };
        Yield::without_records(object, ObjectStatus::Done, String::new())
    }

    /// Hands over a collector of batches of three to `with`.
    fn collecting(lake: &mut Lake, with: impl FnOnce(Collector<'_, &str>)) {
        observed(lake, &Silent, with);
    }

    fn observed(lake: &mut Lake, observer: &dyn Observer, with: impl FnOnce(Collector<'_, &str>)) {
        let settings =
            Settings { threads: 1, max_object_size: 1 << 20, batch_objects: 3, batch_bytes: 1 << 20, seen_events: 100 };
        let (cores, mut summary) = (Cores::new(1), Summary::default());
        with(Collector::new(lake, (&settings, &cores), (&mut summary, observer)).expect("collects"));
    }

    /// Takes an object that shares no event with another one.
    fn take<'t>(collector: &mut Collector<'_, &'t str>, drawn: Yield, ticket: &'t str) -> Vec<Settled<&'t str>> {
        collector.take(drawn, ticket, |_, _| panic!("nothing is known")).expect("takes")
    }

    #[test]
    fn what_another_process_committed_meanwhile_is_known() {
        let folder = tempfile::tempdir().expect("tempdir");
        let open = || Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        let (mut lake, mut other) = (open(), open());
        let event = SeenEvent { id: 7, hour: 1 };
        let held = || Yield { seen: vec![event], ..drawn(1) };
        collecting(&mut lake, |mut collector| {
            other.commit_batch(&mut vec![held()]).expect("commits");
            collector.lake.refresh().expect("reads");
            assert_eq!(take(&mut collector, held(), "ticket").len(), 1, "committed already");
            assert_eq!(collector.seen.known(&[event]).len(), 1);
        });
    }

    #[test]
    fn a_ticket_comes_back_with_the_commit_and_not_before() {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut lake = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        collecting(&mut lake, |mut collector| {
            assert!(take(&mut collector, drawn(1), "first").is_empty());
            assert!(take(&mut collector, drawn(1), "first again").is_empty());
            assert!(take(&mut collector, drawn(2), "second").is_empty());
            assert_eq!(collector.lake.ledger().through(), 0);
            let settled = take(&mut collector, drawn(3), "third");
            let tickets: Vec<_> = settled.iter().map(|settled| settled.ticket).collect();
            assert_eq!(tickets, ["first", "first again", "second", "third"]);
            assert!(collector.lake.ledger().holds(&drawn(2).object));
            assert_eq!(take(&mut collector, drawn(2), "late").len(), 1, "committed already");
        });
    }

    /// A message is acknowledged when what it tells of is published, not when somebody is about to do it.
    #[test]
    fn what_another_writer_committed_is_done_when_it_is_published() {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut lake = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        let place = Failing::create(folder.path());
        let mut other = Lake::open(Arc::clone(&place) as _).expect("opens");
        place.fail_once("publish objects/");
        other.commit_batch(&mut vec![drawn(1)]).expect_err("it is committed, and not published");
        let is_published = |lake: &Lake| lake.ledger().files().all(|file| folder.path().join(&file.path).exists());
        collecting(&mut lake, |mut collector| {
            [drawn(1), drawn(2)].into_iter().for_each(|drawn| _ = take(&mut collector, drawn, ""));
            let settled = take(&mut collector, drawn(3), "");
            let became: Vec<_> = settled.iter().map(|settled| settled.became).collect();
            assert_eq!(became, [Became::Committed, Became::Done, Became::Done]);
            assert_eq!(take(&mut collector, drawn(1), "again")[0].became, Became::Committed);
            assert!(!collector.is_all_published().expect("looks") && !is_published(collector.lake));
            // It dies before it has published.
            drop(other);
            assert!(collector.is_all_published().expect("looks") && is_published(collector.lake));
        });
    }

    /// Notes the keys of what is said to be committed.
    #[derive(Default)]
    struct Written(Mutex<Vec<String>>);

    impl Observer for Written {
        fn committed(&self, written: &[Yield], _: &Committed, _: Duration) {
            let keys = written.iter().map(|drawn| drawn.object.key.clone());
            self.0.lock().expect("no panic").extend(keys);
        }
    }

    #[test]
    fn only_what_was_written_is_said_to_be_committed() {
        let folder = tempfile::tempdir().expect("tempdir");
        let failed = || Yield { status: ObjectStatus::Failed, ..drawn(2) };
        let place = Failing::create(folder.path());
        let mut lake = Lake::open(Arc::clone(&place) as _).expect("opens");
        lake.commit_batch(&mut vec![failed()]).expect("commits");
        let mut other = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        other.commit_batch(&mut vec![drawn(1)]).expect("commits");
        let written = Written::default();
        observed(&mut lake, &written, |mut collector| {
            [drawn(1), failed()].into_iter().for_each(|drawn| _ = take(&mut collector, drawn, ""));
            collector.take(drawn(3), "", |_, _| panic!("nothing is known")).expect("commits");
            take(&mut collector, drawn(4), "");
            place.fail_once("append");
            collector.commit().map(|_| ()).expect_err("no entry comes about");
        });
        assert_eq!(*written.0.lock().expect("no panic"), ["/logs/3"]);
    }
}
