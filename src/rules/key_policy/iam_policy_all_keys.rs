//! IAM policies that give wide KMS rights on all keys (DOMAIN E.1, events of other services).

use crate::kms::call::Call;
use crate::kms::policy::actions::{ADMIN, Actions, USE};
use crate::kms::policy::document::{Policy, Statement, document};
use crate::model::json::Json;
use crate::model::percent;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

/// Rights that reach data, or the key itself, by their names in messages.
const WIDE: [&str; 4] = ["Decrypt", "PutKeyPolicy", "CreateGrant", "ScheduleKeyDeletion"];

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    ["CreatePolicy", "CreatePolicyVersion", "PutGroupPolicy", "PutRolePolicy", "PutUserPolicy"]
        .map(|name| ("iam.amazonaws.com", name))
        .to_vec()
}

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    if !call.succeeded() {
        return None;
    }
    let request = call.event.request;
    let policy = read(&document(request.get("policyDocument"))?)?;
    let wide = || policy.statements.iter().filter(|statement| is_wide(statement));
    let widest = wide().find(|statement| statement.conditions.is_empty()).or_else(|| wide().next())?;
    let waits = call.event.name == "CreatePolicyVersion" && request.get("setAsDefault").bool() != Some(true);
    let mut severity = rule.severity;
    if !widest.conditions.is_empty() || waits || settings.is_by_template(call) {
        severity = severity.lowered();
    }
    let name = ["policyName", "policyArn"].iter().find_map(|member| request.get(member).non_empty());
    let name = name.unwrap_or_default();
    let message = message(call, widest, name, waits);
    let mut draft = Draft::on(call, severity, message, settings)
        .with(if widest.not_action { "all_actions_but" } else { "actions" }, widest.patterns.clone());
    name.clone_into(&mut draft.subject.resource_arn);
    Some(draft)
}

fn message(call: &Call<'_>, widest: &Statement, name: &str, waits: bool) -> String {
    let (who, rights) = (phrase::who(call), rights(widest));
    let policy = format!("the IAM policy {}", name.rsplit('/').next().unwrap_or(name));
    let whom = match holder(call.event.request) {
        Some(holder) => format!("{holder}, by {policy}"),
        None => format!("whoever has {policy}"),
    };
    let narrowed = if widest.conditions.is_empty() { "" } else { ", under a condition" };
    let later = if waits { ", once that version is made the default" } else { "" };
    format!("{who} allowed {rights} on all KMS keys to {whom}{narrowed}{later}")
}

/// Whose inline policy it is; a managed one is whose it is attached to.
fn holder(request: Json<'_>) -> Option<String> {
    let named = |(kind, member): &(&str, &str)| Some(format!("{kind} {}", request.get(member).non_empty()?));
    let holders = [("role", "roleName"), ("user", "userName"), ("group", "groupName")];
    holders.iter().find_map(named)
}

/// Some records hold the document as it went over the wire.
fn read(document: &str) -> Option<Policy> {
    Policy::read(document).or_else(|| Policy::read(&percent::url_decoded(document)?))
}

fn is_wide(statement: &Statement) -> bool {
    let reaches = WIDE.iter().any(|name| statement.actions.meets(Actions::one(name)));
    statement.allows && reaches && statement.is_about_all_keys()
}

fn rights(statement: &Statement) -> String {
    if statement.actions.covers(ADMIN | USE) {
        return "all rights".to_owned();
    }
    let given: Vec<_> = WIDE.into_iter().filter(|name| statement.actions.meets(Actions::one(name))).collect();
    given.join(", ")
}
