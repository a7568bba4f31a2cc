//! What services were told of encryption: rows of one object, like acts on a resource put together.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::kms::call::Call;
use crate::kms::configuration::{Choice, Configured};
use crate::model::configuration::Configuration;

/// The rows of one object.
#[derive(Debug, Default)]
pub(super) struct Configurations(HashTable<Configuration>);

impl Configurations {
    /// Notes what a call configured.
    pub(super) fn note(&mut self, call: &Call<'_>, configured: &[Configured], source: &str) {
        for configured in configured {
            let row = row(call, configured, source);
            let hash = |row: &Configuration| FxBuildHasher.hash_one(identity(row));
            let same = |known: &Configuration| identity(known) == identity(&row);
            if let Some(known) = self.0.find_mut(hash(&row), same) {
                add(known, row);
            } else {
                self.0.insert_unique(hash(&row), row, hash);
            }
        }
    }

    pub(super) fn into_rows(self) -> impl Iterator<Item = Configuration> {
        self.0.into_iter()
    }
}

/// What acts must have in common to be one row. Changes of an account's default stay apart: what counts
/// of them is their order.
fn identity(row: &Configuration) -> [&str; 10] {
    [
        &row.service_rule,
        &row.event_name,
        &row.account_id,
        &row.region,
        &row.resource,
        &row.choice,
        &row.key_ref,
        &row.principal_arn,
        &row.via_service,
        if row.choice == Choice::State.as_str() { &row.event_id } else { "" },
    ]
}

fn add(known: &mut Configuration, other: Configuration) {
    let (requests, last) = (known.requests + other.requests, known.last.max(other.last));
    if (other.first, &other.event_id) < (known.first, &known.event_id) {
        *known = other;
    }
    (known.requests, known.last) = (requests, last);
}

fn row(call: &Call<'_>, configured: &Configured, source: &str) -> Configuration {
    let event = call.event;
    Configuration {
        service_rule: configured.row.id.clone(),
        service: configured.row.service.clone(),
        event_source: event.source.to_owned(),
        event_name: event.name.to_owned(),
        account_id: event.account.to_owned(),
        region: event.region.to_owned(),
        resource: configured.resource.clone().unwrap_or_default(),
        choice: choice(call, configured).as_str().to_owned(),
        key_ref: configured.key.clone().unwrap_or_default(),
        key_arn: configured.key_arn(event).unwrap_or_default(),
        by_service: configured.from_response,
        default_alias: configured.row.alias.clone().unwrap_or_default(),
        principal_arn: call.principal.key.clone().into_owned(),
        principal_type: call.principal.kind.as_str().to_owned(),
        session_name: call.principal.session.unwrap_or_default().to_owned(),
        via_service: call.via.label().to_owned(),
        requests: 1,
        first: event.time,
        last: event.time,
        event_id: event.event_id.to_owned(),
        source_object: source.to_owned(),
    }
}

/// A volume that is made of a snapshot may inherit its key: nothing is certain by omission (DOMAIN C.5).
fn choice(call: &Call<'_>, configured: &Configured) -> Choice {
    match configured.chosen() {
        Choice::AccountDefault if call.event.request.get("snapshotId").non_empty().is_some() => Choice::Possible,
        chosen => chosen,
    }
}
