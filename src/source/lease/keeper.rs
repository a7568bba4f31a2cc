//! The one task that holds all receipts: extends, acknowledges, gives back.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Counters, Room, Trouble, Watch};
use crate::source::queue::{LONGEST_INVISIBLE, Operation, Queue, QueueError, Reason, Receipt, Refused, Verdict};

/// Attempts to delete a message that is done with; then it may come again.
const ATTEMPTS: u32 = 5;

/// Messages that are deleted by one call to the queue: few enough that the first are not kept waiting.
const MOST_AT_ONCE: usize = 100;

/// What the keeper is told.
pub(super) enum Note {
    /// A message was received.
    Hold(u64, Entry),
    /// It is dealt with.
    Done(u64),
    /// It is not, and comes again after that time.
    GiveBack(u64, Duration),
    /// Wants to know when everything done is acknowledged.
    Flush(oneshot::Sender<()>),
    /// The end.
    Close(oneshot::Sender<()>),
}

/// A message that is held.
pub(super) struct Entry {
    receipt: Receipt,
    id: String,
    /// When it was received.
    since: Instant,
    /// When it comes again, without us.
    until: Instant,
    /// When to extend; `None` when there is no more use in it.
    renew: Option<Instant>,
    /// Attempts to delete it.
    attempts: u32,
    /// Its room; free when the entry is dropped.
    _room: Room,
}

impl Entry {
    pub(super) fn new(receipt: Receipt, id: String, now: Instant, visibility: Duration, room: Room) -> Self {
        let renew = Some(now + visibility / 2);
        Self { receipt, id, since: now, until: now + visibility, renew, attempts: 0, _room: room }
    }
}

/// A deletion that is under way.
type Deletion = Pin<Box<dyn Future<Output = Vec<Refused>> + Send>>;

/// Holds receipts.
pub(super) struct Keeper {
    queue: Arc<dyn Queue>,
    visibility: Duration,
    counters: Arc<Counters>,
    watch: Box<Watch>,
    /// By lease: being worked on.
    held: BTreeMap<u64, Entry>,
    /// Done, and not yet asked to be deleted; not before that time.
    done: Vec<(Instant, Entry)>,
    /// Being deleted, without their receipts, by their receipts' handles.
    deleting: HashMap<String, Entry>,
    flushes: Vec<oneshot::Sender<()>>,
}

/// A receipt for entries whose own one is under way.
fn no_receipt() -> Receipt {
    Receipt::new(String::new())
}

