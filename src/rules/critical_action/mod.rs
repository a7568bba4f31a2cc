//! Acts that change a key, its policy, grants, aliases, material or store: a table of acts, one
//! severity algorithm.

mod acts;
mod severity;

use crate::kms::call::Call;
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
    let mut draft = Draft::on(call, verdict.severity, message(call, &verdict.notes), settings).with("tags", verdict.tags);
    if call.class == OperationClass::Service {
        // KMS may record what it does by itself several times within seconds.
        draft = draft.about(&[call.keys.arn.as_deref().unwrap_or_default(), &call.event.time.date()]);
    }
    Some(verdict.facts.into_iter().fold(draft, |draft, (name, value)| draft.with(name, value)))
}

fn message(call: &Call<'_>, notes: &[String]) -> String {
    let (done, tried) = acts::words(call.event.name);
    let object = match call.class {
        OperationClass::KeyStore => store(call),
        _ => phrase::key(call),
    };
    let who = phrase::who(call);
    let mut text = if call.succeeded() {
        format!("{who} {done} {object}")
    } else {
        format!("{who} tried to {tried} {object} and failed ({})", call.event.error_code.unwrap_or_default())
    };
    for note in notes {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

fn store(call: &Call<'_>) -> String {
    let (request, response) = (call.event.request, call.event.response);
    let name = [request.get("customKeyStoreId"), request.get("customKeyStoreName"), response.get("customKeyStoreId")]
        .iter()
        .find_map(|value| value.non_empty());
    name.map_or_else(|| "a custom key store".to_owned(), |name| format!("custom key store {name}"))
}
