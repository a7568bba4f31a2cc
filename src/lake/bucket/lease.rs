//! A lock among machines: an object that its holder keeps writing anew.
//!
//! There is no clock that two machines share. A lease is judged by whether it changes: one that nobody
//! has written for as long as a lease lasts has no holder any more. Who wants it watches it for that long,
//! or sees from S3's own two times (when it was written, what time it is) that it is older than twice
//! that. Taking over and refreshing are both conditional on the version that was seen, so of holder and
//! heir exactly one wins, and the other one knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

use super::objects::{Condition, Objects};
use crate::lake::LakeError;

/// How long a lease lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Time without a refresh after which it has no holder any more.
    pub lasts: Duration,
    /// Time between two refreshes.
    pub refreshed_every: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { lasts: Duration::from_mins(1), refreshed_every: Duration::from_secs(15) }
    }
}

/// Longest that giving a lease back may take. It only saves others the time until it would end by itself.
const RELEASE: Duration = Duration::from_secs(10);

/// A lease that this process holds, or has held.
#[derive(Debug)]
pub(super) struct Held {
    objects: Objects,
    path: String,
    writer: String,
    etag: Mutex<String>,
    beats: AtomicU64,
    lost: AtomicBool,
}

impl Held {
    /// Takes the lease if the condition holds.
    pub(super) async fn take(
        objects: &Objects,
        path: &str,
        writer: &str,
        condition: Condition<'_>,
    ) -> Result<Option<Arc<Self>>, LakeError> {
        let (content, token) = beat(writer, 0);
        let version = objects.put_on(path, content, condition, &token, false).await?;
        Ok(version.map(|etag| {
            Arc::new(Self {
                objects: objects.clone(),
                path: path.to_owned(),
                writer: writer.to_owned(),
                etag: Mutex::new(etag),
                beats: AtomicU64::new(1),
                lost: AtomicBool::new(false),
            })
        }))
    }

    /// Writes it anew.
    ///
    /// # Errors
    /// [`LakeError::LeaseLost`] if somebody else has taken or removed it, now and ever after; another one
    /// if S3 could not be asked.
    pub(super) async fn refresh(&self) -> Result<(), LakeError> {
        self.write(false).await
    }

    async fn write(&self, released: bool) -> Result<(), LakeError> {
        let mut etag = self.etag.lock().await;
        let (content, token) = beat(&self.writer, self.beats.fetch_add(1, Ordering::Relaxed));
        if !self.lost.load(Ordering::Relaxed)
            && let Some(new) = self.objects.put_on(&self.path, content, Condition::Is(&etag), &token, released).await?
        {
            *etag = new;
            return Ok(());
        }
        self.lost.store(true, Ordering::Relaxed);
        Err(LakeError::LeaseLost(self.objects.uri(&self.path)))
    }
}

/// Content and token of a write: never the same twice, or the version would not change.
fn beat(writer: &str, number: u64) -> (Bytes, String) {
    let chance = super::chance();
    let content = format!("{{\"writer\":\"{writer}\",\"beat\":{number},\"chance\":\"{chance:016x}\"}}\n");
    (Bytes::from(content), format!("{writer}-{number}-{chance:016x}"))
}

/// Holds a lease until dropped.
pub(super) struct Guard {
    /// Dropped first: ends the task that keeps the lease.
    stop: Option<oneshot::Sender<()>>,
    ended: Receiver<()>,
    /// The bucket knows it as long as it lives.
    _held: Arc<Held>,
}

impl Guard {
    pub(super) fn new(held: Arc<Held>, times: LeaseTimes, runtime: &Handle) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = bounded(0);
        runtime.spawn(keep(Arc::clone(&held), times, stopped, end));
        Self { stop: Some(stop), ended, _held: held }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Whoever asks next should find it free. A runtime that is gone drops its end of the channel.
        drop(self.stop.take());
        let _ = self.ended.recv_timeout(RELEASE);
    }
}

/// Refreshes until told to stop, then gives back. A write is never cut off: what it did would be unknown.
async fn keep(held: Arc<Held>, times: LeaseTimes, mut stopped: oneshot::Receiver<()>, _end: Sender<()>) {
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(times.refreshed_every) => {}
        }
        if let Err(LakeError::LeaseLost(_)) = held.refresh().await {
            return;
        }
    }
    let _ = held.write(true).await;
}
