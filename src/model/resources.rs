//! What the fold remembers of resources: all that services were told of the encryption of each.

use std::cmp::Ordering;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::configuration::ConfigurationRow;
use super::strings::{Strings, Symbol};
use super::time::Seconds;

/// All resources. There may be very many: each distinct text is held once, and the same choice made
/// again and again is one.
#[derive(Debug, Default)]
pub struct Resources {
    strings: Strings,
    by_place: HashMap<Place, Vec<Held>, FxBuildHasher>,
    /// Where the choices stand of names that stand for many things: one bucket may have any number of them.
    of_many: HashMap<(Place, Chosen), usize, FxBuildHasher>,
}

/// A resource: what is set, in which account and Region, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    setting: Symbol,
    account: Symbol,
    region: Symbol,
    name: Symbol,
}

/// Texts of a row, in the order of [`ConfigurationRow`]'s fields.
const TEXTS: usize = 15;

/// Those that make a choice the same one, whoever made it: row, choice, key as named, ARN of the key.
const CHOICE: [usize; 4] = [0, 7, 8, 9];

/// What makes a choice the same one: these texts, and whether the service made it.
type Chosen = ([Symbol; CHOICE.len()], bool);

/// One choice, as often as it was made before there was another.
#[derive(Debug, Clone, Copy)]
struct Held {
    texts: [Symbol; TEXTS],
    event_id: Symbol,
    by_service: bool,
    requests: i64,
    first: Seconds,
    last: Seconds,
}

/// A resource with the choices that were made for it.
#[derive(Debug)]
pub struct Resource<'a> {
    /// What is set: rows of one setting speak of the same resources.
    pub setting: &'a str,
    /// Account of the trail.
    pub account_id: &'a str,
    /// Region.
    pub region: &'a str,
    /// Its name, made one of all the ways in which events name it.
    pub name: &'a str,
    /// How many choices all resources before it have.
    pub before: usize,
    /// The choices in order of time: one that was made again after another stands there twice.
    pub choices: Vec<ConfigurationRow<'a>>,
}

impl Resources {
    /// Takes what a service was told of the resource `name`; rows come in order of time. `holds_many`
    /// says that the name stands for many things, such as a bucket for its objects: of those, the same
    /// choice is one whatever was chosen in between.
    pub fn note(&mut self, setting: &str, name: &str, row: &ConfigurationRow<'_>, holds_many: bool) {
        let Self { strings, by_place, of_many } = self;
        let place = Place {
            setting: strings.intern(setting),
            account: strings.intern(row.account_id),
            region: strings.intern(row.region),
            name: strings.intern(name),
        };
        let chosen = (CHOICE.map(|at| strings.intern(texts(row)[at])), row.by_service);
        let held = by_place.entry(place).or_default();
        let known = if holds_many {
            of_many.get(&(place, chosen)).and_then(|at| held.get_mut(*at))
        } else {
            held.last_mut().filter(|last| (CHOICE.map(|at| last.texts[at]), last.by_service) == chosen)
        };
        if let Some(known) = known {
            // The earliest speaks, and it came first.
            (known.requests, known.last) = (known.requests + row.requests, known.last.max(row.last));
            return;
        }
        if holds_many {
            of_many.insert((place, chosen), held.len());
        }
        // Of most resources one thing is told: room for four, as a vector takes, would be most of all memory.
        if held.is_empty() {
            held.reserve_exact(1);
        }
        held.push(Held {
            texts: texts(row).map(|text| strings.intern(text)),
            event_id: strings.intern(row.event_id),
            by_service: row.by_service,
            requests: row.requests,
            first: row.first,
            last: row.last,
        });
    }

