//! KMS requests on a key that an alias proved to be AWS-managed (DOMAIN C.1, DK-USE): one finding
//! an account, Region, alias and day.

use std::collections::BTreeSet;

use crate::kms::key_reference::alias_of;
use crate::model::arn::is_aws_managed_alias;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::counted;
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Used>::default()
}

/// By account, Region and alias.
#[derive(Default)]
struct Used(Groups<3, Use>);

#[derive(Default)]
struct Use {
    tally: Tally,
    principals: BTreeSet<String>,
}

impl Watch for Used {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        if !is_use(row) {
            return;
        }
        // A `ReEncrypt` uses two keys.
        let source = default_alias(row, day);
        let destination = day.history.aws_managed_alias(row.destination_key_arn).filter(|alias| Some(*alias) != source);
        let of_destination =
            UsageRow { key_arn: row.destination_key_arn, context_pattern: row.destination_context_pattern, ..*row };
        for (alias, row) in [(source, row), (destination, &of_destination)] {
            let Some(alias) = alias else { continue };
            let used = self.0.of([row.account_id, row.region, alias]);
            used.tally.add(row);
            if !used.principals.contains(row.principal_arn) {
                used.principals.insert(row.principal_arn.to_owned());
            }
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        self.0.iter().filter_map(|(place, used)| verdict(place, used, day)).collect()
    }
}

fn verdict([account, region, alias]: [&str; 3], used: &Use, day: &Day<'_>) -> Option<Draft> {
    let Use { tally, principals } = used;
    let requests = counted(tally.requests, "request");
    let by = counted(i64::try_from(principals.len()).unwrap_or(i64::MAX), "principal");
    let message = format!("default key {alias} of account {account} in {region}: {requests} by {by}");
    let mut draft = tally.draft(Severity::Low, message)?;
    alias.clone_into(&mut draft.subject.key_alias);
    "aws".clone_into(&mut draft.subject.key_manager);
    if principals.len() > 1 {
        draft.subject.principal_arn.clear();
        draft.subject.principal_type.clear();
    }
    let draft = draft.with("kind", "DK-USE").with("principals", principals.len());
    Some(draft.about(&[account, region, alias, &day.day.to_string()]))
}

/// Requests that used key material, or handed its use on; reading metadata is no use.
fn is_use(row: &UsageRow<'_>) -> bool {
    row.event_source == Event::KMS
        && row.succeeded()
        && (row.operation_class == "crypto" || row.event_name == "CreateGrant")
}

fn default_alias<'r>(row: &UsageRow<'r>, day: &Day<'r>) -> Option<&'r str> {
    let named = if row.key_ref.contains("alias/aws/") { alias_of(row.key_ref) } else { None };
    // The alias says whose key it is, unless something was done to the key that AWS's own refuse.
    let known = day.history.aws_managed_alias(row.key_arn);
    named.filter(|alias| is_aws_managed_alias(alias) && (known.is_some() || row.key_arn.is_empty())).or(known)
}
