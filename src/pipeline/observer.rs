//! Whoever wants to know what happens while objects go through. Told as it happens, from several threads.

use std::time::Duration;

use crate::lake::batch::Committed;
use crate::model::object::ObjectRef;
use crate::model::r#yield::Yield;
use crate::source::notification::{PassedOver, Unreadable};
use crate::source::queue::QueueError;
use crate::source::{FetchError, Verdict};

/// Is told; it must not block for long.
pub trait Observer: Send + Sync {
    /// The queue answered; with messages that were sent at these times, in milliseconds since 1970.
    fn polled(&self, _sent_ms: &[Option<i64>]) {}
    /// A message says nothing to us, and is left to the queue's redrive policy. `received` is how often
    /// that happened to it.
    fn unreadable(&self, _message: &str, _received: u32, _why: &Unreadable) {}
    /// A message told of something else than a log file.
    fn passed_over(&self, _what: PassedOver, _times: u32) {}
    /// The queue did not answer; it is asked again after a pause.
    fn queue_trouble(&self, _error: &QueueError, _attempt: u32, _pause: Duration) {}
    /// An object could not be fetched.
    fn fetch_trouble(&self, _object: &ObjectRef, _error: &FetchError, _verdict: Verdict) {}
    /// An object was fetched.
    fn fetched(&self, _bytes: usize, _took: Duration) {}
    /// An object was analysed; its rows are not committed yet.
    fn drawn(&self, _drawn: &Yield) {}
    /// An object's rows are in the open batch.
    fn held(&self) {}
    /// An object came again that is in the ledger, or in the open batch.
    fn already_done(&self, _object: &ObjectRef) {}
    /// A batch is committed and published: these objects, and none that are on record already.
    fn committed(&self, _written: &[Yield], _committed: &Committed, _took: Duration) {}
}

/// Is told, and forgets.
pub struct Silent;

impl Observer for Silent {}
