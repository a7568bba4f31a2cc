//! A KMS key as the logs tell of it: the fold's snapshot.

use super::time::Seconds;
use super::usage::Relation;

/// One row of `keys`. Empty text and `None` mean: not known from the logs, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRecord {
    /// ARN of the key.
    pub key_arn: String,
    /// `aws`, `customer`, `aws_owned` or `unknown`.
    pub manager: &'static str,
    /// What that rests on.
    pub manager_evidence: &'static str,
    /// State as KMS names states.
    pub state: String,
    /// The event that shows the state.
    pub state_evidence: String,
    /// Since when, or as of when.
    pub state_time: Option<Seconds>,
    /// When a scheduled deletion is due.
    pub deletion_time: Option<Seconds>,
    /// When imported material expires.
    pub valid_to: Option<Seconds>,
    /// `on`, `off`, `not_applicable`, or empty.
    pub rotation: &'static str,
    /// Days between automatic rotations.
    pub rotation_period_days: Option<i64>,
    /// Last rotation seen.
    pub last_rotation_time: Option<Seconds>,
    /// `origin`.
    pub origin: String,
    /// Custom key store that it is in.
    pub custom_key_store_id: String,
    /// `keySpec`.
    pub key_spec: String,
    /// `keyUsage`.
    pub key_usage: String,
    /// `multiRegion`.
    pub multi_region: Option<bool>,
    /// Aliases, sorted.
    pub aliases: Vec<String>,
    /// Tags as a JSON object.
    pub tags: String,
    /// Facts of the last policy seen, as a JSON object.
    pub policy: String,
    /// When that policy was set.
    pub policy_time: Option<Seconds>,
    /// What it changed against the one before: lines with `+` and `-`.
    pub policy_difference: Vec<String>,
    /// Open grants seen, as a JSON object: grant id to grantee and operations.
    pub grants: String,
    /// Principals that administered the key, sorted.
    pub admins: Vec<String>,
    /// When the key was made.
    pub created_time: Option<Seconds>,
    /// By whom.
    pub created_by: String,
    /// First use of its material.
    pub first_use_time: Option<Seconds>,
    /// Last use of its material.
    pub last_use_time: Option<Seconds>,
    /// By whom.
    pub last_use_by: String,
    /// Requests that used its material, a call counted once.
    pub requests: i64,
    /// Last administrative act.
    pub last_change: String,
    /// Its time.
    pub last_change_time: Option<Seconds>,
    /// By whom.
    pub last_change_by: String,
}

/// Who manages which key, as in the `manager` column.
#[derive(Debug, Default)]
pub struct Managers(Vec<(String, &'static str)>);

impl Managers {
    /// Takes keys, sorted by ARN.
    #[must_use]
    pub fn of(keys: Vec<(String, &'static str)>) -> Self {
        Self(keys)
    }

    /// Who manages the key; `None` if it is none that the logs tell of.
    #[must_use]
    pub fn manager(&self, key_arn: &str) -> Option<&'static str> {
        let place = self.0.binary_search_by(|(known, _)| known.as_str().cmp(key_arn)).ok()?;
        Some(self.0[place].1)
    }
}

/// One row of `key_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse<'a> {
    /// ARN of the key, or what the request named.
    pub key_arn: &'a str,
    /// Account that owns it.
    pub key_account_id: &'a str,
    /// Principal (role, not session).
    pub principal_arn: &'a str,
    /// Account of the principal.
    pub principal_account_id: &'a str,
    /// Service in between.
    pub via_service: &'a str,
    /// `eventSource`.
    pub event_source: &'a str,
    /// Class of the operations.
    pub operation_class: &'a str,
    /// Normalised encryption context.
    pub context_pattern: &'a str,
    /// How the caller's account stands to the key owner's.
    pub relation: Relation,
    /// First request.
    pub first_time: Seconds,
    /// Last request.
    pub last_time: Seconds,
    /// Requests, failures included.
    pub requests: i64,
    /// Requests that failed.
    pub errors: i64,
}
