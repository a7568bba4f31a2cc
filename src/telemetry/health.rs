//! Whether a tail is well: it is while it polls or commits, and what it holds does not wait too long.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long silence is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest without a successful poll or commit. A poll takes 20 s at most; a queue that is full of
    /// work is not polled while a commit lasts.
    pub silence: Duration,
    /// Longest that rows may wait for their commit: the flush interval and what a bad commit takes.
    pub uncommitted: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_mins(5), uncommitted: Duration::from_mins(10) }
    }
}

/// The state of a tail, told by those who do the work.
#[derive(Debug)]
pub struct Health {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_sign: Instant,
    /// Since when rows wait for their commit.
    waiting: Option<Instant>,
    dead: Option<String>,
}

impl Health {
    /// Of a tail that has just started.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State { last_sign: Instant::now(), waiting: None, dead: None };
        Self { limits, state: Mutex::new(state) }
    }

    /// The queue has answered a poll, with messages or without.
    pub fn polled(&self) {
        self.with(|state| state.last_sign = Instant::now());
    }

    /// There are rows that wait for a commit. To be told at each; the first counts.
    pub fn holds_rows(&self) {
        self.with(|state| _ = state.waiting.get_or_insert_with(Instant::now));
    }

    /// All rows that there were are committed and published.
    pub fn committed(&self) {
        self.with(|state| (state.last_sign, state.waiting) = (Instant::now(), None));
    }

    /// It can't go on, and why; the first reason stays.
    pub fn dead(&self, reason: &str) {
        self.with(|state| _ = state.dead.get_or_insert_with(|| reason.to_owned()));
    }

    /// Nothing if all is well, else what is not.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn verdict(&self) -> Result<(), String> {
        self.verdict_at(Instant::now())
    }

    fn verdict_at(&self, now: Instant) -> Result<(), String> {
        let Limits { silence, uncommitted } = self.limits;
        self.with(|state| {
            let silent = now.saturating_duration_since(state.last_sign);
            let waits = state.waiting.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
            if let Some(reason) = &state.dead {
                return Err(reason.clone());
            }
            if silent > silence {
                return Err(format!(
                    "neither a poll nor a commit for {} s (limit {})",
                    silent.as_secs(),
                    silence.as_secs()
                ));
            }
            if waits > uncommitted {
                return Err(format!(
                    "rows wait for a commit for {} s (limit {})",
                    waits.as_secs(),
                    uncommitted.as_secs()
                ));
            }
            Ok(())
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { silence: Duration::from_mins(5), uncommitted: Duration::from_mins(10) };

    fn after(minutes: u64) -> Instant {
        Instant::now() + Duration::from_mins(minutes) + Duration::from_secs(1)
    }

    #[test]
    fn silence_is_ill_and_a_poll_heals_it() {
        let health = Health::new(LIMITS);
        assert_eq!(health.verdict_at(after(4)), Ok(()), "starting counts as a sign");
        let reason = health.verdict_at(after(5)).expect_err("silence");
        assert!(
            reason.starts_with("neither a poll nor a commit for 30") && reason.ends_with("(limit 300)"),
            "{reason}"
        );
        health.polled();
        assert_eq!(health.verdict_at(after(4)), Ok(()));
        health.committed();
        assert_eq!(health.verdict_at(after(4)), Ok(()));
    }

    #[test]
    fn polls_do_not_hide_rows_that_are_never_committed() {
        let health = Health::new(Limits { silence: Duration::from_hours(1), ..LIMITS });
        health.holds_rows();
        health.polled();
        assert_eq!(health.verdict_at(after(9)), Ok(()));
        assert!(health.verdict_at(after(10)).is_err_and(|reason| reason.starts_with("rows wait for a commit")));
        health.committed();
        assert_eq!(health.verdict_at(after(10)), Ok(()));
    }

    #[test]
    fn the_first_reason_of_a_death_stays() {
        let health = Health::new(LIMITS);
        health.dead("the queue is gone");
        health.dead("and so is the rest");
        health.polled();
        assert_eq!(health.verdict(), Err("the queue is gone".to_owned()));
    }
}
