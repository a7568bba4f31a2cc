//! The distinct texts of a column, numbered in order of appearance.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Texts and their numbers.
///
/// A text that lies where one lay before is that one: all of them are borrowed for as long as the
/// dictionary lives. So a row whose text stands in an arena costs a look at two numbers, whatever the
/// text's length; only a text in a new place is compared by content.
#[derive(Debug, Default)]
pub(super) struct Dictionary<'r> {
    texts: Vec<&'r str>,
    by_place: HashMap<Place, u32, FxBuildHasher>,
    by_text: HashMap<&'r str, u32, FxBuildHasher>,
    /// Rows are sorted: often the next text is the last one again.
    last: Option<(Place, u32)>,
}

/// Address and length.
type Place = (usize, usize);

impl<'r> Dictionary<'r> {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &'r str) -> u32 {
        let place = (text.as_ptr().addr(), text.len());
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == place) {
            return number;
        }
        let Self { texts, by_place, by_text, .. } = self;
        let number = *by_place.entry(place).or_insert_with(|| {
            *by_text.entry(text).or_insert_with(|| {
                texts.push(text);
                // There are no more texts than rows in a group.
                u32::try_from(texts.len() - 1).unwrap_or(u32::MAX)
            })
        });
        self.last = Some((place, number));
        number
    }

    /// The texts by their numbers.
    pub(super) fn texts(&self) -> &[&'r str] {
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_wherever_they_lie() {
        let arena = "alias/aws/ebs alias/aws/ebs".to_owned();
        let (a, b, part) = (&arena[..13], &arena[14..], &arena[..5]);
        let mut dictionary = Dictionary::default();
        let numbers: Vec<u32> = [a, b, part, a, part, ""].into_iter().map(|text| dictionary.number(text)).collect();
        assert_eq!(numbers, [0, 0, 1, 0, 1, 2]);
        assert_eq!(dictionary.texts(), ["alias/aws/ebs", "alias", ""]);
    }
}
