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

const PRIMARY: &str = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
const REPLICA: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";

/// The primary is replicated.
fn replicated(minute: u32) -> Value {
    let mut record = call("ReplicateKey", PRIMARY, minute);
    let mut metadata = metadata(REPLICA);
    (metadata["keyState"], metadata["multiRegion"]) = ("Creating".into(), true.into());
    record["requestParameters"]["replicaRegion"] = "eu-west-1".into();
    record["responseElements"] = json!({"replicaKeyMetadata": metadata, "replicaPolicy": "{}", "replicaTags": []});
    record
}

/// The record that KMS itself writes of it, in the replica's Region.
fn replica_made(minute: u32) -> Value {
    let mut record = created(REPLICA, minute, &json!({"keyState": "Creating", "multiRegion": true}));
    record["userIdentity"]["invokedBy"] = "kms.amazonaws.com".into();
    record["sourceIPAddress"] = "kms.amazonaws.com".into();
    record["userAgent"] = "kms.amazonaws.com".into();
    record
}

const MAKING: [&str; 8] =
    ["manager", "state", "state_evidence", "origin", "key_spec", "key_usage", "created_time", "created_by"];

#[test]
fn a_replica_is_known_from_the_act_that_made_it() {
    let keys = keys_however(&[replicated(5)]);
    assert_eq!(keys.len(), 2, "{keys:?}");
    let expected = [
        "customer",
        "Creating",
        "ReplicateKey",
        "AWS_KMS",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "2026-03-02T09:05:00Z",
        ADMIN,
    ];
    assert_eq!(texts(&keys[0], MAKING), expected);
    assert_eq!((text(&keys[0], "key_arn"), &keys[0]["multi_region"]), (REPLICA, &json!(true)));
    // Nobody has done anything to the replica itself.
    assert_eq!(texts(&keys[0], ["last_change", "last_change_by"]), ["", ""]);
}

/// KMS may have its record before or after the act's.
#[test]
fn a_replica_is_told_by_its_own_record_where_there_is_one() {
    for own in [4, 5, 6] {
        let alone = only_key(&[replica_made(own)]);
        let keys = keys_however(&[replicated(5), replica_made(own)]);
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert_eq!(texts(&keys[0], MAKING), texts(&alone, MAKING), "{own}");
        assert_eq!(text(&alone, "state_evidence"), "CreateKey");
    }
}

#[test]
fn a_replica_that_was_used_is_not_said_to_be_in_the_making() {
    let keys = keys_however(&[replicated(5), call("Decrypt", REPLICA, 30)]);
    assert_eq!(texts(&keys[0], ["state", "state_evidence"]), ["Enabled", "a successful use"]);
    let keys = keys_however(&[call("DisableKey", REPLICA, 4), replicated(5)]);
    assert_eq!(text(&keys[0], "state"), "Disabled");
    // Deleted, it can be made again.
    let keys = keys_however(&[replica_made(1), call("DeleteKey", REPLICA, 2), replicated(5)]);
    assert_eq!(texts(&keys[0], ["state", "created_time"]), ["Creating", "2026-03-02T09:05:00Z"]);
}

/// A key's rotation was switched.
fn switched(name: &str, minute: u32) -> Value {
    let mut record = call(name, PRIMARY, minute);
    record["requestParameters"]["rotationPeriodInDays"] = 90.into();
    record
}

/// What KMS does by itself.
fn rotated(key_arn: &str, minute: u32) -> Value {
    let mut record = call("RotateKey", key_arn, minute);
    record["eventType"] = "AwsServiceEvent".into();
    record["userIdentity"] = json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"});
    record["requestParameters"] = Value::Null;
    record["serviceEventDetails"] = json!({"rotationType": "AUTOMATIC"});
    record
}

