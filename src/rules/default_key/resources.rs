//! Resources under a default key: found, closed by a key of one's own, put together where they are many.

use std::collections::{BTreeMap, BTreeSet};

use crate::kms::configuration::resource::{holds_many, plain_name};
use crate::kms::configuration::{self, Choice, Kind};
use crate::model::configuration::ConfigurationRow;
use crate::model::resources::Resource;
use crate::model::severity::Severity;
use crate::rules::configured::{event, is_by_service, key, service, thing, things, who};
use crate::rules::draft::Draft;
use crate::rules::phrase::counted;
use crate::rules::posture::{Act, Posture};

/// Resources of one service, account, Region and day that get a finding each; more get one together.
const MANY: usize = 20;

/// Resources that the evidence of a finding about many names, and that its message does.
const NAMED: usize = 50;
const SHOWN: usize = 3;

/// How a resource came under its default key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The caller named it.
    Chosen,
    /// The caller named no key, and the response shows that the service took it.
    Taken,
    /// The caller named no key.
    Omitted,
    /// The caller named no key, and nobody was seen to set another default for EBS.
    Assumed,
    /// The caller set the key to nothing, which means the default.
    Reset,
    /// The caller named no key, and the service may take it.
    Possible,
}

/// A resource under a default key.
struct UnderDefault<'a> {
    row: ConfigurationRow<'a>,
    way: Way,
    group: Group<'a>,
    draft: Draft,
    /// Whether it is still under it.
    open: bool,
}

/// Account, Region and setting; alias; and the day, in days since 1970.
type Group<'a> = ([&'a str; 3], String, i64);

/// What is told of a resource: the acts since it was last under a key of its own, and what was before
/// and after them.
struct Story<'s, 'a> {
    before: Option<&'s ConfigurationRow<'a>>,
    acts: &'s [Act<'a>],
    after: &'s [Act<'a>],
}

/// The verdicts of the rule that is about these kinds.
pub(super) fn judge(rule: &str, posture: &Posture<'_>, kinds: &[Kind]) -> Vec<Draft> {
    let found = posture.resources.iter().filter_map(|resource| under_default(&resource, posture, kinds));
    // What nobody wants to see is none of the many either.
    let suppressions = &posture.settings.suppressions;
    let wanted = |found: &UnderDefault<'_>| {
        !suppressions.iter().any(|s| s.covers_act(rule, &found.draft.subject, found.draft.span.0))
    };
    let (open, closed): (Vec<_>, Vec<_>) = found.filter(wanted).partition(|found| found.open);
    let mut groups: BTreeMap<Group<'_>, Vec<UnderDefault<'_>>> = BTreeMap::new();
    for found in open {
        groups.entry(found.group.clone()).or_default().push(found);
    }
    let (many, few): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, found)| found.len() > MANY);
    let each = few.into_iter().flat_map(|(_, found)| found).chain(closed).map(|found| found.draft);
    let together = many.into_iter().filter_map(|(group, found)| together(&group, found));
    each.chain(together).collect()
}

