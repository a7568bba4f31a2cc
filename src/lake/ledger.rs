//! The ledger: entries in one order, created exclusively. What is not in it never happened.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::LakeError;
use super::checkpoint::{Change, Checkpoint, EVERY, Exchanged};
use super::entry::{Entry, FileEntry, Kind, Known};
use super::storage::Storage;
use crate::model::object::{ObjectId, ObjectRef, ObjectStatus};

/// Entries that are read at once, where all of them are wanted.
const AT_ONCE: usize = 64;

/// The ledger as this process knows it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// All but the segments and the objects of the state, as of the last entry.
    now: Checkpoint,
    objects: FxHashMap<ObjectId, Known>,
    files: BTreeMap<String, FileEntry>,
    /// The last checkpoint, and what each entry since has changed.
    saved: Checkpoint,
    pending: VecDeque<(u64, Change)>,
    /// The last entry when the last checkpoint failed.
    failed: Option<u64>,
}

impl Ledger {
    /// Reads the ledger of an output.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn open(storage: &dyn Storage) -> Result<Self, LakeError> {
        let mut ledger = Self::default();
        if let Some((saved, change)) = Checkpoint::load(storage)? {
            ledger.apply(&change);
            ledger = Self { now: saved.without_segments(), saved, ..ledger };
        }
        ledger.refresh(storage)?;
        if let Some(later) = last_behind(storage, ledger.now.through)? {
            // Others may have committed meanwhile. An entry is created only behind all others: what was
            // there before the last one was listed can be read now.
            ledger.refresh(storage)?;
            refuse_gap(ledger.now.through, later)?;
        }
        Ok(ledger)
    }

    pub(super) fn refresh(&mut self, storage: &dyn Storage) -> Result<(), LakeError> {
        let mut at_once = 1;
        loop {
            // Mostly there is nothing new; where there is something, there may be much.
            let paths: Vec<String> = (self.now.through + 1..).take(at_once).map(path).collect();
            let contents = storage.get_run(&paths)?;
            let whole = contents.len() == at_once;
            for (path, content) in paths.iter().zip(contents) {
                self.note(&parse(path, &content)?);
            }
            if !whole {
                return Ok(());
            }
            at_once = AT_ONCE;
        }
    }

    pub(super) fn note(&mut self, entry: &Entry) {
        self.now.through = entry.sequence;
        let mut change = Change::default();
        change.files.extend(entry.removes.iter().map(|path| (path.clone(), None)));
        for file in &entry.files {
            let place = if file.place == 0 { entry.sequence } else { file.place };
            change.files.insert(file.path.clone(), Some(FileEntry { place, ..file.clone() }));
        }
        for object in &entry.objects {
            let id = ObjectId(xxhash_rust::xxh3::xxh3_128(object.uri.as_bytes()));
            change.objects.insert(id, Known::of(&object.etag, object.status));
        }
        match entry.kind {
            Kind::Batch => self.now.last_batch = entry.sequence,
            Kind::Fold => {
                self.now.folded_through = entry.folded_through.unwrap_or_default();
                self.now.fold_settings.clone_from(&entry.settings);
                self.now.fold_removes.clone_from(&entry.removes);
                self.now.fold_files = entry.files.iter().map(|file| file.path.clone()).collect();
            }
            Kind::Compaction | Kind::Pruning => {
                self.now.exchanged = Exchanged { add: entry.files.clone(), remove: entry.removes.clone() };
            }
        }
        self.apply(&change);
        self.pending.push_back((entry.sequence, change));
    }

    fn apply(&mut self, change: &Change) {
        self.objects.extend(&change.objects);
        for (path, file) in &change.files {
            match file {
                Some(file) => _ = self.files.insert(path.clone(), file.clone()),
                None => _ = self.files.remove(path),
            }
        }
    }

    /// The files that count: of tables, and those whose table's name starts with `_`, which are none.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.values()
    }

    /// The file that counts under a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }

    pub(super) fn exchanged(&self) -> &Exchanged {
        &self.now.exchanged
    }

    /// Where the next entry goes.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.now.through + 1
    }

    /// The last entry known.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.now.through
    }

    /// Whether the object is committed and need not be read again. Failed ones are: they may have
    /// been mended.
    #[must_use]
    pub fn holds(&self, object: &ObjectRef) -> bool {
        self.objects.get(&object.id()).is_some_and(|known| !known.failed)
    }

    /// Whether the same failure of the same content is on record.
    #[must_use]
    pub fn holds_failure(&self, object: &ObjectRef) -> bool {
        self.objects.get(&object.id()) == Some(&Known::of(&object.etag, ObjectStatus::Failed))
    }

    /// Whether a fold with these settings has seen everything.
    #[must_use]
    pub fn is_folded(&self, settings: &str) -> bool {
        !self.awaits_fold() && (self.now.fold_settings == settings || self.now.last_batch == 0)
    }

    /// Whether something was committed that no fold has seen.
    #[must_use]
    pub fn awaits_fold(&self) -> bool {
        self.now.folded_through < self.now.last_batch
    }

    /// Files of the last fold.
    #[must_use]
    pub fn fold_files(&self) -> &[String] {
        &self.now.fold_files
    }

    /// Files that the last fold replaced.
    #[must_use]
    pub fn fold_removes(&self) -> &[String] {
        &self.now.fold_removes
    }

    /// Writes a checkpoint when it is time for one. It only saves time: what is committed is so without
    /// it, so one that fails is no error of whoever commits or reads, and a later one makes up for it.
    pub(super) fn checkpoint_now_and_then(&mut self, storage: &dyn Storage) {
        let through = self.now.through;
        // Where none can be written, not every commit pays for trying.
        if !self.saved.is_due(through) || self.failed.is_some_and(|failed| through < failed + EVERY) {
            return;
        }
        self.failed = self.saved.advance(storage, self.now.clone(), &mut self.pending).err().map(|_| through);
    }
}

