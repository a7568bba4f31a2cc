//! One record's text becomes a typed, borrowed [`Event`]: a tape, walked once.

use simd_json::{Buffers, Tape};

use super::plain::Plain;
use crate::model::event::{Event, Identity};
use crate::model::json::Json;
use crate::model::time::Seconds;

/// Why a record cannot be read as a CloudTrail record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// The text is not JSON.
    #[error("not JSON: wrong at its byte {0}, or before")]
    NotJson(usize),
    /// The text is JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member that every record has is missing, empty or of another type.
    #[error("{0} is missing or not a string")]
    Missing(&'static str),
    /// `eventTime` is no time.
    #[error("eventTime is no time")]
    BadTime,
    /// Longer than a record may be.
    #[error("longer than {MAX_RECORD} bytes, as no record of CloudTrail is")]
    TooLong,
}

/// Records of CloudTrail end at 256 KB, or a little more. What is longer would cost many times its size.
pub const MAX_RECORD: usize = 4 << 20;

/// Bytes of text, and nodes, whose memory is kept for the next record; usual records need some thousands.
const KEPT: usize = 256 << 10;

/// Parses records, one at a time, into memory that it keeps.
pub struct Decoder {
    plain: Plain,
    /// A copy of a record that is not plain.
    text: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Decoder {
    fn default() -> Self {
        // No record of CloudTrail comes near this depth; simd-json's own default is 1024.
        const MAX_DEPTH: usize = 256;
        Self {
            plain: Plain::default(),
            text: Vec::new(),
            buffers: Buffers::with_max_depth(8 << 10, MAX_DEPTH),
            tape: Tape::null(),
        }
    }
}

/// Members that AWS sometimes writes as a string that holds JSON.
const PAYLOADS: [&str; 5] =
    ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "resources"];

/// What may stand before and behind JSON.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

