//! Receives messages and reads what they name.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{FollowSettings, Work};
use crate::cloud::Retries;
use crate::model::object::ObjectRef;
use crate::pipeline::Observer;
use crate::source::lease::{Delivery, Leases};
use crate::source::notification::{self, Named};
use crate::source::object_name;
use crate::source::queue::{QueueError, Verdict};

/// The longest poll that SQS knows: fewest calls, and a message is there as soon as it is sent.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Draining a queue, an answer without messages is asked for sooner.
const SHORT_POLL: Duration = Duration::from_secs(1);
/// Answers without messages after which a queue counts as empty: SQS asks only some of its servers
/// when it is polled shortly.
const EMPTY_ANSWERS: u32 = 2;

/// A poll in progress.
pub(super) struct Poll {
    pub(super) leases: Leases,
    pub(super) works: mpsc::Sender<Work>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) follow: FollowSettings,
    pub(super) observer: Arc<dyn Observer>,
}

impl Poll {
    /// Receives until it is stopped, nobody takes work any more, or the queue is empty and that ends it.
    pub(super) async fn run(mut self) -> Result<(), QueueError> {
        let wait = if self.follow.until_empty { SHORT_POLL } else { LONG_POLL };
        let pauses = Retries::default();
        let (mut empty, mut failed) = (0, 0);
        loop {
            let leases = self.leases.clone();
            let received = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
                received = leases.receive(wait) => received,
            };
            match received {
                Ok(deliveries) if deliveries.is_empty() => {
                    self.observer.polled(&[]);
                    failed = 0;
                    // What is held may yet be given back, and come again.
                    empty = if self.leases.held() == 0 { empty + 1 } else { 0 };
                    if self.follow.until_empty && empty >= EMPTY_ANSWERS {
                        return Ok(());
                    }
                }
                Ok(deliveries) => {
                    (empty, failed) = (0, 0);
                    self.observer.polled(&deliveries.iter().map(|delivery| delivery.sent_ms).collect::<Vec<_>>());
                    for delivery in deliveries {
                        if self.dispatch(delivery).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                Err(error) if error.verdict() == Verdict::Fatal => return Err(error),
                Err(error) => {
                    failed += 1;
                    let pause = pauses.pause(failed);
                    self.observer.queue_trouble(&error, failed, pause);
                    tokio::select! {
                        _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
    }

    /// Hands on what a message names; fails if nobody takes it.
    async fn dispatch(&self, delivery: Delivery) -> Result<(), mpsc::error::SendError<Work>> {
        let Delivery { id, body, received, held, .. } = delivery;
        match notification::read(&body) {
            Err(why) => {
                self.observer.unreadable(&id, received, &why);
                held.give_back(self.follow.try_again_after);
            }
            Ok(notification) => {
                for (what, times) in notification.passed_over {
                    self.observer.passed_over(what, times);
                }
                let shares = held.split(notification.objects.len());
                for (named, held) in notification.objects.into_iter().zip(shares) {
                    self.works.send(Work { object: reference(named), held }).await?;
                }
            }
        }
        Ok(())
    }
}

fn reference(named: Named) -> ObjectRef {
    let Named { bucket, key, size, etag, .. } = named;
    let name = object_name::parse(&key);
    ObjectRef { bucket, key, etag: etag.unwrap_or_default(), size: size.unwrap_or_default(), name }
}
