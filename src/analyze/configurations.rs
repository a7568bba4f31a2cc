//! What services were told of encryption: rows of one object, like acts on a resource put together.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::kms::call::Call;
use crate::kms::configuration::resource::{holds_many, set_apart};
use crate::kms::configuration::{Choice, Configured};
use crate::model::configuration::Configuration;
use crate::model::event::Event;

/// The rows of one object.
#[derive(Debug, Default)]
pub(super) struct Configurations(HashTable<Configuration>);

impl Configurations {
    /// Notes what a call configured. What it chose alike for several parts of a thing it chose once.
    pub(super) fn note(&mut self, call: &Call<'_>, configured: &[Configured], source: &str) {
        let mut noted = FxHashSet::default();
        for one in configured {
            let identity = Identity::of_act(call, one);
            if configured.len() > 1 && !noted.insert(identity) {
                continue;
            }
            let hash = FxBuildHasher.hash_one(identity);
            if let Some(known) = self.0.find_mut(hash, |known| Identity::of_row(known) == identity) {
                add(known, call, one, source);
            } else {
                let rehash = |row: &Configuration| FxBuildHasher.hash_one(Identity::of_row(row));
                self.0.insert_unique(hash, row(call, one, source), rehash);
            }
        }
    }

    pub(super) fn into_rows(self) -> impl Iterator<Item = Configuration> {
        self.0.into_iter()
    }
}

/// What acts must have in common to be one row. What is done to a thing stays apart: what counts of it
/// is the order. Of what is done to many things under one name, the first who did it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity<'a> {
    act: [&'a str; 7],
    by: Option<[&'a str; 2]>,
    event_id: Option<&'a str>,
}

impl<'a> Identity<'a> {
    fn of_act(call: &'a Call<'_>, configured: &'a Configured) -> Self {
        let event = call.event;
        let resource = configured.resource.as_deref().unwrap_or_default();
        let key = configured.key.as_deref().unwrap_or_default();
        let choice = choice(call, configured).as_str();
        let act = [&*configured.row.id, event.name, event.account, event.region, resource, choice, key];
        Self::new(act, [&call.principal.key, call.via.label()], event.event_id)
    }

    fn of_row(row: &'a Configuration) -> Self {
        let act = [
            &*row.service_rule,
            &*row.event_name,
            &*row.account_id,
            &*row.region,
            &*row.resource,
            &*row.choice,
            &*row.key_ref,
        ];
        Self::new(act, [&row.principal_arn, &row.via_service], &row.event_id)
    }

    fn new(act: [&'a str; 7], by: [&'a str; 2], event_id: &'a str) -> Self {
        let one = !holds_many(set_apart(act[0], act[1]).unwrap_or(act[0]));
        Self { act, by: one.then_some(by), event_id: one.then_some(event_id) }
    }
}

fn add(known: &mut Configuration, call: &Call<'_>, configured: &Configured, source: &str) {
    let event = call.event;
    let (requests, last) = (known.requests + 1, known.last.max(event.time));
    if (event.time, event.event_id) < (known.first, known.event_id.as_str()) {
        *known = row(call, configured, source);
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
