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

/// Bytes that may be fetched and not yet taken by the collector, in KiB.
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
                    if let Ok(Some((fetched, took))) = ended
                        && !self.hand_on(fetched, took, &mut pace)?
                    {
                        return Ok(());
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

    /// Hands what was fetched to the workers; tells whether they are still there.
    fn hand_on(&self, fetched: Fetched, took: Duration, pace: &mut Pace) -> Result<bool, FetchError> {
        let trouble = match &fetched.stored {
            Ok(stored) => {
                self.observer.fetched(stored.len(), took);
                pace.went_well(self.fetched.len(), self.workers);
                None
            }
            Err(error) => {
                let verdict = error.verdict();
                self.observer.fetch_trouble(&fetched.object, error, verdict);
                Some(verdict)
            }
        };
        match (trouble, fetched) {
            (Some(Verdict::Retry), Fetched { held, .. }) => {
                pace.was_too_much();
                held.give_back(self.follow.try_again_after);
            }
            (Some(Verdict::Fatal), Fetched { stored: Err(error), .. }) => return Err(error),
            // Fetched, or never to be had: workers make a row of either. What workers that are gone do not
            // take goes back.
            (_, fetched) => return Ok(self.fetched.send(fetched).is_ok()),
        }
        Ok(true)
    }
}

/// Waits for room, then fetches. What a message says of an object's size is not believed: one that is
/// larger is given up, and fetched again when there is room for it.
async fn fetch(store: S3Store, work: Work, room: Arc<Semaphore>) -> Option<(Fetched, Duration)> {
    let Work { mut object, held } = work;
    let (started, mut size) = (Instant::now(), object.size);
    loop {
        let kib = kib(size);
        // The semaphore is never closed.
        let mut room = Arc::clone(&room).acquire_many_owned(kib).await.ok()?;
        let fits = if kib == ROOM_KIB { u64::MAX } else { u64::from(kib) << 10 };
        let mut stored = Vec::new();
        let fetched = store.get_at_most(&object, fits, &mut stored).await;
        match fetched {
            Err(FetchError::TooLarge { size: real, .. }) if kib < ROOM_KIB && real <= store.cap() => {
                size = real.max(u64::from(kib) << 11);
            }
            fetched => {
                let stored = fetched.map(|()| stored);
                object.size = stored.as_ref().map_or(object.size, |stored| stored.len() as u64);
                let needed = stored.as_ref().map_or(0, |stored| self::kib(stored.len() as u64));
                // What is not needed is another object's.
                drop(room.split(kib.saturating_sub(needed) as usize));
                return Some((Fetched { object, stored, held, room }, started.elapsed()));
            }
        }
    }
}

fn kib(size: u64) -> u32 {
    match size {
        0 => UNKNOWN_KIB,
        size => u32::try_from(size.div_ceil(1 << 10)).unwrap_or(ROOM_KIB).clamp(1, ROOM_KIB),
    }
}
