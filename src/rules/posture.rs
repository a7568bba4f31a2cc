//! What is known when all days are folded, and what a resource's configuration comes to by it.

use super::settings::Settings;
use crate::kms::configuration::{Choice, Kind, Manager, resolve};
use crate::model::arn::{is_aws_managed_alias, owner_account};
use crate::model::configuration::ConfigurationRow;
use crate::model::history::History;
use crate::model::key_record::KeyRecord;
use crate::model::resources::Resources;

/// Everything, for the rules that look at how things are and not at what happened.
pub struct Posture<'a> {
    /// Keys, sorted by ARN.
    pub keys: &'a [KeyRecord],
    /// Resources, and what services were told of their encryption.
    pub resources: &'a Resources,
    /// What was known on the way.
    pub history: &'a History,
    /// The configuration.
    pub settings: &'a Settings,
}

impl Posture<'_> {
    /// What a choice comes to, now that keys are known.
    #[must_use]
    pub fn kind(&self, row: &ConfigurationRow<'_>) -> Kind {
        let Some(choice) = Choice::parse(row.choice) else { return Kind::Pending };
        let key = if row.key_arn.is_empty() { row.key_ref } else { row.key_arn };
        let manager = |key: &str| self.manager(key, row.account_id);
        // What the service took says more than that nobody chose it, if it is known whose it is.
        if row.by_service {
            match manager(key) {
                Some(Manager::Aws) => return Kind::DkResolved,
                Some(Manager::Customer) => return Kind::Cmk,
                None => {}
            }
        }
        let account_default = Some(row.key_ref).filter(|key| !key.is_empty() && !row.by_service);
        resolve(choice, Some(key), manager, account_default)
    }

    /// The alias of a default key that a choice came to.
    #[must_use]
    pub fn default_alias<'r>(&'r self, row: &ConfigurationRow<'r>) -> &'r str {
        self.history.aws_managed_alias(row.key_arn).unwrap_or(row.default_alias)
    }

    /// Whether an account is one that nobody has vouched for.
    #[must_use]
    pub fn is_foreign(&self, account: &str) -> bool {
        !account.is_empty() && !self.history.own.contains(account) && !self.settings.accounts.names(account)
    }

    /// Who manages a key that a record of `account` names by ARN or by alias.
    fn manager(&self, key: &str, account: &str) -> Option<Manager> {
        if is_aws_managed_alias(key.rsplit(':').next().unwrap_or(key)) {
            return Some(Manager::Aws);
        }
        // No other account can use a key that AWS manages.
        if owner_account(key).is_some_and(|owner| owner != account) {
            return Some(Manager::Customer);
        }
        let at = self.keys.binary_search_by(|known| known.key_arn.as_str().cmp(key)).ok()?;
        match self.keys[at].manager {
            "aws" => Some(Manager::Aws),
            "customer" => Some(Manager::Customer),
            _ => None,
        }
    }
}
