//! What the scan learns of one record on its way through.

use super::super::interest::Interest;

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
    /// Seen once: where its value starts, or the space before it.
    At(usize),
    /// Seen twice.
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
        *member = if matches!(member, Member::Unseen) { Member::At(colon + 1) } else { Member::Doubtful };
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
        if self.must_parse {
            return true;
        }
        let Some(source) = self.source.plain(padded) else { return true };
        interest.of(source).is_some_and(|wanted| self.name.plain(padded).is_none_or(|name| wanted.contains(name)))
    }
}

impl Member {
    /// The value, if it is a string without escapes and stands there once.
    fn plain(self, padded: &[u8]) -> Option<&[u8]> {
        let Self::At(at) = self else { return None };
        let start = skip_space(padded, at).filter(|at| padded[*at] == b'"')? + 1;
        let len = memchr::memchr2(b'"', b'\\', &padded[start..])?;
        (padded[start + len] == b'"').then(|| &padded[start..start + len])
    }
}

fn skip_space(padded: &[u8], from: usize) -> Option<usize> {
    padded[from..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')).map(|n| from + n)
}
