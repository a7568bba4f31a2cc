//! Copies of one call, in one object or in two, count once and say the same; so do corrections.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use keytrail::lake::tables::key_use::KeyUses;
use keytrail::lake::tables::keys::Keys;
use keytrail::lake::tables::usage::Usage;

use crate::support::{Row, backfill, key, kms_record, log, number, on, rows, temp_dir, text, write};

const OWNER: &str = "444455556666";
const CALLER: &str = "111122223333";
const TIME: &str = "2026-03-02T09:00:00Z";

/// A call's record in the caller's trail, and the one in the key owner's.
fn twins(name: &str, request: &Value, time: &str, number: u32) -> [Value; 2] {
    let key_arn = key(OWNER, 1);
    let id = |copy: &str| format!("{copy}000000-12ab-34cd-56ef-{number:012}");
    let copy = |recipient, id: String| {
        let mut record = kms_record(name, &key_arn, CALLER, recipient, time, &id);
        record["sharedEventID"] = json!(format!("55555555-12ab-34cd-56ef-{number:012}"));
        record["requestParameters"] = request.clone();
        record["sourceIPAddress"] = json!("198.51.100.7");
        record["userAgent"] = json!("aws-cli/2.17.32");
        record
    };
    let mut callers = copy(CALLER, id("bb"));
    callers["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLEAPP:job", "accountId": CALLER,
        "arn": format!("arn:aws:sts::{CALLER}:assumed-role/App/job"),
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLEAPP", "accountId": CALLER,
                "arn": format!("arn:aws:iam::{CALLER}:role/App"), "userName": "App"},
            "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-03-02T08:59:00Z"},
        },
    });
    // The owner's has the lesser eventID: it must not speak for both.
    let mut owners = copy(OWNER, id("aa"));
    owners["userIdentity"] = json!({"type": "AWSAccount", "principalId": "AROAEXAMPLEAPP:job", "accountId": CALLER});
    [callers, owners]
}

/// What comes of records, by the objects that they stand in.
pub fn out_of(objects: &[&[Value]], config: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    for (at, records) in objects.iter().enumerate() {
        write(&root.join(format!("{at}.json")), &log(records));
    }
    let file = folder.path().join("keytrail.toml");
    write(&file, config.as_bytes());
    backfill(&[&root], &out, &["--config", file.to_str().expect("a path")]).ends_with(0);
    (folder, out)
}

pub fn findings(out: &Path, rule: &str) -> Vec<Row> {
    let lines =
        on("findings", out, &["--severity", "info", "--rule", rule, "--format", "json"]).ends_with(0).json_lines();
    lines.into_iter().map(|line| line.as_object().cloned().expect("an object")).collect()
}

