//! Who manages a key: the evidence, and what it comes to (DOMAIN B.1).

use crate::model::arn::{Arn, is_aws_managed_alias};
use crate::model::key_change::KeyChange;
use crate::model::usage_row::UsageRow;

/// Evidence seen so far; the first of each kind speaks for it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Evidence {
    aws: Option<&'static str>,
    customer: Option<&'static str>,
}

/// Operations that no AWS-managed key allows.
const CUSTOMER_ONLY: [&str; 19] = [
    "CancelKeyDeletion",
    "CreateAlias",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "ImportKeyMaterial",
    "PutKeyPolicy",
    "ReplicateKey",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
    "GetParametersForImport",
];

/// Operations of asymmetric and HMAC keys, which AWS manages none of.
const ASYMMETRIC_OR_HMAC: [&str; 8] =
    ["Decapsulate", "DeriveSharedSecret", "Encapsulate", "GenerateMac", "GetPublicKey", "Sign", "Verify", "VerifyMac"];

impl Evidence {
    pub(super) fn state(&mut self, manager: &str, evidence: &'static str) {
        match manager.to_ascii_uppercase().as_str() {
            "AWS" => _ = self.aws.get_or_insert(evidence),
            "CUSTOMER" => _ = self.customer.get_or_insert(evidence),
            _ => {}
        }
    }

    pub(super) fn change(&mut self, change: &KeyChange) {
        if change.attempt {
            return;
        }
        self.state(&change.key_manager, "keyManager in the response of CreateKey");
        if change.change == KeyChange::ALIAS_SEEN {
            self.alias(&change.alias);
        }
        if CUSTOMER_ONLY.contains(&change.change.as_str()) {
            self.customer.get_or_insert("administered, which AWS-managed keys refuse");
        }
    }

    /// The prefix is AWS's own: no customer can take it, and no key of AWS goes without it.
    pub(super) fn alias(&mut self, alias: &str) {
        if is_aws_managed_alias(alias) {
            self.aws.get_or_insert("seen together with an alias/aws/ alias");
        } else {
            self.customer.get_or_insert("seen together with a customer's alias");
        }
    }

    pub(super) fn usage(&mut self, row: &UsageRow<'_>) {
        if !row.succeeded() {
            return;
        }
        if row.side != "local" {
            self.customer.get_or_insert("used across accounts, which AWS-managed keys refuse");
        }
        if ASYMMETRIC_OR_HMAC.contains(&row.event_name) {
            self.customer.get_or_insert("asymmetric or HMAC, as AWS-managed keys are not");
        }
    }

    /// `manager` and `manager_evidence`. Two certain ones that disagree leave it open.
    pub(super) fn verdict(self, key_arn: &str) -> (&'static str, &'static str) {
        let multi_region =
            Arn::parse(key_arn).and_then(|arn| arn.kms_key_id()).is_some_and(|id| id.starts_with("mrk-"));
        match (self.aws, self.customer) {
            (Some(_), Some(_)) => ("unknown", "the evidence contradicts itself"),
            (Some(_), None) if multi_region => ("unknown", "the evidence contradicts itself"),
            (Some(evidence), None) => ("aws", evidence),
            (None, Some(evidence)) => ("customer", evidence),
            (None, None) if multi_region => ("customer", "multi-Region, as AWS-managed keys are not"),
            (None, None) => ("unknown", ""),
        }
    }
}
