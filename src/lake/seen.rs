//! Identities of events read lately, so that the copy of an event in a second trail, or in a file
//! delivered twice, is not counted again; bounded by number, in buckets of an hour.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::entry::FileEntry;
use super::ledger::Ledger;
use super::storage::Storage;
use super::{LakeError, read};
use crate::model::r#yield::SeenEvent;

/// Name of the files in the ledger; they are no table.
pub(super) const TABLE: &str = "_seen";
/// Bytes of an identity in a file: hour and hash.
const RECORD: usize = 12;

/// The window: sets of identities by hour of the event.
#[derive(Debug)]
pub struct SeenWindow {
    hours: BTreeMap<u32, Hour>,
    len: usize,
    capacity: usize,
    /// Objects added so far.
    added: u64,
}

#[derive(Debug, Default)]
struct Hour {
    ids: FxHashSet<u64>,
    /// When something was last added, in [`SeenWindow::added`].
    touched: u64,
}

impl SeenWindow {
    /// An empty window that holds at most `capacity` identities, give or take an hour.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { hours: BTreeMap::new(), len: 0, capacity, added: 0 }
    }

    /// Those of `events` that were seen before.
    #[must_use]
    pub fn known(&self, events: &[SeenEvent]) -> FxHashSet<u64> {
        let corrections = self.hours.get(&SeenEvent::SOME_HOUR);
        let is_known = |event: &SeenEvent| match event.hour {
            SeenEvent::SOME_HOUR => self.hours.values().any(|hour| hour.ids.contains(&event.id)),
            hour => self.hours.get(&hour).into_iter().chain(corrections).any(|hour| hour.ids.contains(&event.id)),
        };
        events.iter().filter(|event| is_known(event)).map(|event| event.id).collect()
    }

    /// Adds an object's events. Where that is too many, the hours that nothing was added to for
    /// longest are forgotten: whether logs come in order of time, or old ones after new ones, what
    /// was read last is what a copy is likely to follow.
    pub fn add(&mut self, events: &[SeenEvent]) {
        self.added += 1;
        for event in events {
            let hour = self.hours.entry(event.hour).or_default();
            hour.touched = self.added;
            self.len += usize::from(hour.ids.insert(event.id));
        }
        while self.len > self.capacity && self.hours.len() > 1 {
            let idlest = self.hours.iter().min_by_key(|(at, hour)| (hour.touched, **at)).map(|(at, _)| *at);
            let forgotten = idlest.and_then(|at| self.hours.remove(&at));
            self.len -= forgotten.map_or(0, |hour| hour.ids.len());
        }
    }
}

