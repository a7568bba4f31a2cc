//! What the fold remembers for the usage rules: which accounts are ours, whose keys are whose, and
//! when somebody was first seen with a key of another account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::alias_keys::AliasKeys;
use super::arn::is_aws_managed_alias;
use super::event::Event;
use super::strings::{Strings, Symbol};
use super::usage::Relation;
use super::usage_row::UsageRow;

/// Regions by account.
pub type Trails = BTreeMap<String, BTreeSet<String>>;

/// The memory of a fold. Usage is shown to it day by day, in order.
#[derive(Debug, Default)]
pub struct History {
    /// Accounts that count as ours.
    pub own: BTreeSet<String>,
    /// Accounts in whose trails records were found, and of which Regions.
    trails: Trails,
    /// Key: the alias that speaks for it.
    aliases: FxHashMap<String, String>,
    /// Which key an alias means.
    alias_keys: Arc<AliasKeys>,
    /// Key and user: the first day.
    first_days: FxHashMap<(Symbol, Symbol), i64>,
    /// Texts of the first days.
    names: Strings,
    /// Keys that were administered, as none that AWS manages can be.
    customers: FxHashSet<String>,
    /// Key: facts of the policy that it had last.
    policies: FxHashMap<String, String>,
    /// Keys that are gone.
    deleted: FxHashSet<String>,
}

impl History {
    /// Starts with what is known before any usage is seen.
    #[must_use]
    pub fn new(own: BTreeSet<String>, trails: Trails) -> Self {
        Self { own, trails, ..Self::default() }
    }

    /// Accounts in whose trails records were found.
    pub fn with_trails(&self) -> impl Iterator<Item = &str> {
        self.trails.keys().map(String::as_str)
    }

    /// Learns that an alias was seen together with a key. An AWS-managed alias outweighs others: it
    /// never moves.
    pub fn learn_alias(&mut self, key_arn: &str, alias: &str) {
        Arc::make_mut(&mut self.alias_keys).learn(key_arn, alias);
        // AWS's own before others, then by name: the order in which they are learned tells nothing.
        let rank = |alias: &str| (!is_aws_managed_alias(alias), alias.to_owned());
        if self.aliases.get(key_arn).is_none_or(|known| rank(alias) < rank(known)) {
            self.aliases.insert(key_arn.to_owned(), alias.to_owned());
        }
    }

    /// An alias that always meant this key, as far as was seen. One that moved names no key well.
    #[must_use]
    pub fn alias(&self, key_arn: &str) -> Option<&str> {
        self.aliases.get(key_arn).map(String::as_str).filter(|alias| self.alias_keys.is_one(key_arn, alias))
    }

    /// Which key an alias means.
    #[must_use]
    pub fn alias_keys(&self) -> Arc<AliasKeys> {
        Arc::clone(&self.alias_keys)
    }

    /// Notes a key that cannot be AWS-managed.
    pub fn note_customer_key(&mut self, key_arn: &str) {
        self.customers.insert(key_arn.to_owned());
    }

    /// The `alias/aws/…` of an AWS-managed key; none where the logs contradict themselves.
    #[must_use]
    pub fn aws_managed_alias(&self, key_arn: &str) -> Option<&str> {
        if self.customers.contains(key_arn) {
            return None;
        }
        self.aliases.get(key_arn).map(String::as_str).filter(|alias| is_aws_managed_alias(alias))
    }

    /// Whether a row is the copy that counts as a use of its key, which is `owner`'s. KMS logs a call
    /// across accounts in each of them: the copy of the key's owner counts; where that one has no trail of
    /// the Region here, the caller's; and where neither has, that of the owner of a `ReEncrypt`'s other key.
    /// A call that was refused, and another service's, is in the caller's trail only.
    #[must_use]
    pub fn counts_once(&self, row: &UsageRow<'_>, owner: Option<&str>) -> bool {
        let Some(owner) = owner.filter(|owner| *owner != row.account_id) else { return true };
        // What a service does in its own name crosses no border, and may be logged in both accounts too.
        let is_across = row.side != "local" || row.principal_account_id.is_empty();
        let is_logged_twice = is_across && row.event_source == Event::KMS && row.succeeded();
        let has_trail = |account: &str| self.trails.get(account).is_some_and(|regions| regions.contains(row.region));
        let has_better = |account: &str| account != row.account_id && has_trail(account);
        !is_logged_twice || !(has_better(owner) || has_better(row.principal_account_id))
    }

    /// How the caller's account stands to that of the key's owner.
    #[must_use]
    pub fn relation(&self, row: &UsageRow<'_>, owner: Option<&str>) -> Relation {
        let caller = row.principal_account_id;
        let Some(owner) = owner else { return Relation::Unknown };
        // A service in its own name has no account: it is the key owner's own business.
        if caller.is_empty() || caller == owner || row.side == "local" {
            return Relation::Same;
        }
        match (self.own.contains(caller), self.own.contains(owner)) {
            (true, true) => Relation::Internal,
            (false, true) => Relation::Inbound,
            (true, false) => Relation::Outbound,
            (false, false) => Relation::Foreign,
        }
    }

    /// Notes the facts of a policy that a key has from now on.
    pub fn note_policy(&mut self, key_arn: &str, facts: &str) {
        self.policies.insert(key_arn.to_owned(), facts.to_owned());
        self.deleted.remove(key_arn);
    }

    /// Notes that a key is gone, and its policy with it. A replica may be made again under the same id.
    pub fn note_deleted(&mut self, key_arn: &str) {
        self.deleted.insert(key_arn.to_owned());
    }

    /// The facts of the policy that a key had until now, as the `policy` column holds them.
    #[must_use]
    pub fn policy(&self, key_arn: &str) -> Option<&str> {
        self.last_policy(key_arn).filter(|_| !self.deleted.contains(key_arn))
    }

    /// The same, also of a key that is gone.
    #[must_use]
    pub fn last_policy(&self, key_arn: &str) -> Option<&str> {
        self.policies.get(key_arn).map(String::as_str)
    }

    /// Notes that `who` (an account or a principal) used a key on `day`, unless known earlier.
    pub fn note_use(&mut self, key_arn: &str, who: &str, day: i64) {
        let pair = (self.names.intern(key_arn), self.names.intern(who));
        self.first_days.entry(pair).or_insert(day);
    }

    /// Whether `day` is the first on which `who` used the key.
    #[must_use]
    pub fn is_first_day(&self, key_arn: &str, who: &str, day: i64) -> bool {
        let pair = self.names.find(key_arn).zip(self.names.find(who));
        pair.and_then(|pair| self.first_days.get(&pair)).is_none_or(|first| *first == day)
    }
}
