//! Custom key stores: whether their keys can be reached (DOMAIN F.3).

use std::collections::BTreeMap;

use crate::model::arn::Arn;
use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;

/// What was done to a store last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreAct {
    Connected(Seconds),
    Disconnected(Seconds),
}

/// Stores by account, Region and id: what was done to each last.
#[derive(Debug, Default)]
pub(super) struct KeyStores(BTreeMap<[String; 3], StoreAct>);

impl KeyStores {
    /// Takes an act; acts come in order of time.
    pub(super) fn change(&mut self, change: &KeyChange) {
        let act = match change.change.as_str() {
            "ConnectCustomKeyStore" => StoreAct::Connected(change.event_time),
            "DisconnectCustomKeyStore" => StoreAct::Disconnected(change.event_time),
            _ => return,
        };
        if !change.attempt {
            self.0.insert(place(&change.account_id, &change.region, &change.custom_key_store_id), act);
        }
    }

    /// What was done last to the store that a key is in.
    pub(super) fn last_act(&self, key_arn: &str, store: &str) -> Option<StoreAct> {
        let arn = Arn::parse(key_arn).filter(|_| !store.is_empty())?;
        self.0.get(&place(arn.account, arn.region, store)).copied()
    }
}

fn place(account: &str, region: &str, store: &str) -> [String; 3] {
    [account, region, store].map(str::to_owned)
}
