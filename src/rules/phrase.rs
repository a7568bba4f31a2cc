//! Words for messages: who, which key, through what.

use crate::kms::call::Call;
use crate::kms::failure::Ending;
use crate::kms::principal::UNNAMED;
use crate::kms::via::Via;
use crate::model::arn::{Arn, is_aws_managed_alias};
use crate::model::key_change::KeyChange;

/// Names that [`some`] shows.
const SHOWN: usize = 3;

/// The person, program or service that acted, as short as it stays clear.
#[must_use]
pub fn who(call: &Call<'_>) -> String {
    actor(&call.principal.key, call.principal.session.unwrap_or_default(), call.via.label())
}

/// See [`who`].
#[must_use]
pub fn who_changed(change: &KeyChange) -> String {
    actor(&change.principal_arn, &change.session_name, &change.via_service)
}

/// See [`who`]; of a row's columns.
#[must_use]
pub fn actor(key: &str, session: &str, via: &str) -> String {
    let name = principal(key);
    // A person is known by the session, a program by the role.
    let actor = if session.contains('@') { format!("{session} ({name})") } else { name };
    match via {
        // KMS's own record of what it did for the actor, in another Region.
        "" | "kms" => actor,
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
        format!("{who} tried to {tried} {what} and {}", failure(call))
    }
}

/// How a call failed: its error code, and the reason where it tells more than the code.
#[must_use]
pub fn failure(call: &Call<'_>) -> String {
    let failed = if call.ending == Ending::Denied { "was refused" } else { "failed" };
    let code = call.event.error_code.unwrap_or_default();
    match call.failure_reason() {
        "" | "denied" | "invalid request" | "key store trouble" | "not found" | "other error" | "service trouble" => {
            format!("{failed} ({code})")
        }
        reason => format!("{failed} ({code}: {reason})"),
    }
}

/// The last part of a principal's ARN; for the owner's copy of a foreign call, its account.
#[must_use]
pub fn principal(key: &str) -> String {
    if key.is_empty() || key == UNNAMED {
        return "somebody whom the record does not name".to_owned();
    }
    if let Some(service) = key.strip_prefix("svc:") {
        return service.to_owned();
    }
    if let Some(caller) = key.strip_prefix("acct:") {
        // All that the copy tells besides is the id of the user or role.
        return match caller.split_once('/') {
            Some((account, id)) => format!("account {account} ({id})"),
            None => format!("account {caller}"),
        };
    }
    match Arn::parse(key) {
        Some(arn) if arn.resource == "root" => format!("the root user of account {}", arn.account),
        _ => key.rsplit('/').next().unwrap_or(key).to_owned(),
    }
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

/// `account 444455556666`, `accounts 444455556666, 555555555555`; no more than [`some`].
#[must_use]
pub fn accounts(accounts: &[String]) -> String {
    let ending = if accounts.len() == 1 { "" } else { "s" };
    format!("account{ending} {}", some(accounts))
}

/// `a, b, c and 27 more`: the first few, since the evidence has all.
#[must_use]
pub fn some<T: AsRef<str>>(parts: &[T]) -> String {
    let first: Vec<&str> = parts.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match parts.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn listed<T: AsRef<str>>(parts: &[T]) -> String {
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// `1 request`, `2 requests`.
#[must_use]
pub fn counted(count: i64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_named_as_one_calls_them() {
        assert_eq!(principal("arn:aws:iam::111122223333:role/path/App"), "App");
        assert_eq!(principal("arn:aws:iam::111122223333:root"), "the root user of account 111122223333");
        assert_eq!(principal("acct:444455556666"), "account 444455556666");
        assert_eq!(principal("acct:444455556666/AROAEXAMPLEROLE"), "account 444455556666 (AROAEXAMPLEROLE)");
        assert_eq!(principal("svc:ebs"), "ebs");
    }

    #[test]
    fn lists_read_as_sentences_do() {
        assert_eq!(listed::<&str>(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
