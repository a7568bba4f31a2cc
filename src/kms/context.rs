//! The encryption contexts of a call, wherever the operation carries them (DOMAIN D.1).

use crate::model::event::Event;
use crate::model::json::Json;

/// The main context: of the request, of a `ReEncrypt`'s source, or of a grant's constraint.
#[must_use]
pub fn main<'a>(event: &Event<'a>) -> Json<'a> {
    all(event).find(|context| context.is_object()).unwrap_or(Json::NULL)
}

/// All contexts that the request carries; absent ones are [`Json::NULL`].
pub fn all<'a>(event: &Event<'a>) -> impl Iterator<Item = Json<'a>> {
    let request = event.request;
    let constraints = request.get("constraints");
    [
        request.get("encryptionContext"),
        request.get("sourceEncryptionContext"),
        request.get("destinationEncryptionContext"),
        constraints.get("encryptionContextSubset"),
        constraints.get("encryptionContextEquals"),
    ]
    .into_iter()
}
