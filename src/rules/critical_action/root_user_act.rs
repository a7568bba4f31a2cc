//! Acts that are ordinary for others, done by the root user (DOMAIN E.2: by root, any write is high).

use crate::kms::call::Call;
use crate::kms::principal::PrincipalKind;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

/// Writes that have no finding of their own when others do them.
pub(super) const EVENTS: &[&str] = &["EnableKeyRotation", "RetireGrant", "RotateKeyOnDemand", "UpdateKeyDescription"];

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    if call.principal.kind != PrincipalKind::Root || !call.via.is_direct() || !call.succeeded() {
        return None;
    }
    // That of a long period is a finding already, and knows of root.
    if call.event.request.get("rotationPeriodInDays").i64().is_some_and(|days| days > 365) {
        return None;
    }
    let (who, event, key) = (phrase::who(call), call.event.name, phrase::key(call));
    let message = format!("{who} called {event} on {key}; nobody needs the root user to administer keys");
    Some(Draft::on(call, rule.severity, message, settings).with("tags", vec!["root"]))
}
