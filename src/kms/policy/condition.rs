//! How much a condition narrows a statement that names everybody (DOMAIN E.3).

use std::collections::BTreeSet;

use serde_json::Value;

use super::actions::matches;
use super::lists::listed;
use crate::model::arn::{Arn, is_account_id};

/// One operator with one key and its values, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `StringEquals`, `ForAnyValue:StringLike`, `BoolIfExists`, …
    pub operator: String,
    /// `aws:PrincipalOrgID`, …
    pub key: String,
    /// Any of them.
    pub values: Vec<String>,
}

/// How far a statement for everybody reaches with its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// No condition that narrows it.
    Everybody,
    /// Narrowed, but any AWS account can meet the conditions.
    AnyAccount {
        /// Whether all that narrows it are addresses.
        by_address_only: bool,
    },
    /// To some accounts, an organisation, a network or a resource.
    Restricted {
        /// The accounts, where conditions name any.
        accounts: BTreeSet<String>,
    },
}

/// How many of an account's principals something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// None of them.
    Nobody,
    /// Some that it names.
    Some,
    /// The account at large: whomever its IAM lets.
    All,
}

/// What one condition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Nothing,
    Weak,
    Restricting,
}

/// What the values of a restricting key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Account,
    Arn,
    /// An id that is given: of an organisation, a network.
    Id,
    /// A path in an organisation: may end in a wildcard.
    Path,
    /// `aws:userid`.
    UniqueId,
}

/// Keys that tell who calls, or for which resource, so that a stranger can't meet them.
const RESTRICTING: &[(&str, Form)] = &[
    ("aws:principalaccount", Form::Account),
    ("aws:principalarn", Form::Arn),
    ("aws:principalorgid", Form::Id),
    ("aws:principalorgpaths", Form::Path),
    ("aws:sourceaccount", Form::Account),
    ("aws:sourcearn", Form::Arn),
    ("aws:sourceorgid", Form::Id),
    ("aws:sourceorgpaths", Form::Path),
    ("aws:sourceowner", Form::Account),
    ("aws:sourcevpc", Form::Id),
    ("aws:sourcevpce", Form::Id),
    ("aws:userid", Form::UniqueId),
    ("kms:calleraccount", Form::Account),
];

/// How keys begin that no call which changes a policy has: of what only the use of a key or a grant has, and of
/// what a service has that acts for a resource.
const NEVER_WITH_POLICIES: [&str; 7] = [
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorg",
    "aws:sourceowner",
    "kms:encryptioncontext",
    "kms:grant",
    "kms:viaservice",
];

/// Operators that hold only if the key is there and has one of the values.
const EXACT: [&str; 6] = ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "bool"];

/// Operators that hold for all but the values.
const NEGATED: [&str; 5] =
    ["stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike"];

impl Condition {
    /// Reads the `Condition` of a statement.
    #[must_use]
    pub fn all(value: Option<&Value>) -> Vec<Self> {
        let Some(Value::Object(operators)) = value else { return Vec::new() };
        let pairs = operators.iter().filter_map(|(operator, keys)| Some((operator, keys.as_object()?)));
        pairs
            .flat_map(|(operator, keys)| keys.iter().map(move |(key, values)| (operator, key, values)))
            .map(|(operator, key, values)| Self {
                operator: operator.clone(),
                key: key.clone(),
                values: listed(Some(values)).into_iter().map(text).collect(),
            })
            .collect()
    }

