//! `usage`: who used which key through what, by the hour.

use std::cmp::Ordering;

use super::columns;
use crate::lake::schema::{Column, Table};
use crate::model::arn::owner_account;
use crate::model::strings::{Ranks, Symbol};
use crate::model::usage::{UsageCount, UsageCounts, UsageKey};

/// The table.
pub enum Usage {}

/// A counted row with the strings that it refers to.
pub struct Row<'a> {
    /// The counts that own the strings.
    pub counts: &'a UsageCounts,
    /// Dimensions.
    pub key: &'a UsageKey,
    /// Counts.
    pub count: &'a UsageCount,
}

impl Row<'_> {
    fn text(&self, pick: fn(&UsageKey) -> Symbol) -> &str {
        self.counts.strings.get(pick(self.key))
    }

    /// How rows are sorted within a file: by key, then time, then all else, so that statistics
    /// prune and the order does not depend on how the rows came about.
    #[must_use]
    pub fn compare(&self, other: &Self, ranks: &Ranks) -> Ordering {
        let first = |k: &UsageKey| (ranks.of(k.key_arn), k.hour);
        let rest = |k: &UsageKey| {
            let texts = [
                k.event_source,
                k.event_name,
                k.account_id,
                k.principal_arn,
                k.via_service,
                k.context_pattern,
                k.error_code,
                k.region,
                k.key_ref,
                k.destination_key_arn,
                k.principal_account_id,
            ];
            (texts.map(|symbol| ranks.of(symbol)), k.key_evidence, k.side)
        };
        first(self.key).cmp(&first(other.key)).then_with(|| rest(self.key).cmp(&rest(other.key)))
    }
}

impl Table for Usage {
    type Row<'a> = Row<'a>;
    const NAME: &'static str = "usage";
    const DOC: &'static str = "A count of requests in one hour for one combination of the other columns. Counts are partial: \
        several files may hold the same combination, so sum requests. KMS logs a successful cross-account call in both accounts: to count it once, leave out the \
        successful rows of kms.amazonaws.com with side caller whose key_account_id has a trail of its own here.";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![u;
        hour: Timestamp = Some(u.key.hour), "Start of the hour of eventTime.";
        event_source: Text = u.text(|k| k.event_source), "eventSource: kms.amazonaws.com, or the service whose call names a key.";
        event_name: Text = u.text(|k| k.event_name), "eventName.";
        operation_class: Text = u.key.operation_class, "crypto, crypto_nokey, admin, grant, alias, keystore, read, read_keymaterial, service (KMS by itself), unknown (an operation newer than this version) or other_service.";
        account_id: Text = u.text(|k| k.account_id), "Account whose trail had the records (recipientAccountId).";
        region: Text = u.text(|k| k.region), "awsRegion.";
        key_arn: Text = u.text(|k| k.key_arn), "ARN of the key; null where the record does not tell.";
        key_account_id: Text = owner_account(u.text(|k| k.key_arn)).unwrap_or_default(), "Account that owns the key, from its ARN.";
        key_ref: Text = u.text(|k| k.key_ref), "What the request named: alias, id or ARN.";
        key_evidence: Text = u.key.key_evidence.as_str(), "Where key_arn was learned from: resource, response, request, constructed (from a bare id), service_event, error_message; alias or none if there is no key_arn.";
        destination_key_arn: Text = u.text(|k| k.destination_key_arn), "ARN of the destination key, for ReEncrypt.";
        principal_arn: Text = u.text(|k| k.principal_arn), "Who acted: user or role (not the session); acct:… for another account's caller, svc:… for a service.";
        principal_type: Text = u.key.principal_type, "IAMUser, AssumedRole, IdentityCenter, Root, FederatedUser, AWSAccount, AWSService, ServiceRole or Unknown.";
        principal_account_id: Text = u.text(|k| k.principal_account_id), "Account of the principal.";
        via_service: Text = u.text(|k| k.via_service), "Service that made the call for the principal; null if direct, unknown if the record hides which.";
        context_pattern: Text = u.text(|k| k.context_pattern), "Encryption context as a JSON object: names sorted, ids and paths replaced, secrets replaced by their kind.";
        error_code: Text = u.text(|k| k.error_code), "errorCode; null on success.";
        side: Text = u.key.side.as_str(), "Whose copy of the record: local, or caller or owner of a cross-account call.";
        requests: Integer = Some(u.count.requests), "Requests, failures included.";
        first_event_time: Timestamp = Some(u.count.first), "Earliest eventTime counted here.";
        last_event_time: Timestamp = Some(u.count.last), "Latest eventTime counted here.";
        sample_event_id: Id = u.counts.sample(u.count), "eventID of the earliest.";
    ];
}
