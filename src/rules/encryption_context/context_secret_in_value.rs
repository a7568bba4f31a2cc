//! A context value that looks like a credential or like personal data (DOMAIN D.5, CTX-07). The
//! value itself is never shown.

use std::borrow::Cow;

use super::{draft, key, key_arn};
use crate::kms::call::Call;
use crate::kms::context::Pair;
use crate::kms::context_names::plain;
use crate::kms::sensitive::{self, Detector};
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let (detector, name, pair) = call
        .contexts
        .pairs()
        .iter()
        .filter(|pair| plain(pair.name) != "aws-crypto-public-key")
        .filter_map(look)
        .max_by_key(|(detector, ..)| detector.severity)?;
    let (who, key, length) = (phrase::who(call), key(call, pair), pair.value.chars().count());
    let looks = detector.name.replace('_', " ");
    let message = format!(
        "{who} sent an encryption context to {key} whose {name} looks like: {looks} ({length} characters); \
         every trail that records the call holds it in clear"
    );
    let key_arn = key_arn(call, pair);
    // An ARN says whose and where; both accounts' copies have it.
    let place =
        if key_arn.is_empty() { format!("{} {}", call.event.account, call.event.region) } else { String::new() };
    Some(
        draft(call, pair, detector.severity, message, settings)
            .with("context_key", &*name)
            .with("detector", detector.name)
            .with("length", length)
            .about(&[key_arn, &place, &name, detector.name, call.event.error_code.unwrap_or("")]),
    )
}

/// What a pair sets off: the detector, and the name as it may be shown.
fn look<'p, 'a>(pair: &'p Pair<'a>) -> Option<(&'static Detector, Cow<'a, str>, &'p Pair<'a>)> {
    let Pair { name, value, known, .. } = pair;
    // A known name is none of the caller's making.
    let of_name = if known.is_none() { sensitive::in_name(name) } else { None };
    let detector = sensitive::in_value(name, value).or(of_name)?;
    let shown = of_name.map_or(Cow::Borrowed(*name), |detector| Cow::Owned(format!("<{}>", detector.name)));
    Some((detector, shown, pair))
}
