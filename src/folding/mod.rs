//! Folds a lake: reads committed tables day by day, runs usage and posture rules, commits snapshots and
//! findings. The same committed rows and settings give the same result, however often it runs.

mod findings;

use std::collections::{BTreeMap, BTreeSet};

use self::findings::Judged;
use crate::fold::{Fold, Snapshots};
use crate::kms::principal::PrincipalKind;
use crate::lake::entry::FileEntry;
use crate::lake::ledger::Ledger;
use crate::lake::read::{self, Columns};
use crate::lake::rows::{ConfigurationColumns, KeyChangeColumns, UsageColumns, in_order};
use crate::lake::schema::{Table, path};
use crate::lake::storage::Storage;
use crate::lake::tables::configurations::Configurations;
use crate::lake::tables::key_changes::KeyChanges;
use crate::lake::tables::key_use::KeyUses;
use crate::lake::tables::keys::Keys;
use crate::lake::tables::usage::Usage;
use crate::lake::{FoldFiles, Lake, LakeError, parquet};
use crate::model::configuration::ConfigurationRow;
use crate::model::finding::Finding;
use crate::model::history::{History, Trails};
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::{self, Check, Day, Rule, Watch, posture::Posture, settings::Settings};

/// A file: table, final path, rows, content.
type Written = (&'static str, String, usize, Vec<u8>);

/// Bytes of the long texts of keys that are there at once, nearly.
const BYTES_OF_KEYS: usize = 1 << 20;

/// What a fold came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Keys known.
    pub keys: usize,
    /// Rows of `key_use`.
    pub key_uses: usize,
    /// Findings of usage and posture rules by severity, mildest first.
    pub findings: [u64; Severity::ALL.len()],
    /// Accounts that counted as own.
    pub own_accounts: Vec<String>,
    /// Accounts that have trails here, and that no list of the configuration names, if it names own ones.
    pub unlisted_accounts: Vec<String>,
}

/// Folds all that is committed; `None` if nothing has changed since the last fold.
///
/// # Errors
/// If tables cannot be read or written, or another process folds for too long.
pub fn fold(lake: &mut Lake, settings: &Settings, inventory: &[KeyRecord]) -> Result<Option<Folded>, LakeError> {
    let identity = identity(settings, inventory);
    let lock = lake.fold_lock()?;
    let storage = lake.storage();
    if lake.ledger().is_folded(&identity) && are_there(storage, lake.ledger())? {
        return Ok(None);
    }
    let through = lake.ledger().through();
    // What the ledger names, not what a listing shows: another writer may be about to publish.
    let usage = read::committed_files::<Usage>(lake.ledger());
    let changes = read::committed_files::<KeyChanges>(lake.ledger());
    let mut fold = Fold::new(history(storage, &usage, settings)?);
    inventory.iter().for_each(|key| fold.inventory(key));
    learn_aliases(storage, changes.values().flatten(), &mut fold)?;
    let mut files = Vec::new();
    let mut folded = Folded::default();
    let configurations = read::committed_files::<Configurations>(lake.ledger());
    let dates: BTreeSet<&String> = usage.keys().chain(changes.keys()).chain(configurations.keys()).collect();
    let mut findings = Judged::default();
    for date in dates {
        let Some(day) = Seconds::parse_date(date).map(Seconds::day) else { continue };
        let mut rules = watching();
        key_changes(storage, changes.get(date), |change| {
            let so_far = Day { day, history: fold.history(), settings };
            rules.iter_mut().for_each(|(_, watch)| watch.see_change(&change, &so_far));
            fold.change(&change);
        })?;
        configured(storage, configurations.get(date), |row| fold.configuration(row))?;
        for file in usage.get(date).into_iter().flatten() {
            read::each_batch::<Usage>(storage, file, Columns::These(UsageColumns::NAMES), |batch| {
                fold.usage(day, UsageColumns::of(batch)?.rows(), |row, history| {
                    rules.iter_mut().for_each(|(_, watch)| watch.see(row, &Day { day, history, settings }));
                });
                Ok(())
            })?;
        }
        findings.add(judged(rules, &Day { day, history: fold.history(), settings }));
        findings.settle()?;
    }
    let Snapshots { keys, uses, resources, history } = fold.finish();
    folded.own_accounts = history.own.iter().cloned().collect();
    let is_unlisted = |account: &&str| settings.accounts.are_told() && !settings.accounts.names(account);
    folded.unlisted_accounts = history.with_trails().filter(is_unlisted).map(str::to_owned).collect();
    folded.keys = keys.len();
    let mut file_of_keys = parquet::File::<Keys>::create()?;
    let chunks = (parquet::File::<Keys>::GROUP, BYTES_OF_KEYS);
    let managers = keys.chunks(chunks, &history, |rows| file_of_keys.append(rows))?;
    files.push((Keys::NAME, path::<Keys>(None, "keys"), folded.keys, file_of_keys.finish()?));
    let mut key_use = parquet::File::<KeyUses>::create()?;
    uses.chunks(parquet::File::<KeyUses>::GROUP, |rows| {
        folded.key_uses += rows.len();
        key_use.append(rows)
    })?;
    files.push((KeyUses::NAME, path::<KeyUses>(None, "key_use"), folded.key_uses, key_use.finish()?));
    // There may be very many: they go before what is judged takes its own.
    drop(uses);
    let posture = Posture::new(&managers, &resources, &history, settings);
    findings.add(judged_posture(&posture));
    drop(resources);
    folded.findings = findings.by_severity();
    files.extend(findings.files()?);
    lake.commit_fold(FoldFiles { files, through, settings: identity })?;
    drop(lock);
    Ok(Some(folded))
}

