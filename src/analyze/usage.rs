//! Calls become requests of usage rows.

use crate::kms::attestation::Attestation;
use crate::kms::call::Call;
use crate::kms::context_pattern;
use crate::model::strings::Symbol;
use crate::model::usage::{UsageCounts, UsageKey};

/// Counts the calls of one object.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) counts: UsageCounts,
    /// The last row counted: of neighbours most texts are equal.
    last: Option<UsageKey>,
}

impl Counter {
    /// Counts `call`; `pattern` is a buffer to write the context pattern in.
    pub(super) fn count(&mut self, call: &Call<'_>, pattern: &mut String) {
        let event = call.event;
        context_pattern::write(call.contexts.main(), pattern);
        let mut of_destination = String::new();
        if call.contexts.destination().is_object() {
            context_pattern::write(call.contexts.destination(), &mut of_destination);
        }
        let image = Attestation::of(event).and_then(|enclave| enclave.image());
        let (strings, last) = (&mut self.counts.strings, self.last);
        let mut symbol = |text: &str, of: fn(&UsageKey) -> Symbol| match last.as_ref().map(of) {
            _ if text.is_empty() => Symbol::EMPTY,
            Some(symbol) if is_same(strings.get(symbol), text) => symbol,
            _ => strings.intern(text),
        };
        let key = UsageKey {
            event_source: symbol(event.source, |k| k.event_source),
            event_name: symbol(event.name, |k| k.event_name),
            operation_class: symbol(call.class.as_str(), |k| k.operation_class),
            account_id: symbol(event.account, |k| k.account_id),
            region: symbol(event.region, |k| k.region),
            key_arn: symbol(call.keys.arn.as_deref().unwrap_or_default(), |k| k.key_arn),
            key_ref: symbol(call.keys.named.unwrap_or_default(), |k| k.key_ref),
            destination_key_arn: symbol(call.keys.destination.unwrap_or_default(), |k| k.destination_key_arn),
            key_evidence: call.keys.evidence,
            principal_arn: symbol(&call.principal.key, |k| k.principal_arn),
            principal_type: symbol(call.principal.kind.as_str(), |k| k.principal_type),
            principal_account_id: symbol(call.principal.account.unwrap_or_default(), |k| k.principal_account_id),
            via_service: symbol(call.via.label(), |k| k.via_service),
            context_pattern: symbol(pattern, |k| k.context_pattern),
            destination_context_pattern: symbol(&of_destination, |k| k.destination_context_pattern),
            error_code: symbol(event.error_code.unwrap_or_default(), |k| k.error_code),
            error_reason: symbol(call.failure_reason(), |k| k.error_reason),
            enclave_image: symbol(image.unwrap_or_default(), |k| k.enclave_image),
            side: call.side,
            hour: event.time.hour(),
        };
        self.counts.count(key, event.time, event.event_id);
        self.last = Some(key);
    }
}

/// Whether two texts are one. ARNs differ at their ends: looked at there first, most that differ are told
/// apart at a glance. Up to sixteen bytes, both ends are all there is.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.len() == b.len()
        && match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
            (Some(end_a), Some(end_b)) => {
                end_a == end_b && a.first_chunk::<8>() == b.first_chunk() && (a.len() <= 16 || a == b)
            }
            _ => a.iter().eq(b),
        }
}
