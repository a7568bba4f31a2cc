//! The encryption contexts of a call, wherever the operation carries them (DOMAIN D.1).

use super::context_names::{self, ContextName};
use crate::model::event::Event;
use crate::model::json::Json;

/// The contexts of a call that are objects, most telling first.
#[derive(Debug, Clone)]
pub struct Contexts<'a> {
    objects: [Json<'a>; 2],
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
}

impl<'a> Contexts<'a> {
    /// Reads the request: the context; a `ReEncrypt`'s source and destination; a grant's constraints.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Self {
        let request = event.request;
        let objects = match event.name {
            "CreateGrant" => {
                let constraints = request.get("constraints");
                [constraints.get("encryptionContextSubset"), constraints.get("encryptionContextEquals")]
            }
            "ReEncrypt" => [request.get("sourceEncryptionContext"), request.get("destinationEncryptionContext")],
            _ => [request.get("encryptionContext"), Json::NULL],
        };
        let pairs = objects
            .into_iter()
            .flat_map(Json::members)
            .filter_map(|(name, value)| value.str().map(|value| (name, value)))
            .map(|(name, value)| Pair { name, value, known: context_names::known_pair(name, value) });
        Self { objects, pairs: pairs.collect() }
    }

    /// The context of the call, or of a `ReEncrypt`'s source, or of a grant's constraint.
    #[must_use]
    pub fn main(&self) -> Json<'a> {
        self.objects.into_iter().find(|context| context.is_object()).unwrap_or(Json::NULL)
    }

    /// Names and string values of all of them.
    #[must_use]
    pub fn pairs(&self) -> &[Pair<'a>] {
        &self.pairs
    }
}
