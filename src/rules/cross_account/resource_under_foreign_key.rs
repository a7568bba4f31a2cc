//! Resources that were told to be encrypted under a foreign account's key (DOMAIN E.1, events of other
//! services).

use crate::model::arn::owner_account;
use crate::model::configuration::ConfigurationRow;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key, principal};
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
    let resources = posture.resources.iter();
    resources.flat_map(|resource| resource.choices).filter_map(|row| verdict(&row, posture)).collect()
}

fn verdict(row: &ConfigurationRow<'_>, posture: &Posture<'_>) -> Option<Draft> {
    let key = [row.key_arn, row.key_ref].into_iter().find(|key| owner_account(key).is_some())?;
    let owner = owner_account(key).filter(|owner| *owner != row.account_id && posture.is_foreign(owner))?;
    let severity = if COPIES.contains(&row.service_rule) { Severity::High } else { Severity::Medium };
    let what = if row.resource.is_empty() { "a resource" } else { row.resource };
    let message = format!(
        "{} put {what} in {} under {} of foreign account {owner} ({}, {})",
        principal(row.principal_arn),
        row.service,
        named_key(key, None),
        row.event_name,
        counted(row.requests, "request"),
    );
    let draft = Draft::on_configuration(row, severity, message).with("service_rule", row.service_rule);
    Some(draft.about(&[row.service_rule, row.account_id, row.region, row.resource, key, &row.first.date()]))
}
