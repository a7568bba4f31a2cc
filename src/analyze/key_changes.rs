//! What a KMS call did to a key.

use serde_json::{Map, Value};

use crate::kms::call::Call;
use crate::kms::context_pattern;
use crate::kms::failure::Ending;
use crate::kms::grant::Grant;
use crate::kms::policy::document::{Policy, document};
use crate::kms::policy::facts::PolicyFacts;
use crate::model::arn::{Arn, is_key_arn};
use crate::model::event::Event;
use crate::model::json::Json;
use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;

/// The row for an administrative act, tried or done; and of one that made a replica, what it tells of that.
pub(super) fn of(call: &Call<'_>, source: &str) -> impl Iterator<Item = KeyChange> {
    let is_act = call.class.is_administrative() && call.ending != Ending::DryRun;
    let act = is_act.then(|| {
        let mut change = common(call, source);
        describe_key(call.event.response.get("keyMetadata"), &mut change);
        key_store(call.event).unwrap_or_default().clone_into(&mut change.custom_key_store_id);
        describe_act(call, &mut change);
        change
    });
    act.into_iter().chain(replica(call, source))
}

/// The custom key store that an act is on, or that its key is in.
fn key_store<'a>(event: &Event<'a>) -> Option<&'a str> {
    let made_in = event.response.get("keyMetadata");
    let places = [made_in, event.request, event.response, event.additional];
    places.into_iter().find_map(|place| place.get("customKeyStoreId").non_empty())
}

/// The replica is another key than the one that was replicated. KMS records its making in its own
/// Region too, but that one's trail may not be here.
fn replica(call: &Call<'_>, source: &str) -> Option<KeyChange> {
    let metadata = call.event.response.get("replicaKeyMetadata");
    let arn = metadata.get("arn").str().filter(|arn| is_key_arn(arn))?;
    if call.event.name != "ReplicateKey" || !call.succeeded() {
        return None;
    }
    let mut fact = KeyChange {
        change: KeyChange::REPLICA_SEEN.to_owned(),
        key_arn: arn.to_owned(),
        alias: String::new(),
        ..common(call, source)
    };
    describe_key(metadata, &mut fact);
    Some(fact)
}

fn common(call: &Call<'_>, source: &str) -> KeyChange {
    let event = call.event;
    KeyChange {
        change: event.name.to_owned(),
        event_time: event.time,
        last_event_time: event.time,
        event_id: event.event_id.to_owned(),
        shared_event_id: event.shared_event_id.unwrap_or_default().to_owned(),
        account_id: event.account.to_owned(),
        region: event.region.to_owned(),
        key_arn: call.keys.arn.as_deref().unwrap_or_default().to_owned(),
        alias: call.keys.alias.unwrap_or_default().to_owned(),
        attempt: !call.succeeded(),
        error_code: event.error_code.unwrap_or_default().to_owned(),
        principal_arn: call.principal.key.clone().into_owned(),
        principal_type: call.principal.kind.as_str().to_owned(),
        session_name: call.principal.session.unwrap_or_default().to_owned(),
        via_service: call.via.label().to_owned(),
        source_object: source.to_owned(),
        ..KeyChange::default()
    }
}

/// What KMS tells of a new key.
fn describe_key(metadata: Json<'_>, change: &mut KeyChange) {
    let text = |name: &str| metadata.get(name).str().unwrap_or_default().to_owned();
    change.key_state = text("keyState");
    change.key_manager = text("keyManager");
    change.key_origin = text("origin");
    change.key_usage = text("keyUsage");
    change.key_spec = text("keySpec");
    if change.key_spec.is_empty() {
        change.key_spec = text("customerMasterKeySpec");
    }
    change.multi_region = metadata.get("multiRegion").bool();
}

