//! What services were told of encryption: rows of one object, like acts on a resource put together.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::kms::call::Call;
use crate::kms::configuration::resource::holds_many;
use crate::kms::configuration::{Choice, Configured};
use crate::model::configuration::Configuration;
use crate::model::event::Event;

/// The rows of one object.
#[derive(Debug, Default)]
pub(super) struct Configurations(HashTable<Configuration>);

impl Configurations {
    /// Notes what a call configured. What it chose alike for several parts of a thing it chose once.
    pub(super) fn note(&mut self, call: &Call<'_>, configured: &[Configured], source: &str) {
        let mut rows: Vec<Configuration> = Vec::with_capacity(configured.len());
        for row in configured.iter().map(|configured| row(call, configured, source)) {
            if rows.iter().all(|other| identity(other) != identity(&row)) {
                rows.push(row);
            }
        }
        for row in rows {
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

/// What acts must have in common to be one row. What is done to a thing by its name stays apart: what
/// counts of it is the order.
fn identity(row: &Configuration) -> [&str; 10] {
    let in_order = row.choice == Choice::State.as_str() || !(row.resource.is_empty() || holds_many(&row.service_rule));
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
        if in_order { &row.event_id } else { "" },
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

/// What was chosen, where more of the record than the key's place has a say.
fn choice(call: &Call<'_>, configured: &Configured) -> Choice {
    match configured.chosen() {
        // What is made of a snapshot may inherit its key: nothing is certain by omission (DOMAIN C.5).
        Choice::AccountDefault if names_a_snapshot(call.event) => Choice::Possible,
        // Read with an empty key only where the request switches off the queue's own encryption too.
        Choice::Reset if configured.row.id == "sqs.queue" => Choice::NoKms,
        chosen => chosen,
    }
}

/// Whether a volume is made of a snapshot, by itself or with an instance.
fn names_a_snapshot(event: &Event<'_>) -> bool {
    let devices = event.request.at(&["blockDeviceMapping", "items"]);
    let of_devices = devices.elements().map(|device| device.at(&["ebs", "snapshotId"]));
    std::iter::once(event.request.get("snapshotId")).chain(of_devices).any(|id| id.non_empty().is_some())
}
