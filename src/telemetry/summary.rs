//! The summary that every run ends with.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::model::object::{ObjectStatus, RecordCounts};
use crate::model::severity::Severity;
use crate::model::r#yield::Yield;

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Objects by outcome.
    pub objects: Objects,
    /// Records of this run's objects by outcome.
    pub records: RecordCounts,
    /// Findings of event rules in this run, of usage and posture rules in all that is committed; each once.
    pub findings: Findings,
    #[serde(skip)]
    counted: FxHashSet<u64>,
    /// Operations of KMS that this version does not know, and how often they were called. They are counted
    /// in `usage` as class `unknown`.
    pub unknown_operations: BTreeMap<String, u64>,
    /// Accounts that count as own, and whether the configuration or the trails say so.
    pub own_accounts: Option<OwnAccounts>,
    /// Keys known after the fold, if there was one.
    pub keys: Option<usize>,
    /// Rows written to batches.
    pub rows_written: u64,
    /// Parquet bytes written to batches.
    pub bytes_written: u64,
    /// Bytes read as stored.
    pub bytes_read: u64,
    /// Bytes of JSON after decompression.
    pub json_bytes: u64,
    /// Commits.
    pub commits: u64,
    /// What failed, and why: the first of them.
    pub failures: Vec<Failure>,
}

/// Which accounts count as own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnAccounts {
    /// Whether the configuration names them; else they are those in whose trails records were found.
    pub configured: bool,
    /// The accounts.
    pub accounts: Vec<String>,
    /// Accounts that have trails here and that the configuration does not name: they count as foreign.
    pub unlisted: Vec<String>,
}

/// Objects by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Objects {
    /// Found in the sources.
    pub found: u64,
    /// Committed before, by this or another process.
    pub already_done: u64,
    /// Analysed and committed.
    pub done: u64,
    /// No log files.
    pub skipped: u64,
    /// Could not be read.
    pub failed: u64,
    /// Not committed and published, because an error stopped the run: the next run takes them up.
    pub left: u64,
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Act now.
    pub critical: u64,
    /// Today.
    pub high: u64,
    /// This week.
    pub medium: u64,
    /// When there is time.
    pub low: u64,
    /// Worth a row.
    pub info: u64,
}

/// An object that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which.
    pub object: String,
    /// Why.
    pub reason: String,
}

impl Findings {
    /// Adds findings of one severity.
    pub fn add(&mut self, severity: Severity, count: u64) {
        *match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        } += count;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.critical + self.high + self.medium + self.low + self.info
    }
}

impl Summary {
    /// Failures that are named; all are counted, and have a row in `objects`.
    pub const NAMED_FAILURES: usize = 20;

    /// Adds what one object came to.
    pub fn add(&mut self, drawn: &Yield) {
        match drawn.status {
            ObjectStatus::Done => self.objects.done += 1,
            ObjectStatus::Skipped => self.objects.skipped += 1,
            ObjectStatus::Failed => self.fail(drawn.object.uri(), drawn.reason.clone()),
        }
        self.records.add(&drawn.records);
        self.bytes_read += drawn.object.size;
        self.json_bytes += drawn.json_bytes;
        for (operation, count) in &drawn.unknown_operations {
            *self.unknown_operations.entry(operation.clone()).or_default() += count;
        }
        for finding in &drawn.findings {
            if self.counted.insert(xxh3_64(finding.finding_id.as_bytes())) {
                self.findings.add(finding.severity, 1);
            }
        }
    }

    /// Counts an object that failed.
    pub fn fail(&mut self, object: String, reason: String) {
        self.objects.failed += 1;
        if self.failures.len() < Self::NAMED_FAILURES {
            self.failures.push(Failure { object, reason });
        }
    }

    /// Takes objects back that were counted when they were read, and could not be committed. What could
    /// not be read stays named.
    pub fn take_back(&mut self, statuses: &[ObjectStatus]) {
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count() as u64;
        self.objects.done -= count(ObjectStatus::Done);
        self.objects.skipped -= count(ObjectStatus::Skipped);
    }

    /// Notes that an error stopped the run: what has no outcome by now is left.
    pub fn stop(&mut self) {
        let o = &mut self.objects;
        o.left = o.found.saturating_sub(o.already_done + o.done + o.skipped + o.failed);
    }

    /// Whether every object found has exactly one outcome.
    #[must_use]
    pub const fn adds_up(&self) -> bool {
        let o = &self.objects;
        o.found == o.already_done + o.done + o.skipped + o.failed + o.left
    }
}
