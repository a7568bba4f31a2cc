//! Finds the lists of records in a buffer, whatever frames them: `{"Records":[…]}`, a bare array,
//! records one after the other; and tells by content what is no log file.

use super::scan::List;

/// A part of the input that may hold records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// A list of records whose elements start behind this offset.
    Records {
        /// Where to scan from.
        start: usize,
        /// How the list ends.
        list: List,
    },
    /// The input ended.
    End,
}

/// Why the input is no log file.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum FramingError {
    /// A kind of file that CloudTrail also writes, and that holds no records of calls.
    #[error("{0}")]
    OtherKind(&'static str),
    /// Not JSON at all.
    #[error("not JSON: offset {offset} has no object and no array")]
    NotJson {
        /// Where in the decompressed bytes.
        offset: usize,
    },
    /// JSON of something else.
    #[error("JSON, but not CloudTrail: no Records, and no record's members, in the object at offset {offset}")]
    NotCloudTrail {
        /// Where in the decompressed bytes.
        offset: usize,
    },
    /// JSON that ends inside of an object or a string.
    #[error("JSON ends early, inside of the value at offset {offset}")]
    Cut {
        /// Where in the decompressed bytes.
        offset: usize,
    },
}

/// Walks over what frames the records; the records themselves are the scan's.
#[derive(Debug)]
pub struct Framing<'b> {
    json: &'b [u8],
    at: usize,
    /// Where the value starts that is being read, or was read last.
    begun: usize,
    /// Start of the object whose members are being read, if any.
    inside: Option<usize>,
    /// Whether that object has shown a list already.
    listed: bool,
}

