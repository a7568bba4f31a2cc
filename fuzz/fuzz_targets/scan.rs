//! Arbitrary bytes through framing and scan: what nobody wants is passed over, and nothing else.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use keytrail::decode::event::Decoder;
use keytrail::decode::framing::{Framing, Section};
use keytrail::decode::gunzip::Buffer;
use keytrail::decode::interest::Interest;
use keytrail::decode::scan::{Found, List, Stop, scan};
use keytrail::kms::key_reference::{KeyReference, Naming};
use keytrail::model::event::Event;
use keytrail::rules::index::Index;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// More than an input can hold.
const ALL: usize = usize::MAX;

static WANTED: LazyLock<BTreeSet<(&str, &str)>> = LazyLock::new(|| Index::default().events().collect());

/// As `analyze::Plan` makes it.
static INTEREST: LazyLock<Interest> = LazyLock::new(|| {
    let others = WANTED.iter().filter(|(source, _)| *source != Event::KMS);
    others.fold(Interest::default().and_source(Event::KMS), |wanted, (source, name)| wanted.and_event(source, name))
});

static EVERYTHING: LazyLock<Interest> = LazyLock::new(Interest::in_everything);

thread_local! {
    static DECODER: RefCell<Decoder> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let mut buffer = Buffer::default();
    buffer.fill(data);
    assert_eq!(buffer.json(), data);
    let mut framing = Framing::new(buffer.json());
    while let Ok(Section::Records { start, list }) = framing.next_section() {
        assert!(start <= data.len());
        let every = read(&buffer, start, list, &EVERYTHING, ALL);
        assert_eq!(every.selected.len(), every.records, "a record was passed over by an interest in everything");
        every.assert_is_in_order(start, data.len());
        // The limit says how often the scan stops in between, and nothing else.
        for limit in [ALL, 1, 3] {
            let fast = read(&buffer, start, list, &INTEREST, limit);
            fast.assert_is_in_order(start, data.len());
            fast.assert_frames_like(&every);
            fast.assert_passes_over_nothing_wanted(&every, data);
        }
        assert_eq!(read(&buffer, start, list, &EVERYTHING, 1).selected, every.selected);
        match every.stop {
            Stop::End(end) => framing.resume_behind(end),
            _ => break,
        }
    }
});

/// A list of records as an interest sees it.
struct Seen {
    /// How many-th record of the list, and where it stands.
    selected: Vec<(usize, Range<usize>)>,
    strays: Vec<Range<usize>>,
    records: usize,
    stop: Stop,
}

fn read(buffer: &Buffer, start: usize, list: List, interest: &Interest, limit: usize) -> Seen {
    let mut seen = Seen { selected: Vec::new(), strays: Vec::new(), records: 0, stop: Stop::Full(start) };
    let mut found = Found::default();
    while let Stop::Full(at) = seen.stop {
        found.clear();
        seen.stop = scan(buffer.padded(), at, list, interest, limit, &mut found);
        for (place, selected) in found.selected.iter().enumerate() {
            let before = seen.records + place + usize::try_from(selected.passed_over).expect("a count");
            seen.selected.push((before, selected.range.clone()));
        }
        seen.strays.append(&mut found.strays);
        seen.records += found.selected.len() + usize::try_from(found.passed_over).expect("a count");
        assert!(!matches!(seen.stop, Stop::Full(next) if next <= at), "the scan does not get on");
    }
    seen
}

impl Seen {
    fn assert_is_in_order(&self, start: usize, end: usize) {
        let mut at = start;
        for (_, range) in &self.selected {
            assert!(at <= range.start && range.start < range.end && range.end <= end, "{range:?} behind {at} in {end}");
            at = range.end;
        }
        for stray in &self.strays {
            assert!(start <= stray.start && stray.start < stray.end && stray.end <= end, "stray {stray:?} in {end}");
        }
    }

    /// What is a record and what is not does not depend on what is wanted.
    fn assert_frames_like(&self, every: &Self) {
        assert_eq!((self.records, self.stop, &self.strays), (every.records, every.stop, &every.strays));
        for (place, range) in &self.selected {
            assert_eq!(every.selected[*place].1, *range);
        }
    }

    fn assert_passes_over_nothing_wanted(&self, every: &Self, data: &[u8]) {
        let selected: BTreeSet<usize> = self.selected.iter().map(|(place, _)| *place).collect();
        assert_eq!(selected.len(), self.selected.len());
        for (place, range) in &every.selected {
            if !selected.contains(place) {
                assert_is_unwanted(&data[range.clone()]);
            }
        }
    }
}

fn assert_is_unwanted(record: &[u8]) {
    // What is no JSON is told by brackets and strings alone; nothing is promised of it.
    let Ok(value) = serde_json::from_slice::<Value>(record) else { return };
    let text = String::from_utf8_lossy(record);
    let source = value.get("eventSource").and_then(Value::as_str).expect("passed over without an eventSource");
    let name = value.get("eventName").and_then(Value::as_str).unwrap_or_default();
    assert!(source != Event::KMS && !WANTED.contains(&(source, name)), "wanted: {text}");
    assert!(!any_string(&value, &|string| string.contains(":kms:")), "names a key: {text}");
    DECODER.with_borrow_mut(|decoder| {
        decoder.decode(record, |event| {
            let Ok(event) = event else { return };
            assert_eq!((event.source, event.name), (source, name));
            assert!(KeyReference::of_service(&event, Naming::Arns).is_none(), "a full parse finds a key: {text}");
        });
    });
}

fn any_string(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(string) => {
            // AWS writes some payloads as strings that hold JSON.
            holds(string) || serde_json::from_str::<Value>(string).is_ok_and(|inner| any_string(&inner, holds))
        }
        Value::Array(items) => items.iter().any(|item| any_string(item, holds)),
        Value::Object(members) => members.iter().any(|(name, value)| holds(name) || any_string(value, holds)),
        _ => false,
    }
}