impl Decoder {
    /// Parses `record` and calls `with` on what it is. The event lives for the call only.
    pub fn decode<R>(&mut self, record: &[u8], with: impl FnOnce(Result<Event<'_>, RecordError>) -> R) -> R {
        if record.len() > MAX_RECORD {
            return with(Err(RecordError::TooLong));
        }
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = if self.plain.read(record, &mut tape.0).is_some() {
            Ok(())
        } else {
            // simd-json unescapes strings in place: a copy keeps the record whole, for `rejects`.
            self.text.clear();
            self.text.extend_from_slice(record);
            self.text.resize(record.len() + simd_json::INPUT_PADDING, 0);
            simd_json::fill_tape_padded(&mut self.text, record.len(), &mut self.buffers, &mut tape)
        };
        // Only where all else failed: what a record costs that has no such escape stays as it is.
        if parsed.is_err()
            && let Some(paired) = without_lone_surrogates(record)
        {
            self.tape = tape.reset();
            return self.decode(&paired, with);
        }
        let event = match parsed {
            Ok(()) => read(Json::new(&tape.0)),
            // A position, nothing of the text. The parser's names of errors tell its own author most.
            Err(error) => Err(RecordError::NotJson(error.index())),
        };
        let folded = event.as_ref().is_ok_and(has_string_payload);
        if folded && let Some(unfolded) = unfold(record) {
            self.tape = tape.reset();
            return self.decode(&unfolded, with);
        }
        let result = with(event);
        self.tape = tape.reset();
        result
    }

    /// Forgets the object; gives memory back if it held an unusually long record.
    pub fn release(&mut self) {
        if self.text.capacity().max(self.tape.0.capacity()) > KEPT {
            *self = Self::default();
        }
    }
}

/// Whether a payload is a string that may hold JSON.
fn has_string_payload(event: &Event<'_>) -> bool {
    [event.request, event.response, event.additional, event.service_details, event.resources]
        .iter()
        .any(|payload| payload.str().is_some_and(|text| text.trim_start_matches(BLANKS).starts_with(['{', '['])))
}

/// The record with every payload that is a string of JSON replaced by that JSON; `None` if none is.
fn unfold(record: &[u8]) -> Option<Vec<u8>> {
    let mut value: serde_json::Value = serde_json::from_slice(record).ok()?;
    let members = value.as_object_mut()?;
    let mut changed = false;
    for name in PAYLOADS {
        let Some(member) = members.get_mut(name) else { continue };
        let inner = member.as_str().and_then(inner_json);
        if let Some(inner) = inner.filter(|inner| inner.is_object() || inner.is_array()) {
            *member = inner;
            changed = true;
        }
    }
    changed.then(|| serde_json::to_vec(&value).ok()).flatten()
}

fn inner_json(text: &str) -> Option<serde_json::Value> {
    let parsed = serde_json::from_str(text).ok();
    parsed.or_else(|| serde_json::from_slice(&without_lone_surrogates(text.as_bytes())?).ok())
}

/// The text with each `\uD8xx` that is one half of a pair without the other replaced by `\ufffd`, which is
/// as long; `None` if there is none. The grammar of JSON permits them, parsers do not.
fn without_lone_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = None;
    let mut at = 0;
    while let Some(step) = memchr::memchr(b'\\', &text[at..]) {
        at += step;
        at += match (unit(text, at), unit(text, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.get_or_insert_with(|| text.to_vec())[at..at + 6].copy_from_slice(br"\ufffd");
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        if at >= text.len() {
            break;
        }
    }
    mended
}

/// The code unit that is escaped at `at`, if one is.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    let all_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| all_hex)?, 16).ok()
}

fn read(record: Json<'_>) -> Result<Event<'_>, RecordError> {
    if !record.is_object() {
        return Err(RecordError::NotAnObject);
    }
    let mut event = blank();
    let mut time = None;
    for (name, value) in record.members() {
        match name {
            "eventID" => event.event_id = value.str().unwrap_or_default(),
            "addendum" if value.get("reason").str() == Some("UPDATED_DATA") => {
                event.original_event_id = value.get("originalEventID").non_empty();
            }
            "sharedEventID" => event.shared_event_id = value.non_empty(),
            "eventTime" => time = value.str(),
            "eventSource" => event.source = value.str().unwrap_or_default(),
            "eventName" => event.name = value.str().unwrap_or_default(),
            "eventType" => event.event_type = value.str().unwrap_or_default(),
            "eventCategory" => event.category = value.non_empty(),
            "awsRegion" => event.region = value.str().unwrap_or_default(),
            "recipientAccountId" => event.account = value.str().unwrap_or_default(),
            "errorCode" => event.error_code = value.non_empty(),
            "errorMessage" => event.error_message = value.non_empty(),
            "sourceIPAddress" => event.source_ip = value.str().unwrap_or_default(),
            "userAgent" => event.user_agent = value.str().unwrap_or_default(),
            "sessionCredentialFromConsole" => event.console_session = value.bool().unwrap_or(false),
            "userIdentity" => event.identity = identity(value),
            "requestParameters" => event.request = value,
            "responseElements" => event.response = value,
            "additionalEventData" => event.additional = value,
            "serviceEventDetails" => event.service_details = value,
            "resources" => event.resources = value,
            _ => {}
        }
    }
    if !event.is_api_record() {
        return Ok(event);
    }
    let required = [(event.source, "eventSource"), (event.name, "eventName"), (time.unwrap_or_default(), "eventTime")];
    if let Some((_, missing)) = required.iter().find(|(value, _)| value.is_empty()) {
        return Err(RecordError::Missing(missing));
    }
    event.time = time.and_then(Seconds::parse_lenient).ok_or(RecordError::BadTime)?;
    if event.account.is_empty() {
        // Older than eventVersion 1.02: the caller's account received it.
        event.account = event.identity.account_id.unwrap_or_default();
    }
    Ok(event)
}

fn identity(value: Json<'_>) -> Identity<'_> {
    let mut identity = Identity::default();
    for (name, value) in value.members() {
        match name {
            "type" => identity.kind = value.str().unwrap_or_default(),
            "principalId" => identity.principal_id = value.non_empty(),
            "arn" => identity.arn = value.non_empty(),
            "accountId" => identity.account_id = value.non_empty(),
            "userName" => identity.user_name = value.non_empty(),
            "invokedBy" => identity.invoked_by = value.non_empty(),
            "sessionContext" => identity.session = value,
            "onBehalfOf" => identity.on_behalf_of = value,
            _ => {}
        }
    }
    identity
}

fn blank<'a>() -> Event<'a> {
    Event {
        event_id: "",
        original_event_id: None,
        shared_event_id: None,
        time: Seconds::default(),
        source: "",
        name: "",
        event_type: "",
        category: None,
        region: "",
        account: "",
        error_code: None,
        error_message: None,
        source_ip: "",
        user_agent: "",
        console_session: false,
        identity: Identity::default(),
        request: Json::NULL,
        response: Json::NULL,
        additional: Json::NULL,
        service_details: Json::NULL,
        resources: Json::NULL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_in_strings_are_unfolded() {
        let record = br#"{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"2026-03-02T09:00:00Z",
            "additionalEventData" : "{\"keyMaterialId\":\"ab\"}","requestParameters":{"policy":"{}"}}"#;
        let mut decoder = Decoder::default();
        let read = decoder.decode(record, |event| {
            event.map(|e| {
                let policy = e.request.get("policy").str().map(str::to_owned);
                (e.additional.get("keyMaterialId").str().map(str::to_owned), policy)
            })
        });
        assert_eq!(read, Ok((Some("ab".to_owned()), Some("{}".to_owned()))));
    }

    #[test]
    fn payloads_with_blanks_around_are_unfolded() {
        let record = br#"{"eventSource":"a","eventName":"b","eventTime":"2026-03-02T09:00:00Z",
            "requestParameters":" \n\t{\"keyId\":\"ab\"} "}"#;
        let key = |event: Event<'_>| event.request.get("keyId").str().map(str::to_owned);
        assert_eq!(Decoder::default().decode(record, |event| event.map(key)), Ok(Some("ab".to_owned())));
    }

    #[test]
    fn half_a_pair_of_surrogates_spoils_no_record() {
        for (escaped, read) in [
            (r"\ud83d", "\u{fffd}"),
            (r"x\uDC00y", "x\u{fffd}y"),
            (r"\ud83d\ud83d\udd11", "\u{fffd}\u{1f511}"),
            (r"\ud83d\n\\ud83d", "\u{fffd}\n\\ud83d"),
        ] {
            let head = r#"{"eventSource":"a","eventName":"b","eventTime":"2026-03-02T09:00:00Z""#;
            let agent = |event: Event<'_>| event.user_agent.to_owned();
            let record = format!("{head},\"userAgent\":\"{escaped}\"}}");
            assert_eq!(Decoder::default().decode(record.as_bytes(), |event| event.map(agent)), Ok(read.to_owned()));
            let inner = serde_json::to_string(&format!("{{\"keyId\":\"{escaped}\"}}")).expect("a string");
            let record = format!("{head},\"requestParameters\":{inner}}}");
            let key = |event: Event<'_>| event.request.get("keyId").str().map(str::to_owned);
            let unfolded = Decoder::default().decode(record.as_bytes(), |event| event.map(key));
            assert_eq!(unfolded, Ok(Some(read.to_owned())), "{record}");
        }
        assert_eq!(without_lone_surrogates(br"\ud83d\udd11 \u00e9 \\ud83d \n \u12"), None);
        assert_eq!(without_lone_surrogates(br"\"), None);
    }

    #[test]
    fn what_a_long_record_needed_is_given_back() {
        let mut decoder = Decoder::default();
        let mut read = |text: String| {
            decoder.decode(text.as_bytes(), |_| ());
            decoder.release();
            (decoder.text.capacity(), decoder.tape.0.capacity())
        };
        // Plain, and not.
        for number in ["1,", "1 ,"] {
            let (text, tape) = read(format!("{{\"a\":[{}1]}}", number.repeat(KEPT)));
            assert!(text <= KEPT && tape <= KEPT, "{text} {tape}");
        }
    }

    #[test]
    fn what_is_longer_than_any_record_is_not_parsed() {
        let mut decoder = Decoder::default();
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_RECORD));
        assert_eq!(decoder.decode(long.as_bytes(), |event| event.map(|_| ()).err()), Some(RecordError::TooLong));
        assert_eq!((decoder.text.capacity(), decoder.tape.0.capacity()), (0, 1));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut decoder = Decoder::default();
        let mut error = |text: &str| decoder.decode(text.as_bytes(), |event| event.map(|_| ()).err());
        assert_eq!(error("[1]"), Some(RecordError::NotAnObject));
        assert_eq!(error(r#"{"eventSource":5}"#), Some(RecordError::Missing("eventSource")));
        assert_eq!(error(r#"{"eventSource":"a","eventName":"b","eventTime":"yesterday"}"#), Some(RecordError::BadTime));
        assert!(matches!(error("{\"a\":"), Some(RecordError::NotJson(_))));
        assert!(matches!(
            error(&format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000))),
            Some(RecordError::NotJson(_))
        ));
        assert_eq!(error(r#"{"eventCategory":"Insight"}"#), None);
    }
}
