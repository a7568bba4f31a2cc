//! The ledger: entries in one order, created exclusively. What is not in it never happened.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::LakeError;
use super::storage::Storage;
use crate::model::object::{ObjectId, ObjectRef, ObjectStatus, RecordCounts};

/// Entries between two checkpoints.
const CHECKPOINT_EVERY: u64 = 64;
/// Entries that are read at once, where all of them are wanted.
const AT_ONCE: usize = 64;
const CHECKPOINT: &str = "_ledger/checkpoint.json";

/// What an entry commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What was drawn from some objects.
    #[default]
    Batch,
    /// Snapshots and the findings of usage rules.
    Fold,
}

/// One commit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Place in the order, from 1.
    pub sequence: u64,
    /// Who committed.
    pub writer: String,
    /// What kind of commit.
    pub kind: Kind,
    /// Source objects, for batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectEntry>,
    /// Data files.
    pub files: Vec<FileEntry>,
    /// Files of an earlier fold that this one's replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
    /// The last entry that a fold has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded_through: Option<u64>,
    /// Identity of the settings of a fold.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
}

/// A source object of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectEntry {
    /// Where it lies.
    pub uri: String,
    /// Version of its content.
    pub etag: String,
    /// What became of it.
    pub status: ObjectStatus,
    /// Its records by outcome.
    pub records: RecordCounts,
}

/// A data file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Table that it belongs to.
    pub table: String,
    /// Final path.
    pub path: String,
    /// Where it was staged.
    pub staged: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// What is known of a committed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    failed: bool,
    etag: u64,
}

impl Known {
    fn of(etag: &str, status: ObjectStatus) -> Self {
        Self { failed: status == ObjectStatus::Failed, etag: xxhash_rust::xxh3::xxh3_64(etag.as_bytes()) }
    }
}

/// The ledger as this process knows it.
#[derive(Debug, Default)]
pub struct Ledger {
    through: u64,
    checkpointed: u64,
    objects: FxHashMap<ObjectId, Known>,
    last_batch: u64,
    folded_through: u64,
    fold_settings: String,
    fold_files: Vec<String>,
    fold_removes: Vec<String>,
}

/// The ledger's state after some entry, to start from.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    through: u64,
    last_batch: u64,
    folded_through: u64,
    fold_settings: String,
    fold_files: Vec<String>,
    fold_removes: Vec<String>,
    /// Hex of the id: known.
    objects: BTreeMap<String, Known>,
}

impl Ledger {
    pub(super) fn open(storage: &dyn Storage) -> Result<Self, LakeError> {
        let mut ledger = match storage.get(CHECKPOINT)? {
            None => Self::default(),
            // A checkpoint only saves time: one that cannot be read is made again.
            Some(bytes) => serde_json::from_slice::<Checkpoint>(&bytes).map(Self::from).unwrap_or_default(),
        };
        ledger.refresh(storage)?;
        Ok(ledger)
    }

    pub(super) fn refresh(&mut self, storage: &dyn Storage) -> Result<(), LakeError> {
        while let Some(entry) = read(storage, self.through + 1)? {
            self.note(&entry);
        }
        Ok(())
    }

    pub(super) fn note(&mut self, entry: &Entry) {
        self.through = entry.sequence;
        match entry.kind {
            Kind::Batch => {
                self.last_batch = entry.sequence;
                for object in &entry.objects {
                    let id = ObjectId(xxhash_rust::xxh3::xxh3_128(object.uri.as_bytes()));
                    self.objects.insert(id, Known::of(&object.etag, object.status));
                }
            }
            Kind::Fold => {
                self.folded_through = entry.folded_through.unwrap_or_default();
                self.fold_settings.clone_from(&entry.settings);
                self.fold_removes.clone_from(&entry.removes);
                self.fold_files = entry.files.iter().map(|file| file.path.clone()).collect();
            }
        }
    }

    /// Where the next entry goes.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.through + 1
    }

    /// The last entry known.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through
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
        self.folded_through >= self.last_batch && (self.fold_settings == settings || self.last_batch == 0)
    }

    /// Files of the last fold.
    #[must_use]
    pub fn fold_files(&self) -> &[String] {
        &self.fold_files
    }

    /// Files that the last fold replaced.
    #[must_use]
    pub fn fold_removes(&self) -> &[String] {
        &self.fold_removes
    }

    pub(super) fn checkpoint_now_and_then(&mut self, storage: &dyn Storage) -> Result<(), LakeError> {
        if self.through < self.checkpointed + CHECKPOINT_EVERY {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            through: self.through,
            last_batch: self.last_batch,
            folded_through: self.folded_through,
            fold_settings: self.fold_settings.clone(),
            fold_files: self.fold_files.clone(),
            fold_removes: self.fold_removes.clone(),
            objects: self.objects.iter().map(|(id, known)| (format!("{:032x}", id.0), *known)).collect(),
        };
        let bytes = serde_json::to_vec(&checkpoint).map_err(|e| bad(CHECKPOINT, &e))?;
        storage.put(CHECKPOINT, &bytes)?;
        self.checkpointed = self.through;
        Ok(())
    }
}

impl From<Checkpoint> for Ledger {
    fn from(checkpoint: Checkpoint) -> Self {
        let objects = checkpoint.objects.into_iter();
        Self {
            through: checkpoint.through,
            checkpointed: checkpoint.through,
            last_batch: checkpoint.last_batch,
            folded_through: checkpoint.folded_through,
            fold_settings: checkpoint.fold_settings,
            fold_files: checkpoint.fold_files,
            fold_removes: checkpoint.fold_removes,
            objects: objects
                .filter_map(|(id, known)| Some((ObjectId(u128::from_str_radix(&id, 16).ok()?), known)))
                .collect(),
        }
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
    through(storage, u64::MAX)
}

/// The entries up to a sequence, in order.
///
/// # Errors
/// If one cannot be read or understood.
pub fn through(storage: &dyn Storage, last: u64) -> Result<Vec<Entry>, LakeError> {
    let mut entries = Vec::new();
    loop {
        let next = entries.len() as u64 + 1;
        let paths: Vec<String> = (next..).take(AT_ONCE).take_while(|sequence| *sequence <= last).map(path).collect();
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

pub(super) fn read(storage: &dyn Storage, sequence: u64) -> Result<Option<Entry>, LakeError> {
    let path = path(sequence);
    let Some(bytes) = storage.get(&path)? else { return Ok(None) };
    parse(&path, &bytes).map(Some)
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
