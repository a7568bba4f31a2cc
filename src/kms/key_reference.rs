//! Which key a call is about: every form of naming one, in order of evidence (DOMAIN A.5).

use std::borrow::Cow;

use super::configuration::Configured;
use super::failure::arn_in_message;
use crate::model::arn::{Arn, is_alias_name, is_aws_managed_alias, is_key_arn, is_key_id, key_arn, owner_account};
use crate::model::event::Event;
use crate::model::json::Json;
use crate::model::usage::KeyEvidence;

/// The key of a call.
#[derive(Debug, Clone)]
pub struct KeyReference<'a> {
    /// ARN of the key; `None` while only an alias, or nothing, is known.
    pub arn: Option<Cow<'a, str>>,
    /// Where the ARN was learned from.
    pub evidence: KeyEvidence,
    /// Alias named by the request or the resources, `alias/…`.
    pub alias: Option<&'a str>,
    /// What the request named, as written.
    pub named: Option<&'a str>,
    /// ARN of the destination key of a `ReEncrypt`.
    pub destination: Option<&'a str>,
    /// Whether the record says that the key is AWS's own: `resources[].accountId` is `AWS Internal`.
    pub aws_owned: bool,
}

impl<'a> KeyReference<'a> {
    /// The account that owns the key (or alias), from its ARN and never from `resources[].accountId`.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.arn.as_deref().and_then(owner_account).or_else(|| self.named.and_then(owner_account))
    }

    /// Whether the request named a key by its AWS-managed alias.
    #[must_use]
    pub fn aws_managed_alias(&self) -> Option<&'a str> {
        self.alias.filter(|alias| is_aws_managed_alias(alias))
    }

    /// Resolves the key of a KMS record.
    #[must_use]
    pub fn of_kms(event: &Event<'a>) -> Self {
        let mut keys = [None; 2];
        let (mut resource_alias, mut aws_owned) = (None, false);
        for resource in event.resources.elements() {
            let account = resource.get_any_case("accountId").str().or_else(|| resource.get_any_case("account").str());
            aws_owned |= account == Some("AWS Internal");
            let Some(text) = resource.get_any_case("ARN").str().or(resource.str()) else { continue };
            match Arn::parse(text) {
                Some(arn) if arn.kms_key_id().is_some() => {
                    if let Some(free) = keys.iter_mut().find(|key| key.is_none()) {
                        *free = Some(text);
                    }
                }
                Some(arn) => resource_alias = resource_alias.or(arn.kms_alias()),
                None => {}
            }
        }
        let members = ["keyId", "targetKeyId", "sourceKeyId"];
        let named = members.iter().find_map(|member| event.request.get(member).non_empty());
        let named = named.or_else(|| members.iter().find_map(|name| event.request.get_any_case(name).non_empty()));
        let mentioned = event.error_message.and_then(arn_in_message);
        let alias = event
            .request
            .get("aliasName")
            .non_empty()
            .filter(|name| is_alias_name(name))
            .or_else(|| named.and_then(alias_of))
            .or(resource_alias)
            .or_else(|| mentioned.and_then(alias_of));
        // An alias ARN tells the account; where only the message names one, it is what was named.
        let named = named.or_else(|| mentioned.filter(|arn| alias_of(arn).is_some()));
        let (mut arn, mut evidence) = match resolve(event, keys[0], named) {
            Some((arn, evidence)) => (Some(arn), evidence),
            None if alias.is_some() => (None, KeyEvidence::Alias),
            None => (None, KeyEvidence::None),
        };
        let mut destination = (event.name == "ReEncrypt").then(|| destination(event, keys)).flatten();
        if evidence == KeyEvidence::ErrorMessage && is_refused_to_take(event) {
            destination = mentioned;
            (arn, evidence) = (None, KeyEvidence::None);
        }
        // An own key is no key of AWS's, whatever the record says of its account.
        let is_foreign = |arn: &str| owner_account(arn).is_some_and(|owner| owner != event.account);
        let aws_owned = aws_owned && arn.as_deref().is_some_and(is_foreign);
        Self { arn, evidence, alias, named: named.or(alias), destination, aws_owned }
    }
}

impl<'a> KeyReference<'a> {
    /// The KMS key that another service's record names, if any: of the request, else of the response,
    /// else of the resources; the first written.
    #[must_use]
    pub fn of_service(event: &Event<'a>, naming: Naming) -> Option<Self> {
        let places = [
            (event.request, KeyEvidence::Request),
            (event.response, KeyEvidence::Response),
            (event.resources, KeyEvidence::Resource),
        ];
        let mut found: Option<Self> = None;
        for (place, evidence) in places {
            place.each_string(&mut |text| {
                if is_key_arn(text) {
                    let reference = found.get_or_insert_with(Self::nothing);
                    if reference.arn.is_none() {
                        (reference.arn, reference.evidence) = (Some(Cow::Borrowed(text)), evidence);
                        reference.named = reference.named.or(Some(text));
                    }
                } else if let Some(alias) = service_alias(text, naming) {
                    let reference = found.get_or_insert_with(Self::nothing);
                    (reference.alias, reference.named) =
                        (reference.alias.or(Some(alias)), reference.named.or(Some(text)));
                }
            });
        }
        // Of a call that failed, the message may be the only trace.
        let mentioned = || event.error_message.and_then(arn_in_message).filter(|arn| is_key_arn(arn));
        found.or_else(|| mentioned().map(Self::mentioned)).map(|reference| match reference.arn {
            None => Self { evidence: KeyEvidence::Alias, ..reference },
            Some(_) => reference,
        })
    }