#[test]
fn a_replica_is_rotated_as_its_primary() {
    let made = || created(PRIMARY, 0, &json!({"multiRegion": true}));
    let (on, off) = (|minute| switched("EnableKeyRotation", minute), |minute| switched("DisableKeyRotation", minute));
    let cases: [(&str, i64, Vec<Value>); 9] = [
        ("off", 0, vec![made(), replicated(5)]),
        ("on", 90, vec![made(), on(1), replicated(5)]),
        ("on", 90, vec![made(), on(1), replica_made(6)]),
        ("on", 90, vec![made(), replicated(5), replica_made(6), on(60)]),
        ("off", 0, vec![made(), on(1), replicated(5), off(60)]),
        ("on", 90, vec![on(1), replicated(5), rotated(REPLICA, 60)]),
        ("on", 0, vec![made(), replicated(5), rotated(PRIMARY, 60)]),
        // Nobody has said it of the primary.
        ("", 0, vec![replicated(5)]),
        ("", 0, vec![replicated(5), replica_made(6)]),
    ];
    for (rotation, days, records) in cases {
        let keys = keys_however(&records);
        assert_eq!(keys.len(), 2, "{keys:?}");
        for key in &keys {
            assert_eq!((text(key, "rotation"), number(key, "rotation_period_days")), (rotation, days), "{records:#?}");
        }
    }
    let keys = keys_however(&[on(1), replicated(5), rotated(PRIMARY, 60)]);
    assert!(keys.iter().all(|key| text(key, "last_rotation_time") == "2026-03-02T10:00:00Z"), "{keys:?}");
}

#[test]
fn keys_of_two_accounts_have_each_their_own_rotation() {
    let others = PRIMARY.replace(ACCOUNT, "444455556666").replace("us-east-1", "eu-west-1");
    let keys = keys_however(&[switched("EnableKeyRotation", 1), call("Decrypt", &others, 2)]);
    assert_eq!(keys.iter().map(|key| text(key, "rotation")).collect::<Vec<_>>(), ["", "on"]);
}

/// Nobody switches rotation of what KMS cannot rotate by itself.
#[test]
fn rotation_does_not_apply_to_what_kms_cannot_rotate() {
    for members in [json!({"keySpec": "RSA_2048"}), json!({"keySpec": "HMAC_256"}), json!({"origin": "EXTERNAL"})] {
        let row = only_key(&[created(&key(ACCOUNT, 1), 0, &members)]);
        assert_eq!(text(&row, "rotation"), "not_applicable", "{members}");
    }
}

/// A use of a key, with what KMS tells beside it.
fn used(key_arn: &str, minute: u32, additional: &Value) -> Value {
    let mut record = call("Decrypt", key_arn, minute);
    record["additionalEventData"] = additional.clone();
    record
}

fn in_cloudhsm() -> Value {
    json!({"customKeyStoreId": "cks-1234567890abcdef0", "clusterId": "cluster-1a23b4cdefg", "backingKeyId": "backing-key-1"})
}

#[test]
fn a_key_that_is_used_in_a_custom_key_store_is_a_customers() {
    let columns = ["manager", "origin", "rotation", "custom_key_store_id"];
    let store = "cks-1234567890abcdef0";
    let cases = [
        (in_cloudhsm(), ["customer", "AWS_CLOUDHSM", "not_applicable", store]),
        (
            json!({"customKeyStoreId": store, "xksKeyId": "bb8562717f809024"}),
            ["customer", "EXTERNAL_KEY_STORE", "not_applicable", store],
        ),
        (json!({"xksKeyId": "bb8562717f809024"}), ["customer", "EXTERNAL_KEY_STORE", "not_applicable", ""]),
        // Which kind of store it is, is not told.
        (json!({"customKeyStoreId": store}), ["customer", "", "not_applicable", store]),
        (json!({"keyMaterialId": "ab"}), ["unknown", "", "", ""]),
        (Value::Null, ["unknown", "", "", ""]),
    ];
    for (additional, expected) in cases {
        let on = key(ACCOUNT, 1);
        let row = only_key(&[used(&on, 0, &additional), used(&on, 2, &additional), used(&on, 1, &Value::Null)]);
        assert_eq!(texts(&row, columns), expected, "{additional}");
    }
}

