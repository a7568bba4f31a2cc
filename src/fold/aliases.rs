//! Which alias points at which key: aliases move, and the latest word counts.

use std::collections::BTreeMap;

use crate::model::arn::Arn;
use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;

/// Alias by account, Region and name: the key that it pointed at last.
#[derive(Debug, Default)]
pub(super) struct Aliases(BTreeMap<(String, String, String), Target>);

#[derive(Debug)]
struct Target {
    since: Seconds,
    key_arn: String,
}

impl Aliases {
    pub(super) fn note(&mut self, change: &KeyChange) {
        if !change.attempt && change.change == "DeleteKey" {
            // Its aliases go with it.
            let gone = self.0.values_mut().filter(|target| target.key_arn == change.key_arn);
            gone.for_each(|target| *target = Target { since: change.event_time, key_arn: String::new() });
        }
        if change.attempt || change.alias.is_empty() {
            return;
        }
        let deleted = change.change == "DeleteAlias";
        let key_arn = if deleted { "" } else { &change.key_arn };
        if deleted || !key_arn.is_empty() {
            let place = place(&change.key_arn).unwrap_or((&change.account_id, &change.region));
            self.set(place, &change.alias, change.last_event_time, key_arn);
        }
    }

    pub(super) fn inventory(&mut self, key_arn: &str, alias: &str) {
        if let Some(place) = place(key_arn) {
            self.set(place, alias, Seconds::default(), key_arn);
        }
    }

    fn set(&mut self, (account, region): (&str, &str), alias: &str, since: Seconds, key_arn: &str) {
        let target = self.0.entry((account.to_owned(), region.to_owned(), alias.to_owned()));
        let target = target.or_insert_with(|| Target { since, key_arn: key_arn.to_owned() });
        if since >= target.since {
            *target = Target { since, key_arn: key_arn.to_owned() };
        }
    }

    /// Alias names by key, sorted.
    pub(super) fn by_key(self) -> BTreeMap<String, Vec<String>> {
        let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((_, _, alias), target) in self.0 {
            by_key.entry(target.key_arn).or_default().push(alias);
        }
        by_key
    }
}

fn place(key_arn: &str) -> Option<(&str, &str)> {
    Arn::parse(key_arn).map(|arn| (arn.account, arn.region))
}
