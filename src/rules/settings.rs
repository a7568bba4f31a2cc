//! What the rules take from the configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::kms::accounts::Accounts;
use crate::kms::call::Call;
use crate::model::finding::{Finding, Subject};
use crate::model::severity::Severity;
use crate::model::time::Seconds;

/// Checked settings of the rules stage.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose accounts are whose.
    pub accounts: Accounts,
    /// Seconds after which a session's MFA is stale.
    pub mfa_max_age: i64,
    /// ARNs of roles that only carry out what templates say, as `CloudFormation` does.
    pub template_roles: BTreeSet<String>,
    /// Severity by rule id, instead of the rule's own verdict.
    pub severity: BTreeMap<String, Severity>,
    /// Findings that are not wanted.
    pub suppressions: Vec<Suppression>,
}

impl Default for Settings {
    fn default() -> Self {
        // 300 s: what the KMS best-practices paper asks for on critical actions.
        Self {
            accounts: Accounts::default(),
            mfa_max_age: 300,
            template_roles: BTreeSet::new(),
            severity: BTreeMap::new(),
            suppressions: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether a call carries out a template: infrastructure as code.
    #[must_use]
    pub fn is_by_template(&self, call: &Call<'_>) -> bool {
        self.is_template(call.via.label(), &call.principal.key)
    }

    /// See [`Settings::is_by_template`]; of a row's columns.
    #[must_use]
    pub fn is_template(&self, via_service: &str, principal_arn: &str) -> bool {
        via_service == "cloudformation" || self.template_roles.contains(principal_arn)
    }
}

/// A finding that somebody has looked at and does not want to see again. What is `None` matches all.
#[derive(Debug, Clone)]
pub struct Suppression {
    /// Rule id.
    pub rule: Option<String>,
    /// Key ARN.
    pub key: Option<String>,
    /// Principal ARN.
    pub principal: Option<String>,
    /// Account of the trail.
    pub account: Option<String>,
    /// Alias of the key, `alias/…`.
    pub alias: Option<String>,
    /// The resource as the finding names it; with `*` at its end, all whose names start so.
    pub resource: Option<String>,
    /// Acts from this moment on are reported again. Compared with the act, not with the clock: a
    /// backfill gives the same result whenever it runs.
    pub expires: Option<Seconds>,
}

impl Suppression {
    /// Whether it silences `finding`.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.covers_act(finding.rule_id, &finding.subject, finding.event_time)
    }

    /// Whether it silences what the rule would find of an act.
    #[must_use]
    pub fn covers_act(&self, rule: &str, subject: &Subject, time: Seconds) -> bool {
        let same = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|w| w == actual);
        same(&self.rule, rule)
            && same(&self.key, &subject.key_arn)
            && same(&self.principal, &subject.principal_arn)
            && same(&self.account, &subject.account_id)
            && same(&self.alias, &subject.key_alias)
            && self.resource.as_deref().is_none_or(|wanted| is_named(wanted, &subject.resource_arn))
            && self.expires.is_none_or(|end| time < end)
    }
}

fn is_named(wanted: &str, resource: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => resource.starts_with(start),
        None => wanted == resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_whole_or_by_its_start() {
        assert!(is_named("orders", "orders") && !is_named("orders", "orders-2"));
        assert!(is_named(
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:dev/*",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:dev/db-AbCdEf"
        ));
        assert!(!is_named("dev/*", "prod/db") && !is_named("de*v", "dev"));
    }
}
