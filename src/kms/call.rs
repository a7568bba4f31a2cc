//! One record with everything that KMS knowledge can say of it, computed once for rules and usage.

use std::borrow::Cow;

use super::context::Contexts;
use super::failure::{DRY_RUN, Ending, reason};
use super::key_reference::KeyReference;
use super::operations::{OperationClass, class_of};
use super::principal::{Principal, account_key};
use super::side::side_of;
use super::via::Via;
use crate::model::arn::owner_account;
use crate::model::event::Event;
use crate::model::usage::Side;

/// A record, understood.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The record.
    pub event: &'a Event<'a>,
    /// What kind of operation it is.
    pub class: OperationClass,
    /// How it ended.
    pub ending: Ending,
    /// With which encryption contexts.
    pub contexts: Contexts<'a>,
    /// Who acted.
    pub principal: Principal<'a>,
    /// Through which service.
    pub via: Via<'a>,
    /// On which key.
    pub keys: KeyReference<'a>,
    /// Whose copy of the record this is.
    pub side: Side,
}

/// A dry run that would have succeeded is told by an error, as AWS documents it, or only by the request.
fn ending(event: &Event<'_>) -> Ending {
    match Ending::of(event.error_code) {
        Ending::Succeeded if event.is_kms() && event.request.get("dryRun").bool() == Some(true) => Ending::DryRun,
        ending => ending,
    }
}

impl<'a> Call<'a> {
    /// Understands a record of KMS.
    #[must_use]
    pub fn of_kms(event: &'a Event<'a>) -> Self {
        Self::with_key(event, class_of(event.name), KeyReference::of_kms(event))
    }

    /// Understands another service's record about the key that `keys` names.
    #[must_use]
    pub fn of_service(event: &'a Event<'a>, keys: KeyReference<'a>) -> Self {
        Self::with_key(event, OperationClass::OtherService, keys)
    }

    fn with_key(event: &'a Event<'a>, class: OperationClass, keys: KeyReference<'a>) -> Self {
        let contexts = Contexts::of(event);
        let via = Via::of(event, &contexts);
        let principal = Principal::of(event, &via);
        // A key that AWS owns is nobody's account: using it through a service crosses no border.
        let owners = [keys.owner(), keys.destination.and_then(owner_account)];
        let owners = owners.map(|owner| owner.filter(|_| !keys.aws_owned));
        let side = side_of(principal.account, owners, event.account);
        Self { event, class, ending: ending(event), contexts, via, principal, keys, side }
    }

    /// Who acted, in words that both accounts' copies of a call across accounts have: the owner's does not
    /// name the principal.
    #[must_use]
    pub fn actor(&self) -> Cow<'_, str> {
        match self.side {
            Side::Local => Cow::Borrowed(&self.principal.key),
            Side::Caller | Side::Owner => account_key(&self.event.identity),
        }
    }

    /// Why it failed, in a word or phrase; empty if it did not.
    #[must_use]
    pub fn failure_reason(&self) -> &'static str {
        match self.ending {
            Ending::Succeeded => "",
            Ending::DryRun => DRY_RUN,
            _ => reason(self.event.error_code, self.event.error_message),
        }
    }

    /// Whether the call did what it asked for.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.ending == Ending::Succeeded
    }
}
