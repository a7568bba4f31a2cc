//! A queue in memory, for tests: it forgets nothing that SQS would not, and fails where it is told to.
//!
//! Time is tokio's: a test with paused time sees visibility timeouts run out without waiting.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::queue::{
    BoxFuture, Depth, LONGEST_INVISIBLE, LONGEST_WAIT, MOST_OF_A_CALL, Message, Operation, Queue, QueueError, Reason,
    Receipt, Refused,
};

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the call fails.
    Refuse(Reason),
    /// It is done, but the call fails: the answer was lost on its way.
    LoseAnswer,
    /// It is done after that long.
    Stall(Duration),
    /// Of a receive: what is delivered stays visible, and is delivered again at once.
    Twice,
    /// The first message of the call is refused, the others are not.
    RefuseFirst(Reason),
}

/// Decides what goes wrong with a call: by what is done, and by its number among the calls of its
/// kind, from 1.
pub type Faults = dyn Fn(Operation, u64) -> Option<Fault> + Send + Sync;

/// A queue in memory.
pub struct MemoryQueue {
    state: Mutex<State>,
    /// Told when something may have become visible.
    changed: Notify,
    faults: Box<Faults>,
    /// Receives after which a message goes to the dead letters instead of being received once more.
    most_receives: Option<u32>,
    born: Instant,
}

#[derive(Default)]
struct State {
    /// By number: in the order in which they were sent.
    messages: BTreeMap<u64, Stored>,
    dead: Vec<String>,
    sent: u64,
    calls: BTreeMap<Operation, u64>,
}

struct Stored {
    body: String,
    sent_ms: i64,
    received: u32,
    /// When it was received last.
    since: Instant,
    visible_at: Instant,
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryQueue {
    /// An empty queue without faults and without dead letters.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            faults: Box::new(|_, _| None),
            most_receives: None,
            born: Instant::now(),
        }
    }

    /// Goes wrong as told.
    #[must_use]
    pub fn with_faults(mut self, faults: impl Fn(Operation, u64) -> Option<Fault> + Send + Sync + 'static) -> Self {
        self.faults = Box::new(faults);
        self
    }

    /// Has a dead-letter queue behind it, for what was received so often without being deleted.
    #[must_use]
    pub fn with_redrive(mut self, most_receives: u32) -> Self {
        self.most_receives = Some(most_receives);
        self
    }

    /// Bodies of what went to the dead letters, in that order.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<String> {
        self.state().dead.clone()
    }

    /// How often something was asked for.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.state().calls.get(&operation).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what goes wrong with it.
    fn fault(&self, operation: Operation) -> Option<Fault> {
        let call = {
            let mut state = self.state();
            let calls = state.calls.entry(operation).or_default();
            *calls += 1;
            *calls
        };
        (self.faults)(operation, call)
    }

    /// Does something for each of many, with the faults of the call.
    async fn each<T>(
        &self,
        operation: Operation,
        items: &[T],
        mut act: impl FnMut(&mut State, &T) -> Result<(), Reason>,
    ) -> Vec<Result<(), QueueError>> {
        let fault = self.fault(operation);
        if let Some(Fault::Stall(time)) = fault {
            sleep(time).await;
        }
        let mut act_on = |place: usize, item: &T| match &fault {
            Some(Fault::Refuse(reason)) => Err(reason.clone()),
            Some(Fault::RefuseFirst(reason)) if place == 0 => Err(reason.clone()),
            Some(Fault::LoseAnswer) => act(&mut self.state(), item).and(Err(Reason::TimedOut)),
            _ => act(&mut self.state(), item),
        };
        let results = items.iter().enumerate().map(|(place, item)| act_on(place, item));
        let results = results.map(|result| result.map_err(|reason| error(operation, reason))).collect();
        self.changed.notify_waiters();
        results
    }

    async fn receive_some(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let fault = self.fault(Operation::Receive);
        match &fault {
            Some(Fault::Refuse(reason) | Fault::RefuseFirst(reason)) => {
                return Err(error(Operation::Receive, reason.clone()));
            }
            Some(Fault::Stall(time)) => sleep(*time).await,
            _ => {}
        }
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        loop {
            // Before the look, so that nothing sent after it is missed.
            let changed = self.changed.notified();
            let visibility = if fault == Some(Fault::Twice) { Duration::ZERO } else { visibility };
            let (found, next) = self.state().take(most.clamp(1, MOST_OF_A_CALL), visibility, self.most_receives);
            if fault == Some(Fault::LoseAnswer) && !found.is_empty() {
                return Err(error(Operation::Receive, Reason::TimedOut));
            }
            if !found.is_empty() || Instant::now() >= until {
                return Ok(found);
            }
            let wake = next.map_or(until, |next| next.min(until));
            let _ = timeout_at(wake, changed).await;
        }
    }

    fn put(state: &mut State, born: Instant, body: String) {
        let now = Instant::now();
        let number = state.sent;
        state.sent += 1;
        let sent_ms = i64::try_from((now - born).as_millis()).unwrap_or_default();
        state.messages.insert(number, Stored { body, sent_ms, received: 0, since: now, visible_at: now });
    }
}

