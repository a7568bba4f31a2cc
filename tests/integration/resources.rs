//! What services were told of resources, through the binary: findings follow the time of acts, not the
//! order of files, and many of a day become one.

use std::path::{Path, PathBuf};

use keytrail::lake::tables::configurations::Configurations;
use keytrail::lake::tables::findings::Findings;
use serde_json::{Value, json};

use crate::support::{Row, assert_holds, backfill, log, number, rows, tables, temp_dir, text, write};

/// A call of Secrets Manager on the secret `name`, on a day of March 2026.
fn record(event: &str, name: &str, key: Option<&str>, day: u64) -> Value {
    let member = if event == "CreateSecret" { "name" } else { "secretId" };
    let mut request = json!({ member: name });
    if let Some(key) = key {
        request["kmsKeyId"] = key.into();
    }
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLEALICE", "accountId": "111122223333", "userName": "Alice",
            "arn": "arn:aws:iam::111122223333:user/Alice",
        },
        "eventTime": format!("2026-03-{day:02}T09:00:00Z"), "eventSource": "secretsmanager.amazonaws.com",
        "eventName": event, "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2",
        "requestParameters": request,
        "responseElements": { "arn": format!("arn:aws:secretsmanager:us-east-1:111122223333:secret:{name}-AbCdEf") },
        "eventID": format!("{event}-{name}-{day}"), "readOnly": false, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management",
    })
}

fn create(name: &str, day: u64) -> Value {
    record("CreateSecret", name, None, day)
}

fn update(name: &str, key: &str, day: u64) -> Value {
    record("UpdateSecret", name, Some(key), day)
}

/// Writes each list of records as a file; returns the files.
fn files(folder: &Path, lists: &[Vec<Value>]) -> Vec<PathBuf> {
    let path = |at: usize| folder.join(format!("{at}.json"));
    for (at, records) in lists.iter().enumerate() {
        write(&path(at), &log(records));
    }
    (0..lists.len()).map(path).collect()
}

/// The findings of the rule, of records in one file.
fn by_omission(records: &[Value]) -> Vec<Row> {
    by_omission_with(records, "")
}

fn by_omission_with(records: &[Value], config: &str) -> Vec<Row> {
    let folder = temp_dir();
    let (out, path) = (folder.path().join("out"), folder.path().join("keytrail.toml"));
    write(&path, config.as_bytes());
    let source = files(&folder.path().join("logs"), &[records.to_vec()]);
    backfill(&[&source[0]], &out, &["--config", path.to_str().expect("a path")]).ends_with(0);
    rows::<Findings>(&out).into_iter().filter(|row| text(row, "rule_id") == "default-key-by-omission").collect()
}

fn secrets(count: u64, day: u64) -> Vec<Value> {
    (0..count).map(|number| create(&format!("secret-{number:02}"), day)).collect()
}

#[test]
fn a_key_given_up_by_a_template_is_milder() {
    let role = "arn:aws:iam::111122223333:role/TerraformDeploy";
    let severity = |config: &str| {
        let folder = temp_dir();
        let (out, path) = (folder.path().join("out"), folder.path().join("keytrail.toml"));
        write(&path, config.as_bytes());
        let put = |rule: Value, day: u64| {
            let mut put = record("PutBucketEncryption", "larkspur-orders", None, day);
            put["eventSource"] = "s3.amazonaws.com".into();
            put["requestParameters"] = json!({
                "bucketName": "larkspur-orders",
                "ServerSideEncryptionConfiguration": { "Rule": { "ApplyServerSideEncryptionByDefault": rule } },
            });
            put["userIdentity"] = json!({
                "type": "AssumedRole", "principalId": "AROAEXAMPLEDEPLOYER:ci", "accountId": "111122223333",
                "arn": "arn:aws:sts::111122223333:assumed-role/TerraformDeploy/ci",
                "sessionContext": { "sessionIssuer": { "type": "Role", "arn": role, "accountId": "111122223333" } },
            });
            put
        };
        let own = json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/larkspur/orders" });
        let records = vec![put(own, 2), put(json!({ "SSEAlgorithm": "AES256" }), 3)];
        let source = files(&folder.path().join("logs"), &[records]);
        backfill(&[&source[0]], &out, &["--config", path.to_str().expect("a path")]).ends_with(0);
        let given_up = |row: &Row| text(row, "rule_id") == "own-key-given-up";
        let severity = |row: Row| text(&row, "severity").to_owned();
        rows::<Findings>(&out).into_iter().filter(given_up).map(severity).collect::<Vec<_>>()
    };
    assert_eq!(severity(""), ["medium"]);
    assert_eq!(severity(&format!("[templates]\nroles = [\"{role}\"]\n")), ["low"]);
}

