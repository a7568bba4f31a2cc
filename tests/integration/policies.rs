//! The table of policies (`policies.json`): each weakness where it is and where it is not.

use std::collections::{BTreeMap, BTreeSet};

use keytrail::analyze::{Plan, Selection};
use keytrail::kms::accounts::Accounts;
use keytrail::kms::policy::analysis::{self, Key};
use keytrail::kms::policy::facts::PolicyFacts;
use keytrail::kms::policy::weakness::{Found, Weakness};
use keytrail::model::finding::Finding;
use keytrail::rules::settings::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pages;
use crate::support::kms_record;

/// The account of every key in the table.
const OWNER: &str = "111122223333";

/// The key of every policy in it.
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "put_key_policy")]
    op: String,
    #[serde(default = "own")]
    own: BTreeSet<String>,
    #[serde(default)]
    organization: BTreeSet<String>,
    #[serde(default)]
    trusted: BTreeSet<String>,
    #[serde(default)]
    bypass: bool,
    /// A policy, the text of one, or null if none was given.
    policy: Value,
    expect: BTreeSet<String>,
}

fn put_key_policy() -> String {
    "PutKeyPolicy".to_owned()
}

fn own() -> BTreeSet<String> {
    BTreeSet::from([OWNER.to_owned()])
}

fn a_case() -> Case {
    serde_json::from_value(json!({ "name": "", "policy": null, "expect": [] })).expect("a case")
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("policies.json")).expect("the table is JSON of its form")
}

impl Case {
    fn document(&self) -> Option<String> {
        match &self.policy {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            policy => Some(policy.to_string()),
        }
    }

    fn found(&self) -> Vec<Found> {
        let accounts =
            Accounts { own: self.own.clone(), organization: self.organization.clone(), trusted: self.trusted.clone() };
        let standing = |account: &str| accounts.standing(account, OWNER);
        let key = Key { arn: KEY, owner: OWNER, bypassed: self.bypass, standing: &standing };
        let mut found = self.document().map(|document| analysis::judge(&document, &key)).unwrap_or_default();
        found.retain(|found| self.op == "PutKeyPolicy" || found.weakness.counts_at_creation());
        found
    }
}

