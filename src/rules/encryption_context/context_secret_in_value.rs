//! A context value that looks like a credential or like personal data (DOMAIN D.5, CTX-07). The
//! value itself is never shown.

use crate::kms::call::Call;
use crate::kms::context::Pair;
use crate::kms::context_names::{ContextName, plain};
use crate::kms::sensitive;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let (detector, name, length) = call
        .contexts
        .pairs()
        .iter()
        .filter(|pair| pair.known.is_none_or(ContextName::is_client_side))
        .filter(|pair| plain(pair.name) != "aws-crypto-public-key")
        .filter_map(|Pair { name, value, .. }| Some((sensitive::detect(name, value)?, *name, value.chars().count())))
        .max_by_key(|(detector, ..)| detector.severity)?;
    let (who, key) = (phrase::who(call), phrase::key(call));
    let looks = detector.name.replace('_', " ");
    let message = format!(
        "{who} sent an encryption context to {key} whose {name} looks like: {looks} ({length} characters); \
         every trail that records the call holds it in clear"
    );
    let key_arn = call.keys.arn.as_deref().unwrap_or_default();
    Some(
        Draft::on(call, detector.severity, message, settings)
            .with("context_key", name)
            .with("detector", detector.name)
            .with("length", length)
            .about(&[key_arn, call.event.account, call.event.region, name, detector.name]),
    )
}