/// All that is told of a rule's findings, for one object and for two.
fn told(records: &[Value; 2], rule: &str, columns: &[&str]) -> Vec<String> {
    let [first, second] = records;
    let layouts: [&[&[Value]]; 3] = [&[records], &[&records[..1], &records[1..]], &[&[second.clone(), first.clone()]]];
    let told = layouts.map(|objects| {
        let (_folder, out) = out_of(objects, "");
        let findings = findings(&out, rule);
        findings
            .iter()
            .map(|row| {
                columns
                    .iter()
                    .map(|column| row.get(*column).unwrap_or(&Value::Null).to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect::<Vec<_>>()
    });
    assert_eq!(told[0], told[1], "one object or two");
    assert_eq!(told[0], told[2], "whichever comes first");
    told[0].clone()
}

#[test]
fn an_act_that_both_accounts_logged_is_one_and_names_its_principal() {
    let grant = json!({"keyId": key(OWNER, 1), "granteePrincipal": format!("arn:aws:iam::{CALLER}:role/Other"),
        "operations": ["Decrypt", "CreateGrant"]});
    let records = twins("CreateGrant", &grant, TIME, 1);
    let told = told(&records, "create-grant", &["severity", "event_count", "principal_arn"]);
    assert_eq!(told, [format!("\"critical\" 1 \"arn:aws:iam::{CALLER}:role/App\"")]);

    let (_folder, out) = out_of(&[&records], "");
    let keys = rows::<Keys>(&out);
    assert_eq!(keys[0]["admins"], json!([format!("arn:aws:iam::{CALLER}:role/App")]));
    assert_eq!(text(&keys[0], "last_change_by"), format!("arn:aws:iam::{CALLER}:role/App"));
}

#[test]
fn a_context_that_both_accounts_logged_is_one_finding() {
    for (rule, context) in [
        (
            "context-service-claimed-directly",
            json!({"SecretARN": format!("arn:aws:secretsmanager:us-east-1:{CALLER}:secret:a-AbCdEf")}),
        ),
        (
            "context-foreign-resource",
            json!({"SecretARN": "arn:aws:secretsmanager:us-east-1:777777777777:secret:a-AbCdEf"}),
        ),
        ("context-secret-in-value", json!({"owner": "jane@example.com"})),
    ] {
        let records = twins("Decrypt", &json!({"encryptionContext": context}), TIME, 1);
        let told = told(&records, rule, &["event_count", "principal_type"]);
        assert_eq!(told, ["1 \"AssumedRole\""], "{rule}");
    }
}

#[test]
fn a_success_does_not_hide_behind_a_refusal() {
    for (rule, context) in [
        (
            "context-foreign-resource",
            json!({"SecretARN": "arn:aws:secretsmanager:us-east-1:777777777777:secret:a-AbCdEf"}),
        ),
        ("context-secret-in-value", json!({"owner": "jane@example.com"})),
    ] {
        let request = json!({"encryptionContext": context});
        let [mut refused, _] = twins("Decrypt", &request, TIME, 1);
        refused["errorCode"] = json!("AccessDenied");
        let [done, _] = twins("Decrypt", &request, "2026-03-02T10:00:00Z", 2);
        let (_folder, out) = out_of(&[&[refused, done]], "");
        let mut outcomes: Vec<_> = findings(&out, rule).iter().map(|row| text(row, "outcome").to_owned()).collect();
        outcomes.sort();
        assert_eq!(outcomes, ["attempt", "success"], "{rule}");
    }
}

#[test]
fn a_correction_is_the_event_that_it_corrects_in_whatever_hour() {
    let [original, _] = twins("Decrypt", &json!({}), TIME, 1);
    let [mut correction, _] = twins("Decrypt", &json!({}), "2026-03-02T11:30:00Z", 2);
    correction["addendum"] =
        json!({"reason": "UPDATED_DATA", "updatedFields": "eventTime", "originalEventID": original["eventID"]});
    let (one, other) = (std::slice::from_ref(&original), std::slice::from_ref(&correction));
    for objects in [[one, other], [other, one]] {
        let (_folder, out) = out_of(&objects, "");
        assert_eq!(rows::<Usage>(&out).iter().map(|row| number(row, "requests")).sum::<i64>(), 1);
    }
}

#[test]
fn a_reencrypt_out_of_ones_own_keys_is_counted_and_found() {
    let own = key(CALLER, 2);
    let [mut record, _] = twins("ReEncrypt", &json!({}), TIME, 1);
    record["resources"] = json!([{"ARN": own, "accountId": CALLER}, {"ARN": key(OWNER, 1), "accountId": OWNER}]);
    let accounts = format!("[accounts]\nown = [\"{CALLER}\"]\norganization = [\"777777777777\"]\n");
    let (_folder, out) = out_of(&[std::slice::from_ref(&record)], &accounts);
    let used: Vec<_> =
        rows::<KeyUses>(&out).iter().map(|row| (text(row, "key_arn").to_owned(), number(row, "requests"))).collect();
    assert_eq!(used, [(own, 1), (key(OWNER, 1), 1)]);
    assert_eq!(
        (findings(&out, "reencrypt-to-foreign-key").len(), findings(&out, "foreign-key-encryption").len()),
        (1, 0)
    );

    // From a key of the organization, nothing own was moved: data went under a foreign key all the same.
    record["resources"][0] = json!({"ARN": key("777777777777", 3), "accountId": "777777777777"});
    let (_folder, out) = out_of(&[&[record]], &accounts);
    assert_eq!(
        (findings(&out, "reencrypt-to-foreign-key").len(), findings(&out, "foreign-key-encryption").len()),
        (0, 1)
    );
    assert_eq!(on("findings", &out, &["--key", &key(OWNER, 1), "--format", "json"]).ends_with(0).json_lines().len(), 1);
    let said = on("findings", &out, &["--key", "alias/nobody"]).ends_with(1).said();
    assert!(said.contains("no key alias/nobody in this output"), "{said}");
    on("findings", &out, &["--account", "12345"]).ends_with(2);
}

#[test]
fn a_suppression_by_alias_covers_what_only_the_fold_can_name() {
    let [_, owners] = twins("Decrypt", &json!({}), TIME, 1);
    let mut alias = kms_record(
        "CreateAlias",
        &key(OWNER, 1),
        OWNER,
        OWNER,
        "2026-03-02T08:00:00Z",
        "cc000000-12ab-34cd-56ef-000000000001",
    );
    alias["requestParameters"] = json!({"aliasName": "alias/app", "targetKeyId": key(OWNER, 1)});
    let records = [alias, owners];
    let accounts = format!("[accounts]\nown = [\"{OWNER}\"]\n");
    let (_folder, out) = out_of(&[&records], &accounts);
    let found = findings(&out, "cross-account-inbound");
    assert_eq!(found.iter().map(|row| text(row, "key_alias")).collect::<Vec<_>>(), ["alias/app"]);
    let suppressed = format!("{accounts}[[suppressions]]\nalias = \"alias/app\"\nreason = \"known\"\n");
    let (_folder, out) = out_of(&[&records], &suppressed);
    assert!(findings(&out, "cross-account-inbound").is_empty());
}

#[test]
fn the_destination_of_a_reencrypt_may_be_a_default_key() {
    let (own, default) = (key(CALLER, 2), key(CALLER, 3));
    let mut named = kms_record("DescribeKey", &default, CALLER, CALLER, TIME, "cc000000-12ab-34cd-56ef-000000000001");
    named["requestParameters"] = json!({"keyId": "alias/aws/ebs"});
    let mut moved = kms_record("ReEncrypt", &own, CALLER, CALLER, TIME, "cc000000-12ab-34cd-56ef-000000000002");
    moved["resources"] = json!([{"ARN": own, "accountId": CALLER}, {"ARN": default, "accountId": CALLER}]);
    let (_folder, out) = out_of(&[&[named, moved]], "");
    let found = findings(&out, "default-key-use");
    assert_eq!(
        found.iter().map(|row| (text(row, "key_alias"), number(row, "event_count"))).collect::<Vec<_>>(),
        [("alias/aws/ebs", 1)]
    );
    let by =
        |more: &[&str]| on("findings", &out, &[&["--format", "json"], more].concat()).ends_with(0).json_lines().len();
    assert_eq!((by(&["--principal", "CatalogApi"]), by(&["--principal", "Catalog"])), (1, 0));
    assert_eq!((by(&["--severity", "LOW", "--until", TIME]), by(&["--until", "2026-03-03"])), (0, 1));
}

#[test]
fn an_enclave_in_debug_mode_that_both_accounts_logged_is_one() {
    let mut records = twins("Decrypt", &json!({}), TIME, 1);
    for record in &mut records {
        record["additionalEventData"] = json!({"recipient": {"attestationDocumentModuleId": "i-0abc-enc1",
            "attestationDocumentEnclaveImageDigest": "0".repeat(96)}});
    }
    assert_eq!(told(&records, "enclave-debug-mode", &["event_count"]), ["1"]);
}

#[test]
fn what_a_service_did_in_its_own_name_counts_once_where_two_accounts_logged_it() {
    let mut records = twins("GenerateDataKey", &json!({}), TIME, 1);
    for record in &mut records {
        record["userIdentity"] = json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"});
        record["sourceIPAddress"] = json!("cloudtrail.amazonaws.com");
    }
    let (_folder, out) = out_of(&[&records], "");
    let requests = |rows: Vec<Row>| rows.iter().map(|row| number(row, "requests")).sum::<i64>();
    assert_eq!((requests(rows::<KeyUses>(&out)), requests(rows::<Usage>(&out))), (1, 2));
    // An own key is no key of AWS's.
    for record in &mut records {
        record["resources"][0]["accountId"] = json!("AWS Internal");
    }
    let (_folder, out) = out_of(&[&records[1..]], "");
    assert_eq!(text(&rows::<Keys>(&out)[0], "manager"), "unknown");
}

#[test]
fn a_key_is_deleted_once_also_over_midnight_but_a_replica_again() {
    let replica = key(OWNER, 1).replace("00000001-1111-4222-8333-444444444444", "mrk-1234abcd12ab34cd56ef1234567890ab");
    for (arn, times, expected) in [
        (key(OWNER, 1), ["2026-03-02T23:59:59Z", "2026-03-03T00:00:02Z"], &["2"][..]),
        (replica, ["2026-03-02T09:00:00Z", "2026-09-02T09:00:00Z"], &["1", "1"]),
    ] {
        let records = times.map(|time| {
            let mut record = kms_record("DeleteKey", &arn, OWNER, OWNER, time, time);
            record["userIdentity"] = json!({"accountId": OWNER, "invokedBy": "AWS Internal"});
            record["eventType"] = json!("AwsServiceEvent");
            record
        });
        assert_eq!(told(&records, "delete-key", &["event_count"]), expected);
    }
}

#[test]
fn refusals_within_an_hour_look_like_probing_wherever_the_clock_stood() {
    let refused = |name: &str, number: u64, time: &str| {
        let foreign = key("777788889999", number);
        let mut record = kms_record(name, &foreign, CALLER, CALLER, time, &format!("{number}{time}"));
        record["errorCode"] = json!("AccessDenied");
        record
    };
    let severity = |records: &[Value]| {
        // However the rows of usage are cut.
        let apart: Vec<&[Value]> = records.chunks(1).collect();
        let told = [vec![records], apart].map(|objects| {
            let (_folder, out) = out_of(&objects, &format!("[accounts]\nown = [\"{CALLER}\"]\n"));
            let found = findings(&out, "cross-account-denied");
            found.iter().map(|row| text(row, "severity").to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(told[0], told[1]);
        told[0].clone()
    };
    let before = (0..3).map(|number| refused("Decrypt", number, "2026-03-02T09:59:50Z"));
    let after = |time: &'static str| (3..6).map(move |number| refused("Decrypt", number, time));
    assert_eq!(severity(&before.clone().chain(after("2026-03-02T10:00:10Z")).collect::<Vec<_>>()), ["medium"]);
    assert_eq!(severity(&before.chain(after("2026-03-02T10:59:50Z")).collect::<Vec<_>>()), ["low"]);
    // Acts that nobody else reports when they are refused; what has a rule of its own is that one's.
    assert_eq!(severity(&[refused("TagResource", 1, TIME)]), ["low"]);
    assert_eq!(severity(&[refused("RetireGrant", 1, TIME)]), ["low"]);
    // Many calls on one key, that reach over the clock's hour: as many in an hour as they are.
    let calls = (0..21).map(|n| refused("Decrypt", 1, &format!("2026-03-02T{:02}:{:02}:00Z", 9 + n / 12, n * 5 % 60)));
    assert_eq!(severity(&calls.collect::<Vec<_>>()), ["low"]);
    assert!(severity(&[refused("PutKeyPolicy", 1, TIME)]).is_empty());
}
