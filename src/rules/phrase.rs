//! Words for messages: who, which key, through what.

use crate::kms::call::Call;
use crate::kms::via::Via;
use crate::model::arn::is_aws_managed_alias;

/// The person, program or service that acted, as short as it stays clear.
#[must_use]
pub fn who(call: &Call<'_>) -> String {
    let name = principal(&call.principal.key);
    let actor = match call.principal.session {
        Some(session) if session.contains('@') => format!("{session} ({name})"),
        _ => name.to_owned(),
    };
    match call.via.label() {
        "" => actor,
        // A service that acts in its own name is named already.
        service if actor == service => actor,
        Via::HIDDEN => format!("{actor} through a service that the record hides"),
        service => format!("{actor} through {service}"),
    }
}

/// Who did something to `what`, or was refused it; `verb` is as in `["deleted", "delete"]`.
#[must_use]
pub fn deed(call: &Call<'_>, [done, tried]: [&str; 2], what: &str) -> String {
    let who = who(call);
    if call.succeeded() {
        format!("{who} {done} {what}")
    } else {
        format!("{who} tried to {tried} {what} and was refused ({})", failure(call))
    }
}

/// Why a call failed: its error code, and what the message says beyond that.
#[must_use]
pub fn failure(call: &Call<'_>) -> String {
    let code = call.event.error_code.unwrap_or_default();
    match call.failure_reason() {
        "" | "denied" | "other error" => code.to_owned(),
        reason => format!("{code}: {reason}"),
    }
}

/// The last part of a principal's ARN; `account 444455556666` for the owner's copy of a foreign call.
#[must_use]
pub fn principal(key: &str) -> &str {
    if let Some(service) = key.strip_prefix("svc:") {
        return service;
    }
    if key.ends_with(":root") || key.starts_with("acct:") {
        return key.strip_prefix("acct:").unwrap_or(key);
    }
    key.rsplit('/').next().unwrap_or(key)
}

/// The key as an operator would call it: by alias, by id, or what the request named.
#[must_use]
pub fn key(call: &Call<'_>) -> String {
    let arn = call.keys.arn.as_deref().or(call.keys.named);
    named_key(arn.unwrap_or_default(), call.keys.alias)
}

/// See [`key`].
#[must_use]
pub fn named_key(arn: &str, alias: Option<&str>) -> String {
    let id = arn.rsplit_once("key/").map_or(arn, |(_, id)| id);
    match (alias, id) {
        (Some(alias), id) if id.is_empty() || id == alias || id.ends_with(alias) => alias.to_owned(),
        (Some(alias), id) => format!("{alias} ({id})"),
        (None, "") => "an unnamed key".to_owned(),
        (None, id) => format!("key {id}"),
    }
}

/// What an alias proves about the key's manager.
#[must_use]
pub fn manager(alias: Option<&str>) -> &'static str {
    match alias {
        Some(alias) if is_aws_managed_alias(alias) => "aws",
        _ => "",
    }
}

/// `1 request`, `2 requests`.
#[must_use]
pub fn counted(count: i64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
