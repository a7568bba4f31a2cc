//! The encryption contexts of a call, wherever the operation carries them (DOMAIN D.1).

use crate::model::event::Event;
use crate::model::json::Json;

/// The contexts of a call that are objects, most telling first.
#[derive(Debug, Clone, Copy)]
pub struct Contexts<'a>([Json<'a>; 2]);

impl<'a> Contexts<'a> {
    /// Reads the request: the context; a `ReEncrypt`'s source and destination; a grant's constraints.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Self {
        let request = event.request;
        Self(match event.name {
            "CreateGrant" => {
                let constraints = request.get("constraints");
                [constraints.get("encryptionContextSubset"), constraints.get("encryptionContextEquals")]
            }
            "ReEncrypt" => [request.get("sourceEncryptionContext"), request.get("destinationEncryptionContext")],
            _ => [request.get("encryptionContext"), Json::NULL],
        })
    }

    /// The context of the call, or of a `ReEncrypt`'s source, or of a grant's constraint.
    #[must_use]
    pub fn main(&self) -> Json<'a> {
        self.0.into_iter().find(|context| context.is_object()).unwrap_or(Json::NULL)
    }

    /// Names and string values of all of them.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.into_iter().flat_map(Json::members).filter_map(|(name, value)| Some((name, value.str()?)))
    }
}
