//! Everything drawn from one object: all of it is committed, or nothing.

use std::collections::BTreeMap;

use super::configuration::Configuration;
use super::finding::Finding;
use super::key_change::KeyChange;
use super::object::{ObjectRef, ObjectStatus, RecordCounts};
use super::usage::UsageCounts;

/// What one object came to.
#[derive(Debug)]
pub struct Yield {
    /// The object.
    pub object: ObjectRef,
    /// What became of it.
    pub status: ObjectStatus,
    /// Why it was skipped or failed; empty if done.
    pub reason: String,
    /// Its records by outcome.
    pub records: RecordCounts,
    /// Bytes of JSON after decompression.
    pub json_bytes: u64,
    /// Findings of event rules.
    pub findings: Vec<Finding>,
    /// Counted requests.
    pub usage: UsageCounts,
    /// Acts on keys, and facts learned.
    pub key_changes: Vec<KeyChange>,
    /// What services were told of encryption.
    pub configurations: Vec<Configuration>,
    /// Operations of KMS that this version does not know, and how often they were called.
    pub unknown_operations: BTreeMap<String, u64>,
    /// Records that could not be read: the first of them.
    pub rejects: Vec<Reject>,
    /// Identity of every analysed record, to notice a second delivery.
    pub seen: Vec<SeenEvent>,
}

impl Yield {
    /// An object that came to nothing, and why.
    #[must_use]
    pub fn without_records(object: ObjectRef, status: ObjectStatus, reason: String) -> Self {
        Self {
            object,
            status,
            reason,
            records: RecordCounts::default(),
            json_bytes: 0,
            findings: Vec::new(),
            usage: UsageCounts::default(),
            key_changes: Vec::new(),
            configurations: Vec::new(),
            unknown_operations: BTreeMap::new(),
            rejects: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Bytes held, nearly: what an open batch costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Names take little, and nearly the same in each row; what has no bound is counted.
        let findings = self.findings.iter().map(|f| 1_500 + f.message.len() + f.evidence.len()).sum::<usize>();
        let key_changes = self.key_changes.iter().map(|c| 1_500 + c.policy.len() + c.tags.len()).sum::<usize>();
        let configurations = self.configurations.iter().map(|c| 900 + c.resource.len()).sum::<usize>();
        let rejects = self.rejects.iter().map(|r| 96 + r.raw.len()).sum::<usize>();
        let unknown = self.unknown_operations.keys().map(|name| 96 + name.len()).sum::<usize>();
        self.usage.bytes()
            + findings
            + key_changes
            + configurations
            + unknown
            + self.seen.len() * size_of::<SeenEvent>()
            + rejects
            + 512
    }
}

/// A record that could not be read, as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: String,
    /// Offset of its first byte in the decompressed object.
    pub offset: u64,
    /// Its bytes; at most [`Reject::MAX_RAW`] of them.
    pub raw: Vec<u8>,
}

impl Reject {
    /// CloudTrail records end at 256 KB; what is longer is cut.
    pub const MAX_RAW: usize = 256 * 1024;
    /// Rejects kept of one object: whoever mends it looks at the first of them, and a file may hold millions.
    pub const MAX_OF_OBJECT: usize = 1_000;
    /// Bytes kept of one object's rejects.
    pub const MAX_RAW_OF_OBJECT: usize = 16 << 20;
}

/// An analysed record: a hash of its `eventID` and `recipientAccountId`, and its hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenEvent {
    /// 64 bits of identity.
    pub id: u64,
    /// Hours since 1970; of a corrected record [`SeenEvent::SOME_HOUR`].
    pub hour: u32,
}

impl SeenEvent {
    /// The hour of an event that is not known: a correction has a time of its own.
    pub const SOME_HOUR: u32 = u32::MAX - 1;
}