/// The identities of some objects, one after the other.
pub(super) fn to_bytes<'o>(objects: impl Iterator<Item = &'o [SeenEvent]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in objects.filter(|object| !object.is_empty()).flat_map(|object| object.iter().chain([&END])) {
        bytes.extend_from_slice(&event.hour.to_le_bytes());
        bytes.extend_from_slice(&event.id.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Vec<SeenEvent> {
    bytes
        .chunks_exact(RECORD)
        .filter_map(|record| {
            let (hour, id) = record.split_first_chunk()?;
            Some(SeenEvent { hour: u32::from_le_bytes(*hour), id: u64::from_le_bytes(*id.first_chunk()?) })
        })
        .collect()
}

/// The newest files that hold `ids` identities, or all; newest first.
pub(super) fn newest(ledger: &Ledger, ids: usize) -> Vec<&FileEntry> {
    let mut files: Vec<_> = ledger.files().filter(|file| file.table == TABLE).collect();
    files.sort_unstable_by(|a, b| (b.place, &b.path).cmp(&(a.place, &a.path)));
    let mut held = 0;
    files.retain(|file| {
        let wanted = held < ids;
        held += usize::try_from(file.bytes).unwrap_or(usize::MAX) / RECORD;
        wanted
    });
    files
}

/// Identities that are read, of `capacity`: what the last objects touched may lie among much older hours.
pub(super) fn read_for(capacity: usize) -> usize {
    capacity.saturating_mul(2)
}

/// Reads the window back: the newest files that fill it, added object by object in the order of
/// their commits, as the process that wrote them did. One that is lost is an error: copies of its events
/// would count again.
pub(super) fn load(storage: &dyn Storage, capacity: usize) -> Result<SeenWindow, LakeError> {
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        let ledger = Ledger::open(storage)?;
        let files = newest(&ledger, read_for(capacity));
        let read = files.iter().map(|file| read::wherever(file, |path| storage.get(path)));
        let newest_first = match read.collect::<Result<Vec<_>, _>>() {
            // Somebody has put files together meanwhile, this one too: the ledger names it no more.
            Err(LakeError::Missing(path)) if Ledger::open(storage)?.file(&path).is_none() => continue,
            read => read?,
        };
        let mut window = SeenWindow::new(capacity);
        for bytes in newest_first.iter().rev() {
            from_bytes(bytes).split(|event| *event == END).for_each(|object| window.add(object));
        }
        return Ok(window);
    }
    Err(LakeError::Busy(TABLE.to_owned()))
}

/// Stands behind each object's identities in a file.
const END: SeenEvent = SeenEvent { id: u64::MAX, hour: u32::MAX };

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lake::Lake;
    use crate::lake::local::LocalFolder;
    use crate::model::object::{ObjectName, ObjectRef, ObjectStatus};
    use crate::model::r#yield::Yield;

    #[test]
    fn the_window_forgets_what_was_idle_longest() {
        let event = |hour, id| SeenEvent { id, hour };
        let mut window = SeenWindow::new(3);
        window.add(&[event(5, 50), event(6, 60), event(6, 60)]);
        assert_eq!(window.known(&[event(5, 50), event(6, 60), event(6, 61)]).len(), 2);
        // Older events, read later: they push out what was read before them, not themselves.
        window.add(&[event(1, 10), event(1, 11)]);
        assert_eq!(window.known(&[event(5, 50), event(6, 60), event(1, 10), event(1, 11)]).len(), 3);
        assert!(window.known(&[event(5, 50)]).is_empty() && window.len == 3);
    }

    #[test]
    fn a_correction_is_known_by_its_original_whichever_came_first() {
        let event = |hour, id| SeenEvent { id, hour };
        let mut window = SeenWindow::new(10);
        window.add(&[event(5, 50), event(SeenEvent::SOME_HOUR, 60)]);
        assert_eq!(
            window.known(&[event(SeenEvent::SOME_HOUR, 50), event(6, 60), event(6, 50)]),
            [50, 60].into_iter().collect()
        );
        assert!(window.known(&[event(SeenEvent::SOME_HOUR, 70), event(5, 70), event(6, 50)]).is_empty());
    }

    /// Without it, copies of its events would be counted again, and nobody would know.
    #[test]
    fn a_file_that_is_nowhere_is_missed() {
        let folder = tempfile::tempdir().expect("tempdir");
        let open = || Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        let object = |number: u64| {
            let (bucket, key, etag) = (String::new(), format!("/logs/{number}"), String::new());
            let object = ObjectRef { bucket, key, etag, size: 1, name: ObjectName::default() };
            let seen = vec![SeenEvent { id: number, hour: 5 }];
            Yield { seen, ..Yield::without_records(object, ObjectStatus::Done, String::new()) }
        };
        let mut lake = open();
        lake.commit_batch(&mut vec![object(1)]).expect("commits");
        lake.commit_batch(&mut vec![object(2)]).expect("commits");
        let lost = lake.ledger().files().find(|file| file.table == TABLE).expect("identities").path.clone();
        std::fs::remove_file(folder.path().join(&lost)).expect("removes");
        let error = lake.seen_window(100).expect_err("a file is lost");
        assert!(matches!(&error, LakeError::Missing(path) if *path == lost), "{error}");
    }

    #[test]
    fn a_window_survives_being_written() {
        let event = |hour, id| SeenEvent { id, hour };
        let objects = [vec![event(7, 70)], vec![event(8, 80), event(7, 71)]];
        let events = from_bytes(&to_bytes(objects.iter().map(Vec::as_slice)));
        let back: Vec<_> = events.split(|event| *event == END).filter(|object| !object.is_empty()).collect();
        assert_eq!(back, objects.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}