#[test]
fn twenty_resources_of_a_day_are_twenty_findings() {
    let findings = by_omission(&secrets(20, 2));
    assert_eq!(findings.len(), 20);
    assert!(findings.iter().all(|finding| !text(finding, "resource_arn").is_empty()), "{findings:?}");
}

#[test]
fn twenty_one_resources_of_a_day_are_one_finding() {
    let findings = by_omission(&secrets(21, 2));
    let [finding] = findings.as_slice() else { panic!("{} findings", findings.len()) };
    let message = text(finding, "message");
    assert!(message.starts_with("Alice named no key for 21 secrets in account 111122223333, us-east-1"), "{message}");
    assert!(message.ends_with(": secret-00, secret-01, secret-02 and 18 more"), "{message}");
    let evidence: Value = serde_json::from_str(text(finding, "evidence")).expect("JSON");
    assert_eq!(evidence["resources_count"], 21);
    assert_eq!(evidence["resources"].as_array().map(Vec::len), Some(21));
    assert_eq!((number(finding, "event_count"), text(finding, "resource_arn")), (21, ""));
}

#[test]
fn what_is_closed_or_of_another_day_does_not_count_among_the_many() {
    let mut records = secrets(21, 2);
    records.push(update("secret-07", "alias/app", 3));
    let findings = by_omission(&records);
    assert_eq!(findings.len(), 21);
    let closed: Vec<_> = findings.iter().filter(|finding| text(finding, "severity") == "info").collect();
    assert_eq!(closed.len(), 1);
    let mut records = secrets(20, 2);
    records.push(create("late", 3));
    assert_eq!(by_omission(&records).len(), 21);
}

#[test]
fn a_suppressed_resource_is_none_of_the_many() {
    let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:secret-07-AbCdEf";
    let config = format!("[[suppressions]]\nresource = \"{arn}\"\nreason = \"a test\"\n");
    assert_eq!(by_omission_with(&secrets(21, 2), &config).len(), 20);
    let many = by_omission_with(&secrets(22, 2), &config);
    assert_eq!(many.len(), 1);
    assert!(text(&many[0], "message").contains("for 21 secrets"), "{many:?}");
}

#[test]
fn a_finding_is_closed_whichever_file_comes_first() {
    let folder = temp_dir();
    let lists = [vec![create("orders", 2)], vec![update("orders", "alias/app", 4)]];
    let files = files(&folder.path().join("logs"), &lists);
    for (at, order) in [[0, 1], [1, 0]].into_iter().enumerate() {
        let out = folder.path().join(format!("out-{at}"));
        let severity = |source: usize| {
            backfill(&[&files[source]], &out, &[]).ends_with(0);
            let findings = rows::<Findings>(&out);
            findings.iter().map(|finding| text(finding, "severity").to_owned()).collect::<Vec<_>>()
        };
        let after_one = severity(order[0]);
        assert_eq!(after_one, if order[0] == 0 { vec!["medium"] } else { vec![] });
        assert_eq!(severity(order[1]), ["info"]);
        let findings = rows::<Findings>(&out);
        assert!(
            text(&findings[0], "message").ends_with("; closed: Alice chose alias/app on 2026-03-04"),
            "{findings:?}"
        );
        assert_holds(&out);
    }
}

