//! An SQS queue or an SNS topic whose KMS key is set to nothing.

use super::{removal, request};
use crate::kms::call::Call;
use crate::model::event::Event;
use crate::model::json::Json;
use crate::rules::Rule;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;

/// The attribute that names the key, of both services.
const KEY: &str = "KmsMasterKeyId";

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let event = call.event;
    if !(empties_topic(event) || empties_queue(event)) {
        return None;
    }
    let draft = removal::check(rule, call, settings)?;
    let resource = draft.subject.resource_arn.clone();
    // Who saves a queue in the console sends every attribute each time.
    Some(draft.about(&[event.account, event.region, &resource, &call.principal.key, &event.time.date()]))
}

fn empties_topic(event: &Event<'_>) -> bool {
    event.name == "SetTopicAttributes"
        && request::first(event, &["attributeName"]).is_some_and(|name| name.eq_ignore_ascii_case(KEY))
        && is_nothing(event.request.get_any_case("attributeValue"))
}

fn empties_queue(event: &Event<'_>) -> bool {
    event.name == "SetQueueAttributes"
        && ["attributes", "attribute"]
            .iter()
            .flat_map(|member| event.request.get_any_case(member).elements())
            .flat_map(Json::members)
            .any(|(name, value)| name.eq_ignore_ascii_case(KEY) && is_nothing(value))
}

fn is_nothing(value: Json<'_>) -> bool {
    value.is_null() || value.str().is_some_and(|text| text.trim().is_empty())
}
