//! Arenas of strings: a row holds numbers, the text stands once.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::slots::Slots;

/// A string of one [`Strings`] arena. Two symbols of the same arena are equal exactly when their
/// texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Symbol(u32);

impl Symbol {
    /// The empty string, in every arena.
    pub const EMPTY: Self = Self(0);

    /// Its number in its arena, from zero; in a sorted one, how many texts stand before its own.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The symbol with this number.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

/// Distinct strings, each stored once; the empty one always.
#[derive(Debug)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    slots: Slots,
}

impl Default for Strings {
    fn default() -> Self {
        Self { text: String::new(), ends: vec![0], slots: Slots::default() }
    }
}

impl Strings {
    /// The symbol of `text`, which is copied in when it is new.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if text.is_empty() {
            return Symbol::EMPTY;
        }
        let hash = hash(text);
        if let Some(known) = self.find_hashed(hash, text) {
            return known;
        }
        let Self { text: all, ends, slots } = self;
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        all.push_str(text);
        ends.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
        slots.insert(hash, number);
        Symbol(number)
    }

    /// The symbol of `text`, if it was interned. In a sorted arena nothing is looked for.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Symbol> {
        if text.is_empty() { Some(Symbol::EMPTY) } else { self.find_hashed(hash(text), text) }
    }

    fn find_hashed(&self, hash: u64, text: &str) -> Option<Symbol> {
        self.slots.find(hash, |at| slice(&self.text, &self.ends, at) == text).map(Symbol)
    }

    /// The text of a symbol of this arena.
    #[must_use]
    pub fn get(&self, symbol: Symbol) -> &str {
        slice(&self.text, &self.ends, symbol.0)
    }

    /// Bytes held, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 16
    }

    /// How many distinct strings there are, the empty one included.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The same strings in an arena whose symbols compare as their texts do, and what they are called
    /// there.
    #[must_use]
    pub fn into_sorted(self) -> (Self, Translation) {
        let mut order: Vec<u32> = (0..).take(self.len()).collect();
        order.sort_unstable_by_key(|at| slice(&self.text, &self.ends, *at));
        let mut names = vec![Symbol(0); order.len()];
        let mut ends = Vec::with_capacity(self.len());
        ends.push(0);
        let mut sorted = Self { text: String::with_capacity(self.text.len()), ends, ..Self::default() };
        // The empty string comes first, and stands there already.
        for (rank, at) in (0..).zip(order).skip(1) {
            names[at as usize] = Symbol(rank);
            // Nothing will be looked for in it: there are no slots.
            sorted.text.push_str(slice(&self.text, &self.ends, at));
            sorted.ends.push(u32::try_from(sorted.text.len()).unwrap_or(u32::MAX));
        }
        (sorted, Translation(names))
    }

    /// The strings of several arenas in one whose symbols compare as their texts do; and for each
    /// arena, what its strings are called there.
    #[must_use]
    pub fn sorted<'s>(arenas: impl Iterator<Item = &'s Strings>) -> (Self, Vec<Translation>) {
        let mut all = Self::default();
        let mut translations: Vec<_> =
            arenas.map(|arena| Translation(arena.iter().map(|text| all.intern(text)).collect())).collect();
        let (sorted, names) = all.into_sorted();
        for symbol in translations.iter_mut().flat_map(|translation| &mut translation.0) {
            *symbol = names.of(*symbol);
        }
        (sorted, translations)
    }

    /// The texts, in the order of their symbols.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..).take(self.ends.len()).map(|at| slice(&self.text, &self.ends, at))
    }
}

/// Texts that hardly recur, one behind the other: nothing is looked up, nothing is shared.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    ends: Vec<u32>,
}

/// A text of one [`Texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextId(u32);

impl Texts {
    /// Keeps a text.
    pub fn push(&mut self, text: &str) -> TextId {
        let id = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        TextId(id)
    }

    /// A kept text.
    #[must_use]
    pub fn get(&self, id: TextId) -> &str {
        slice(&self.text, &self.ends, id.0)
    }

    /// Bytes held, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 4
    }
}

/// What the symbols of one arena are called in another: see [`Strings::sorted`].
#[derive(Debug)]
pub struct Translation(Vec<Symbol>);

impl Translation {
    /// The symbol in the other arena.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> Symbol {
        self.0[symbol.0 as usize]
    }
}

fn slice<'s>(text: &'s str, ends: &[u32], at: u32) -> &'s str {
    let at = at as usize;
    let start = at.checked_sub(1).map_or(0, |before| ends[before] as usize);
    &text[start..ends[at] as usize]
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_symbol_and_symbols_sort_as_their_texts() {
        let (mut a, mut b) = (Strings::default(), Strings::default());
        let (x, empty) = (a.intern("x"), a.intern(""));
        assert_eq!(a.intern("x"), x);
        assert_eq!(a.get(empty), "");
        assert_eq!((a.find("x"), a.find("y")), (Some(x), None));
        let (y, also_x) = (b.intern("y"), b.intern("x"));
        let (both, names) = Strings::sorted([&a, &b].into_iter());
        assert_eq!(names[0].of(x), names[1].of(also_x));
        assert_eq!((both.get(names[0].of(x)), both.get(names[1].of(y)), both.len()), ("x", "y", 3));
        assert!(names[0].of(empty) < names[0].of(x) && names[0].of(x) < names[1].of(y));
    }
}
