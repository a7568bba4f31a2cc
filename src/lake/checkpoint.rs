//! Checkpoints: what entries came to, in segments, so that a start need not read all of them, and
//! writing one does not mean writing all that ever was.
//!
//! A segment says what a run of entries changed. Eight small ones in a row are put together to one, eight
//! of those again: each object is written a few times at most, and a start reads a few dozen segments.
//! A checkpoint only saves time: one that cannot be read is made again out of the entries.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::LakeError;
use super::entry::{FileEntry, Known};
use super::storage::Storage;
use crate::model::object::ObjectId;

const CHECKPOINT: &str = "_ledger/checkpoint.json";
/// Entries between two checkpoints.
pub(super) const EVERY: u64 = 64;
/// Segments of one size that are put together.
const FACTOR: usize = 8;
/// Bytes of an object in a segment: its id, the hash of its version, whether it failed.
const RECORD: usize = 25;

/// The small part of the ledger's state, and where the large part is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) through: u64,
    pub(super) last_batch: u64,
    pub(super) folded_through: u64,
    pub(super) fold_settings: String,
    pub(super) fold_files: Vec<String>,
    pub(super) fold_removes: Vec<String>,
    pub(super) exchanged: Exchanged,
    segments: Vec<Segment>,
    /// Hash of all the rest, so that damage is noticed.
    checksum: u64,
    /// Segments that are part of a larger one. Somebody may be reading them: they go at the next checkpoint.
    superseded: Vec<String>,
}

/// What the last compaction or pruning put in the place of what: it may have been killed before that.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Exchanged {
    pub(super) add: Vec<FileEntry>,
    pub(super) remove: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    path: String,
    from: u64,
    through: u64,
    level: u32,
    /// Hash of its content.
    checksum: u64,
}

/// What some entries changed, by path and by object.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// The file that has the path now; none if it was removed.
    pub(super) files: BTreeMap<String, Option<FileEntry>>,
    pub(super) objects: FxHashMap<ObjectId, Known>,
}

impl Change {
    /// Adds what a later run of entries changed.
    pub(super) fn add(&mut self, later: Self) {
        self.files.extend(later.files);
        self.objects.extend(later.objects);
    }

    /// JSON of the files, its length before it; then the objects, sorted.
    fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let files = serde_json::to_vec(&self.files)?;
        let mut bytes = Vec::with_capacity(8 + files.len() + self.objects.len() * RECORD);
        bytes.extend((files.len() as u64).to_le_bytes());
        bytes.extend(files);
        let mut objects: Vec<_> = self.objects.iter().collect();
        objects.sort_unstable_by_key(|(id, _)| id.0);
        for (id, known) in objects {
            bytes.extend(id.0.to_le_bytes());
            bytes.extend(known.etag.to_le_bytes());
            bytes.push(u8::from(known.failed));
        }
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (files, objects) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        if objects.len() % RECORD != 0 {
            return None;
        }
        let object = |record: &[u8]| {
            let (id, rest) = record.split_first_chunk()?;
            let (etag, failed) = rest.split_first_chunk()?;
            let known = Known { failed: failed == [1], etag: u64::from_le_bytes(*etag) };
            Some((ObjectId(u128::from_le_bytes(*id)), known))
        };
        Some(Self {
            files: serde_json::from_slice(files).ok()?,
            objects: objects.chunks_exact(RECORD).map(object).collect::<Option<_>>()?,
        })
    }
}

impl Checkpoint {
    /// The last checkpoint, and what all entries before it came to; none if there is none, or none that
    /// can be read.
    pub(super) fn load(storage: &dyn Storage) -> Result<Option<(Self, Change)>, LakeError> {
        let Some(checkpoint) = Self::small(storage)? else { return Ok(None) };
        let mut all = Change::default();
        let mut next = 1;
        for segment in &checkpoint.segments {
            let Some(change) = segment.read(storage)? else { return Ok(None) };
            if segment.from != next {
                return Ok(None);
            }
            next = segment.through + 1;
            all.add(change);
        }
        Ok((next == checkpoint.through + 1).then_some((checkpoint, all)))
    }

    /// The state alone.
    pub(super) fn without_segments(&self) -> Self {
        Self { segments: Vec::new(), superseded: Vec::new(), ..self.clone() }
    }

