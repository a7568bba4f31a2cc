//! A call that KMS answered for an enclave in debug mode (DOMAIN D.5, CTX-11).

use crate::kms::attestation::Attestation;
use crate::kms::call::Call;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    // A call that failed gave nothing away.
    if !call.succeeded() {
        return None;
    }
    let event = call.event;
    let enclave = Attestation::of(event).filter(Attestation::is_of_debug_mode)?;
    let (who, module) = (phrase::who(call), enclave.module());
    let on = if names_a_key(call) { format!(" on {}", phrase::key(call)) } else { String::new() };
    let which = module.map(|module| format!(" ({module})")).unwrap_or_default();
    let message = format!(
        "{who} called {}{on} for an enclave in debug mode{which}: its parent instance can look into it, and its \
         attestation does not say what it runs, so what KMS returned is not protected",
        event.name
    );
    // Random bytes come from no key.
    let key = call.keys.arn.as_deref().unwrap_or_default();
    let instance = enclave.parent_instance().unwrap_or_default();
    // Both accounts' copies of a call name its key.
    let place = if key.is_empty() { format!("{} {}", event.account, event.region) } else { String::new() };
    let draft = Draft::on(call, rule.severity, message, settings).about(&[
        &place,
        key,
        &call.actor(),
        instance,
        &event.time.date(),
    ]);
    Some(match module {
        Some(module) => draft.with("enclave", module).with("parent_instance", instance),
        None => draft,
    })
}

fn names_a_key(call: &Call<'_>) -> bool {
    call.keys.arn.is_some() || call.keys.named.is_some()
}
