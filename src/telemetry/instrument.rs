//! What counts and measures: atomics that any thread bumps, and how each is written for Prometheus.
//!
//! Labels are enums, so a series is a place in an array: no map, no lock, and every series is there
//! from the start with a zero, as `increase()` needs it to notice the first.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::severity::Severity;

/// What can be written for Prometheus.
pub trait Instrument {
    /// Its type, as Prometheus calls it.
    const KIND: &'static str;
    /// The labels of its series.
    const LABELS: &'static [&'static str] = &[];

    /// Writes its series, a line each.
    fn render(&self, name: &str, out: &mut String);
}

/// Goes up only.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What it has come to.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Instrument for Counter {
    const KIND: &'static str = "counter";

    fn render(&self, name: &str, out: &mut String) {
        line(out, name, &[], self.get());
    }
}

/// Goes up and down. Nothing is written of it before it was first set: unknown is not zero.
#[derive(Debug)]
pub struct Gauge(AtomicU64);

impl Default for Gauge {
    fn default() -> Self {
        Self(AtomicU64::new(f64::NAN.to_bits()))
    }
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// What it stands at, if it was set.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        Some(f64::from_bits(self.0.load(Ordering::Relaxed))).filter(|value| !value.is_nan())
    }
}

impl Instrument for Gauge {
    const KIND: &'static str = "gauge";

    fn render(&self, name: &str, out: &mut String) {
        if let Some(value) = self.get() {
            line(out, name, &[], value);
        }
    }
}

/// The values of a label.
pub trait Label: Copy + Debug + 'static {
    /// Name of the label.
    const NAME: &'static str;
    /// All values, in the order of their numbers.
    const ALL: &'static [Self];

    /// The value as written.
    fn word(self) -> &'static str;

    /// Its place in [`Self::ALL`].
    fn place(self) -> usize;
}

/// A label as an enum: its name, and its values with their words.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident = $label:literal { $($value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`.")] $value,)*
        }

        impl $crate::telemetry::instrument::Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$value,)*];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    };
}
pub(super) use label;

/// A counter for each value of a label.
#[derive(Debug)]
pub struct Counters<L>(Box<[AtomicU64]>, PhantomData<L>);

impl<L: Label> Default for Counters<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| AtomicU64::default()).collect(), PhantomData)
    }
}

impl<L: Label> Counters<L> {
    /// Adds.
    pub fn add(&self, label: L, count: u64) {
        self.0[label.place()].fetch_add(count, Ordering::Relaxed);
    }

    /// Raises it to what somebody else has counted so far; it never falls.
    pub fn reached(&self, label: L, total: u64) {
        self.0[label.place()].fetch_max(total, Ordering::Relaxed);
    }

    /// What it has come to.
    #[must_use]
    pub fn get(&self, label: L) -> u64 {
        self.0[label.place()].load(Ordering::Relaxed)
    }
}

impl<L: Label> Instrument for Counters<L> {
    const KIND: &'static str = "counter";
    const LABELS: &'static [&'static str] = &[L::NAME];

    fn render(&self, name: &str, out: &mut String) {
        for label in L::ALL {
            line(out, name, &[(L::NAME, label.word())], self.get(*label));
        }
    }
}

/// A gauge for each value of a label.
#[derive(Debug)]
pub struct Gauges<L>(Box<[Gauge]>, PhantomData<L>);

impl<L: Label> Default for Gauges<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| Gauge::default()).collect(), PhantomData)
    }
}

impl<L: Label> Gauges<L> {
    /// Sets it.
    pub fn set(&self, label: L, value: f64) {
        self.0[label.place()].set(value);
    }
}

impl<L: Label> Instrument for Gauges<L> {
    const KIND: &'static str = "gauge";
    const LABELS: &'static [&'static str] = &[L::NAME];

    fn render(&self, name: &str, out: &mut String) {
        for label in L::ALL {
            if let Some(value) = self.0[label.place()].get() {
                line(out, name, &[(L::NAME, label.word())], value);
            }
        }
    }
}

