//! What a tail tells while it runs: its log, its metrics, its health, and bad findings at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::alerts::Alerts;
use crate::lake::batch::Committed;
use crate::model::object::{ObjectRef, ObjectStatus};
use crate::model::r#yield::Yield;
use crate::pipeline::Observer;
use crate::source::lease::Trouble;
use crate::source::notification::{PassedOver, Unreadable};
use crate::source::queue::QueueError;
use crate::source::{FetchError, Verdict};
use crate::telemetry::clock;
use crate::telemetry::health::Health;
use crate::telemetry::log::{Happening, Log, Object, Reason};
use crate::telemetry::metrics::{MessageOutcome, Metrics, ObjectOutcome, Retried, delivered};

/// All that is told.
pub(super) struct Watch {
    pub(super) log: Log,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) alerts: Alerts,
    /// Messages that were told of as unreadable.
    unreadable: Mutex<HashSet<String>>,
}

/// Unreadable messages that are remembered: beyond that, each delivery is told of.
const REMEMBERED: usize = 10_000;

impl Watch {
    pub(super) fn new(log: Log, metrics: Arc<Metrics>, health: Arc<Health>, alerts: Alerts) -> Self {
        Self { log, metrics, health, alerts, unreadable: Mutex::default() }
    }

    /// How many messages said nothing to us.
    pub(super) fn unreadable(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn lease_trouble(&self, trouble: &Trouble) {
        self.log.say(&Happening::LeaseLost { reason: Reason::Error(trouble) });
    }
}

impl Observer for Watch {
    fn polled(&self, sent_ms: &[Option<i64>]) {
        self.health.polled();
        let oldest = sent_ms.iter().flatten().min().map_or(Duration::ZERO, |sent| {
            let age = clock::since_1970().as_millis().saturating_sub(u128::try_from(*sent).unwrap_or_default());
            Duration::from_millis(u64::try_from(age).unwrap_or_default())
        });
        self.metrics.oldest_message.set(oldest.as_secs_f64());
    }

    fn unreadable(&self, message: &str, received: u32, why: &Unreadable) {
        self.metrics.messages.add(MessageOutcome::Unreadable, 1);
        // Once, however often it comes again to this process.
        let mut told = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !told.contains(message);
        if is_new && told.len() < REMEMBERED {
            told.insert(message.to_owned());
        }
        if is_new {
            self.log.say(&Happening::MessageUnreadable { message, received, reason: Reason::Error(why) });
        }
    }

    fn passed_over(&self, what: PassedOver, times: u32) {
        self.metrics.passed_over(what.as_str(), times);
    }

    fn queue_trouble(&self, error: &QueueError, attempt: u32, pause: Duration) {
        self.metrics.retries.add(Retried::Queue, 1);
        let reason = Reason::Error(error);
        self.log.say(&Happening::Retrying { what: "queue", attempt, after_seconds: pause, reason });
    }

    fn fetch_trouble(&self, object: &ObjectRef, error: &FetchError, verdict: Verdict) {
        if verdict == Verdict::Retry {
            self.metrics.retries.add(Retried::Fetch, 1);
            self.log.say(&Happening::ObjectPutOff { object: Object(object), reason: Reason::Error(error) });
        }
    }

    fn fetched(&self, bytes: usize, took: Duration) {
        self.metrics.fetched(bytes as u64, took);
    }

    fn drawn(&self, drawn: &Yield) {
        // Before the commit: a crash in between tells again, and no crash keeps silent.
        drawn.findings.iter().for_each(|finding| self.alerts.offer(finding));
        let (object, reason) = (Object(&drawn.object), Reason::Yield(drawn));
        match drawn.status {
            ObjectStatus::Done => {}
            ObjectStatus::Skipped => self.log.say(&Happening::ObjectSkipped { object, reason }),
            ObjectStatus::Failed => self.log.say(&Happening::ObjectFailed { object, reason }),
        }
    }

    fn held(&self) {
        self.health.holds_rows();
    }

    fn already_done(&self, _: &ObjectRef) {
        self.metrics.objects.add(ObjectOutcome::AlreadyDone, 1);
    }

    fn committed(&self, written: &[Yield], committed: &Committed, took: Duration) {
        written.iter().for_each(|drawn| self.metrics.count(drawn));
        self.metrics.objects.add(ObjectOutcome::AlreadyDone, committed.taken);
        // Where all was on record, nothing was committed.
        let commit = (!written.is_empty()).then(|| written.iter().filter_map(delivered));
        let lag_seconds = commit.and_then(|delivered| self.metrics.committed(delivered, took));
        self.health.committed();
        self.log.say(&Happening::Committed {
            objects: written.len() as u64,
            taken: committed.taken,
            records: written.iter().map(|drawn| drawn.records.total()).sum(),
            findings: written.iter().map(|drawn| drawn.findings.len() as u64).sum(),
            rows: committed.rows,
            bytes: committed.bytes,
            seconds: took,
            lag_seconds,
        });
    }
}
