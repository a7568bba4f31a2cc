//! What an alert is given to, and what may go wrong there.

use std::pin::Pin;

use super::line::Alert;
use crate::cloud::Failure;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place that alerts go to. It gets one at a time, and makes one attempt; others repeat it.
pub trait Sink: Send + Sync {
    /// What the log calls it; without secrets.
    fn name(&self) -> &str;

    /// Sends an alert, once.
    ///
    /// # Errors
    /// A transient failure is tried again.
    fn send<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A failure, as the log tells it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Undelivered(pub(super) Failure);
