//! The log: a line on standard error for each thing that happens, as text or JSON.
//!
//! Own code instead of `tracing`: a line is made from [`Happening`] only, whose fields are typed, so
//! record content has no way in, and neither have the SDK's own events, which tell of headers and
//! bodies. And every text is escaped here, in one place, because names of objects are chosen by others.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::clock;
pub use super::happening::{Happening, Level, Object, Reason};
use crate::model::escape::json_line;

/// Most characters of a text in a line; keys of objects have 1,024 at most.
const LONGEST_TEXT: usize = 2_000;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: `time LEVEL what field=value`.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Writes lines; shared by all threads, cheap to clone.
#[derive(Clone)]
pub struct Log {
    format: Format,
    least: Level,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("format", &self.format).field("least", &self.least).finish_non_exhaustive()
    }
}

impl Log {
    /// A log on standard error of what matters at least so much.
    #[must_use]
    pub fn new(format: Format, least: Level) -> Self {
        Self::to(format, least, std::io::stderr())
    }

    /// A log on something else.
    #[must_use]
    pub fn to(format: Format, least: Level, out: impl Write + Send + 'static) -> Self {
        Self { format, least, out: Arc::new(Mutex::new(out)) }
    }

    /// Writes a line.
    pub fn say(&self, happening: &Happening<'_>) {
        if happening.level() < self.least {
            return;
        }
        let line = line(self.format, happening, &clock::rfc3339(clock::since_1970()));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // One write a line, so that lines of several processes do not mix; nobody can be told of a failure.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

fn line(format: Format, happening: &Happening<'_>, time: &str) -> String {
    let level = happening.level().as_str();
    let mut fields = match serde_json::to_value(happening) {
        Ok(Value::Object(fields)) => fields,
        // Fields are numbers and texts, which can always be written.
        _ => Map::new(),
    };
    fields.retain(|_, value| !value.is_null());
    fields.values_mut().for_each(shorten);
    match format {
        Format::Json => {
            let head: Map<_, _> =
                [("time", time), ("level", level)].map(|(k, v)| (k.to_owned(), v.into())).into_iter().collect();
            fields.extend(head);
            json_line(&fields) + "\n"
        }
        Format::Text => {
            let event = fields.remove("event");
            let event = event.as_ref().and_then(Value::as_str).unwrap_or_default();
            let mut line = format!("{time} {:<5} {event}", level.to_uppercase());
            for (name, value) in fields {
                // Writing to a string does not fail.
                let _ = write!(line, " {name}={}", shown(&value));
            }
            line + "\n"
        }
    }
}

fn shorten(value: &mut Value) {
    if let Value::String(text) = value
        && let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT)
    {
        text.truncate(end);
        text.push('…');
    }
}

/// A value in a line of text: quoted as in JSON if it could be taken for more than a value.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        value => {
            // The escaping of a JSON line, of a value alone.
            let row: Map<_, _> = [(String::new(), value.clone())].into_iter().collect();
            let line = json_line(&row);
            line.strip_prefix("{\"\":").and_then(|line| line.strip_suffix('}')).unwrap_or_default().to_owned()
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@+,%".contains(c))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::object::{ObjectName, ObjectRef, ObjectStatus};
    use crate::model::r#yield::Yield;

    const TIME: &str = "2026-01-01T00:00:00.007Z";

    fn object(key: &str) -> ObjectRef {
        let (bucket, etag) = ("trail".to_owned(), String::new());
        ObjectRef { bucket, key: key.to_owned(), etag, size: 0, name: ObjectName::default() }
    }

    #[test]
    fn a_key_cannot_fake_a_line_or_a_field_or_move_the_cursor() {
        let hostile = object("a\n2026 INFO committed\r\u{1b}[2J\u{9b}31m\u{202e}\" level=info");
        let reason = Reason::Words("not gzip");
        let happening = Happening::ObjectFailed { object: Object(&hostile), reason };
        let text = line(Format::Text, &happening, TIME);
        assert_eq!(
            text,
            format!(
                "{TIME} ERROR object_failed object=\"s3://trail/a\\n2026 INFO committed\\r\\u001b[2J\\u009b31m\\u202e\\\" level=info\" \
                 reason=\"not gzip\"\n"
            )
        );
        let json = line(Format::Json, &happening, TIME);
        assert!(!json.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{json:?}");
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["object"], hostile.uri());
        assert_eq!((&read["event"], &read["level"]), (&"object_failed".into(), &"error".into()));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = object(&"ü".repeat(5_000));
        let happening = Happening::ObjectFailed { object: Object(&long), reason: Reason::Words("x") };
        assert!(line(Format::Text, &happening, TIME).chars().count() < LONGEST_TEXT + 100);
    }

    #[test]
    fn unknown_fields_are_left_out_and_times_are_seconds() {
        let happening = Happening::Committed {
            objects: 2,
            taken: 0,
            records: 30,
            findings: 1,
            rows: 9,
            bytes: 100,
            seconds: Duration::from_micros(1_234_567),
            lag_seconds: None,
        };
        assert_eq!(
            line(Format::Text, &happening, TIME),
            format!("{TIME} INFO  committed bytes=100 findings=1 objects=2 records=30 rows=9 seconds=1.235 taken=0\n")
        );
    }

    #[test]
    fn a_reason_tells_its_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read")]
        struct Outer(#[source] fmt::Error);
        let error = Outer(fmt::Error);
        assert!(Reason::Error(&error).to_string().starts_with("cannot read: an error occurred"));
        let drawn = Yield::without_records(object("k"), ObjectStatus::Failed, "no gzip".to_owned());
        assert_eq!(Reason::Yield(&drawn).to_string(), "no gzip");
    }

    #[test]
    fn only_what_matters_enough_is_written() {
        let out = Arc::new(Mutex::new(Vec::new()));
        let log = Log { format: Format::Json, least: Level::Warn, out: Arc::clone(&out) as _ };
        log.say(&Happening::Reloaded { config: "k.toml" });
        log.say(&Happening::Throttled { what: "receive", after_seconds: Duration::from_secs(1) });
        log.say(&Happening::Fatal { reason: Reason::Words("no queue") });
        let text = String::from_utf8(out.lock().expect("a lock").clone()).expect("UTF-8");
        let events: Vec<_> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone()).collect();
        assert_eq!(events, ["throttled", "fatal"]);
    }
}
