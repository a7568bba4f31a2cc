//! A service is told, by name, to encrypt with the AWS-managed default key (DOMAIN C.1, DK-EXPLICIT).

use super::services::{self, Service};
use crate::kms::call::Call;
use crate::kms::key_reference::alias_of;
use crate::model::arn::is_aws_managed_alias;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    // A failed call configured nothing.
    if !call.succeeded() {
        return None;
    }
    let event = call.event;
    let (service, alias) = services::of(event)
        .filter_map(|service| Some((service, named_default(service, call)?)))
        .max_by_key(|(service, _)| service.severity)?;
    let resource = service.resource_paths.iter().find_map(|path| path.first(event));
    let on = resource.as_deref().map(|resource| format!(" for {resource}")).unwrap_or_default();
    let (who, name) = (phrase::who(call), &service.service);
    let message = format!("{who} chose the default key {alias} in {name} {}{on}", event.name);
    let about = resource.as_deref().unwrap_or(event.event_id);
    // Calls on objects are many: one finding for a bucket and day. A resource is created once.
    let day = event.time.date();
    let mut draft = Draft::on(call, service.severity, message, settings)
        .with("kind", "DK-EXPLICIT")
        .with("service_rule", service.id.as_str())
        .about(&[&service.id, event.account, event.region, about, &day]);
    draft.subject.resource_arn = resource.unwrap_or_default();
    draft.subject.key_alias = alias;
    "aws".clone_into(&mut draft.subject.key_manager);
    Some(draft)
}

/// The default key that the request names where this service names keys.
fn named_default(service: &Service, call: &Call<'_>) -> Option<String> {
    let mut named = None;
    for path in &service.key_paths {
        path.each(call.event, &mut |text| {
            let alias = match alias_of(text) {
                Some(alias) => alias.to_owned(),
                None if text.starts_with("aws/") => format!("alias/{text}"),
                None => return,
            };
            if is_aws_managed_alias(&alias) {
                named.get_or_insert(alias);
            }
        });
    }
    named
}
