//! Tells of bad findings at once: on a stream, to an SNS topic, to a webhook.
//!
//! [`Alerts::offer`] never waits. Each place has a queue and a task of its own, so that one that hangs
//! holds up nobody. What finds a queue full is dropped, counted and logged; the finding itself is in
//! the tables in any case. An alert may come more than once, from several workers, after a crash, or
//! where one of several places did not get it: its `finding_id` tells.

pub mod line;
pub mod sink;
pub mod stream;
pub mod target;
pub mod topic;
pub mod webhook;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashSet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_64;

use self::line::{Alert, LARGEST_LINE};
use self::sink::{Sink, Undelivered};
use crate::cloud::{Failure, Retries};
use crate::model::finding::Finding;
use crate::model::severity::Severity;
use crate::telemetry::log::{Happening, Log, Reason};
use crate::telemetry::metrics::{AlertOutcome, Metrics, Retried};

/// Settings of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Findings at least so bad are told.
    pub least: Severity,
    /// Tries for each alert, and the pauses between them.
    pub retries: Retries,
    /// Longest that one try may take.
    pub try_time: Duration,
    /// Bytes of alerts that may wait for one place.
    pub room: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            least: Severity::Critical,
            retries: Retries { attempts: 3, first_pause: Duration::from_secs(1) },
            try_time: Duration::from_secs(10),
            room: 16 * 1024 * 1024,
        }
    }
}

/// Finding ids that are remembered as told: half a megabyte. More than that in one process is a flood,
/// of which repetitions are the least part.
const REMEMBERED: usize = 32 * 1_024;

/// What a waiting alert costs beside its line.
const OVERHEAD: usize = 1_024;

/// Tells of findings. Shared by all threads; made within a tokio runtime.
pub struct Alerts {
    least: Severity,
    told: Arc<Mutex<Told>>,
    places: Vec<Place>,
    /// Alerts that wait or are being sent, at all places.
    open: watch::Sender<usize>,
    tasks: Mutex<JoinSet<()>>,
    metrics: Arc<Metrics>,
    log: Log,
}

/// The way to a place.
struct Place {
    name: String,
    room: Arc<Semaphore>,
    queue: mpsc::UnboundedSender<Waiting>,
}

struct Waiting {
    alert: Arc<Alert>,
    /// Free again when the alert is dealt with.
    _room: OwnedSemaphorePermit,
    _open: Open,
}

/// Counts an alert as open, until dropped.
struct Open(watch::Sender<usize>);

