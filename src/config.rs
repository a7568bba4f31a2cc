//! The configuration file, read and checked: what a stage takes from it is that stage's settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::inventory;
use crate::kms::accounts::Accounts;
use crate::model::arn::{is_account_id, is_alias_name, is_key_arn};
use crate::model::key_record::KeyRecord;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::settings::{Settings, Suppression};
use crate::rules::{self};

/// Checked configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// For the rules.
    pub rules: Settings,
    /// What an inventory tells of keys.
    pub inventory: Vec<KeyRecord>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration {path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has a key that is not known.
    #[error("configuration {path}: {reason}")]
    Form {
        /// Which.
        path: String,
        /// Where and why.
        reason: String,
    },
    /// A value makes no sense.
    #[error("configuration {path}: {place}: {reason}")]
    Value {
        /// Which.
        path: String,
        /// Key in the file.
        place: String,
        /// Why.
        reason: String,
    },
    /// An inventory file cannot be used.
    #[error(transparent)]
    Inventory(#[from] inventory::InventoryError),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    accounts: FileAccounts,
    mfa: FileMfa,
    templates: FileTemplates,
    severity: BTreeMap<String, Severity>,
    suppressions: Vec<FileSuppression>,
    inventory: FileInventory,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileAccounts {
    own: BTreeSet<String>,
    organization: BTreeSet<String>,
    trusted: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileMfa {
    max_age_seconds: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileTemplates {
    roles: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSuppression {
    rule: Option<String>,
    key: Option<String>,
    principal: Option<String>,
    account: Option<String>,
    alias: Option<String>,
    resource: Option<String>,
    /// Not used by the program: whoever reads the file must know why.
    reason: String,
    expires: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileInventory {
    files: Vec<PathBuf>,
}

/// Reads and checks a configuration; without a file, the defaults.
///
/// # Errors
/// [`ConfigError`], naming the place in the file.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let Some(path) = path else { return Ok(Config::default()) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Io { path: name.clone(), error })?;
    let file: File =
        toml::from_str(&text).map_err(|e| ConfigError::Form { path: name.clone(), reason: e.to_string() })?;
    let wrong =
        |place: &str, reason: String| ConfigError::Value { path: name.clone(), place: place.to_owned(), reason };
    check_accounts(&file.accounts).map_err(|(place, reason)| wrong(place, reason))?;
    let mut settings = Settings {
        accounts: Accounts {
            own: file.accounts.own,
            organization: file.accounts.organization,
            trusted: file.accounts.trusted,
        },
        ..Settings::default()
    };
    if let Some(seconds) = file.mfa.max_age_seconds {
        if seconds < 0 {
            return Err(wrong("mfa.max_age_seconds", "is negative".to_owned()));
        }
        settings.mfa_max_age = seconds;
    }
    if let Some(role) = file.templates.roles.iter().find(|role| !role.contains(":role/")) {
        return Err(wrong("templates.roles", format!("{role:?} is no ARN of a role")));
    }
    settings.template_roles = file.templates.roles;
    let of_suppressions = file.suppressions.iter().filter_map(|s| s.rule.as_ref()).map(|rule| ("suppressions", rule));
    for (place, rule) in file.severity.keys().map(|rule| ("severity", rule)).chain(of_suppressions) {
        if rules::find(rule).is_none() {
            return Err(wrong(place, format!("there is no rule {rule:?}; see keytrail rules")));
        }
    }
    settings.severity = file.severity;
    for suppression in file.suppressions {
        settings.suppressions.push(checked(suppression).map_err(|reason| wrong("suppressions", reason))?);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut keys = Vec::new();
    for file in file.inventory.files {
        keys.extend(inventory::read(&folder.join(file))?);
    }
    Ok(Config { rules: settings, inventory: keys })
}

fn check_accounts(accounts: &FileAccounts) -> Result<(), (&'static str, String)> {
    let lists = [
        ("accounts.own", &accounts.own),
        ("accounts.organization", &accounts.organization),
        ("accounts.trusted", &accounts.trusted),
    ];
    for (place, list) in lists {
        if let Some(wrong) = list.iter().find(|id| !is_account_id(id)) {
            return Err((place, format!("{wrong:?} is no account id of twelve digits")));
        }
    }
    Ok(())
}

const PRINCIPAL: &str = "principal as the column principal_arn has it, written out: the ARN of a role (not of its \
                         session) or user, acct:… or svc:…";

fn check_shape(name: &str, value: Option<&str>, fits: impl Fn(&str) -> bool, what: &str) -> Result<(), String> {
    match value.filter(|value| !fits(value)) {
        Some(value) => Err(format!("{name}: {value:?} is no {what}")),
        None => Ok(()),
    }
}

/// Sessions have their role's ARN in the tables; where a record has no ARN, an id of IAM stands there.
fn is_principal(text: &str) -> bool {
    let is_id = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let has_form = ["arn:", "acct:", "svc:"].iter().any(|start| text.starts_with(start));
    (has_form && !text.contains(":assumed-role/") && !text.contains('*'))
        || is_id
        || ["root", "unknown"].contains(&text)
}

fn checked(file: FileSuppression) -> Result<Suppression, String> {
    if file.reason.trim().is_empty() {
        return Err("a suppression needs a reason".to_owned());
    }
    let criteria = [&file.rule, &file.key, &file.principal, &file.account, &file.alias, &file.resource];
    if criteria.iter().all(|criterion| criterion.is_none()) {
        return Err(
            "a suppression without rule, key, principal, account, alias or resource would hide everything".to_owned()
        );
    }
    if let Some(all @ ("" | "*")) = file.resource.as_deref() {
        return Err(format!("resource {all:?} would hide everything"));
    }
    // What no finding has in its column would hide nothing, and nobody would notice.
    check_shape("key", file.key.as_deref(), is_key_arn, "ARN of a key")?;
    check_shape("principal", file.principal.as_deref(), is_principal, PRINCIPAL)?;
    check_shape("account", file.account.as_deref(), is_account_id, "account id of twelve digits")?;
    check_shape("alias", file.alias.as_deref(), is_alias_name, "alias, alias/…, written out")?;
    let has_one_end = |resource: &str| !resource.trim_end_matches('*').contains('*') && !resource.ends_with("**");
    check_shape("resource", file.resource.as_deref(), has_one_end, "resource, whole or with one * at its end")?;
    let expires = match &file.expires {
        None => None,
        Some(date) => {
            Some(Seconds::parse_date(date).ok_or_else(|| format!("expires: {date:?} is no date YYYY-MM-DD"))?)
        }
    };
    Ok(Suppression {
        rule: file.rule,
        key: file.key,
        principal: file.principal,
        account: file.account,
        alias: file.alias,
        resource: file.resource,
        expires,
    })
}