impl State {
    /// Delivers what is visible, and says when more will be.
    fn take(&mut self, most: usize, visibility: Duration, receives: Option<u32>) -> (Vec<Message>, Option<Instant>) {
        let now = Instant::now();
        let visible = |(number, stored): (&u64, &Stored)| (stored.visible_at <= now).then_some(*number);
        let numbers: Vec<u64> = self.messages.iter().filter_map(visible).collect();
        let mut found = Vec::new();
        for number in numbers {
            if found.len() == most {
                break;
            }
            let is_dead = |stored: &Stored| receives.is_some_and(|most| stored.received >= most);
            if self.messages.get(&number).is_some_and(is_dead) {
                self.dead.extend(self.messages.remove(&number).map(|stored| stored.body));
            } else if let Some(stored) = self.messages.get_mut(&number) {
                found.push(stored.deliver(number, now, visibility));
            }
        }
        (found, self.messages.values().map(|stored| stored.visible_at).filter(|at| *at > now).min())
    }

    /// The message of a receipt. `None` if it was deleted; an error if it was delivered again since.
    fn of(&mut self, receipt: &Receipt) -> Result<Option<(u64, &mut Stored)>, Reason> {
        let number = receipt.handle().split('/').next().and_then(|number| number.parse::<u64>().ok());
        let number = number.ok_or(Reason::Invalid)?;
        match self.messages.get_mut(&number) {
            Some(stored) if handle(number, stored.received) != receipt.handle() => Err(Reason::StaleReceipt),
            stored => Ok(stored.map(|stored| (number, stored))),
        }
    }

    fn change(&mut self, receipt: &Receipt, visibility: Duration) -> Result<(), Reason> {
        let now = Instant::now();
        match self.of(receipt)? {
            // It has run out, or was given back: it is nobody's.
            Some((_, stored)) if stored.visible_at <= now => Err(Reason::StaleReceipt),
            Some((_, stored)) if now + visibility > stored.since + LONGEST_INVISIBLE => Err(Reason::StaleReceipt),
            Some((_, stored)) => {
                stored.visible_at = now + visibility;
                Ok(())
            }
            None => Err(Reason::StaleReceipt),
        }
    }

    fn delete(&mut self, receipt: &Receipt) -> Result<(), Reason> {
        // Deleting what is deleted already succeeds, as in SQS.
        let number = self.of(receipt)?.map(|(number, _)| number);
        number.and_then(|number| self.messages.remove(&number));
        Ok(())
    }
}

impl Stored {
    fn deliver(&mut self, number: u64, now: Instant, visibility: Duration) -> Message {
        self.received += 1;
        (self.since, self.visible_at) = (now, now + visibility);
        Message {
            receipt: Receipt::new(handle(number, self.received)),
            id: number.to_string(),
            body: self.body.clone(),
            received: self.received,
            sent_ms: Some(self.sent_ms),
        }
    }
}

