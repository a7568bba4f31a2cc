//! The sample logs and the domain's fixtures, through the binary: what an operator sees.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};

use keytrail::lake::tables::findings::Findings;
use keytrail::lake::tables::keys::Keys;
use keytrail::lake::tables::objects::Objects;
use keytrail::lake::tables::usage::Usage;

use crate::support::{
    assert_holds, backfill, files_below, key, keytrail, kms_record, log, number, on, rows, samples, tables, temp_dir,
    text, write,
};

struct Sampled {
    _folder: tempfile::TempDir,
    out: PathBuf,
    summary: Value,
}

static SAMPLED: LazyLock<Sampled> = LazyLock::new(|| {
    let folder = temp_dir();
    let out = folder.path().join("out");
    let summary = backfill(&[&samples()], &out, &[]).ends_with(0).json();
    Sampled { _folder: folder, out, summary }
});

fn out() -> &'static Path {
    &SAMPLED.out
}

fn sum(counts: &Value, names: &[&str]) -> u64 {
    names.iter().map(|name| counts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counts}"))).sum()
}

#[test]
fn the_summary_adds_up() {
    let summary = &SAMPLED.summary;
    let files =
        files_below(&samples()).iter().filter(|path| path.extension().is_some_and(|e| e == "gz")).count() as u64;
    assert_eq!(files, 109);
    let objects = &summary["objects"];
    assert_eq!(objects["found"].as_u64(), Some(files));
    assert_eq!(sum(objects, &["done", "skipped"]), files, "{summary}");
    assert_eq!(sum(objects, &["failed", "already_done"]), 0, "{summary}");
    let records = &summary["records"];
    // 5,448 records of calls, 2 of Insights and 2 of network activity (samples/README.md).
    assert_eq!(sum(records, &["analysed", "not_relevant", "other_kind", "duplicate", "malformed"]), 5_452, "{summary}");
    assert_eq!((sum(records, &["malformed"]), sum(records, &["other_kind"])), (0, 4), "{summary}");
    let findings = rows::<Findings>(out());
    assert_eq!(sum(&summary["findings"], &["critical", "high", "medium", "low", "info"]), findings.len() as u64);
    for severity in ["critical", "high", "medium", "low", "info"] {
        let count = findings.iter().filter(|row| text(row, "severity") == severity).count() as u64;
        assert_eq!(sum(&summary["findings"], &[severity]), count, "{severity}");
    }
    assert_eq!(summary["keys"].as_u64(), Some(rows::<Keys>(out()).len() as u64));
    assert_eq!(summary["failures"], json!([]));
}

#[test]
fn every_file_has_a_row_and_every_record_one_outcome() {
    let objects = rows::<Objects>(out());
    let named: BTreeSet<&str> = objects.iter().map(|row| text(row, "key")).collect();
    let files: BTreeSet<String> = files_below(&samples())
        .iter()
        .map(|path| path.canonicalize().expect("a file").to_string_lossy().into_owned())
        .collect();
    assert_eq!(named, files.iter().map(String::as_str).collect());
    assert_eq!(objects.len(), files.len());
    let total = |column: &str| objects.iter().map(|row| number(row, column)).sum::<i64>();
    assert_eq!(Some(total("records_analysed")), SAMPLED.summary["records"]["analysed"].as_i64());
    assert_eq!(total("records_analysed"), rows::<Usage>(out()).iter().map(|row| number(row, "requests")).sum::<i64>());
    for row in &objects {
        let skipped = row["key"].as_str().is_some_and(|key| key.contains("CloudTrail-"));
        assert_eq!(text(row, "status"), if skipped { "skipped" } else { "done" }, "{row:?}");
    }
}

#[test]
fn all_families_are_found_and_all_holds() {
    let findings = rows::<Findings>(out());
    let families: BTreeSet<&str> = findings.iter().map(|row| text(row, "family")).collect();
    assert_eq!(
        families,
        BTreeSet::from([
            "critical-action",
            "cross-account",
            "default-key",
            "enclave",
            "encryption-context",
            "encryption-weakened",
            "key-policy",
            "trail",
        ])
    );
    let verified = assert_holds(out());
    assert_eq!(verified["usage_requests"], SAMPLED.summary["records"]["analysed"]);
    let said = on("verify", out(), &[]).ends_with(0).stdout;
    assert!(said.contains("all holds"), "{said}");
}

