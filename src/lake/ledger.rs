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
/// If one cannot be read or understood.
pub fn all(storage: &dyn Storage) -> Result<Vec<Entry>, LakeError> {
    let mut entries = Vec::new();
    loop {
        let next = entries.len() as u64 + 1;
        let paths: Vec<String> = (next..).take(AT_ONCE).map(path).collect();
        let contents = storage.get_run(&paths)?;
        let whole = contents.len() == AT_ONCE;
        for (path, content) in paths.iter().zip(contents) {
            entries.push(parse(path, &content)?);
        }
        if !whole {
            return Ok(entries);
        }
    }
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

fn bad(path: &str, error: &serde_json::Error) -> LakeError {
    LakeError::BadEntry { path: path.to_owned(), reason: error.to_string() }
}
