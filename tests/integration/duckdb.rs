//! DuckDB reads the tables and counts what Python counts in the log files by itself.

use std::process::{Command, Output};

use serde_json::Value;

use crate::python;
use crate::support::{backfill, samples, temp_dir, write};

const DUCKDB: &str = "duckdb==1.5.5";

/// Counts with the standard library what the tables must say, and asks `DuckDB` what they say.
const SCRIPT: &str = r#"
import glob, gzip, json, re, sys
import duckdb

logs, out = sys.argv[1:3]
files = sorted(glob.glob(logs + "/**/*.gz", recursive=True))
records = [r for f in files for r in json.load(gzip.open(f)).get("Records", [])]
api = [r for r in records if r.get("eventType") != "AwsVpceEvent" and r.get("eventCategory") in (None, "Management", "Data")]
kms = {r["eventID"]: r for r in api if r["eventSource"] == "kms.amazonaws.com"}

def cross_account(r):
    arns = [x["ARN"] for x in r.get("resources") or [] if x.get("type") == "AWS::KMS::Key"]
    # Of a refused call only the message names the key.
    arns += re.findall(r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+", r.get("errorMessage") or "")
    owner = arns[0].split(":")[4] if arns else None
    caller = r["userIdentity"].get("accountId")
    return owner is not None and caller is not None and owner != caller

shared = {}
for r in kms.values():
    if "sharedEventID" in r and cross_account(r):
        shared.setdefault(r["sharedEventID"], set()).add(r["recipientAccountId"])
trails = {r["recipientAccountId"] for r in api}

db = duckdb.connect()
def table(name, partitioned=True):
    path = f"{out}/{name}/**/*.parquet" if partitioned else f"{out}/{name}/*.parquet"
    db.execute(f"create view {name} as select * from read_parquet('{path}', hive_partitioning={str(partitioned).lower()}, union_by_name=true)")
for name in ("findings", "usage", "key_changes", "objects"):
    table(name)
for name in ("keys", "key_use"):
    table(name, False)

def one(sql, *values):
    return db.execute(sql, values).fetchone()[0]
def types(name):
    return {row[0]: row[1] for row in db.execute(f"describe {name}").fetchall()}
def rows(sql):
    return db.execute(sql).fetchall()

once = "side <> 'caller' or key_account_id is null or key_account_id not in (select distinct account_id from usage)"
print(json.dumps({
    "files": len(files),
    "objects": one("select count(*) from objects"),
    "distinct_objects": one("select count(distinct key) from objects"),
    "kms_expected": len(kms),
    "kms": one("select sum(requests) from usage where event_source = 'kms.amazonaws.com'"),
    "by_operation_expected": sorted([n, sum(r["eventName"] == n for r in kms.values())] for n in {r["eventName"] for r in kms.values()}),
    "by_operation": [list(map(lambda v: int(v) if not isinstance(v, str) else v, r)) for r in rows("select event_name, sum(requests) from usage where event_source = 'kms.amazonaws.com' group by 1 order by 1")],
    "errors_expected": sum("errorCode" in r for r in kms.values()),
    "errors": one("select sum(requests) from usage where event_source = 'kms.amazonaws.com' and error_code is not null"),
    "first_expected": min(r["eventTime"] for r in kms.values()).replace("Z", "").replace("T", " "),
    "first": str(one("select min(first_event_time) from usage where event_source = 'kms.amazonaws.com'")),
    "samples_unknown": one("select count(*) from usage where event_source = 'kms.amazonaws.com' and sample_event_id not in (select unnest(?))", list(kms)),
    "usage_types": types("usage"), "finding_types": types("findings"), "key_types": types("keys"),
    "wrong_dates": one("select count(*) from usage where cast(hour as date) <> date") + one("select count(*) from findings where cast(event_time as date) <> date"),
    "dates": [str(r[0]) for r in rows("select distinct date from usage order by 1")],
    "wrong_hours": one("select count(*) from usage where hour <> date_trunc('hour', first_event_time) or first_event_time > last_event_time or date_trunc('hour', last_event_time) <> hour"),
    "severities": sorted(r[0] for r in rows("select distinct severity || severity_rank from findings")),
    "findings": one("select count(*) from findings"),
    "nameless_findings": one("select count(*) from findings where finding_id is null or rule_id is null or title is null or message is null or event_time is null"),
    "mitre": one("select count(*) from findings where list_contains(mitre, 'T1485')"),
    "two_copies_expected": sum(len(a) == 2 for a in shared.values()),
    "owner_copies": one("select sum(requests) from usage where side = 'owner' and principal_account_id in (select unnest(?)) ", sorted(trails)),
    "cross_expected": len(shared) + sum(cross_account(r) for r in kms.values() if "sharedEventID" not in r),
    "cross_rows": one("select sum(requests) from usage where event_source = 'kms.amazonaws.com' and side <> 'local'"),
    "cross": one(f"select sum(requests) from usage where event_source = 'kms.amazonaws.com' and side <> 'local' and ({once})"),
    "keys": one("select count(*) from keys"),
    "keys_distinct": one("select count(distinct key_arn) from keys"),
    "orphans": one("select count(*) from key_use where key_arn not in (select key_arn from keys)"),
    "changes": one("select count(*) from key_changes where change = 'ScheduleKeyDeletion' and outcome = 'success'"),
    "changes_expected": sum(r["eventName"] == "ScheduleKeyDeletion" and "errorCode" not in r for r in kms.values()),
}))
"#;

#[track_caller]
fn run(command: &mut Command, needed: &str) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("this test needs {needed}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test needs {needed}; {command:?} said:\n{said}");
    output
}

