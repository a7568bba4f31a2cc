//! Knows a text again by where it lies, without looking at it.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// What was made of texts that are borrowed for as long as this lives: so a text that lies where one
/// lay before is that one. Rows whose texts stand in an arena or a dictionary cost a look at two
/// numbers a text, however long it is.
#[derive(Debug)]
pub struct Places<'t, V> {
    made: HashMap<Place<'t>, V, FxBuildHasher>,
    /// Rows are sorted: often the next text is the last one again.
    last: Option<(Place<'t>, V)>,
}

/// Address and length, for as long as the text lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'t> {
    address: usize,
    len: usize,
    text: std::marker::PhantomData<&'t str>,
}

impl<V> Default for Places<'_, V> {
    fn default() -> Self {
        Self { made: HashMap::default(), last: None }
    }
}

impl<'t, V: Copy> Places<'t, V> {
    /// What was made of the text that lies here, or what `make` makes of it now.
    pub fn of(&mut self, text: &'t str, make: impl FnOnce(&'t str) -> V) -> V {
        let here = Place { address: text.as_ptr().addr(), len: text.len(), text: std::marker::PhantomData };
        match self.last {
            Some((last, known)) if last == here => known,
            _ => {
                let value = *self.made.entry(here).or_insert_with(|| make(text));
                self.last = Some((here, value));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_something_of_once_a_place() {
        let arena = "one two one".to_owned();
        let (mut places, mut made) = (Places::default(), 0);
        for text in [&arena[..3], &arena[4..7], &arena[..3], &arena[..2], &arena[8..]] {
            places.of(text, |text| {
                made += 1;
                text.len()
            });
        }
        assert_eq!(made, 4);
        assert_eq!(places.of(&arena[..3], |_| 0), 3);
    }
}
