//! What a key policy opens, read shallowly: to everybody, to other accounts (DOMAIN E.3, P1 to P3).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::accounts::Accounts;
use crate::model::arn::{Arn, is_account_id};
use crate::model::severity::Severity;

/// What a policy document says about who is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyFacts {
    /// Whether the document could be read; if not, nothing below is known.
    pub readable: bool,
    /// Statements in it.
    pub statements: usize,
    /// An Allow to everybody without any condition.
    pub public: bool,
    /// An Allow to everybody, narrowed by a condition of whatever strength.
    pub public_with_condition: bool,
    /// Accounts named by principals of Allow statements.
    pub accounts: BTreeSet<String>,
}

impl PolicyFacts {
    /// Reads a policy document as it stands in `requestParameters.policy`.
    #[must_use]
    pub fn of(document: &str) -> Self {
        let Ok(policy) = serde_json::from_str::<Value>(document) else { return Self::default() };
        let statements = listed(policy.get("Statement"));
        let mut facts = Self { readable: true, statements: statements.len(), ..Self::default() };
        for statement in statements {
            if statement.get("Effect").and_then(Value::as_str) == Some("Allow") {
                facts.read_allow(statement);
            }
        }
        facts
    }

    fn read_allow(&mut self, statement: &Value) {
        // An Allow for everybody but somebody is an Allow for everybody.
        let everybody_but = statement.get("NotPrincipal").is_some();
        let principals = principals(statement.get("Principal"));
        if everybody_but || principals.contains(&"*") {
            let condition = statement.get("Condition").and_then(Value::as_object);
            if condition.is_some_and(|c| !c.is_empty()) {
                self.public_with_condition = true;
            } else {
                self.public = true;
            }
        }
        let accounts = principals.iter().filter_map(|principal| {
            let account = Arn::parse(principal).map_or(*principal, |arn| arn.account);
            is_account_id(account).then(|| account.to_owned())
        });
        self.accounts.extend(accounts);
    }

    /// Accounts let in that are neither the key's own nor known to the configuration.
    pub fn foreign_accounts<'f>(&'f self, accounts: &'f Accounts, owner: &'f str) -> impl Iterator<Item = &'f str> {
        self.accounts.iter().map(String::as_str).filter(move |account| accounts.is_foreign(account, owner))
    }

    /// The severity that the policy alone deserves.
    #[must_use]
    pub fn severity(&self, accounts: &Accounts, owner: &str) -> Severity {
        if self.public {
            Severity::Critical
        } else if self.public_with_condition || self.foreign_accounts(accounts, owner).next().is_some() {
            Severity::High
        } else {
            Severity::Info
        }
    }

    /// The facts as a JSON object, for the `policy` column.
    #[must_use]
    pub fn to_json(&self) -> String {
        if !self.readable {
            return json!({ "readable": false }).to_string();
        }
        json!({
            "statements": self.statements,
            "public": self.public,
            "public_with_condition": self.public_with_condition,
            "accounts": self.accounts,
        })
        .to_string()
    }
}

/// A list, or a single value that stands for a list of one.
fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(single) => vec![single],
    }
}

/// `"*"`, or the `AWS` member of a principal map, as strings.
fn principals(value: Option<&Value>) -> Vec<&str> {
    let listed = match value {
        Some(Value::Object(kinds)) => listed(kinds.get("AWS")),
        other => listed(other),
    };
    listed.into_iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(statement: &str) -> Severity {
        let facts = PolicyFacts::of(&format!("{{\"Statement\":{statement}}}"));
        assert!(facts.readable);
        facts.severity(&Accounts::default(), "111122223333")
    }

    #[test]
    fn openness_is_seen_in_every_spelling() {
        let open = r#"{"Effect":"Allow","Principal":PRINCIPAL,"Action":"kms:*","Resource":"*"}"#;
        for principal in [r#""*""#, r#"{"AWS":"*"}"#, r#"{"AWS":["arn:aws:iam::111122223333:root","*"]}"#] {
            assert_eq!(severity(&open.replace("PRINCIPAL", principal)), Severity::Critical);
        }
        let root = r#"{"AWS":"arn:aws:iam::111122223333:root"}"#;
        assert_eq!(severity(&open.replace("PRINCIPAL", root)), Severity::Info);
        assert_eq!(severity(&format!("[{}]", open.replace("PRINCIPAL", r#"{"AWS":"444455556666"}"#))), Severity::High);
        assert_eq!(severity(&open.replace("Allow", "Deny").replace("PRINCIPAL", r#""*""#)), Severity::Info);
        assert_eq!(
            severity(r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"kms:*"}"#),
            Severity::Critical
        );
    }

    #[test]
    fn an_unreadable_policy_is_not_an_empty_one() {
        assert!(!PolicyFacts::of("{\"Statement\":[{").readable);
    }
}
