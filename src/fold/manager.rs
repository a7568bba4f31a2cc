//! Who manages a key: the evidence, and what it comes to (DOMAIN B.1).

use crate::kms::policy::actions::{self, Actions};
use crate::model::arn::{Arn, is_aws_managed_alias};
use crate::model::key_change::KeyChange;
use crate::model::usage_row::UsageRow;

/// Evidence seen so far; of several kinds the strongest speaks, in whatever order they came.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Evidence {
    aws: Option<Sign>,
    customer: Option<Sign>,
    /// A record said that the key is AWS's own.
    aws_owned: bool,
    /// It was used as only asymmetric and HMAC keys can be.
    pub(super) is_asymmetric: bool,
}

/// What may tell the manager of a key, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    Stated,
    Inventory,
    AwsAlias,
    Administered,
    CustomerAlias,
    Elsewhere,
    MultiRegion,
    Asymmetric,
    AcrossAccounts,
}

impl Sign {
    const fn words(self) -> &'static str {
        match self {
            Self::Stated => "keyManager in the response of CreateKey or ReplicateKey",
            Self::Inventory => "the inventory file",
            Self::AwsAlias => "seen together with an alias/aws/ alias",
            Self::Administered => "administered, which AWS-managed keys refuse",
            Self::CustomerAlias => "seen together with a customer's alias",
            Self::Elsewhere => "in a custom key store or with imported material, as AWS-managed keys are not",
            Self::MultiRegion => "multi-Region, as AWS-managed keys are not",
            Self::Asymmetric => "asymmetric or HMAC, as AWS-managed keys are not",
            Self::AcrossAccounts => "used across accounts, which AWS-managed keys refuse",
        }
    }
}

fn strengthen(known: &mut Option<Sign>, sign: Sign) {
    *known = Some(known.map_or(sign, |known| known.min(sign)));
}

/// Whether such an act, where it succeeds, shows a customer's key: AWS-managed keys refuse all
/// administration but that of their grants, which services create and revoke.
pub(super) fn is_customer_only(change: &str) -> bool {
    let grants = Actions::one("CreateGrant") | Actions::one("RevokeGrant");
    actions::ADMIN.without(grants).meets(Actions::one(change))
}

/// Operations of asymmetric and HMAC keys, which AWS manages none of.
const ASYMMETRIC_OR_HMAC: [&str; 8] =
    ["Decapsulate", "DeriveSharedSecret", "Encapsulate", "GenerateMac", "GetPublicKey", "Sign", "Verify", "VerifyMac"];

impl Evidence {
    /// Somebody who must know says `AWS` or `CUSTOMER`, in any case.
    pub(super) fn state(&mut self, manager: &str, sign: Sign) {
        if manager.eq_ignore_ascii_case("aws") {
            strengthen(&mut self.aws, sign);
        } else if manager.eq_ignore_ascii_case("customer") {
            strengthen(&mut self.customer, sign);
        } else if manager == "AWS_OWNED" {
            self.aws_owned = true;
        }
    }

    pub(super) fn change(&mut self, change: &KeyChange) {
        if change.attempt {
            return;
        }
        self.state(&change.key_manager, Sign::Stated);
        if change.change == KeyChange::ALIAS_SEEN {
            self.alias(&change.alias);
        }
        if is_customer_only(&change.change) {
            strengthen(&mut self.customer, Sign::Administered);
        }
        if !change.custom_key_store_id.is_empty() || !matches!(change.key_origin.as_str(), "" | "AWS_KMS") {
            strengthen(&mut self.customer, Sign::Elsewhere);
        }
    }

    /// The prefix is AWS's own: no customer can take it, and no key of AWS goes without it.
    pub(super) fn alias(&mut self, alias: &str) {
        if is_aws_managed_alias(alias) {
            strengthen(&mut self.aws, Sign::AwsAlias);
        } else {
            strengthen(&mut self.customer, Sign::CustomerAlias);
        }
    }

    /// Takes usage of a key of `owner`.
    pub(super) fn usage(&mut self, row: &UsageRow<'_>, owner: Option<&str>) {
        if !row.succeeded() {
            return;
        }
        let caller = row.principal_account_id;
        if row.side != "local" && !caller.is_empty() && owner.is_some_and(|owner| owner != caller) {
            strengthen(&mut self.customer, Sign::AcrossAccounts);
        }
        if ASYMMETRIC_OR_HMAC.contains(&row.event_name) {
            strengthen(&mut self.customer, Sign::Asymmetric);
            self.is_asymmetric = true;
        }
    }

    /// `manager` and `manager_evidence`. Two certain ones that disagree leave it open.
    pub(super) fn verdict(self, key_arn: &str) -> (&'static str, &'static str) {
        let mut customer = self.customer;
        if Arn::parse(key_arn).is_some_and(|arn| arn.kms_multi_region_id().is_some()) {
            strengthen(&mut customer, Sign::MultiRegion);
        }
        match (self.aws, customer) {
            (Some(_), Some(_)) => ("unknown", "the evidence contradicts itself"),
            (Some(sign), None) => ("aws", sign.words()),
            (None, Some(sign)) => ("customer", sign.words()),
            (None, None) if self.aws_owned => ("aws_owned", "a record says that it is AWS's own"),
            (None, None) => ("unknown", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_sign_speaks_in_whatever_order_they_come() {
        let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let signs = [Sign::AcrossAccounts, Sign::Administered, Sign::Asymmetric];
        let verdict = |signs: &[Sign]| {
            let mut evidence = Evidence::default();
            signs.iter().for_each(|sign| strengthen(&mut evidence.customer, *sign));
            evidence.verdict(key)
        };
        let reversed: Vec<Sign> = signs.iter().rev().copied().collect();
        assert_eq!(verdict(&signs), verdict(&reversed));
        assert_eq!(verdict(&signs), ("customer", Sign::Administered.words()));
        assert_eq!(verdict(&[]), ("unknown", ""));
    }
}
