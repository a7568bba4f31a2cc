//! Arbitrary bytes as a record: understood or refused, and counted once either way.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::decode::event::{Decoder, RecordError};
use keytrail::kms::call::Call;
use keytrail::kms::context_names::ContextName;
use keytrail::kms::grant::{Grant, Making};
use keytrail::kms::key_reference::{KeyReference, Naming};
use keytrail::kms::mfa::Mfa;
use keytrail::kms::policy::facts::PolicyFacts;
use keytrail::kms::{context_pattern, sensitive};
use keytrail::model::event::Event;
use keytrail::model::json::Json;
use keytrail::model::object::{ObjectName, ObjectRef, ObjectStatus};
use keytrail::model::usage::UsageRows;
use keytrail::model::r#yield::Yield;
use keytrail::rules::settings::Settings;
use libfuzzer_sys::fuzz_target;
use rustc_hash::FxHashSet;
use serde_json::Value;

static FAST: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Fast));
static STRICT: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Strict));
const CAP: usize = 16 << 20;

thread_local! {
    static DECODER: RefCell<Decoder> = RefCell::default();
    static ANALYZER: RefCell<Analyzer> = RefCell::new(Analyzer::new(CAP).expect("memory"));
}

fuzz_target!(|data: &[u8]| {
    let refused =
        DECODER.with_borrow_mut(|decoder| decoder.decode(data, |event| event.map(|event| understand(&event)).err()));
    // A blank behind it makes a record less than plain: then the parser of all JSON reads it.
    let read = |text: &[u8]| {
        DECODER.with_borrow_mut(|decoder| decoder.decode(text, |event| event.map(|event| format!("{event:?}")).ok()))
    };
    assert_eq!(read(data), read(&[data, b" "].concat()), "two parsers");
    let whole = [br#"{"Records":["#, data, b"]}"].concat();
    let [fast, strict] =
        ANALYZER.with_borrow_mut(|analyzer| [&*FAST, &*STRICT].map(|plan| analyse(analyzer, plan, &whole)));
    for drawn in [&fast, &strict] {
        assert_is_consistent(drawn);
    }
    if strict.records.malformed == 0 {
        assert_same_tables(&fast, &strict);
    }
    // An object is one record and has one outcome, unless it is JSON for one parser only.
    let disputed = matches!(refused, Some(RecordError::NotJson(_)));
    if !disputed && serde_json::from_slice::<Value>(data).is_ok_and(|value| value.is_object()) {
        assert_eq!((fast.records.total(), strict.records.total()), (1, 1), "{:?} {:?}", fast.records, strict.records);
        assert_eq!(strict.records.malformed == 0, refused.is_none());
    }
});

fn analyse(analyzer: &mut Analyzer, plan: &Plan, whole: &[u8]) -> Yield {
    let object = ObjectRef {
        bucket: String::new(),
        key: "/trail.json".to_owned(),
        etag: String::new(),
        size: whole.len() as u64,
        name: ObjectName::default(),
    };
    analyzer.analyze(plan, &object, whole, &FxHashSet::default())
}

fn assert_is_consistent(drawn: &Yield) {
    let counts = UsageRows::of(std::iter::once(&drawn.usage));
    let requests: i64 = counts.rows().iter().map(|row| row.requests).sum();
    assert_eq!(u64::try_from(requests), Ok(drawn.records.analysed), "an analysed record is one request");
    assert_eq!(drawn.rejects.len() as u64, drawn.records.malformed);
    assert!(drawn.seen.len() as u64 <= drawn.records.analysed);
    if drawn.status == ObjectStatus::Failed {
        assert_eq!(drawn.records.total(), 0);
        assert!(!drawn.reason.is_empty());
    }
    for change in &drawn.key_changes {
        for json in [&change.policy, &change.tags, &change.grant_operations] {
            assert!(json.is_empty() || serde_json::from_str::<Value>(json).is_ok(), "a column is no JSON: {json}");
        }
    }
    for row in counts.rows() {
        let pattern = counts.strings().get(row.key.context_pattern);
        assert!(pattern.is_empty() || serde_json::from_str::<Value>(pattern).is_ok(), "no JSON: {pattern}");
        assert!(row.key.hour <= row.first && row.first <= row.last);
    }
}

/// `--strict` says the same; what it parses beyond that matters to nobody.
fn assert_same_tables(fast: &Yield, strict: &Yield) {
    let counts = |drawn: &Yield| (drawn.records.analysed, drawn.records.duplicate, drawn.records.total());
    assert_eq!(counts(fast), counts(strict), "{:?} {:?}", fast.records, strict.records);
    let ids = |drawn: &Yield| drawn.findings.iter().map(|f| f.finding_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(fast), ids(strict));
    assert_eq!(fast.key_changes.len(), strict.key_changes.len());
    let rows = |drawn: &Yield| UsageRows::of(std::iter::once(&drawn.usage)).rows().len();
    assert_eq!(rows(fast), rows(strict));
    assert_eq!(fast.seen.len(), strict.seen.len());
}

/// Everything that can be asked of a record.
fn understand(event: &Event<'_>) {
    for value in [event.request, event.response, event.additional, event.service_details, event.resources] {
        visit(value);
    }
    let _ = (event.act_id(), event.time.date(), event.time.rfc3339(), event.time.day());
    let keys = KeyReference::of_service(event, Naming::ArnsAndAliases);
    if let Some(keys) = &keys {
        assert!(keys.arn.is_some() || keys.alias.is_some());
    }
    assert!(keys.is_some() || KeyReference::of_service(event, Naming::Arns).is_none());
    ask(&Call::of_kms(event));
    ask(&Call::of_service(event, keys.unwrap_or(KeyReference::nothing())));
}

fn ask(call: &Call<'_>) {
    let event = call.event;
    let _ = (call.succeeded(), call.via.is_direct(), call.via.label(), call.principal.is_aws());
    let _ = (call.keys.owner(), call.keys.aws_managed_alias(), call.class.as_str(), call.side.as_str());
    let mfa = Mfa::of(event, &call.principal, &call.via, 300);
    let _ = (mfa.authenticated(), mfa.tag());
    let accounts = &Settings::default().accounts;
    let grant = Grant::of(event.request);
    let _ = (grant.decrypts(), grant.severity(&Making::of(call), grant.standing(accounts, event.account)));
    if let Some(policy) = event.request.get("policy").str() {
        let _ = PolicyFacts::of(policy, "", event.account, false).to_json();
    }
    for pair in call.contexts.pairs() {
        let _ = (sensitive::in_value(pair.name, pair.value), pair.known.and_then(ContextName::claimed_service));
    }
    let mut pattern = String::new();
    context_pattern::write(call.contexts.main(), &mut pattern);
    assert!(pattern.is_empty() || serde_json::from_str::<Value>(&pattern).is_ok(), "no JSON: {pattern}");
}

/// Each way to read a value, at each value.
fn visit(value: Json<'_>) {
    let _ = (value.is_null(), value.str(), value.non_empty(), value.bool(), value.i64(), value.text());
    let mut strings = 0;
    value.each_string(&mut |_| strings += 1);
    if value.is_object() {
        for (name, member) in value.members() {
            assert!(value.members().any(|(other, _)| other == name));
            let _ = (value.get(name), value.get_any_case(name));
            visit(member);
        }
    } else if value.is_array() {
        value.elements().for_each(visit);
    } else {
        assert_eq!(strings, usize::from(value.str().is_some()));
    }
}