/// Turning points of the story in samples/README.md.
#[test]
fn the_story_is_told() {
    let findings = rows::<Findings>(out());
    let has = |rule: &str, time: &str, severity: &str| {
        findings.iter().any(|row| {
            text(row, "rule_id") == rule
                && text(row, "event_time").starts_with(time)
                && text(row, "severity") == severity
        })
    };
    for (rule, time, severity) in [
        ("schedule-key-deletion", "2026-03-02T09:00", "critical"),
        ("delete-key", "2026-03-03T01:30", "critical"),
        ("put-key-policy", "2026-03-03T02:16", "critical"),
        ("create-grant", "2026-03-03T02:17", "critical"),
        ("reencrypt-to-foreign-key", "2026-03-03T02:24", "high"),
        // Who lets the night happen, and what is lost by daylight.
        ("iam-policy-all-keys", "2026-03-02T09:34", "medium"),
        ("policy-foreign-account", "2026-03-02T09:37", "medium"),
        ("enclave-debug-mode", "2026-03-02T13:08", "high"),
        ("default-key-by-omission", "2026-03-02T16:09", "medium"),
        ("bucket-encryption-removed", "2026-03-02T17:34", "medium"),
        ("own-key-given-up", "2026-03-03T12:08", "medium"),
        ("default-key-possible", "2026-03-03T16:07", "info"),
        // The night.
        ("trail-stopped", "2026-03-03T02:12", "medium"),
        ("trail-excludes-kms", "2026-03-03T02:13", "critical"),
        ("policy-guard-removed", "2026-03-03T02:16", "medium"),
        ("grant-foreign-account", "2026-03-03T02:17", "critical"),
        ("key-shared-by-ram", "2026-03-03T02:19", "critical"),
        ("resource-under-foreign-key", "2026-03-03T02:22", "high"),
        ("resource-under-foreign-key", "2026-03-03T02:25", "high"),
        ("object-under-client-key", "2026-03-03T02:28", "high"),
    ] {
        let all: Vec<_> = findings.iter().filter(|row| text(row, "rule_id") == rule).collect();
        assert!(has(rule, time, severity), "{rule} at {time} is not {severity}: {all:#?}");
    }
    for rule in [
        "default-key-use",
        "default-key-configured",
        "cross-account-inbound",
        "cross-account-denied",
        "context-secret-in-value",
    ] {
        assert!(findings.iter().any(|row| text(row, "rule_id") == rule), "no finding of {rule}");
    }
    let ids: Vec<&str> =
        findings.iter().filter(|row| text(row, "rule_id") == "disable-key").map(|row| text(row, "outcome")).collect();
    assert_eq!(ids, ["success"], "Priya disables the gift-card key once");
    let secret = findings.iter().filter(|row| text(row, "rule_id") == "context-secret-in-value");
    for row in secret {
        assert!(!Value::Object(row.clone()).to_string().contains("AKIA"), "a secret is repeated: {row:?}");
    }
}

/// Beside each of these the samples have the same done well, or put right.
#[test]
fn ordinary_life_is_quiet() {
    let findings = rows::<Findings>(out());
    let of = |rule: &str| findings.iter().filter(|row| text(row, "rule_id") == rule).collect::<Vec<_>>();
    // Maya puts KMS back into the trail and the Deny into the policy; an attested enclave works on.
    for rule in ["trail-excludes-kms", "trail-stopped", "policy-guard-removed", "enclave-debug-mode"] {
        assert_eq!(of(rule).len(), 1, "{rule}: {:#?}", of(rule));
    }
    // A policy for one key, by the same pipeline and a minute before.
    let policies: Vec<&str> = of("iam-policy-all-keys").iter().map(|row| text(row, "resource_arn")).collect();
    assert_eq!(policies, ["batch-power-user"]);
    // The report job's account has a trail here.
    let let_in = of("policy-foreign-account");
    assert!(let_in.iter().all(|row| !text(row, "message").contains("444455556666")), "{let_in:#?}");
    // What names a key of one's own.
    for made in ["wishlists", "wishlist-mail", "orders-3", "shop/tax", "vol-0894f908458cca170"] {
        let about: Vec<_> = findings.iter().filter(|row| text(row, "resource_arn").ends_with(made)).collect();
        assert!(about.is_empty(), "{made}: {about:#?}");
    }
}