impl Keeper {
    pub(super) fn new(queue: Arc<dyn Queue>, visibility: Duration, counters: Arc<Counters>, watch: Box<Watch>) -> Self {
        let (held, done, deleting, flushes) = (BTreeMap::new(), Vec::new(), HashMap::new(), Vec::new());
        Self { queue, visibility, counters, watch, held, done, deleting, flushes }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Note>) {
        let mut notes = Vec::new();
        // Deleting goes on while others are extended: a call that hangs must not cost their leases.
        let mut deletion: Option<Deletion> = None;
        let ended = loop {
            if deletion.is_none() {
                deletion = self.delete_some();
            }
            let wake = self.wake(deletion.is_some());
            tokio::select! {
                count = inbox.recv_many(&mut notes, MOST_AT_ONCE) => if count == 0 { break None },
                refused = async { if let Some(call) = &mut deletion { call.await } else { std::future::pending().await } } => {
                    deletion = None;
                    self.deleted(refused);
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            if let Some(ended) = self.take(notes.drain(..)).await {
                break Some(ended);
            }
            self.extend().await;
            self.flushed();
        };
        self.close(deletion).await;
        if let Some(ended) = ended {
            let _ = ended.send(());
        }
    }

    /// When there is something to do although nobody says anything.
    fn wake(&self, deleting: bool) -> Option<Instant> {
        let renew = self.held.values().filter_map(|entry| entry.renew).min();
        let delete = self.done.iter().map(|(not_before, _)| *not_before).min().filter(|_| !deleting);
        renew.into_iter().chain(delete).min()
    }

    /// Takes notes; returns who waits for the end, if this is it.
    async fn take(&mut self, notes: impl Iterator<Item = Note>) -> Option<oneshot::Sender<()>> {
        let mut back: BTreeMap<Duration, Vec<Entry>> = BTreeMap::new();
        let mut ended = None;
        for note in notes {
            match note {
                Note::Hold(lease, entry) => drop(self.held.insert(lease, entry)),
                Note::Done(lease) => self.done.extend(self.held.remove(&lease).map(|entry| (Instant::now(), entry))),
                Note::GiveBack(lease, after) => {
                    back.entry(after).or_default().extend(self.held.remove(&lease));
                }
                Note::Flush(waiting) => self.flushes.push(waiting),
                Note::Close(waiting) => ended = Some(waiting),
            }
        }
        for (after, entries) in back {
            self.give_back(entries, after).await;
        }
        ended
    }

    /// Starts to delete what is done, if there is something.
    fn delete_some(&mut self) -> Option<Deletion> {
        let now = Instant::now();
        let mut receipts = Vec::new();
        let mut later = Vec::new();
        for (not_before, mut entry) in self.done.drain(..) {
            if not_before > now || receipts.len() == MOST_AT_ONCE {
                later.push((not_before, entry));
                continue;
            }
            let receipt = std::mem::replace(&mut entry.receipt, no_receipt());
            entry.attempts += 1;
            self.deleting.insert(receipt.handle().to_owned(), entry);
            receipts.push(receipt);
        }
        self.done = later;
        let queue = Arc::clone(&self.queue);
        (!receipts.is_empty()).then(|| Box::pin(async move { queue.acknowledge(receipts).await }) as Deletion)
    }

    /// What was refused is tried again where that may help; everything else is deleted.
    fn deleted(&mut self, refused: Vec<Refused>) {
        for Refused { receipt, error } in refused {
            let Some(mut entry) = self.deleting.remove(receipt.handle()) else { continue };
            if error.verdict() == Verdict::Retry && entry.attempts < ATTEMPTS {
                let pause = self.pause() * entry.attempts;
                entry.receipt = receipt;
                self.done.push((Instant::now() + pause, entry));
            } else {
                Counters::add(&self.counters.not_acknowledged, 1);
                (self.watch)(&Trouble::NotAcknowledged { id: entry.id, reason: error });
            }
        }
        Counters::add(&self.counters.acknowledged, self.deleting.len());
        self.deleting.clear();
    }

    /// Between two attempts: several of them fit into the time for which a message is invisible.
    fn pause(&self) -> Duration {
        (self.visibility / 16).max(Duration::from_millis(100))
    }

    /// Extends what is due. Those that will be soon go along, so that there are few calls.
    async fn extend(&mut self) {
        let now = Instant::now();
        if self.held.values().all(|entry| entry.renew.is_none_or(|renew| renew > now)) {
            return;
        }
        let soon = now + self.visibility / 8;
        let is_due = |entry: &Entry| entry.renew.is_some_and(|renew| renew <= soon);
        // Most are extended by the full time; those that near the longest that SQS allows by what is left.
        let mut calls: BTreeMap<Duration, Vec<u64>> = BTreeMap::new();
        for (lease, entry) in self.held.iter().filter(|(_, entry)| is_due(entry)) {
            let left = (entry.since + LONGEST_INVISIBLE).saturating_duration_since(now);
            let by = self.visibility.min(Duration::from_secs(left.as_secs().saturating_sub(1)));
            calls.entry(by).or_default().push(*lease);
        }
        for (by, leases) in calls {
            for some in leases.chunks(MOST_AT_ONCE) {
                self.extend_by(by, some).await;
            }
        }
    }

    async fn extend_by(&mut self, by: Duration, leases: &[u64]) {
        let now = Instant::now();
        let (worth, spent): (Vec<u64>, Vec<u64>) =
            leases.iter().partition(|lease| self.held.get(lease).is_some_and(|entry| now + by > entry.until));
        for lease in spent {
            self.lose(lease, None);
        }
        let receipts: Vec<&Receipt> =
            worth.iter().filter_map(|lease| self.held.get(lease)).map(|entry| &entry.receipt).collect();
        if receipts.is_empty() {
            return;
        }
        // A call that hangs is given up while there is time for another one.
        let call = timeout(self.visibility / 8, self.queue.extend(&receipts, by)).await;
        let results = call.unwrap_or_else(|_| vec![Err(self.timed_out(Operation::Extend)); worth.len()]);
        let mut trouble = None;
        for (lease, result) in worth.into_iter().zip(results) {
            match (result, self.held.get_mut(&lease)) {
                (Ok(()), Some(entry)) => {
                    (entry.until, entry.renew) = (now + by, Some(now + by / 2));
                    Counters::add(&self.counters.extended, 1);
                }
                (Err(error), _) => trouble = self.not_extended(lease, error).or(trouble),
                (Ok(()), None) => {}
            }
        }
        // One word for a call that failed for all.
        if let Some(error) = trouble {
            (self.watch)(&Trouble::NotExtended(error));
        }
    }

    /// Tries again while it can help; returns the error if it does.
    fn not_extended(&mut self, lease: u64, error: QueueError) -> Option<QueueError> {
        Counters::add(&self.counters.not_extended, 1);
        let again = Instant::now() + self.pause();
        let entry = self.held.get_mut(&lease)?;
        if again >= entry.until || error.verdict() == Verdict::Stale {
            self.lose(lease, Some(error));
            return None;
        }
        entry.renew = Some(again);
        Some(error)
    }

    fn timed_out(&self, operation: Operation) -> QueueError {
        let queue = self.queue.name().to_owned();
        QueueError { operation, queue, reason: Reason::TimedOut, detail: String::new() }
    }

    /// The message comes again while it is held: nothing more is done for it until it is done with.
    fn lose(&mut self, lease: u64, reason: Option<QueueError>) {
        let Some(entry) = self.held.get_mut(&lease) else { return };
        entry.renew = None;
        Counters::add(&self.counters.lost, 1);
        (self.watch)(&Trouble::Lost { id: entry.id.clone(), reason });
    }

    async fn give_back(&self, entries: Vec<Entry>, after: Duration) {
        // What is somebody else's already is not ours to give.
        let ours: Vec<Receipt> =
            entries.into_iter().filter(|entry| entry.renew.is_some()).map(|entry| entry.receipt).collect();
        let count = ours.len();
        if count == 0 {
            return;
        }
        // Not waited for longer than it would take to come again by itself.
        let Ok(refused) = timeout(self.visibility / 8, self.queue.release(ours, after)).await else {
            (self.watch)(&Trouble::NotGivenBack(self.timed_out(Operation::Release)));
            return;
        };
        Counters::add(&self.counters.given_back, count - refused.len());
        for Refused { error, .. } in refused {
            (self.watch)(&Trouble::NotGivenBack(error));
        }
    }

    /// Whoever waits for acknowledgements is told when there are none left.
    fn flushed(&mut self) {
        if self.done.is_empty() && self.deleting.is_empty() {
            for waiting in self.flushes.drain(..) {
                let _ = waiting.send(());
            }
        }
    }

    async fn close(mut self, mut deletion: Option<Deletion>) {
        let held = std::mem::take(&mut self.held).into_values().collect();
        self.give_back(held, Duration::ZERO).await;
        while let Some(call) = deletion.take().or_else(|| self.delete_some()) {
            let refused = call.await;
            self.deleted(refused);
        }
        // What may be deleted later has no later: it comes again, and is found in the ledger.
        Counters::add(&self.counters.not_acknowledged, self.done.len());
        self.flushed();
    }
}
