//! Resources that were told to be encrypted under a foreign account's key (DOMAIN E.1, events of other
//! services).

use crate::model::arn::owner_account;
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resource;
use crate::model::severity::Severity;
use crate::rules::configured::{alias, event, key, service, thing, who};
use crate::rules::draft::Draft;
use crate::rules::posture::Posture;

/// Acts that make copies of data, or new data, that only a foreign key opens. Others point at a key for
/// what is to come.
const COPIES: [&str; 8] = [
    "ebs.copy_image",
    "ebs.copy_snapshot",
    "ebs.copy_volumes",
    "ebs.create_volume",
    "ebs.import",
    "rds.copy_snapshot",
    "rds.export",
    "s3.put_object",
];

pub(super) fn judge(posture: &Posture<'_>) -> Vec<Draft> {
    let verdicts = |resource: Resource<'_>| -> Vec<Draft> {
        resource.choices.iter().filter_map(|row| verdict(&resource, row, posture)).collect()
    };
    posture.resources.iter().flat_map(verdicts).collect()
}

fn verdict(resource: &Resource<'_>, row: &ConfigurationRow<'_>, posture: &Posture<'_>) -> Option<Draft> {
    let named = [row.key_arn, row.key_ref].into_iter().find(|key| owner_account(key).is_some())?;
    let owner = owner_account(named).filter(|owner| *owner != row.account_id && posture.is_foreign(owner))?;
    let (severity, follows) = if COPIES.contains(&row.service_rule) {
        (Severity::High, "only that account can give the data back")
    } else {
        (Severity::Medium, "what is written there from now on, only that account can give back")
    };
    let (who, thing, key, event) = (who(row), thing(row), key(row, posture), event(row));
    let done = if row.by_service {
        format!("named no key for {thing}, and {} took {key} of foreign account {owner}", service(row))
    } else {
        format!("put {thing} under {key} of foreign account {owner}")
    };
    let mut draft = Draft::on_configuration(row, severity, format!("{who} {done} ({event}): {follows}"))
        .with("service_rule", row.service_rule)
        .with("key_account_id", owner);
    alias(row, posture).unwrap_or_default().clone_into(&mut draft.subject.key_alias);
    Some(draft.about(&[row.service_rule, row.account_id, row.region, resource.name, named]))
}
