//! Hands out places in the list of objects, and keeps workers from running too far ahead.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands out places in the list, and keeps workers from running too far ahead.
pub(super) struct Line {
    next: AtomicUsize,
    stopped: AtomicBool,
    ahead: usize,
    committed: Mutex<usize>,
    moved: Condvar,
}

impl Line {
    pub(super) fn new(ahead: usize) -> Self {
        Self {
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            ahead,
            committed: Mutex::new(0),
            moved: Condvar::new(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, usize> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next place, once it is near enough to what was taken last; `None` at the end.
    pub(super) fn next(&self, len: usize) -> Option<usize> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let guard = self.taken();
        let near = |taken: &mut usize| place >= *taken + self.ahead && !self.stopped.load(Ordering::Relaxed);
        drop(self.moved.wait_while(guard, near).unwrap_or_else(PoisonError::into_inner));
        (place < len && !self.stopped.load(Ordering::Relaxed)).then_some(place)
    }

    /// Notes that the object at `place` was taken.
    pub(super) fn take(&self, place: usize) {
        *self.taken() = place + 1;
        self.moved.notify_all();
    }

    /// Lets everybody go.
    pub(super) fn stop(&self) {
        let guard = self.taken();
        self.stopped.store(true, Ordering::Relaxed);
        drop(guard);
        self.moved.notify_all();
    }
}
