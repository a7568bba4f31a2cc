//! Finds records in a buffer without parsing them, and selects those that can matter.
//!
//! One pass over the bytes, string-aware and depth-aware. A record is passed over only if its text
//! proves that nobody wants it: exactly one literal top-level `"eventSource"` (and, where the source
//! is wanted in part, exactly one `"eventName"`), with plain string values outside of the wanted
//! set, no `:kms:` anywhere, no escape in any top-level string, and no `\u` escape anywhere. All
//! others are selected, to be parsed and judged on their parsed values. So the selection is the
//! same as that of a full parse, whatever the order of members, white space or escapes.

pub mod masks;
mod record;

use std::ops::Range;

use self::masks::{BATCH, BATCH_WITH_LOOKAHEAD, Carry, Masks};
use self::record::Candidate;
use super::interest::Interest;
use super::native;
pub use super::native::{Way, ways};

/// Where a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Enough records were found; go on from this offset, which lies between two elements.
    Full(usize),
    /// The list ended; its closing bracket is at this offset (for top-level records: end of input).
    End(usize),
    /// The input ended inside of the element that starts here.
    Cut(usize),
}

/// What a scan found; reused from scan to scan.
#[derive(Debug, Default)]
pub struct Found {
    /// Records to parse, in order.
    pub selected: Vec<Selected>,
    /// Records that nobody wants.
    pub passed_over: u64,
    /// Places between elements where something stands that is no object; [`pieces`] tells of what.
    pub strays: Vec<Range<usize>>,
}

/// A record to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Where it stands.
    pub range: Range<usize>,
    /// How many records had been passed over before it.
    pub passed_over: u64,
}

impl Found {
    /// Empties the lists and keeps their memory.
    pub fn clear(&mut self) {
        self.selected.clear();
        self.strays.clear();
        self.passed_over = 0;
    }

    /// Objects in the list, selected or passed over.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.selected.len() as u64 + self.passed_over
    }

    /// What counts against a scan's limit: all that its lists hold, and what was passed over.
    fn len(&self) -> usize {
        usize::try_from(self.records()).unwrap_or(usize::MAX).saturating_add(self.strays.len())
    }
}

/// What stands in `json` at a stray: each piece is one thing that should be a record and is none. Not
/// listed by the scan: a file may be made of them.
pub fn pieces(json: &[u8], stray: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = stray.start;
    json[stray].split(|byte| is_separator(*byte)).filter_map(move |piece| {
        let range = start..start + piece.len();
        start = range.end + 1;
        (!piece.iter().all(|byte| is_blank(*byte))).then_some(range)
    })
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b',' | b'\n')
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x1e
}

/// How the elements of a list are told apart from what surrounds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Elements of a JSON array; the scan ends at the bracket that closes it.
    Array,
    /// Objects one after the other, to the end of the input.
    TopLevel,
}

/// Scans from `start`, which lies inside of the list and between two elements, until the list ends
/// or `limit` records and strays are found, or a few more. `padded` ends in [`masks::PADDING`] bytes that are not input.
#[must_use]
pub fn scan(padded: &[u8], start: usize, list: List, interest: &Interest, limit: usize, found: &mut Found) -> Stop {
    scan_by(native::widest(), (padded, start), list, interest, limit, found)
}

/// The same, by a way of your choice: which makes no difference but in time.
#[must_use]
pub fn scan_by(
    way: Way,
    (padded, start): (&[u8], usize),
    list: List,
    interest: &Interest,
    limit: usize,
    found: &mut Found,
) -> Stop {
    let len = padded.len() - masks::PADDING;
    let mut walk = Walk { padded, list, interest, found, depth: 0, last_end: start, record: Candidate::default() };
    let mut carry = Carry::default();
    let mut batch_masks = [Masks::default(); 4];
    let mut at = start;
    while at < len {
        // Four blocks of masks first, then the branches: the masks do not wait for each other.
        let Some(batch) = padded[at..].first_chunk::<BATCH_WITH_LOOKAHEAD>() else { break };
        (way.classify)(batch, &mut carry, &mut batch_masks);
        if walk.passes(&batch_masks) {
            at += BATCH;
            continue;
        }
        for (block, masks) in batch_masks.iter().enumerate() {
            if let Some(end) = walk.block(at + block * 64, masks) {
                return Stop::End(end);
            }
        }
        at += BATCH;
        if walk.found.len() >= limit {
            // Inside of an element: it is taken up again from its start.
            return Stop::Full(if walk.depth == 0 { walk.last_end } else { walk.record.start });
        }
    }
    if walk.depth > 0 {
        return Stop::Cut(walk.record.start);
    }
    walk.check_gap(len);
    match list {
        List::Array => Stop::Cut(len),
        List::TopLevel => Stop::End(len),
    }
}

