//! The records of one object, each into exactly one outcome.

use std::fmt::Display;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use xxhash_rust::xxh3::xxh3_64;

use super::rejects::Rejects;
use super::resume::{Is, Place, Resume, next_record, stands_alone};
use super::{Parser, Plan, configurations, facts, key_changes, usage};
use crate::decode::event::RecordError;
use crate::decode::framing::{Framing, FramingError, Section};
use crate::decode::gunzip::{Buffer, Gunzip};
use crate::decode::interest::Interest;
use crate::decode::scan::{Found, List, Selected, Stop, pieces, scan};
use crate::kms::call::Call;
use crate::kms::configuration;
use crate::kms::key_reference::{KeyReference, Naming};
use crate::kms::operations::OperationClass;
use crate::model::event::Event;
use crate::model::finding::Finding;
use crate::model::object::{ObjectRef, ObjectStatus};
use crate::model::r#yield::{SeenEvent, Yield};
use crate::rules::index::findings;

/// Records selected before they are parsed: bounds the list of them, whatever the file.
const CHUNK: usize = 4_096;

const TOO_MUCH_DAMAGE: &str = "too much damage before: not looked into";

pub(super) struct Analysis<'a> {
    plan: &'a Plan,
    seen_elsewhere: &'a FxHashSet<u64>,
    seen_here: FxHashSet<u64>,
    drawn: Yield,
    source: String,
    /// By id and account.
    findings: FxHashMap<(String, String), usize>,
    facts: facts::Facts,
    configurations: configurations::Configurations,
    usage: usage::Counter,
    rejects: Rejects,
    /// Documents that stand among records, and are still to be read.
    documents: Vec<Range<usize>>,
    /// Digests that stand beside records.
    digests: u64,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(plan: &'a Plan, object: &ObjectRef, seen_elsewhere: &'a FxHashSet<u64>) -> Self {
        Self {
            plan,
            seen_elsewhere,
            seen_here: FxHashSet::default(),
            source: object.uri(),
            drawn: Yield::without_records(object.clone(), ObjectStatus::Done, String::new()),
            findings: FxHashMap::default(),
            facts: facts::Facts::default(),
            configurations: configurations::Configurations::default(),
            usage: usage::Counter::default(),
            rejects: Rejects::default(),
            documents: Vec::new(),
            digests: 0,
        }
    }

    pub(super) fn run(mut self, gunzip: &mut Gunzip, buffer: &mut Buffer, parser: &mut Parser, stored: &[u8]) -> Yield {
        if let Err(error) = gunzip.read(stored, buffer) {
            return self.failed(error.to_string());
        }
        self.drawn.json_bytes = buffer.json().len() as u64;
        match self.sections(buffer, parser) {
            Ok(()) if buffer.json().iter().all(u8::is_ascii_whitespace) => self.skipped("empty"),
            Ok(()) => self.finish(),
            Err(FramingError::OtherKind(kind)) => self.skipped(kind),
            Err(FramingError::NotJson { .. } | FramingError::NotCloudTrail { .. }) if self.is_foreign() => {
                self.skipped("no log of CloudTrail, by its name and by its content")
            }
            Err(error) => self.failed(error.to_string()),
        }
    }

    /// Reads all lists of records. An error is about what stands first, if nothing but that is there.
    fn sections(&mut self, buffer: &Buffer, parser: &mut Parser) -> Result<(), FramingError> {
        let json = buffer.json();
        let (mut framing, mut resume, mut first) = (Framing::new(json), Resume::new(json), None);
        loop {
            let at = framing.position();
            let error = match framing.next_section() {
                Ok(Section::End) => break,
                Ok(Section::Records { start, list }) => {
                    framing.resume_behind(self.records(buffer, parser, start, list));
                    continue;
                }
                Err(error) => error,
            };
            if self.drawn.records.total() == 0 {
                if !resume.may_hold_records() {
                    return Err(error);
                }
                first = Some(error.clone());
            }
            let is_whole = matches!(error, FramingError::OtherKind(_) | FramingError::NotCloudTrail { .. });
            if is_whole && stands_alone(json, framing.position()) {
                self.beside(json, framing.begun()..framing.position(), &error);
                framing.resume_at(framing.position());
                continue;
            }
            let (start, from) = match framing.begun() {
                _ if framing.is_behind_a_list() => (at, at),
                begun if is_whole => (begun, framing.position()),
                begun => (begun, begun + 1),
            };
            let place = if self.has_read_a_record() { resume.place(from) } else { resume.firm_place(from) };
            let Some(Place { at: next, is }) = place else {
                self.reject_unless_blank(json, start..json.len(), &error);
                break;
            };
            // A bracket that ended a list before its time belongs to the damage.
            let start = start.saturating_sub(usize::from(framing.is_behind_a_list()));
            self.reject_unless_blank(json, start..next, &error);
            let walked = if matches!(error, FramingError::Cut { .. }) { json.len() } else { framing.position() };
            if resume.is_beyond_mending(walked.saturating_sub(next)) {
                self.reject(json, next..json.len(), &TOO_MUCH_DAMAGE);
                break;
            }
            match is {
                Is::Line | Is::Document => framing.resume_at(next),
                Is::Element | Is::Record => {
                    framing.resume_behind_rest(next, self.records(buffer, parser, next, List::Array));
                }
            }
        }
        first.filter(|_| !self.has_read_a_record()).map_or(Ok(()), Err)
    }

    /// Whether what was to be a record is a document that may stand in its place; takes it if it is.
    fn is_document(&mut self, json: &[u8], range: &Range<usize>) -> bool {
        match Framing::new(&json[range.clone()]).next_section() {
            Ok(Section::Records { list: List::Array, .. }) => self.documents.push(range.clone()),
            Err(error @ FramingError::OtherKind(_)) => self.beside(json, range.clone(), &error),
            _ => return false,
        }
        true
    }

    /// A document that holds no list of records, beside those that do.
    fn beside(&mut self, json: &[u8], range: Range<usize>, error: &FramingError) {
        if matches!(error, FramingError::OtherKind(_)) {
            self.drawn.records.other_kind += 1;
            self.digests += 1;
        } else {
            self.reject(json, range, &error);
        }
    }

    /// Whether anything was read that is a record.
    fn has_read_a_record(&self) -> bool {
        let records = &self.drawn.records;
        records.total() > records.malformed + self.digests
    }

    /// Reads a list of records; returns where it ends.
    fn records(&mut self, buffer: &Buffer, parser: &mut Parser, start: usize, list: List) -> usize {
        let Parser { found, .. } = &mut *parser;
        probe(buffer, start, list, found, &self.plan.everything);
        let interest = match found.selected.first().map(|first| first.range.clone()) {
            Some(first) if is_other_kind(&buffer.json()[first.clone()], parser) => &self.plan.everything,
            _ => &self.plan.interest,
        };
        let (mut at, mut damage) = (start, Damage::default());
        loop {
            parser.found.clear();
            let stop = scan(buffer.padded(), at, list, interest, damage.limit(), &mut parser.found);
            let swallowed = self.chunk(buffer, parser, list);
            let (again, scanned) = match (swallowed, stop) {
                (None, Stop::End(end)) => return end,
                (None, Stop::Full(next)) => {
                    at = next;
                    continue;
                }
                (None, Stop::Cut(from)) => match self.cut(buffer.json(), from) {
                    Some(next) => (next, buffer.json().len()),
                    None => return buffer.json().len(),
                },
                (Some(next), Stop::End(scanned) | Stop::Full(scanned)) => (next, scanned),
                (Some(next), Stop::Cut(_)) => (next, buffer.json().len()),
            };
            if damage.is_beyond_mending(scanned.saturating_sub(again), buffer.json().len()) {
                self.reject(buffer.json(), again..buffer.json().len(), &TOO_MUCH_DAMAGE);
                return buffer.json().len();
            }
            at = again;
        }
    }

    /// Rejects an element that does not end; returns where the next record starts.
    fn cut(&mut self, json: &[u8], from: usize) -> Option<usize> {
        let next = next_record(json, from + 1);
        match next {
            Some(next) => self.reject(json, from..next, &"JSON of the record does not end"),
            None => self.reject(json, from..json.len(), &"JSON ends before the list of records does"),
        }
        next
    }

    /// Takes what a scan found. If a record swallowed others, returns where to scan again; what was
    /// found behind that place is found once more.
    fn chunk(&mut self, buffer: &Buffer, parser: &mut Parser, list: List) -> Option<usize> {
        let before = self.drawn.records.total();
        let again = self.selected(buffer.json(), parser, list);
        let counted = self.drawn.records.total() - before + self.documents.len() as u64;
        // Each record that the scan counts has one outcome, or is a document and still to be read.
        debug_assert!(again.is_some() || counted == parser.found.records(), "{counted} of {}", parser.found.records());
        for stray in parser.found.strays.iter().filter(|stray| again.is_none_or(|again| stray.start < again)) {
            for piece in pieces(buffer.json(), stray.clone()) {
                self.reject(buffer.json(), piece, &"not a JSON object");
            }
        }
        for document in std::mem::take(&mut self.documents) {
            self.document(buffer, parser, document);
        }
        again
    }

    /// Reads a document that stands among records, and that is JSON: its lists end within it.
    fn document(&mut self, buffer: &Buffer, parser: &mut Parser, range: Range<usize>) {
        let mut framing = Framing::within(&buffer.json()[..range.end], range.start);
        while let Ok(Section::Records { start, list: List::Array }) = framing.next_section() {
            framing.resume_behind(self.records(buffer, parser, start, List::Array));
        }
    }

    fn selected(&mut self, json: &[u8], parser: &mut Parser, list: List) -> Option<usize> {
        let Parser { decoder, found, pattern } = parser;
        for Selected { range, passed_over } in &found.selected {
            let record = &json[range.clone()];
            let Err(error) = decoder.decode(record, |event| event.map(|event| self.event(&event, pattern))) else {
                continue;
            };
            if list == List::TopLevel && matches!(error, RecordError::Missing(_)) && self.is_document(json, range) {
                continue;
            }
            let within = || next_record(&json[..range.end], range.start + 1);
            let swallowed = match error {
                RecordError::TooLong if list == List::TopLevel => list_of(json, range).or_else(within),
                RecordError::NotJson(_) | RecordError::TooLong => within(),
                _ => None,
            };
            self.reject(json, range.start..swallowed.unwrap_or(range.end), &error);
            if swallowed.is_some() {
                self.drawn.records.not_relevant += passed_over;
                return swallowed;
            }
        }
        self.drawn.records.not_relevant += found.passed_over;
        None
    }

    fn event(&mut self, event: &Event<'_>, pattern: &mut String) {
        if !event.is_api_record() {
            self.drawn.records.other_kind += 1;
            return;
        }
        let rules = self.plan.index.rules(event);
        if event.is_kms() {
            if self.is_new(event) {
                let call = Call::of_kms(event);
                let findings = findings(rules, &call, &self.plan.settings, &self.source);
                self.analysed(&call, findings, pattern);
                if call.class == OperationClass::Unknown {
                    *self.drawn.unknown_operations.entry(event.name.to_owned()).or_default() += 1;
                }
                self.drawn.key_changes.extend(key_changes::of(&call, &self.source));
                self.facts.learn(&call, &self.source);
            }
            return;
        }
        let configured = configuration::read(event);
        let looked_at = !rules.is_empty() || configuration::looks_at(event);
        let naming = if looked_at { Naming::ArnsAndAliases } else { Naming::Arns };
        let keys = KeyReference::of_service(event, naming).or_else(|| KeyReference::of_configured(event, &configured));
        let names_a_key = keys.is_some();
        let call = Call::of_service(event, keys.unwrap_or(KeyReference::nothing()));
        let findings = findings(rules, &call, &self.plan.settings, &self.source);
        if !names_a_key && findings.is_empty() && configured.is_empty() {
            self.drawn.records.not_relevant += 1;
        } else if self.is_new(event) {
            self.analysed(&call, findings, pattern);
            self.configurations.note(&call, &configured, &self.source);
            self.facts.learn_configured(&call, &configured, &self.source);
        }
    }

    fn analysed(&mut self, call: &Call<'_>, findings: Vec<Finding>, pattern: &mut String) {
        self.drawn.records.analysed += 1;
        self.usage.count(call, pattern);
        findings.into_iter().for_each(|finding| self.keep(finding));
    }

    /// Like findings of one object are one row; another account's copy of an act is no further act.
    fn keep(&mut self, finding: Finding) {
        let like = (finding.finding_id.clone(), finding.subject.account_id.clone());
        match self.findings.get(&like).and_then(|at| self.drawn.findings.get_mut(*at)) {
            None => {
                self.findings.insert(like, self.drawn.findings.len());
                self.drawn.findings.push(finding);
            }
            Some(known) => {
                let count = known.event_count + finding.event_count;
                let last = known.last_event_time.max(finding.last_event_time);
                let rank = |f: &Finding| (f.event_time, f.subject.event_id.clone());
                if rank(&finding) < rank(known) {
                    *known = finding;
                }
                (known.event_count, known.last_event_time) = (count, last);
            }
        }
    }

    /// Whether the event was not read before; counts it as a duplicate if it was.
    fn is_new(&mut self, event: &Event<'_>) -> bool {
        if event.event_id.is_empty() {
            return true;
        }
        // Two trails give one event the same id; two accounts' copies have ids of their own.
        // A corrected record is the event that it corrects.
        let event_id = event.original_event_id.unwrap_or(event.event_id);
        let id = xxh3_64(event_id.as_bytes()) ^ xxh3_64(event.account.as_bytes()).rotate_left(1);
        let new = !self.seen_elsewhere.contains(&id) && self.seen_here.insert(id);
        if new {
            let hour = match event.original_event_id {
                Some(_) => SeenEvent::SOME_HOUR,
                None => u32::try_from(event.time.0.div_euclid(3_600)).unwrap_or_default(),
            };
            self.drawn.seen.push(SeenEvent { id, hour });
        } else {
            self.drawn.records.duplicate += 1;
        }
        new
    }

    /// Rejects what stands between lists of records, if it is more than punctuation.
    fn reject_unless_blank(&mut self, json: &[u8], range: Range<usize>, reason: &dyn Display) {
        if json[range.clone()].iter().any(|b| !b.is_ascii_whitespace() && *b != b',') {
            self.reject(json, range, reason);
        }
    }

    fn reject(&mut self, json: &[u8], range: Range<usize>, reason: &dyn Display) {
        self.drawn.records.malformed += 1;
        self.rejects.add(json, &range, reason);
    }

    fn finish(mut self) -> Yield {
        self.drawn.usage = self.usage.counts;
        self.drawn.rejects = self.rejects.into_rows();
        self.drawn.key_changes.extend(self.facts.into_rows());
        self.drawn.configurations = self.configurations.into_rows().collect();
        let records = &self.drawn.records;
        if records.other_kind > 0 && records.other_kind == records.total() {
            self.drawn.status = ObjectStatus::Skipped;
            "no records of calls: Insights, network activity or aggregates".clone_into(&mut self.drawn.reason);
        }
        self.drawn
    }

    fn is_foreign(&self) -> bool {
        self.plan.skips_foreign && self.drawn.object.name.account.is_none()
    }

    fn skipped(self, kind: &str) -> Yield {
        Yield::without_records(self.drawn.object, ObjectStatus::Skipped, kind.to_owned())
    }

    fn failed(self, reason: String) -> Yield {
        Yield::without_records(self.drawn.object, ObjectStatus::Failed, reason)
    }
}

