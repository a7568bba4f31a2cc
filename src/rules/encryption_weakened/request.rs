//! What a request names, however the service wraps it.

use crate::model::event::Event;
use crate::model::json::Json;

/// The first of these members that is a text.
pub(super) fn first<'a>(event: &Event<'a>, members: &[&str]) -> Option<&'a str> {
    let parameters = parameters(event);
    members.iter().find_map(|member| parameters.get_any_case(member).non_empty())
}

/// Newer EC2 operations put all parameters into `<Operation>Request`.
fn parameters<'a>(event: &Event<'a>) -> Json<'a> {
    let wrapped = event.request.get(&format!("{}Request", event.name));
    if wrapped.is_object() { wrapped } else { event.request }
}
