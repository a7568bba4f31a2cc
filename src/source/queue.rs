//! A queue of messages, whatever is behind it: the five verbs that reading it takes, and one to fill it.
//!
//! What is promised: a message that was received and not acknowledged comes again, once its visibility
//! timeout has run out or it was released. It may also come again although it was acknowledged, or
//! come twice; the ledger makes that harmless. So of no failure here anything is lost.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most messages that a call may take or return, in SQS.
pub const MOST_OF_A_CALL: usize = 10;

/// Longest that a call waits for messages, in SQS.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Longest that SQS keeps a message invisible, counted from when it was received.
pub const LONGEST_INVISIBLE: Duration = Duration::from_hours(12);

/// A queue.
pub trait Queue: Send + Sync {
    /// What errors call it: its URL.
    fn name(&self) -> &str;

    /// Receives up to `most` messages, waiting up to `wait` for the first. Nobody else sees them for
    /// `visibility`, then they come again.
    ///
    /// # Errors
    /// If the call failed. Messages that it received nevertheless come again.
    fn receive(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<Message>, QueueError>>;

    /// Keeps messages invisible for `visibility` from now on. One result for each receipt, in their
    /// order: where it failed, the message comes again when it would have.
    fn extend<'a>(
        &'a self,
        receipts: &'a [&'a Receipt],
        visibility: Duration,
    ) -> BoxFuture<'a, Vec<Result<(), QueueError>>>;

    /// Gives messages back: they come again `after` that time. Returns those that could not be given
    /// back; they come again when their visibility timeout has run out.
    fn release(&self, receipts: Vec<Receipt>, after: Duration) -> BoxFuture<'_, Vec<Refused>>;

    /// Deletes messages. Returns those that may not have been deleted: either try again, or leave
    /// them, and they come again.
    fn acknowledge(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Vec<Refused>>;

    /// Sends messages. One result for each, in their order: one that failed may have been sent
    /// nevertheless.
    fn send(&self, bodies: Vec<String>) -> BoxFuture<'_, Vec<Result<(), QueueError>>>;

    /// How many messages there are, about.
    ///
    /// # Errors
    /// If the call failed.
    fn depth(&self) -> BoxFuture<'_, Result<Depth, QueueError>>;
}

/// The right to delete one delivery of a message. It can't be copied: whoever has it decides what
/// becomes of the message.
#[must_use = "a message whose receipt is lost comes again"]
#[derive(PartialEq, Eq)]
pub struct Receipt(String);

impl Receipt {
    /// Of a handle that the queue gave.
    pub fn new(handle: String) -> Self {
        Self(handle)
    }

    /// The handle, as the queue wants it back.
    pub fn handle(&self) -> &str {
        &self.0
    }
}

/// Handles are long, and let their reader delete the message.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}

/// A message as it was delivered.
pub struct Message {
    /// Of this delivery.
    pub receipt: Receipt,
    /// The queue's id; the same at each delivery.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// How often it was received, this time included; about, in SQS.
    pub received: u32,
    /// When it was sent, in milliseconds since 1970, where the queue tells.
    pub sent_ms: Option<i64>,
}

/// Without the body: it is never logged.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("id", &self.id).field("received", &self.received).field("bytes", &self.body.len());
        shown.finish_non_exhaustive()
    }
}

/// How many messages are in a queue, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// May be received now.
    pub visible: u64,
    /// Received, neither acknowledged nor returned.
    pub in_flight: u64,
    /// Sent with a delay.
    pub delayed: u64,
}

/// A receipt that came back, with the reason.
#[derive(Debug)]
#[must_use = "it says which message comes again"]
pub struct Refused {
    /// The receipt.
    pub receipt: Receipt,
    /// Why.
    pub error: QueueError,
}

