//! Who acted: the user or the role, not each of its sessions (DOMAIN A.9).

use std::borrow::Cow;

use super::via::Via;
use crate::model::arn::{Arn, is_account_id};
use crate::model::event::{Event, Identity};

/// The grouping key of a `userIdentity` and what else identifies the actor.
#[derive(Debug, Clone)]
pub struct Principal<'a> {
    /// ARN of the user or role; `acct:…`, `svc:…` where there is none.
    pub key: Cow<'a, str>,
    /// Kind of principal.
    pub kind: PrincipalKind,
    /// Account of the caller; none for services.
    pub account: Option<&'a str>,
    /// Role session name.
    pub session: Option<&'a str>,
}

/// Kinds of principal, as the `principal_type` column names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// An IAM user.
    IamUser,
    /// A role session.
    AssumedRole,
    /// A person, through IAM Identity Center.
    IdentityCenter,
    /// The root user, or centrally assumed root.
    Root,
    /// A federated user.
    FederatedUser,
    /// Somebody of another account: all that an owner's copy says.
    AwsAccount,
    /// A service, in its own name.
    AwsService,
    /// EC2 infrastructure, service-linked roles: AWS acting in the account.
    ServiceRole,
    /// Anything else.
    Unknown,
}

impl PrincipalKind {
    /// The word in the `principal_type` column; CloudTrail's own where it has one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IamUser => "IAMUser",
            Self::AssumedRole => "AssumedRole",
            Self::IdentityCenter => "IdentityCenter",
            Self::Root => "Root",
            Self::FederatedUser => "FederatedUser",
            Self::AwsAccount => "AWSAccount",
            Self::AwsService => "AWSService",
            Self::ServiceRole => "ServiceRole",
            Self::Unknown => "Unknown",
        }
    }
}

impl<'a> Principal<'a> {
    /// Reads `userIdentity`; a service that acts in its own name is named by `via`.
    #[must_use]
    pub fn of(event: &Event<'a>, via: &Via<'a>) -> Self {
        let id = &event.identity;
        let account = id.account_id.or_else(|| Some(Arn::parse(id.arn?)?.account)).filter(|a| is_account_id(a));
        let (key, kind, session) = match id.kind {
            "AssumedRole" => assumed_role(id),
            "IAMUser" => (Cow::Borrowed(id.arn.or(id.principal_id).unwrap_or(UNNAMED)), PrincipalKind::IamUser, None),
            "Root" => (root_arn(id), PrincipalKind::Root, None),
            "FederatedUser" => federated(id),
            "AWSAccount" => (account_key(id), PrincipalKind::AwsAccount, None),
            "AWSService" => (service_key(via), PrincipalKind::AwsService, None),
            "IdentityCenterUser" => identity_center(id),
            "" if id.arn.is_some() => by_arn(id),
            "" if !names_aws(event) => {
                (Cow::Borrowed(id.principal_id.unwrap_or(UNNAMED)), PrincipalKind::Unknown, None)
            }
            // Service events carry an account but no type; the account is the key's, not a caller's.
            "" => (Cow::Owned(format!("svc:{}", label(event.source))), PrincipalKind::AwsService, None),
            _ => (Cow::Borrowed(id.arn.or(id.principal_id).unwrap_or(UNNAMED)), PrincipalKind::Unknown, None),
        };
        let account = (kind != PrincipalKind::AwsService).then_some(account).flatten();
        Self { key, kind, account, session }
    }

    /// Whether a person or a program acted, rather than AWS.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        matches!(self.kind, PrincipalKind::AwsService | PrincipalKind::ServiceRole)
    }
}

/// A principal that the record does not name.
pub const UNNAMED: &str = "unknown";

/// Whether a record without a type of identity is one of what AWS does by itself (DOMAIN A.7).
fn names_aws(event: &Event<'_>) -> bool {
    event.event_type == "AwsServiceEvent" || event.identity.invoked_by.is_some()
}

/// An identity without a type, by what its ARN says.
fn by_arn<'a>(id: &Identity<'a>) -> Parts<'a> {
    let arn = id.arn.unwrap_or_default();
    match Arn::parse(arn).map(|arn| arn.resource) {
        Some("root") => (root_arn(id), PrincipalKind::Root, None),
        Some(resource) if resource.starts_with("assumed-role/") => assumed_role(id),
        Some(resource) if resource.starts_with("user/") => (Cow::Borrowed(arn), PrincipalKind::IamUser, None),
        _ => (Cow::Borrowed(arn), PrincipalKind::Unknown, None),
    }
}

type Parts<'a> = (Cow<'a, str>, PrincipalKind, Option<&'a str>);

