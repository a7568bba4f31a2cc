//! Which trail, or which event data store of CloudTrail Lake, a call is about.

use std::fmt;

use crate::kms::failure::arns_in_message;
use crate::model::event::Event;

/// What a call is about.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// Whether it is an event data store.
    pub(super) is_lake: bool,
    /// Its ARN, or the name that the request gave it; empty if the record tells neither.
    pub(super) id: &'a str,
    /// Its name for people.
    name: &'a str,
}

impl<'a> Target<'a> {
    pub(super) fn of(event: &Event<'a>) -> Self {
        let (request, response) = (event.request, event.response);
        let is_lake = event.name.contains("EventDataStore");
        let of_response = if is_lake { "eventDataStoreArn" } else { "trailARN" };
        let of_request = if is_lake { "eventDataStore" } else { "trailName" };
        let places =
            [response.get_any_case(of_response), request.get_any_case(of_request), request.get_any_case("name")];
        let named = places.iter().find_map(|place| place.non_empty());
        let id = named.or_else(|| refused(event)).unwrap_or_default();
        let given = [response.get_any_case("name"), request.get_any_case("name")];
        // A store's ARN ends with an id that nobody knows it by.
        let given = given.iter().filter(|_| is_lake).find_map(|name| name.non_empty());
        Self { is_lake, id, name: given.unwrap_or(id.rsplit('/').next().unwrap_or_default()) }
    }
}

/// What a refused call was on: such a record may lack the request.
fn refused<'a>(event: &Event<'a>) -> Option<&'a str> {
    let mut arns = event.error_message.map(arns_in_message)?;
    arns.find(|(_, arn)| arn.service == "cloudtrail").map(|(text, _)| text)
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_lake, self.name) {
            (false, "") => write!(out, "a trail"),
            (false, name) => write!(out, "trail {name}"),
            (true, "") => write!(out, "an event data store"),
            (true, name) => write!(out, "event data store {name}"),
        }
    }
}
