//! An entry of the ledger: one commit, as it is written.

use serde::{Deserialize, Serialize};

use crate::model::object::{ObjectStatus, RecordCounts};

/// What an entry commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What was drawn from some objects.
    #[default]
    Batch,
    /// Snapshots and the findings of usage and posture rules.
    Fold,
    /// Few files that hold what many held: no row is new, none is lost.
    Compaction,
    /// Files are removed, as a setting says.
    Pruning,
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
    /// Files that this entry's replace: of an earlier fold, or those that were compacted.
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
    /// Sequence that its rows came with, where that is not its entry's own: those of a compacted file
    /// are older.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub place: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "so serde wants it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is known of a committed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub(super) failed: bool,
    pub(super) etag: u64,
}

impl Known {
    pub(super) fn of(etag: &str, status: ObjectStatus) -> Self {
        Self { failed: status == ObjectStatus::Failed, etag: xxhash_rust::xxh3::xxh3_64(etag.as_bytes()) }
    }
}
