//! The path language of `services.json`: where in a record a key or a resource is named.
//!
//! Segments are split by dots and matched in any case; `x[]` goes into each element (a lone value is
//! a list of one, an `items` wrapper is looked through); `*` is any member; `x{json}` parses a
//! string. A path starts in `requestParameters`, unless it names another payload first.

use serde::Deserialize;

use crate::model::event::Event;
use crate::model::json::Json;

/// A path, parsed.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Path {
    root: Root,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Root {
    Request,
    Response,
    Additional,
}

#[derive(Debug)]
struct Segment {
    name: String,
    then: Then,
}

/// What is done with a segment's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Take,
    EachElement,
    ParseJson,
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        let roots = [("responseElements.", Root::Response), ("additionalEventData.", Root::Additional)];
        for (prefix, root) in roots {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Self { root, segments: segments(rest) };
            }
        }
        Self { root: Root::Request, segments: segments(&text) }
    }
}

fn segments(text: &str) -> Vec<Segment> {
    text.split('.')
        .map(|segment| {
            let (name, then) = match (segment.strip_suffix("[]"), segment.strip_suffix("{json}")) {
                (Some(name), _) => (name, Then::EachElement),
                (_, Some(name)) => (name, Then::ParseJson),
                _ => (segment, Then::Take),
            };
            Segment { name: name.to_owned(), then }
        })
        .collect()
}

impl Path {
    /// Calls `visit` with every string that the path leads to.
    pub(super) fn each(&self, event: &Event<'_>, visit: &mut dyn FnMut(&str)) {
        self.each_value(event, &mut |value| value.str().into_iter().for_each(&mut *visit));
    }

    /// Calls `visit` with every value that the path leads to.
    pub(super) fn each_value(&self, event: &Event<'_>, visit: &mut dyn FnMut(Json<'_>)) {
        let root = match self.root {
            Root::Request => event.request,
            Root::Response => event.response,
            Root::Additional => event.additional,
        };
        walk(root, &self.segments, visit);
    }

    /// The first string that the path leads to.
    pub(super) fn first(&self, event: &Event<'_>) -> Option<String> {
        let mut first = None;
        self.each(event, &mut |text| {
            first.get_or_insert_with(|| text.to_owned());
        });
        first
    }
}

fn walk(value: Json<'_>, segments: &[Segment], visit: &mut dyn FnMut(Json<'_>)) {
    let Some((segment, rest)) = segments.split_first() else { return visit(value) };
    for (name, member) in value.members() {
        if segment.name != "*" && !name.eq_ignore_ascii_case(&segment.name) {
            continue;
        }
        match segment.then {
            Then::Take => walk(member, rest, visit),
            Then::EachElement => {
                let items = member.get("items");
                let list = if items.is_array() { items } else { member };
                list.elements().for_each(|element| walk(element, rest, visit));
            }
            Then::ParseJson => {
                let mut text = member.str().unwrap_or_default().as_bytes().to_vec();
                if let Ok(tape) = simd_json::to_tape(&mut text) {
                    walk(Json::new(&tape.0), rest, visit);
                }
            }
        }
    }
}
