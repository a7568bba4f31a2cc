//! The metrics: each stands once in a table, from which the struct, what is scraped and the documentation are made.

use std::fmt::Write as _;
use std::time::Duration;

use super::instrument::{Counter, Counters, Findings, Gauge, Gauges, Histogram, Instrument, Label, label};
use super::{clock, process};
use crate::model::object::ObjectStatus;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::r#yield::Yield;

label!(
    /// What became of a message.
    MessageOutcome = "outcome" {
        Acknowledged = "acknowledged",
        GivenBack = "given_back",
        Unreadable = "unreadable",
        NotAcknowledged = "not_acknowledged",
        LeaseLost = "lease_lost",
    }
);

label!(
    /// What a message told of that is no log file: the words of the notifications' reader.
    PassedOver = "what" {
        TestEvent = "test_event",
        Validation = "validation",
        Subscription = "subscription",
        OtherEvent = "other_event",
        Digest = "digest",
        Insight = "insight",
        Else = "else",
    }
);

label!(
    /// What became of an object.
    ObjectOutcome = "outcome" {
        Done = "done",
        Skipped = "skipped",
        Failed = "failed",
        AlreadyDone = "already_done",
    }
);

label!(
    /// What became of a record.
    RecordOutcome = "outcome" {
        Analysed = "analysed",
        NotRelevant = "not_relevant",
        OtherKind = "other_kind",
        Duplicate = "duplicate",
        Malformed = "malformed",
    }
);

label!(
    /// Where messages are.
    QueueState = "state" {
        Visible = "visible",
        InFlight = "in_flight",
        Delayed = "delayed",
        Held = "held",
    }
);

label!(
    /// What was tried again.
    Retried = "of" {
        Queue = "queue",
        Fetch = "fetch",
        Commit = "commit",
        Fold = "fold",
        Alert = "alert",
    }
);

label!(
    /// What became of an alert, at one of the places that it goes to.
    AlertOutcome = "outcome" {
        Sent = "sent",
        Failed = "failed",
        Dropped = "dropped",
    }
);

/// A metric, for the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// Name.
    pub name: &'static str,
    /// Type, as Prometheus calls it.
    pub kind: &'static str,
    /// What one of it is.
    pub unit: &'static str,
    /// Labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! metrics {
    ($($field:ident: $kind:ty = $name:literal, $unit:literal, $meaning:literal;)*) => {
        /// Everything that is counted and measured while a tail runs. Shared by all threads.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $meaning] pub $field: $kind,)*
        }

        /// All metrics, in the order in which they are written.
        pub const TABLE: &[Description] = &[$(
            Description {
                name: $name,
                kind: <$kind as Instrument>::KIND,
                unit: $unit,
                labels: <$kind as Instrument>::LABELS,
                meaning: $meaning,
            },
        )*];

        impl Metrics {
            fn render_into(&self, out: &mut String) {
                $(series(out, $name, $meaning, &self.$field);)*
            }
        }
    };
}

#[rustfmt::skip]
metrics! {
    lag: Gauge = "keytrail_lag_seconds", "seconds", "From the delivery of an object, as its name tells it, to its commit: the longest of the last commit. Where the name does not tell, from its last counted event.";
    object_lag: Histogram = "keytrail_object_lag_seconds", "seconds", "The same for each object.";
    last_commit: Gauge = "keytrail_last_commit_timestamp_seconds", "seconds since 1970", "When the last commit was.";
    queue: Gauges<QueueState> = "keytrail_queue_messages", "messages", "Messages in the queue, about, as the queue tells it; held are those that this process holds.";
    oldest_message: Gauge = "keytrail_oldest_message_age_seconds", "seconds", "Age of the oldest message that was last received or is held.";
    messages: Counters<MessageOutcome> = "keytrail_messages_total", "messages", "Deliveries of messages by what became of them. An unreadable one is left for the dead-letter queue.";
    passed_over: Counters<PassedOver> = "keytrail_passed_over_total", "notices", "What messages told of that is no log file: acknowledged, nothing else.";
    objects: Counters<ObjectOutcome> = "keytrail_objects_total", "objects", "Objects by what became of them, counted when they are committed; those already done were in the ledger. Of an object that fails again and again, the first time counts.";
    records: Counters<RecordOutcome> = "keytrail_records_total", "records", "Records of committed objects by what became of them.";
    findings: Findings = "keytrail_findings_total", "findings", "Committed findings of event rules by rule and severity, copies of one call included.";
    alerts: Counters<AlertOutcome> = "keytrail_alerts_total", "alerts", "Alerts by what became of them; dropped ones found their queue full.";
    commit_time: Histogram = "keytrail_commit_seconds", "seconds", "Time that a commit takes, from staging to publishing.";
    fetch_time: Histogram = "keytrail_fetch_seconds", "seconds", "Time that it takes to fetch an object, attempts included.";
    fetched: Counter = "keytrail_fetched_bytes_total", "bytes", "Bytes fetched, as stored.";
    retries: Counters<Retried> = "keytrail_retries_total", "attempts", "What was tried again after a failure that may pass. The attempts inside of the AWS SDK are not seen.";
    fold_time: Histogram = "keytrail_fold_seconds", "seconds", "Time that a fold takes.";
    resident: Gauge = "process_resident_memory_bytes", "bytes", "Resident memory.";
    open_files: Gauge = "process_open_fds", "handles", "Open file handles, connections included.";
    started: Gauge = "process_start_time_seconds", "seconds since 1970", "When the process started.";
}