    /// The key of a record that names none by ARN or alias: by its bare id, or the service's default.
    #[must_use]
    pub fn of_configured(event: &Event<'a>, configured: &[Configured]) -> Option<Self> {
        let id = configured.iter().filter_map(|c| c.key.as_deref()).find(|key| is_key_id(key));
        if let Some(id) = id {
            let arn = Some(Cow::Owned(key_arn(event.region, event.account, id)));
            return Some(Self { arn, evidence: KeyEvidence::Constructed, ..Self::nothing() });
        }
        let alias = configured.iter().find_map(Configured::default_taken)?;
        Some(Self { alias: Some(alias), named: Some(alias), evidence: KeyEvidence::Default, ..Self::nothing() })
    }

    fn mentioned(arn: &'a str) -> Self {
        Self { arn: Some(Cow::Borrowed(arn)), evidence: KeyEvidence::ErrorMessage, ..Self::nothing() }
    }

    /// A record that names no key.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { arn: None, evidence: KeyEvidence::None, alias: None, named: None, destination: None, aws_owned: false }
    }
}

/// Which forms of naming a key count in another service's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// ARNs: in any record, and the scan finds them by their `:kms:`.
    Arns,
    /// The bare names of AWS-managed aliases too: where a rule looks at the event.
    ArnsAndAliases,
}

fn service_alias(text: &str, naming: Naming) -> Option<&str> {
    let bare = naming == Naming::ArnsAndAliases;
    alias_of(text).filter(|alias| alias.len() < text.len() || (bare && is_aws_managed_alias(alias)))
}

fn resolve<'a>(
    event: &Event<'a>,
    first: Option<&'a str>,
    named: Option<&'a str>,
) -> Option<(Cow<'a, str>, KeyEvidence)> {
    // A replicated key's own record names the source first; what was made stands in the response.
    if let Some(made) = response_arn(event.response).filter(|_| event.name == "CreateKey") {
        return Some((Cow::Borrowed(made), KeyEvidence::Response));
    }
    if let Some(first) = first {
        return Some((Cow::Borrowed(first), KeyEvidence::Resource));
    }
    if let Some(arn) = response_arn(event.response) {
        return Some((Cow::Borrowed(arn), KeyEvidence::Response));
    }
    if let Some(named) = named {
        if is_key_arn(named) {
            return Some((Cow::Borrowed(named), KeyEvidence::Request));
        }
        if is_key_id(named) && !event.region.is_empty() {
            let account = event.identity.account_id.unwrap_or(event.account);
            return Some((Cow::Owned(key_arn(event.region, account, named)), KeyEvidence::Constructed));
        }
    }
    if let Some(id) = event.service_details.get("keyId").str().filter(|id| is_key_id(id)) {
        return Some((Cow::Owned(key_arn(event.region, event.account, id)), KeyEvidence::ServiceEvent));
    }
    let from_message = event.error_message.and_then(arn_in_message).filter(|arn| is_key_arn(arn));
    from_message.map(|arn| (Cow::Borrowed(arn), KeyEvidence::ErrorMessage))
}

fn response_arn(response: Json<'_>) -> Option<&str> {
    [&["keyId"][..], &["keyMetadata", "arn"], &["replicaKeyMetadata", "arn"]]
        .iter()
        .find_map(|path| response.at(path).str().filter(|text| is_key_arn(text)))
}

/// Whether it was the destination key that a `ReEncrypt` was refused: then the message has that one's ARN.
fn is_refused_to_take(event: &Event<'_>) -> bool {
    event.name == "ReEncrypt" && event.error_message.is_some_and(|message| message.contains("kms:ReEncryptTo"))
}

/// `resources[1]`, else the request's destination; with one resource both keys are the same.
fn destination<'a>(event: &Event<'a>, keys: [Option<&'a str>; 2]) -> Option<&'a str> {
    keys[1].or_else(|| event.request.get("destinationKeyId").str().filter(|text| is_key_arn(text))).or(keys[0])
}

/// The alias in `alias/x` or in an alias ARN.
#[must_use]
pub fn alias_of(text: &str) -> Option<&str> {
    if is_alias_name(text) { Some(text) } else { Arn::parse(text)?.kms_alias() }
}
