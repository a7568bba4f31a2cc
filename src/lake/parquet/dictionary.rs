//! The distinct values of a column, numbered in order of appearance.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::model::places::Places;

/// Texts and their numbers.
#[derive(Debug, Default)]
pub(super) struct Texts<'r> {
    texts: Vec<&'r str>,
    places: Places<'r, u32>,
    by_text: HashMap<&'r str, u32, FxBuildHasher>,
}

impl<'r> Texts<'r> {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &'r str) -> u32 {
        let Self { texts, places, by_text } = self;
        places.of(text, |text| {
            *by_text.entry(text).or_insert_with(|| {
                texts.push(text);
                // There are no more texts than rows in a group.
                u32::try_from(texts.len() - 1).unwrap_or(u32::MAX)
            })
        })
    }

    /// The texts by their numbers.
    pub(super) fn texts(&self) -> &[&'r str] {
        &self.texts
    }
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
}
