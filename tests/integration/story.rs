//! One key's story, for people and for machines.

use serde_json::{Value, json};

use crate::support::{backfill, key, kms_record, log, on, temp_dir, write};

const ACCOUNT: &str = "111122223333";

fn act(name: &str, on: u64, second: u32, request: &Value) -> Value {
    let id = format!("aa000000-12ab-34cd-56ef-{second:012}");
    let time = format!("2026-03-02T09:00:{second:02}Z");
    let mut record = kms_record(name, &key(ACCOUNT, on), ACCOUNT, ACCOUNT, &time, &id);
    record["requestParameters"] = request.clone();
    record
}

#[test]
fn an_alias_that_went_to_another_key_is_in_the_story_of_both() {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    let (first, second) = (key(ACCOUNT, 1), key(ACCOUNT, 2));
    let records = [
        act("CreateAlias", 1, 1, &json!({"aliasName": "alias/app", "targetKeyId": first})),
        act("CreateAlias", 2, 2, &json!({"aliasName": "alias/other", "targetKeyId": second})),
        act("UpdateAlias", 2, 3, &json!({"aliasName": "alias/app", "targetKeyId": second})),
        act("UpdateAlias", 2, 4, &json!({"aliasName": "alias/other", "targetKeyId": second})),
        act("Decrypt", 1, 5, &json!({"keyId": first})),
        act("UpdateAlias", 3, 6, &json!({"aliasName": "alias/app", "targetKeyId": key(ACCOUNT, 3)})),
    ];
    write(&root.join("log.json"), &log(&records));
    backfill(&[&root], &out, &[]).ends_with(0);
    let story = on("keys", &out, &[&first]).ends_with(0).stdout;
    let moved = story.lines().find(|line| line.contains("UpdateAlias")).expect("the alias went away");
    assert!(moved.contains("alias=alias/app") && moved.contains(&format!("gone_to={second}")), "{moved}");
    assert!(!story.contains("alias/other"), "{story}");
    let story = on("keys", &out, &[&second]).ends_with(0).stdout;
    assert_eq!(story.matches("gone_to").count(), 1, "{story}");
    // What an alias did before it was a key's is none of that one's story.
    let story = on("keys", &out, &[&key(ACCOUNT, 3)]).ends_with(0).stdout;
    assert!(story.contains("UpdateAlias") && !story.contains("gone_to"), "{story}");

    let story = on("keys", &out, &[&first, "--format", "json"]).ends_with(0).json();
    let names = |part: &str, column: &str| -> Vec<&str> {
        let rows = story[part].as_array().expect("rows");
        rows.iter().map(|row| row[column].as_str().expect("a text")).collect()
    };
    assert_eq!(story["key_arn"], Value::from(first));
    assert_eq!(names("changes", "change"), ["CreateAlias", "UpdateAlias"]);
    assert_eq!(names("uses", "operation_class"), ["alias", "crypto"]);
    assert_eq!(names("findings", "rule_id"), ["create-alias"]);
    let keys = on("keys", &out, &["--format", "json"]).ends_with(0).json_lines();
    assert!(keys.len() == 3 && keys.iter().all(|key| key.get("changes").is_none()), "{keys:?}");
}

#[test]
fn of_a_key_that_is_not_there_nothing_is_told() {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    write(&root.join("log.json"), &log(&[act("Decrypt", 1, 1, &json!({}))]));
    backfill(&[&root], &out, &[]).ends_with(0);
    for format in ["text", "json", "csv"] {
        let run = on("keys", &out, &["alias/nobody", "--format", format]).ends_with(1);
        assert!(run.stdout.is_empty() && run.said().contains("no key alias/nobody in this output"), "{}", run.said());
    }
}

#[test]
fn findings_on_a_key_are_found_by_each_of_its_names() {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    let first = key(ACCOUNT, 1);
    // Of this one the record names no key but by its alias.
    let mut refused = act("ScheduleKeyDeletion", 1, 4, &json!({"keyId": "alias/app"}));
    refused["errorCode"] = json!("AccessDenied");
    refused["resources"] = Value::Null;
    let records = [
        act("CreateAlias", 1, 1, &json!({"aliasName": "alias/app", "targetKeyId": first})),
        act("DisableKey", 1, 2, &json!({"keyId": first})),
        act("DisableKey", 2, 3, &json!({"keyId": key(ACCOUNT, 2)})),
        refused,
    ];
    write(&root.join("log.json"), &log(&records));
    backfill(&[&root], &out, &[]).ends_with(0);
    let alias = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/app");
    for name in [&*first, "00000001-1111-4222-8333-444444444444", "alias/app", &alias] {
        let told = on("findings", &out, &["--key", name, "--format", "json"]).ends_with(0).json_lines();
        let mut rules: Vec<&str> = told.iter().map(|row| row["rule_id"].as_str().expect("a rule")).collect();
        rules.sort_unstable();
        assert_eq!(rules, ["create-alias", "disable-key", "schedule-key-deletion"], "{name}");
        let story = on("keys", &out, &[name]).ends_with(0).stdout;
        assert!(story.starts_with(&first) && story.contains("tried to schedule the deletion"), "{name}: {story}");
    }
}
