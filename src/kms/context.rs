//! The encryption contexts of a call, wherever the operation carries them (DOMAIN D.1).

use super::context_names::{self, ContextName};
use crate::model::event::Event;
use crate::model::json::Json;

/// The contexts of a call.
#[derive(Debug, Clone)]
pub struct Contexts<'a> {
    main: Json<'a>,
    destination: Json<'a>,
    pairs: Vec<Pair<'a>>,
}

/// A name and its value.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The name, as it was sent.
    pub name: &'a str,
    /// The value.
    pub value: &'a str,
    /// What is known of the name, if it is a service's or a client library's.
    pub known: Option<&'static ContextName>,
    /// Whether it goes with the destination key of a `ReEncrypt`.
    pub of_destination: bool,
}

impl<'a> Contexts<'a> {
    /// Reads the request: the context; a `ReEncrypt`'s source and destination; a grant's constraints.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Self {
        let request = event.request;
        let (main, more, destination) = match event.name {
            "CreateGrant" => {
                let constraints = request.get("constraints");
                let [subset, equals] =
                    ["encryptionContextSubset", "encryptionContextEquals"].map(|name| constraints.get(name));
                if subset.is_object() { (subset, equals, Json::NULL) } else { (equals, Json::NULL, Json::NULL) }
            }
            "ReEncrypt" => {
                (request.get("sourceEncryptionContext"), Json::NULL, request.get("destinationEncryptionContext"))
            }
            _ => (request.get("encryptionContext"), Json::NULL, Json::NULL),
        };
        let objects = [(main, false), (more, false), (destination, true)];
        let pairs = objects.into_iter().flat_map(|(object, of_destination)| {
            let texts = object.members().filter_map(|(name, value)| value.str().map(|value| (name, value)));
            texts.map(move |(name, value)| Pair {
                name,
                value,
                known: context_names::known_pair(name, value),
                of_destination,
            })
        });
        Self { main, destination, pairs: pairs.collect() }
    }

    /// The context of the call, or of a `ReEncrypt`'s source, or of a grant's constraint.
    #[must_use]
    pub fn main(&self) -> Json<'a> {
        self.main
    }

    /// The context of a `ReEncrypt`'s destination.
    #[must_use]
    pub fn destination(&self) -> Json<'a> {
        self.destination
    }

    /// Names and string values of all of them.
    #[must_use]
    pub fn pairs(&self) -> &[Pair<'a>] {
        &self.pairs
    }
}