#[test]
fn a_default_key_that_was_replaced_is_closed() {
    let findings = rows::<Findings>(out());
    let closed: Vec<_> = findings.iter().filter(|row| text(row, "message").contains("; closed: ")).collect();
    assert_eq!(closed.len(), 1, "{closed:#?}");
    assert_eq!(text(closed[0], "rule_id"), "default-key-by-omission");
    assert_eq!(text(closed[0], "severity"), "info");
    assert!(text(closed[0], "resource_arn").contains("secret:shop/returns-"), "{closed:#?}");
    assert!(text(closed[0], "message").contains("alias/larkspur/secrets"), "{closed:#?}");
}

#[test]
fn a_second_run_has_nothing_to_do() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    backfill(&[&samples()], &out, &[]).ends_with(0);
    let before = tables(&out);
    let files = |out: &Path| {
        files_below(out)
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
            .collect::<Vec<_>>()
    };
    let bytes_before = files(&out);
    let summary = backfill(&[&samples()], &out, &[]).ends_with(0).json();
    assert_eq!(
        summary["objects"],
        json!({ "found": 109, "already_done": 109, "done": 0, "skipped": 0, "failed": 0, "left": 0 })
    );
    assert_eq!(sum(&summary["records"], &["analysed", "not_relevant", "other_kind", "duplicate", "malformed"]), 0);
    assert_eq!(sum(&summary, &["rows_written", "commits"]), 0);
    before.assert_full();
    before.assert_same(&tables(&out), "second run");
    assert!(bytes_before == files(&out), "a run with nothing to do changed files");
}

#[test]
fn findings_are_listed_worst_first_and_filtered() {
    let all =
        on("findings", out(), &["--severity", "info", "--limit", "0", "--format", "json"]).ends_with(0).json_lines();
    let distinct: BTreeSet<_> = rows::<Findings>(out()).iter().map(|row| text(row, "finding_id").to_owned()).collect();
    assert_eq!(all.len(), distinct.len());
    assert!(all.is_sorted_by_key(|row| -row["severity_rank"].as_i64().expect("a rank")));
    let deletions =
        on("findings", out(), &["--rule", "schedule-key-deletion", "--severity", "critical", "--format", "json"])
            .json_lines();
    assert_eq!(deletions.len(), 1, "{deletions:?}");
    assert!(
        deletions[0]["message"]
            .as_str()
            .is_some_and(|m| m.contains("waiting period 7 days") && m.contains("without MFA"))
    );
    let said = on("findings", out(), &["--severity", "critical"]).ends_with(0).stdout;
    assert!(
        said.starts_with("CRITICAL") && said.contains("schedule-key-deletion") && !said.contains("\nLOW"),
        "{said}"
    );
    let csv = on("findings", out(), &["--limit", "1", "--format", "csv"]).ends_with(0).stdout;
    assert!(csv.starts_with("finding_id,rule_id,"), "{csv}");
    assert!(on("findings", out(), &["--severity", "grave"]).ends_with(2).stderr.contains("critical"));
}

#[test]
fn keys_and_the_story_of_one() {
    let keys = on("keys", out(), &["--format", "json"]).ends_with(0).json_lines();
    assert_eq!(keys.len(), rows::<Keys>(out()).len());
    let deleted =
        keys.iter().find(|key| key["key_id"] == "ec077ad4-aec7-44b1-a8b4-406c0190f12c").expect("the 2019 archive key");
    assert_eq!(deleted["state"], "Deleted");
    let said = on("keys", out(), &[]).ends_with(0).stdout;
    assert!(
        said.starts_with("ACCOUNT") && said.contains("alias/larkspur/checkout") && said.contains("Deleted"),
        "{said}"
    );
    // The newsletter key: by id, by ARN.
    let id = "5108d45a-3a0b-4176-82fd-502cdbf880d8";
    let story = on("keys", out(), &[id]).ends_with(0).stdout;
    for part in [
        "WHAT WAS DONE TO IT",
        "ScheduleKeyDeletion",
        "CancelKeyDeletion",
        "EnableKey",
        "WHO USES IT",
        "NewsletterWorker",
        "FINDINGS",
        "schedule-key-deletion",
    ] {
        assert!(story.contains(part), "no {part} in\n{story}");
    }
    let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
    assert_eq!(on("keys", out(), &[&arn]).ends_with(0).stdout, story);
    assert_eq!(on("keys", out(), &[id, "--format", "json"]).ends_with(0).json()["state"], "Enabled");
    // Where services did all that was done, it says so.
    let story = on("keys", out(), &["27c059b8-6d14-4590-8f22-4e163df5316f"]).ends_with(0).stdout;
    assert!(story.contains("nothing but 14 acts on grants that services made or ended"), "{story}");
    assert!(on("keys", out(), &["no-such-key"]).ends_with(1).said().contains("no key no-such-key"));
}

