//! A context whose ARN or account id is neither the caller's nor the key owner's (DOMAIN D.5, CTX-05).

use super::{day, draft, key, key_arn};
use crate::kms::call::Call;
use crate::kms::context_names::{AccountIn, ContextName, plain};
use crate::kms::failure::Ending;
use crate::kms::sensitive;
use crate::model::arn::{Arn, is_account_id};
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    if call.ending == Ending::DryRun {
        return None;
    }
    let (severity, pair, what) = call
        .contexts
        .pairs()
        .iter()
        .filter_map(|pair| {
            let (severity, what) = foreign(pair.known?, pair.value, call, settings)?;
            Some((severity, pair, what))
        })
        .max_by_key(|(severity, ..)| *severity)?;
    let (name, value) = (plain(pair.name), pair.value);
    let (who, key, operation) = (phrase::who(call), key(call, pair), call.event.name);
    let verb = if call.succeeded() { "called" } else { "failed to call" };
    let message = format!("{who} {verb} {operation} on {key} with {name} of {what}");
    let key_arn = key_arn(call, pair);
    let mut draft = draft(call, pair, severity, message, settings).with("context_key", name).about(&[
        key_arn,
        &call.actor(),
        name,
        &what,
        call.event.error_code.unwrap_or(""),
        &day(call),
    ]);
    if Arn::parse(value).is_some() && sensitive::in_value(name, value).is_none() {
        value.clone_into(&mut draft.subject.resource_arn);
    }
    Some(draft)
}

/// What is foreign about a known name's value, and how bad that is.
fn foreign(known: &ContextName, value: &str, call: &Call<'_>, settings: &Settings) -> Option<(Severity, String)> {
    let arn = Arn::parse(value);
    let account = match known.account {
        AccountIn::Plain => value,
        AccountIn::Arn | AccountIn::OrganizationArn => arn?.account,
        AccountIn::Nothing => return None,
    };
    let ours = [call.keys.owner(), call.principal.account, Some(call.event.account)];
    if is_account_id(account) && !ours.contains(&Some(account)) {
        let known_account = settings.accounts.names(account);
        if known.account == AccountIn::OrganizationArn && (known_account || settings.accounts.organization.is_empty()) {
            return None;
        }
        // Where the configuration does not tell whose accounts are ours, it may be a sister's.
        let foreign = !known_account && settings.accounts.are_told();
        let severity = if foreign { Severity::Medium } else { Severity::Low };
        return Some((severity, format!("account {account}")));
    }
    // The replica of a secret keeps the Region of its own ARN; all others are where the call is.
    let region = arn.map(|arn| arn.region).filter(|region| known.region && !region.is_empty())?;
    (region != call.event.region && known.name != "SecretARN").then(|| (Severity::Low, format!("Region {region}")))
}
