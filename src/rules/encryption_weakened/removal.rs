//! An act of the table becomes a finding: how bad it is, on what, in which words.

use super::acts::{self, Act, On};
use super::request;
use crate::kms::call::Call;
use crate::kms::failure::{Ending, plain_code};
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let event = call.event;
    let act = acts::of(event.name)?;
    let severity = severity(rule.severity, call, settings)?;
    let resource = resource(act, event);
    let (who, place) = (phrase::who(call), place(act, event, resource));
    let message = match event.error_code {
        None => format!("{who} {} {place}: {}", act.done, act.follows),
        Some(code) => format!("{who} tried to {} {place} and was refused ({code})", act.tried),
    };
    let mut draft = Draft::on(call, severity, message, settings);
    resource.unwrap_or_default().clone_into(&mut draft.subject.resource_arn);
    // A bare id or a customer's alias is in no column: the record does not say whose it is.
    Some(match event.request.get("keyId").non_empty() {
        Some(key) => draft.with("key_id", key),
        None => draft,
    })
}

/// `None` if it is worth no finding.
fn severity(base: Severity, call: &Call<'_>, settings: &Settings) -> Option<Severity> {
    match call.ending {
        // A template was reviewed, or can be.
        Ending::Succeeded if settings.is_by_template(call) => Some(base.lowered().max(Severity::Low)),
        Ending::Succeeded => Some(base),
        // What is low when it succeeds is nothing when it is refused.
        _ if base > Severity::Low && was_refused(call) => Some(Severity::Low),
        _ => None,
    }
}

/// EC2 has a word of its own for what others call `AccessDenied`.
fn was_refused(call: &Call<'_>) -> bool {
    call.ending == Ending::Denied || call.event.error_code.map(plain_code) == Some("UnauthorizedOperation")
}

/// A refused call may name the resource in `resources` only.
fn resource<'a>(act: &Act, event: &Event<'a>) -> Option<&'a str> {
    match act.on {
        On::Resource(_, members) => request::first(event, members)
            .or_else(|| event.resources.elements().find_map(|r| r.get_any_case("ARN").non_empty())),
        On::Region => None,
    }
}

fn place(act: &Act, event: &Event<'_>, resource: Option<&str>) -> String {
    match (&act.on, resource) {
        (On::Resource(kind, _), Some(name)) => format!("{kind} {name}"),
        (On::Resource(kind, _), None) => format!("a {kind} that the record does not name"),
        (On::Region, _) => format!("account {} in {}", event.account, event.region),
    }
}