impl Metrics {
    /// All at zero, with a series for each of these rules: `rules::all()`.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = &'static str>) -> Self {
        let metrics = Self::default();
        for rule in rules {
            for severity in Severity::ALL {
                metrics.findings.add(rule, severity, 0);
            }
        }
        metrics.started.set(clock::since_1970().as_secs_f64());
        metrics
    }

    /// Counts an object that was committed, with its records and findings.
    pub fn count(&self, drawn: &Yield) {
        let outcome = match drawn.status {
            ObjectStatus::Done => ObjectOutcome::Done,
            ObjectStatus::Skipped => ObjectOutcome::Skipped,
            ObjectStatus::Failed => ObjectOutcome::Failed,
        };
        self.objects.add(outcome, 1);
        let records = &drawn.records;
        self.records.add(RecordOutcome::Analysed, records.analysed);
        self.records.add(RecordOutcome::NotRelevant, records.not_relevant);
        self.records.add(RecordOutcome::OtherKind, records.other_kind);
        self.records.add(RecordOutcome::Duplicate, records.duplicate);
        self.records.add(RecordOutcome::Malformed, records.malformed);
        for finding in &drawn.findings {
            self.findings.add(finding.rule_id, finding.severity, 1);
        }
    }

    /// A message told of something that is no log file, by its word.
    pub fn passed_over(&self, word: &str, times: u32) {
        let known = PassedOver::ALL.iter().copied().find(|what| what.word() == word);
        self.passed_over.add(known.unwrap_or(PassedOver::Else), times.into());
    }

    /// A fetch succeeded.
    pub fn fetched(&self, bytes: u64, took: Duration) {
        self.fetched.add(bytes);
        self.fetch_time.observe(took);
    }

    /// A commit of objects that were [`delivered`] at these times is durable and published. Returns
    /// the longest lag.
    pub fn committed(&self, delivered: impl IntoIterator<Item = Seconds>, took: Duration) -> Option<Duration> {
        self.commit_time.observe(took);
        self.committed_at(delivered, clock::seconds())
    }

    fn committed_at(&self, delivered: impl IntoIterator<Item = Seconds>, now: Seconds) -> Option<Duration> {
        let lags = delivered.into_iter().map(|time| {
            // Clocks differ, and a name may be anything: a time to come is no lag.
            let lag = Duration::from_secs(u64::try_from(now.0.saturating_sub(time.0)).unwrap_or_default());
            self.object_lag.observe(lag);
            lag
        });
        let longest = lags.max();
        if let Some(longest) = longest {
            self.lag.set(longest.as_secs_f64());
        }
        self.last_commit.set(Duration::from_secs(u64::try_from(now.0).unwrap_or_default()).as_secs_f64());
        longest
    }

    /// In Prometheus's text format, with the process's memory and handles as they are now.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = process::resident_bytes() {
            self.resident.set(bytes);
        }
        if let Some(count) = process::open_files() {
            self.open_files.set(count);
        }
        let mut out = String::with_capacity(32 * 1024);
        self.render_into(&mut out);
        out
    }
}

/// When an object was delivered: the minute in its name, or else the last event counted in it.
#[must_use]
pub fn delivered(drawn: &Yield) -> Option<Seconds> {
    drawn.object.name.minute.or_else(|| drawn.usage.last())
}

fn series<I: Instrument>(out: &mut String, name: &str, meaning: &str, instrument: &I) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {meaning}\n# TYPE {name} {}", I::KIND);
    instrument.render(name, out);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_their_unit() {
        let names: BTreeSet<_> = TABLE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for metric in TABLE {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == "counter", "{}", metric.name);
            assert!(!metric.unit.starts_with("seconds") || metric.name.ends_with("_seconds"), "{}", metric.name);
            assert!(!metric.meaning.contains(['\\', '\n']), "{}: HELP is written as it is", metric.name);
        }
    }

    #[test]
    fn the_longest_lag_of_a_commit_is_told_and_the_future_is_none() {
        let metrics = Metrics::new([]);
        assert_eq!(metrics.committed_at([], Seconds(1_000)), None);
        assert_eq!(metrics.lag.get(), None, "a commit of nothing has no lag");
        let times = [Seconds(900), Seconds(400), Seconds(5_000), Seconds(i64::MIN)];
        assert_eq!(metrics.committed_at(times[..3].iter().copied(), Seconds(1_000)), Some(Duration::from_mins(10)));
        assert_eq!(metrics.lag.get(), Some(600.0));
        assert!(metrics.committed_at([times[3]], Seconds(1_000)).is_some(), "no overflow");
        assert!(metrics.render().contains("keytrail_last_commit_timestamp_seconds 1000\n"));
    }

    #[test]
    fn each_rule_has_its_series_from_the_start() {
        let metrics = Metrics::new(["trail-blinded"]);
        let text = metrics.render();
        assert!(text.contains("keytrail_findings_total{rule=\"trail-blinded\",severity=\"critical\"} 0\n"), "{text}");
        assert!(text.contains("keytrail_objects_total{outcome=\"already_done\"} 0\n"), "{text}");
    }
}
