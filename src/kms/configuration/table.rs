//! Which events of which services configure encryption, where they name the key, and what it means
//! if they do not (DOMAIN C.3).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::choice::Absent;
use super::condition::Conditions;
use super::path::Path;
use crate::model::event::Event;
use crate::model::severity::Severity;

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Id of the row, such as `ebs.create_volume`.
    pub id: String,
    /// Name of the service for people.
    pub service: String,
    /// The default key of the service, where there is one.
    pub alias: Option<String>,
    /// How bad the default key is here.
    pub severity: Severity,
    event_source: String,
    /// By event: what it means that no key is named.
    events: BTreeMap<String, Absent>,
    #[serde(default)]
    pub(super) conditions: Conditions,
    /// What keeps the row from applying, whatever its conditions.
    #[serde(default)]
    pub(super) unless: Option<Conditions>,
    /// Where the request names the key.
    #[serde(default)]
    pub(super) key_paths: Vec<Path>,
    /// Where the response names it, if the request does not.
    #[serde(default)]
    pub(super) response_key_paths: Vec<Path>,
    /// Whether an empty key means the service's default key, not that the key was taken off.
    #[serde(default)]
    pub(super) empty_resets: bool,
    /// The row whose setting this one changes, if it is another's.
    #[serde(default)]
    setting: Option<String>,
    /// Where the resource is named.
    #[serde(default)]
    pub(super) resource_paths: Vec<Path>,
}

impl Row {
    /// What it is that rows set: those of one setting speak of the same resources.
    #[must_use]
    pub fn setting(&self) -> &str {
        self.setting.as_deref().unwrap_or(&self.id)
    }

    /// Whether its events make things of several kinds, which may have the same name.
    #[must_use]
    pub fn makes_several(&self) -> bool {
        self.events.keys().filter(|event| event.starts_with("Create")).count() > 1
    }
}

/// Rows by `eventSource`, then by `eventName`.
type ByEvent = FxHashMap<&'static str, FxHashMap<&'static str, Vec<(&'static Row, Absent)>>>;

/// The table; behind it the ways out of KMS that change a setting of it, and what the table lacks: volumes
/// that are encrypted because the account says so, and services that took over another's operations.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let of = |text| serde_json::from_str::<Vec<Row>>(text).unwrap_or_default();
    let files = [include_str!("table.json"), include_str!("off.json"), include_str!("more.json")];
    files.into_iter().flat_map(of).collect()
});

static BY_EVENT: LazyLock<ByEvent> = LazyLock::new(|| {
    let mut by_event = ByEvent::default();
    for row in ROWS.iter() {
        let events = by_event.entry(&row.event_source).or_default();
        for (name, absent) in &row.events {
            events.entry(name).or_default().push((row, *absent));
        }
    }
    by_event
});

/// The rows that look at an event, with what they say of it if no key is named.
pub(super) fn of(event: &Event<'_>) -> &'static [(&'static Row, Absent)] {
    BY_EVENT.get(event.source).and_then(|events| events.get(event.name)).map_or(&[], Vec::as_slice)
}

/// The row with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

/// All events of the table, as `eventSource` and `eventName`.
#[must_use]
pub fn events() -> Vec<(&'static str, &'static str)> {
    BY_EVENT.iter().flat_map(|(source, events)| events.keys().map(|name| (*source, *name))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_whole() {
        // Also tells what is wrong with a row, where the static only stays empty.
        let rows: Vec<Row> = serde_json::from_str(include_str!("table.json")).expect("a table");
        assert_eq!(rows.len(), 104);
        assert_eq!(rows.iter().map(|row| &row.id).collect::<BTreeSet<_>>().len(), rows.len());
        assert_eq!(rows.iter().map(|row| row.events.len()).sum::<usize>(), 241);
        assert!(events().contains(&("ec2.amazonaws.com", "CreateVolume")));
        assert!(!events().contains(&("ec2.amazonaws.com", "DescribeVolumes")));
    }

    #[test]
    fn a_way_out_changes_a_setting_of_the_table_by_an_event_of_it() {
        let rows: Vec<Row> = serde_json::from_str(include_str!("off.json")).expect("a table");
        for row in &rows {
            assert_eq!(row.id.strip_suffix(".off"), Some(row.setting()), "{}", row.id);
            let main = find(row.setting()).expect("a setting of the table");
            assert!(row.events.keys().all(|event| main.events.contains_key(event)), "{}", row.id);
            assert_eq!((&row.service, &row.event_source), (&main.service, &main.event_source));
        }
        assert_eq!(rows.len(), 6);
        let more: Vec<Row> = serde_json::from_str(include_str!("more.json")).expect("a table");
        assert_eq!(ROWS.len(), 104 + rows.len() + more.len());
    }

    #[test]
    fn a_row_is_found_by_its_id() {
        assert_eq!(find("efs.create").and_then(|row| row.alias.as_deref()), Some("alias/aws/elasticfilesystem"));
        assert_eq!(find("logs.group").map(|row| row.alias.as_deref()), Some(None));
        assert!(find("x").is_none());
    }

    #[test]
    fn an_event_that_changes_a_state_has_no_other_meaning() {
        for row in ROWS.iter() {
            let states = row.events.values().filter(|absent| **absent == Absent::State).count();
            assert!(states == 0 || states == row.events.len(), "{}", row.id);
        }
    }
}
