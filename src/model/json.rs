//! A JSON value inside a parsed record, borrowed; forgiving, because CloudTrail is.

use serde_json::Value;
use simd_json::{Node, StaticNode};

/// A borrowed JSON value. A missing member and `null` are the same: [`Json::NULL`].
///
/// It is a run of simd-json's tape: a head node, and behind it what the head contains.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(&'a [Node<'a>]);

const NULL_TAPE: &[Node<'static>] = &[Node::Static(StaticNode::Null)];

impl<'a> Json<'a> {
    /// The absent value.
    pub const NULL: Json<'static> = Json(NULL_TAPE);

    /// The value that starts at the head of `tape`.
    #[must_use]
    pub fn new(tape: &'a [Node<'a>]) -> Self {
        if tape.is_empty() { Self::NULL } else { Self(tape) }
    }

    fn head(self) -> Node<'a> {
        self.0.first().copied().unwrap_or(Node::Static(StaticNode::Null))
    }

    /// Whether the value is absent or `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.head(), Node::Static(StaticNode::Null))
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self.head(), Node::Object { .. })
    }

    /// Whether this is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self.head(), Node::Array { .. })
    }

    /// The member with exactly this name; [`Json::NULL`] if there is none.
    #[must_use]
    pub fn get(self, name: &str) -> Json<'a> {
        self.members().find(|(key, _)| *key == name).map_or(Json::NULL, |(_, value)| value)
    }

    /// The member with this name in any case (`ARN`, `arn`); the exact spelling is preferred.
    #[must_use]
    pub fn get_any_case(self, name: &str) -> Json<'a> {
        let exact = self.get(name);
        if !exact.is_null() {
            return exact;
        }
        self.members().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or(Json::NULL, |(_, v)| v)
    }

    /// The value at the end of a path of exact member names.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Json<'a> {
        path.iter().fold(self, |value, name| value.get(name))
    }

    /// The string, if it is one.
    #[must_use]
    pub fn str(self) -> Option<&'a str> {
        if let Node::String(text) = self.head() { Some(text) } else { None }
    }

    /// The string, if it is one and not empty.
    #[must_use]
    pub fn non_empty(self) -> Option<&'a str> {
        self.str().filter(|s| !s.is_empty())
    }

    /// A boolean, or the words `true` and `false` in any case.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        match self.head() {
            Node::Static(StaticNode::Bool(b)) => Some(b),
            Node::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
            Node::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// An integer, or a string of digits.
    #[must_use]
    pub fn i64(self) -> Option<i64> {
        match self.head() {
            Node::Static(StaticNode::I64(n)) => Some(n),
            Node::Static(StaticNode::U64(n)) => i64::try_from(n).ok(),
            Node::String(s) => s.parse().ok(),
            _ => None,
        }
    }

    /// A string or a number as text, for dates that come as either.
    #[must_use]
    pub fn text(self) -> Option<String> {
        match self.head() {
            Node::String(s) => Some(s.to_owned()),
            Node::Static(StaticNode::I64(n)) => Some(n.to_string()),
            Node::Static(StaticNode::U64(n)) => Some(n.to_string()),
            Node::Static(StaticNode::F64(n)) => Some(n.to_string()),
            _ => None,
        }
    }

    /// Members of an object, in the order written; nothing for other values.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(if self.is_object() { &self.0[1..extent(self.0)] } else { &[] })
    }

    /// Elements of an array; any other value that is not null counts as one element, as AWS
    /// logs single-element lists.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(match self.head() {
            Node::Array { .. } => &self.0[1..extent(self.0)],
            Node::Static(StaticNode::Null) => &[],
            _ => &self.0[..extent(self.0)],
        })
    }

    /// The same value, owned.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.head() {
            Node::String(text) => text.into(),
            Node::Object { .. } => {
                Value::Object(self.members().map(|(name, value)| (name.to_owned(), value.to_value())).collect())
            }
            Node::Array { .. } => self.elements().map(Json::to_value).collect(),
            Node::Static(StaticNode::Bool(value)) => value.into(),
            Node::Static(StaticNode::I64(value)) => value.into(),
            Node::Static(StaticNode::U64(value)) => value.into(),
            Node::Static(StaticNode::F64(value)) => value.into(),
            Node::Static(_) => Value::Null,
        }
    }

    /// Calls `visit` with every string value at and below this value, in the order written. The
    /// decoder bounds the depth.
    pub fn each_string(self, visit: &mut impl FnMut(&'a str)) {
        match self.head() {
            Node::String(text) => visit(text),
            Node::Object { .. } => self.members().for_each(|(_, value)| value.each_string(visit)),
            Node::Array { .. } => self.elements().for_each(|value| value.each_string(visit)),
            Node::Static(_) => {}
        }
    }
}

/// How many nodes the value at the head of `tape` takes, its own included.
fn extent(tape: &[Node<'_>]) -> usize {
    match tape.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => (count + 1).min(tape.len()),
        Some(_) => 1,
        None => 0,
    }
}

/// Members of an object: see [`Json::members`].
#[derive(Debug, Clone)]
pub struct Members<'a>(&'a [Node<'a>]);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.split_first()?;
        let Node::String(key) = *key else { return None };
        let (value, tail) = rest.split_at_checked(extent(rest))?;
        self.0 = tail;
        Some((key, Json::new(value)))
    }
}

/// Elements of an array: see [`Json::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a>(&'a [Node<'a>]);

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (value, tail) = self.0.split_at_checked(extent(self.0))?;
        self.0 = tail;
        Some(Json::new(value))
    }
}