/// Creates an entry; false if its sequence is taken.
pub(super) fn append(storage: &dyn Storage, entry: &Entry) -> Result<bool, LakeError> {
    let path = path(entry.sequence);
    let bytes = serde_json::to_vec(entry).map_err(|e| bad(&path, &e))?;
    storage.put_if_absent(&path, &bytes)
}

/// All entries, in order.
///
/// # Errors
/// If one cannot be read or understood, or is not there while a later one is.
pub fn all(storage: &dyn Storage) -> Result<Vec<Entry>, LakeError> {
    let mut entries = Vec::new();
    read_on(storage, &mut entries)?;
    if let Some(later) = last_behind(storage, entries.len() as u64)? {
        read_on(storage, &mut entries)?;
        refuse_gap(entries.len() as u64, later)?;
    }
    Ok(entries)
}

/// Reads entries behind those that are known, up to the first that is not there.
fn read_on(storage: &dyn Storage, entries: &mut Vec<Entry>) -> Result<(), LakeError> {
    loop {
        let next = entries.len() as u64 + 1;
        let paths: Vec<String> = (next..).take(AT_ONCE).map(path).collect();
        let contents = storage.get_run(&paths)?;
        let whole = contents.len() == AT_ONCE;
        for (path, content) in paths.iter().zip(contents) {
            entries.push(parse(path, &content)?);
        }
        if !whole {
            return Ok(());
        }
    }
}

/// The last entry that is there behind `through`.
fn last_behind(storage: &dyn Storage, through: u64) -> Result<Option<u64>, LakeError> {
    let listed = storage.list_behind("_ledger", &path(through))?;
    Ok(listed.iter().filter_map(|path| sequence_of(path)).max())
}

/// An error if all was read through `through`, and `later` is there: what is between them is lost, and to
/// write into the gap would count again what was counted.
fn refuse_gap(through: u64, later: u64) -> Result<(), LakeError> {
    if through >= later { Ok(()) } else { Err(LakeError::Gap { missing: path(through + 1), later: path(later) }) }
}

