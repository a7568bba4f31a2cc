//! Keeps messages invisible while they are worked on, and acknowledges them after their last object.
//!
//! [`Leases::receive`] is the only way in, and each message has one way out: acknowledged when every
//! [`Held`] of it was [`done`](Held::done), given back otherwise. One task, the keeper, holds all
//! receipts; nobody else can acknowledge, so an extension and a deletion never cross. It holds at most
//! as many messages as [`Settings::most`] says.
//!
//! What may fail, and what then happens: a message whose extension fails for too long, or that was
//! held for SQS's twelve hours, is delivered to somebody else while we still work on it. The ledger
//! makes that harmless; our late acknowledgement is either taken or refused, and both are fine.

mod keeper;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::queue::{MOST_OF_A_CALL, Message, Queue, QueueError};
use keeper::{Entry, Keeper, Note};

/// Settings of leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a message stays invisible without us. It is extended when half of it is over. Long
    /// enough that a lost connection comes back in time; short enough that what a killed worker held
    /// comes again soon.
    pub visibility: Duration,
    /// Messages that may be held at a time. When so many wait for a commit, nothing more is received:
    /// commits must not wait for more messages alone.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { visibility: Duration::from_mins(2), most: 1_000 }
    }
}

/// Something that went wrong with a lease; nothing is lost by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// An extension failed, and is tried again.
    #[error("a message may come again while it is worked on: {0}")]
    NotExtended(QueueError),
    /// A message is delivered again while we still work on it.
    #[error("message {id} is no longer ours and comes again{}", reason.as_ref().map(|e| format!(": {e}")).unwrap_or_default())]
    Lost {
        /// The queue's id of it.
        id: String,
        /// Why; nothing if it was held for as long as SQS allows.
        reason: Option<QueueError>,
    },
    /// A message that is done with could not be deleted; it comes again, and is found in the ledger.
    #[error("message {id} is done with and comes again nevertheless: {reason}")]
    NotAcknowledged {
        /// The queue's id of it.
        id: String,
        /// Why.
        reason: QueueError,
    },
    /// A message could not be given back; it comes again when its visibility timeout has run out.
    #[error("a message comes again later than it could: {0}")]
    NotGivenBack(QueueError),
}

/// Is told of trouble; it must not block.
pub type Watch = dyn Fn(&Trouble) + Send + Sync;

/// What became of messages so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Deliveries, copies of one message included.
    pub received: u64,
    /// Extensions that succeeded.
    pub extended: u64,
    /// Extensions that failed; most are tried again.
    pub not_extended: u64,
    /// Leases that ended while the message was held.
    pub lost: u64,
    /// Messages deleted.
    pub acknowledged: u64,
    /// Messages done with that could not be deleted.
    pub not_acknowledged: u64,
    /// Messages given back.
    pub given_back: u64,
}

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    extended: AtomicU64,
    not_extended: AtomicU64,
    lost: AtomicU64,
    acknowledged: AtomicU64,
    not_acknowledged: AtomicU64,
    given_back: AtomicU64,
    /// Messages held now.
    held: AtomicU64,
}

/// The room of a message that is held, free again when dropped.
struct Room {
    _permit: OwnedSemaphorePermit,
    counters: Arc<Counters>,
}

impl Room {
    fn new(permit: OwnedSemaphorePermit, counters: Arc<Counters>) -> Self {
        Counters::add(&counters.held, 1);
        Self { _permit: permit, counters }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.counters.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            received: read(&self.received),
            extended: read(&self.extended),
            not_extended: read(&self.not_extended),
            lost: read(&self.lost),
            acknowledged: read(&self.acknowledged),
            not_acknowledged: read(&self.not_acknowledged),
            given_back: read(&self.given_back),
        }
    }
}

/// The messages that are held of one queue; clones are the same.
#[derive(Clone)]
pub struct Leases {
    queue: Arc<dyn Queue>,
    settings: Settings,
    notes: mpsc::UnboundedSender<Note>,
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
    /// Numbers of leases: ids of messages are not theirs, as a message may be held twice.
    next: Arc<AtomicU64>,
}

impl Leases {
    /// Starts the keeper. It ends after [`close`](Self::close), or when nothing refers to it any more.
    #[must_use]
    pub fn start(queue: Arc<dyn Queue>, settings: Settings, watch: Box<Watch>) -> Self {
        // Without a bound of its own: it holds one note to begin and one to end each lease, and of
        // leases there are at most as many as there is room for.
        let (notes, inbox) = mpsc::unbounded_channel();
        let counters = Arc::<Counters>::default();
        let keeper = Keeper::new(Arc::clone(&queue), settings.visibility, Arc::clone(&counters), watch);
        tokio::spawn(keeper.run(inbox));
        let room = Arc::new(Semaphore::new(settings.most));
        Self { queue, settings, notes, room, counters, next: Arc::default() }
    }