/// Which alias stands for which key, of all days: rules ask it of the first day on.
fn learn_aliases<'f>(
    storage: &dyn Storage,
    files: impl Iterator<Item = &'f FileEntry>,
    fold: &mut Fold,
) -> Result<(), LakeError> {
    for file in files {
        let columns = Columns::These(&["change", "outcome", "key_arn", "alias"]);
        let rows = read::committed_rows::<KeyChanges>(storage, file, columns)?;
        for batch in rows.batches() {
            let (change, outcome) = (batch.text("change")?, batch.text("outcome")?);
            let (key, alias) = (batch.text("key_arn")?, batch.text("alias")?);
            for row in (0..batch.len()).filter(|row| outcome.at(*row) == "success" && change.at(*row) != "DeleteAlias")
            {
                fold.learn_alias(key.at(row), alias.at(row));
                fold.learn_act(key.at(row), change.at(row));
            }
        }
    }
    Ok(())
}

/// Whether the snapshots of the last fold are there: who has lost them gets them again.
fn are_there(storage: &dyn Storage, ledger: &Ledger) -> Result<bool, LakeError> {
    let there = [storage.list(Keys::NAME)?, storage.list(KeyUses::NAME)?].concat();
    let mut snapshots = ledger.files().filter(|file| [Keys::NAME, KeyUses::NAME].contains(&file.table.as_str()));
    Ok(snapshots.all(|file| there.contains(&file.path)))
}

/// Program, catalogue, settings and inventory: a change of any makes the next run fold again.
fn identity(settings: &Settings, inventory: &[KeyRecord]) -> String {
    let rules: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    let all = format!("{} {rules:?}{settings:?}{inventory:?}", env!("CARGO_PKG_VERSION"));
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(all.as_bytes()))
}