/// Bounds what damaged records cost: each makes the scan go back, and a file may be made of them.
#[derive(Debug, Default)]
struct Damage {
    again: usize,
    found: u32,
}

impl Damage {
    /// Bytes that may be scanned again, in multiples of the file.
    const PATIENCE: usize = 32;

    /// Records looked for at once: few, where damage was found, so that little is looked at again.
    fn limit(&self) -> usize {
        if self.found == 0 { CHUNK } else { CHUNK >> self.found.min(8) }
    }

    fn is_beyond_mending(&mut self, again: usize, len: usize) -> bool {
        self.found += 1;
        self.again += again;
        self.again > len.saturating_mul(Self::PATIENCE)
    }
}

/// Finds the first record of a list, whatever it is and whatever stands before it.
fn probe(buffer: &Buffer, start: usize, list: List, found: &mut Found, everything: &Interest) {
    let mut at = start;
    loop {
        found.clear();
        match scan(buffer.padded(), at, list, everything, 1, found) {
            Stop::Full(next) if found.selected.is_empty() => at = next,
            _ => return,
        }
    }
}

/// Where the list of records starts, if a document of them stands there.
fn list_of(json: &[u8], range: &Range<usize>) -> Option<usize> {
    match Framing::within(&json[..range.end], range.start).next_section() {
        Ok(Section::Records { start, list: List::Array }) => Some(start),
        _ => None,
    }
}

fn is_other_kind(record: &[u8], parser: &mut Parser) -> bool {
    parser.decoder.decode(record, |event| event.is_ok_and(|event| !event.is_api_record()))
}
