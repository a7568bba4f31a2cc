//! What is known when all days are folded, and what a resource's configuration comes to by it.

use std::borrow::Cow;

use crate::kms::configuration::{Choice, Kind, Manager, default_alias, resolve};
use crate::model::arn::{is_aws_managed_alias, owner_account};
use crate::model::configuration::ConfigurationRow;
use crate::model::history::History;
use crate::model::key_record::Managers;
use crate::model::resources::{Resource, SortedResources};
use crate::model::time::Seconds;
use crate::rules::settings::Settings;

/// Everything, for the rules that look at how things are and not at what happened.
pub struct Posture<'a> {
    /// Who manages which key.
    pub managers: &'a Managers,
    /// Resources, and what services were told of their encryption.
    pub resources: &'a SortedResources,
    /// What was known on the way.
    pub history: &'a History,
    /// The configuration.
    pub settings: &'a Settings,
    /// What each choice comes to, in the order of the resources.
    kinds: Vec<Kind>,
}

/// What one act chose for a resource: one thing, or something for each of several parts of it.
pub struct Act<'a> {
    /// What the choices come to; there is one at least.
    pub choices: Vec<(Kind, ConfigurationRow<'a>)>,
}

impl<'a> Act<'a> {
    /// The first choice of one of these kinds.
    #[must_use]
    pub fn of(&self, kinds: &[Kind]) -> Option<&ConfigurationRow<'a>> {
        self.choices.iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, row)| row)
    }

    /// The customer's key that it chose, if nothing is under a default key by it.
    #[must_use]
    pub fn own_key(&self) -> Option<&ConfigurationRow<'a>> {
        self.of(&[Kind::Cmk]).filter(|_| self.of(&Kind::DEFAULT_KEY).is_none())
    }

    /// When it was done first.
    #[must_use]
    pub fn first(&self) -> Seconds {
        self.choices.iter().map(|(_, row)| row.first).min().unwrap_or_default()
    }

    /// When it was done last, before there was another.
    #[must_use]
    pub fn last(&self) -> Seconds {
        self.choices.iter().map(|(_, row)| row.last).max().unwrap_or_default()
    }
}

impl<'a> Posture<'a> {
    /// What is known. Each rule asks of all resources what their choices come to: that is found out here,
    /// once.
    #[must_use]
    pub fn new(
        managers: &'a Managers,
        resources: &'a SortedResources,
        history: &'a History,
        settings: &'a Settings,
    ) -> Self {
        let mut posture = Self { managers, resources, history, settings, kinds: Vec::new() };
        let choices = resources.iter().flat_map(|resource| resource.choices);
        posture.kinds = choices.map(|row| posture.kind(&row)).collect();
        posture
    }

    /// What was done to a resource, in order of time.
    #[must_use]
    pub fn acts<'r>(&self, resource: &Resource<'r>) -> Vec<Act<'r>> {
        let same_act = |a: &ConfigurationRow<'_>, b: &ConfigurationRow<'_>| {
            a.event_id == b.event_id && (!a.event_id.is_empty() || a.first == b.first)
        };
        let mut kinds = self.kinds[resource.before..].iter();
        // Rows come first: whoever is asked last gives none away when they end.
        let mut choices =
            |rows: &[ConfigurationRow<'r>]| rows.iter().zip(kinds.by_ref()).map(|(row, kind)| (*kind, *row)).collect();
        resource.choices.chunk_by(same_act).map(|rows| Act { choices: choices(rows) }).collect()
    }

    /// What a choice comes to, now that keys are known.
    #[must_use]
    pub fn kind(&self, row: &ConfigurationRow<'_>) -> Kind {
        let Some(choice) = Choice::parse(row.choice) else { return Kind::Pending };
        let key = if row.key_arn.is_empty() { row.key_ref } else { row.key_arn };
        let manager = |key: &str| self.manager(key, row.account_id);
        // What the service took says more than that nobody chose it, if it is known whose it is.
        if row.by_service && !key.is_empty() {
            match (manager(key), Choice::of_key(key)) {
                (Some(Manager::Aws), _) => return Kind::DkResolved,
                (Some(Manager::Customer), _) | (None, Choice::NamedAlias) => return Kind::Cmk,
                (None, Choice::NamedOwned) => return Kind::DkOwned,
                (None, _) => {}
            }
        }
        let account_default = Some(row.key_ref).filter(|key| !key.is_empty() && !row.by_service);
        resolve(choice, Some(key), manager, account_default)
    }

    /// The alias of a default key that a choice came to; empty where the logs do not tell.
    #[must_use]
    pub fn default_alias<'r>(&'r self, row: &ConfigurationRow<'r>) -> Cow<'r, str> {
        match (self.history.aws_managed_alias(row.key_arn), default_alias(row.key_ref)) {
            (Some(alias), _) => Cow::Borrowed(alias),
            (None, Some(named)) => Cow::Owned(named),
            (None, None) => Cow::Borrowed(row.default_alias),
        }
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
        match self.managers.manager(key)? {
            "aws" => Some(Manager::Aws),
            "customer" => Some(Manager::Customer),
            _ => None,
        }
    }
}
