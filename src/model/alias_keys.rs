//! Which key an alias stands for, as far as the logs of all days tell.

use rustc_hash::FxHashMap;

use super::arn::{alias_arn, alias_beside, is_alias_name};

/// Alias ARN: the key that it was seen together with; none if there were several.
#[derive(Debug, Default, Clone)]
pub struct AliasKeys(FxHashMap<String, Option<String>>);

impl AliasKeys {
    /// Learns that `alias` was seen together with a key, which is of the same account and Region.
    pub fn learn(&mut self, key_arn: &str, alias: &str) {
        let known = self.0.entry(alias_beside(key_arn, alias)).or_insert_with(|| Some(key_arn.to_owned()));
        if known.as_deref() != Some(key_arn) {
            *known = None;
        }
    }

    /// Whether `alias` always meant this key.
    #[must_use]
    pub fn is_one(&self, key_arn: &str, alias: &str) -> bool {
        self.0.get(&alias_beside(key_arn, alias)).and_then(Option::as_deref) == Some(key_arn)
    }

    /// The key that `named`, an alias or its ARN, always meant. A bare alias is one of `account` in `region`.
    #[must_use]
    pub fn key(&self, named: &str, account: &str, region: &str) -> Option<&str> {
        let known =
            if is_alias_name(named) { self.0.get(&alias_arn(region, account, named)) } else { self.0.get(named) };
        known?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_that_moved_means_no_key() {
        let key = |id| format!("arn:aws:kms:eu-west-1:111122223333:key/{id}");
        let mut aliases = AliasKeys::default();
        aliases.learn(&key("a"), "alias/app");
        aliases.learn(&key("a"), "alias/app");
        aliases.learn(&key("a"), "alias/moved");
        aliases.learn(&key("b"), "alias/moved");
        let a = key("a");
        for (named, expected) in [
            ("alias/app", Some(&*a)),
            ("arn:aws:kms:eu-west-1:111122223333:alias/app", Some(&*a)),
            ("alias/moved", None),
            ("arn:aws:kms:eu-west-1:444455556666:alias/app", None),
            ("app", None),
        ] {
            assert_eq!(aliases.key(named, "111122223333", "eu-west-1"), expected, "{named}");
        }
        assert_eq!(aliases.key("alias/app", "111122223333", "us-east-1"), None);
        assert!(aliases.is_one(&a, "alias/app") && !aliases.is_one(&a, "alias/moved"));
        assert!(!aliases.is_one(&key("b"), "alias/app"));
    }
}
