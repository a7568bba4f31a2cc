//! Folds a lake: reads committed tables day by day, runs the usage rules, commits snapshots and
//! findings. The same committed rows and settings give the same result, however often it runs.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;

use crate::fold::Fold;
use crate::lake::ledger;
use crate::lake::read::{self, Batch, Columns};
use crate::lake::schema::{Table, path};
use crate::lake::storage::Storage;
use crate::lake::tables::findings::Findings;
use crate::lake::tables::key_changes::KeyChanges;
use crate::lake::tables::key_use::KeyUses;
use crate::lake::tables::keys::Keys;
use crate::lake::tables::usage::Usage;
use crate::lake::{FoldFiles, Lake, LakeError, parquet};
use crate::model::finding::Finding;
use crate::model::history::History;
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;
use crate::rules::{self, Check, Day, settings::Settings};

/// What a fold came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Keys known.
    pub keys: usize,
    /// Rows of `key_use`.
    pub key_uses: usize,
    /// Findings of usage rules by severity, mildest first.
    pub findings: [u64; Severity::ALL.len()],
    /// Accounts that counted as own.
    pub own_accounts: Vec<String>,
}

/// Folds all that is committed; `None` if nothing has changed since the last fold.
///
/// # Errors
/// If tables cannot be read or written, or another process folds for too long.
pub fn fold(lake: &mut Lake, settings: &Settings, inventory: &[KeyRecord]) -> Result<Option<Folded>, LakeError> {
    let identity = identity(settings, inventory);
    let lock = lake.fold_lock()?;
    lake.refresh()?;
    if lake.ledger().is_folded(&identity) {
        return Ok(None);
    }
    let through = lake.ledger().through();
    let storage = lake.storage();
    // What the ledger names, not what a listing shows: another writer may be about to publish.
    let entries = ledger::through(storage, through)?;
    let usage = read::committed_files::<Usage>(storage, &entries)?;
    let changes = read::committed_files::<KeyChanges>(storage, &entries)?;
    let mut fold = Fold::new(history(storage, &usage, settings)?);
    inventory.iter().for_each(|key| fold.inventory(key));
    learn_aliases(storage, changes.values().flatten(), &mut fold)?;
    let mut files = Vec::new();
    let mut folded = Folded::default();
    let dates: BTreeSet<&String> = usage.keys().chain(changes.keys()).collect();
    let mut findings: BTreeMap<i64, Vec<Finding>> = BTreeMap::new();
    for date in dates {
        let Some(day) = Seconds::parse_date(date).map(Seconds::day) else { continue };
        let changes = key_changes(storage, &changes, date)?;
        for finding in usage_day(storage, usage.get(date), |rows| {
            fold.day(day, &changes, rows);
            usage_rules(&Day { day, rows, history: fold.history() }, settings)
        })? {
            findings.entry(finding.event_time.day()).or_default().push(finding);
        }
    }
    for (day, mut of_day) in findings {
        of_day.iter().for_each(|finding| folded.findings[finding.severity as usize] += 1);
        of_day.sort_unstable_by(|a, b| {
            (&a.subject.key_arn, a.event_time, &a.finding_id).cmp(&(&b.subject.key_arn, b.event_time, &b.finding_id))
        });
        let rows: Vec<_> = of_day.iter().collect();
        files.push(file::<Findings>(Some(day), "fold", &rows)?);
    }
    folded.own_accounts = fold.history().own.iter().cloned().collect();
    let (keys, uses) = fold.finish();
    let uses = uses.rows();
    (folded.keys, folded.key_uses) = (keys.len(), uses.len());
    files.push(file::<Keys>(None, "keys", &keys.iter().collect::<Vec<_>>())?);
    files.push(file::<KeyUses>(None, "key_use", &uses)?);
    lake.commit_fold(FoldFiles { files, through, settings: identity })?;
    drop(lock);
    Ok(Some(folded))
}

