//! A `ReEncrypt` has two keys: each has its own context, uses, state and owner's copy.

use serde_json::{Value, json};

use keytrail::lake::tables::key_use::KeyUses;
use keytrail::lake::tables::keys::Keys;
use keytrail::lake::tables::usage::Usage;

use crate::copies::{findings, out_of};
use crate::support::{key, kms_record, number, rows, text};

const OWN: &str = "111122223333";
const SISTER: &str = "444455556666";
const FOREIGN: &str = "777788889999";
const ACCOUNTS: &str = "[accounts]\nown = [\"111122223333\", \"444455556666\"]\n";

/// A `ReEncrypt` from one key to another, as an account's trail has it.
fn reencrypt(caller: &str, keys: [&str; 2], recipient: &str, id: &str) -> Value {
    let mut record = kms_record("ReEncrypt", keys[0], caller, recipient, "2026-03-02T09:00:00Z", id);
    let resource = |arn: &str| json!({"ARN": arn, "accountId": arn.split(':').nth(4), "type": "AWS::KMS::Key"});
    record["resources"] = keys.map(resource).to_vec().into();
    record["requestParameters"] = json!({});
    record
}

fn by_foreigner(keys: [&str; 2], recipient: &str, id: &str) -> Value {
    let mut record = reencrypt(FOREIGN, keys, recipient, id);
    record["userIdentity"] = json!({"type": "AWSAccount", "principalId": "AROAEXAMPLE:session", "accountId": FOREIGN});
    record["sharedEventID"] = json!("55555555-12ab-34cd-56ef-000000000001");
    record
}

#[test]
fn each_key_has_the_context_that_went_with_it() {
    let (source, destination) = (key(OWN, 1), key(OWN, 2));
    let mut record = reencrypt(OWN, [&source, &destination], OWN, "aa");
    let secret = format!("arn:aws:secretsmanager:us-east-1:{OWN}:secret:a-AbCdEf");
    record["requestParameters"] = json!({"sourceEncryptionContext": {"purpose": "backup"}, "destinationEncryptionContext": {"SecretARN": secret}});
    let (_folder, out) = out_of(&[&[record]], ACCOUNTS);
    let mut contexts: Vec<_> = rows::<KeyUses>(&out)
        .iter()
        .map(|row| (text(row, "key_arn").to_owned(), text(row, "context_pattern").to_owned()))
        .collect();
    contexts.sort();
    let of_secret = format!(r#"{{"SecretARN":"{secret}"}}"#);
    assert_eq!(contexts, [(source, r#"{"purpose":"backup"}"#.to_owned()), (destination.clone(), of_secret.clone())]);
    let found = findings(&out, "context-service-claimed-directly");
    assert_eq!((text(&found[0], "key_arn"), text(&found[0], "encryption_context")), (&*destination, &*of_secret));
    assert!(text(&found[0], "message").contains("on key 00000002-"), "{}", text(&found[0], "message"));
}

#[test]
fn each_own_key_has_a_first_use_by_a_foreigner_and_each_call_counts_once() {
    let (own, sisters) = (key(OWN, 1), key(SISTER, 2));
    let copies = [OWN, SISTER].map(|trail| by_foreigner([&own, &sisters], trail, &format!("aa{trail}")));
    let (_folder, out) = out_of(&[&copies], ACCOUNTS);
    let mut told: Vec<_> = findings(&out, "cross-account-inbound")
        .iter()
        .map(|row| (text(row, "key_arn").to_owned(), text(row, "severity").to_owned(), number(row, "event_count")))
        .collect();
    told.sort();
    assert_eq!(told, [(own, "medium".to_owned(), 1), (sisters, "medium".to_owned(), 1)]);
}

#[test]
fn a_refusal_for_one_keys_state_says_nothing_of_the_other() {
    let (source, destination) = (key(OWN, 1), key(OWN, 2));
    let mut record = reencrypt(OWN, [&source, &destination], OWN, "aa");
    record["errorCode"] = json!("KMSInvalidStateException");
    record["errorMessage"] = json!(format!("{destination} is pending deletion."));
    let (_folder, out) = out_of(&[&[record]], ACCOUNTS);
    let states: Vec<_> = rows::<Keys>(&out).iter().map(|row| text(row, "state").to_owned()).collect();
    assert_eq!(states, ["", ""]);
}

#[test]
fn the_key_that_was_refused_to_take_it_is_the_destination() {
    let destination = key(FOREIGN, 2);
    let mut record = reencrypt(OWN, [&destination, &destination], OWN, "aa");
    for member in ["resources", "requestParameters"] {
        record[member] = Value::Null;
    }
    record["errorCode"] = json!("AccessDenied");
    record["errorMessage"] = json!(format!(
        "User: arn:aws:sts::{OWN}:assumed-role/CatalogApi/session is not authorized to perform: kms:ReEncryptTo on \
         resource: {destination} because no resource-based policy allows the kms:ReEncryptTo action"
    ));
    let (_folder, out) = out_of(&[&[record]], ACCOUNTS);
    let usage = &rows::<Usage>(&out)[0];
    assert_eq!((text(usage, "key_arn"), text(usage, "destination_key_arn")), ("", &*destination));
    assert_eq!(findings(&out, "cross-account-denied").len(), 1);
}

#[test]
fn of_a_default_key_and_another_the_default_one_is_named() {
    let (source, default) = (key(OWN, 1), key(OWN, 2));
    let mut described = kms_record("DescribeKey", &default, OWN, OWN, "2026-03-01T09:00:00Z", "bb");
    described["requestParameters"] = json!({"keyId": "alias/aws/secretsmanager"});
    let record = reencrypt(OWN, [&source, &default], OWN, "aa");
    let (_folder, out) = out_of(&[&[described, record]], ACCOUNTS);
    let found = findings(&out, "default-key-use");
    assert_eq!(found.iter().map(|row| text(row, "key_arn")).collect::<Vec<_>>(), [default]);
}
