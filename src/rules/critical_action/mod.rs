//! Acts that change a key, its policy, grants, aliases, material or store: a table of acts, one
//! severity algorithm.

mod acts;
mod severity;

use crate::kms::call::Call;
use crate::kms::grant::Grant;
use crate::kms::operations::OperationClass;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub use acts::RULES;

fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let verdict = severity::judge(rule.severity, call, settings);
    if verdict.severity == Severity::Info {
        return None;
    }
    let mut draft =
        Draft::on(call, verdict.severity, message(call, &verdict.notes), settings).with("tags", verdict.tags);
    if call.class == OperationClass::Service {
        // KMS may record what it does by itself several times within seconds.
        draft = draft.about(&[call.keys.arn.as_deref().unwrap_or_default(), &call.event.time.date()]);
    }
    Some(verdict.facts.into_iter().fold(draft, |draft, (name, value)| draft.with(name, value)))
}

fn message(call: &Call<'_>, notes: &[String]) -> String {
    let (done, tried) = acts::words(call.event.name);
    let who = match &*call.principal.key {
        "svc:kms" => "KMS".to_owned(),
        _ => phrase::who(call),
    };
    let mut text = if call.succeeded() {
        format!("{who} {}", filled_in(done, call))
    } else {
        format!("{who} tried to {} and failed ({})", filled_in(tried, call), phrase::failure(call))
    };
    for note in notes {
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
        "grantee" => Grant::of(call.event.request).grantee.to_owned(),
        "store" => store(call),
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