/// Which alias stands for which key, of all days: rules ask it of the first day on.
fn learn_aliases<'f>(
    storage: &dyn Storage,
    files: impl Iterator<Item = &'f String>,
    fold: &mut Fold,
) -> Result<(), LakeError> {
    for file in files {
        let columns = Columns::These(&["change", "outcome", "key_arn", "alias"]);
        let Some(rows) = read::rows::<KeyChanges>(storage, file, columns)? else { continue };
        for batch in rows.batches() {
            let (change, outcome) = (batch.text("change")?, batch.text("outcome")?);
            let (key, alias) = (batch.text("key_arn")?, batch.text("alias")?);
            for row in (0..batch.len()).filter(|row| outcome.at(*row) == "success" && change.at(*row) != "DeleteAlias")
            {
                fold.learn_alias(key.at(row), alias.at(row));
            }
        }
    }
    Ok(())
}

/// Settings and inventory, so that a change of either makes the next run fold again.
fn identity(settings: &Settings, inventory: &[KeyRecord]) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(format!("{settings:?}{inventory:?}").as_bytes()))
}

fn file<T: Table>(
    day: Option<i64>,
    name: &str,
    rows: &[T::Row<'_>],
) -> Result<(&'static str, String, usize, Vec<u8>), LakeError> {
    Ok((T::NAME, path::<T>(day, name), rows.len(), parquet::write::<T>(rows)?))
}

/// What must be known before the first day: in whose trails there are records, and so who is own.
fn history(
    storage: &dyn Storage,
    usage: &BTreeMap<String, Vec<String>>,
    settings: &Settings,
) -> Result<History, LakeError> {
    let mut trails = BTreeSet::new();
    for file in usage.values().flatten() {
        let Some(rows) = read::rows::<Usage>(storage, file, Columns::These(&["account_id"]))? else { continue };
        for batch in rows.batches() {
            let accounts = batch.text("account_id")?;
            let distinct: BTreeSet<&str> = (0..batch.len()).map(|row| accounts.at(row)).collect();
            trails.extend(distinct.into_iter().filter(|account| !account.is_empty()).map(str::to_owned));
        }
    }
    let configured = &settings.accounts.own;
    let own = if configured.is_empty() { trails.clone() } else { configured.clone() };
    Ok(History::new(own, trails))
}

fn usage_rules(day: &Day<'_>, settings: &Settings) -> Vec<Finding> {
    rules::all()
        .filter_map(|rule| if let Check::Usage(check) = &rule.check { Some((rule, check)) } else { None })
        .flat_map(|(rule, check)| check(day, settings).into_iter().filter_map(|draft| draft.finish(rule, settings, "")))
        .collect()
}

/// Reads a day's usage and hands all rows of it over at once.
fn usage_day<R: Default>(
    storage: &dyn Storage,
    files: Option<&Vec<String>>,
    with: impl FnOnce(&[UsageRow<'_>]) -> R,
) -> Result<R, LakeError> {
    let mut read = Vec::new();
    for file in files.into_iter().flatten() {
        read.extend(read::rows::<Usage>(storage, file, Columns::All)?);
    }
    let mut rows = Vec::new();
    for batch in read.iter().flat_map(read::Rows::batches) {
        usage_rows(batch, &mut rows)?;
    }
    Ok(with(&rows))
}

fn usage_rows<'b>(batch: Batch<'b>, rows: &mut Vec<UsageRow<'b>>) -> Result<(), LakeError> {
    let text = |name| batch.text(name);
    let (source, name, class) = (text("event_source")?, text("event_name")?, text("operation_class")?);
    let (account, region, side) = (text("account_id")?, text("region")?, text("side")?);
    let (key, key_ref, destination) = (text("key_arn")?, text("key_ref")?, text("destination_key_arn")?);
    let (principal, kind) = (text("principal_arn")?, text("principal_type")?);
    let (principal_account, via) = (text("principal_account_id")?, text("via_service")?);
    let (pattern, error, sample) = (text("context_pattern")?, text("error_code")?, text("sample_event_id")?);
    let (hour, first, last) = (batch.times("hour")?, batch.times("first_event_time")?, batch.times("last_event_time")?);
    let requests = batch.integers("requests")?;
    rows.reserve(batch.len());
    for row in 0..batch.len() {
        rows.push(UsageRow {
            hour: hour.at(row).unwrap_or_default(),
            event_source: source.at(row),
            event_name: name.at(row),
            operation_class: class.at(row),
            account_id: account.at(row),
            region: region.at(row),
            key_arn: key.at(row),
            key_ref: key_ref.at(row),
            destination_key_arn: destination.at(row),
            principal_arn: principal.at(row),
            principal_type: kind.at(row),
            principal_account_id: principal_account.at(row),
            via_service: via.at(row),
            context_pattern: pattern.at(row),
            error_code: error.at(row),
            side: side.at(row),
            requests: requests.value(row),
            first: first.at(row).unwrap_or_default(),
            last: last.at(row).unwrap_or_default(),
            sample_event_id: sample.at(row),
        });
    }
    Ok(())
}

/// A date's key changes in order of time.
fn key_changes(
    storage: &dyn Storage,
    files: &BTreeMap<String, Vec<String>>,
    date: &str,
) -> Result<Vec<KeyChange>, LakeError> {
    let mut changes = Vec::new();
    for file in files.get(date).into_iter().flatten() {
        let Some(rows) = read::rows::<KeyChanges>(storage, file, Columns::All)? else { continue };
        for batch in rows.batches() {
            key_change_rows(batch, &mut changes)?;
        }
    }
    changes.sort_by(|a, b| (a.event_time, &a.event_id, &a.change).cmp(&(b.event_time, &b.event_id, &b.change)));
    Ok(changes)
}

/// Reads what the fold and the story of a key need of `key_changes`.
///
/// # Errors
/// If a column is missing.
pub fn key_change_rows(batch: Batch<'_>, changes: &mut Vec<KeyChange>) -> Result<(), LakeError> {
    let text = |name| batch.text(name);
    let (change, outcome, event_id) = (text("change")?, text("outcome")?, text("event_id")?);
    let (account, region, key) = (text("account_id")?, text("region")?, text("key_arn")?);
    let (alias, error) = (text("alias")?, text("error_code")?);
    let (principal, kind, session) = (text("principal_arn")?, text("principal_type")?, text("session_name")?);
    let (via, state, manager) = (text("via_service")?, text("key_state")?, text("key_manager")?);
    let (origin, spec, usage) = (text("key_origin")?, text("key_spec")?, text("key_usage")?);
    let (rotation, grant, grantee) = (text("rotation_type")?, text("grant_id")?, text("grantee")?);
    let (operations, policy, tags) = (text("grant_operations")?, text("policy")?, text("tags")?);
    let (time, last, due) = (batch.times("event_time")?, batch.times("last_event_time")?, batch.times("due_time")?);
    let (multi_region, period) = (batch.booleans("multi_region")?, batch.integers("rotation_period_days")?);
    for row in 0..batch.len() {
        changes.push(KeyChange {
            change: change.at(row).to_owned(),
            attempt: outcome.at(row) == "attempt",
            event_time: time.at(row).unwrap_or_default(),
            last_event_time: last.at(row).unwrap_or_default(),
            event_id: event_id.at(row).to_owned(),
            account_id: account.at(row).to_owned(),
            region: region.at(row).to_owned(),
            key_arn: key.at(row).to_owned(),
            alias: alias.at(row).to_owned(),
            error_code: error.at(row).to_owned(),
            principal_arn: principal.at(row).to_owned(),
            principal_type: kind.at(row).to_owned(),
            session_name: session.at(row).to_owned(),
            via_service: via.at(row).to_owned(),
            key_state: state.at(row).to_owned(),
            key_manager: manager.at(row).to_owned(),
            key_origin: origin.at(row).to_owned(),
            key_spec: spec.at(row).to_owned(),
            key_usage: usage.at(row).to_owned(),
            multi_region: multi_region.is_valid(row).then(|| multi_region.value(row)),
            rotation_period_days: period.is_valid(row).then(|| period.value(row)),
            rotation_type: rotation.at(row).to_owned(),
            due_time: due.at(row),
            grant_id: grant.at(row).to_owned(),
            grantee: grantee.at(row).to_owned(),
            grant_operations: operations.at(row).to_owned(),
            policy: policy.at(row).to_owned(),
            tags: tags.at(row).to_owned(),
            ..KeyChange::default()
        });
    }
    Ok(())
}