    /// Waits for room, then for messages, up to `wait`; of the latter there may be none. What it
    /// returns is kept invisible until it is done with. When this future is dropped midway, messages
    /// that the queue has sent already come again after the visibility timeout.
    ///
    /// # Errors
    /// That of the queue.
    pub async fn receive(&self, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        // The semaphore is never closed.
        let Ok(mut permits) = Arc::clone(&self.room).acquire_owned().await else { return Ok(Vec::new()) };
        while permits.num_permits() < MOST_OF_A_CALL {
            let Ok(another) = Arc::clone(&self.room).try_acquire_owned() else { break };
            permits.merge(another);
        }
        let messages = self.queue.receive(permits.num_permits(), wait, self.settings.visibility).await?;
        Counters::add(&self.counters.received, messages.len());
        let now = Instant::now();
        // A queue that sends more than it was asked for: what there is no room for comes again.
        let with_room = messages.into_iter().map_while(|message| Some((permits.split(1)?, message)));
        Ok(with_room.map(|(permit, message)| self.hold(message, now, permit)).collect())
    }

    fn hold(&self, message: Message, now: Instant, permit: OwnedSemaphorePermit) -> Delivery {
        let Message { receipt, id, body, received, sent_ms } = message;
        let lease = self.next.fetch_add(1, Ordering::Relaxed);
        let room = Room::new(permit, Arc::clone(&self.counters));
        let entry = Entry::new(receipt, id.clone(), now, self.settings.visibility, room);
        // Without a keeper nobody extends: the message comes again.
        let _ = self.notes.send(Note::Hold(lease, entry));
        let notes = self.notes.clone();
        let join = Join { lease, open: AtomicUsize::new(1), back: AtomicU64::new(0), notes };
        Delivery { id, body, received, sent_ms, held: Held(Some(Arc::new(join))) }
    }

    /// Messages held now, those that are being acknowledged included.
    #[must_use]
    pub fn held(&self) -> usize {
        usize::try_from(self.counters.held.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// What became of messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Waits until everything that was done with before is acknowledged, or given up.
    pub async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.notes.send(Note::Flush(sender)).is_ok() {
            let _ = receiver.await;
        }
    }

    /// Acknowledges what is done with, gives back everything else, and ends the keeper. What is done
    /// with later comes again. Returns the last counts. It takes as long as the queue takes to answer:
    /// put a limit on it, and what is not done by then comes again after the visibility timeout.
    pub async fn close(&self) -> Counts {
        let (sender, receiver) = oneshot::channel();
        if self.notes.send(Note::Close(sender)).is_ok() {
            let _ = receiver.await;
        }
        self.counts()
    }
}

/// A message that was received, and is held.
pub struct Delivery {
    /// The queue's id.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// How often it was received, this time included.
    pub received: u32,
    /// When it was sent, in milliseconds since 1970, where the queue tells.
    pub sent_ms: Option<i64>,
    /// What becomes of it.
    pub held: Held,
}

/// A share of a message: the message is acknowledged when all of its shares are done. A share that is
/// dropped, by a panic too, gives the message back.
#[must_use = "a share that is dropped gives the message back"]
pub struct Held(Option<Arc<Join>>);

/// What the shares of a message have in common.
struct Join {
    lease: u64,
    /// Shares that are not done yet.
    open: AtomicUsize,
    /// If it is to be given back: after how many milliseconds, plus one.
    back: AtomicU64,
    notes: mpsc::UnboundedSender<Note>,
}

impl Held {
    /// Makes `parts` shares of this one, for as many objects. A message that names none is done.
    pub fn split(self, parts: usize) -> Vec<Self> {
        let mut shares = Vec::with_capacity(parts);
        if let Some(join) = &self.0 {
            join.open.fetch_add(parts, Ordering::AcqRel);
            shares.extend((0..parts).map(|_| Self(Some(Arc::clone(join)))));
        }
        self.done();
        shares
    }

    /// This share is dealt with for good: its rows are committed and published, or there are none.
    pub fn done(mut self) {
        if let Some(join) = self.0.take() {
            join.settle();
        }
    }

    /// This share failed: when the others have ended too, the message is given back, to come again
    /// `after` that time (the longest of those that its shares ask for).
    pub fn give_back(mut self, after: Duration) {
        if let Some(join) = self.0.take() {
            join.fail(after);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(join) = self.0.take() {
            join.fail(Duration::ZERO);
        }
    }
}

impl Join {
    fn fail(&self, after: Duration) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.back.fetch_max(after, Ordering::AcqRel);
        self.settle();
    }

    fn settle(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let note = match self.back.load(Ordering::Acquire) {
            0 => Note::Done(self.lease),
            after => Note::GiveBack(self.lease, Duration::from_millis(after - 1)),
        };
        // After the end of the keeper there is nothing to tell: the message has been given back.
        let _ = self.notes.send(note);
    }
}
