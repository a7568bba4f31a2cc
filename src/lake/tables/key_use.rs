//! `key_use`: who has ever used which key through what.

use super::columns;
use crate::lake::schema::{Column, Table};
use crate::model::key_record::KeyUse;

/// The table.
pub enum KeyUses {}

impl Table for KeyUses {
    type Row<'a> = KeyUse<'a>;
    const NAME: &'static str = "key_use";
    const DOC: &'static str = "One (key, principal, service, operation class, context pattern, account relation) ever seen, a \
        cross-account call counted once. A ReEncrypt is a use of both its keys, and one use where they are one key, with the source's context; a dry run is a use of none. Replaced as a whole by each fold.";
    const PARTITIONED: bool = false;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![u;
        key_arn: Text = u.key_arn, "ARN of the key.";
        key_account_id: Text = u.key_account_id, "Account that owns it.";
        principal_arn: Text = u.principal_arn, "User or role (not the session).";
        principal_account_id: Text = u.principal_account_id, "Account of the principal.";
        via_service: Text = u.via_service, "Service in between; null if direct, unknown if the record hides which.";
        event_source: Text = u.event_source, "kms.amazonaws.com, or the service whose call names the key.";
        operation_class: Text = u.operation_class, "As in usage.";
        context_pattern: Text = u.context_pattern, "As in usage; of the destination key of a ReEncrypt, its destination_context_pattern.";
        relation: Text = u.relation.as_str(), "same (one account), internal (two own accounts), inbound, outbound, foreign (neither is own) or unknown.";
        first_time: Timestamp = Some(u.first_time), "First request.";
        last_time: Timestamp = Some(u.last_time), "Last request.";
        requests: Integer = Some(u.requests), "Requests, failures included.";
        errors: Integer = Some(u.errors), "Requests that failed.";
    ];
}