    /// Whether it is this operator, key and boolean.
    #[must_use]
    pub fn is_bool(&self, key: &str, wanted: bool) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        matches!(operator.as_str(), "bool" | "boolifexists")
            && self.key.eq_ignore_ascii_case(key)
            && !self.values.is_empty()
            && self.values.iter().all(|value| value.eq_ignore_ascii_case(if wanted { "true" } else { "false" }))
    }

    /// Whether it limits a service to the resources of some account or organisation.
    #[must_use]
    pub fn names_a_source(&self) -> bool {
        self.key.to_ascii_lowercase().starts_with("aws:source")
            && self.form().is_some()
            && !self.key.to_ascii_lowercase().starts_with("aws:sourcevpc")
            && self.strength() == Strength::Restricting
    }

    /// Whether it holds for all but known accounts, organisations or networks: a guard, in a Deny.
    #[must_use]
    pub fn excludes_the_known(&self) -> bool {
        let operator = self.operator.to_ascii_lowercase();
        let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
        NEGATED.contains(&operator) && self.form().is_some_and(|form| self.is_fixed(form))
    }

    /// How many of the owner's principals it lets change a policy. `vouched` says that an organisation which is
    /// named is the owner's. What it does not look at, such as MFA, addresses and networks, narrows how they come,
    /// and leaves to IAM who they are.
    #[must_use]
    pub fn share(&self, owner: &str, vouched: bool) -> Share {
        let (operator, key) = (self.operator.to_ascii_lowercase(), self.key.to_ascii_lowercase());
        if NEVER_WITH_POLICIES.iter().any(|never| key.starts_with(never)) {
            // `Null` with `false` asks that the key be there.
            let asks_for_it = operator == "null" && self.values.iter().any(|value| value.eq_ignore_ascii_case("false"));
            return if holds_for_strangers(&operator) && !asks_for_it { Share::All } else { Share::Nobody };
        }
        let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
        let operator = operator.rsplit(':').next().unwrap_or(operator);
        let (exact, negated) = (EXACT.contains(&operator), NEGATED.contains(&operator));
        let named = |form: Form| self.values.iter().map(|value| form.share(value, owner)).max();
        match self.form() {
            None if key == "aws:principaltype" && (exact || negated) => self.share_of_types(negated),
            Some(form @ (Form::Account | Form::Arn | Form::UniqueId)) if exact => named(form).unwrap_or(Share::Nobody),
            Some(form @ (Form::Account | Form::Arn)) if negated && named(form) == Some(Share::All) => Share::Nobody,
            Some(form @ (Form::Id | Form::Path)) if exact && key.starts_with("aws:principalorg") => {
                if vouched || !self.is_fixed(form) { Share::All } else { Share::Nobody }
            }
            _ => Share::All,
        }
    }

    /// How many of an account's principals a condition on their type leaves. `Account` is the root user alone; whom
    /// IAM lets are users and roles.
    fn share_of_types(&self, negated: bool) -> Share {
        let named = |kind: &str, value: &String| matches(value.to_ascii_lowercase().as_bytes(), kind.as_bytes());
        let holds = |kind: &str| self.values.iter().any(|value| named(kind, value)) != negated;
        let unknown = self.values.iter().any(|value| value.contains("${"));
        if unknown || holds("assumedrole") || holds("user") {
            Share::All
        } else if holds("account") || holds("federateduser") {
            Share::Some
        } else {
            Share::Nobody
        }
    }

    fn form(&self) -> Option<Form> {
        let key = self.key.to_ascii_lowercase();
        RESTRICTING.iter().find(|(name, _)| *name == key).map(|(_, form)| *form)
    }

    fn is_fixed(&self, form: Form) -> bool {
        !self.values.is_empty() && self.values.iter().all(|value| form.is_fixed(value))
    }

    fn strength(&self) -> Strength {
        let Some(form) = self.form() else { return Strength::Weak };
        let operator = self.operator.to_ascii_lowercase();
        let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        if holds_for_strangers(operator) || self.values.iter().any(|value| value == "*") {
            Strength::Nothing
        } else if EXACT.contains(&operator) && self.is_fixed(form) {
            Strength::Restricting
        } else {
            Strength::Weak
        }
    }

    /// The accounts that its values name, whatever the operator makes of them.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        let form = self.form();
        self.values.iter().filter_map(move |value| match form {
            Some(Form::Account) => Some(value.as_str()),
            Some(Form::Arn) => Arn::parse(value).map(|arn| arn.account),
            _ => None,
        })
    }

    fn is_address(&self) -> bool {
        self.operator.eq_ignore_ascii_case("IpAddress")
            && self.key.eq_ignore_ascii_case("aws:SourceIp")
            && self.values.iter().all(|value| !matches!(value.as_str(), "0.0.0.0/0" | "::/0"))
    }
}

impl Reach {
    /// Of a statement for everybody.
    #[must_use]
    pub fn of(conditions: &[Condition]) -> Self {
        let with = |strength: Strength| conditions.iter().filter(move |c| c.strength() == strength);
        if with(Strength::Restricting).next().is_some() {
            // Who calls and for whose resource are two questions.
            let callers = common_accounts(with(Strength::Restricting).filter(|c| !c.names_a_source()));
            return Self::Restricted { accounts: &callers | &source_accounts(conditions) };
        }
        match with(Strength::Weak).next() {
            None => Self::Everybody,
            Some(_) => Self::AnyAccount { by_address_only: with(Strength::Weak).all(Condition::is_address) },
        }
    }
}

