//! The distinct values of a column, numbered in order of appearance.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::model::strings::{Strings, Symbol};

/// Texts and their numbers.
#[derive(Debug, Default)]
pub(super) struct Texts<'r> {
    texts: Vec<&'r str>,
    /// Rows are sorted: often the next text is the last one again.
    last: Option<(&'r str, u32)>,
    by_text: HashMap<&'r str, u32, FxBuildHasher>,
    /// How many of the texts are in `by_text`: those of one arena are told apart without it.
    indexed: usize,
    /// The arena whose symbols were asked for last, and the numbers of its texts, as far as they have one.
    arena: Option<&'r Strings>,
    by_symbol: Vec<Option<u32>>,
}

impl<'r> Texts<'r> {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &'r str) -> u32 {
        if let Some((last, number)) = self.last
            && std::ptr::eq(last, text)
        {
            return number;
        }
        self.index();
        let Self { texts, by_text, indexed, last, .. } = self;
        let number = *by_text.entry(text).or_insert_with(|| pushed(texts, text));
        *indexed = texts.len();
        *last = Some((text, number));
        number
    }

    /// Has all texts so far found by what they are.
    fn index(&mut self) {
        if self.indexed < self.texts.len() {
            self.by_text.extend((0..).zip(&self.texts).skip(self.indexed).map(|(number, text)| (*text, number)));
            self.indexed = self.texts.len();
        }
    }

    /// The number of a text that stands in an arena; none for the empty one.
    pub(super) fn number_of(&mut self, strings: &'r Strings, symbol: Symbol) -> Option<u32> {
        if symbol == Symbol::EMPTY {
            return None;
        }
        if !self.arena.is_some_and(|arena| std::ptr::eq(arena, strings)) {
            self.index();
            self.arena = Some(strings);
            self.by_symbol.clear();
            self.by_symbol.resize(strings.len(), None);
        }
        let number = self.by_symbol[symbol.number() as usize].unwrap_or_else(|| match strings.get(symbol) {
            // All texts are this arena's, where no two are equal.
            text if self.indexed == 0 => pushed(&mut self.texts, text),
            text => self.number(text),
        });
        self.by_symbol[symbol.number() as usize] = Some(number);
        Some(number)
    }

    /// The texts by their numbers.
    pub(super) fn texts(&self) -> &[&'r str] {
        &self.texts
    }
}

fn pushed<'r>(texts: &mut Vec<&'r str>, text: &'r str) -> u32 {
    texts.push(text);
    // There are no more texts than rows in a group.
    u32::try_from(texts.len() - 1).unwrap_or(u32::MAX)
}

/// Integers and their numbers.
#[derive(Debug, Default)]
pub(super) struct Integers {
    integers: Vec<i64>,
    by_value: HashMap<i64, u32, FxBuildHasher>,
    /// Rows are sorted: often the next integer is the last one again.
    last: Option<(i64, u32)>,
}

impl Integers {
    /// The number of an integer.
    pub(super) fn number(&mut self, integer: i64) -> u32 {
        if let Some((last, number)) = self.last
            && last == integer
        {
            return number;
        }
        let Self { integers, by_value, .. } = self;
        let number = *by_value.entry(integer).or_insert_with(|| {
            integers.push(integer);
            u32::try_from(integers.len() - 1).unwrap_or(u32::MAX)
        });
        self.last = Some((integer, number));
        number
    }

    /// The integers by their numbers.
    pub(super) fn integers(&self) -> &[i64] {
        &self.integers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_wherever_they_lie() {
        let arena = "alias/aws/ebs alias/aws/ebs".to_owned();
        let (a, b, part) = (&arena[..13], &arena[14..], &arena[..5]);
        let mut dictionary = Texts::default();
        let numbers: Vec<u32> = [a, b, part, a, part, ""].into_iter().map(|text| dictionary.number(text)).collect();
        assert_eq!(numbers, [0, 0, 1, 0, 1, 2]);
        assert_eq!(dictionary.texts(), ["alias/aws/ebs", "alias", ""]);
    }

    #[test]
    fn equal_texts_of_several_arenas_have_one_number() {
        let (mut one, mut other) = (Strings::default(), Strings::default());
        let (a, nothing, b) = (one.intern("a"), one.intern(""), one.intern("b"));
        let (other_b, other_a) = (other.intern("b"), other.intern("a"));
        let mut dictionary = Texts::default();
        let rows = [(&one, a), (&one, nothing), (&one, b), (&one, a), (&other, other_b), (&other, other_a), (&one, b)];
        let numbers: Vec<_> = rows.into_iter().map(|(arena, symbol)| dictionary.number_of(arena, symbol)).collect();
        assert_eq!(numbers, [Some(0), None, Some(1), Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(dictionary.texts(), ["a", "b"]);
    }
}
