//! What `keys` says of a key: its manager, its state, its rotation.

use std::path::PathBuf;

use serde_json::{Value, json};

use keytrail::lake::tables::keys::Keys;

use crate::support::{Row, backfill, key, kms_record, log, number, rows, temp_dir, text, write};

const ACCOUNT: &str = "111122223333";
const ADMIN: &str = "arn:aws:iam::111122223333:role/CatalogApi";

/// A record of a call on a key, at a minute of one morning.
fn call(name: &str, key_arn: &str, minute: u32) -> Value {
    let time = format!("2026-03-02T{:02}:{:02}:00Z", 9 + minute / 60, minute % 60);
    let mut record = kms_record(name, key_arn, ACCOUNT, ACCOUNT, &time, &format!("{name}-{minute}"));
    record["awsRegion"] = key_arn.split(':').nth(3).into();
    record["requestParameters"] = json!({ "keyId": key_arn });
    record
}

/// What KMS tells of a new key, and of a replica.
fn metadata(key_arn: &str) -> Value {
    json!({
        "arn": key_arn, "aWSAccountId": ACCOUNT, "enabled": true, "keyState": "Enabled", "keyManager": "CUSTOMER",
        "keyUsage": "ENCRYPT_DECRYPT", "keySpec": "SYMMETRIC_DEFAULT", "origin": "AWS_KMS", "multiRegion": false,
    })
}

/// `metadata` with other values of some members.
fn created(key_arn: &str, minute: u32, members: &Value) -> Value {
    let mut record = call("CreateKey", key_arn, minute);
    let mut metadata = metadata(key_arn);
    for (name, value) in members.as_object().expect("members") {
        metadata[name] = value.clone();
    }
    record["requestParameters"] = json!({});
    record["responseElements"] = json!({ "keyMetadata": metadata });
    record
}

/// Rows of `keys`, by ARN, of objects that each hold some records.
fn keys_of(objects: &[&[Value]]) -> Vec<Row> {
    let folder = temp_dir();
    let (root, out): (PathBuf, PathBuf) = (folder.path().join("logs"), folder.path().join("out"));
    for (at, records) in objects.iter().enumerate() {
        write(&root.join(format!("{at}.json")), &log(records));
    }
    backfill(&[&root], &out, &[]).ends_with(0);
    let mut keys = rows::<Keys>(&out);
    keys.sort_by_key(|row| text(row, "key_arn").to_owned());
    keys
}

/// The only key of records, whether they stand in one object or each in its own, whichever comes first.
#[track_caller]
fn only_key(records: &[Value]) -> Row {
    let keys = keys_however(records);
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

/// Keys of records, whether they stand in one object or each in its own, whichever comes first.
#[track_caller]
fn keys_however(records: &[Value]) -> Vec<Row> {
    let keys = keys_of(&[records]);
    let apart: Vec<&[Value]> = records.chunks(1).collect();
    let reversed: Vec<&[Value]> = records.chunks(1).rev().collect();
    assert_eq!(keys, keys_of(&apart), "one object or many");
    assert_eq!(keys, keys_of(&reversed), "whichever comes first");
    keys
}

fn texts<'r, const N: usize>(row: &'r Row, columns: [&str; N]) -> [&'r str; N] {
    columns.map(|column| text(row, column))
}

#[test]
fn a_key_that_aws_made_for_itself_is_rotated_every_year() {
    let made = created(&key(ACCOUNT, 1), 0, &json!({"keyManager": "AWS"}));
    let row = only_key(&[made]);
    assert_eq!(texts(&row, ["manager", "rotation"]), ["aws", "on"]);
    assert_eq!(number(&row, "rotation_period_days"), 365);
}