/// Of two keys it is not told which one is in the store.
#[test]
fn a_reencrypt_tells_of_a_key_store_only_where_both_keys_are_one() {
    let mut record = used(&key(ACCOUNT, 1), 0, &in_cloudhsm());
    record["eventName"] = "ReEncrypt".into();
    let keys = keys_of(&[&[record.clone()]]);
    assert_eq!(keys.iter().map(|key| text(key, "manager")).collect::<Vec<_>>(), ["customer"]);
    let destination = json!({"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key(ACCOUNT, 2)});
    record["resources"].as_array_mut().expect("resources").push(destination);
    let keys = keys_of(&[&[record]]);
    assert_eq!(keys.iter().map(|key| text(key, "manager")).collect::<Vec<_>>(), ["unknown", "unknown"]);
}

/// An act on the store.
fn store(name: &str, minute: u32, id: &str) -> Value {
    let mut record = call(name, &key(ACCOUNT, 1), minute);
    (record["requestParameters"], record["resources"]) = (json!({ "customKeyStoreId": id }), Value::Null);
    record
}

#[test]
fn keys_of_a_disconnected_key_store_are_unavailable_until_it_is_connected_again() {
    let (on, id) = (key(ACCOUNT, 1), "cks-1234567890abcdef0");
    let made = |minute| created(&on, minute, &json!({"origin": "AWS_CLOUDHSM", "customKeyStoreId": id}));
    let act = |name, minute| call(name, &on, minute);
    let (off, back) = ("DisconnectCustomKeyStore", "ConnectCustomKeyStore");
    let refused = |minute| {
        let mut record = call("Decrypt", &on, minute);
        record["errorCode"] = "KMSInvalidStateException".into();
        record["errorMessage"] = format!("{on} is unavailable.").into();
        record
    };
    let failed = |minute| {
        let mut record = store(off, minute, id);
        record["errorCode"] = "AccessDenied".into();
        record
    };
    let cases: [(&str, &str, Vec<Value>); 12] = [
        ("Unavailable", off, vec![made(0), store(off, 20, id)]),
        ("Unavailable", off, vec![used(&on, 0, &in_cloudhsm()), store(off, 20, id)]),
        ("Enabled", "CreateKey", vec![made(0), store(off, 20, id), store(back, 30, id)]),
        ("Disabled", "DisableKey", vec![made(0), act("DisableKey", 5), store(off, 20, id), store(back, 30, id)]),
        ("Disabled", "DisableKey", vec![made(0), store(off, 20, id), act("DisableKey", 25), store(back, 30, id)]),
        ("Enabled", "CreateKey", vec![made(0), store(off, 20, id), refused(30), store(back, 40, id)]),
        ("Unavailable", "a refused use", vec![made(0), store(off, 20, id), refused(30)]),
        // It waits for its end all the same.
        ("PendingDeletion", "ScheduleKeyDeletion", vec![made(0), act("ScheduleKeyDeletion", 5), store(off, 20, id)]),
        // That the store is connected again, its keys prove.
        ("Enabled", "a successful use", vec![made(0), store(off, 20, id), act("Decrypt", 50)]),
        ("Enabled", "CreateKey", vec![store(off, 0, id), made(20)]),
        ("Enabled", "CreateKey", vec![made(0), store(off, 20, "cks-0000000000000000f")]),
        ("Enabled", "CreateKey", vec![made(0), failed(20)]),
    ];
    for (state, evidence, records) in cases {
        let row = only_key(&records);
        assert_eq!(texts(&row, ["state", "state_evidence"]), [state, evidence], "{records:#?}");
    }
    // It is another Region's store.
    let mut elsewhere = store(off, 20, id);
    elsewhere["awsRegion"] = "eu-west-1".into();
    assert_eq!(text(&only_key(&[made(0), elsewhere]), "state"), "Enabled");
}

#[test]
fn an_inventory_tells_what_logs_leave_open_and_since_when() {
    let [used, unseen] = [1, 2].map(|number| key(ACCOUNT, number));
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    let off = store("DisconnectCustomKeyStore", 10, "cks-1");
    write(&root.join("log.json"), &log(&[call("EnableKey", &used, 0), call("Decrypt", &used, 60), off]));
    let config = folder.path().join("keytrail.toml");
    write(&config, b"[inventory]\nfiles = [\"inventory.json\"]\n");
    let state = |fetched: Value| {
        let waiting = json!({"KeyMetadata": {"Arn": used, "KeyManager": "CUSTOMER", "KeyState": "PendingDeletion",
            "CreationDate": 1_769_990_400.5, "DeletionDate": "2026-03-20T09:00:00+00:00"}});
        let others = json!({"Aliases": [{"AliasName": "alias/aws/ebs", "TargetKeyId": unseen.rsplit('/').next(),
            "AliasArn": format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/ebs")}]});
        let stored = json!({"KeyMetadata": {"Arn": key(ACCOUNT, 3), "KeyManager": "CUSTOMER", "KeyState": "Enabled",
            "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1"}});
        let inventory =
            json!([{"fetchedAt": fetched, "data": waiting}, others, {"fetchedAt": fetched, "data": stored}]);
        write(&folder.path().join("inventory.json"), inventory.to_string().as_bytes());
        backfill(&[&root], &out, &["--config", config.to_str().expect("a path")]).ends_with(0);
        let mut keys = rows::<Keys>(&out);
        keys.sort_by_key(|row| text(row, "key_arn").to_owned());
        assert_eq!((text(&keys[1], "key_arn"), text(&keys[1], "manager")), (&*unseen, "aws"));
        assert_eq!(text(&keys[0], "created_time"), "2026-02-02T00:00:00Z");
        // Its store was disconnected at ten past nine.
        assert_eq!(text(&keys[2], "state"), if fetched.is_null() { "Unavailable" } else { "Enabled" });
        ["state", "deletion_time"].map(|column| text(&keys[0], column).to_owned())
    };
    let waiting = ["PendingDeletion", "2026-03-20T09:00:00Z"];
    // The act is at 9, the use at 10.
    assert_eq!(state("2026-03-02T12:00:00Z".into()), waiting);
    assert_eq!(state("2026-03-02T09:30:00Z".into()), ["Enabled", ""]);
    assert_eq!(state(Value::Null), ["Enabled", ""]);
}

#[test]
fn a_replica_that_is_made_again_has_nothing_of_its_former_life() {
    let replica = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab");
    let made = |minute, tag: &str| {
        let mut record = created(&replica, minute, &json!({"multiRegion": true}));
        record["requestParameters"]["tags"] = json!([{"tagKey": tag, "tagValue": "x"}]);
        record
    };
    let mut deleted = call("DeleteKey", &replica, 50);
    deleted["userIdentity"] = json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"});
    deleted["eventType"] = json!("AwsServiceEvent");
    let mut alias = call("CreateAlias", &replica, 10);
    alias["requestParameters"] = json!({"aliasName": "alias/app", "targetKeyId": replica});
    let mut grant = call("CreateGrant", &replica, 20);
    grant["requestParameters"] = json!({"keyId": replica, "granteePrincipal": ADMIN, "operations": ["Decrypt"]});
    grant["responseElements"] = json!({"grantId": "g1"});
    // What is gone is told as it was.
    let first_life = [made(0, "old"), alias.clone(), grant.clone(), deleted.clone()];
    let gone = only_key(&first_life);
    assert!(text(&gone, "state") == "Deleted" && text(&gone, "policy").contains("kms:*"), "{gone:?}");
    let mut again = made(70, "new");
    again["userIdentity"]["invokedBy"] = json!("kms.amazonaws.com");
    let key = only_key(&[made(0, "old"), alias, grant, deleted, again]);
    assert_eq!(text(&key, "policy"), "");
    let told = texts(&key, ["state", "created_time", "tags", "grants"]);
    assert_eq!(told, ["Enabled", "2026-03-02T10:10:00Z", r#"{"new":"x"}"#, ""]);
    assert_eq!(key["aliases"], json!([]));
}

#[test]
fn material_that_was_never_imported_is_missing_after_a_cancelled_deletion_too() {
    let on = key(ACCOUNT, 1);
    let made = created(&on, 0, &json!({"origin": "EXTERNAL", "keyState": "PendingImport"}));
    let told = only_key(&[made, call("ScheduleKeyDeletion", &on, 10), call("CancelKeyDeletion", &on, 20)]);
    assert_eq!(text(&told, "state"), "PendingImport");
}

#[test]
fn rotation_does_not_apply_to_a_key_that_signs() {
    assert_eq!(text(&only_key(&[call("Sign", &key(ACCOUNT, 1), 0)]), "rotation"), "not_applicable");
}
