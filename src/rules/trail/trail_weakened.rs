//! Changes of a trail after which it records less, proves less, or delivers elsewhere (DOMAIN E.1).

use super::CLOUDTRAIL;
use super::deed::Deed;
use super::target::Target;
use crate::kms::call::Call;
use crate::model::json::Json;
use crate::model::severity::Severity;
use crate::rules::Rule;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;

/// Settings that protect when true, and what their absence means.
const SWITCHES: [(&str, &str); 4] = [
    ("isMultiRegionTrail", "it records one Region only, and keys in all others go unseen"),
    ("isOrganizationTrail", "it records no other account of the organization, and their keys go unseen"),
    ("includeGlobalServiceEvents", "it leaves out IAM, STS and other global services"),
    ("enableLogFileValidation", "nobody can prove any more that its log files are unchanged"),
];

/// A setting as the request gives it, and what is lost by it.
struct Change {
    setting: String,
    loss: String,
}

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    vec![(CLOUDTRAIL, "UpdateTrail")]
}

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let request = call.event.request;
    let switched_off = switched_off(request);
    // Where it delivers may have been said again only: one record does not tell the place before.
    let severity = if switched_off.is_empty() { Severity::Medium } else { rule.severity };
    let changes: Vec<Change> = switched_off.into_iter().chain(place(request)).collect();
    if changes.is_empty() {
        return None;
    }
    let target = Target::of(call.event);
    let asked: Vec<&str> = changes.iter().map(|change| change.setting.as_str()).collect();
    let losses: Vec<&str> = changes.iter().map(|change| change.loss.as_str()).collect();
    // What was lost says it all; of an attempt, only what was asked for can be told.
    let what = if call.succeeded() { target.to_string() } else { format!("{target} ({})", asked.join("; ")) };
    let deed = Deed { severity, verb: ["changed", "change"], what, loss: &losses.join("; ") };
    Some(deed.draft(call, &target, settings)?.with("settings", asked))
}

fn switched_off(request: Json<'_>) -> Vec<Change> {
    let key = (request.get_any_case("kmsKeyId").str() == Some("")).then(|| Change {
        setting: "kmsKeyId empty".to_owned(),
        loss: "its log files are no longer under a KMS key of yours".to_owned(),
    });
    let switches = SWITCHES.iter().filter(|(name, _)| request.get_any_case(name).bool() == Some(false));
    let switches = switches.map(|(name, loss)| Change { setting: format!("{name} false"), loss: (*loss).to_owned() });
    key.into_iter().chain(switches).collect()
}

/// Where it is to deliver, if the request says so.
fn place(request: Json<'_>) -> Option<Change> {
    let bucket = request.get_any_case("s3BucketName").non_empty().map(|name| format!("bucket {name}"));
    let prefix = request.get_any_case("s3KeyPrefix").non_empty().map(|name| format!("prefix {name}"));
    let place = [bucket, prefix].into_iter().flatten().reduce(|bucket, prefix| format!("{bucket}, {prefix}"))?;
    let loss = format!(
        "it delivers to {place}, and if that is a new place, keytrail sees nothing of it before it reads there"
    );
    Some(Change { setting: place, loss })
}
