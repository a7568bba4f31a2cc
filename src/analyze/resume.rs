//! Where reading goes on behind something that is no list of records.

use memchr::memmem;

/// What every record of current CloudTrail starts with. Inside of a string its quotes would be
/// escaped, so where it stands a record starts, whatever went wrong before.
const RECORD: &[u8] = br#"{"eventVersion""#;
/// What a file of a trail starts with.
const DOCUMENT: &[u8] = br#"{"Records""#;
/// A line that may be a record, or start one.
const LINE: &[u8] = b"\n{";
/// What each record has in its text, and hardly a file of another kind.
const TELLING: &[u8] = br#""eventSource""#;

/// Where the next record certainly starts.
pub(super) fn next_record(json: &[u8], from: usize) -> Option<usize> {
    memmem::find(json.get(from..)?, RECORD).map(|at| from + at)
}

/// A place to read on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) is: Is,
}

/// What stands at a place, as far as it can be told from what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// The start of a line.
    Line,
    /// An element of a list, behind a comma or a bracket.
    Element,
    /// A document in the middle of something else.
    Document,
    /// A record in the middle of something else.
    Record,
}

/// Looks for places. Each part of the file is searched once, however often it is asked.
pub(super) struct Resume<'b> {
    json: &'b [u8],
    next: [Next; 3],
    /// Whether there can be a record at all, once that was asked.
    telling: Option<bool>,
    again: usize,
}

/// The next place that starts in one way.
struct Next {
    text: &'static [u8],
    /// Of the text, what does not belong to the place.
    before: usize,
    /// Where it is; nowhere if there is none up to the end.
    at: Option<usize>,
    searched: bool,
}

impl<'b> Resume<'b> {
    /// Bytes that may be walked again, in multiples of the file: a file may be made of values that do not end.
    const PATIENCE: usize = 4;

    pub(super) fn new(json: &'b [u8]) -> Self {
        let next = |text, before| Next { text, before, at: None, searched: false };
        Self { json, next: [next(RECORD, 0), next(DOCUMENT, 0), next(LINE, 1)], telling: None, again: 0 }
    }

    /// Whether there can be a record at all: one quick look, so that a file of another kind is refused soon.
    pub(super) fn may_hold_records(&mut self) -> bool {
        let json = self.json;
        *self.telling.get_or_insert_with(|| memmem::find(json, TELLING).is_some())
    }

    /// The first place from `from` on at which JSON stands by itself. What else has a record in it is text
    /// of another kind, and so is the rest of its line.
    pub(super) fn firm_place(&mut self, from: usize) -> Option<Place> {
        let first = self.place(from);
        let next = |place: &Place| {
            let line = memchr::memchr(b'\n', &self.json[place.at..])?;
            self.place(place.at + line)
        };
        std::iter::successors(first, next).find(|place| matches!(place.is, Is::Line | Is::Element))
    }

    /// The first place at `from` or behind it.
    pub(super) fn place(&mut self, from: usize) -> Option<Place> {
        let json = self.json;
        let at = self.next.iter_mut().filter_map(|next| next.find(json, from)).min()?;
        let before = json[..at].trim_ascii_end().last();
        let is = match json[..at].last() {
            _ if matches!(before, Some(b',' | b'[')) && !json[at..].starts_with(DOCUMENT) => Is::Element,
            None | Some(b'\n' | 0x1e) => Is::Line,
            _ if json[at..].starts_with(DOCUMENT) => Is::Document,
            _ => Is::Record,
        };
        Some(Place { at, is })
    }

    /// Notes that so many bytes are walked once more; tells whether that is too much by now.
    pub(super) fn is_beyond_mending(&mut self, again: usize) -> bool {
        self.again += again;
        self.again > self.json.len().saturating_mul(Self::PATIENCE)
    }
}

impl Next {
    fn find(&mut self, json: &[u8], from: usize) -> Option<usize> {
        if !self.searched || self.at.is_some_and(|at| at < from) {
            let start = from.saturating_sub(self.before);
            self.at = memmem::find(json.get(start..)?, self.text).map(|at| start + at + self.before);
            self.searched = true;
        }
        self.at
    }
}

/// Whether the value that ends at `end` stands alone: nothing follows on its line, or another value does.
pub(super) fn stands_alone(json: &[u8], end: usize) -> bool {
    let next = json[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    matches!(next, None | Some(b'\n' | 0x1e | b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(json: &str) -> Vec<(usize, Is)> {
        let mut resume = Resume::new(json.as_bytes());
        let first = resume.place(0);
        std::iter::successors(first, |place| resume.place(place.at + 1)).map(|place| (place.at, place.is)).collect()
    }

    #[test]
    fn places_are_found_once_and_told_apart() {
        let json = "x {\"eventVersion\"\n{\"a\":[{\"eventVersion\", {\"eventVersion\" y{\"Records\"\n\x1e{\"Records\"";
        let at = |text: &str| json.find(text).expect("it is there");
        assert_eq!(
            places(json),
            [
                (2, Is::Record),
                (at("{\"a"), Is::Line),
                (at("[{") + 1, Is::Element),
                (at(", {") + 2, Is::Element),
                (at("y{") + 1, Is::Document),
                (at("\x1e{") + 1, Is::Line),
            ]
        );
        assert_eq!(places("nothing { here"), []);
    }

    #[test]
    fn what_is_walked_again_has_an_end() {
        let mut resume = Resume::new(b"12345678");
        assert!(!resume.is_beyond_mending(32) && resume.is_beyond_mending(1));
    }
}