fn assumed_role<'a>(id: &Identity<'a>) -> Parts<'a> {
    let arn = id.arn.and_then(Arn::parse);
    let path = arn.and_then(|a| cut(a.resource)).map(|(_, path)| path).unwrap_or_default();
    let (role, session) = cut(path).map_or((path, None), |(role, session)| (role, Some(session)));
    let issuer = id.session.get("sessionIssuer").get("arn").non_empty();
    if id.session.get("assumedRoot").bool() == Some(true) {
        return (root_arn(id), PrincipalKind::Root, session);
    }
    // Its principal id names it where no ARN does.
    let instance = id.principal_id.filter(|_| arn.is_none()).and_then(|who| who.split_once(":aws:ec2-infrastructure:"));
    if role == "aws:ec2-infrastructure" || instance.is_some() {
        return (Cow::Borrowed("svc:ebs"), PrincipalKind::ServiceRole, session.or(instance.map(|(_, id)| id)));
    }
    if role.starts_with("aws:") || issuer.is_some_and(is_service_linked) {
        return (Cow::Borrowed(issuer.or(id.arn).map_or("", trim_session)), PrincipalKind::ServiceRole, session);
    }
    let kind =
        if role.starts_with("AWSReservedSSO_") { PrincipalKind::IdentityCenter } else { PrincipalKind::AssumedRole };
    let key = match (issuer, arn) {
        (Some(issuer), _) => Cow::Borrowed(issuer),
        (None, Some(arn)) => Cow::Owned(format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account)),
        (None, None) => Cow::Borrowed(id.principal_id.unwrap_or("unknown").split(':').next().unwrap_or_default()),
    };
    (key, kind, session)
}

/// Before and behind the first slash. By hand: half of what a search for a pattern takes in short text.
fn cut(text: &str) -> Option<(&str, &str)> {
    let slash = text.bytes().position(|b| b == b'/')?;
    Some((&text[..slash], &text[slash + 1..]))
}

fn is_service_linked(role_arn: &str) -> bool {
    Arn::parse(role_arn).is_some_and(|arn| arn.resource.starts_with("role/aws-service-role/"))
}

/// `…:assumed-role/aws:ec2-infrastructure/i-0abc` without the instance.
fn trim_session(arn: &str) -> &str {
    let Some(start) = arn.find(":assumed-role/") else { return arn };
    let name = start + ":assumed-role/".len();
    arn[name..].find('/').map_or(arn, |slash| &arn[..name + slash])
}

fn root_arn<'a>(id: &Identity<'a>) -> Cow<'a, str> {
    match (id.arn.filter(|arn| arn.ends_with(":root")), id.account_id) {
        (Some(arn), _) => Cow::Borrowed(arn),
        (None, Some(account)) => Cow::Owned(format!("arn:aws:iam::{account}:root")),
        (None, None) => Cow::Borrowed("root"),
    }
}

fn federated<'a>(id: &Identity<'a>) -> Parts<'a> {
    let name = id.arn.and_then(|arn| arn.rsplit('/').next());
    let key = match (id.session.get("sessionIssuer").get("arn").non_empty(), name) {
        (Some(issuer), Some(name)) => Cow::Owned(format!("{issuer}/fed/{name}")),
        _ => Cow::Borrowed(id.arn.unwrap_or("unknown")),
    };
    (key, PrincipalKind::FederatedUser, name)
}

/// The caller as the owner of a key sees it: an account, and an id that its trail knows.
pub(super) fn account_key<'a>(id: &Identity<'a>) -> Cow<'a, str> {
    let account = id.account_id.unwrap_or("unknown");
    let who = id.principal_id.and_then(|p| p.split(':').next()).unwrap_or_default();
    Cow::Owned(if who.is_empty() { format!("acct:{account}") } else { format!("acct:{account}/{who}") })
}

/// `kms` of `kms.amazonaws.com`.
fn label(event_source: &str) -> &str {
    event_source.split('.').next().unwrap_or(event_source)
}

fn service_key<'a>(via: &Via<'a>) -> Cow<'a, str> {
    Cow::Owned(format!("svc:{}", via.service.as_deref().unwrap_or("unknown")))
}

fn identity_center<'a>(id: &Identity<'a>) -> Parts<'a> {
    let store = id.on_behalf_of.get("identityStoreArn").str().unwrap_or_default();
    let user = id.on_behalf_of.get("userId").str();
    (Cow::Owned(format!("{store}/{}", user.unwrap_or("unknown"))), PrincipalKind::IdentityCenter, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ec2_does_for_an_instance_is_a_services_doing() {
        for (arn, principal_id) in [
            (Some("arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0abc"), None),
            (None, Some("111122223333:aws:ec2-infrastructure:i-0abc")),
        ] {
            let identity = Identity { kind: "AssumedRole", arn, principal_id, ..Identity::default() };
            let (key, kind, session) = assumed_role(&identity);
            assert_eq!((&*key, session), ("svc:ebs", Some("i-0abc")));
            assert_eq!(kind, PrincipalKind::ServiceRole);
        }
    }
}
