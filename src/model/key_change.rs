//! One administrative act on a KMS key, or one fact learned about it.

use super::finding::Outcome;
use super::time::Seconds;

/// A row of `key_changes`. Empty strings are written as null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// What happened: the `eventName`; or, for a fact that another call taught, one of [`KeyChange::FACTS`].
    pub change: String,
    /// Time of the act; for facts, when first seen.
    pub event_time: Seconds,
    /// For facts, when last seen; else the time of the act.
    pub last_event_time: Seconds,
    /// `eventID`.
    pub event_id: String,
    /// `sharedEventID`.
    pub shared_event_id: String,
    /// `recipientAccountId`.
    pub account_id: String,
    /// `awsRegion`.
    pub region: String,
    /// ARN of the key; empty for acts on a custom key store.
    pub key_arn: String,
    /// Alias concerned, `alias/…`.
    pub alias: String,
    /// Success or attempt.
    pub attempt: bool,
    /// `errorCode`.
    pub error_code: String,
    /// Principal (role, not session).
    pub principal_arn: String,
    /// Kind of principal.
    pub principal_type: String,
    /// Role session name.
    pub session_name: String,
    /// Service that made the call for the principal.
    pub via_service: String,
    /// State that the act puts the key in, as KMS names states.
    pub key_state: String,
    /// `AWS`, `CUSTOMER` or `AWS_OWNED`, where the record says so.
    pub key_manager: String,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
    pub key_origin: String,
    /// Custom key store that the key is in, or that the act is on.
    pub custom_key_store_id: String,
    /// `keySpec`.
    pub key_spec: String,
    /// `keyUsage`.
    pub key_usage: String,
    /// `multiRegion`.
    pub multi_region: Option<bool>,
    /// `rotationPeriodInDays`.
    pub rotation_period_days: Option<i64>,
    /// `AUTOMATIC` or `ON_DEMAND`.
    pub rotation_type: String,
    /// When a scheduled deletion is due, or imported material expires.
    pub due_time: Option<Seconds>,
    /// `grantId`.
    pub grant_id: String,
    /// `granteePrincipal` or `granteeServicePrincipal`.
    pub grantee: String,
    /// Operations of a grant, as a JSON array.
    pub grant_operations: String,
    /// What limits a grant, as a JSON object.
    pub grant_constraints: String,
    /// `retiringPrincipal` or `retiringServicePrincipal`.
    pub grant_retiring: String,
    /// Facts about a key policy, as a JSON object.
    pub policy: String,
    /// Tags set or removed, as a JSON object.
    pub tags: String,
    /// Object that the record was read from.
    pub source_object: String,
}

impl KeyChange {
    /// [`KeyChange::change`] of a key that a record calls AWS's own.
    pub const AWS_OWNED_SEEN: &'static str = "aws-owned-seen";

    /// [`KeyChange::change`] of a key that was used in a custom key store.
    pub const KEY_STORE_SEEN: &'static str = "key-store-seen";

    /// [`KeyChange::change`] of a replica that the record of `ReplicateKey` tells of: the act is on its primary.
    pub const REPLICA_SEEN: &'static str = "replica-seen";

    /// All values of [`KeyChange::change`] that are no acts on the key.
    pub const FACTS: [&'static str; 4] =
        [Self::ALIAS_SEEN, Self::AWS_OWNED_SEEN, Self::KEY_STORE_SEEN, Self::REPLICA_SEEN];

    /// Whether this is no act on the key, but a fact that another call taught.
    #[must_use]
    pub fn is_fact(&self) -> bool {
        Self::FACTS.contains(&self.change.as_str())
    }

    /// [`KeyChange::change`] of an alias seen together with a key ARN.
    pub const ALIAS_SEEN: &'static str = "alias-seen";

    /// The word in the `outcome` column.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        if self.attempt { Outcome::Attempt } else { Outcome::Success }
    }
}
