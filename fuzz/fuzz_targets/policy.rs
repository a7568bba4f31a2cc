//! A key policy as a caller may have written it: it is judged, its facts are JSON, and they say of
//! other accounts what the document says.
#![no_main]

use std::collections::BTreeSet;

use keytrail::kms::accounts::Standing;
use keytrail::kms::policy::analysis::{self, Key};
use keytrail::kms::policy::document::Policy;
use keytrail::kms::policy::facts::PolicyFacts;
use keytrail::kms::policy::weakness::Weakness;
use libfuzzer_sys::fuzz_target;

const OWNER: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fuzz_target!(|document: &str| {
    let standing = |account: &str| if account == OWNER { Standing::Own } else { Standing::Foreign };
    let found = analysis::judge(document, &Key { arn: KEY, owner: OWNER, bypassed: false, standing: &standing });
    let kinds: BTreeSet<Weakness> = found.iter().map(|found| found.weakness).collect();
    assert_eq!(kinds.len(), found.len(), "each weakness once");
    let facts = PolicyFacts::of(document, KEY, OWNER, false);
    assert_eq!(facts.readable, Policy::read(document).is_some());
    assert_eq!(facts.readable, !kinds.contains(&Weakness::Unreadable));
    assert_eq!(PolicyFacts::parse(&facts.to_json()), facts, "facts are kept whole");
    assert!(facts.accounts.keys().all(|account| account.len() == 12 && account != OWNER));
    assert_eq!(facts.difference(&facts).lines().count(), 0);
    let by_facts = facts.accounts.values().filter_map(|access| access.if_foreign).max();
    let by_document = found.iter().find(|found| found.weakness == Weakness::ForeignAccount);
    assert!(by_document.map(|found| found.severity) <= by_facts);
});
