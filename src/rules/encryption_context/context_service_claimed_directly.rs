//! A principal that sends, in its own name, a context that only a service sends (DOMAIN D.5, CTX-04).

use super::{day, draft, key, key_arn};
use crate::kms::call::Call;
use crate::kms::context_names::plain;
use crate::kms::failure::Ending;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    if !call.via.is_direct() || call.principal.is_aws() {
        return None;
    }
    let (severity, pair, service) = call
        .contexts
        .pairs()
        .iter()
        .filter_map(|pair| {
            let known = pair.known.filter(|known| !known.direct_is_legitimate())?;
            Some((severity(plain(pair.name)), pair, known.service))
        })
        .max_by_key(|(severity, ..)| *severity)?;
    let (severity, verb) = match call.ending {
        Ending::Succeeded => (severity, "called"),
        Ending::DryRun => return None,
        _ => (severity.lowered(), "failed to call"),
    };
    let (who, key, operation, name) = (phrase::who(call), key(call, pair), call.event.name, plain(pair.name));
    let message = format!("{who} {verb} {operation} on {key} directly with {name}, which only {service} sends");
    let key_arn = key_arn(call, pair);
    Some(
        draft(call, pair, severity, message, settings)
            .with("context_key", name)
            .with("claimed_service", service)
            .about(&[key_arn, &call.actor(), name, call.event.name, call.event.error_code.unwrap_or(""), &day(call)]),
    )
}

/// Contexts that stand for data which has another, watched way out.
fn severity(name: &str) -> Severity {
    match name {
        "SecretARN" | "aws:ebs:id" | "aws:s3:arn" | "aws:cloudtrail:arn" => Severity::High,
        _ if name.starts_with("aws:dynamodb:") => Severity::High,
        _ => Severity::Medium,
    }
}
