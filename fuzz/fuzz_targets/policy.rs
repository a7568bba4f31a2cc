//! A key policy as a caller may have written it: facts come out, and the `policy` column is JSON.
#![no_main]

use keytrail::kms::accounts::Accounts;
use keytrail::kms::policy::PolicyFacts;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|document: &str| {
    let facts = PolicyFacts::of(document);
    assert_eq!(facts.readable, serde_json::from_str::<Value>(document).is_ok());
    assert!(facts.accounts.iter().all(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())));
    let column: Value = serde_json::from_str(&facts.to_json()).expect("the column is JSON");
    assert!(column.is_object());
    if facts.readable {
        assert_eq!(column["statements"], facts.statements);
        assert_eq!(column["public"], facts.public);
        assert_eq!(column["accounts"].as_array().map(Vec::len), Some(facts.accounts.len()));
    } else {
        assert_eq!(facts, PolicyFacts::default());
    }
    // Nothing is open to strangers unless somebody is let in.
    let severity = facts.severity(&Accounts::default(), "111122223333");
    let lets_in = facts.public || facts.public_with_condition || !facts.accounts.is_empty();
    assert!(lets_in || severity == keytrail::model::severity::Severity::Info);
});
