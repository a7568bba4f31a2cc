//! The catalogue. A rule is a static value with a pure check, and a page beside it that explains it
//! and holds the records on which it must fire or stay quiet.
//!
//! Event rules see one call; usage rules see one day of committed usage and the fold's memory; posture
//! rules see what is known when all days are folded. None does I/O, reads a clock, or keeps state.

pub mod attempt;
pub mod configured;
pub mod critical_action;
pub mod cross_account;
pub mod default_key;
pub mod draft;
pub mod enclave;
pub mod encryption_context;
pub mod encryption_weakened;
mod groups;
pub mod index;
pub mod key_policy;
pub mod page;
pub mod phrase;
pub mod posture;
pub mod settings;
mod tally;
pub mod trail;

use crate::kms::call::Call;
use crate::model::arn::owner_account;
use crate::model::history::History;
use crate::model::key_change::KeyChange;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;

use self::draft::Draft;
use self::posture::Posture;
use self::settings::Settings;

/// A rule of the catalogue.
#[derive(Debug)]
pub struct Rule {
    /// kebab-case; the page is `<family>/<id in snake_case>.md`.
    pub id: &'static str,
    /// Group of rules, as in the `family` column.
    pub family: &'static str,
    /// What happened, in a few words: the page's first line.
    pub title: &'static str,
    /// Severity before anything about the case is known.
    pub severity: Severity,
    /// ATT&CK technique ids.
    pub mitre: &'static [&'static str],
    /// The page, in Markdown.
    pub page: &'static str,
    /// What is looked at, and how.
    pub check: Check,
}

/// How a rule looks.
#[derive(Debug)]
pub enum Check {
    /// At each call of these events (`eventSource`, `eventName`).
    Event {
        /// The events.
        events: Events,
        /// The look.
        check: fn(&Rule, &Call<'_>, &Settings) -> Option<Draft>,
    },
    /// At each day of committed usage: makes what watches one day.
    Usage(fn() -> Box<dyn Watch>),
    /// At what is known when all days are folded.
    Posture(fn(&Posture<'_>) -> Vec<Draft>),
}

/// The events of an event rule.
#[derive(Debug)]
pub enum Events {
    /// Operations of KMS.
    Kms(&'static [&'static str]),
    /// Pairs of `eventSource` and `eventName` that a table lists.
    Table(fn() -> Vec<(&'static str, &'static str)>),
}

/// A usage rule at work on one day. It is shown what was done to keys that day, in order of time, then
/// the day's rows of usage one by one, in no promised order. It keeps what it needs of them: a day may
/// have millions.
pub trait Watch {
    /// Looks at an act on a key, or a fact learned about it; history does not know of it yet.
    fn see_change(&mut self, _change: &KeyChange, _day: &Day<'_>) {}

    /// Looks at a row of usage; several rows may have the same dimensions.
    fn see(&mut self, _row: &UsageRow<'_>, _day: &Day<'_>) {}

    /// Judges the day when all its rows were seen.
    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft>;
}

/// A day that is watched.
pub struct Day<'a> {
    /// Days since 1970.
    pub day: i64,
    /// What is known from the days before it, from the rows of it that were shown already, and from
    /// all key changes.
    pub history: &'a History,
    /// The configuration.
    pub settings: &'a Settings,
}

impl Day<'_> {
    /// Whether a key is of an own account.
    #[must_use]
    pub fn owns(&self, key_arn: &str) -> bool {
        owner_account(key_arn).is_some_and(|owner| self.is_own(owner))
    }

    /// Whether the account counts as ours.
    #[must_use]
    pub fn is_own(&self, account: &str) -> bool {
        self.history.own.contains(account)
    }

    /// Whether it is an account that nobody has vouched for.
    #[must_use]
    pub fn is_foreign(&self, account: &str) -> bool {
        !account.is_empty() && !self.is_own(account) && !self.settings.accounts.names(account)
    }
}

/// The rules of each family.
pub const FAMILIES: [&[Rule]; 8] = [
    critical_action::RULES,
    cross_account::RULES,
    default_key::RULES,
    enclave::RULES,
    encryption_context::RULES,
    encryption_weakened::RULES,
    key_policy::RULES,
    trail::RULES,
];

/// All rules, family by family.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The rule with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn families_are_sorted_and_ids_are_unique() {
        let ids: Vec<_> = all().map(|rule| rule.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        for family in FAMILIES {
            assert!(family.is_sorted_by_key(|rule| rule.id), "{}", family[0].family);
        }
    }

    /// Whether each record is introduced by a line that goes with it: a terminal shows neither.
    fn captioned(page: &str) -> bool {
        let mut last = "";
        page.lines().all(|line| {
            let wanted = !line.starts_with("```json ") || last.ends_with(':');
            if !line.is_empty() {
                last = line;
            }
            wanted
        })
    }

    #[test]
    fn every_page_is_registered_and_of_one_form() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
        let mut pages = BTreeSet::new();
        for folder in std::fs::read_dir(&root).expect("rules").flatten().filter(|f| f.path().is_dir()) {
            for file in std::fs::read_dir(folder.path()).expect("family").flatten() {
                let path = file.path();
                if path.extension().is_some_and(|e| e == "md") {
                    let stem = path.file_stem().expect("stem").to_string_lossy().replace('_', "-");
                    assert_eq!(
                        find(&stem).map(|rule| rule.family.replace('-', "_")),
                        Some(folder.file_name().to_string_lossy().into_owned()),
                        "{stem} is not registered"
                    );
                    pages.insert(stem);
                }
            }
        }
        for rule in all() {
            assert!(pages.contains(rule.id), "{} has no page", rule.id);
            let page = page::Page::parse(rule.page);
            assert_eq!(page.title, rule.title, "{}", rule.id);
            let headings: Vec<_> = page.sections.iter().map(|section| section.heading).collect();
            assert_eq!(headings, page::HEADINGS, "{}", rule.id);
            assert!(captioned(rule.page), "{}: a record without a line that ends in a colon before it", rule.id);
            assert!(page.examples.iter().any(|e| e.fires) && page.examples.iter().any(|e| !e.fires), "{}", rule.id);
        }
    }
}
