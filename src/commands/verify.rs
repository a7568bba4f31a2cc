//! `keytrail verify`: holds files, ledger and counts of an output against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::findings::Row;
use super::network::{self, Network};
use super::{Verdict, unfolded};
use crate::cli::{SummaryFormat, VerifyArgs};
use crate::lake::LakeError;
use crate::lake::entry::{Entry, FileEntry, Kind};
use crate::lake::ledger;
use crate::lake::read;
use crate::lake::schema::Table;
use crate::lake::storage::Storage;
use crate::lake::tables::configurations::Configurations;
use crate::lake::tables::findings::Findings;
use crate::lake::tables::key_changes::KeyChanges;
use crate::lake::tables::key_use::KeyUses;
use crate::lake::tables::keys::Keys;
use crate::lake::tables::objects::Objects;
use crate::lake::tables::rejects::Rejects;
use crate::lake::tables::usage::Usage;
use crate::model::object::RecordCounts;
use crate::report::escape::terminal;
use crate::report::table::{counted, grouped};

/// What was checked, and what was wrong.
#[derive(Debug, Default)]
struct Verification {
    entries: usize,
    files: usize,
    objects: usize,
    records: RecordCounts,
    usage_requests: u64,
    problems: Vec<String>,
}

pub(super) fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<Verdict> {
    let network = Network::for_places(&args.aws, [&args.output])?;
    let lake = network::existing(&args.output, network.as_ref())?;
    let lake = lake.as_ref();
    let found = verify(lake)?;
    match args.format {
        SummaryFormat::Text => {
            write_text(out, &found)?;
            unfolded::note(out, lake)?;
        }
        SummaryFormat::Json => {
            let Verification { entries, files, objects, records, usage_requests, problems } = &found;
            let value = json!({
                "entries": entries, "files": files, "objects": objects, "records": records,
                "usage_requests": usage_requests, "problems": problems,
            });
            writeln!(out, "{value}")?;
        }
    }
    Ok(if found.problems.is_empty() { Verdict::Good } else { Verdict::Bad })
}

fn verify(lake: &dyn Storage) -> Result<Verification> {
    let entries = match ledger::all(lake) {
        // What lies behind the gap is in no entry that can be read: naming all of it would hide the cause.
        Err(gap @ LakeError::Gap { .. }) => {
            return Ok(Verification { problems: vec![gap.to_string()], ..Verification::default() });
        }
        entries => entries?,
    };
    let mut found = Verification { entries: entries.len(), ..Verification::default() };
    if entries.is_empty() {
        found.problems.push("there is no ledger here: is this an output of keytrail?".to_owned());
    }
    check_files(lake, &entries, &mut found)?;
    match check_objects(lake, &entries, &mut found) {
        // A file that cannot be read is named already; without it nothing adds up.
        Err(_) if !found.problems.is_empty() => {}
        checked => checked?,
    }
    Ok(found)
}

fn check_files(lake: &dyn Storage, entries: &[Entry], found: &mut Verification) -> Result<()> {
    let committed = ledger::committed(entries);
    let mut there = BTreeSet::new();
    there.extend(rows_of::<Findings>(lake, &committed, found)?);
    there.extend(rows_of::<Usage>(lake, &committed, found)?);
    there.extend(rows_of::<KeyChanges>(lake, &committed, found)?);
    there.extend(rows_of::<Configurations>(lake, &committed, found)?);
    there.extend(rows_of::<Objects>(lake, &committed, found)?);
    there.extend(rows_of::<Rejects>(lake, &committed, found)?);
    there.extend(rows_of::<Keys>(lake, &committed, found)?);
    there.extend(rows_of::<KeyUses>(lake, &committed, found)?);
    found.files = there.len();
    let staged = lake.list("_staging")?;
    for (path, file) in committed.iter().filter(|(path, _)| !there.contains(**path)) {
        found.problems.push(if staged.contains(&file.staged) {
            format!("{path} is committed, but not published yet; the next backfill, tail or maintain does it")
        } else {
            LakeError::Missing((*path).to_owned()).to_string()
        });
    }
    Ok(())
}