/// What is done with a queue; names calls in errors, and permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Receiving messages.
    Receive,
    /// Keeping messages invisible.
    Extend,
    /// Giving messages back.
    Release,
    /// Deleting messages.
    Acknowledge,
    /// Sending messages.
    Send,
    /// Counting messages.
    Depth,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Receive, Self::Extend, Self::Release, Self::Acknowledge, Self::Send, Self::Depth];

    /// What an IAM policy must allow for it.
    #[must_use]
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Receive => "sqs:ReceiveMessage",
            Self::Extend | Self::Release => "sqs:ChangeMessageVisibility",
            Self::Acknowledge => "sqs:DeleteMessage",
            Self::Send => "sqs:SendMessage",
            Self::Depth => "sqs:GetQueueAttributes",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive messages from",
            Self::Extend => "keep messages invisible in",
            Self::Release => "give messages back to",
            Self::Acknowledge => "delete messages from",
            Self::Send => "send messages to",
            Self::Depth => "count messages in",
        }
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass: try again, later each time.
    Retry,
    /// Only this delivery is concerned, and it is over: the message comes again by itself, if it was
    /// not deleted.
    Stale,
    /// Somebody has to repair something; trying again changes nothing.
    Fatal,
}

/// Why a queue did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Too many requests.
    Throttled,
    /// The service or the way to it failed.
    Unavailable,
    /// No answer in time.
    TimedOut,
    /// The receipt is of a delivery that is over.
    StaleReceipt,
    /// An IAM policy, or the queue's own, does not allow it.
    Denied,
    /// The key of an encrypted queue can't be used.
    KeyDenied,
    /// There is no such queue.
    NoQueue,
    /// No credentials, or expired ones.
    Credentials,
    /// The queue finds the request wrong.
    Invalid,
}

/// A call, or a part of it, that failed. It holds nothing of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueError {
    /// What was asked for.
    pub operation: Operation,
    /// The queue's URL.
    pub queue: String,
    /// Why it failed.
    pub reason: Reason,
    /// The service's code, or the client's words.
    pub detail: String,
}

impl std::error::Error for QueueError {}

impl QueueError {
    /// What to do about it.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self.reason {
            Reason::Throttled | Reason::Unavailable | Reason::TimedOut => Verdict::Retry,
            Reason::StaleReceipt => Verdict::Stale,
            Reason::Denied | Reason::KeyDenied | Reason::NoQueue | Reason::Credentials | Reason::Invalid => {
                Verdict::Fatal
            }
        }
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, queue, reason, detail } = self;
        let kms = if *operation == Operation::Send { "kms:GenerateDataKey and kms:Decrypt" } else { "kms:Decrypt" };
        write!(f, "cannot {} {queue}: ", operation.as_str())?;
        match reason {
            Reason::Throttled => f.write_str("too many requests"),
            Reason::Unavailable => f.write_str("the service cannot be reached or is not well"),
            Reason::TimedOut => f.write_str("no answer in time"),
            Reason::StaleReceipt => f.write_str("this delivery of the message is over; it comes again"),
            Reason::Denied => write!(
                f,
                "access denied: allow {} on this queue, in the role's policy and, across accounts, in the queue's",
                operation.permission()
            ),
            Reason::KeyDenied => {
                write!(f, "the queue is encrypted and its key cannot be used: allow {kms} on the key, and enable it")
            }
            Reason::NoQueue => f.write_str("there is no such queue: check the URL, its account, and the region"),
            Reason::Credentials => {
                f.write_str("no valid AWS credentials: log in again (`aws sso login`), or check profile and role")
            }
            Reason::Invalid => f.write_str("the queue finds the request wrong: check that the URL is a queue's"),
        }?;
        if detail.is_empty() { Ok(()) } else { write!(f, " ({detail})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(operation: Operation, reason: Reason) -> QueueError {
        QueueError { operation, queue: "https://q".to_owned(), reason, detail: "Code".to_owned() }
    }

    #[test]
    fn a_refusal_says_what_to_allow() {
        for operation in Operation::ALL {
            let said = error(operation, Reason::Denied).to_string();
            assert!(said.contains(operation.permission()) && said.contains("https://q"), "{said}");
        }
    }

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        assert_eq!(error(Operation::Receive, Reason::Throttled).verdict(), Verdict::Retry);
        assert_eq!(error(Operation::Receive, Reason::NoQueue).verdict(), Verdict::Fatal);
        assert_eq!(error(Operation::Acknowledge, Reason::StaleReceipt).verdict(), Verdict::Stale);
    }

    #[test]
    fn nothing_of_a_message_is_shown() {
        let receipt = Receipt::new("handle-secret".to_owned());
        let message =
            Message { receipt, id: "1".to_owned(), body: "body-secret".to_owned(), received: 1, sent_ms: None };
        assert!(!format!("{message:?} {:?}", message.receipt).contains("secret"));
    }
}
