//! What a service's own record says of the key that a resource is encrypted with (DOMAIN C.2).
//!
//! The record alone is read here: which row of the table applies, and what was chosen. Whose key a
//! named one is, and so what the choice comes to, is for [`resolve`], when keys are known.

mod binding;
mod choice;
mod condition;
mod kind;
mod path;
pub mod resource;
mod table;
#[cfg(test)]
mod tests;

pub use choice::{Choice, default_alias};
pub use kind::{Kind, Manager, resolve};
pub use table::{Row, events, find};

use binding::Bindings;
use choice::Absent;
use path::Path;

use crate::model::arn::{is_key_arn, is_key_id, key_arn};
use crate::model::event::Event;

/// What one row of the table reads in a record: one key, or one place that lacks one.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The row: service, default alias, severity.
    pub row: &'static Row,
    /// What was chosen.
    pub choice: Choice,
    /// The key, as the record names it; `None` where none is named.
    pub key: Option<String>,
    /// Whether the response names the key: the service took it, the caller named none.
    pub from_response: bool,
    /// What it means here that the caller named no key, where that means anything: what stood behind a
    /// key that only the response names.
    pub absent: Option<Choice>,
    /// The key that the response names, if the request named one too: by an alias, say.
    pub answered: Option<String>,
    /// The resource, as the record names it.
    pub resource: Option<String>,
}

/// Whether some row looks at such an event.
#[must_use]
pub fn looks_at(event: &Event<'_>) -> bool {
    !table::of(event).is_empty()
}

/// What an event says of keys, by every row that looks at it. A failed call configured nothing.
#[must_use]
pub fn read(event: &Event<'_>) -> Vec<Configured> {
    if event.error_code.is_some_and(|code| !code.is_empty()) {
        return Vec::new();
    }
    table::of(event).iter().flat_map(|(row, absent)| read_row(row, *absent, event)).collect()
}

fn read_row(row: &'static Row, absent: Absent, event: &Event<'_>) -> Vec<Configured> {
    let bound = row.conditions.bindings(event);
    if bound.is_empty() || row.unless.as_ref().is_some_and(|unless| !unless.bindings(event).is_empty()) {
        return Vec::new();
    }
    let mut read = match absent {
        Absent::State => vec![state(row, event)],
        _ => keys_and_gaps(row, absent, event, &bound),
    };
    if !read.is_empty() {
        let resource = first_text(&row.resource_paths, event);
        let answer = first_text(&row.response_key_paths, event);
        for configured in &mut read {
            configured.resource.clone_from(&resource);
            configured.absent = absent.choice();
            if !configured.from_response {
                configured.answered.clone_from(&answer);
            }
        }
    }
    read
}

/// The keys within what the conditions hold for, and what it means where there lacks one.
fn keys_and_gaps(row: &'static Row, absent: Absent, event: &Event<'_>, bound: &Bindings) -> Vec<Configured> {
    let (mut read, mut found) = (Vec::new(), Bindings::default());
    for path in &row.key_paths {
        path.each(event, &mut |place, value| {
            if !value.is_null() && bound.cover(place) {
                found.add(place);
                read.push(named(row, value.non_empty()));
            }
        });
    }
    let missing = bound.count_missing(&found);
    if missing > 0 {
        let instead = of_response(row, event).or_else(|| Some(Configured::new(row, absent.choice()?)));
        read.extend(instead.into_iter().flat_map(|instead| std::iter::repeat_n(instead, missing)));
    }
    read
}

/// What stands where a key would; what is no text names as little as empty text.
fn named(row: &'static Row, key: Option<&str>) -> Configured {
    match key {
        Some(key) => Configured { key: Some(key.to_owned()), ..Configured::new(row, Choice::of_key(key)) },
        None if row.empty_resets => Configured::new(row, Choice::Reset),
        None => Configured::new(row, Choice::Cleared),
    }
}

fn of_response(row: &'static Row, event: &Event<'_>) -> Option<Configured> {
    let key = first_text(&row.response_key_paths, event)?;
    Some(Configured { from_response: true, ..named(row, Some(&key)) })
}

/// A change of the account's default, with the key that it is from now on, if one is named.
fn state(row: &'static Row, event: &Event<'_>) -> Configured {
    let state = Configured::new(row, Choice::State);
    if let Some(key) = first_text(&row.key_paths, event) {
        return Configured { key: Some(key), ..state };
    }
    let key = first_text(&row.response_key_paths, event);
    Configured { from_response: key.is_some(), key, ..state }
}

fn first_text(paths: &[Path], event: &Event<'_>) -> Option<String> {
    paths.iter().find_map(|path| path.first_text(event))
}

impl Configured {
    /// A choice without a key.
    const fn new(row: &'static Row, choice: Choice) -> Self {
        Self { row, choice, key: None, from_response: false, absent: None, answered: None, resource: None }
    }

    /// What the caller chose: where only the response names a key, what naming none means.
    #[must_use]
    pub fn chosen(&self) -> Choice {
        self.absent.filter(|_| self.from_response).unwrap_or(self.choice)
    }

    /// The alias of the default key that the service takes, as far as the record tells.
    #[must_use]
    pub fn default_taken(&self) -> Option<&'static str> {
        let taken = matches!(self.chosen(), Choice::Implicit | Choice::AccountDefault | Choice::Reset);
        self.row.alias.as_deref().filter(|_| taken)
    }

    /// The ARN of the key, if the record names it by that or by its id.
    #[must_use]
    pub fn key_arn(&self, event: &Event<'_>) -> Option<String> {
        let named = [self.key.as_deref(), self.answered.as_deref()];
        named.into_iter().flatten().find_map(|key| match key {
            arn if is_key_arn(arn) => Some(arn.to_owned()),
            id if is_key_id(id) => Some(key_arn(event.region, event.account, id)),
            _ => None,
        })
    }
}