impl Open {
    fn one(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Alerts {
    /// Tells these places from now on. Without any, nothing is told.
    #[must_use]
    pub fn start(settings: &Settings, sinks: Vec<Arc<dyn Sink>>, metrics: Arc<Metrics>, log: Log) -> Self {
        let (mut tasks, mut places) = (JoinSet::new(), Vec::with_capacity(sinks.len()));
        let told = Arc::<Mutex<Told>>::default();
        // An alert has room when nothing else waits.
        let room = settings.room.clamp(LARGEST_LINE + OVERHEAD, Semaphore::MAX_PERMITS);
        for sink in sinks {
            let (queue, waiting) = mpsc::unbounded_channel();
            places.push(Place { name: sink.name().to_owned(), room: Arc::new(Semaphore::new(room)), queue });
            let (told, metrics) = (Arc::clone(&told), Arc::clone(&metrics));
            let carrier = Carrier { sink, settings: *settings, told, metrics, log: log.clone() };
            tasks.spawn(carrier.carry(waiting));
        }
        let (open, tasks) = (watch::Sender::new(0), Mutex::new(tasks));
        Self { least: settings.least, told, places, open, tasks, metrics, log }
    }

    /// Tells of a finding, if it is bad enough and was not told yet. Never waits.
    pub fn offer(&self, finding: &Finding) {
        if finding.severity < self.least || self.places.is_empty() || !Told::add(&self.told, &finding.finding_id) {
            return;
        }
        let alert = Arc::new(Alert::of(finding));
        for place in &self.places {
            if !place.take(&alert, &self.open) {
                Told::forget(&self.told, &alert.finding_id);
                self.metrics.alerts.add(AlertOutcome::Dropped, 1);
                self.log.say(&Happening::AlertDropped { to: &place.name, finding_id: &alert.finding_id });
            }
        }
    }

    /// Alerts that wait or are being sent, over all places.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Waits until nothing is open, but no longer than this. Whether it came to that.
    pub async fn flush(&self, within: Duration) -> bool {
        let mut open = self.open.subscribe();
        timeout(within, open.wait_for(|count| *count == 0)).await.is_ok()
    }

    /// Sends what waits, for no longer than this, and ends. Returns how many alerts were left.
    pub async fn close(&self, within: Duration) -> usize {
        self.flush(within).await;
        let left = self.open();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        if left > 0 {
            let count = u64::try_from(left).unwrap_or(u64::MAX);
            self.metrics.alerts.add(AlertOutcome::Dropped, count);
            self.log.say(&Happening::AlertsLeft { count });
        }
        left
    }
}

impl Place {
    /// Puts an alert into the queue, if there is room.
    fn take(&self, alert: &Arc<Alert>, open: &watch::Sender<usize>) -> bool {
        let bytes = u32::try_from(alert.line.len() + OVERHEAD).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else { return false };
        let waiting = Waiting { alert: Arc::clone(alert), _room: room, _open: Open::one(open) };
        self.queue.send(waiting).is_ok()
    }
}

/// Carries alerts to one place, one by one.
struct Carrier {
    sink: Arc<dyn Sink>,
    settings: Settings,
    told: Arc<Mutex<Told>>,
    metrics: Arc<Metrics>,
    log: Log,
}

impl Carrier {
    async fn carry(self, mut queue: mpsc::UnboundedReceiver<Waiting>) {
        while let Some(waiting) = queue.recv().await {
            self.deliver(&waiting.alert).await;
        }
    }

    async fn deliver(&self, alert: &Alert) {
        let Settings { retries, try_time, .. } = self.settings;
        let mut tries = 0;
        let result = retries
            .run(|| {
                tries += 1;
                self.metrics.retries.add(Retried::Alert, u64::from(tries > 1));
                async move {
                    let late = |_| Failure::transient(format!("no answer within {try_time:?}"));
                    timeout(try_time, self.sink.send(alert)).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
                }
            })
            .await;
        match result {
            Ok(()) => self.metrics.alerts.add(AlertOutcome::Sent, 1),
            Err(failure) => {
                Told::forget(&self.told, &alert.finding_id);
                self.metrics.alerts.add(AlertOutcome::Failed, 1);
                let (to, finding_id, failure) = (self.sink.name(), &*alert.finding_id, Undelivered(failure));
                self.log.say(&Happening::AlertFailed { to, finding_id, tries, reason: Reason::Error(&failure) });
            }
        }
    }
}

/// The latest finding ids that were told.
#[derive(Default)]
struct Told {
    known: FxHashSet<u64>,
    order: VecDeque<u64>,
}

impl Told {
    /// Adds a finding's id; whether it was not known.
    fn add(told: &Mutex<Self>, finding_id: &str) -> bool {
        told.lock().unwrap_or_else(PoisonError::into_inner).insert(xxh3_64(finding_id.as_bytes()))
    }

    /// An alert did not arrive somewhere: when the finding comes again, it is told again.
    fn forget(told: &Mutex<Self>, finding_id: &str) {
        told.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&xxh3_64(finding_id.as_bytes()));
    }

    fn insert(&mut self, id: u64) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        // One that was forgotten and came again stands in the order twice, and goes early: no harm.
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::line::tests::finding;
    use super::*;
    use crate::alerts::sink::BoxFuture;
    use crate::telemetry::log::{Format, Level};

    /// Remembers what it was sent, and answers as told.
    #[derive(Default)]
    struct Fake {
        sent: Mutex<Vec<String>>,
        /// Failures before the first success.
        fails: u32,
        hangs: bool,
    }

    impl Sink for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn send<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Result<(), Failure>> {
            Box::pin(async move {
                let tries = {
                    let mut sent = self.sent.lock().expect("a lock");
                    sent.push(alert.finding_id.clone());
                    sent.len()
                };
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                if tries > self.fails as usize { Ok(()) } else { Err(Failure::transient("busy")) }
            })
        }
    }

