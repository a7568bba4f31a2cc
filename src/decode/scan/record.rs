//! What the scan learns of one record on its way through.

use super::super::interest::Interest;
use super::masks::Masks;

/// A record in the making: its start, and what was seen of its members so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidate {
    pub(super) start: usize,
    source: Member,
    name: Member,
    /// Something that only a parser can judge, or that names a KMS key.
    must_parse: bool,
}

/// A top-level member that was looked for.
#[derive(Debug, Clone, Copy, Default)]
enum Member {
    #[default]
    Unseen,
    /// Seen once, with a plain string value: its range, without the quotes.
    Plain(usize, usize),
    /// Seen twice, or with a value that needs a parser.
    Doubtful,
}

impl Candidate {
    pub(super) fn at(start: usize) -> Self {
        Self { start, ..Self::default() }
    }

    /// A top-level string that starts at `at` and may be one of the two names.
    pub(super) fn member(&mut self, padded: &[u8], at: usize) {
        let rest = &padded[at..];
        let (member, len) = if rest.starts_with(b"\"eventSource\"") {
            (&mut self.source, 13)
        } else if rest.starts_with(b"\"eventName\"") {
            (&mut self.name, 11)
        } else {
            return;
        };
        let Some(colon) = skip_space(padded, at + len).filter(|at| padded[*at] == b':') else {
            // A value that reads like the name.
            return;
        };
        *member = match (*member, plain_string(padded, colon + 1)) {
            (Member::Unseen, Some((start, end))) => Member::Plain(start, end),
            _ => Member::Doubtful,
        };
    }

    /// All mentions in a block that lies below the record's own members.
    pub(super) fn look_for_mentions(&mut self, padded: &[u8], base: usize, masks: &Masks) {
        let mut bits = masks.kms | masks.backslash | masks.key;
        while bits != 0 && !self.must_parse {
            self.mention(padded, base + bits.trailing_zeros() as usize, 2);
            bits &= bits - 1;
        }
    }

    /// A colon that may start `:kms:`, a backslash, or a deeper string that may be `eventSource`: a
    /// record that lacks a bracket has swallowed the next, and must not be passed over with it.
    pub(super) fn mention(&mut self, padded: &[u8], at: usize, depth: u32) {
        let rest = &padded[at..];
        self.must_parse |= match rest {
            // An escape in a top-level string could spell a member's name; `\u` could spell `:kms:`.
            [b'\\', next, ..] => depth == 1 || *next == b'u',
            [b'"', ..] => rest.starts_with(b"\"eventSource\""),
            _ => rest.starts_with(b":kms:"),
        };
    }

    /// Whether the record has to be parsed.
    pub(super) fn may_matter(&self, padded: &[u8], interest: &Interest) -> bool {
        let Member::Plain(start, end) = self.source else { return true };
        if self.must_parse {
            return true;
        }
        match (interest.of(&padded[start..end]), self.name) {
            (None, _) => false,
            (Some(wanted), Member::Plain(start, end)) => wanted.contains(&padded[start..end]),
            (Some(_), _) => true,
        }
    }
}

fn skip_space(padded: &[u8], from: usize) -> Option<usize> {
    padded[from..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')).map(|n| from + n)
}

/// The range of a string value without escapes that starts behind `from`.
fn plain_string(padded: &[u8], from: usize) -> Option<(usize, usize)> {
    let quote = skip_space(padded, from).filter(|at| padded[*at] == b'"')?;
    let start = quote + 1;
    let len = padded[start..].iter().position(|b| matches!(b, b'"' | b'\\'))?;
    (padded[start + len] == b'"').then_some((start, start + len))
}
