//! A volume that cannot be attached because KMS refuses its key (DOMAIN E.1): a symptom, told by EC2.

use super::request;
use crate::kms::call::Call;
use crate::kms::failure::plain_code;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{Rule, phrase};

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let event = call.event;
    if event.error_code.map(plain_code) != Some("CustomerKeyHasBeenRevoked") {
        return None;
    }
    let volume = request::first(event, &["volumeId"]);
    let instance = request::first(event, &["instanceId"]);
    let what = volume.map_or_else(|| "a volume".to_owned(), |id| format!("volume {id}"));
    let to = instance.map(|id| format!(" to instance {id}")).unwrap_or_default();
    let who = phrase::who(call);
    let message = format!(
        "{who} could not attach {what}{to}: the volume's KMS key is disabled, waits for deletion, is gone, or \
         refuses the caller, and until that is mended the data on the volume is out of reach"
    );
    let mut draft = Draft::on(call, rule.severity, message, settings);
    if let Some(volume) = volume {
        // Whoever waits for a volume tries again and again.
        draft = draft.about(&[event.account, event.region, volume, &event.time.date()]);
        volume.clone_into(&mut draft.subject.resource_arn);
    }
    Some(match instance {
        Some(instance) => draft.with("instance_id", instance),
        None => draft,
    })
}