/// Of one secret: default, a key of its own, default again; of another: the same key before and after.
#[test]
fn the_order_of_files_changes_no_finding() {
    let folder = temp_dir();
    let lists = [
        vec![create("orders", 2), update("returns", "alias/app", 2)],
        vec![update("orders", "alias/app", 3)],
        vec![update("orders", "", 4), update("returns", "", 4)],
        vec![update("returns", "alias/app", 5), create("reviews", 5)],
    ];
    let files = files(&folder.path().join("logs"), &lists);
    let run = |name: &str, sources: &[&[usize]]| {
        let out = folder.path().join(name);
        for files_of_run in sources {
            let sources: Vec<&Path> = files_of_run.iter().map(|at| files[*at].as_path()).collect();
            backfill(&sources, &out, &[]).ends_with(0);
        }
        out
    };
    let reference = run("reference", &[&[0, 1, 2, 3]]);
    let found: Vec<(String, String)> = rows::<Findings>(&reference)
        .iter()
        .map(|row| (text(row, "severity").to_owned(), text(row, "message").to_owned()))
        .collect();
    let of = |what: &str| found.iter().filter(|(_, message)| message.contains(what)).collect::<Vec<_>>();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(of("orders").iter().all(|(severity, message)| severity == "high" && message.contains("until then")));
    assert!(of("returns").iter().all(|(severity, message)| severity == "info" && message.contains("closed")));
    assert!(of("reviews").iter().all(|(severity, _)| severity == "medium"));
    let reference = tables(&reference);
    let orders: [&[&[usize]]; 4] =
        [&[&[3, 2, 1, 0]], &[&[3], &[2], &[1], &[0]], &[&[2, 0], &[3, 1]], &[&[1, 3], &[0], &[2]]];
    for (at, order) in orders.into_iter().enumerate() {
        reference.assert_same(&tables(&run(&format!("order-{at}"), order)), &format!("{order:?}"));
    }
}

/// Of a bucket's objects like acts are one row: how many, from when to when, whoever did them.
#[test]
fn like_acts_on_many_objects_are_one_row() {
    let put = |user: &str, minute: u64| {
        let mut put = record("PutObject", "x", None, 2);
        put["eventSource"] = "s3.amazonaws.com".into();
        put["eventTime"] = format!("2026-03-02T09:{minute:02}:00Z").into();
        put["eventID"] = format!("put-{minute}").into();
        put["userIdentity"]["arn"] = format!("arn:aws:iam::111122223333:user/{user}").into();
        put["requestParameters"] = json!({
            "bucketName": "reports", "key": format!("{minute}.csv"), "x-amz-server-side-encryption": "aws:kms",
        });
        put["responseElements"] = Value::Null;
        put
    };
    let folder = temp_dir();
    let out = folder.path().join("out");
    let source = files(&folder.path().join("logs"), &[vec![put("Bob", 20), put("Alice", 10), put("Bob", 30)]]);
    backfill(&[&source[0]], &out, &[]).ends_with(0);
    let rows = rows::<Configurations>(&out);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(number(&rows[0], "requests"), 3);
    assert_eq!(text(&rows[0], "event_id"), "put-10");
    assert!(text(&rows[0], "principal_arn").ends_with("Alice"), "the first who did it");
    assert!(text(&rows[0], "last_event_time").contains("09:30"), "{rows:?}");
}

/// Two things that the record names only in the request are two.
#[test]
fn things_are_told_apart_by_what_the_request_names() {
    let database = |name: &str, day: u64| {
        let mut created = record("CreateDBInstance", name, None, day);
        created["eventSource"] = "rds.amazonaws.com".into();
        created["requestParameters"] = json!({ "dBInstanceIdentifier": name, "storageEncrypted": true });
        created["responseElements"] = Value::Null;
        created
    };
    let found = by_omission(&[database("orders", 2), database("billing", 2)]);
    let messages: Vec<&str> = found.iter().map(|row| text(row, "message")).collect();
    assert_eq!(found.len(), 2, "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("database orders")), "{messages:?}");
}

/// A volume that is encrypted because the account says so has the account's default key.
#[test]
fn a_volume_encrypted_by_the_account_is_under_its_default_key() {
    let volume = |snapshot: Option<&str>, encrypted: bool| {
        let mut created = record("CreateVolume", "x", None, 2);
        created["eventSource"] = "ec2.amazonaws.com".into();
        created["requestParameters"] = json!({ "size": "8", "zone": "us-east-1a" });
        if let Some(snapshot) = snapshot {
            created["requestParameters"]["snapshotId"] = snapshot.into();
        }
        created["responseElements"] = json!({ "volumeId": "vol-0abc", "encrypted": encrypted });
        created
    };
    let messages = |record: Value| -> Vec<String> {
        by_omission(&[record]).iter().map(|row| text(row, "message").to_owned()).collect()
    };
    let said = messages(volume(None, true));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("vol-0abc") && said[0].contains("alias/aws/ebs"), "{said:?}");
    assert!(messages(volume(None, false)).is_empty());
    assert!(messages(volume(Some("snap-0abc"), true)).is_empty(), "it may have the snapshot's key");
}
