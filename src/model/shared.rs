//! Texts that recur and may go again: each is held once, for as long as somebody holds it.

use std::hash::BuildHasher;
use std::ops::Deref;
use std::rc::Rc;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// A text that others may hold too. The empty one takes nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shared(Option<Rc<str>>);

impl Deref for Shared {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Makes [`Shared`] texts: equal ones are one.
#[derive(Debug, Default)]
pub struct Pool {
    texts: HashTable<Rc<str>>,
    /// How many there may be before it is looked which of them nobody holds any more.
    enough: usize,
}

/// There is no need to look for less.
const FEW: usize = 1_024;

impl Pool {
    /// A text.
    pub fn of(&mut self, text: &str) -> Shared {
        if text.is_empty() {
            return Shared(None);
        }
        let hash = FxBuildHasher.hash_one(text);
        if let Some(known) = self.texts.find(hash, |known| &**known == text) {
            return Shared(Some(Rc::clone(known)));
        }
        if self.texts.len() >= self.enough {
            self.texts.retain(|text| Rc::strong_count(text) > 1);
            self.enough = FEW.max(2 * self.texts.len());
        }
        let new: Rc<str> = Rc::from(text);
        self.texts.insert_unique(hash, Rc::clone(&new), |text| FxBuildHasher.hash_one(&**text));
        Shared(Some(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_those_that_nobody_holds_go() {
        let mut pool = Pool::default();
        let kept = pool.of("kept");
        for number in 0..10 * FEW {
            assert_eq!(&*pool.of(&number.to_string()), number.to_string());
        }
        assert!(pool.texts.len() <= 2 * FEW, "{}", pool.texts.len());
        let again = pool.of("kept");
        assert_eq!(again.as_ptr(), kept.as_ptr());
        assert_eq!((pool.of(""), &*Shared::default()), (Shared::default(), ""));
    }
}
