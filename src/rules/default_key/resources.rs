//! Resources under a default key: found, closed by a key of one's own, put together where they are many.

use std::collections::{BTreeMap, BTreeSet};

use crate::kms::configuration::{self, Kind};
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resource;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, principal};
use crate::rules::posture::Posture;

/// Resources of one service, account, Region and day that get a finding each; more get one together.
const MANY: usize = 20;

/// Resources that the evidence of a finding about many names, and that its message does.
const NAMED: usize = 50;
const SHOWN: usize = 3;

/// How a rule speaks of what it found.
pub(super) struct Manner {
    /// Kinds that it is about.
    pub(super) kinds: &'static [Kind],
    /// The severity, if it is not the service's own.
    pub(super) severity: Option<Severity>,
    /// Between the actor and the key: `chose the default key`.
    pub(super) verb: &'static str,
}

/// A resource under a default key.
struct UnderDefault<'a> {
    resource: &'a str,
    service: &'a str,
    group: Group<'a>,
    draft: Draft,
    /// Whether it is still under it.
    open: bool,
}

/// Account, Region, setting and alias; and the day, in days since 1970.
type Group<'a> = ([&'a str; 4], i64);

/// The verdicts on all resources.
pub(super) fn judge(posture: &Posture<'_>, manner: &Manner) -> Vec<Draft> {
    let resources: Vec<_> = posture.resources.iter().collect();
    let found = resources.iter().filter_map(|resource| under_default(resource, posture, manner));
    let (open, closed): (Vec<_>, Vec<_>) = found.partition(|found| found.open);
    let mut groups: BTreeMap<Group<'_>, Vec<UnderDefault<'_>>> = BTreeMap::new();
    for found in open {
        groups.entry(found.group).or_default().push(found);
    }
    let (many, few): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, found)| found.len() > MANY);
    let each = few.into_iter().flat_map(|(_, found)| found).chain(closed).map(|found| found.draft);
    let together = many.into_iter().filter_map(|(group, found)| together(&group, found, manner));
    each.chain(together).collect()
}

/// A verdict on one resource, if it is, or was, under a default key in the way that the rule is about.
fn under_default<'a>(resource: &Resource<'a>, posture: &'a Posture<'a>, manner: &Manner) -> Option<UnderDefault<'a>> {
    let kinds: Vec<(Kind, &ConfigurationRow<'a>)> =
        resource.choices.iter().map(|row| (posture.kind(row), row)).collect();
    let of_rule = || kinds.iter().filter(|(kind, _)| manner.kinds.contains(kind));
    // The first act speaks; the choices are in order of their last acts.
    let (kind, first) = of_rule().min_by_key(|(_, row)| (row.first, row.event_id))?;
    let last = of_rule().map(|(_, row)| row.last).max()?;
    let known = configuration::find(first.service_rule);
    let mut severity = manner.severity.or(known.map(|row| row.severity)).unwrap_or(Severity::Low);
    // What a service makes for itself, its user can hardly choose.
    let by_service = !matches!(first.via_service, "" | "cloudformation");
    if by_service || first.principal_type == "AWSService" {
        severity = severity.lowered();
    }
    let before = kinds.iter().filter(|(kind, row)| *kind == Kind::Cmk && row.last < first.first).last();
    if before.is_some() {
        severity = severity.raised();
    }
    let closed = kinds.iter().find(|(kind, row)| *kind == Kind::Cmk && row.last > last);
    let alias = posture.default_alias(first);
    let name = if first.resource.is_empty() { "a resource" } else { first.resource };
    let mut message = format!(
        "{} {} {alias} for {name} in {} ({})",
        principal(first.principal_arn),
        manner.verb,
        first.service,
        first.event_name
    );
    if let Some((_, row)) = before {
        message.push_str(&format!("; until then it was under {}", row.key_ref));
    }
    if let Some((_, row)) = closed {
        severity = Severity::Info;
        let who = principal(row.principal_arn);
        message.push_str(&format!("; closed: {who} moved it to {} on {}", row.key_ref, row.first.date()));
    }
    let mut draft = Draft::on_configuration(first, severity, message)
        .with("kind", kind.as_str())
        .with("service_rule", first.service_rule)
        .about(&[resource.setting, resource.account_id, resource.region, resource.name]);
    draft.span = (first.first, last, of_rule().map(|(_, row)| row.requests).sum());
    if *kind == Kind::DkImplicit && first.choice == "account_default" && first.key_ref.is_empty() {
        draft = draft.with("assumes", "that the account's default key for EBS is alias/aws/ebs");
    }
    if let Some((_, row)) = closed {
        draft = draft.with("closed_time", row.first.rfc3339()).with("closed_by_event", row.event_id);
    }
    alias.clone_into(&mut draft.subject.key_alias);
    if *kind != Kind::DkPossible {
        "aws".clone_into(&mut draft.subject.key_manager);
    }
    let group = ([resource.account_id, resource.region, resource.setting, alias], first.first.day());
    Some(UnderDefault { resource: name, service: first.service, group, draft, open: closed.is_none() })
}

/// One verdict on many resources of a day; the first of them gives the columns.
fn together(group: &Group<'_>, found: Vec<UnderDefault<'_>>, manner: &Manner) -> Option<Draft> {
    let ([account, region, setting, alias], day) = group;
    let count = found.len();
    let service = found.first()?.service;
    let names: Vec<String> = found.iter().take(NAMED).map(|found| found.resource.to_owned()).collect();
    let principals: BTreeSet<String> = found.iter().map(|found| found.draft.subject.principal_arn.clone()).collect();
    let by = match principals.iter().next() {
        Some(one) if principals.len() == 1 => principal(one).to_owned(),
        _ => counted(i64::try_from(principals.len()).unwrap_or(i64::MAX), "principal"),
    };
    let drafts = || found.iter().map(|found| &found.draft);
    let severity = drafts().map(|draft| draft.severity).max()?;
    let span = drafts().map(|draft| draft.span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1), a.2 + b.2))?;
    let message = format!(
        "{by} {} {alias} for {count} resources in {service} of account {account}, {region}: {} and others",
        manner.verb,
        names[..SHOWN].join(", ")
    );
    let first = found.into_iter().map(|found| found.draft).min_by_key(|draft| draft.span.0)?;
    let mut draft = Draft { severity, message, span, ..first };
    draft.subject.resource_arn.clear();
    if principals.len() > 1 {
        draft.subject.principal_arn.clear();
        draft.subject.principal_type.clear();
        draft.subject.session_name.clear();
    }
    let draft = draft.with("resources", names).with("resources_count", count).with("principals", principals.len());
    Some(draft.about(&[setting, account, region, alias, &day.to_string(), "many"]))
}