/// Reads every file of a table and compares its rows and size with the ledger's.
fn rows_of<T: Table>(
    lake: &dyn Storage,
    committed: &BTreeMap<&str, &FileEntry>,
    found: &mut Verification,
) -> Result<Vec<String>> {
    let paths: Vec<String> = read::files::<T>(lake)?.into_values().flatten().collect();
    for path in &paths {
        let (rows, bytes) = match read::rows::<T>(lake, path, read::Columns::All) {
            Ok(None) => continue,
            Ok(Some(rows)) => (rows.batches().map(|batch| batch.len() as u64).sum::<u64>(), rows.bytes()),
            Err(error) => {
                found.problems.push(error.to_string());
                continue;
            }
        };
        match committed.get(path.as_str()) {
            None => found.problems.push(format!("{path} is in no entry of the ledger")),
            Some(file) if (file.rows, file.bytes) != (rows, bytes) => {
                let shown = |rows, bytes| format!("{} in {}", counted(rows, "row"), counted(bytes, "byte"));
                let (there, expected) = (shown(rows, bytes), shown(file.rows, file.bytes));
                found.problems.push(format!("{path} has {there}, its ledger entry says {expected}"));
            }
            Some(_) => {}
        }
    }
    Ok(paths)
}

/// Every object has one entry, its records one outcome, and what was analysed is what usage counts.
fn check_objects(lake: &dyn Storage, entries: &[Entry], found: &mut Verification) -> Result<()> {
    let mut done = BTreeSet::new();
    for object in entries.iter().filter(|entry| entry.kind == Kind::Batch).flat_map(|entry| &entry.objects) {
        found.objects += 1;
        found.records.add(&object.records);
        if object.status != crate::model::object::ObjectStatus::Failed && !done.insert(&object.uri) {
            found.problems.push(format!("{} is committed twice", object.uri));
        }
    }
    let number = |row: &Row, column: &str| row.get(column).and_then(Value::as_u64).unwrap_or_default();
    let mut rows = RecordCounts::default();
    let mut objects = 0_usize;
    read::records::<Objects>(lake, |row| {
        objects += 1;
        rows.add(&RecordCounts {
            analysed: number(row, "records_analysed"),
            not_relevant: number(row, "records_not_relevant"),
            other_kind: number(row, "records_other_kind"),
            duplicate: number(row, "records_duplicate"),
            malformed: number(row, "records_malformed"),
        });
        false
    })?;
    read::records::<Usage>(lake, |row| {
        found.usage_requests += number(row, "requests");
        false
    })?;
    let pruned = pruned_objects(entries);
    // Of rows that were removed only their number is known.
    if objects as u64 + pruned != found.objects as u64 || (pruned == 0 && rows != found.records) {
        found.problems.push("the table objects and the ledger count different records".to_owned());
    }
    if found.usage_requests != found.records.analysed {
        let usage = counted(found.usage_requests, "request");
        let analysed = counted(found.records.analysed, "analysed record");
        found.problems.push(format!("usage counts {usage}, the ledger {analysed}"));
    }
    Ok(())
}

/// Rows of `objects` that a setting has removed.
fn pruned_objects(entries: &[Entry]) -> u64 {
    let (mut rows, mut pruned) = (BTreeMap::new(), 0);
    for entry in entries {
        if entry.kind == Kind::Pruning {
            pruned += entry.removes.iter().filter_map(|path| rows.get(path.as_str())).sum::<u64>();
        }
        let objects = entry.files.iter().filter(|file| file.table == Objects::NAME);
        rows.extend(objects.map(|file| (file.path.as_str(), file.rows)));
    }
    pruned
}

fn write_text(out: &mut dyn Write, found: &Verification) -> Result<()> {
    writeln!(
        out,
        "{}, {}, {}, {} ({} analysed), {} in usage",
        counted(found.entries as u64, "entry"),
        counted(found.files as u64, "file"),
        counted(found.objects as u64, "object"),
        counted(found.records.total(), "record"),
        grouped(found.records.analysed),
        counted(found.usage_requests, "request")
    )?;
    for problem in &found.problems {
        writeln!(out, "PROBLEM  {}", terminal(problem))?;
    }
    let verdict = if found.problems.is_empty() {
        "all holds"
    } else {
        "something does not hold; if another process writes here at this moment, verify again when it is done"
    };
    writeln!(out, "{verdict}")?;
    Ok(())
}