/// What must be known before the first day: in whose trails there are records, and so who is own.
fn history(
    storage: &dyn Storage,
    usage: &BTreeMap<String, Vec<FileEntry>>,
    settings: &Settings,
) -> Result<History, LakeError> {
    let mut trails = Trails::new();
    for file in usage.values().flatten() {
        let rows = read::committed_rows::<Usage>(storage, file, Columns::These(&["account_id", "region"]))?;
        for batch in rows.batches() {
            let (accounts, regions) = (batch.text("account_id")?, batch.text("region")?);
            let mut last = ("", "");
            for place in (0..batch.len()).map(|row| (accounts.at(row), regions.at(row))) {
                // Rows are sorted by key: most are of the same place as the one before.
                if place != last && !place.0.is_empty() {
                    trails.entry(place.0.to_owned()).or_default().insert(place.1.to_owned());
                }
                last = place;
            }
        }
    }
    let configured = &settings.accounts.own;
    let own = if configured.is_empty() { trails.keys().cloned().collect() } else { configured.clone() };
    Ok(History::new(own, trails))
}

/// The usage rules, each about to watch one day.
fn watching() -> Vec<(&'static Rule, Box<dyn Watch>)> {
    rules::all()
        .filter_map(|rule| if let Check::Usage(watch) = &rule.check { Some((rule, watch())) } else { None })
        .collect()
}

fn judged(rules: Vec<(&'static Rule, Box<dyn Watch>)>, day: &Day<'_>) -> impl Iterator<Item = Finding> {
    let drafts =
        rules.into_iter().flat_map(|(rule, watch)| watch.judge(day).into_iter().map(move |draft| (rule, draft)));
    drafts.filter_map(|(rule, draft)| draft.going_by(day.history).finish(rule, day.settings, ""))
}

fn judged_posture(posture: &Posture<'_>) -> impl Iterator<Item = Finding> {
    let drafts = rules::all().filter_map(|rule| match &rule.check {
        Check::Posture(judge) => Some((rule, judge(posture))),
        Check::Event { .. } | Check::Usage(_) => None,
    });
    drafts.flat_map(|(rule, drafts)| drafts.into_iter().filter_map(|draft| draft.finish(rule, posture.settings, "")))
}

/// Shows what services were told of encryption on a date, in order of time.
fn configured(
    storage: &dyn Storage,
    files: Option<&Vec<FileEntry>>,
    mut show: impl FnMut(&ConfigurationRow<'_>),
) -> Result<(), LakeError> {
    let read = all::<Configurations>(storage, files, ConfigurationColumns::NAMES)?;
    let batches = read.iter().flat_map(read::Rows::batches);
    // Columns take little: rows are made of them one at a time.
    let columns = batches.map(ConfigurationColumns::of).collect::<Result<Vec<_>, _>>()?;
    in_order(&columns).for_each(|(columns, row)| show(&columns.row(row)));
    Ok(())
}

/// Shows a date's key changes in order of time.
fn key_changes(
    storage: &dyn Storage,
    files: Option<&Vec<FileEntry>>,
    show: impl FnMut(KeyChange),
) -> Result<(), LakeError> {
    let read = all::<KeyChanges>(storage, files, KeyChangeColumns::NAMES)?;
    let columns = read.iter().flat_map(read::Rows::batches).map(KeyChangeColumns::of).collect::<Result<Vec<_>, _>>()?;
    // Of an act that both accounts logged, the caller's copy says who it was.
    let named: BTreeSet<&str> = columns.iter().flat_map(KeyChangeColumns::named_acts).collect();
    let is_second = |change: &KeyChange| {
        change.principal_type == PrincipalKind::AwsAccount.as_str() && named.contains(change.shared_event_id.as_str())
    };
    let acts = in_order(&columns).map(|(columns, row)| columns.row(row));
    acts.filter(|change| change.is_fact() || !is_second(change)).for_each(show);
    Ok(())
}

fn all<T: Table>(
    storage: &dyn Storage,
    files: Option<&Vec<FileEntry>>,
    columns: &[&'static str],
) -> Result<Vec<read::Rows>, LakeError> {
    let files = files.into_iter().flatten();
    files.map(|file| read::committed_rows::<T>(storage, file, Columns::These(columns))).collect()
}
