//! Fetches what messages name, several objects at once, within a budget of bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::pace::Pace;
use super::{FollowSettings, Work};
use crate::model::object::ObjectRef;
use crate::pipeline::Observer;
use crate::source::lease::Held;
use crate::source::s3::S3Store;
use crate::source::{FetchError, Verdict};

/// Bytes that may be fetched and not yet analysed, in KiB.
const ROOM_KIB: u32 = 64 << 10;
/// Taken for an object whose message does not tell its size: few log files are larger as stored.
const UNKNOWN_KIB: u32 = 4 << 10;

/// An object with its bytes, or why there are none.
pub(super) struct Fetched {
    pub(super) object: ObjectRef,
    pub(super) stored: Result<Vec<u8>, FetchError>,
    pub(super) held: Held,
    /// What it takes of the budget, until it is dropped.
    pub(super) room: OwnedSemaphorePermit,
}

/// Fetching in progress.
pub(super) struct Fetch {
    pub(super) store: S3Store,
    pub(super) works: mpsc::Receiver<Work>,
    pub(super) fetched: Sender<Fetched>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) follow: FollowSettings,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) workers: usize,
}

impl Fetch {
    /// Fetches until nobody has work any more, or it is stopped; then what is under way is given up, and
    /// its messages come again.
    pub(super) async fn run(mut self) -> Result<(), FetchError> {
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        let mut pace = Pace::new(self.follow.fetches);
        let mut under_way = JoinSet::new();
        let (mut more, mut stop) = (true, self.stop.clone());
        while more || !under_way.is_empty() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(ended) = under_way.join_next() => {
                    // A task that panicked has given its message back.
                    if let Ok(Some((fetched, took))) = ended {
                        self.hand_on(fetched, took, &mut pace)?;
                    }
                }
                work = self.works.recv(), if more && under_way.len() < pace.now() => match work {
                    None => more = false,
                    Some(work) => _ = under_way.spawn(fetch(self.store.clone(), work, Arc::clone(&room))),
                },
            }
        }
        Ok(())
    }

    fn hand_on(&self, fetched: Fetched, took: Duration, pace: &mut Pace) -> Result<(), FetchError> {
        let verdict = match &fetched.stored {
            Ok(stored) => {
                self.observer.fetched(stored.len(), took);
                pace.went_well(self.fetched.len(), self.workers);
                Verdict::Poison
            }
            Err(error) => {
                let verdict = error.verdict();
                self.observer.fetch_trouble(&fetched.object, error, verdict);
                verdict
            }
        };
        match (verdict, fetched) {
            (Verdict::Retry, Fetched { held, .. }) => {
                pace.was_too_much();
                held.give_back(self.follow.try_again_after);
            }
            (Verdict::Fatal, Fetched { stored: Err(error), .. }) => return Err(error),
            // Workers that are gone take nothing: dropped, it goes back.
            (_, fetched) => _ = self.fetched.send(fetched),
        }
        Ok(())
    }
}

/// Waits for room, then fetches.
async fn fetch(store: S3Store, work: Work, room: Arc<Semaphore>) -> Option<(Fetched, Duration)> {
    let Work { mut object, held } = work;
    // The semaphore is never closed.
    let room = room.acquire_many_owned(kib(object.size)).await.ok()?;
    let started = Instant::now();
    let mut stored = Vec::new();
    let stored = store.get(&object, &mut stored).await.map(|()| stored);
    if let Ok(stored) = &stored {
        object.size = stored.len() as u64;
    }
    Some((Fetched { object, stored, held, room }, started.elapsed()))
}

fn kib(size: u64) -> u32 {
    match size {
        0 => UNKNOWN_KIB,
        size => u32::try_from(size >> 10).unwrap_or(ROOM_KIB).clamp(1, ROOM_KIB),
    }
}
