//! A call becomes one request of one usage row.

use crate::kms::call::Call;
use crate::kms::context_pattern;
use crate::model::usage::{UsageCounts, UsageKey};

/// Counts `call`; `pattern` is a buffer to write the context pattern in.
pub(super) fn count(call: &Call<'_>, counts: &mut UsageCounts, pattern: &mut String) {
    let event = call.event;
    context_pattern::write(call.contexts.main(), pattern);
    let strings = &mut counts.strings;
    let key = UsageKey {
        event_source: strings.intern(event.source),
        event_name: strings.intern(event.name),
        operation_class: call.class.as_str(),
        account_id: strings.intern(event.account),
        region: strings.intern(event.region),
        key_arn: strings.intern(call.keys.arn.as_deref().unwrap_or_default()),
        key_ref: strings.intern(call.keys.named.unwrap_or_default()),
        destination_key_arn: strings.intern(call.keys.destination.unwrap_or_default()),
        key_evidence: call.keys.evidence,
        principal_arn: strings.intern(&call.principal.key),
        principal_type: call.principal.kind.as_str(),
        principal_account_id: strings.intern(call.principal.account.unwrap_or_default()),
        via_service: strings.intern(call.via.label()),
        context_pattern: strings.intern(pattern),
        error_code: strings.intern(event.error_code.unwrap_or_default()),
        side: call.side,
        hour: event.time.hour(),
    };
    counts.count(key, event.time, event.event_id);
}