    impl Fake {
        fn sent(&self) -> Vec<String> {
            self.sent.lock().expect("a lock").clone()
        }
    }

    fn start(settings: &Settings, sinks: &[&Arc<Fake>]) -> (Alerts, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new([]));
        let sinks = sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect();
        let log = Log::to(Format::Text, Level::Error, std::io::sink());
        (Alerts::start(settings, sinks, Arc::clone(&metrics), log), metrics)
    }

    const SOON: Duration = Duration::from_mins(5);

    #[tokio::test(start_paused = true)]
    async fn bad_findings_are_told_once_and_others_not_at_all() {
        let sink = Arc::new(Fake::default());
        let (alerts, metrics) = start(&Settings::default(), &[&sink]);
        for (id, severity) in
            [("a", Severity::Critical), ("b", Severity::High), ("a", Severity::Critical), ("c", Severity::Critical)]
        {
            alerts.offer(&finding(id, severity));
        }
        assert!(alerts.flush(SOON).await);
        assert_eq!(sink.sent(), ["a", "c"]);
        assert_eq!(metrics.alerts.get(AlertOutcome::Sent), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_and_given_up_after_three_times() {
        let sink = Arc::new(Fake { fails: 5, ..Fake::default() });
        let (alerts, metrics) = start(&Settings::default(), &[&sink]);
        alerts.offer(&finding("a", Severity::Critical));
        alerts.offer(&finding("b", Severity::Critical));
        assert!(alerts.flush(SOON).await);
        assert_eq!(sink.sent(), ["a", "a", "a", "b", "b", "b"]);
        let count = |outcome| metrics.alerts.get(outcome);
        assert_eq!((count(AlertOutcome::Failed), count(AlertOutcome::Sent)), (1, 1));
        assert_eq!(metrics.retries.get(Retried::Alert), 4);
        alerts.offer(&finding("a", Severity::Critical));
        alerts.offer(&finding("b", Severity::Critical));
        assert!(alerts.flush(SOON).await);
        assert_eq!(sink.sent()[6..], ["a"], "what did not arrive is told when it comes again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_hangs_holds_up_nobody_and_what_it_has_no_room_for_is_dropped() {
        let (hangs, works) = (Arc::new(Fake { hangs: true, ..Fake::default() }), Arc::new(Fake::default()));
        // The least: room for one alert of the largest size.
        let (alerts, metrics) = start(&Settings { room: 0, ..Settings::default() }, &[&hangs, &works]);
        let before = tokio::time::Instant::now();
        for id in 0..1_000 {
            alerts.offer(&finding(&id.to_string(), Severity::Critical));
            tokio::task::yield_now().await;
        }
        assert_eq!(tokio::time::Instant::now(), before, "nothing waits");
        let dropped = metrics.alerts.get(AlertOutcome::Dropped);
        assert!((500..1_000).contains(&dropped), "{dropped}");
        assert_eq!(works.sent().len(), 1_000);
        assert_eq!(alerts.close(Duration::from_secs(5)).await as u64, 1_000 - dropped);
        assert_eq!(tokio::time::Instant::now() - before, Duration::from_secs(5), "the end is in time");
        assert_eq!(metrics.alerts.get(AlertOutcome::Dropped), 1_000, "what is left is counted");
    }

    #[test]
    fn what_was_told_is_remembered_within_bounds() {
        let mut told = Told::default();
        for id in 0..2 * REMEMBERED as u64 {
            assert!(told.insert(id));
        }
        assert_eq!((told.known.len(), told.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!told.insert(2 * REMEMBERED as u64 - 1) && told.insert(0));
    }
}
