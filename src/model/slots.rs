//! A hash table of places: what stands there is its owner's. Hashes are kept, so that the table grows
//! without a look at what is in it.

use hashbrown::HashTable;

/// Numbers of places, to be found by the hash of what stands there.
#[derive(Debug, Default)]
pub struct Slots(HashTable<Slot>);

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    at: u32,
}

impl Slot {
    /// The table takes bits from both ends of a hash: here they come from the half that is kept.
    fn spread(self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Slots {
    /// The place where `is` says that it is, among those of this hash.
    #[must_use]
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let wanted = slot(hash, 0);
        self.0.find(wanted.spread(), |slot| slot.hash == wanted.hash && is(slot.at)).map(|slot| slot.at)
    }

    /// Makes room for so many more places.
    pub fn reserve(&mut self, places: usize) {
        self.0.reserve(places, |slot| slot.spread());
    }

    /// Forgets all places, and keeps the room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a place that is not there.
    pub fn insert(&mut self, hash: u64, at: u32) {
        let slot = slot(hash, at);
        self.0.insert_unique(slot.spread(), slot, |slot| slot.spread());
    }
}

fn slot(hash: u64, at: u32) -> Slot {
    // All bits have a say: hashers differ in where they have their best.
    let [a, b, c, d, ..] = (hash ^ hash >> 32).to_le_bytes();
    Slot { hash: u32::from_le_bytes([a, b, c, d]), at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustc_hash::FxBuildHasher;
    use std::hash::BuildHasher;

    #[test]
    fn what_was_put_in_is_found_however_much_it_grew() {
        let hash = |n: u32| FxBuildHasher.hash_one(n / 2);
        let mut slots = Slots::default();
        slots.reserve(10);
        (0..5_000).for_each(|n| slots.insert(hash(n), n));
        assert!((0..5_000).all(|n| slots.find(hash(n), |at| at == n) == Some(n)), "two of each hash");
        assert_eq!(slots.find(hash(1), |at| at > 1), None);
        slots.clear();
        assert_eq!(slots.find(hash(1), |_| true), None);
    }
}