    fn small(storage: &dyn Storage) -> Result<Option<Self>, LakeError> {
        let read = storage.get(CHECKPOINT)?.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        Ok(read.filter(|read| read.hash().is_ok_and(|hash| hash == read.checksum)))
    }

    fn hash(&self) -> Result<u64, serde_json::Error> {
        let rest = Self { checksum: 0, ..self.clone() };
        Ok(xxh3_64(&serde_json::to_vec(&rest)?))
    }

    /// Whether it is time for another one.
    pub(super) fn is_due(&self, through: u64) -> bool {
        through >= self.through + EVERY
    }

    /// Writes the checkpoint `state` on top of this one, or of a later one of another writer's; `pending`
    /// is what the entries since this one changed, one by one.
    pub(super) fn advance(
        &mut self,
        storage: &dyn Storage,
        state: Self,
        pending: &mut VecDeque<(u64, Change)>,
    ) -> Result<(), LakeError> {
        // Who knows none read all entries: what is there may be damaged, and is made again.
        if self.through > 0
            && let Some(theirs) = Self::small(storage)?.filter(|theirs| theirs.through > self.through)
        {
            *self = theirs;
        }
        while pending.front().is_some_and(|(sequence, _)| *sequence <= self.through) {
            pending.pop_front();
        }
        if !self.is_due(state.through) {
            return Ok(());
        }
        // Nothing is given up before the new checkpoint stands: a failed one is tried again, with all.
        let mut change = Change::default();
        pending.iter().for_each(|(_, later)| change.add(later.clone()));
        let mut segments = self.segments.clone();
        segments.push(Segment::write(storage, self.through + 1, state.through, 0, &change)?);
        let mut new = Self { segments, ..state };
        new.put_together(storage)?;
        new.checksum = new.hash().map_err(|e| bad(CHECKPOINT, &e))?;
        let bytes = serde_json::to_vec(&new).map_err(|e| bad(CHECKPOINT, &e))?;
        storage.put(CHECKPOINT, &bytes)?;
        pending.clear();
        let superseded = std::mem::replace(self, new).superseded;
        storage.remove_all(&superseded.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn put_together(&mut self, storage: &dyn Storage) -> Result<(), LakeError> {
        while let Some(level) = self.segments.last().map(|last| last.level) {
            let alike = self.segments.iter().rev().take_while(|segment| segment.level == level).count();
            let Some(start) = self.segments.len().checked_sub(FACTOR).filter(|_| alike >= FACTOR) else { break };
            let parts = &self.segments[start..];
            let mut change = Change::default();
            for part in parts {
                // Gone or damaged: whoever starts reads the entries instead, until all is made again.
                let Some(later) = part.read(storage)? else { return Ok(()) };
                change.add(later);
            }
            let (from, through) = (parts[0].from, parts[FACTOR - 1].through);
            if from == 1 {
                // There is nothing before it that a removal could be of.
                change.files.retain(|_, file| file.is_some());
            }
            self.superseded.extend(self.segments.drain(start..).map(|segment| segment.path));
            self.segments.push(Segment::write(storage, from, through, level + 1, &change)?);
        }
        Ok(())
    }
}

impl Segment {
    fn write(storage: &dyn Storage, from: u64, through: u64, level: u32, change: &Change) -> Result<Self, LakeError> {
        // Of several writers none replaces what another one names. Who failed and tries again replaces its own.
        let path = format!("_ledger/checkpoints/{from:012}-{level}-{}.bin", storage.writer());
        let bytes = change.to_bytes().map_err(|e| bad(&path, &e))?;
        storage.put(&path, &bytes)?;
        Ok(Self { path, from, through, level, checksum: xxh3_64(&bytes) })
    }

    /// What it says; none if it is gone, or damaged.
    fn read(&self, storage: &dyn Storage) -> Result<Option<Change>, LakeError> {
        let whole = storage.get(&self.path)?.filter(|bytes| xxh3_64(bytes) == self.checksum);
        Ok(whole.and_then(|bytes| Change::from_bytes(&bytes)))
    }
}

fn bad(path: &str, error: &serde_json::Error) -> LakeError {
    LakeError::BadEntry { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lake::Lake;
    use crate::lake::failing::Failing;
    use crate::lake::ledger::Ledger;
    use crate::lake::local::LocalFolder;
    use crate::model::object::{ObjectName, ObjectRef, ObjectStatus};
    use crate::model::r#yield::Yield;

    fn object(number: usize) -> ObjectRef {
        let (key, etag) = (format!("/logs/{number}"), number.to_string());
        ObjectRef { bucket: String::new(), key, etag, size: 1, name: ObjectName::default() }
    }

    fn commit(lake: &mut Lake, number: usize) {
        // Every tenth fails.
        let status = if number % 10 == 3 { ObjectStatus::Failed } else { ObjectStatus::Done };
        lake.commit_batch(&mut vec![Yield::without_records(object(number), status, String::new())]).expect("commits");
    }

    fn open(root: &std::path::Path) -> Lake {
        Lake::open(Arc::new(LocalFolder::create(root).expect("a folder"))).expect("opens")
    }

    #[track_caller]
    fn assert_knows(ledger: &Ledger, objects: usize) {
        for number in 0..objects {
            assert_eq!(ledger.holds(&object(number)), number % 10 != 3, "{number}");
            assert_eq!(ledger.holds_failure(&object(number)), number % 10 == 3, "{number}");
        }
        assert!(!ledger.holds(&object(objects)));
        assert_eq!(ledger.files().count(), objects, "one file an object");
        assert_eq!(ledger.through(), objects as u64);
    }

    #[test]
    fn a_start_reads_segments_and_what_comes_behind_them() {
        const COMMITS: usize = 64 * 10 + 5;
        let folder = tempfile::tempdir().expect("tempdir");
        // Two writers by turns: each builds upon the other's.
        let (mut one, mut two) = (open(folder.path()), open(folder.path()));
        for number in 0..COMMITS {
            commit(if number / 50 % 2 == 0 { &mut one } else { &mut two }, number);
        }
        drop((one, two));
        let place = LocalFolder::create(folder.path()).expect("a folder");
        let saved = Checkpoint::small(&place).expect("reads").expect("a checkpoint");
        assert!(saved.through > 500 && saved.segments.len() < 10, "{:?}", saved.segments);
        assert_eq!(saved.segments[0].level, 1, "{:?}", saved.segments);
        assert_knows(&Ledger::open(&place).expect("opens"), COMMITS);
        // The entries that it covers are not needed for a start.
        let old = folder.path().join("_ledger/00000000000000000007.json");
        let content = std::fs::read(&old).expect("an entry");
        std::fs::remove_file(&old).expect("removes");
        assert_knows(&Ledger::open(&place).expect("opens"), COMMITS);
        std::fs::write(&old, content).expect("writes");
        // A damaged segment is no loss, and is made again.
        std::fs::write(folder.path().join(&saved.segments[0].path), b"damaged").expect("writes");
        assert_knows(&Ledger::open(&place).expect("opens"), COMMITS);
        let mut lake = open(folder.path());
        for number in COMMITS..COMMITS + 64 {
            commit(&mut lake, number);
        }
        let again = Checkpoint::load(&place).expect("reads").expect("one that can be read").0;
        assert!(again.through > saved.through);
        assert_knows(&Ledger::open(&place).expect("opens"), COMMITS + 64);
        // Superseded segments do not pile up.
        let kept = place.list("_ledger/checkpoints").expect("lists").len();
        assert!(kept < 25, "{kept} segments");
    }

    /// A byte that is another one, records that are gone, a checkpoint of a version without checksums: all
    /// is read from the entries then.
    #[test]
    fn a_damaged_checkpoint_is_none() {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut lake = open(folder.path());
        (0..70).for_each(|number| commit(&mut lake, number));
        drop(lake);
        let place = LocalFolder::create(folder.path()).expect("a folder");
        let segment = place.list("_ledger/checkpoints").expect("lists").remove(0);
        let check = |path: &str, damaged: &[u8]| {
            let whole = place.get(path).expect("reads").expect("is there");
            assert!(Checkpoint::load(&place).expect("reads").is_some());
            place.put(path, damaged).expect("writes");
            assert!(Checkpoint::load(&place).expect("reads").is_none(), "{path} of {} bytes", damaged.len());
            assert_knows(&Ledger::open(&place).expect("opens"), 70);
            place.put(path, &whole).expect("writes");
        };
        let whole = place.get(&segment).expect("reads").expect("is there");
        for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            check(&segment, &damaged);
        }
        check(&segment, &whole[..whole.len() - RECORD]);
        check(&segment, b"");
        let text = String::from_utf8(place.get(CHECKPOINT).expect("reads").expect("is there")).expect("text");
        check(CHECKPOINT, text.replace("\"last_batch\":64", "\"last_batch\":65").as_bytes());
        check(CHECKPOINT, text.replace("\"checksum\"", "\"unknown\"").as_bytes());
    }

    /// A failed checkpoint is no failed commit, and the next one has all that it would have had.
    #[test]
    fn a_checkpoint_that_fails_once_loses_nothing() {
        for call in ["put _ledger/checkpoints/", "put _ledger/checkpoint.json"] {
            for failing_at in [EVERY, 2 * EVERY] {
                let folder = tempfile::tempdir().expect("tempdir");
                let place = Failing::create(folder.path());
                let mut lake = Lake::open(Arc::clone(&place) as _).expect("opens");
                let last = usize::try_from(failing_at).expect("small");
                (0..last - 1).for_each(|number| commit(&mut lake, number));
                place.fail_once(call);
                (last - 1..last + 5).for_each(|number| commit(&mut lake, number));
                assert!(place.has_failed(), "{call}");
                assert_knows(&Ledger::open(place.as_ref()).expect("opens"), last + 5);
                (last + 5..last + 64).for_each(|number| commit(&mut lake, number));
                let saved = Checkpoint::load(place.as_ref()).expect("reads").expect("a checkpoint").0;
                assert_eq!(saved.through, failing_at + EVERY, "{call}");
                assert_knows(&Ledger::open(place.as_ref()).expect("opens"), last + 64);
            }
        }
    }

    /// Whichever of the writes of a checkpoint fails, also where segments are put together: what can be
    /// read is never less than what was committed.
    #[test]
    fn any_write_of_a_checkpoint_may_fail() {
        const ROUNDS: u64 = FACTOR as u64 + 3;
        for failing_at in 0..ROUNDS - 1 {
            for call in
                ["put _ledger/checkpoints/", "put _ledger/checkpoints/000000000001-1", "put _ledger/checkpoint.json"]
            {
                let folder = tempfile::tempdir().expect("tempdir");
                let place = Failing::create(folder.path());
                let (mut saved, mut pending) = (Checkpoint::default(), VecDeque::new());
                for round in 0..ROUNDS {
                    for sequence in round * EVERY + 1..=(round + 1) * EVERY {
                        let known = Known { failed: false, etag: sequence };
                        let objects = FxHashMap::from_iter([(ObjectId(u128::from(sequence)), known)]);
                        pending.push_back((sequence, Change { objects, ..Change::default() }));
                    }
                    if round == failing_at {
                        place.fail_once(call);
                    }
                    let through = (round + 1) * EVERY;
                    let advanced =
                        saved.advance(place.as_ref(), Checkpoint { through, ..Checkpoint::default() }, &mut pending);
                    assert!(advanced.is_ok() || round >= failing_at, "{call} at {round}");
                    if let Some((loaded, change)) = Checkpoint::load(place.as_ref()).expect("reads") {
                        assert!(loaded.through + EVERY >= through, "{call} at {round}");
                        assert_eq!(change.objects.len() as u64, loaded.through, "{call} at {round}");
                    }
                }
                assert_eq!(saved.through, ROUNDS * EVERY, "{call} at {failing_at}");
                assert!(Checkpoint::load(place.as_ref()).expect("reads").is_some(), "{call} at {failing_at}");
            }
        }
    }

    #[test]
    fn a_change_survives_being_written() {
        let mut change = Change::default();
        for number in 0..1_000_u64 {
            change.objects.insert(ObjectId(u128::from(number) << 70), Known { failed: number % 2 == 0, etag: number });
        }
        change.files.insert("gone".to_owned(), None);
        let bytes = change.to_bytes().expect("bytes");
        assert!(bytes.len() < 1_000 * RECORD + 64, "{} bytes", bytes.len());
        let back = Change::from_bytes(&bytes).expect("the same");
        assert!(back.objects == change.objects && back.files == change.files);
        assert!(Change::from_bytes(&bytes[..bytes.len() - 1]).is_none() && Change::from_bytes(b"short").is_none());
    }
}
