//! A source file: where it lies, what became of it, what became of its records.

use serde::{Deserialize, Serialize};

use super::time::Seconds;

/// A source file that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Bucket; empty for a local file.
    pub bucket: String,
    /// Key in the bucket, or the absolute path of a local file.
    pub key: String,
    /// Changes when the content does.
    pub etag: String,
    /// Bytes as stored.
    pub size: u64,
    /// What the name says, where it follows CloudTrail's grammar.
    pub name: ObjectName,
}

/// What an object's name says of it (DOMAIN: key-name grammar); nothing is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectName {
    /// Account that the log belongs to.
    pub account: Option<String>,
    /// Region of delivery.
    pub region: Option<String>,
    /// Day of delivery, from the path.
    pub date: Option<Seconds>,
    /// Minute of delivery, from the file's name.
    pub minute: Option<Seconds>,
}

impl ObjectRef {
    /// `s3://bucket/key`, or `file://` and the path.
    #[must_use]
    pub fn uri(&self) -> String {
        if self.bucket.is_empty() {
            format!("file://{}", self.key)
        } else {
            format!("s3://{}/{}", self.bucket, self.key)
        }
    }

    /// Identifies the object whatever its content: 128 bits of its URI.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        ObjectId(xxhash_rust::xxh3::xxh3_128(self.uri().as_bytes()))
    }

    /// The order in which a backfill takes objects: by time of delivery, then by name. It makes
    /// the result independent of how the sources were given, and keeps the copies of one event
    /// near each other.
    #[must_use]
    pub fn order(&self) -> (Seconds, &str, &str) {
        let when = self.name.minute.or(self.name.date).unwrap_or_default();
        (when, &self.bucket, &self.key)
    }
}

/// Identity of a source object in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u128);

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectStatus {
    /// Every record of it is counted.
    Done,
    /// Not a log file: a digest, an Insights file, an empty file.
    Skipped,
    /// It could not be read; nothing of it is counted.
    Failed,
}

impl ObjectStatus {
    /// The word in the `status` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// Records of an object by outcome; each record is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordCounts {
    /// Uses, administers or names a KMS key, or a rule asked for it: counted as usage.
    pub analysed: u64,
    /// Nothing to do with KMS keys.
    pub not_relevant: u64,
    /// Another kind of record: Insights, network activity, aggregates.
    pub other_kind: u64,
    /// The same event was read before, in another object.
    pub duplicate: u64,
    /// Not a CloudTrail record; the first of an object are kept raw in `rejects`.
    pub malformed: u64,
}

impl RecordCounts {
    /// All records.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.analysed + self.not_relevant + self.other_kind + self.duplicate + self.malformed
    }

    /// Adds another object's counts.
    pub fn add(&mut self, other: &Self) {
        self.analysed += other.analysed;
        self.not_relevant += other.not_relevant;
        self.other_kind += other.other_kind;
        self.duplicate += other.duplicate;
        self.malformed += other.malformed;
    }
}
