//! The domain's fixtures, through the binary: every verdict on them but what needs a baseline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use keytrail::lake::tables::findings::Findings;
use keytrail::lake::tables::key_changes::KeyChanges;
use keytrail::lake::tables::key_use::KeyUses;
use keytrail::lake::tables::keys::Keys;
use keytrail::lake::tables::usage::Usage;

use crate::support::{Row, backfill, log, number, rows, temp_dir, text, write};

/// The domain's records and the verdicts on them; nothing where the folder is not there.
fn fixtures() -> Option<(Vec<Value>, BTreeMap<String, Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain/fixtures");
    let read = |name: &str| {
        std::fs::read(folder.join(name)).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    };
    let Some((records, expected)) = read("records.json").zip(read("expected.json")) else {
        eprintln!("skipped: no fixtures in {}", folder.display());
        return None;
    };
    let expected = expected.as_object().expect("verdicts by eventID").clone().into_iter().collect();
    Some((records["Records"].as_array().expect("records").clone(), expected))
}

struct Judged {
    _folder: tempfile::TempDir,
    out: PathBuf,
}

/// Analyses records as prod's security team would.
fn judge(records: &[Value]) -> Judged {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    write(&root.join("records.json"), &log(records));
    let config = folder.path().join("keytrail.toml");
    write(&config, b"[accounts]\nown = [\"111122223333\"]\n");
    let summary = backfill(&[&root], &out, &["--config", config.to_str().expect("a path")]).ends_with(0).json();
    assert_eq!(summary["records"]["malformed"], 0, "{summary}");
    Judged { _folder: folder, out }
}

fn findings_of(out: &Path, event_id: &str) -> Vec<Row> {
    rows::<Findings>(out).into_iter().filter(|row| text(row, "event_id") == event_id).collect()
}

/// Rules by the domain's names for them.
fn rule_of(verdict: &str) -> Option<&'static str> {
    Some(match verdict {
        "DK-USE" => "default-key-use",
        "CTX-04" => "context-service-claimed-directly",
        "XA-INBOUND" => "cross-account-inbound",
        "XA-OUTBOUND-DENIED" => "cross-account-denied",
        "XA-REENCRYPT-OUT" => "reencrypt-to-foreign-key",
        "COV-KMS-EXCLUDED" => "trail-excludes-kms",
        "DK-IMPLICIT -> DK-RESOLVED when key id is learned" => "default-key-by-omission",
        _ => return None,
    })
}

#[test]
fn fixtures_critical_actions_have_their_severity_and_tags() {
    let Some((records, expected)) = fixtures() else { return };
    let judged = judge(&records);
    let mut checked = 0;
    for (id, verdict) in &expected {
        let findings = findings_of(&judged.out, id);
        let Some(severity) = verdict["severity"].as_str() else { continue };
        // The grant that a service makes for itself is no finding.
        if severity == "info" {
            assert!(findings.is_empty(), "{}: {findings:?}", verdict["label"]);
            continue;
        }
        assert_eq!(findings.len(), 1, "{}: {findings:?}", verdict["label"]);
        assert_eq!(text(&findings[0], "severity"), severity, "{}", verdict["label"]);
        let evidence = text(&findings[0], "evidence");
        for tag in verdict["tags"].as_array().into_iter().flatten() {
            assert!(evidence.contains(&tag.to_string()), "{}: no {tag} in {evidence}", verdict["label"]);
        }
        if let Some(mfa) = verdict["mfa"].as_str() {
            let tag = format!("mfa_{}", mfa.trim_start_matches("federated_"));
            assert!(evidence.contains(&tag), "{}: no {tag} in {evidence}", verdict["label"]);
        }
        let evidence: Value = serde_json::from_str(evidence).unwrap_or_default();
        for weakness in verdict["policy"].as_array().into_iter().flatten() {
            let found = &evidence["policy"][weakness.as_str().expect("an id")];
            assert!(found.is_object(), "{}: no {weakness} in {evidence}", verdict["label"]);
        }
        if let Some(age) = verdict["mfa_age_s"].as_i64() {
            assert_eq!(evidence["mfa_age_seconds"], age, "{}", verdict["label"]);
        }
        if verdict["console"] == true {
            assert!(evidence["tags"].to_string().contains("console"), "{}: {evidence}", verdict["label"]);
        }
        checked += 1;
    }
    assert_eq!(checked, 8, "findings with a severity among the fixtures");
}