#[test]
fn duckdb_counts_what_python_counts() {
    let python = python::with("duckdb-venv", &[DUCKDB]).unwrap_or_else(|reason| panic!("{reason}"));
    let folder = temp_dir();
    let out = folder.path().join("out");
    // Several files of each table, so that partial counts and globs are what they are in real life.
    backfill(&[&samples()], &out, &["--batch-objects", "25"]).ends_with(0);
    let script = folder.path().join("ask.py");
    write(&script, SCRIPT.as_bytes());
    let output = run(Command::new(python).arg(&script).arg(samples()).arg(&out), "DuckDB to read the tables");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_counts(&said);
    assert_types(&said);
    assert_findings(&said);
    assert_counted_once(&said);
}

#[track_caller]
fn assert_equal(said: &Value, a: &str, b: &str) {
    assert!(!said[a].is_null() && said[a] == said[b], "{a} is {}, {b} is {}", said[a], said[b]);
}

fn assert_counts(said: &Value) {
    assert_eq!(said["files"], 109);
    assert_equal(said, "objects", "files");
    assert_equal(said, "distinct_objects", "files");
    // samples/README.md: of 5,374 distinct events 1,098 are of KMS.
    assert_eq!(said["kms_expected"], 1_098);
    assert_equal(said, "kms", "kms_expected");
    assert_equal(said, "by_operation", "by_operation_expected");
    assert_equal(said, "errors", "errors_expected");
    assert_equal(said, "first", "first_expected");
    assert_equal(said, "changes", "changes_expected");
    assert_equal(said, "keys", "keys_distinct");
    for none in ["samples_unknown", "wrong_dates", "wrong_hours", "orphans", "nameless_findings"] {
        assert_eq!(said[none], 0, "{none}");
    }
    assert_eq!(said["dates"], serde_json::json!(["2026-03-02", "2026-03-03"]));
}

fn assert_types(said: &Value) {
    for (table, columns) in [
        ("usage_types", &["hour", "first_event_time", "last_event_time"][..]),
        ("finding_types", &["event_time", "last_event_time"]),
        ("key_types", &["state_time", "deletion_time", "last_use_time", "created_time"]),
    ] {
        for column in columns {
            let kind = said[table][column].as_str().unwrap_or_default();
            assert!(kind.starts_with("TIMESTAMP"), "{table}.{column} is {kind:?}");
        }
    }
    assert_eq!(said["usage_types"]["requests"], "BIGINT");
    assert_eq!(said["usage_types"]["date"], "DATE");
    assert_eq!(said["finding_types"]["mitre"], "VARCHAR[]");
    assert_eq!(said["finding_types"]["mfa_authenticated"], "BOOLEAN");
    assert_eq!(said["key_types"]["aliases"], "VARCHAR[]");
}

fn assert_findings(said: &Value) {
    let severities: Vec<&str> =
        said["severities"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(severities.len() >= 4, "{severities:?}");
    for severity in severities {
        assert!(["critical4", "high3", "medium2", "low1", "info0"].contains(&severity), "{severity}");
    }
    assert!(said["findings"].as_u64() > Some(30) && said["mitre"].as_u64() > Some(0), "{said}");
}

/// A cross-account call has two copies, and is one call.
fn assert_counted_once(said: &Value) {
    assert!(said["two_copies_expected"].as_u64() > Some(5), "{said}");
    assert_equal(said, "owner_copies", "two_copies_expected");
    assert!(said["cross_rows"].as_u64() > said["cross"].as_u64(), "nothing was left out: {said}");
    assert_equal(said, "cross", "cross_expected");
}
