//! Resources that were under a customer's key and are under none of KMS now (DOMAIN C.1, CLEARED, and
//! the way back from a key of one's own).
//!
//! Back to a default key is the matter of the rules on default keys; topics, queues and trails have rules of
//! their own, which see it at once.

use crate::kms::configuration::resource::holds_many;
use crate::kms::configuration::{self, Kind, Row};
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resource;
use crate::model::severity::Severity;
use crate::rules::configured::{alias, event, is_by_service, key, thing, who};
use crate::rules::draft::Draft;
use crate::rules::posture::{Act, Posture};

/// Settings of which other rules tell.
const OTHERS: [&str; 3] = ["cloudtrail.trail", "sns.topic", "sqs.queue"];

/// Kinds that name no key of KMS but AWS's own.
const NO_KEY: [Kind; 4] = [Kind::Cleared, Kind::SseS3, Kind::NoKms, Kind::DkOwned];

/// Kinds that do not tell what a resource is under.
const UNTOLD: [Kind; 2] = [Kind::Inherited, Kind::BucketDefault];

pub(super) fn judge(posture: &Posture<'_>) -> Vec<Draft> {
    let resources = posture.resources.iter();
    resources
        .filter(|resource| !OTHERS.contains(&resource.setting) && !holds_many(resource.setting))
        .filter_map(|resource| verdict(&resource, posture))
        .collect()
}

fn verdict(resource: &Resource<'_>, posture: &Posture<'_>) -> Option<Draft> {
    let acts = posture.acts(resource);
    // What was done last is what holds now.
    let (now, earlier) = acts.split_last()?;
    let row = now.of(&NO_KEY).filter(|_| now.of(&[Kind::Cmk, Kind::Pending]).is_none())?;
    // A bus and a connection may have one name: what is made is another thing then.
    let makes_several = configuration::find(row.service_rule).is_some_and(Row::makes_several);
    if row.event_name.starts_with("Create") && makes_several {
        return None;
    }
    let before = earlier.iter().rev().filter(|act| act.first() < row.first).find(|act| is_told(act));
    let own = before.and_then(Act::own_key);
    let pending = before.and_then(|act| act.of(&[Kind::Pending]));
    let kind = posture.kind(row);
    let by_template = posture.settings.is_template(row.via_service, row.principal_arn);
    let severity = match (own, pending, kind) {
        // A template was reviewed, or can be.
        (Some(_), _, _) if !by_template && !is_by_service(row) => Severity::Medium,
        (Some(_), _, _) | (None, Some(_), _) | (None, None, Kind::Cleared) => Severity::Low,
        (None, None, _) => return None,
    };
    let message = message(row, kind, own, pending, posture);
    let mut draft = Draft::on_configuration(row, severity, message)
        .with("kind", kind.as_str())
        .with("service_rule", row.service_rule)
        .about(&[resource.setting, resource.account_id, resource.region, resource.name, &row.first.rfc3339()]);
    if let Some(before) = own.or(pending) {
        before.key_arn.clone_into(&mut draft.subject.key_arn);
        alias(before, posture).unwrap_or_default().clone_into(&mut draft.subject.key_alias);
        draft = draft.with("key_before", if before.key_arn.is_empty() { before.key_ref } else { before.key_arn });
    }
    Some(draft)
}

fn is_told(act: &Act<'_>) -> bool {
    act.choices.iter().any(|(kind, _)| !UNTOLD.contains(kind))
}

fn message(
    row: &ConfigurationRow<'_>,
    kind: Kind,
    own: Option<&ConfigurationRow<'_>>,
    pending: Option<&ConfigurationRow<'_>>,
    posture: &Posture<'_>,
) -> String {
    let (who, thing, event) = (who(row), thing(row), event(row));
    let done = match kind {
        _ if row.event_name.starts_with("Create") => format!("made {thing} again without a key of its own"),
        Kind::SseS3 => format!("put {thing} under S3's own keys"),
        Kind::NoKms => format!("switched off encryption with KMS for {thing}"),
        Kind::DkOwned => format!("put {thing} under a key that AWS owns"),
        _ => format!("set the key of {thing} to nothing"),
    };
    let follows = match (own, pending) {
        (Some(before), _) => format!("no longer under {}", key(before, posture)),
        (None, Some(before)) => {
            format!("no longer under {}, and these logs do not tell who manages that", key(before, posture))
        }
        (None, None) => "no longer under a key of its own, if it had one".to_owned(),
    };
    format!("{who} {done} ({event}): {follows}")
}