/// Upper bounds of a histogram's buckets, in seconds: from a fetch on a fast network to a log that
/// comes a day late. One set for all, so that panels can be laid side by side.
pub const BOUNDS: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0,
    86_400.0,
];

/// How long things take.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Each bucket by itself; the last is for what is longer than all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

impl Instrument for Histogram {
    const KIND: &'static str = "histogram";

    fn render(&self, name: &str, out: &mut String) {
        let mut count = 0;
        let bucket_name = format!("{name}_bucket");
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS.map(Some).into_iter().chain([None])) {
            count += bucket.load(Ordering::Relaxed);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            line(out, &bucket_name, &[("le", &bound)], count);
        }
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        line(out, &format!("{name}_sum"), &[], sum);
        // The last bucket and the count are the same number, whatever is observed meanwhile.
        line(out, &format!("{name}_count"), &[], count);
    }
}

/// Findings by rule and severity. Findings are rare, so a lock does no harm.
#[derive(Debug, Default)]
pub struct Findings(Mutex<BTreeMap<(&'static str, Severity), u64>>);

impl Findings {
    /// Adds; with a count of 0 the series is there to be noticed when it rises.
    pub fn add(&self, rule: &'static str, severity: Severity, count: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((rule, severity)).or_default() += count;
    }

    /// What it has come to.
    #[must_use]
    pub fn get(&self, rule: &'static str, severity: Severity) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(rule, severity)).copied().unwrap_or_default()
    }
}

impl Instrument for Findings {
    const KIND: &'static str = "counter";
    const LABELS: &'static [&'static str] = &["rule", "severity"];

    fn render(&self, name: &str, out: &mut String) {
        for ((rule, severity), count) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            line(out, name, &[("rule", rule), ("severity", severity.as_str())], *count);
        }
    }
}

/// One series. Values of labels are words of our own, but for quotes nothing relies on that.
fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    out.push_str(name);
    for (at, (label, word)) in labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = write!(out, "{before}{label}=\"{word}\"");
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(instrument: &impl Instrument) -> String {
        let mut out = String::new();
        instrument.render("x", &mut out);
        out
    }

    #[test]
    fn a_bucket_holds_what_is_at_most_its_bound_and_all_below_it() {
        let histogram = Histogram::default();
        for milliseconds in [5, 6, 1_000, 100_000_000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let text = rendered(&histogram);
        for line in [
            "x_bucket{le=\"0.005\"} 1\n",
            "x_bucket{le=\"0.01\"} 2\n",
            "x_bucket{le=\"1\"} 3\n",
            "x_bucket{le=\"86400\"} 3\n",
            "x_bucket{le=\"+Inf\"} 4\n",
            "x_sum 100001.011\n",
            "x_count 4\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_gauge_that_was_never_set_is_not_written() {
        let gauge = Gauge::default();
        assert_eq!(rendered(&gauge), "");
        gauge.set(0.0);
        assert_eq!(rendered(&gauge), "x 0\n");
    }

    #[test]
    fn labels_are_escaped() {
        let findings = Findings::default();
        findings.add("a\"b\\c\nd", Severity::High, 2);
        assert_eq!(rendered(&findings), "x{rule=\"a\\\"b\\\\c\\nd\",severity=\"high\"} 2\n");
    }

    #[test]
    fn a_total_counted_elsewhere_never_falls() {
        label!(
            /// Of the test.
            Word = "word" { A = "a", B = "b", }
        );
        let counters = Counters::<Word>::default();
        counters.reached(Word::A, 5);
        counters.reached(Word::A, 3);
        counters.add(Word::B, 1);
        assert_eq!(rendered(&counters), "x{word=\"a\"} 5\nx{word=\"b\"} 1\n");
    }
}
