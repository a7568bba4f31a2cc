//! Arenas of strings: a row holds numbers, the text stands once.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// A string of one [`Strings`] arena. Two symbols of the same arena are equal exactly when their
/// texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

/// Distinct strings, each stored once.
#[derive(Debug, Default)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Strings {
    /// The symbol of `text`, which is copied in when it is new.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash(text);
        let Self { text: all, ends, table } = self;
        if let Some(found) = table.find(hash, |&at| slice(all, ends, at) == text) {
            return Symbol(*found);
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        all.push_str(text);
        ends.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
        table.insert_unique(hash, number, |&at| hash_at(all, ends, at));
        Symbol(number)
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

    /// How many distinct strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing was interned yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The place of each symbol's text in the order of all texts: rows are sorted by numbers.
    #[must_use]
    pub fn ranks(&self) -> Ranks {
        let mut order: Vec<u32> = (0..u32::try_from(self.ends.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|at| slice(&self.text, &self.ends, *at));
        let mut ranks = vec![0; order.len()];
        for (rank, at) in (0..).zip(order) {
            ranks[at as usize] = rank;
        }
        Ranks(ranks)
    }

    /// Copies every string of `other` in and tells, by number, what each is called here.
    pub fn absorb(&mut self, other: &Strings) -> Translation {
        Translation(
            (0..other.ends.len())
                .map(|at| self.intern(slice(&other.text, &other.ends, u32::try_from(at).unwrap_or(u32::MAX))))
                .collect(),
        )
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

/// What the symbols of one arena are called in another: see [`Strings::absorb`].
#[derive(Debug)]
pub struct Translation(Vec<Symbol>);

impl Translation {
    /// The symbol in the absorbing arena.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> Symbol {
        self.0[symbol.0 as usize]
    }
}

/// See [`Strings::ranks`].
#[derive(Debug)]
pub struct Ranks(Vec<u32>);

impl Ranks {
    /// Symbols compare by this as their texts do.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> u32 {
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

fn hash_at(text: &str, ends: &[u32], at: u32) -> u64 {
    hash(slice(text, ends, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_symbol_across_absorption() {
        let mut a = Strings::default();
        let mut b = Strings::default();
        let (x, empty) = (a.intern("x"), a.intern(""));
        assert_eq!(a.intern("x"), x);
        assert_eq!(a.get(empty), "");
        b.intern("y");
        let translation = b.absorb(&a);
        assert_eq!(b.get(translation.of(x)), "x");
        assert_eq!(b.len(), 3);
        let ranks = b.ranks();
        assert!(ranks.of(translation.of(empty)) < ranks.of(translation.of(x)));
        assert!(ranks.of(translation.of(x)) < ranks.of(b.intern("y")));
    }
}
