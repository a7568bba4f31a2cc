//! Committed usage and key changes become the history of keys and of their use. Pure: rows are
//! shown to it day by day, snapshots come out; what it reads and writes with is others' concern.

mod aliases;
mod configurations;
mod grants;
mod key_state;
mod key_stores;
mod keys;
mod manager;
mod rotation;
mod runs;
mod uses;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::kms::failure::{DRY_RUN, Ending};
use crate::model::alias_keys::AliasKeys;
use crate::model::arn::owner_account;
use crate::model::configuration::ConfigurationRow;
use crate::model::history::History;
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::places::Places;
use crate::model::resources::SortedResources;
use crate::model::shared::Pool;
use crate::model::usage_row::UsageRow;

use self::aliases::Aliases;
use self::configurations::Configurations;
use self::key_state::KeyState;
use self::key_stores::KeyStores;
pub use self::keys::SortedKeys;
pub use self::uses::SortedUses;
use self::uses::Uses;

/// A fold in progress. Show it all aliases first, then each day's key changes and usage, in order.
#[derive(Debug, Default)]
pub struct Fold {
    history: History,
    aliases: Aliases,
    key_stores: KeyStores,
    keys: Vec<KeyState>,
    pool: Pool,
    by_arn: HashMap<String, usize, FxBuildHasher>,
    uses: Uses,
    configurations: Configurations,
}

/// What a fold comes to.
#[derive(Debug)]
pub struct Snapshots {
    /// Keys, sorted.
    pub keys: SortedKeys,
    /// Uses, sorted.
    pub uses: SortedUses,
    /// Resources, sorted.
    pub resources: SortedResources,
    /// What the rules may ask.
    pub history: History,
}

impl Fold {
    /// Starts with what is known beforehand: own accounts, accounts whose trails are read.
    #[must_use]
    pub fn new(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// Learns which key an alias stands for. Rules need this of all days before the first day.
    pub fn learn_alias(&mut self, key_arn: &str, alias: &str) {
        if !alias.is_empty() && !key_arn.is_empty() {
            self.history.learn_alias(key_arn, alias);
        }
    }

    /// Learns of an act that no key of AWS allows. Rules need this of all days before the first day.
    pub fn learn_act(&mut self, key_arn: &str, change: &str) {
        if manager::is_customer_only(change) && !key_arn.is_empty() {
            self.history.note_customer_key(key_arn);
        }
    }

    /// Takes what an inventory says of a key.
    pub fn inventory(&mut self, key: &KeyRecord) {
        for alias in &key.aliases {
            self.history.learn_alias(&key.key_arn, alias);
            self.aliases.inventory(&key.key_arn, alias);
        }
        let place = self.place(&key.key_arn);
        self.keys[place].inventory(key, &mut self.pool);
    }

    /// Takes a key change; those of a day come in order of time.
    pub fn change(&mut self, change: &KeyChange) {
        self.aliases.note(change);
        self.key_stores.change(change);
        if !change.key_arn.is_empty() {
            let place = self.place(&change.key_arn);
            self.keys[place].change(change, self.history.policy(&change.key_arn), &mut self.pool);
            if !change.attempt && !change.policy.is_empty() {
                self.history.note_policy(&change.key_arn, &change.policy);
            }
            if !change.attempt && change.change == "DeleteKey" {
                self.history.note_deleted(&change.key_arn);
            }
        }
    }

    /// Takes what a service was told of the encryption of a resource; of a day in order of time.
    pub fn configuration(&mut self, row: &ConfigurationRow<'_>) {
        self.configurations.note(row);
    }

    /// Takes rows of a day's usage that lie in memory together, in any order, and shows each to `see`.
    pub fn usage<'b>(
        &mut self,
        day: i64,
        rows: impl Iterator<Item = UsageRow<'b>>,
        mut see: impl FnMut(&UsageRow<'b>, &History),
    ) {
        let alias_keys = self.history.alias_keys();
        let (mut keys, mut known) = (Places::default(), uses::Known::default());
        self.uses.reserve(rows.size_hint().0);
        for row in rows {
            for used in each_key(&row, &alias_keys) {
                let (place, owner) = keys.of(used.key_arn, |arn| (self.place(arn), owner_account(arn)));
                let counts = self.history.counts_once(&used, owner);
                self.keys[place].used(&used, owner, counts, &mut self.pool);
                // What a dry run would have done was not done.
                if counts && used.error_reason != DRY_RUN {
                    self.uses.count(&used, self.history.relation(&used, owner), &mut known);
                }
            }
            if !row.key_arn.is_empty() {
                self.note_first_use(&row, day);
            }
            see(&row, &self.history);
        }
        self.uses.settle();
    }

    /// What the usage rules may ask.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The snapshots, sorted.
    #[must_use]
    pub fn finish(self) -> Snapshots {
        let Self { history, aliases, key_stores, keys, pool: _, by_arn, uses, configurations } = self;
        Snapshots {
            keys: SortedKeys::of(by_arn.into_iter(), keys, aliases.by_key(), key_stores),
            uses: uses.sorted(),
            resources: configurations.resources.sorted(),
            history,
        }
    }

    /// Where the key stands; it is new if it was never heard of.
    fn place(&mut self, arn: &str) -> usize {
        let Self { keys, by_arn, .. } = self;
        *by_arn.entry_ref(arn).or_insert_with(|| {
            keys.push(KeyState::default());
            keys.len() - 1
        })
    }

    /// First uses matter across accounts, and where something leaves KMS for good.
    fn note_first_use(&mut self, row: &UsageRow<'_>, day: i64) {
        if (row.side != "local" || row.event_name == "GetPublicKey") && row.succeeded() {
            for key in [row.key_arn, row.destination_key_arn].into_iter().filter(|key| !key.is_empty()) {
                self.history.note_use(key, row.principal_account_id, day);
                self.history.note_use(key, row.principal_arn, day);
            }
        }
    }
}

/// A row as a use of each of its keys: a `ReEncrypt` uses two, each with a context of its own.
fn each_key<'b>(row: &UsageRow<'b>, alias_keys: &'b AliasKeys) -> impl Iterator<Item = UsageRow<'b>> + use<'b> {
    let first = if row.key_arn.is_empty() { key_named(row, alias_keys).unwrap_or_default() } else { row.key_arn };
    let source = Some(UsageRow { key_arn: first, ..*row }).filter(|row| !row.key_arn.is_empty());
    let destination = (!row.destination_key_arn.is_empty() && row.destination_key_arn != first).then_some(UsageRow {
        key_arn: row.destination_key_arn,
        context_pattern: row.destination_context_pattern,
        ..*row
    });
    source.into_iter().chain(destination)
}

