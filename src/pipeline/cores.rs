//! How many threads may be busy at once: as many as were asked for, whatever they do.

use std::sync::{Condvar, Mutex, PoisonError};

/// The cores that may be busy. The collector's commits are work like any other: while it has a core,
/// one worker waits.
pub(super) struct Cores {
    free: Mutex<Free>,
    freed: Condvar,
}

struct Free {
    cores: usize,
    /// Whether the collector waits for one; it goes first, for all wait for it in the end.
    wanted: bool,
}

impl Cores {
    pub(super) fn new(cores: usize) -> Self {
        Self { free: Mutex::new(Free { cores, wanted: false }), freed: Condvar::new() }
    }

    /// Waits for a core, and lets the collector go first.
    pub(super) fn for_a_worker(&self) -> Core<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |free: &mut Free| free.cores == 0 || free.wanted;
        self.freed.wait_while(free, wait).unwrap_or_else(PoisonError::into_inner).cores -= 1;
        Core(self)
    }

    /// Waits for a core.
    pub(super) fn for_the_collector(&self) -> Core<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.wanted = true;
        let mut free = self.freed.wait_while(free, |free| free.cores == 0).unwrap_or_else(PoisonError::into_inner);
        free.wanted = false;
        free.cores -= 1;
        // Workers that stood back may go on, where there are cores left.
        self.freed.notify_all();
        Core(self)
    }
}

/// A core in use; free again when dropped.
pub(super) struct Core<'c>(&'c Cores);

impl Drop for Core<'_> {
    fn drop(&mut self) {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner).cores += 1;
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_are_busy_than_there_are_cores_and_all_get_their_turn() {
        let (cores, busy, turns) = (Cores::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (cores, busy, turns) = (&cores, &busy, &turns);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let core = if thread == 0 { cores.for_the_collector() } else { cores.for_a_worker() };
                        assert!(busy.fetch_add(1, Ordering::SeqCst) < 2);
                        std::thread::yield_now();
                        busy.fetch_sub(1, Ordering::SeqCst);
                        drop(core);
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 800);
    }
}
