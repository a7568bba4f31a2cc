//! Event rules by the events that they look at.

use rustc_hash::FxHashMap;

use super::draft::Draft;
use super::settings::Settings;
use super::{Check, Events, Rule, all};
use crate::kms::call::Call;
use crate::model::event::Event;
use crate::model::finding::Finding;

/// Which event rules look at which event; built once.
#[derive(Debug)]
pub struct Index {
    /// By `eventSource`, then by `eventName`.
    by_event: FxHashMap<&'static str, FxHashMap<&'static str, Vec<&'static Rule>>>,
}

impl Default for Index {
    fn default() -> Self {
        Self::of(all())
    }
}

impl Index {
    /// Indexes some rules.
    #[must_use]
    pub fn of(rules: impl Iterator<Item = &'static Rule>) -> Self {
        let mut by_event: FxHashMap<_, FxHashMap<_, Vec<_>>> = FxHashMap::default();
        for rule in rules {
            for (source, name) in events(rule) {
                by_event.entry(source).or_default().entry(name).or_default().push(rule);
            }
        }
        Self { by_event }
    }

    /// Every (`eventSource`, `eventName`) that some rule looks at.
    pub fn events(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.by_event.iter().flat_map(|(source, names)| names.keys().map(|name| (*source, *name)))
    }

    /// The rules that look at the event.
    #[must_use]
    pub fn rules(&self, event: &Event<'_>) -> &[&'static Rule] {
        self.by_event.get(event.source).and_then(|names| names.get(event.name)).map_or(&[], Vec::as_slice)
    }
}

/// What some rules say of a call.
#[must_use]
pub fn findings(rules: &[&'static Rule], call: &Call<'_>, settings: &Settings, source_object: &str) -> Vec<Finding> {
    rules.iter().filter_map(|rule| check(rule, call, settings)?.finish(rule, settings, source_object)).collect()
}

fn check(rule: &'static Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    match &rule.check {
        Check::Event { check, .. } => check(rule, call, settings),
        Check::Usage(_) | Check::Posture(_) => None,
    }
}

/// The events that a rule looks at; none, if it looks at what is folded.
#[must_use]
pub fn events(rule: &Rule) -> Vec<(&'static str, &'static str)> {
    match &rule.check {
        Check::Event { events: Events::Kms(names), .. } => names.iter().map(|name| (Event::KMS, *name)).collect(),
        Check::Event { events: Events::Table(table), .. } => table(),
        Check::Usage(_) | Check::Posture(_) => Vec::new(),
    }
}
