//! What calls teach about keys by the way.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::kms::call::Call;
use crate::kms::configuration::{Configured, default_alias};
use crate::kms::key_reference::alias_of;
use crate::model::arn::is_key_arn;
use crate::model::key_change::KeyChange;
use crate::model::usage::KeyEvidence;

/// What uses of keys teach about them: once an object, with the first and the last time.
#[derive(Debug, Default)]
pub(super) struct Facts(HashTable<KeyChange>);

impl Facts {
    /// Learns from a call that shows a key: the alias that it names, or that the key is AWS's own, and
    /// which custom key store it is in.
    pub(super) fn learn(&mut self, call: &Call<'_>, source: &str) {
        let Some(arn) = call.keys.arn.as_deref() else { return };
        let shown = matches!(call.keys.evidence, KeyEvidence::Resource | KeyEvidence::Response);
        if !shown || call.class.is_administrative() {
            return;
        }
        if let Some(alias) = call.keys.alias {
            self.note(call, arn, Fact::alias(alias), source);
        } else if call.keys.aws_owned {
            self.note(call, arn, Fact::AWS_OWNED, source);
        }
        if let Some(fact) = Fact::key_store(call, arn) {
            self.note(call, arn, fact, source);
        }
    }

    /// Learns from a service that was told an alias and answered with the key behind it.
    pub(super) fn learn_configured(&mut self, call: &Call<'_>, configured: &[Configured], source: &str) {
        for configured in configured {
            let alias = configured.key.as_deref().filter(|_| configured.choice.is_alias()).and_then(alias_named);
            let answered = configured.answered.as_deref().filter(|arn| is_key_arn(arn));
            if let (Some(alias), Some(arn)) = (alias, answered) {
                self.note(call, arn, Fact::alias(&alias), source);
            }
        }
    }

    fn note(&mut self, call: &Call<'_>, arn: &str, fact: Fact<'_>, source: &str) {
        let time = call.event.time;
        let fact = self
            .0
            .entry(
                FxBuildHasher.hash_one((arn, fact, call.event.account)),
                |known| (&*known.key_arn, Fact::of(known), &*known.account_id) == (arn, fact, call.event.account),
                |known| FxBuildHasher.hash_one((&*known.key_arn, Fact::of(known), &*known.account_id)),
            )
            .or_insert_with(|| fact.row(call, arn, source))
            .into_mut();
        fact.last_event_time = fact.last_event_time.max(time);
        if (time, call.event.event_id) < (fact.event_time, fact.event_id.as_str()) {
            fact.event_time = time;
            call.event.region.clone_into(&mut fact.region);
            call.event.event_id.clone_into(&mut fact.event_id);
        }
    }

    pub(super) fn into_rows(self) -> impl Iterator<Item = KeyChange> {
        self.0.into_iter()
    }
}

/// The alias as KMS has it, however the service's record names it.
fn alias_named(text: &str) -> Option<String> {
    default_alias(text).or_else(|| alias_of(text).map(str::to_owned))
}

/// What a use of a key teaches about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Fact<'a> {
    change: &'a str,
    alias: &'a str,
    manager: &'a str,
    origin: &'a str,
    key_store: &'a str,
}

impl<'a> Fact<'a> {
    const AWS_OWNED: Fact<'static> =
        Fact { change: KeyChange::AWS_OWNED_SEEN, manager: "AWS_OWNED", alias: "", origin: "", key_store: "" };

    fn alias(alias: &'a str) -> Self {
        Self { change: KeyChange::ALIAS_SEEN, alias, ..Self::default() }
    }

    /// KMS tells beside the call where the material of a key lies that is not its own.
    fn key_store(call: &Call<'a>, arn: &str) -> Option<Self> {
        let told = call.event.additional;
        // Of two keys it is not told which one is meant. Most records have nothing here.
        if told.is_null() || call.keys.destination.is_some_and(|destination| destination != arn) {
            return None;
        }
        let key_store = told.get("customKeyStoreId").non_empty();
        let is_external = told.get("xksKeyId").non_empty().is_some();
        let has = |name| !told.get(name).is_null();
        let origin = match key_store {
            _ if is_external => "EXTERNAL_KEY_STORE",
            Some(_) if ["clusterId", "backingKeyId", "backingKeys"].into_iter().any(has) => "AWS_CLOUDHSM",
            Some(_) => "",
            None => return None,
        };
        let key_store = key_store.unwrap_or_default();
        Some(Self { change: KeyChange::KEY_STORE_SEEN, origin, key_store, ..Self::default() })
    }

    fn of(row: &'a KeyChange) -> Self {
        Self {
            change: &row.change,
            alias: &row.alias,
            manager: &row.key_manager,
            origin: &row.key_origin,
            key_store: &row.custom_key_store_id,
        }
    }

    /// Who happened to use the key is no part of the fact.
    fn row(self, call: &Call<'_>, arn: &str, source: &str) -> KeyChange {
        KeyChange {
            change: self.change.to_owned(),
            key_manager: self.manager.to_owned(),
            key_origin: self.origin.to_owned(),
            custom_key_store_id: self.key_store.to_owned(),
            event_time: call.event.time,
            last_event_time: call.event.time,
            event_id: call.event.event_id.to_owned(),
            account_id: call.event.account.to_owned(),
            region: call.event.region.to_owned(),
            key_arn: arn.to_owned(),
            alias: self.alias.to_owned(),
            source_object: source.to_owned(),
            ..KeyChange::default()
        }
    }
}