#[test]
fn fixtures_other_findings_are_those_expected() {
    let Some((records, expected)) = fixtures() else { return };
    let judged = judge(&records);
    let all = rows::<Findings>(&judged.out);
    let of_rule = |rule: &str| all.iter().filter(|row| text(row, "rule_id") == rule).collect::<Vec<_>>();
    for (id, verdict) in &expected {
        let Some(named) = verdict["findings"].as_array() else { continue };
        if named.is_empty() {
            assert_eq!(findings_of(&judged.out, id), Vec::<Row>::new(), "{}", verdict["label"]);
        }
        for rule in named.iter().filter_map(|name| rule_of(name.as_str().expect("a name"))) {
            assert!(!of_rule(rule).is_empty(), "{}: no finding of {rule}", verdict["label"]);
        }
    }
    let keys_with =
        |rule: &str| of_rule(rule).iter().map(|row| text(row, "key_id").to_owned()).collect::<BTreeSet<_>>();
    let default_keys = ["11111111-2222-3333-4444-555555555555", "22222222-2222-3333-4444-555555555555"];
    assert_eq!(keys_with("default-key-use"), default_keys.map(str::to_owned).into());
    let inbound = of_rule("cross-account-inbound");
    assert_eq!(inbound.len(), 1, "one finding for the pair: {inbound:?}");
    assert_eq!(number(inbound[0], "event_count"), 1, "the pair is one call: {inbound:?}");
    assert!(text(inbound[0], "message").contains("444455556666"));
    let denied = of_rule("cross-account-denied");
    assert_eq!((denied.len(), text(denied[0], "outcome")), (1, "attempt"));
    assert_eq!(
        text(denied[0], "key_arn"),
        "arn:aws:kms:us-east-1:444455556666:key/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    );
    assert_eq!(of_rule("reencrypt-to-foreign-key").len(), 1);
    assert_eq!(text(of_rule("reencrypt-to-foreign-key")[0], "severity"), "high");
    assert_eq!(of_rule("context-service-claimed-directly").len(), 1);
    assert!(of_rule("cross-account-outbound").is_empty(), "the AWS-owned key is nobody's: {all:?}");
}

#[test]
fn fixtures_keys_services_and_counts_are_as_expected() {
    let Some((records, expected)) = fixtures() else { return };
    let judged = judge(&records);
    let keys = rows::<Keys>(&judged.out);
    let manager = |arn: &str| keys.iter().find(|row| text(row, "key_arn") == arn).map(|row| text(row, "manager"));
    for (id, verdict) in &expected {
        if let Some(arn) = verdict["key"].as_str() {
            assert!(keys.iter().any(|row| text(row, "key_arn") == arn), "{}: no key {arn}", verdict["label"]);
            if let Some(word) = verdict["manager"].as_str() {
                assert_eq!(manager(arn), Some(word.to_lowercase().as_str()), "{}", verdict["label"]);
            }
        }
        // `kms` stands for KMS's own second record of a call.
        if verdict.get("via").is_some() && verdict["via"] != "kms" {
            let alone: Vec<Value> = records.iter().filter(|record| record["eventID"] == id.as_str()).cloned().collect();
            let judged = judge(&alone);
            let usage = rows::<Usage>(&judged.out);
            assert_eq!(usage.len(), 1, "{}", verdict["label"]);
            assert_eq!(
                text(&usage[0], "via_service"),
                verdict["via"].as_str().unwrap_or_default(),
                "{}",
                verdict["label"]
            );
        }
    }
    let usage = rows::<Usage>(&judged.out);
    let counted: i64 = usage.iter().map(|row| number(row, "requests")).sum();
    assert_eq!(counted, 26);
    let pair: BTreeSet<&str> =
        usage.iter().filter(|row| text(row, "side") != "local").map(|row| text(row, "side")).collect();
    assert_eq!(pair, BTreeSet::from(["caller", "owner"]));
    let uses = rows::<KeyUses>(&judged.out);
    let inbound: i64 =
        uses.iter().filter(|row| text(row, "relation") == "inbound").map(|row| number(row, "requests")).sum();
    assert_eq!(inbound, 1, "the pair is one use: {uses:?}");
}

/// All of the fixtures happen in one second, so each act is judged by itself.
#[test]
fn fixtures_states_are_those_after_each_act() {
    let Some((records, expected)) = fixtures() else { return };
    let mut checked = 0;
    for (id, verdict) in &expected {
        let Some(state) = verdict["state"].as_str().filter(|_| verdict["state_provenance"].is_null()) else { continue };
        let alone: Vec<Value> = records.iter().filter(|record| record["eventID"] == id.as_str()).cloned().collect();
        let judged = judge(&alone);
        let keys = rows::<Keys>(&judged.out);
        let row = keys.iter().find(|row| text(row, "key_arn") == verdict["key"]).expect("the key has a row");
        assert_eq!(text(row, "state"), state, "{}", verdict["label"]);
        assert_eq!(
            text(row, "deletion_time"),
            verdict["deletion_date"].as_str().unwrap_or_default(),
            "{}",
            verdict["label"]
        );
        let changes = rows::<KeyChanges>(&judged.out);
        assert!(
            changes.iter().any(|row| text(row, "event_id") == id && text(row, "key_state") == state),
            "{changes:?}"
        );
        checked += 1;
    }
    assert_eq!(checked, 3, "PendingDeletion, Deleted and Disabled");
}

/// DOMAIN F.3: an error Disabled at some time tells the state at that time.
#[test]
fn fixtures_a_refused_use_tells_the_state() {
    let Some((records, _)) = fixtures() else { return };
    let failed: Vec<Value> =
        records.iter().filter(|record| record["eventID"] == "36b15380-6543-56a6-99fd-ba61ac57b345").cloned().collect();
    assert_eq!(failed.len(), 1);
    let keys = rows::<Keys>(&judge(&failed).out);
    assert_eq!((keys.len(), text(&keys[0], "state"), number(&keys[0], "requests")), (1, "Disabled", 0), "{keys:?}");
}

/// What one record tells by itself: owner and caller, where the key was found, the principal, the grant.
#[test]
fn fixtures_records_tell_what_the_verdicts_say() {
    let Some((records, expected)) = fixtures() else { return };
    let mut members = BTreeSet::new();
    for (id, verdict) in &expected {
        let label = &verdict["label"];
        let alone: Vec<Value> = records.iter().filter(|record| record["eventID"] == id.as_str()).cloned().collect();
        let judged = judge(&alone);
        let usage = rows::<Usage>(&judged.out);
        let row = usage.first().unwrap_or_else(|| panic!("{label}: no usage"));
        let mut hold = |member: &str, is: &str, should: &Value| {
            assert_eq!(is, should.as_str().unwrap_or_default(), "{label}: {member}");
            members.insert(member.to_owned());
        };
        for (member, should) in verdict.as_object().expect("a verdict") {
            match member.as_str() {
                "eventName" => hold(member, text(row, "event_name"), should),
                "owner" => hold(member, text(row, "key_account_id"), should),
                "caller" => hold(member, text(row, "principal_account_id"), should),
                "copy" => hold(member, text(row, "side"), should),
                "source" => hold(member, text(row, "key_arn"), should),
                "destination" => hold(member, text(row, "destination_key_arn"), should),
                "key_source" => {
                    let evidence = text(row, "key_evidence");
                    let words = [("error_message", "errorMessage"), ("request", "requestParameters")];
                    let named = words.iter().find(|(word, _)| *word == evidence).map(|(_, name)| *name);
                    hold(member, named.unwrap_or(evidence), should);
                }
                "human" => {
                    let findings = findings_of(&judged.out, id);
                    hold(member, text(&findings[0], "session_name"), should);
                }
                "principal_kind" => {
                    assert_eq!((text(row, "principal_type"), should), ("IdentityCenter", &json!("sso")), "{label}");
                }
                "grant_id" => {
                    let changes = rows::<KeyChanges>(&judged.out);
                    hold(member, text(&changes[0], "grant_id"), should);
                }
                "rotation" => {
                    let keys = rows::<Keys>(&judged.out);
                    assert_eq!((text(&keys[0], "rotation"), should), ("on", &json!("observed")), "{label}");
                }
                "outcome" => {
                    let word = if text(row, "error_reason") == "dry run" { "dry_run" } else { "failure" };
                    hold(member, word, should);
                }
                "counts_as_use" => {
                    let keys = rows::<Keys>(&judged.out);
                    assert_eq!((number(&keys[0], "requests") > 0, should), (false, &json!(false)), "{label}");
                }
                "cross_account" => {
                    assert_eq!((text(row, "side") != "local", should), (false, &json!(false)), "{label}");
                }
                // Held by the tests above, or no column: how sure the service in between is.
                "alias" | "console" | "deletion_date" | "findings" | "key" | "label" | "manager" | "mfa"
                | "mfa_age_s" | "note" | "policy" | "severity" | "state" | "state_provenance" | "tags" | "via"
                | "via_confidence" => {}
                other => panic!("{label}: nobody holds {other}"),
            }
        }
    }
    assert_eq!(members.len(), 10, "{members:?}");
}

/// DOMAIN C.1: what was taken by omission is known to be the default key once its alias is seen.
#[test]
fn fixtures_a_default_key_is_resolved_when_its_alias_is_seen() {
    let Some((records, expected)) = fixtures() else { return };
    let is_of_rds = |record: &&Value| record["eventName"] == "CreateDBInstance";
    let created = records.iter().find(is_of_rds).expect("an instance is created").clone();
    let id = created["eventID"].as_str().expect("an id").to_owned();
    assert!(expected[&id]["findings"][0].as_str().expect("a verdict").starts_with("DK-IMPLICIT"));
    let rules = |records: &[Value]| -> BTreeSet<String> {
        let rows = findings_of(&judge(records).out, &id);
        rows.iter().map(|row| text(row, "rule_id").to_owned()).collect()
    };
    assert_eq!(rules(std::slice::from_ref(&created)), BTreeSet::from(["default-key-by-omission".to_owned()]));
    let used = records.iter().find(|record| record["requestParameters"]["keyId"] == "alias/aws/secretsmanager");
    let mut used = used.expect("a use of a default key").clone();
    used["requestParameters"]["keyId"] = "alias/aws/rds".into();
    used["eventTime"] = "2026-03-09T09:00:00Z".into();
    used["resources"][0]["ARN"] = created["responseElements"]["kmsKeyId"].clone();
    assert_eq!(rules(&[used, created]), BTreeSet::from(["default-key-configured".to_owned()]));
}
