//! A service is told, by name, to encrypt with the AWS-managed default key (DOMAIN C.1, DK-EXPLICIT).

use crate::kms::call::Call;
use crate::kms::configuration::{self, Choice, default_alias};
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    // A failed call configured nothing.
    if !call.succeeded() {
        return None;
    }
    let event = call.event;
    let by_name = configuration::read(event)
        .into_iter()
        .filter(|configured| configured.choice == Choice::NamedDefault && !configured.from_response)
        .max_by_key(|configured| configured.row.severity)?;
    let alias = by_name.key.as_deref().and_then(default_alias)?;
    let (row, resource) = (by_name.row, by_name.resource);
    let on = resource.as_deref().map(|resource| format!(" for {resource}")).unwrap_or_default();
    let (who, name) = (phrase::who(call), &row.service);
    let message = format!("{who} chose the default key {alias} in {name} {}{on}", event.name);
    let about = resource.as_deref().unwrap_or(event.event_id);
    // Calls on objects are many: one finding for a bucket and day. A resource is created once.
    let day = event.time.date();
    let mut draft = Draft::on(call, row.severity, message, settings)
        .with("kind", "DK-EXPLICIT")
        .with("service_rule", row.id.as_str())
        .about(&[&row.id, event.account, event.region, about, &day]);
    draft.subject.resource_arn = resource.unwrap_or_default();
    draft.subject.key_alias = alias;
    "aws".clone_into(&mut draft.subject.key_manager);
    Some(draft)
}
