//! An S3 object written under a key that the client brought along and AWS does not keep (SSE-C).

use super::{copy_source, request};
use crate::kms::call::Call;
use crate::model::event::Event;
use crate::model::json::Json;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

/// S3's parameters are the headers of the request; the key itself is in none that is logged.
const CLIENT_KEY: &str = "x-amz-server-side-encryption-customer-algorithm";
const CLIENT_KEY_OF_SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-algorithm";

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let event = call.event;
    if !call.succeeded() || !is_under_client_key(event) {
        return None;
    }
    let bucket = request::first(event, &["bucketName"]).unwrap_or_default();
    let key = request::first(event, &["key"]).unwrap_or_default();
    let takes_away = takes_away(event, bucket, key);
    let severity = if takes_away { Severity::High } else { rule.severity };
    let (who, object) = (phrase::who(call), object(bucket, key));
    let message = if takes_away {
        format!(
            "{who} re-encrypted {object} in place under a key that AWS does not keep (SSE-C): \
             only who has that key can read it from now on, which is what ransom in S3 looks like"
        )
    } else {
        format!(
            "{who} wrote {object} under a key that AWS does not keep (SSE-C): \
             only who has that key can read it"
        )
    };
    let mut draft = Draft::on(call, severity, message, settings)
        .with("in_place", takes_away)
        .with("object_key", key)
        // They come by the thousand.
        .about(&[event.account, bucket, &call.principal.key, &event.time.date(), severity.as_str()]);
    bucket.clone_into(&mut draft.subject.resource_arn);
    Some(draft)
}

fn is_under_client_key(event: &Event<'_>) -> bool {
    has(event, CLIENT_KEY)
        || event.additional.get_any_case("SSEApplied").str().is_some_and(|how| how.eq_ignore_ascii_case("SSE_C"))
}

/// Whether data that others could read is under the client's key from now on. Under another client's
/// key it was out of their reach before.
fn takes_away(event: &Event<'_>, bucket: &str, key: &str) -> bool {
    let source = request::first(event, &["x-amz-copy-source"]);
    event.name == "CopyObject"
        && source.is_some_and(|source| copy_source::is_object(source, bucket, key))
        && !has(event, CLIENT_KEY_OF_SOURCE)
}

fn has(event: &Event<'_>, header: &str) -> bool {
    event.request.get_any_case(header).elements().any(|value: Json<'_>| value.non_empty().is_some())
}

fn object(bucket: &str, key: &str) -> String {
    let key = if key.is_empty() { "an object" } else { key };
    if bucket.is_empty() { key.to_owned() } else { format!("{key} in bucket {bucket}") }
}
