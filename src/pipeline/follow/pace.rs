//! How many objects are fetched at once: more while workers wait for them, fewer when they pile up or
//! S3 asks for patience.

/// The number, between one and a given most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    now: usize,
    most: usize,
    /// Fetches that went well since the number last changed.
    well: usize,
}

impl Pace {
    /// Begins with a few.
    pub(super) fn new(most: usize) -> Self {
        Self { now: most.clamp(1, 4), most: most.max(1), well: 0 }
    }

    /// How many may be under way.
    pub(super) fn now(self) -> usize {
        self.now
    }

    /// A fetch went well; `waiting` objects wait for one of `workers`. One more is tried after each round
    /// in which workers had little to choose from.
    pub(super) fn went_well(&mut self, waiting: usize, workers: usize) {
        self.well += 1;
        if self.well < self.now {
            return;
        }
        self.well = 0;
        if waiting <= workers {
            self.now = (self.now + 1).min(self.most);
        } else if waiting > workers * 4 {
            self.now = (self.now - 1).max(1);
        }
    }

    /// S3 was too busy, or the network: half as many, at once.
    pub(super) fn was_too_much(&mut self) {
        self.now = (self.now / 2).max(1);
        self.well = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_while_workers_wait_and_falls_when_they_do_not() {
        let mut pace = Pace::new(6);
        (0..100).for_each(|_| pace.went_well(0, 2));
        assert_eq!(pace.now(), 6);
        (0..100).for_each(|_| pace.went_well(5, 2));
        assert_eq!(pace.now(), 6, "enough to choose from is neither too much nor too little");
        pace.was_too_much();
        assert_eq!(pace.now(), 3);
        (0..100).for_each(|_| pace.went_well(20, 2));
        assert_eq!(pace.now(), 1);
        pace.was_too_much();
        assert_eq!((pace.now(), Pace::new(0).now()), (1, 1));
    }
}
