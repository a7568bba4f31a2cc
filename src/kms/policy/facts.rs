//! What is kept of a key policy: enough to judge it again once own accounts are known, and to show how
//! the next one differs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::analysis::{self, Key};
use super::condition::Condition;
use super::document::{Policy, Principal, Statement};
use super::spelling;
use crate::kms::accounts::Standing;
use crate::model::severity::Severity;

/// Facts of one policy, as the `policy` column holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyFacts {
    /// Whether the document could be read; if not, nothing else is known.
    pub readable: bool,
    /// Ids of the weaknesses that show without knowing whose accounts are whose.
    pub weaknesses: Vec<String>,
    /// Other accounts that are let in, and what they may.
    pub accounts: BTreeMap<String, Access>,
    /// Who may do what, a statement and principal a line; a Deny starts with `Deny`. What is not about the key has
    /// none.
    pub lines: BTreeSet<String>,
}

/// What an account may do with the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// admin, use, read.
    pub rights: Vec<String>,
    /// Whether that is everything.
    pub everything: bool,
    /// How bad it is if the account is foreign.
    pub if_foreign: Option<Severity>,
}

impl Access {
    /// Whether it is more than `before` was. Who may use a key gains nothing by reading about it.
    #[must_use]
    pub fn exceeds(&self, before: &Self) -> bool {
        let gained = self.rights.iter().any(|right| right != "read" && !before.rights.contains(right));
        gained || self.if_foreign > before.if_foreign
    }
}

/// What a policy has that another has not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Lines that are new.
    pub added: Vec<String>,
    /// Lines that are gone.
    pub removed: Vec<String>,
}

impl PolicyFacts {
    /// The facts of a document of the key with this ARN, which may be empty.
    #[must_use]
    pub fn of(document: &str, arn: &str, owner: &str, bypassed: bool) -> Self {
        Policy::of_key(document, arn).map(|policy| Self::of_policy(&policy, arn, owner, bypassed)).unwrap_or_default()
    }

    /// The facts of a policy, of which all statements are about the key.
    #[must_use]
    pub fn of_policy(policy: &Policy, arn: &str, owner: &str, bypassed: bool) -> Self {
        let standing = |account: &str| if account == owner { Standing::Own } else { Standing::Unknown };
        let found = analysis::weaknesses(policy, &Key { arn, owner, bypassed, standing: &standing });
        let accounts = analysis::others(policy, owner).into_iter().map(|(account, rights)| {
            let if_foreign =
                if rights.are_everything() { Some(Severity::Critical) } else { rights.severity(Standing::Foreign) };
            let words = rights.words().iter().map(|word| (*word).to_owned()).collect();
            (account, Access { rights: words, everything: rights.are_everything(), if_foreign })
        });
        Self {
            readable: true,
            weaknesses: found.iter().map(|found| found.weakness.id().to_owned()).collect(),
            accounts: accounts.collect(),
            lines: lines(policy),
        }
    }

    /// Facts as they were written; of anything else, none.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// For the `policy` column.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// For evidence.
    #[must_use]
    pub fn to_value(&self) -> Value {
        if self.readable { json!(self) } else { json!({ "readable": false }) }
    }

    /// What this policy changes against the one before it; nothing if one of them could not be read.
    #[must_use]
    pub fn difference(&self, before: &Self) -> Difference {
        if !self.readable || !before.readable {
            return Difference::default();
        }
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        Difference { added: only(&self.lines, &before.lines), removed: only(&before.lines, &self.lines) }
    }
}

impl Difference {
    /// Lines with `+` and `-`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let marked = |mark: &'static str| move |line: &String| format!("{mark} {line}");
        self.added.iter().map(marked("+")).chain(self.removed.iter().map(marked("-")))
    }
}

/// Bytes of all lines of a policy, nearly. Eighty roles with twenty actions each have half of that; but a document
/// of 32 KB may say as much of each of a thousand principals.
const LINES: usize = 65_536;

