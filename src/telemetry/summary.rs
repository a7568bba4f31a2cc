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
    /// Findings of event rules in this run, of usage and posture rules in all that is committed; each once,
    /// but for copies that come a quarter of a million findings after the first.
    pub findings: Findings,
    #[serde(skip)]
    counted: FxHashSet<u64>,
    /// Operations of KMS that this version does not know, and how often they were called: the first hundred
    /// of them. They are counted in `usage` as class `unknown`.
    pub unknown_operations: BTreeMap<String, u64>,
    /// Calls of all others.
    pub more_unknown_operations: u64,
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
    /// Unknown operations that are named: more than KMS has. What is called so may be anybody's text.
    const NAMED_OPERATIONS: usize = 100;
    /// Bytes of a name, more than any of KMS's has.
    const LONGEST_OPERATION: usize = 64;
    /// Findings that are known again, in some 5 MiB: a tail runs for a year. When there are more, all are
    /// forgotten: a copy mostly comes soon after the first.
    const KNOWN_FINDINGS: usize = 1 << 18;

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
            self.add_unknown(operation, *count);
        }
        for finding in &drawn.findings {
            if self.counted.len() >= Self::KNOWN_FINDINGS {
                self.counted.clear();
            }
            if self.counted.insert(xxh3_64(finding.finding_id.as_bytes())) {
                self.findings.add(finding.severity, 1);
            }
        }
    }

    fn add_unknown(&mut self, operation: &str, count: u64) {
        if let Some(calls) = self.unknown_operations.get_mut(operation) {
            *calls += count;
        } else if self.unknown_operations.len() < Self::NAMED_OPERATIONS && operation.len() <= Self::LONGEST_OPERATION {
            self.unknown_operations.insert(operation.to_owned(), count);
        } else {
            self.more_unknown_operations += count;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Finding, Outcome, Subject};
    use crate::model::object::{ObjectName, ObjectRef};
    use crate::model::time::Seconds;

    fn drawn(operations: impl IntoIterator<Item = (String, u64)>) -> Yield {
        let (bucket, key, etag) = (String::new(), "/log".to_owned(), String::new());
        let object = ObjectRef { bucket, key, etag, size: 1, name: ObjectName::default() };
        let unknown_operations = operations.into_iter().collect();
        Yield { unknown_operations, ..Yield::without_records(object, ObjectStatus::Done, String::new()) }
    }

    fn finding(id: usize) -> Finding {
        Finding {
            finding_id: id.to_string(),
            rule_id: "rule",
            family: "family",
            severity: Severity::High,
            outcome: Outcome::Success,
            title: "",
            message: String::new(),
            event_time: Seconds(0),
            last_event_time: Seconds(0),
            event_count: 1,
            evidence: String::new(),
            mitre: &[],
            subject: Subject::default(),
            source_object: String::new(),
        }
    }

    #[test]
    fn copies_of_a_finding_are_known_and_what_is_remembered_of_them_is_bounded() {
        let mut summary = Summary::default();
        let all = Summary::KNOWN_FINDINGS + 10;
        for id in (0..all).chain([all - 1]) {
            summary.add(&Yield { findings: vec![finding(id)], ..drawn([]) });
        }
        assert_eq!(summary.findings.high, all as u64);
        assert!(summary.counted.len() <= Summary::KNOWN_FINDINGS);
    }

    /// Their names are whatever stands in a log.
    #[test]
    fn of_unknown_operations_only_some_are_named_and_all_are_counted() {
        let mut summary = Summary::default();
        summary.add(&drawn([("x".repeat(1 << 20), 5)]));
        for number in 0..1_000 {
            summary.add(&drawn([(format!("Made{number:04}"), 2), ("Made0000".to_owned(), 1)]));
        }
        assert_eq!(summary.unknown_operations.len(), 100);
        assert!(summary.unknown_operations.keys().all(|name| name.len() < 100));
        assert_eq!(summary.unknown_operations["Made0000"], 1_000);
        let named: u64 = summary.unknown_operations.values().sum();
        assert_eq!(named + summary.more_unknown_operations, 5 + 999 * 3 + 1);
    }
}