/// The key of a row that names it by an alias only, as calls that were refused do, and other services.
fn key_named<'b>(row: &UsageRow<'_>, alias_keys: &'b AliasKeys) -> Option<&'b str> {
    // What was not found was not there yet, or no more.
    if row.key_ref.is_empty() || Ending::of(Some(row.error_code)) == Ending::NotFound {
        return None;
    }
    let account = if row.principal_account_id.is_empty() { row.account_id } else { row.principal_account_id };
    alias_keys.key(row.key_ref, account, row.region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::Trails;
    use crate::model::time::Seconds;
    use crate::model::usage::Relation;

    /// A use of `key` by a principal of `caller`, in the caller's copy.
    fn used<'a>(key: &'a str, caller: &'a str) -> UsageRow<'a> {
        UsageRow {
            hour: Seconds(0),
            event_source: "kms.amazonaws.com",
            event_name: "Decrypt",
            operation_class: "crypto",
            account_id: caller,
            region: "us-east-1",
            key_arn: key,
            key_ref: "",
            destination_key_arn: "",
            principal_arn: "p",
            principal_type: "",
            principal_account_id: caller,
            via_service: "",
            context_pattern: "",
            destination_context_pattern: "",
            error_code: "",
            error_reason: "",
            side: "caller",
            requests: 1,
            first: Seconds(0),
            last: Seconds(0),
            sample_event_id: "",
        }
    }

    #[test]
    fn how_accounts_stand_is_known_of_each_key() {
        let (own, other) = ("111122223333", "444455556666");
        let [in_own, in_other] =
            [own, other].map(|owner| format!("arn:aws:kms:us-east-1:{owner}:key/1234abcd-12ab-34cd-56ef-1234567890ab"));
        let mut fold = Fold::new(History::new([own.to_owned()].into(), Trails::new()));
        let rows = [used(&in_own, other), used("no ARN", own), used(&in_other, own), used(&in_own, own)];
        fold.usage(0, rows.into_iter(), |_, _| ());
        let mut relations = Vec::new();
        let told = fold.finish().uses.chunks(10, |rows| {
            relations.extend(rows.iter().map(|row| (row.key_account_id.to_owned(), row.relation)));
            Ok::<_, ()>(())
        });
        assert_eq!(told, Ok(()));
        let expected =
            [(own, Relation::Same), (own, Relation::Inbound), (other, Relation::Outbound), ("", Relation::Unknown)];
        assert_eq!(relations, expected.map(|(owner, relation)| (owner.to_owned(), relation)));
    }

    #[test]
    fn a_reencrypt_is_a_use_of_both_keys_each_counted_once() {
        let (caller, owner) = ("111122223333", "444455556666");
        let [own, foreign] = [caller, owner]
            .map(|account| format!("arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"));
        let copy = |account, side| UsageRow {
            event_name: "ReEncrypt",
            account_id: account,
            destination_key_arn: &foreign,
            context_pattern: "{}",
            side,
            principal_account_id: caller,
            ..used(&own, caller)
        };
        let callers = || copy(caller, "caller");
        let owners = || copy(owner, "owner");
        for (trails, rows) in [
            (vec![caller], vec![callers()]),
            (vec![owner], vec![owners()]),
            (vec![caller, owner], vec![callers(), owners()]),
        ] {
            let mut fold = Fold::new(History::new([caller.to_owned()].into(), in_us_east_1(&trails)));
            let dry = UsageRow { error_reason: DRY_RUN, ..rows[0] };
            fold.usage(0, rows.into_iter().chain([dry]), |_, _| ());
            let Snapshots { keys, uses, history, .. } = fold.finish();
            let mut told = Vec::new();
            let seen = uses.chunks(10, |rows| {
                told.extend(
                    rows.iter().map(|row| (row.key_arn.to_owned(), row.context_pattern.to_owned(), row.requests)),
                );
                Ok::<_, ()>(())
            });
            assert_eq!(seen, Ok(()));
            let expected = [(own.clone(), "{}".to_owned(), 1), (foreign.clone(), String::new(), 1)];
            assert_eq!(told, expected, "{trails:?}");
            let seen = keys.chunks((10, 1 << 20), &history, |rows| {
                assert_eq!(
                    rows.iter().map(|key| (key.requests, key.manager)).collect::<Vec<_>>(),
                    [(1, "unknown"), (1, "customer")]
                );
                Ok::<_, ()>(())
            });
            assert!(seen.is_ok());
        }
    }

    #[test]
    fn a_key_whose_owner_has_no_trail_is_counted_by_the_callers_copy_alone() {
        let (caller, source_owner, nobody) = ("111122223333", "444455556666", "777777777777");
        let [source, destination] = [source_owner, nobody]
            .map(|account| format!("arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"));
        let copy = |account, side| UsageRow {
            event_name: "ReEncrypt",
            account_id: account,
            destination_key_arn: &destination,
            side,
            ..used(&source, caller)
        };
        let history = History::new([caller.to_owned()].into(), in_us_east_1(&[caller, source_owner]));
        let told = uses_of(Fold::new(history), [copy(caller, "caller"), copy(source_owner, "owner")]);
        assert_eq!(told, [(source.clone(), 1), (destination.clone(), 1)]);
    }

    #[test]
    fn an_owners_trail_of_another_region_has_no_copy() {
        let (caller, owner) = ("111122223333", "444455556666");
        let key = format!("arn:aws:kms:eu-west-1:{owner}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
        let row = UsageRow { region: "eu-west-1", ..used(&key, caller) };
        let history = History::new([caller.to_owned()].into(), in_us_east_1(&[caller, owner]));
        assert_eq!(uses_of(Fold::new(history), [row]), [(key.clone(), 1)]);
    }

    #[test]
    fn a_key_is_known_by_an_alias_that_never_moved() {
        let account = "111122223333";
        let [key, other] = ["1234abcd-12ab-34cd-56ef-1234567890ab", "00000000-12ab-34cd-56ef-1234567890ab"]
            .map(|id| format!("arn:aws:kms:us-east-1:{account}:key/{id}"));
        let row = |key_ref, error_code| UsageRow { key_ref, error_code, side: "local", ..used("", account) };
        let rows = [
            row("alias/app", "AccessDenied"),
            row("arn:aws:kms:us-east-1:111122223333:alias/app", ""),
            row("alias/app", "NotFoundException"),
            row("alias/moved", "AccessDenied"),
            row("alias/else", "AccessDenied"),
        ];
        let mut fold = Fold::new(History::default());
        fold.learn_alias(&key, "alias/app");
        [&key, &other].into_iter().for_each(|key| fold.learn_alias(key, "alias/moved"));
        assert_eq!(uses_of(fold, rows), [(key.clone(), 2)]);
    }

    fn in_us_east_1(accounts: &[&str]) -> Trails {
        accounts.iter().map(|account| ((*account).to_owned(), ["us-east-1".to_owned()].into())).collect()
    }

    /// Keys and requests of what `fold` makes of a day.
    fn uses_of<const N: usize>(mut fold: Fold, rows: [UsageRow<'_>; N]) -> Vec<(String, i64)> {
        fold.usage(0, rows.into_iter(), |_, _| ());
        let mut told = Vec::new();
        let seen = fold.finish().uses.chunks(10, |rows| {
            told.extend(rows.iter().map(|row| (row.key_arn.to_owned(), row.requests)));
            Ok::<_, ()>(())
        });
        assert_eq!(seen, Ok(()));
        told
    }
}
