//! A place for an output that is lost to its process behind any step: what a kill at that moment leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keytrail::lake::LakeError;
use keytrail::lake::storage::{Lock, Storage};

/// A place that is lost to its process behind some step: before it is done, or when it is.
pub struct Dying {
    place: Arc<dyn Storage>,
    steps: AtomicUsize,
    last: usize,
    last_is_done: bool,
}

impl Dying {
    /// Lost behind step `last` (from 0): when it is done, or before.
    pub fn behind(place: Arc<dyn Storage>, last: usize, last_is_done: bool) -> Arc<Self> {
        Arc::new(Self { place, steps: AtomicUsize::new(0), last, last_is_done })
    }

    /// Whether it was lost.
    pub fn is_lost(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > self.last
    }

    fn step<R>(&self, what: impl FnOnce() -> Result<R, LakeError>) -> Result<R, LakeError> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let dead = || LakeError::Stopped("killed by the test".to_owned());
        match step.cmp(&self.last) {
            std::cmp::Ordering::Less => what(),
            std::cmp::Ordering::Equal if self.last_is_done => what().and_then(|_| Err(dead())),
            _ => Err(dead()),
        }
    }
}

impl Storage for Dying {
    fn writer(&self) -> &str {
        self.place.writer()
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.step(|| self.place.put(path, bytes))
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.step(|| self.place.stage(path, bytes))
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<bool, LakeError> {
        self.step(|| self.place.put_if_absent(path, bytes))
    }

    fn publish(&self, files: &[(&str, &str)]) -> Result<(), LakeError> {
        // File by file: so there are states in which some are published and some not yet.
        files.iter().try_for_each(|file| self.step(|| self.place.publish(&[*file])))
    }

    fn exchange(&self, folder: &str, add: &[(&str, &str)], remove: &[&str]) -> Result<(), LakeError> {
        self.step(|| self.place.exchange(folder, add, remove))
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        self.place.get(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        self.place.list(folder)
    }

    fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.step(|| self.place.remove(path))
    }

    fn remove_all(&self, paths: &[&str]) -> Result<(), LakeError> {
        self.step(|| self.place.remove_all(paths))
    }

    fn remove_folder(&self, path: &str) -> Result<(), LakeError> {
        self.step(|| self.place.remove_folder(path))
    }

    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError> {
        self.place.lock(path)
    }

    fn grace(&self) -> Duration {
        self.place.grace()
    }
}
