//! A policy document as IAM reads it: one value or a list, a principal or a map of kinds of them.

use serde_json::Value;

use super::actions::{Actions, has_wild_verb, matches};
use super::condition::Condition;
use super::lists::{listed, texts};
use crate::model::arn::{Arn, is_account_id};
use crate::model::json::Json;

/// A policy that could be read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Its statements, in their order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "IAM has as many negations")]
pub struct Statement {
    /// `Sid`, or empty.
    pub sid: String,
    /// Allow or Deny.
    pub allows: bool,
    /// Who.
    pub principals: Vec<Principal>,
    /// Whether it is about everybody but the principals.
    pub not_principal: bool,
    /// Action patterns, as written.
    pub patterns: Vec<String>,
    /// Whether it is about every action but those.
    pub not_action: bool,
    /// The actions of KMS that it is about.
    pub actions: Actions,
    /// What it is about; `*` in a key policy is its own key.
    pub resources: Vec<String>,
    /// Whether it is about everything but those.
    pub not_resource: bool,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// Somebody whom a statement names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// `*`: any AWS principal, of any account.
    Everybody,
    /// A user, role, session or account; an account's id is written as the ARN of its root.
    Aws(String),
    /// An AWS service.
    Service(String),
    /// Federated and canonical users.
    Other(String),
}

/// Bytes of a document, at most: twice what KMS takes. What is longer is in no key's force, and costly to judge.
const LONGEST: usize = 65_536;

impl Policy {
    /// Reads a document; `None` if it is no policy, or none that KMS would take.
    #[must_use]
    pub fn read(document: &str) -> Option<Self> {
        if document.len() > LONGEST {
            return None;
        }
        let mut policy: Value = serde_json::from_str(document).ok()?;
        // Some tools send the text of a text.
        if let Value::String(inner) = &policy {
            policy = serde_json::from_str(inner).ok()?;
        }
        let statements = listed(Some(policy.get("Statement")?));
        Some(Self { statements: statements.into_iter().filter_map(Statement::read).collect() })
    }

    /// Reads the policy of the key with this ARN, which may be empty, and keeps the statements that are about it:
    /// in a key's policy, all others have no effect.
    #[must_use]
    pub fn of_key(document: &str, arn: &str) -> Option<Self> {
        let mut policy = Self::read(document)?;
        policy.statements.retain(|statement| statement.is_about(arn));
        Some(policy)
    }

    /// The policy of a key that was created without one: the account's root may do anything, and so
    /// whoever IAM lets.
    #[must_use]
    pub fn default_of(partition: &str, account: &str) -> Self {
        let statement = Statement {
            sid: "Enable IAM User Permissions".to_owned(),
            allows: true,
            principals: vec![Principal::Aws(format!("arn:{partition}:iam::{account}:root"))],
            not_principal: false,
            patterns: vec!["kms:*".to_owned()],
            not_action: false,
            actions: Actions::matching("kms:*"),
            resources: vec!["*".to_owned()],
            not_resource: false,
            conditions: Vec::new(),
        };
        Self { statements: vec![statement] }
    }
}

impl Statement {
    fn read(statement: &Value) -> Option<Self> {
        let allows = match statement.get("Effect")?.as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        let (principal, not_principal) = either(statement, "Principal", "NotPrincipal");
        let (action, not_action) = either(statement, "Action", "NotAction");
        let (resource, not_resource) = either(statement, "Resource", "NotResource");
        let patterns = texts(action);
        let named = patterns.iter().fold(Actions::NONE, |set, pattern| set | Actions::matching(pattern));
        Some(Self {
            sid: statement.get("Sid").and_then(Value::as_str).unwrap_or_default().to_owned(),
            allows,
            principals: principals(principal),
            not_principal,
            actions: if not_action { named.complement() } else { named },
            patterns,
            not_action,
            resources: texts(resource),
            not_resource,
            conditions: Condition::all(statement.get("Condition")),
        })
    }

