//! How far a grant reaches: the score of DOMAIN E.4.

use super::accounts::{Accounts, Standing};
use super::call::Call;
use super::principal::PrincipalKind;
use crate::model::arn::{Arn, is_account_id};
use crate::model::json::Json;
use crate::model::key_change::KeyChange;
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
    /// Who may retire it, if anybody.
    pub retiring: Option<&'a str>,
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
        let operations = request.get("operations").elements().filter_map(Json::str).collect();
        Self::new(grantee, retiring, operations, limits(request.get("constraints")))
    }

    /// A grant as a committed `CreateGrant` tells of it.
    #[must_use]
    pub fn of_change(change: &'a KeyChange) -> Self {
        let operations = serde_json::from_str(&change.grant_operations).unwrap_or_default();
        let retiring = Some(change.grant_retiring.as_str()).filter(|retiring| !retiring.is_empty());
        Self::new(&change.grantee, retiring, operations, !change.grant_constraints.is_empty())
    }

    fn new(grantee: &'a str, retiring: Option<&'a str>, operations: Vec<&'a str>, constrained: bool) -> Self {
        Self {
            grantee,
            account: account_of(grantee),
            operations,
            constrained,
            retiring,
            to_aws: is_aws(grantee) || retiring.is_some_and(is_aws),
        }
    }

    /// How the grantee's account stands to the key's owner; `None` for services and who is in no account.
    #[must_use]
    pub fn standing(&self, accounts: &Accounts, owner: &str) -> Option<Standing> {
        self.account.map(|account| accounts.standing(account, owner))
    }

    /// Whether it lets data be decrypted, or moved to another key.
    #[must_use]
    pub fn decrypts(&self) -> bool {
        self.operations.iter().any(|op| *op == "Decrypt" || op.starts_with("ReEncrypt"))
    }

    /// Severity by the score.
    #[must_use]
    pub fn severity(&self, made: &Making<'_>, standing: Option<Standing>) -> Severity {
        // Whether an account is foreign may be for the fold to say: until then it is another one.
        let external = standing == Some(Standing::Foreign);
        let points = [
            (external, 3),
            (!external && self.account.is_some_and(|account| account != made.owner), 1),
            (self.operations.contains(&"CreateGrant") && !is_aws(self.grantee), 2),
            (self.operations.contains(&"Decrypt") && made.direct && !self.constrained, 2),
            (!self.constrained, 1),
            (self.retiring.is_none(), 1),
            (self.grantee.ends_with(":root"), 1),
            (made.by_root, 1),
            (!made.direct && self.to_aws, -3),
        ];
        let score: i32 = points.iter().filter(|(holds, _)| *holds).map(|(_, points)| points).sum();
        let severity = match score {
            ..=0 => Severity::Info,
            1..=2 => Severity::Low,
            3..=4 => Severity::Medium,
            5..=6 => Severity::High,
            _ => Severity::Critical,
        };
        if external && self.decrypts() && made.direct { severity.max(Severity::High) } else { severity }
    }
}

/// How a grant was made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// Account that owns the key.
    pub owner: &'a str,
    /// Whether nobody stood between the principal and KMS.
    pub direct: bool,
    /// Whether it was the root user.
    pub by_root: bool,
}

impl<'a> Making<'a> {
    /// Of a call.
    #[must_use]
    pub fn of(call: &'a Call<'_>) -> Self {
        Self {
            owner: call.keys.owner().unwrap_or(call.event.account),
            direct: call.via.is_direct(),
            by_root: call.principal.kind == PrincipalKind::Root,
        }
    }
}

/// Whether constraints limit anything: an empty context does not.
fn limits(constraints: Json<'_>) -> bool {
    constraints.members().any(|(_, limit)| limit.non_empty().is_some() || limit.members().next().is_some())
}

/// The account of a principal: of its ARN, or the bare id.
#[must_use]
pub fn account_of(principal: &str) -> Option<&str> {
    let account = Arn::parse(principal).map_or(principal, |arn| arn.account);
    is_account_id(account).then_some(account)
}

/// Service principals, AWS infrastructure roles, service-linked roles.
fn is_aws(principal: &str) -> bool {
    let service = [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|suffix| principal.ends_with(suffix));
    (service && !principal.starts_with("arn:"))
        // Older records: account, infrastructure, instance.
        || principal.contains(":aws:ec2-infrastructure:")
        || principal.contains(":assumed-role/aws:")
        || principal.contains(":role/aws:")
        || principal.contains("/aws-service-role/")
        || principal.contains(":assumed-role/AWSServiceRoleFor")
}
