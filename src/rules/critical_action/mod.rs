//! Acts that change a key, its policy, grants, aliases, material or store: a table of acts, one
//! severity algorithm.

mod acts;
mod get_public_key;
mod root_user_act;
mod rotate_key_on_demand;
mod severity;

use crate::kms::call::Call;
use crate::kms::grant::Grant;
use crate::kms::operations::OperationClass;
use crate::model::json::Json;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Check, Events, Rule, phrase};

pub use acts::RULES;

/// Whether an act of KMS that was refused is a finding of its own rule. That on root reports none.
#[must_use]
pub fn reports_refusals(event_name: &str) -> bool {
    RULES.iter().any(|rule| match &rule.check {
        Check::Event { events: Events::Kms(names), .. } => {
            rule.severity >= acts::ATTEMPT_MATTERS_FROM
                && names.contains(&event_name)
                && !root_user_act::EVENTS.contains(&event_name)
        }
        _ => false,
    })
}

fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let verdict = severity::judge(rule.severity, call, settings);
    if verdict.severity == Severity::Info {
        return None;
    }
    let mut draft =
        Draft::on(call, verdict.severity, message(call, &verdict.notes), settings).with("tags", verdict.tags);
    if call.class == OperationClass::Service {
        // KMS may record what it does by itself several times within seconds. A key is deleted once, but a
        // replica may be made again.
        let arn = call.keys.arn.as_deref().unwrap_or_default();
        let is_once = call.event.name == "DeleteKey" && !arn.contains(":key/mrk-");
        let when = if is_once { String::new() } else { call.event.time.date() };
        draft = draft.about(&[arn, &when]);
    }
    Some(verdict.facts.into_iter().fold(draft, |draft, (name, value)| draft.with(name, value)))
}

fn message(call: &Call<'_>, notes: &[String]) -> String {
    let (done, tried) = acts::words(call.event.name);
    let who = match &*call.principal.key {
        "svc:kms" => "KMS".to_owned(),
        _ => phrase::who(call),
    };
    let (mut text, then) = if call.succeeded() {
        (format!("{who} {}", filled_in(done, call)), acts::consequence(call.event.name))
    } else {
        (format!("{who} tried to {} and {}", filled_in(tried, call), phrase::failure(call)), None)
    };
    for note in then.into_iter().chain(notes.iter().map(String::as_str)) {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

/// The words of an act, with what the record names. A name is put in last, so that none is read as
/// a place for another.
fn filled_in(words: &str, call: &Call<'_>) -> String {
    let parts = words.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (place, after))) = parts else { return words.to_owned() };
    let name = match place {
        "alias" => call.keys.alias.unwrap_or("an alias").to_owned(),
        "grantee" => match Grant::of(call.event.request).grantee {
            "" => "somebody whom the record does not name".to_owned(),
            grantee => grantee.to_owned(),
        },
        "grant" => grant(call.event.request),
        "operations" => operations(call),
        "region" => region(call),
        "store" => store(call),
        "tags" => tags(call.event.request),
        // The alias has been named already.
        _ if call.class == OperationClass::Alias => {
            phrase::named_key(call.keys.arn.as_deref().unwrap_or_default(), None)
        }
        _ => phrase::key(call),
    };
    format!("{before}{name}{}", filled_in(after, call))
}

fn store(call: &Call<'_>) -> String {
    let (request, response) = (call.event.request, call.event.response);
    let name = [request.get("customKeyStoreId"), request.get("customKeyStoreName"), response.get("customKeyStoreId")]
        .iter()
        .find_map(|value| value.non_empty());
    name.map_or_else(|| "a custom key store".to_owned(), |name| format!("custom key store {name}"))
}

/// A grant by its id, as far as that tells grants apart.
fn grant(request: Json<'_>) -> String {
    let id = request.get("grantId").non_empty().map(|id| id.chars().take(8).collect::<String>());
    id.map_or_else(|| "a grant".to_owned(), |id| format!("grant {id}…"))
}

fn operations(call: &Call<'_>) -> String {
    let operations = Grant::of(call.event.request).operations;
    if operations.is_empty() { "use".to_owned() } else { operations.join(", ") }
}

/// The Region that a request names.
fn region(call: &Call<'_>) -> String {
    let named = ["replicaRegion", "primaryRegion"].iter().find_map(|name| call.event.request.get(name).non_empty());
    named.unwrap_or("another Region").to_owned()
}

/// Tags by their keys. Their values may be private.
fn tags(request: Json<'_>) -> String {
    let set = request.get("tags").elements().filter_map(|tag| tag.get_any_case("tagKey").str());
    let names: Vec<_> = set.chain(request.get("tagKeys").elements().filter_map(Json::str)).collect();
    match names.as_slice() {
        [] => "tags".to_owned(),
        [one] => format!("tag {one}"),
        many => format!("tags {}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::kms::policy::weakness::Weakness;

    #[test]
    fn every_weakness_stands_on_the_page() {
        let page = crate::rules::find("put-key-policy").expect("a rule").page;
        for id in Weakness::ALL.iter().map(|weakness| weakness.id()).chain(["P15"]) {
            assert!(page.contains(&format!("\n- **{id}**, ")), "{id} is not in the list");
        }
    }
}