struct Walk<'s> {
    padded: &'s [u8],
    list: List,
    interest: &'s Interest,
    found: &'s mut Found,
    /// Brackets open since `start`: 0 between elements, 1 at the members of a record.
    depth: u32,
    last_end: usize,
    record: Candidate,
}

impl Walk<'_> {
    /// Passes over a batch in which nothing is marked and no record ends, as in most.
    #[inline]
    fn passes(&mut self, batch: &[Masks; 4]) -> bool {
        let mut depth = self.depth;
        let mut goes_on = batch.iter().fold(0, |marks, masks| marks | masks.mark) == 0;
        for masks in batch {
            goes_on &= depth > masks.closes;
            depth = depth.wrapping_add(masks.opens).wrapping_sub(masks.closes);
        }
        if goes_on {
            self.depth = depth;
        }
        goes_on
    }

    /// Takes one block of 64 bytes; tells the offset of the bracket that ends the list, if it is here.
    #[inline]
    fn block(&mut self, base: usize, masks: &Masks) -> Option<usize> {
        if self.depth <= masks.closes {
            // A record may end here, or stand between two.
            return self.walk_bits(base, masks);
        }
        let mut bits = masks.mark;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            bits ^= bit;
            let before = bit - 1;
            let depth = self.depth + (masks.open & before).count_ones() - (masks.close & before).count_ones();
            self.mark(base + bit.trailing_zeros() as usize, depth);
        }
        self.depth = self.depth + masks.opens - masks.closes;
        None
    }

    /// A byte that may start the name of a member or of a key, or an escape.
    #[inline]
    fn mark(&mut self, at: usize, depth: u32) {
        if depth == 1 && self.padded[at] == b'"' {
            self.record.member(self.padded, at);
        } else {
            self.record.mention(self.padded, at, depth);
        }
    }

    fn walk_bits(&mut self, base: usize, masks: &Masks) -> Option<usize> {
        let mut bits = masks.open | masks.close | masks.mark;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            let at = base + bits.trailing_zeros() as usize;
            bits ^= bit;
            if bit & masks.open != 0 {
                if self.depth == 0 {
                    self.check_gap(at);
                    self.record = Candidate::at(at);
                }
                self.depth += 1;
            } else if bit & masks.close != 0 {
                if self.depth == 0 {
                    self.check_gap(at);
                    if self.list == List::Array && self.padded[at] == b']' {
                        return Some(at);
                    }
                    self.found.strays.push(at..at + 1);
                    self.last_end = at + 1;
                } else {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.end_of_record(at + 1);
                    }
                }
            } else {
                self.mark(at, self.depth);
            }
        }
        None
    }

    fn end_of_record(&mut self, end: usize) {
        self.last_end = end;
        if self.record.may_matter(self.padded, self.interest) {
            let passed_over = self.found.passed_over;
            self.found.selected.push(Selected { range: self.record.start..end, passed_over });
        } else {
            self.found.passed_over += 1;
        }
    }

    /// Between two elements stands a comma; anything else there is worth a second look.
    #[inline]
    fn check_gap(&mut self, next: usize) {
        let gap = &self.padded[self.last_end..next];
        if gap == b"," || gap.is_empty() {
            return;
        }
        if !gap.iter().all(|byte| is_separator(*byte) || is_blank(*byte)) {
            self.found.strays.push(self.last_end..next);
        }
    }
}