/// The data files of tables that are committed after `entries`, by final path: those of all batches
/// and of the last fold.
#[must_use]
pub fn committed(entries: &[Entry]) -> BTreeMap<&str, &FileEntry> {
    let mut files = BTreeMap::new();
    for entry in entries {
        entry.removes.iter().for_each(|path| _ = files.remove(path.as_str()));
        // Names that start so are no tables.
        files.extend(
            entry.files.iter().filter(|file| !file.table.starts_with('_')).map(|file| (file.path.as_str(), file)),
        );
    }
    files
}

fn parse(path: &str, bytes: &[u8]) -> Result<Entry, LakeError> {
    serde_json::from_slice(bytes).map_err(|e| bad(path, &e))
}

fn path(sequence: u64) -> String {
    format!("_ledger/{sequence:020}.json")
}

/// The sequence of an entry's path; none if it is another file's.
fn sequence_of(path: &str) -> Option<u64> {
    let digits = path.strip_prefix("_ledger/")?.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

fn bad(path: &str, error: &serde_json::Error) -> LakeError {
    LakeError::BadEntry { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::Lake;
    use super::super::failing::Failing;
    use super::super::local::LocalFolder;
    use super::*;
    use crate::model::object::ObjectName;
    use crate::model::r#yield::Yield;

    fn object(number: u64) -> ObjectRef {
        let (key, etag) = (format!("/logs/{number}"), number.to_string());
        ObjectRef { bucket: String::new(), key, etag, size: 1, name: ObjectName::default() }
    }

    /// An output with so many entries.
    fn output(root: &Path, entries: u64) -> LocalFolder {
        let place = LocalFolder::create(root).expect("a folder");
        let mut lake = Lake::open(Arc::new(LocalFolder::create(root).expect("a folder"))).expect("opens");
        for number in lake.ledger().through() + 1..=entries {
            let drawn = Yield::without_records(object(number), ObjectStatus::Done, String::new());
            lake.commit_batch(&mut vec![drawn]).expect("commits");
        }
        place
    }

    /// At the start, in the middle, and right behind a checkpoint.
    #[test]
    fn a_gap_is_refused_and_named() {
        for (entries, missing) in [(2, 1), (5, 1), (5, 3), (70, 65)] {
            let folder = tempfile::tempdir().expect("tempdir");
            let place = output(folder.path(), entries);
            std::fs::remove_file(folder.path().join(path(missing))).expect("removes");
            for error in [Ledger::open(&place).expect_err("a gap"), all(&place).expect_err("a gap")] {
                let text = error.to_string();
                assert!(text.contains(&path(missing)) && text.contains(&path(entries)), "{text}");
            }
            assert!(place.get(&path(missing)).expect("reads").is_none());
        }
    }

    /// What others commit while the ledger is read and listed is no gap.
    #[test]
    fn entries_that_come_meanwhile_are_no_gap() {
        let folder = tempfile::tempdir().expect("tempdir");
        let root = folder.path().to_owned();
        output(&root, 2);
        let place = Failing::create(&root);
        let more = |entries| {
            let root = root.clone();
            place.meanwhile("_ledger", move || _ = output(&root, entries));
        };
        more(5);
        assert_eq!(Ledger::open(place.as_ref()).expect("opens").through(), 5);
        more(7);
        assert_eq!(all(place.as_ref()).expect("reads").len(), 7);
    }

    /// The first batch of another writer, committed between the look at the ledger and that at the tables.
    #[test]
    fn a_ledger_that_begins_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut other = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("a folder"))).expect("opens");
        let place = Failing::create(folder.path());
        place.meanwhile("objects", move || {
            let drawn = Yield::without_records(object(1), ObjectStatus::Done, String::new());
            other.commit_batch(&mut vec![drawn]).expect("commits");
        });
        assert_eq!(Lake::open(place).expect("opens").ledger().through(), 1);
    }
}
