//! The path language of `table.json`: where in a record a condition looks, and where a key or a
//! resource is named.
//!
//! Segments are split by dots. A name is matched exactly, and in any case only where no member has
//! it exactly; `*` is any member. `x[]` goes into each element: a lone value is a list of one, and an
//! `items` wrapper is looked through. `x{json}` parses a string; what is no string passes as it is.
//! A path starts in `requestParameters`, unless it names another payload first.

use serde::Deserialize;

use crate::model::event::Event;
use crate::model::json::Json;

/// A path, parsed.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
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
    name: Name,
    then: Then,
}

#[derive(Debug)]
enum Name {
    Any,
    Member(String),
}

/// What is done with a segment's value.
#[derive(Debug, Clone, Copy)]
enum Then {
    Take,
    EachElement,
    ParseJson,
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const ROOTS: [(&str, Root); 2] =
            [("responseElements.", Root::Response), ("additionalEventData.", Root::Additional)];
        let elsewhere = ROOTS.into_iter().find_map(|(prefix, root)| Some((root, text.strip_prefix(prefix)?)));
        let (root, rest) = elsewhere.unwrap_or((Root::Request, &text));
        let segments = rest.split('.').map(segment).collect::<Option<_>>();
        Ok(Self { root, segments: segments.ok_or_else(|| format!("{text} is no path"))? })
    }
}

fn segment(text: &str) -> Option<Segment> {
    let (name, then) = match (text.strip_suffix("[]"), text.strip_suffix("{json}")) {
        (Some(name), _) => (name, Then::EachElement),
        (_, Some(name)) => (name, Then::ParseJson),
        _ => (text, Then::Take),
    };
    let name = match name {
        "*" => Name::Any,
        "" => return None,
        _ if name.contains(['[', ']', '{', '}', '*']) => return None,
        _ => Name::Member(name.to_owned()),
    };
    Some(Segment { name, then })
}

impl Path {
    /// Calls `visit` with every value that the path leads to, and with where it is: the indices of
    /// the list elements on the way.
    pub(super) fn each(&self, event: &Event<'_>, visit: &mut dyn FnMut(&[usize], Json<'_>)) {
        let root = match self.root {
            Root::Request => event.request,
            Root::Response => event.response,
            Root::Additional => event.additional,
        };
        walk(root, &self.segments, &mut Vec::new(), visit);
    }

    /// The first text that the path leads to; empty text names nothing.
    pub(super) fn first_text(&self, event: &Event<'_>) -> Option<String> {
        let mut first = None;
        self.each(event, &mut |_, value| {
            if first.is_none() {
                first = value.non_empty().map(str::to_owned);
            }
        });
        first
    }
}

/// As deep as the path is long, whatever the record holds.
fn walk(value: Json<'_>, segments: &[Segment], place: &mut Vec<usize>, visit: &mut dyn FnMut(&[usize], Json<'_>)) {
    let Some((segment, rest)) = segments.split_first() else { return visit(place, value) };
    each_member(value, &segment.name, &mut |member| match segment.then {
        Then::Take => walk(member, rest, place, visit),
        Then::EachElement => {
            for (index, element) in list(member).elements().enumerate() {
                place.push(index);
                walk(element, rest, place, visit);
                place.pop();
            }
        }
        Then::ParseJson => match member.str() {
            None => walk(member, rest, place, visit),
            Some(text) => {
                if let Ok(tape) = simd_json::to_tape(&mut text.as_bytes().to_vec()) {
                    walk(Json::new(&tape.0), rest, place, visit);
                }
            }
        },
    });
}

fn each_member(value: Json<'_>, name: &Name, visit: &mut dyn FnMut(Json<'_>)) {
    let Name::Member(name) = name else { return value.members().for_each(|(_, member)| visit(member)) };
    // A member that is there and null is there: no other spelling takes its place.
    let exact = value.members().any(|(key, _)| key == name);
    for (key, member) in value.members() {
        if if exact { key == name } else { key.eq_ignore_ascii_case(name) } {
            visit(member);
        }
    }
}

/// The list itself, where AWS writes it as the member of a wrapper.
fn list(value: Json<'_>) -> Json<'_> {
    let items = value.get("items");
    if items.is_array() { items } else { value }
}