    /// All of them, in order of their names.
    #[must_use]
    pub fn sorted(self) -> SortedResources {
        let Self { strings, by_place, of_many: _ } = self;
        let mut places: Vec<_> = by_place.into_iter().collect();
        let text = |symbol: Symbol| strings.get(symbol);
        // Most stand in one account and Region: equal symbols need no look at their texts.
        let by_text = |a: Symbol, b: Symbol| if a == b { Ordering::Equal } else { text(a).cmp(text(b)) };
        let parts = |place: &Place| [place.account, place.region, place.setting, place.name];
        places.sort_unstable_by(|(a, _), (b, _)| {
            let mut orders = parts(a).into_iter().zip(parts(b)).map(|(a, b)| by_text(a, b));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        SortedResources { strings, places }
    }
}

/// All resources, sorted.
#[derive(Debug, Default)]
pub struct SortedResources {
    strings: Strings,
    places: Vec<(Place, Vec<Held>)>,
}

impl SortedResources {
    /// The resources, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Resource<'_>> {
        let text = |symbol: Symbol| self.strings.get(symbol);
        let mut choices = 0;
        self.places.iter().map(move |(place, held)| {
            let before = choices;
            choices += held.len();
            Resource {
                setting: text(place.setting),
                account_id: text(place.account),
                region: text(place.region),
                name: text(place.name),
                before,
                choices: held.iter().map(|held| self.row(held)).collect(),
            }
        })
    }

    fn row(&self, held: &Held) -> ConfigurationRow<'_> {
        let [
            service_rule,
            service,
            event_source,
            event_name,
            account_id,
            region,
            resource,
            choice,
            key_ref,
            key_arn,
            default_alias,
            principal_arn,
            principal_type,
            session_name,
            via_service,
        ] = held.texts.map(|symbol| self.strings.get(symbol));
        ConfigurationRow {
            service_rule,
            service,
            event_source,
            event_name,
            account_id,
            region,
            resource,
            choice,
            key_ref,
            key_arn,
            by_service: held.by_service,
            default_alias,
            principal_arn,
            principal_type,
            session_name,
            via_service,
            requests: held.requests,
            first: held.first,
            last: held.last,
            event_id: self.strings.get(held.event_id),
        }
    }
}

fn texts<'a>(row: &ConfigurationRow<'a>) -> [&'a str; TEXTS] {
    [
        row.service_rule,
        row.service,
        row.event_source,
        row.event_name,
        row.account_id,
        row.region,
        row.resource,
        row.choice,
        row.key_ref,
        row.key_arn,
        row.default_alias,
        row.principal_arn,
        row.principal_type,
        row.session_name,
        row.via_service,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(choice: &'static str, time: i64, event_id: &'static str) -> ConfigurationRow<'static> {
        ConfigurationRow {
            service_rule: "secrets.create",
            service: "",
            event_source: "",
            event_name: "",
            account_id: "111122223333",
            region: "us-east-1",
            resource: "s",
            choice,
            key_ref: "",
            key_arn: "",
            by_service: false,
            default_alias: "",
            principal_arn: "",
            principal_type: "",
            session_name: "",
            via_service: "",
            requests: 2,
            first: Seconds(time),
            last: Seconds(time + 1),
            event_id,
        }
    }

    #[test]
    fn the_earliest_of_like_choices_speaks_and_the_latest_is_known() {
        let mut resources = Resources::default();
        for row in [chosen("a", 1, "x"), chosen("a", 5, "y"), chosen("b", 7, "z"), chosen("a", 9, "w")] {
            resources.note("secret", "s", &row, true);
        }
        resources.note("secret", "r", &chosen("a", 3, "v"), true);
        let sorted = resources.sorted();
        let told: Vec<_> = sorted.iter().map(|resource| (resource.name, resource.before, resource.choices)).collect();
        let three = ConfigurationRow { requests: 6, last: Seconds(10), ..chosen("a", 1, "x") };
        let expected = [("r", 0, vec![chosen("a", 3, "v")]), ("s", 1, vec![three, chosen("b", 7, "z")])]
            .map(|told| format!("{told:?}"));
        assert_eq!(told.iter().map(|told| format!("{told:?}")).collect::<Vec<_>>(), expected);
        // Of what is not told nothing is kept.
        assert!(sorted.strings.iter().all(|text| !["y", "w"].contains(&text)));
    }
}
