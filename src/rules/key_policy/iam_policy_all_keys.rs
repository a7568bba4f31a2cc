//! IAM policies that give wide KMS rights on all keys (DOMAIN E.1, events of other services).

use crate::kms::call::Call;
use crate::kms::policy::actions::{ADMIN, Actions, USE};
use crate::kms::policy::document::{Policy, Statement};
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
    let policy = read(request.get("policyDocument").str()?)?;
    let wide = || policy.statements.iter().filter(|statement| is_wide(statement));
    let widest = wide().find(|statement| statement.conditions.is_empty()).or_else(|| wide().next())?;
    let mut severity = rule.severity;
    if !widest.conditions.is_empty() || call.via.label() == "cloudformation" {
        severity = severity.lowered();
    }
    let name = ["policyName", "policyArn"].iter().find_map(|member| request.get(member).non_empty());
    let holder = ["roleName", "userName", "groupName"].iter().find_map(|member| request.get(member).non_empty());
    let holder = holder.map(|holder| format!(" of {holder}")).unwrap_or_default();
    let narrowed = if widest.conditions.is_empty() { "" } else { ", under a condition" };
    let message = format!(
        "{} gave {} on all KMS keys by the IAM policy {}{holder}{narrowed}",
        phrase::who(call),
        rights(widest),
        name.unwrap_or("without a name"),
    );
    let mut draft = Draft::on(call, severity, message, settings).with("actions", widest.patterns.clone());
    name.unwrap_or_default().clone_into(&mut draft.subject.resource_arn);
    Some(draft)
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
