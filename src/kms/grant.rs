//! How far a grant reaches: the score of DOMAIN E.4.

use super::accounts::Accounts;
use super::call::Call;
use super::principal::PrincipalKind;
use crate::model::arn::{Arn, is_account_id};
use crate::model::json::Json;
use crate::model::severity::Severity;

/// What a `CreateGrant` hands out.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// Grantee principal or service.
    pub grantee: &'a str,
    /// Account of the grantee, if it is in one.
    pub account: Option<&'a str>,
    /// Operations allowed.
    pub operations: Vec<&'a str>,
    /// Whether an encryption context or source ARN limits it.
    pub constrained: bool,
    /// Whether somebody may retire it.
    pub retirable: bool,
    /// Whether the grantee or retiring principal is AWS itself.
    pub to_aws: bool,
}

impl<'a> Grant<'a> {
    /// Reads the request.
    #[must_use]
    pub fn of(request: Json<'a>) -> Self {
        let either = |a: &str, b: &str| request.get(a).non_empty().or_else(|| request.get(b).non_empty());
        let grantee = either("granteePrincipal", "granteeServicePrincipal").unwrap_or_default();
        let retiring = either("retiringPrincipal", "retiringServicePrincipal");
        Self {
            grantee,
            account: account_of(grantee),
            operations: request.get("operations").elements().filter_map(Json::str).collect(),
            constrained: request.get("constraints").members().next().is_some(),
            retirable: retiring.is_some(),
            to_aws: is_aws(grantee) || retiring.is_some_and(is_aws),
        }
    }

    /// Whether the grantee belongs to an account that nobody has vouched for.
    #[must_use]
    pub fn is_external(&self, accounts: &Accounts, recipient: &str) -> bool {
        self.account.is_some_and(|account| accounts.is_foreign(account, recipient))
    }

    /// Severity by the score.
    #[must_use]
    pub fn severity(&self, call: &Call<'_>, accounts: &Accounts) -> Severity {
        let event = call.event;
        let owner = call.keys.owner().unwrap_or(event.account);
        let external = self.is_external(accounts, owner);
        let direct = call.via.is_direct();
        let decrypts = self.operations.iter().any(|op| *op == "Decrypt" || op.starts_with("ReEncrypt"));
        let points = [
            (external, 3),
            (!external && self.account.is_some_and(|account| account != owner), 1),
            (self.operations.contains(&"CreateGrant") && !is_aws(self.grantee), 2),
            (self.operations.contains(&"Decrypt") && direct && !self.constrained, 2),
            (!self.constrained, 1),
            (!self.retirable, 1),
            (self.grantee.ends_with(":root"), 1),
            (call.principal.kind == PrincipalKind::Root, 1),
            (!direct && self.to_aws, -3),
        ];
        let score: i32 = points.iter().filter(|(holds, _)| *holds).map(|(_, points)| points).sum();
        let severity = match score {
            ..=0 => Severity::Info,
            1..=2 => Severity::Low,
            3..=4 => Severity::Medium,
            5..=6 => Severity::High,
            _ => Severity::Critical,
        };
        if external && decrypts && direct { severity.max(Severity::High) } else { severity }
    }
}

/// The account of a principal: of its ARN, or the bare id.
#[must_use]
pub fn account_of(principal: &str) -> Option<&str> {
    let account = Arn::parse(principal).map_or(principal, |arn| arn.account);
    is_account_id(account).then_some(account)
}

/// Service principals, AWS infrastructure roles, service-linked roles.
fn is_aws(principal: &str) -> bool {
    (principal.ends_with(".amazonaws.com") && !principal.starts_with("arn:"))
        || principal.contains(":assumed-role/aws:")
        || principal.contains(":role/aws:")
        || principal.contains("/aws-service-role/")
        || principal.contains(":assumed-role/AWSServiceRoleFor")
}