/// What the operation's parameters say.
fn describe_act(call: &Call<'_>, change: &mut KeyChange) {
    let event = call.event;
    let (request, response) = (event.request, event.response);
    match event.name {
        "ScheduleKeyDeletion" => {
            change.key_state = response.get("keyState").str().unwrap_or("PendingDeletion").to_owned();
            change.due_time = deletion_date(event);
        }
        "CancelKeyDeletion" | "DisableKey" => "Disabled".clone_into(&mut change.key_state),
        "EnableKey" => "Enabled".clone_into(&mut change.key_state),
        "ImportKeyMaterial" => {
            "Enabled".clone_into(&mut change.key_state);
            change.due_time = request.get("validTo").text().and_then(|text| Seconds::parse_lenient(&text));
        }
        "DeleteImportedKeyMaterial" | "DeleteExpiredKeyMaterial" => "PendingImport".clone_into(&mut change.key_state),
        "DeleteKey" => "Deleted".clone_into(&mut change.key_state),
        "EnableKeyRotation" => change.rotation_period_days = request.get("rotationPeriodInDays").i64().or(Some(365)),
        "RotateKey" => {
            let kind = event.service_details.get("rotationType").str();
            kind.unwrap_or("AUTOMATIC").clone_into(&mut change.rotation_type);
        }
        "RotateKeyOnDemand" => "ON_DEMAND".clone_into(&mut change.rotation_type),
        "CreateGrant" => {
            let grant = Grant::of(request);
            grant.grantee.clone_into(&mut change.grantee);
            change.grant_operations = Value::from(grant.operations).to_string();
            change.grant_constraints = constraints(request.get("constraints"));
            grant.retiring.unwrap_or_default().clone_into(&mut change.grant_retiring);
            response.get("grantId").str().unwrap_or_default().clone_into(&mut change.grant_id);
        }
        "RevokeGrant" | "RetireGrant" => {
            let id = request.get("grantId").str().or_else(|| event.additional.get("grantId").str());
            id.unwrap_or_default().clone_into(&mut change.grant_id);
        }
        _ => {}
    }
    if event.name == "ReplicateKey" {
        change.multi_region = Some(true);
    } else {
        change.policy = policy(call).map(|facts| facts.to_json()).unwrap_or_default();
        change.tags = tags(event);
    }
    if change.attempt {
        // Nothing came of it.
        change.key_state.clear();
        change.due_time = None;
    }
}

/// Facts of the policy that the key has from now on. A key that is made without one gets the default.
fn policy(call: &Call<'_>) -> Option<PolicyFacts> {
    let request = call.event.request;
    let owner = call.keys.owner().unwrap_or(call.event.account);
    let arn = call.keys.arn.as_deref().unwrap_or_default();
    let given = document(request.get("policy"));
    // A policy that the record does not hold is unknown, not the one before.
    if let Some(document) = given.or_else(|| (call.event.name == "PutKeyPolicy").then(String::new)) {
        let bypassed = request.get("bypassPolicyLockoutSafetyCheck").bool() == Some(true);
        return Some(PolicyFacts::of(&document, arn, owner, bypassed));
    }
    let parts = Arn::parse(arn)?;
    // AWS gives its own keys policies of its own; a replica's comes with ReplicateKey.
    let is_plain = call.event.name == "CreateKey"
        && call.via.label() != "kms"
        && call.event.response.at(&["keyMetadata", "keyManager"]).str() != Some("AWS");
    is_plain.then(|| PolicyFacts::of_policy(&Policy::default_of(parts.partition, parts.account), arn, owner, false))
}

/// `deletionDate`, else what the waiting period makes of the time of the call.
fn deletion_date(event: &Event<'_>) -> Option<Seconds> {
    let days =
        event.response.get("pendingWindowInDays").i64().or_else(|| event.request.get("pendingWindowInDays").i64());
    // KMS takes 7 to 30; a request may name anything.
    let days = days.filter(|days| (0..=30).contains(days));
    let stated = event.response.get("deletionDate").text().and_then(|text| Seconds::parse_lenient(&text));
    // A multi-Region primary with replicas has no date: its clock has not started.
    let counted = (event.response.get("keyState").str() != Some("PendingReplicaDeletion"))
        .then(|| Seconds(event.time.0 + days.unwrap_or(30) * Seconds::DAY));
    stated.or(counted)
}

/// Tags set, or removed (`null`), as a JSON object; nothing without tags.
fn tags(event: &Event<'_>) -> String {
    let mut tags = Map::new();
    for tag in event.request.get("tags").elements() {
        if let Some(key) = tag.get_any_case("tagKey").str() {
            tags.insert(key.to_owned(), tag.get_any_case("tagValue").str().unwrap_or_default().into());
        }
    }
    for key in event.request.get("tagKeys").elements().filter_map(Json::str) {
        tags.insert(key.to_owned(), Value::Null);
    }
    if tags.is_empty() { String::new() } else { Value::Object(tags).to_string() }
}

/// What limits a grant, contexts normalised; nothing if nothing does.
fn constraints(given: Json<'_>) -> String {
    let mut constraints = Map::new();
    for (name, value) in given.members() {
        let mut text = value.str().unwrap_or_default().to_owned();
        if value.is_object() {
            context_pattern::write(value, &mut text);
        }
        // An empty limit limits nothing: the fold must judge the grant as the event did.
        if !text.is_empty() {
            constraints.insert(name.to_owned(), text.into());
        }
    }
    if constraints.is_empty() { String::new() } else { Value::Object(constraints).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_limit_is_no_constraint() {
        for (given, expected) in [
            (r#"{"encryptionContextSubset":{},"sourceArn":""}"#, ""),
            (r#"{"encryptionContextSubset":{},"sourceArn":"a"}"#, r#"{"sourceArn":"a"}"#),
        ] {
            let mut bytes = given.as_bytes().to_vec();
            let tape = simd_json::to_tape(&mut bytes).expect("JSON");
            assert_eq!(constraints(Json::new(&tape.0)), expected);
        }
    }
}