    /// Whether it speaks of everybody.
    #[must_use]
    pub fn names_everybody(&self) -> bool {
        !self.not_principal && self.principals.contains(&Principal::Everybody)
    }

    /// Whether its actions are wider than they look.
    #[must_use]
    pub fn is_loosely_worded(&self, wide: Actions) -> bool {
        let loose = |pattern: &&String| has_wild_verb(pattern) && Actions::matching(pattern).meets(wide);
        self.not_action || self.patterns.iter().any(|pattern| loose(&pattern))
    }

    /// Whether it is about all keys, at least of an account and Region.
    #[must_use]
    pub fn is_about_all_keys(&self) -> bool {
        let all_keys = |arn: Arn<'_>| matches!(arn.service, "kms" | "*") && matches!(arn.resource, "*" | "key/*");
        self.not_resource || self.resources.iter().any(|r| r == "*" || Arn::parse(r).is_some_and(all_keys))
    }

    /// Whether it is about the key with this ARN: not without a resource, which IAM asks for. Of a key whose ARN is
    /// not known, any may be meant; so may it by what an Allow says with a policy variable.
    fn is_about(&self, arn: &str) -> bool {
        let names = |pattern: &String| matches(pattern.as_bytes(), arn.as_bytes());
        let unknown = |pattern: &String| arn.is_empty() || (self.allows && pattern.contains("${"));
        if self.not_resource {
            !self.resources.is_empty() && !self.resources.iter().any(names)
        } else {
            self.resources.iter().any(|pattern| unknown(pattern) || names(pattern))
        }
    }

    /// How it is called in a message: by its `Sid`, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(self.sid.as_str()).filter(|sid| !sid.is_empty())
    }
}

impl Principal {
    fn aws(text: &str) -> Self {
        match text {
            "*" => Self::Everybody,
            id if is_account_id(id) => Self::Aws(format!("arn:aws:iam::{id}:root")),
            other => Self::Aws(other.to_owned()),
        }
    }

    /// The account that it belongs to, if it is a principal of one that still exists.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        let (Self::Aws(text) | Self::Other(text)) = self else { return None };
        Arn::parse(text).map(|arn| arn.account).filter(|account| is_account_id(account))
    }

    /// Whether it is an account itself: all that its own IAM lets.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(self, Self::Aws(text) if text.ends_with(":root"))
    }

    /// Whether it is an AWS service in its own name.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// Whether IAM has put the id of a deleted user, role or group in its place.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        let Self::Aws(text) = self else { return false };
        ["AROA", "AIDA", "AGPA"].iter().any(|prefix| text.starts_with(prefix))
            && text.len() >= 16
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Everybody => "*",
            Self::Aws(text) | Self::Service(text) | Self::Other(text) => text,
        }
    }
}

/// The text of a policy in a record, which holds it as a text, or as JSON.
#[must_use]
pub fn document(policy: Json<'_>) -> Option<String> {
    match policy.str() {
        Some(text) => Some(text.to_owned()),
        None => policy.is_object().then(|| policy.to_value().to_string()),
    }
}

/// A member, or its negation.
fn either<'v>(statement: &'v Value, name: &str, negated: &str) -> (Option<&'v Value>, bool) {
    match statement.get(name) {
        Some(value) => (Some(value), false),
        None => (statement.get(negated), statement.get(negated).is_some()),
    }
}

fn principals(value: Option<&Value>) -> Vec<Principal> {
    let Some(Value::Object(kinds)) = value else {
        return texts(value).iter().map(|text| Principal::aws(text)).collect();
    };
    let mut principals = Vec::new();
    for (kind, value) in kinds {
        let of_kind: fn(&str) -> Principal = match kind.as_str() {
            "AWS" => Principal::aws,
            "Service" => |text| Principal::Service(text.to_owned()),
            _ => |text| Principal::Other(text.to_owned()),
        };
        principals.extend(texts(Some(value)).iter().map(|text| of_kind(text)));
    }
    principals
}