/// The lines of a policy, what it denies first. Those beyond what is kept are a line together, that tells whether
/// they are the same.
fn lines(policy: &Policy) -> BTreeSet<String> {
    let of = |allows: bool| policy.statements.iter().filter(move |statement| statement.allows == allows);
    let [denied, allowed] = [of(false), of(true)].map(|statements| in_order(statements.flat_map(lines_of).collect()));
    let (mut lines, mut bytes) = (BTreeSet::new(), 0);
    let (mut rest, mut hash) = (0_usize, Xxh3::new());
    for line in denied.into_iter().chain(allowed) {
        bytes += line.len();
        if bytes <= LINES {
            lines.insert(line);
        } else {
            rest += 1;
            hash.update(line.as_bytes());
        }
    }
    if rest > 0 {
        lines.insert(format!("and {rest} more like these, together {:016x}", hash.digest()));
    }
    lines
}

/// A statement as lines: one a principal, so that a principal that comes or goes is a line that does. What IAM
/// reads alike is written alike.
fn lines_of(statement: &Statement) -> impl Iterator<Item = String> {
    let effect = if statement.allows { "Allow" } else { "Deny" };
    let patterns = in_order(statement.patterns.iter().map(String::as_str).collect());
    let but = if statement.not_action { "all but " } else { "" };
    let actions = format!("{but}{}", patterns.join(", "));
    let condition = |condition: &Condition| {
        let values = in_order(condition.values.iter().map(String::as_str).collect()).join(" or ");
        format!("{} {} {values}", spelling::operator(&condition.operator), spelling::key(&condition.key))
    };
    let conditions = in_order(statement.conditions.iter().map(condition).collect());
    let when = if conditions.is_empty() { String::new() } else { format!(" if {}", conditions.join(" and ")) };
    let names = in_order(statement.principals.iter().map(Principal::as_str).collect());
    let whom = if statement.not_principal {
        vec![format!("everybody but {}", names.join(", "))]
    } else {
        names.into_iter().map(str::to_owned).collect()
    };
    whom.into_iter().map(move |whom| format!("{effect} {actions} to {whom}{when}"))
}

/// In order, each once.
fn in_order<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_much_a_policy_says_of_however_many_little_is_kept() {
        let principals: Vec<String> = (0..900).map(|n| format!("arn:aws:iam::444455556666:role/r{n}")).collect();
        let actions: Vec<String> = (0..200).map(|n| format!("kms:Decrypt{n}")).collect();
        let document = |last: &str| {
            let mut principals = principals.clone();
            principals.push(format!("arn:aws:iam::444455556666:role/{last}"));
            json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": actions, "Resource": "*"}})
                .to_string()
        };
        let facts = |last| PolicyFacts::of(&document(last), "", "111122223333", false);
        let (one, other) = (facts("a"), facts("b"));
        assert!(one.readable && one.to_json().len() < 2 * LINES, "{}", one.to_json().len());
        assert_eq!(one, facts("a"));
        assert_eq!(one.difference(&other).lines().count(), 2);
        // The order of statements tells nothing, and what is denied is kept whatever is allowed.
        let statements = |deny_first: bool| {
            let mut all =
                vec![json!({"Effect": "Allow", "Principal": {"AWS": principals}, "Action": actions, "Resource": "*"})];
            let deny =
                json!({"Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"});
            all.insert(usize::from(!deny_first), deny);
            PolicyFacts::of(&json!({"Statement": all}).to_string(), "", "111122223333", false)
        };
        assert_eq!(statements(true), statements(false));
        assert!(statements(false).lines.contains("Deny kms:ScheduleKeyDeletion to *"));
        let longer = format!("{}{}", " ".repeat(65_536), document("a"));
        assert!(!PolicyFacts::of(&longer, "", "111122223333", false).readable);
    }
}
