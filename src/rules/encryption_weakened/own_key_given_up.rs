//! Resources that were under a customer's key and are under none of KMS now (DOMAIN C.1, CLEARED, and
//! the way back from a key of one's own).
//!
//! Back to a default key is `default-key-configured`'s; topics, queues and trails have rules of their own,
//! which see it at once.

use crate::kms::configuration::Kind;
use crate::model::resources::Resource;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::phrase::principal;
use crate::rules::posture::Posture;

/// Settings of which other rules tell, or of which one object says nothing about the next.
const OTHERS: [&str; 4] = ["cloudtrail.trail", "s3.put_object", "sns.topic", "sqs.queue"];

pub(super) fn judge(posture: &Posture<'_>) -> Vec<Draft> {
    let resources = posture.resources.iter().filter(|resource| !OTHERS.contains(&resource.setting));
    resources.filter_map(|resource| verdict(&resource, posture)).collect()
}

fn verdict(resource: &Resource<'_>, posture: &Posture<'_>) -> Option<Draft> {
    // The one that was made last is what holds now.
    let now = resource.choices.last()?;
    let kind = posture.kind(now);
    let what = words(kind)?;
    let before = resource.choices.iter().rev().find(|row| posture.kind(row) == Kind::Cmk && row.last < now.first);
    let (severity, before) = match (before, kind) {
        (Some(row), _) => (Severity::Medium, format!("; until then it was under {}", row.key_ref)),
        // What was taken off was there, seen or not.
        (None, Kind::Cleared) => (Severity::Low, String::new()),
        (None, _) => return None,
    };
    let name = if now.resource.is_empty() { "a resource" } else { now.resource };
    let message =
        format!("{} {what} {name} in {} ({}){before}", principal(now.principal_arn), now.service, now.event_name);
    let draft = Draft::on_configuration(now, severity, message).with("kind", kind.as_str());
    let draft = draft.with("service_rule", now.service_rule);
    Some(draft.about(&[resource.setting, resource.account_id, resource.region, resource.name, &now.first.rfc3339()]))
}

fn words(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Cleared => Some("took the customer's key off"),
        Kind::SseS3 => Some("went back to keys of S3 for"),
        Kind::NoKms => Some("set no KMS key for"),
        Kind::DkOwned => Some("went back to a key that AWS owns for"),
        _ => None,
    }
}