#[test]
fn every_policy_has_the_weaknesses_that_the_table_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found: BTreeSet<String> =
            case.found().iter().map(|found| format!("{}:{}", found.weakness.id(), found.severity.as_str())).collect();
        if found != case.expect {
            wrong.push(format!("{}: should be {:?}, is {found:?}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_each_weakness_where_it_is_and_where_it_is_not() {
    let cases = cases();
    assert!(cases.len() >= 120, "{} policies", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in cases.iter().flat_map(|case| &case.expect) {
        *counts.entry(id.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    for weakness in Weakness::ALL {
        let count = counts.get(weakness.id()).copied().unwrap_or_default();
        assert!(count >= 2 && count < cases.len() - 2, "{} is in {count} of {}", weakness.id(), cases.len());
    }
}

/// What the fold judges by, the facts, says the same of other accounts as the document does.
#[test]
fn facts_tell_of_foreign_accounts_what_the_document_tells() {
    for case in cases().iter().filter(|case| case.organization.is_empty() && case.trusted.is_empty()) {
        let Some(document) = case.document() else { continue };
        let facts = PolicyFacts::parse(&PolicyFacts::of(&document, KEY, OWNER, case.bypass).to_json());
        let by_facts = facts.accounts.iter().filter(|(account, _)| !case.own.contains(*account));
        let by_facts = by_facts.filter_map(|(_, access)| access.if_foreign).max();
        let of_others = |found: &Found| {
            let foreign = found.weakness == Weakness::ForeignAccount;
            let all = found.weakness == Weakness::Everything && found.severity.as_str() == "critical";
            (foreign || all).then_some(found.severity)
        };
        let by_document = case.found().iter().filter_map(of_others).max();
        assert_eq!(by_facts, by_document, "{}", case.name);
    }
}

#[test]
fn a_policy_differs_from_itself_in_nothing() {
    for case in cases() {
        let Some(document) = case.document() else { continue };
        let facts = PolicyFacts::of(&document, KEY, OWNER, false);
        assert_eq!(facts.difference(&facts).lines().count(), 0, "{}", case.name);
    }
}

#[test]
fn a_difference_names_who_may_do_what_from_now_on() {
    let policy = |statements: &str| {
        PolicyFacts::of(&format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}"), KEY, OWNER, false)
    };
    let root = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#;
    let guard = r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}"#;
    let partner = r#"{"Effect":"Allow","Principal":{"AWS":["444455556666"]},"Action":["kms:DescribeKey","kms:Decrypt"],"Resource":"*"}"#;
    let difference = policy(&[root, partner].join(",")).difference(&policy(&[root, guard].join(",")));
    assert_eq!(
        difference.lines().collect::<Vec<_>>(),
        [
            "+ Allow kms:Decrypt, kms:DescribeKey to arn:aws:iam::444455556666:root",
            "- Deny kms:* to * if StringNotEquals aws:PrincipalOrgID o-exampleorgid",
        ]
    );
}

#[test]
fn a_deny_is_the_same_however_it_is_written() {
    let lines = |deny: &Value| PolicyFacts::of(&json!({ "Statement": deny }).to_string(), KEY, OWNER, false).lines;
    let roles = ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"];
    let one = lines(&json!({ "Effect": "Deny", "NotPrincipal": { "AWS": roles }, "Action": "kms:*", "Resource": "*",
        "Condition": { "ForAllValues:StringNotEqualsIfExists": { "aws:TagKeys": ["a", "b"], "kms:EncryptionContext:x": "y" } } }));
    let other = lines(&json!({ "Effect": "Deny", "NotPrincipal": { "AWS": [roles[1], roles[0], roles[1]] },
        "Action": ["kms:*", "kms:*"], "Resource": [KEY],
        "Condition": { "forallvalues:stringnotequalsIFEXISTS": { "KMS:encryptioncontext:X": ["y"], "AWS:tagkeys": ["b", "a", "b"] } } }));
    assert_eq!((&one, one.len()), (&other, 1));
    let exact = json!({ "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": { "STRINGNOTEQUALS": { "AWS:PRINCIPALORGID": "o-Exampleorgid" } } });
    assert!(lines(&exact).contains("Deny kms:* to * if StringNotEquals aws:PrincipalOrgID o-Exampleorgid"), "{exact}");
}

#[test]
fn who_else_may_do_everything_is_told_as_far_as_the_condition_tells() {
    let places = |condition: Value| {
        let statement = json!({ "Sid": "wide", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition });
        let case = Case { policy: json!({ "Statement": statement }), ..a_case() };
        let everything = case.found().into_iter().find(|found| found.weakness == Weakness::Everything);
        everything.map(|found| found.places.join(" | ")).unwrap_or_default()
    };
    let role = "arn:aws:iam::111122223333:role/admin";
    let of = |operator: &str, key: &str, value: Value| places(json!({ operator: { key: value } }));
    assert_eq!(of("ArnEquals", "aws:PrincipalArn", json!(role)), role);
    assert_eq!(of("StringEquals", "kms:CallerAccount", json!(OWNER)), "everybody in the account");
    assert_eq!(
        of("StringEquals", "aws:PrincipalOrgID", json!("o-exampleorgid")),
        "everybody in the organization o-exampleorgid"
    );
    assert_eq!(of("StringEquals", "aws:SourceVpce", json!("vpce-1")), "wide");
    let both = json!({ "StringEquals": { "aws:PrincipalAccount": OWNER, "aws:PrincipalOrgID": "o-exampleorgid" }, "ArnLike": { "aws:PrincipalArn": role } });
    assert_eq!(places(both), role);
    let foreign = json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::444455556666:role/admin" } });
    assert_eq!(places(foreign), "444455556666");
}

#[test]
fn an_account_of_the_organization_is_not_called_foreign() {
    let settings = || {
        let mut settings = Settings::default();
        settings.accounts.own.insert(OWNER.to_owned());
        settings.accounts.organization.insert("444455556666".to_owned());
        settings
    };
    let alone = put(settings(), &json!([root(), let_in(&["444455556666"], "kms:Decrypt")]), false);
    assert!(alone.message.contains("lets an account of the organization in (444455556666)"), "{}", alone.message);
    assert!(!alone.message.contains("foreign") && !alone.evidence.contains("foreign"), "{}", alone.evidence);
    assert!(
        alone.evidence.contains("\"other_account\"") && !alone.evidence.contains("cross_account"),
        "{}",
        alone.evidence
    );
    let both = put(settings(), &json!([root(), let_in(&["444455556666", "555555555555"], "kms:Decrypt")]), false);
    assert!(both.message.contains("lets a foreign account in (555555555555)"), "{}", both.message);
    assert!(!both.message.contains("444455556666") && both.evidence.contains("444455556666"), "{}", both.evidence);
}

#[test]
fn a_bypass_is_no_small_weakness() {
    let grants = json!([root(), let_in(&["arn:aws:iam::111122223333:role/app"], "kms:CreateGrant")]);
    let small = put(Settings::default(), &grants, true);
    assert!(small.message.contains("only small weaknesses stand out in the new policy (P12)"), "{}", small.message);
    let none = put(Settings::default(), &json!([root()]), true);
    assert!(none.message.contains("nothing stands out in the new policy; "), "{}", none.message);
    assert!(none.message.contains("the lock-out safety check was bypassed"), "{}", none.message);
}

#[test]
fn accounts_that_are_let_in_are_told_with_an_end_and_not_where_they_may_nothing() {
    let many: Vec<String> = (0..30).map(|n| format!("1000000000{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = put(Settings::default(), &json!([root(), let_in(&many, "kms:Decrypt")]), false);
    let words = "lets accounts 100000000000, 100000000001, 100000000002 and 27 more in";
    assert!(told.message.contains(words), "{}", told.message);
    let evidence: Value = serde_json::from_str(&told.evidence).expect("JSON");
    assert_eq!(evidence["accounts"], json!(many));
    let nothing = put(Settings::default(), &json!([root(), let_in(&["444455556666"], "s3:GetObject")]), false);
    assert!(nothing.message.contains("nothing stands out in the new policy"), "{}", nothing.message);
}

/// A replica is another key: what its policy says of the primary has no effect.
#[test]
fn the_policy_of_a_replica_is_about_the_replica() {
    let primary = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    let replica = primary.replace("us-east-1", "eu-west-1");
    let severity = |resource: &str| {
        let open = json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": resource });
        let mut record = kms_record("ReplicateKey", primary, OWNER, OWNER, "2026-03-02T10:00:00Z", "r1");
        let policy = json!({ "Statement": [root(), open] }).to_string();
        record["requestParameters"] = json!({ "keyId": primary, "replicaRegion": "eu-west-1", "policy": policy });
        record["responseElements"] = json!({ "replicaKeyMetadata": { "arn": replica } });
        judged(Settings::default(), &record).severity.as_str()
    };
    assert_eq!((severity(&replica), severity(primary)), ("critical", "medium"));
}

fn root() -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": OWNER }, "Action": "kms:*", "Resource": "*" })
}

fn let_in(whom: &[&str], action: &str) -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": whom }, "Action": action, "Resource": "*" })
}

/// What is said of a policy that is put.
fn put(settings: Settings, statements: &Value, bypass: bool) -> Finding {
    let mut record = kms_record("PutKeyPolicy", KEY, OWNER, OWNER, "2026-03-02T10:00:00Z", "p1");
    let policy = json!({ "Statement": statements }).to_string();
    record["requestParameters"] = json!({ "keyId": KEY, "policy": policy, "bypassPolicyLockoutSafetyCheck": bypass });
    judged(settings, &record)
}

fn judged(settings: Settings, record: &Value) -> Finding {
    let drawn = pages::analyse(&Plan::new(settings, Selection::Fast), &record.to_string()).expect("a record");
    drawn.findings.into_iter().next().expect("a finding")
}
