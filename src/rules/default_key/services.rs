//! Which events of which services configure encryption, and where they name the key (DOMAIN C.3).

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::condition::Condition;
use super::path::Path;
use crate::model::event::Event;
use crate::model::severity::Severity;

/// A row of the table, as far as explicitly named keys need it.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    /// Id of the row, such as `ebs.create_volume`.
    pub(super) id: String,
    /// Name of the service for people.
    pub(super) service: String,
    event_source: String,
    events: Vec<String>,
    /// Alternatives, each a list of conditions that must all hold.
    conditions: Vec<Vec<Condition>>,
    /// Where the request names the key.
    pub(super) key_paths: Vec<Path>,
    /// How bad the default key is here.
    pub(super) severity: Severity,
    /// Where the resource is named.
    pub(super) resource_paths: Vec<Path>,
}

/// By `eventSource`, then by `eventName`.
type Table = FxHashMap<&'static str, FxHashMap<&'static str, Vec<&'static Service>>>;

static SERVICES: LazyLock<Vec<Service>> =
    LazyLock::new(|| serde_json::from_str(include_str!("services.json")).unwrap_or_default());

static BY_EVENT: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    for service in SERVICES.iter() {
        for event in &service.events {
            table.entry(service.event_source.as_str()).or_default().entry(event.as_str()).or_default().push(service);
        }
    }
    table
});

/// The rows that apply to an event.
pub(super) fn of(event: &Event<'_>) -> impl Iterator<Item = &'static Service> {
    let rows = BY_EVENT.get(event.source).and_then(|events| events.get(event.name));
    rows.into_iter().flatten().copied().filter(|row| {
        row.conditions.iter().any(|alternative| alternative.iter().all(|condition| condition.holds(event)))
    })
}

/// All events of the table.
pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    BY_EVENT.iter().flat_map(|(source, events)| events.keys().map(|name| (*source, *name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(SERVICES.len(), 104);
        assert!(events().contains(&("ec2.amazonaws.com", "CreateVolume")));
        assert!(!events().contains(&("ec2.amazonaws.com", "DescribeVolumes")));
    }
}