impl<'b> Framing<'b> {
    /// Starts at the beginning of `json`.
    #[must_use]
    pub fn new(json: &'b [u8]) -> Self {
        Self::within(json, if json.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 })
    }

    /// Starts at `at`, between two values.
    #[must_use]
    pub fn within(json: &'b [u8], at: usize) -> Self {
        Self { json, at, begun: at, inside: None, listed: false }
    }

    /// Offset of what has not been read yet.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Where the value starts that an error is about.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Whether a list was read of the object that is being read: a bracket too many may have ended it.
    #[must_use]
    pub fn is_behind_a_list(&self) -> bool {
        self.inside.is_some() && self.listed
    }

    /// Goes on at `at`, between two values.
    pub fn resume_at(&mut self, at: usize) {
        *self = Self::within(self.json, at);
    }

    /// Goes on as if a list had been read whose start is not there, and that ends at `end`: what closes the
    /// object around it may follow.
    pub fn resume_behind_rest(&mut self, start: usize, end: usize) {
        (self.inside, self.listed) = (Some(start), true);
        self.resume_behind(end);
    }

    /// Goes on behind a list whose closing bracket is at `end`.
    pub fn resume_behind(&mut self, end: usize) {
        self.at = (end + 1).min(self.json.len());
    }

    /// The next list of records.
    ///
    /// # Errors
    /// [`FramingError`] if what comes next is no log file.
    pub fn next_section(&mut self) -> Result<Section, FramingError> {
        loop {
            if let Some(start) = self.inside {
                match self.members(start)? {
                    Some(section) => return Ok(section),
                    None => self.inside = None,
                }
            }
            self.skip_space();
            (self.begun, self.listed) = (self.at, false);
            match self.json.get(self.at) {
                None => return Ok(Section::End),
                Some(b'[') => {
                    self.at += 1;
                    return Ok(Section::Records { start: self.at, list: List::Array });
                }
                Some(b'{') => {
                    self.inside = Some(self.at);
                    self.at += 1;
                }
                Some(_) => return Err(FramingError::NotJson { offset: self.at }),
            }
        }
    }

    /// Reads members of the object at `start` up to its `Records`, or to its end.
    fn members(&mut self, start: usize) -> Result<Option<Section>, FramingError> {
        let cut = FramingError::Cut { offset: start };
        let first_visit = self.at == start + 1;
        let mut seen = Seen::default();
        loop {
            self.skip_space_and(b',');
            match self.json.get(self.at) {
                Some(b'}') => {
                    self.at += 1;
                    return if first_visit { seen.verdict(start) } else { Ok(None) };
                }
                Some(b'"') => {}
                Some(_) => return Err(FramingError::NotJson { offset: self.at }),
                None => return Err(cut),
            }
            let name_start = self.at;
            self.skip_string().ok_or(FramingError::Cut { offset: name_start })?;
            let name = unescaped(&self.json[name_start..self.at]);
            self.skip_space_and(b':');
            self.skip_space();
            if name == b"Records" && self.json.get(self.at) == Some(&b'[') {
                self.at += 1;
                self.listed = true;
                return Ok(Some(Section::Records { start: self.at, list: List::Array }));
            }
            seen.note(&name);
            if first_visit && seen.is_record() {
                // A record, and so the first of many at the top level.
                self.inside = None;
                self.at = start;
                return Ok(Some(Section::Records { start, list: List::TopLevel }));
            }
            self.skip_value().ok_or(FramingError::Cut { offset: start })?;
        }
    }

    fn skip_space(&mut self) {
        // 0x1e separates records in JSON text sequences.
        while self.json.get(self.at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x1e)) {
            self.at += 1;
        }
    }

    fn skip_space_and(&mut self, punctuation: u8) {
        self.skip_space();
        if self.json.get(self.at) == Some(&punctuation) {
            self.at += 1;
            self.skip_space();
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let step = memchr::memchr2(b'"', b'\\', self.json.get(self.at..)?)?;
            self.at += step + 1;
            if self.json[self.at - 1] == b'"' {
                return Some(());
            }
            self.at += 1;
        }
    }

    /// Passes over a value; brackets must balance, what is inside is not looked at.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.json.get(self.at)? {
                b'"' => {
                    self.skip_string()?;
                    if depth == 0 {
                        return Some(());
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Some(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// Which telling members an object has shown.
#[derive(Debug, Default)]
struct Seen {
    record_members: u8,
    digest: bool,
}

impl Seen {
    fn note(&mut self, name: &[u8]) {
        match name {
            b"eventSource" | b"eventName" | b"eventTime" | b"eventVersion" | b"eventID" | b"userIdentity"
            | b"eventCategory" | b"eventType" | b"awsRegion" => self.record_members += 1,
            b"digestS3Object" | b"digestStartTime" | b"logFiles" | b"previousDigestS3Object" => self.digest = true,
            _ => {}
        }
    }

    const fn is_record(&self) -> bool {
        self.record_members >= 2
    }

    fn verdict(&self, offset: usize) -> Result<Option<Section>, FramingError> {
        if self.digest {
            Err(FramingError::OtherKind("CloudTrail digest file"))
        } else {
            Err(FramingError::NotCloudTrail { offset })
        }
    }
}

/// A member's name without its quotes, escapes resolved.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<String>(quoted) {
        Ok(name) => name.into_bytes(),
        Err(_) => quoted.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(json: &str) -> Result<Vec<&str>, FramingError> {
        let mut framing = Framing::new(json.as_bytes());
        let mut found = Vec::new();
        loop {
            match framing.next_section()? {
                Section::End => return Ok(found),
                Section::Records { start, list: List::Array } => {
                    let end = start + json[start..].find(']').expect("test lists are flat");
                    found.push(&json[start..end]);
                    framing.resume_behind(end);
                }
                Section::Records { start, list: List::TopLevel } => {
                    found.push(&json[start..]);
                    framing.resume_behind(json.len());
                }
            }
        }
    }

    #[test]
    fn every_frame_is_seen() {
        assert_eq!(sections(r#"{"Records":[1]}"#), Ok(vec!["1"]));
        assert_eq!(sections("\u{feff} [1] "), Ok(vec!["1"]));
        assert_eq!(
            sections(r#"{"a":{"Records":[0]},"\u0052ecords" : [1],"Records":[2]}{"Records":[3]}"#),
            Ok(vec!["1", "2", "3"])
        );
        let lines = "{\"eventVersion\":1,\"eventName\":2}\n{}";
        assert_eq!(sections(lines), Ok(vec![lines]));
        assert_eq!(sections(""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_log_file_is_named() {
        assert!(matches!(sections(r#"{"logFiles":[],"x":1}"#), Err(FramingError::OtherKind(_))));
        assert_eq!(sections(r#"{"a":"]"}"#), Err(FramingError::NotCloudTrail { offset: 0 }));
        assert_eq!(sections("hello"), Err(FramingError::NotJson { offset: 0 }));
        assert_eq!(sections(r#"{"a":[1,"#), Err(FramingError::Cut { offset: 0 }));
        assert_eq!(sections(r#"{"Records":{}}"#), Err(FramingError::NotCloudTrail { offset: 0 }));
    }
}
