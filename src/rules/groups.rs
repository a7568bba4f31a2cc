//! Groups of usage rows by a few texts: what a usage rule keeps of a day.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// A value for each combination of `N` texts. The texts are copied when a combination is new.
#[derive(Debug)]
pub(super) struct Groups<const N: usize, V>(HashTable<([String; N], V)>);

impl<const N: usize, V> Default for Groups<N, V> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

impl<const N: usize, V: Default> Groups<N, V> {
    /// The group of these texts.
    pub(super) fn of(&mut self, texts: [&str; N]) -> &mut V {
        let entry = self.0.entry(
            FxBuildHasher.hash_one(texts),
            |(known, _)| known.iter().zip(texts).all(|(known, text)| known == text),
            |(known, _)| FxBuildHasher.hash_one(known.each_ref().map(String::as_str)),
        );
        &mut entry.or_insert_with(|| (texts.map(str::to_owned), V::default())).into_mut().1
    }

    /// All groups, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = ([&str; N], &V)> {
        self.0.iter().map(|(texts, value)| (texts.each_ref().map(String::as_str), value))
    }
}
