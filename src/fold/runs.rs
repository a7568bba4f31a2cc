//! Uses that wait in order, packed to a fifth, and what several such runs come to.

use crate::model::packed::{put, put_signed, take, take_signed};
use crate::model::strings::{Strings, Symbol, Translation};
use crate::model::time::Seconds;
use crate::model::usage::Relation;

/// Texts of a [`Key`], in the order that rows are sorted by.
pub(super) const TEXTS: usize = 7;

/// What is counted by. Sorts as its texts do, if those of its arena are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) texts: [Symbol; TEXTS],
    pub(super) relation: Word,
}

/// A relation that sorts as its word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Word(u8);

/// By their words.
const RELATIONS: [Relation; 6] =
    [Relation::Foreign, Relation::Inbound, Relation::Internal, Relation::Outbound, Relation::Same, Relation::Unknown];

impl Word {
    pub(super) fn of(relation: Relation) -> Self {
        let before = RELATIONS.iter().take_while(|known| **known != relation).count();
        Self(u8::try_from(before).unwrap_or(u8::MAX))
    }

    pub(super) fn relation(self) -> Relation {
        RELATIONS.get(usize::from(self.0)).copied().unwrap_or(Relation::Unknown)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) first: Seconds,
    pub(super) last: Seconds,
    pub(super) requests: i64,
    pub(super) errors: i64,
}

impl Count {
    /// Both together, whichever came first.
    pub(super) fn add(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.requests += other.requests;
        self.errors += other.errors;
    }
}

/// Uses in order, each once, with the texts that they refer to.
#[derive(Debug)]
pub(super) struct Run {
    strings: Strings,
    packed: Vec<u8>,
    len: usize,
}

impl Run {
    /// Packs rows; they come in order, and so do the texts of `strings`. So many bytes are hardly exceeded.
    pub(super) fn pack(strings: Strings, rows: impl Iterator<Item = (Key, Count)>, bytes: usize) -> Self {
        let mut packed = Vec::with_capacity(bytes);
        let mut len = 0;
        let (mut key_before, mut first_before) = (0, 0);
        for (Key { texts, relation }, count) in rows {
            let [key, others @ ..] = texts.map(Symbol::number);
            put(&mut packed, u64::from(key - key_before));
            others.into_iter().for_each(|text| put(&mut packed, u64::from(text)));
            packed.push(relation.0);
            put_signed(&mut packed, count.first.0.wrapping_sub(first_before));
            put_signed(&mut packed, count.last.0.wrapping_sub(count.first.0));
            put_signed(&mut packed, count.requests);
            put_signed(&mut packed, count.errors);
            (key_before, first_before) = (key, count.first.0);
            len += 1;
        }
        packed.shrink_to_fit();
        Self { strings, packed, len }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// One run of several.
    pub(super) fn of(runs: &[Self]) -> Self {
        let (strings, rows) = merged(runs);
        Self::pack(strings, rows, runs.iter().map(|run| run.packed.len()).sum())
    }

    fn rows(&self) -> Rows<'_> {
        Rows { packed: &self.packed, key: 0, first: 0 }
    }
}

/// The rows of a run.
struct Rows<'r> {
    packed: &'r [u8],
    /// Of the row before.
    key: u64,
    first: i64,
}

impl Iterator for Rows<'_> {
    type Item = (Key, Count);

    fn next(&mut self) -> Option<Self::Item> {
        if self.packed.is_empty() {
            return None;
        }
        let packed = &mut self.packed;
        self.key += take(packed);
        let mut texts = [Symbol::numbered(self.key); TEXTS];
        texts[1..].iter_mut().for_each(|text| *text = Symbol::numbered(take(packed)));
        let (relation, rest) = packed.split_first()?;
        *packed = rest;
        self.first = self.first.wrapping_add(take_signed(packed));
        let last = self.first.wrapping_add(take_signed(packed));
        let (requests, errors) = (take_signed(packed), take_signed(packed));
        let count = Count { first: Seconds(self.first), last: Seconds(last), requests, errors };
        Some((Key { texts, relation: Word(*relation) }, count))
    }
}

/// The rows of all runs in one order, equal ones added up; and the texts that they refer to.
pub(super) fn merged(runs: &[Run]) -> (Strings, impl Iterator<Item = (Key, Count)>) {
    let (strings, names) = Strings::sorted(runs.iter().map(|run| &run.strings));
    let sources = runs.iter().zip(names).map(|(run, names)| Source::start(run, names)).collect();
    (strings, Merge { sources })
}

/// A run, and the next of its rows.
struct Source<'r> {
    rows: Rows<'r>,
    names: Translation,
    next: Option<(Key, Count)>,
}

impl<'r> Source<'r> {
    fn start(run: &'r Run, names: Translation) -> Self {
        let mut source = Self { rows: run.rows(), names, next: None };
        source.step();
        source
    }

    fn step(&mut self) {
        let name = |symbol| self.names.of(symbol);
        self.next = self.rows.next().map(|(key, count)| (Key { texts: key.texts.map(name), ..key }, count));
    }
}

/// There are few runs, see [`super::uses::Uses`]: looking at each is as good as a heap.
struct Merge<'r> {
    sources: Vec<Source<'r>>,
}

impl Iterator for Merge<'_> {
    type Item = (Key, Count);

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.sources.iter().filter_map(|source| source.next.as_ref());
        let key = heads.map(|(key, _)| key).min().copied()?;
        let mut sum: Option<Count> = None;
        for source in &mut self.sources {
            if let Some((_, count)) = source.next.as_ref().filter(|(other, _)| *other == key) {
                match &mut sum {
                    Some(sum) => sum.add(count),
                    None => sum = Some(*count),
                }
                source.step();
            }
        }
        Some((key, sum?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_sort_as_their_words_do() {
        assert!(RELATIONS.is_sorted_by_key(|relation| relation.as_str()));
        assert!(RELATIONS.iter().all(|relation| Word::of(*relation).relation() == *relation));
    }
}