/// Each delivery has its own.
fn handle(number: u64, received: u32) -> String {
    format!("{number}/{received}")
}

fn error(operation: Operation, reason: Reason) -> QueueError {
    QueueError { operation, queue: "memory".to_owned(), reason, detail: String::new() }
}

fn refused(receipts: Vec<Receipt>, results: Vec<Result<(), QueueError>>) -> Vec<Refused> {
    let pairs = receipts.into_iter().zip(results);
    pairs.filter_map(|(receipt, result)| Some(Refused { receipt, error: result.err()? })).collect()
}

impl Queue for MemoryQueue {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn receive(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<Message>, QueueError>> {
        Box::pin(self.receive_some(most, wait, visibility))
    }

    fn extend<'a>(
        &'a self,
        receipts: &'a [&'a Receipt],
        visibility: Duration,
    ) -> BoxFuture<'a, Vec<Result<(), QueueError>>> {
        Box::pin(self.each(Operation::Extend, receipts, move |state, receipt| state.change(receipt, visibility)))
    }

    fn release(&self, receipts: Vec<Receipt>, after: Duration) -> BoxFuture<'_, Vec<Refused>> {
        Box::pin(async move {
            let act = |state: &mut State, receipt: &Receipt| state.change(receipt, after);
            let results = self.each(Operation::Release, &receipts, act).await;
            refused(receipts, results)
        })
    }

    fn acknowledge(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Vec<Refused>> {
        Box::pin(async move {
            let results = self.each(Operation::Acknowledge, &receipts, State::delete).await;
            refused(receipts, results)
        })
    }

    fn send(&self, bodies: Vec<String>) -> BoxFuture<'_, Vec<Result<(), QueueError>>> {
        Box::pin(async move {
            let act = |state: &mut State, body: &String| {
                Self::put(state, self.born, body.clone());
                Ok(())
            };
            self.each(Operation::Send, &bodies, act).await
        })
    }

    fn depth(&self) -> BoxFuture<'_, Result<Depth, QueueError>> {
        Box::pin(async move {
            if let Some(Fault::Refuse(reason)) = self.fault(Operation::Depth) {
                return Err(error(Operation::Depth, reason));
            }
            let (state, now) = (self.state(), Instant::now());
            let visible = state.messages.values().filter(|stored| stored.visible_at <= now).count() as u64;
            Ok(Depth { visible, in_flight: state.messages.len() as u64 - visible, delayed: 0 })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISIBILITY: Duration = Duration::from_secs(30);
    const NO_TIME: Duration = Duration::ZERO;

    async fn filled(queue: MemoryQueue, bodies: usize) -> MemoryQueue {
        let sent = queue.send((0..bodies).map(|n| n.to_string()).collect()).await;
        assert!(sent.iter().all(Result::is_ok));
        queue
    }

    async fn receive(queue: &MemoryQueue) -> Vec<Message> {
        queue.receive(10, NO_TIME, VISIBILITY).await.expect("messages")
    }

    async fn one(queue: &MemoryQueue) -> Message {
        receive(queue).await.pop().expect("a message")
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_comes_again_with_a_new_receipt() {
        let queue = filled(MemoryQueue::new(), 1).await;
        let first = one(&queue).await;
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(receive(&queue).await.is_empty());
        assert_eq!(queue.depth().await, Ok(Depth { visible: 0, in_flight: 1, delayed: 0 }));
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = one(&queue).await;
        assert_eq!((first.id, first.received, second.received), (second.id, 1, 2));
        let stale = queue.acknowledge(vec![first.receipt]).await;
        assert_eq!(stale[0].error.reason, Reason::StaleReceipt);
        assert!(queue.acknowledge(vec![second.receipt]).await.is_empty());
        tokio::time::advance(VISIBILITY * 2).await;
        assert_eq!(queue.depth().await, Ok(Depth::default()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_receipt_deletes_even_when_it_has_run_out() {
        let queue = filled(MemoryQueue::new(), 1).await;
        let message = one(&queue).await;
        tokio::time::advance(VISIBILITY * 2).await;
        let late = queue.extend(&[&message.receipt], VISIBILITY).await;
        assert_eq!(late[0].clone().map_err(|e| e.reason), Err(Reason::StaleReceipt));
        assert!(queue.acknowledge(vec![message.receipt]).await.is_empty());
        assert!(receive(&queue).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn extending_counts_from_now_and_ends_after_twelve_hours() {
        let queue = filled(MemoryQueue::new(), 1).await;
        let message = one(&queue).await;
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(queue.extend(&[&message.receipt], VISIBILITY).await, [Ok(())]);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(receive(&queue).await.is_empty());
        assert!(queue.extend(&[&message.receipt], LONGEST_INVISIBLE).await[0].is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(one(&queue).await.received, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_back_wakes_who_waits() {
        let queue = filled(MemoryQueue::new(), 1).await;
        let message = one(&queue).await;
        let begun = Instant::now();
        let (back, again) = tokio::join!(
            queue.release(vec![message.receipt], Duration::from_secs(5)),
            queue.receive(1, LONGEST_WAIT, VISIBILITY)
        );
        assert!(back.is_empty());
        assert_eq!(again.map(|messages| messages.len()), Ok(1));
        assert_eq!(begun.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_receives_make_a_dead_letter() {
        let queue = filled(MemoryQueue::new().with_redrive(3), 1).await;
        for received in 1..=3 {
            assert_eq!(one(&queue).await.received, received);
            tokio::time::advance(VISIBILITY).await;
        }
        assert!(receive(&queue).await.is_empty());
        assert_eq!(queue.dead_letters(), ["0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_happen_where_they_are_told_to() {
        let faults = |operation, call| match (operation, call) {
            (Operation::Receive, 1) => Some(Fault::Refuse(Reason::Throttled)),
            (Operation::Receive | Operation::Acknowledge, 2) => Some(Fault::LoseAnswer),
            (Operation::Receive, 3) => Some(Fault::Twice),
            (Operation::Acknowledge, 1) => Some(Fault::RefuseFirst(Reason::Unavailable)),
            _ => None,
        };
        let queue = filled(MemoryQueue::new().with_faults(faults), 2).await;
        for reason in [Reason::Throttled, Reason::TimedOut] {
            assert_eq!(queue.receive(10, NO_TIME, VISIBILITY).await.map_err(|e| e.reason).err(), Some(reason));
        }
        assert!(queue.receive(10, NO_TIME, VISIBILITY).await.is_ok_and(|none| none.is_empty()), "they are in flight");
        tokio::time::advance(VISIBILITY).await;
        // The third call delivered nothing, twice.
        let messages = receive(&queue).await;
        assert_eq!(messages.iter().map(|message| message.received).collect::<Vec<_>>(), [2, 2]);
        let mut refused = queue.acknowledge(messages.into_iter().map(|message| message.receipt).collect()).await;
        assert_eq!(refused.len(), 1);
        let refused = queue.acknowledge(vec![refused.remove(0).receipt]).await;
        assert_eq!(refused[0].error.reason, Reason::TimedOut);
        assert_eq!(queue.depth().await, Ok(Depth::default()), "it was deleted nevertheless");
        assert_eq!(queue.calls(Operation::Receive), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_can_be_delivered_twice() {
        let queue = MemoryQueue::new()
            .with_faults(|operation, call| (operation == Operation::Receive && call == 1).then_some(Fault::Twice));
        let queue = filled(queue, 1).await;
        let (first, second) = (one(&queue).await, one(&queue).await);
        assert_eq!(first.id, second.id);
        assert_ne!(first.receipt, second.receipt);
    }
}