/// A verdict on one resource, if it is, or was, under a default key in a way that the rule is about.
fn under_default<'a>(resource: &Resource<'a>, posture: &Posture<'_>, kinds: &[Kind]) -> Option<UnderDefault<'a>> {
    let acts = posture.acts(resource);
    let story = Story::of(&acts, holds_many(resource.setting))?;
    let of_rule = || story.acts.iter().filter_map(|act| act.of(kinds));
    let first = of_rule().next()?;
    // A resource is one rule's: of that which is proven best.
    let better = Kind::DEFAULT_KEY.iter().take_while(|kind| !kinds.contains(kind));
    if better.into_iter().any(|kind| story.acts.iter().any(|act| act.of(&[*kind]).is_some())) {
        return None;
    }
    // Who changes something else of a function names no key, and it keeps the one that it has.
    if story.before.is_some() && kinds.contains(&Kind::DkPossible) {
        return None;
    }
    let kind = posture.kind(first);
    let closed = story.after.iter().find_map(Act::own_key);
    let severity = severity(first, kind, &story, closed);
    let alias = posture.default_alias(first).into_owned();
    let way = way(first, kind);
    let message = message(first, way, &alias, &story, posture);
    let mut draft = Draft::on_configuration(first, severity, message)
        .with("kind", kind.as_str())
        .with("service_rule", first.service_rule)
        .about(&[resource.setting, resource.account_id, resource.region, resource.name]);
    let last = of_rule().map(|row| row.last).max()?;
    draft.span = (first.first, last, of_rule().map(|row| row.requests).sum());
    if way == Way::Assumed {
        draft = draft.with("assumes", "that the account's default key for EBS is alias/aws/ebs");
    }
    if let Some(row) = closed {
        draft = draft.with("closed_time", row.first.rfc3339()).with("closed_by_event", row.event_id);
    }
    draft.subject.key_alias.clone_from(&alias);
    if kind != Kind::DkPossible {
        "aws".clone_into(&mut draft.subject.key_manager);
    }
    let place = [resource.account_id, resource.region, resource.setting];
    let group = (place, alias, first.first.day());
    Some(UnderDefault { row: *first, way, group, draft, open: closed.is_none() })
}

impl<'s, 'a> Story<'s, 'a> {
    /// `None` if nothing was ever under a default key. Things of one name are no story: one says nothing
    /// about the next.
    fn of(acts: &'s [Act<'a>], holds_many: bool) -> Option<Self> {
        let is_default = |act: &Act<'_>| act.of(&Kind::DEFAULT_KEY).is_some();
        let last = acts.iter().rposition(is_default)?;
        if holds_many {
            return Some(Self { before: None, acts, after: &[] });
        }
        let own = acts[..last].iter().rposition(|act| act.own_key().is_some());
        let acts_since = &acts[own.map_or(0, |own| own + 1)..=last];
        // Of one moment nobody knows what came first.
        let begun = acts_since.iter().find(|act| is_default(act)).map(Act::first)?;
        let before = own.and_then(|own| acts[own].own_key()).filter(|row| row.last < begun);
        let after = &acts[last + 1..];
        let later = after.iter().position(|act| act.first() > acts[last].last()).unwrap_or(after.len());
        Some(Self { before, acts: acts_since, after: &after[later..] })
    }
}

fn severity(
    first: &ConfigurationRow<'_>,
    kind: Kind,
    story: &Story<'_, '_>,
    closed: Option<&ConfigurationRow<'_>>,
) -> Severity {
    if closed.is_some() || kind == Kind::DkPossible {
        return Severity::Info;
    }
    let known = configuration::find(first.service_rule);
    let severity = known.map_or(Severity::Low, |row| row.severity);
    // What a service makes for itself, its user can hardly choose.
    let severity = if is_by_service(first) { severity.lowered() } else { severity };
    if story.before.is_some() { severity.raised() } else { severity }
}

fn way(row: &ConfigurationRow<'_>, kind: Kind) -> Way {
    match (kind, Choice::parse(row.choice)) {
        (Kind::DkPossible, _) => Way::Possible,
        (_, Some(Choice::NamedDefault | Choice::NamedKey | Choice::NamedAlias)) if !row.by_service => Way::Chosen,
        (Kind::DkResolved, _) => Way::Taken,
        (_, Some(Choice::Reset)) => Way::Reset,
        (_, Some(Choice::AccountDefault)) if row.key_ref.is_empty() || row.by_service => Way::Assumed,
        _ => Way::Omitted,
    }
}