#[test]
fn the_catalogue_and_a_page() {
    let all = keytrail(["rules", "--format", "json"]).ends_with(0).json();
    let all = all.as_array().expect("a list");
    let said = keytrail(["rules"]).ends_with(0).stdout;
    assert!(all.len() > 30, "{}", all.len());
    for rule in all {
        let id = rule["id"].as_str().expect("an id");
        assert!(said.contains(id) && said.contains(rule["title"].as_str().expect("a title")), "{id}");
    }
    let page = keytrail(["rules", "schedule-key-deletion"]).ends_with(0).stdout;
    for heading in ["What it sees", "Why it matters", "When it is harmless", "What to do", "References"] {
        assert!(page.to_lowercase().contains(&heading.to_lowercase()), "no {heading} in\n{page}");
    }
    assert_eq!(
        keytrail(["rules", "schedule-key-deletion", "--format", "json"]).ends_with(0).json()["family"],
        "critical-action"
    );
    assert!(keytrail(["rules", "no-such-rule"]).ends_with(1).stderr.contains("no-such-rule"));
}

/// Names are chosen by whoever makes the calls: none of them may reach the terminal as it is.
#[test]
fn escape_sequences_in_names_are_shown_not_obeyed() {
    const ESCAPES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}";
    let folder = temp_dir();
    let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
    let arn = key("111122223333", 1);
    let mut records = Vec::new();
    for (at, name) in ["UpdateAlias", "ScheduleKeyDeletion", "CreateGrant", "Decrypt", "TagResource"].iter().enumerate()
    {
        let mut record =
            kms_record(name, &arn, "111122223333", "111122223333", "2026-03-02T10:00:00Z", &format!("id{at}"));
        let role = format!("arn:aws:iam::111122223333:role/evil{ESCAPES}");
        record["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] = role.into();
        record["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] = format!("evil{ESCAPES}").into();
        record["userIdentity"]["arn"] =
            format!("arn:aws:sts::111122223333:assumed-role/evil{ESCAPES}/s{ESCAPES}").into();
        record["userAgent"] = format!("agent{ESCAPES}").into();
        record["requestParameters"] = json!({
            "keyId": arn, "targetKeyId": arn, "aliasName": format!("alias/evil{ESCAPES}"), "encryptionContext": { format!("k{ESCAPES}"): format!("v{ESCAPES}") },
            "granteePrincipal": format!("arn:aws:iam::555555555555:role/{ESCAPES}"), "operations": [format!("Decrypt{ESCAPES}")],
            "tags": [{ "tagKey": format!("t{ESCAPES}"), "tagValue": ESCAPES }], "pendingWindowInDays": 7,
        });
        records.push(record);
    }
    write(&root.join("evil.json"), &log(&records));
    backfill(&[&root], &out, &[]).ends_with(0);
    let stored = rows::<Findings>(&out)
        .iter()
        .chain(&rows::<Keys>(&out))
        .any(|row| Value::Object(row.clone()).to_string().contains("evil"));
    assert!(stored, "nothing of the names was kept: the test would see nothing");
    let alias = format!("alias/evil{ESCAPES}");
    let (mut shown, mut raw) = (0, Vec::new());
    for (what, run) in [
        ("findings", on("findings", &out, &["--severity", "info"])),
        ("findings json", on("findings", &out, &["--severity", "info", "--format", "json"])),
        ("findings csv", on("findings", &out, &["--severity", "info", "--format", "csv"])),
        ("keys", on("keys", &out, &[])),
        ("keys KEY", on("keys", &out, &[&arn])),
        ("keys ALIAS", on("keys", &out, &[&alias])),
        ("keys json", on("keys", &out, &["--format", "json"])),
        ("keys csv", on("keys", &out, &["--format", "csv"])),
        ("keys ESC", on("keys", &out, &["\u{1b}[2J"])),
        ("rules ESC", on("rules", Path::new("\u{1b}[2J"), &[])),
        ("verify", on("verify", &out, &[])),
    ] {
        let said = run.said();
        shown += usize::from(said.contains("evil"));
        let harmful = said.chars().find(|c| c.is_control() && *c != '\n');
        raw.extend(harmful.map(|c| format!("{what}: {c:?}")));
    }
    assert!(raw.is_empty(), "control characters were written as they are: {raw:#?}");
    assert!(shown >= 6, "only {shown} of the outputs show the name at all");
}
