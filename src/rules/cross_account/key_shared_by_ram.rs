//! KMS keys put into a share of AWS RAM (DOMAIN A.8 and E.1, XA-RAM): the share's own policy on the
//! key never appears in a `PutKeyPolicy`.

use crate::kms::accounts::{Accounts, Standing};
use crate::kms::call::Call;
use crate::kms::grant::account_of;
use crate::model::arn::{Arn, is_account_id};
use crate::model::event::Event;
use crate::model::json::Json;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, attempt, phrase};

/// Principals that a message names; a share may have hundreds.
const NAMED: usize = 3;

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    ["AssociateResourceShare", "CreateResourceShare"].map(|name| ("ram.amazonaws.com", name)).to_vec()
}

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let event = call.event;
    let keys: Vec<&str> = texts(event.request.get_any_case("resourceArns")).filter(|arn| is_key(arn)).collect();
    let first = *keys.first()?;
    let principals: Vec<&str> = texts(event.request.get_any_case("principals")).collect();
    let strangers = strangers(&principals, &settings.accounts, event.account);
    let opens = event.request.get_any_case("allowExternalPrincipals").bool();

    let is_worse = opens == Some(true) || !strangers.is_empty();
    let base = if is_worse { Severity::Critical } else { rule.severity };
    let severity = attempt::severity(call.ending, base)?;
    let what = format!("{} {} through AWS RAM", key_names(&keys), with_whom(event.name, &principals));
    let mut draft = Draft::on(call, severity, message(call, &what, opens, &strangers), settings)
        .with("keys", keys)
        .with("principals", principals);
    if !strangers.is_empty() {
        draft = draft.with("unknown_accounts", strangers);
    }
    if let Some(opens) = opens {
        draft = draft.with("allow_external_principals", opens);
    }
    first.clone_into(&mut draft.subject.key_arn);
    share(event).clone_into(&mut draft.subject.resource_arn);
    Some(draft)
}

fn message(call: &Call<'_>, what: &str, opens: Option<bool>, strangers: &[&str]) -> String {
    let mut parts = vec![phrase::deed(call, ["shared", "share"], what)];
    if !strangers.is_empty() {
        parts.push(format!("in no list of your accounts: {}", few(strangers, str::to_owned)));
    }
    if call.succeeded() {
        if opens == Some(true) {
            parts.push("the share admits accounts outside of the organization".to_owned());
        }
        parts.push("the key policy does not show it".to_owned());
    }
    parts.join("; ")
}

fn texts(list: Json<'_>) -> impl Iterator<Item = &str> {
    list.elements().filter_map(Json::non_empty)
}

/// Whatever the id looks like: RAM takes keys only, no aliases.
fn is_key(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "kms" && arn.resource.starts_with("key/"))
}

/// Accounts of principals that no list of the configuration names. Where it names no own accounts, nobody can tell.
fn strangers<'p>(principals: &[&'p str], accounts: &Accounts, recipient: &str) -> Vec<&'p str> {
    let mut strangers: Vec<&str> = principals
        .iter()
        .filter(|principal| !is_organization(principal))
        .filter_map(|principal| account_of(principal))
        .filter(|account| accounts.standing(account, recipient) == Standing::Foreign)
        .collect();
    strangers.sort_unstable();
    strangers.dedup();
    strangers
}

/// An organization or a part of one: the account in its ARN is the one that manages it, and RAM takes
/// only the sharer's own organization.
fn is_organization(principal: &str) -> bool {
    Arn::parse(principal).is_some_and(|arn| arn.service == "organizations")
}

fn key_names(keys: &[&str]) -> String {
    let first = phrase::named_key(keys.first().copied().unwrap_or_default(), None);
    match keys.len() {
        ..=1 => first,
        many => format!("{first} and {} more", many - 1),
    }
}

fn with_whom(event: &str, principals: &[&str]) -> String {
    match event {
        _ if !principals.is_empty() => format!("with {}", few(principals, named)),
        "CreateResourceShare" => "with nobody yet".to_owned(),
        _ => "with all who have that share".to_owned(),
    }
}

/// The first names, and how many more there are.
fn few(names: &[&str], word: fn(&str) -> String) -> String {
    let first = names.iter().take(NAMED).map(|name| word(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn named(principal: &str) -> String {
    if is_account_id(principal) { format!("account {principal}") } else { principal.to_owned() }
}

/// The share's ARN, or its name where that is all there is.
fn share<'a>(event: &Event<'a>) -> &'a str {
    let made = event.response.get_any_case("resourceShare").get_any_case("resourceShareArn");
    let places = [event.request.get_any_case("resourceShareArn"), made, event.request.get_any_case("name")];
    places.iter().find_map(|place| place.non_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_strange_only_where_lists_say_so() {
        let organization = "arn:aws:organizations::555555555555:organization/o-exampleorgid";
        let role = "arn:aws:iam::444455556666:role/Reader";
        let principals = ["111122223333", role, organization, "444455556666", "s3.amazonaws.com", "*"];
        let strangers = |accounts: &Accounts| strangers(&principals, accounts, "111122223333").join(",");
        let mut accounts = Accounts::default();
        assert_eq!(strangers(&accounts), "");
        accounts.own.insert("111122223333".to_owned());
        assert_eq!(strangers(&accounts), "444455556666");
        accounts.trusted.insert("444455556666".to_owned());
        assert_eq!(strangers(&accounts), "");
    }
}