fn message(
    first: &ConfigurationRow<'_>,
    way: Way,
    alias: &str,
    story: &Story<'_, '_>,
    posture: &Posture<'_>,
) -> String {
    let sentence = way.sentence(&who(first), &thing(first), service(first), &default_key(first, alias));
    let before = story.before.map(|row| format!("; until then under {}", key(row, posture))).unwrap_or_default();
    let later =
        |row: &ConfigurationRow<'_>| format!("{} chose {} on {}", who(row), key(row, posture), row.first.date());
    let after = if let Some(row) = story.after.iter().find_map(Act::own_key) {
        format!("; closed: {}", later(row))
    } else if let Some(row) = story.after.iter().rev().find_map(|act| act.of(&[Kind::Pending])) {
        format!("; {}, and these logs do not tell who manages that", later(row))
    } else {
        String::new()
    };
    format!("{sentence} ({}){before}{after}", event(first))
}

impl Way {
    /// Who did what, and what came of it.
    fn sentence(self, who: &str, what: &str, service: &str, key: &str) -> String {
        match self {
            Self::Chosen => format!("{who} chose {key} for {what}"),
            Self::Taken => format!("{who} named no key for {what}: {service} took {key}, as its answer shows"),
            Self::Omitted => format!("{who} named no key for {what}: {service} took {key}"),
            Self::Assumed => {
                format!("{who} named no key for {what}: {service} took {key}, unless the account has another default")
            }
            Self::Reset => format!("{who} set the key of {what} to nothing: {service} went back to {key}"),
            Self::Possible => format!("{who} named no key for {what}: {service} may have taken {key}"),
        }
    }
}

fn default_key(row: &ConfigurationRow<'_>, alias: &str) -> String {
    match (alias, row.key_arn) {
        ("", "") => format!("the default key of {}", service(row)),
        ("", arn) => format!("the default key {}", arn.rsplit('/').next().unwrap_or(arn)),
        (alias, _) => format!("the default key {alias}"),
    }
}

/// One verdict on many resources of a day; the first of them gives the columns.
fn together(group: &Group<'_>, found: Vec<UnderDefault<'_>>) -> Option<Draft> {
    let ([account, region, setting], alias, day) = group;
    let count = found.len();
    let principals = found.iter().map(|found| found.row.principal_arn).collect::<BTreeSet<_>>().len();
    let mut actors: BTreeSet<String> = found.iter().map(|found| who(&found.row)).collect();
    let by = match actors.pop_first() {
        Some(one) if actors.is_empty() => one,
        _ => counted(i64::try_from(principals).unwrap_or(i64::MAX), "principal"),
    };
    let drafts = || found.iter().map(|found| &found.draft);
    let severity = drafts().map(|draft| draft.severity).max()?;
    let span = drafts().map(|draft| draft.span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1), a.2 + b.2))?;
    let row = &found.first()?.row;
    // Of several ways the one that is proven best.
    let way = found.iter().map(|found| found.way).min()?;
    let what = format!("{count} {} in account {account}, {region}", things(row));
    let sentence = way.sentence(&by, &what, service(row), &default_key(row, alias));
    let names: Vec<&str> = found.iter().map(|found| found.row.resource).filter(|name| !name.is_empty()).collect();
    let message = match names.get(..SHOWN) {
        Some(shown) => {
            let shown: Vec<&str> = shown.iter().map(|name| plain_name(name)).collect();
            format!("{sentence}: {} and {} more", shown.join(", "), count - SHOWN)
        }
        None => sentence,
    };
    let names: Vec<String> = names.into_iter().take(NAMED).map(str::to_owned).collect();
    let first = found.into_iter().map(|found| found.draft).min_by_key(|draft| draft.span.0)?;
    let mut draft = Draft { severity, message, span, ..first };
    draft.subject.resource_arn.clear();
    if principals > 1 {
        draft.subject.principal_arn.clear();
        draft.subject.principal_type.clear();
        draft.subject.session_name.clear();
    }
    let draft = draft.with("resources", names).with("resources_count", count).with("principals", principals);
    Some(draft.about(&[setting, account, region, alias, &day.to_string(), "many"]))
}
