//! `usage`: who used which key through what, by the hour.

use super::columns;
use crate::lake::schema::{By, Column, Table};
use crate::model::arn::owner_account;
use crate::model::strings::{Strings, Symbol};
use crate::model::usage::{CountedRow, KeyEvidence, Side, UsageKey};

/// The table.
pub enum Usage {}

/// A counted row with the strings that it refers to.
pub struct Row<'a> {
    /// The strings.
    pub strings: &'a Strings,
    /// The row.
    pub counted: &'a CountedRow<'a>,
}

impl<'a> Row<'a> {
    fn symbol(&self, pick: fn(&UsageKey) -> Symbol) -> (&'a Strings, Symbol) {
        (self.strings, pick(&self.counted.key))
    }

    fn key_arn(&self) -> &'a str {
        self.strings.get(self.counted.key.key_arn)
    }
}

impl Table for Usage {
    type Row<'a> = Row<'a>;
    const NAME: &'static str = "usage";
    const DOC: &'static str = "A count of requests in one hour for one combination of the other columns. Counts are partial: \
        several files may hold the same combination, so sum requests. KMS logs a successful cross-account call in both accounts; key_use counts it once. \
        To do so here, leave out the successful rows of kms.amazonaws.com with side caller or owner whose account_id is not key_account_id, where key_account_id has a trail of its own here; and those \
        of a ReEncrypt with side caller from an own key where the owner of destination_key_arn has one.";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![u;
        hour: Timestamp = Some(u.counted.key.hour), "Start of the hour of eventTime.";
        event_source: Symbol = u.symbol(|k| k.event_source), "eventSource: kms.amazonaws.com, or the service whose call names a key.";
        event_name: Symbol = u.symbol(|k| k.event_name), "eventName.";
        operation_class: Symbol = u.symbol(|k| k.operation_class), "crypto, crypto_nokey, admin, grant, alias, keystore, read, read_keymaterial, service (KMS by itself), unknown (an operation newer than this version) or other_service.";
        account_id: Symbol = u.symbol(|k| k.account_id), "Account whose trail had the records (recipientAccountId).";
        region: Symbol = u.symbol(|k| k.region), "awsRegion.";
        key_arn: Symbol = u.symbol(|k| k.key_arn), "ARN of the key; null where the record does not tell.";
        key_account_id: Text = owner_account(u.key_arn()).unwrap_or_default(), "Account that owns the key, from its ARN.";
        key_ref: Symbol = u.symbol(|k| k.key_ref), "What the request named: alias, id or ARN; the default key's alias where it named none.";
        key_evidence: Text = u.counted.key.key_evidence.as_str(), "Where key_arn was learned from: resource, response, request, constructed (from a bare id), service_event, error_message; alias, default (none was named, so the service takes its default key) or none if there is no key_arn.";
        destination_key_arn: Symbol = u.symbol(|k| k.destination_key_arn), "ARN of the destination key, for ReEncrypt.";
        principal_arn: Symbol = u.symbol(|k| k.principal_arn), "Who acted: user or role (not the session); acct:… for another account's caller, svc:… for a service; unknown where the record names nobody.";
        principal_type: Symbol = u.symbol(|k| k.principal_type), "IAMUser, AssumedRole, IdentityCenter, Root, FederatedUser, AWSAccount, AWSService, ServiceRole or Unknown.";
        principal_account_id: Symbol = u.symbol(|k| k.principal_account_id), "Account of the principal.";
        via_service: Symbol = u.symbol(|k| k.via_service), "Service that made the call for the principal; null if direct, unknown if the record hides which.";
        context_pattern: Symbol = u.symbol(|k| k.context_pattern), "Encryption context as a JSON object: names sorted, ids and paths replaced, secrets replaced by their kind.";
        destination_context_pattern: Symbol = u.symbol(|k| k.destination_context_pattern), "Encryption context of the destination, for ReEncrypt.";
        error_code: Symbol = u.symbol(|k| k.error_code), "errorCode; null on success.";
        error_reason: Symbol = u.symbol(|k| k.error_reason), "Why it failed: which policy refused, the state of the key, or the kind of error; null on success.";
        enclave_image: Symbol = u.symbol(|k| k.enclave_image), "Image digest (PCR0) of the Nitro Enclave that the answer was encrypted for.";
        side: Text = u.counted.key.side.as_str(), "Whose copy of the record: local, or caller or owner of a cross-account call.";
        requests: Integer = Some(u.counted.requests), "Requests, failures included.";
        first_event_time: Timestamp = Some(u.counted.first), "Earliest eventTime counted here.";
        last_event_time: Timestamp = Some(u.counted.last), "Latest eventTime counted here.";
        sample_event_id: Id = u.counted.sample_event_id, "eventID of the earliest.";
    ];
    // As `UsageKey` has it.
    const ORDER: &'static [By] = &[
        By::Value("key_arn"),
        By::Value("hour"),
        By::Value("event_source"),
        By::Value("event_name"),
        By::Value("account_id"),
        By::Value("principal_arn"),
        By::Value("via_service"),
        By::Value("context_pattern"),
        By::Value("error_code"),
        By::Value("error_reason"),
        By::Value("region"),
        By::Value("key_ref"),
        By::Value("destination_key_arn"),
        By::Value("principal_account_id"),
        By::Value("principal_type"),
        By::Value("operation_class"),
        By::Value("enclave_image"),
        By::Value("destination_context_pattern"),
        By::Words("key_evidence", &KeyEvidence::WORDS),
        By::Words("side", &Side::WORDS),
    ];
    const COUNTS: bool = true;
}