impl Form {
    /// How many of an account's principals a value stands for. What a policy variable stands for is not known: it
    /// may be all of them.
    fn share(self, value: &str, account: &str) -> Share {
        if value == "*" || value.contains("${") {
            return Share::All;
        }
        let is_of_account = |pattern: &str| matches(pattern.as_bytes(), account.as_bytes());
        match (self, Arn::parse(value)) {
            (Self::Account, _) if is_of_account(value) => Share::All,
            (Self::Arn, Some(arn)) if is_of_account(arn.account) => {
                let is_of = |service: &str| matches(arn.service.as_bytes(), service.as_bytes());
                let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, arn.resource));
                if is_of("iam") {
                    // `role/*` is all that a kind has.
                    if name == "*" { Share::All } else { Share::Some }
                } else if is_of("sts") && matches(kind.as_bytes(), b"federated-user") {
                    Share::Some
                } else {
                    // AWS knows a role's sessions by the role.
                    Share::Nobody
                }
            }
            (Self::Account, _) | (Self::Arn, Some(_)) => Share::Nobody,
            _ => Share::Some,
        }
    }

    /// Whether a value leaves nobody else in. What a policy variable stands for is not known.
    fn is_fixed(self, value: &str) -> bool {
        let wild = |text: &str| text.contains(['*', '?']);
        if value.contains("${") {
            return false;
        }
        match self {
            Self::Account => is_account_id(value),
            Self::Id => !value.is_empty() && !wild(value),
            Self::Path => {
                let organisation = value.split('/').next().unwrap_or_default();
                !organisation.is_empty() && !wild(organisation)
            }
            Self::Arn => Arn::parse(value).is_some_and(|arn| {
                // A bucket has no account, and one owner all the same.
                !wild(arn.account)
                    && !wild(arn.service)
                    && (is_account_id(arn.account) || !wild(arn.resource.split('/').next().unwrap_or_default()))
            }),
            Self::UniqueId => {
                let fixed = value.split(['*', '?']).next().unwrap_or_default();
                ["AROA", "AIDA"].iter().any(|prefix| fixed.starts_with(prefix)) && fixed.len() >= 14
            }
        }
    }
}

/// The accounts for whose resources a service may act, as far as conditions name any.
#[must_use]
pub fn source_accounts(conditions: &[Condition]) -> BTreeSet<String> {
    common_accounts(conditions.iter().filter(|condition| condition.names_a_source()))
}

/// Whom conditions leave of everybody, among the owner's people, as precisely as they tell: principals, else the
/// account, else its organization; nobody, where they tell nothing of who calls.
#[must_use]
pub fn people(conditions: &[Condition], owner: &str) -> Vec<String> {
    let restricting = || conditions.iter().filter(|c| c.strength() == Strength::Restricting && !c.names_a_source());
    let of_form = |form: Form| restricting().filter(move |c| c.form() == Some(form)).flat_map(|c| &c.values);
    let is_owned = |arn: &&String| Arn::parse(arn).is_some_and(|arn| arn.account == owner);
    if of_form(Form::Arn).next().is_some() {
        of_form(Form::Arn).filter(is_owned).cloned().collect()
    } else if of_form(Form::Account).next().is_some() {
        let account = of_form(Form::Account).find(|account| *account == owner);
        account.map(|_| "everybody in the account".to_owned()).into_iter().collect()
    } else {
        let named = restricting().filter(|c| c.key.eq_ignore_ascii_case("aws:PrincipalOrgID")).flat_map(|c| &c.values);
        named.map(|id| format!("everybody in the organization {id}")).collect()
    }
}

/// The accounts that conditions of one kind leave, as far as they name any. All must hold, so those that all of
/// them name; but one that names none for some value, such as a bucket, shuts no account out.
fn common_accounts<'c>(conditions: impl Iterator<Item = &'c Condition>) -> BTreeSet<String> {
    let named = |condition: &'c Condition| -> BTreeSet<String> {
        condition.accounts().filter(|account| is_account_id(account)).map(str::to_owned).collect()
    };
    let names_each =
        |condition: &&Condition| condition.accounts().filter(|a| is_account_id(a)).count() == condition.values.len();
    let (closed, open): (Vec<_>, Vec<_>) = conditions.partition(names_each);
    let common = closed.into_iter().map(named).reduce(|all, more| &all & &more);
    common.unwrap_or_else(|| open.into_iter().flat_map(named).collect())
}

/// Whether a condition on who calls holds for those whom it does not name, or who lack the key.
fn holds_for_strangers(operator: &str) -> bool {
    operator.ends_with("ifexists")
        || operator.starts_with("forallvalues:")
        || operator.contains("not")
        || operator == "null"
}

/// Booleans and numbers are written as they are, or as texts.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
