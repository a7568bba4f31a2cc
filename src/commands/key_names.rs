//! Keys as findings speak of them: by ARN, by an alias where no key is known, in evidence.

use std::collections::HashSet;

use super::findings::{Row, text};
use super::keys::list;

/// Some keys of `keys`, ready to be asked for.
#[derive(Default)]
pub(super) struct KeyNames {
    arns: HashSet<String>,
    /// Account, Region and alias.
    aliases: HashSet<[String; 3]>,
}

impl KeyNames {
    pub(super) fn of<'r>(keys: impl IntoIterator<Item = &'r Row>) -> Self {
        let mut names = Self::default();
        for key in keys {
            names.arns.insert(text(key, "key_arn").to_owned());
            let place = |alias: &str| [text(key, "account_id"), text(key, "region"), alias].map(str::to_owned);
            names.aliases.extend(list(key, "aliases").map(place));
        }
        names
    }

    pub(super) fn are_none(&self) -> bool {
        self.arns.is_empty()
    }

    /// Whether a finding is about one of the keys, or names one beside its own.
    pub(super) fn are_in(&self, finding: &Row) -> bool {
        let arn = text(finding, "key_arn");
        let place = || ["account_id", "region", "key_alias"].map(|column| text(finding, column).to_owned());
        self.arns.contains(arn)
            || (arn.is_empty() && self.aliases.contains(&place()))
            || ["resource_arn", "evidence"].iter().any(|column| self.holds(text(finding, column)))
    }

    fn holds(&self, text: &str) -> bool {
        let is_of_arn = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '-' | '_');
        text.match_indices("arn:").any(|(at, _)| {
            let arn = &text[at..];
            let end = arn.find(|c| !is_of_arn(c)).unwrap_or(arn.len());
            self.arns.contains(&arn[..end])
        })
    }
}
