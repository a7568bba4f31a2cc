//! A key policy that has lost a guard which the last one had: a Deny, or the account's root (DOMAIN E.3,
//! P15 and P7 by difference).

use crate::kms::policy::actions::Actions;
use crate::kms::policy::facts::PolicyFacts;
use crate::kms::policy::weakness::Weakness;
use crate::model::key_change::KeyChange;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::phrase::{named_key, who_changed};
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Lost>::default()
}

/// How lines of facts start that forbid.
const DENY: &str = "Deny ";

/// Characters of a Deny that a message shows; the evidence has it all.
const SHOWN: usize = 200;

#[derive(Default)]
struct Lost(Vec<Draft>);

impl Watch for Lost {
    fn see_change(&mut self, change: &KeyChange, day: &Day<'_>) {
        if change.attempt || change.policy.is_empty() {
            return;
        }
        let Some(before) = day.history.policy(&change.key_arn).map(PolicyFacts::parse) else { return };
        let after = PolicyFacts::parse(&change.policy);
        if !before.readable || !after.readable {
            return;
        }
        let has = |facts: &PolicyFacts, weakness: Weakness| facts.weaknesses.iter().any(|id| id == weakness.id());
        let lost_root = has(&after, Weakness::NoRoot) && !has(&before, Weakness::NoRoot);
        let removed = after.difference(&before).removed.into_iter();
        let denies: Vec<String> = removed.filter(|line| is_gone(line, &after)).collect();
        let which = match denies.as_slice() {
            [] => String::new(),
            [one] => format!("\"{}\"", clipped(one)),
            [one, rest @ ..] => format!("\"{}\" and {} more", clipped(one), rest.len()),
        };
        let severity = if lost_root { Severity::High } else { Severity::Medium };
        let what = match (lost_root, denies.is_empty()) {
            (true, true) => "the account's root, so that IAM policies no longer apply".to_owned(),
            (true, false) => format!("the account's root, so that IAM policies no longer apply, and {which}"),
            (false, true) => return,
            (false, false) => which,
        };
        let key = named_key(&change.key_arn, day.history.alias(&change.key_arn));
        let message = format!("{} took out of the policy of {key}: {what}", who_changed(change));
        let draft = Draft::on_change(change, severity, message);
        self.0.push(draft.with("lost_root", lost_root).with("removed", denies));
    }

    fn judge(self: Box<Self>, _: &Day<'_>) -> Vec<Draft> {
        self.0
    }
}

/// Whether a line is a Deny that the new policy has no match for: nothing that forbids as much, to the
/// same people, under the same conditions. Conditions are not weighed: one worded anew is another one.
fn is_gone(line: &str, policy: &PolicyFacts) -> bool {
    let Some([old, names, when]) = parts(line) else { return false };
    let alike = policy.lines.iter().filter_map(|line| parts(line));
    let alike =
        alike.filter(|[_, new_names, new_when]| *new_when == when && (*new_names == names || *new_names == "*"));
    let still = alike.map(|[patterns, ..]| forbidden(patterns)).reduce(|all, more| all | more);
    still.is_none_or(|still| !still.covers(forbidden(old)))
}

/// Of a Deny: actions, names, conditions.
fn parts(line: &str) -> Option<[&str; 3]> {
    let (patterns, whom) = line.strip_prefix(DENY)?.split_once(" to ")?;
    let (names, when) = whom.split_once(" if ").unwrap_or((whom, ""));
    Some([patterns, names, when])
}

fn forbidden(patterns: &str) -> Actions {
    let but = patterns.strip_prefix("all but ");
    let named =
        but.unwrap_or(patterns).split(", ").fold(Actions::NONE, |set, pattern| set | Actions::matching(pattern));
    if but.is_some() { named.complement() } else { named }
}

fn clipped(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
