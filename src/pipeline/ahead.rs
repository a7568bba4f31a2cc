//! Fetches the objects of a list ahead of the workers that will ask for them, in the order of the list.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::model::object::{ObjectId, ObjectRef};
use crate::source::s3::S3Store;
use crate::source::{FetchError, Store};

/// Bytes that may lie fetched and not yet analysed, in KiB: some seconds of work for two cores.
const AHEAD_KIB: usize = 64 << 10;
/// Calls under way at once. S3 answers a call in some 20 to 100 ms, whatever the object's size.
const AT_ONCE: usize = 32;

/// A store that has what is asked for next already, or is about to.
pub struct Ahead {
    store: S3Store,
    shelf: Arc<Shelf>,
    fetching: JoinHandle<()>,
}

/// Where fetched objects wait for their worker.
#[derive(Default)]
struct Shelf {
    objects: Mutex<HashMap<ObjectId, Slot, FxBuildHasher>>,
    arrived: Condvar,
}

/// An object of the list that no worker has asked for yet.
enum Slot {
    /// It will come.
    Awaited,
    /// It is here, and takes room until it is asked for.
    Here(Result<Vec<u8>, FetchError>, OwnedSemaphorePermit),
}

impl Ahead {
    /// Begins to fetch `objects`, in their order, on `runtime`.
    #[must_use]
    pub fn start(store: S3Store, objects: Vec<ObjectRef>, runtime: &Handle) -> Self {
        let shelf = Arc::new(Shelf::default());
        shelf.lock().extend(objects.iter().map(|object| (object.id(), Slot::Awaited)));
        let fetching = runtime.spawn(fetch_all(store.clone(), objects, Arc::clone(&shelf)));
        Self { store, shelf, fetching }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}

impl Store for Ahead {
    fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
        let id = object.id();
        let awaited = |objects: &mut HashMap<_, _, _>| matches!(objects.get(&id), Some(Slot::Awaited));
        let objects = self.shelf.arrived.wait_while(self.shelf.lock(), awaited);
        let slot = objects.unwrap_or_else(PoisonError::into_inner).remove(&id);
        match slot {
            Some(Slot::Here(fetched, _room)) => {
                *into = fetched?;
                Ok(())
            }
            // Asked for before: an object that is looked at a second time.
            _ => self.store.fetch(object, into),
        }
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectId, Slot, FxBuildHasher>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: ObjectId, slot: Slot) {
        self.lock().insert(id, slot);
        self.arrived.notify_all();
    }
}

/// Room and turn are given in the order of the list, so that what is asked for next always has both.
async fn fetch_all(store: S3Store, objects: Vec<ObjectRef>, shelf: Arc<Shelf>) {
    let (room, turns) = (Arc::new(Semaphore::new(AHEAD_KIB)), Arc::new(Semaphore::new(AT_ONCE)));
    for object in objects {
        let kib = usize::try_from(object.size >> 10).unwrap_or(AHEAD_KIB).clamp(1, AHEAD_KIB);
        let kib = u32::try_from(kib).unwrap_or(1);
        // The semaphores are never closed.
        let Ok(room) = Arc::clone(&room).acquire_many_owned(kib).await else { return };
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let (store, shelf) = (store.clone(), Arc::clone(&shelf));
        tokio::spawn(async move {
            let mut stored = Vec::new();
            let fetched = store.get(&object, &mut stored).await.map(|()| stored);
            drop(turn);
            shelf.put(object.id(), Slot::Here(fetched, room));
        });
    }
}
