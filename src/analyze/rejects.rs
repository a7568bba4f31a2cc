//! The first rejects of an object, and how many more there were: a file may be made of them.

use std::fmt::{Display, Write};
use std::ops::Range;

use crate::model::r#yield::Reject;

/// Keeps rejects up to a number and a size.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    kept: Vec<Reject>,
    bytes: usize,
    more: u64,
}

impl Rejects {
    /// Takes one; once one was not kept, none is, so that those kept are the first.
    pub(super) fn add(&mut self, json: &[u8], range: &Range<usize>, reason: &dyn Display) {
        let raw = &json[range.start..range.end.min(range.start + Reject::MAX_RAW)];
        let fits = self.kept.len() < Reject::MAX_OF_OBJECT && self.bytes + raw.len() <= Reject::MAX_RAW_OF_OBJECT;
        if self.more > 0 || !fits {
            self.more += 1;
            return;
        }
        self.bytes += raw.len();
        self.kept.push(Reject { reason: reason.to_string(), offset: range.start as u64, raw: raw.to_vec() });
    }

    /// Those kept; the last one says how many are not.
    pub(super) fn into_rows(mut self) -> Vec<Reject> {
        if let Some(last) = self.kept.last_mut().filter(|_| self.more > 0) {
            let _ = write!(last.reason, "; {} more of this object could not be read, and are not kept", self.more);
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: usize, len: usize) -> Vec<Reject> {
        let json = vec![b'x'; len];
        let mut rejects = Rejects::default();
        (0..number).for_each(|_| rejects.add(&json, &(0..len), &"bad"));
        rejects.into_rows()
    }

    #[test]
    fn the_first_are_kept_and_the_last_of_them_tells_of_more() {
        assert_eq!(kept(Reject::MAX_OF_OBJECT, 1).last().map(|reject| reject.reason.as_str()), Some("bad"));
        let many = kept(Reject::MAX_OF_OBJECT + 5, 1);
        assert_eq!(many.len(), Reject::MAX_OF_OBJECT);
        assert_eq!(many[many.len() - 2].reason, "bad");
        assert_eq!(many[many.len() - 1].reason, "bad; 5 more of this object could not be read, and are not kept");
    }

    #[test]
    fn they_are_kept_up_to_a_size() {
        let large = kept(100, 2 * Reject::MAX_RAW);
        assert_eq!(large.len(), Reject::MAX_RAW_OF_OBJECT / Reject::MAX_RAW);
        assert!(large.iter().all(|reject| reject.raw.len() == Reject::MAX_RAW));
        assert!(large.last().is_some_and(|last| last.reason.contains("36 more")));
    }
}
