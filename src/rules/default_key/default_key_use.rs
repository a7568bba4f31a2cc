//! KMS requests on a key that an alias proved to be AWS-managed (DOMAIN C.1, DK-USE): one finding
//! an account, Region, alias and day.

use std::collections::{BTreeMap, BTreeSet};

use crate::kms::key_reference::alias_of;
use crate::model::arn::is_aws_managed_alias;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::Day;
use crate::rules::cross_account::Tally;
use crate::rules::draft::Draft;
use crate::rules::phrase::counted;
use crate::rules::settings::Settings;

pub(super) fn check(day: &Day<'_>, _: &Settings) -> Vec<Draft> {
    let mut groups: BTreeMap<(&str, &str, String), (Tally<'_>, BTreeSet<&str>)> = BTreeMap::new();
    for row in day.rows.each().filter(|row| is_use(row)) {
        let Some(alias) = default_alias(&row, day) else { continue };
        let (tally, principals) = groups.entry((row.account_id, row.region, alias)).or_default();
        tally.add(row);
        principals.insert(row.principal_arn);
    }
    groups
        .into_iter()
        .filter_map(|((account, region, alias), (tally, principals))| {
            let requests = counted(tally.requests, "request");
            let by = counted(i64::try_from(principals.len()).unwrap_or(i64::MAX), "principal");
            let message = format!("default key {alias} of account {account} in {region}: {requests} by {by}");
            let mut draft = tally.draft(Severity::Low, message)?;
            draft.subject.key_alias.clone_from(&alias);
            "aws".clone_into(&mut draft.subject.key_manager);
            if principals.len() > 1 {
                draft.subject.principal_arn.clear();
                draft.subject.principal_type.clear();
            }
            Some(draft.with("kind", "DK-USE").with("principals", principals.len()).about(&[
                account,
                region,
                &alias,
                &day.day.to_string(),
            ]))
        })
        .collect()
}

/// Requests that used key material, or handed its use on; reading metadata is no use.
fn is_use(row: &UsageRow<'_>) -> bool {
    row.event_source == Event::KMS
        && row.succeeded()
        && (row.operation_class == "crypto" || row.event_name == "CreateGrant")
}

fn default_alias(row: &UsageRow<'_>, day: &Day<'_>) -> Option<String> {
    let named = if row.key_ref.contains("alias/aws/") { alias_of(row.key_ref) } else { None };
    named
        .filter(|alias| is_aws_managed_alias(alias))
        .or_else(|| day.history.aws_managed_alias(row.key_arn))
        .map(str::to_owned)
}
