//! The grants of a key that are open, as far as was seen.

use serde_json::Value;

use crate::model::key_change::KeyChange;
use crate::model::shared::{Pool, Shared};
use crate::model::time::Seconds;

/// Open grants shown of a key; a key may have 50,000.
const KEPT: usize = 1_000;

/// Grants by their ids. Most keys have few.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<Grant>);

#[derive(Debug)]
struct Grant {
    id: Box<str>,
    grantee: Shared,
    /// JSON, as the columns have it; empty means nothing was told.
    operations: Shared,
    constraints: Shared,
    retiring: Shared,
    created: Seconds,
    by: Shared,
    via: Shared,
}

impl Grants {
    /// Takes a `CreateGrant`.
    pub(super) fn create(&mut self, change: &KeyChange, pool: &mut Pool) {
        if change.grant_id.is_empty() {
            return;
        }
        let grant = Grant {
            id: Box::from(change.grant_id.as_str()),
            grantee: pool.of(&change.grantee),
            operations: pool.of(&change.grant_operations),
            constraints: pool.of(&change.grant_constraints),
            retiring: pool.of(&change.grant_retiring),
            created: change.event_time,
            by: pool.of(&change.principal_arn),
            via: pool.of(&change.via_service),
        };
        match self.place(&grant.id) {
            Ok(known) => self.0[known] = grant,
            Err(place) => self.0.insert(place, grant),
        }
        if self.0.len() > KEPT {
            self.0.remove(0);
        }
    }

    /// Takes the end of a grant.
    pub(super) fn end(&mut self, id: &str) {
        if let Ok(place) = self.place(id) {
            self.0.remove(place);
        }
    }

    fn place(&self, id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| (*known.id).cmp(id))
    }

    /// All as a JSON object, ids and names sorted; empty if there are none.
    pub(super) fn json(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let grants: Vec<String> = self.0.iter().map(Grant::json).collect();
        format!("{{{}}}", grants.join(","))
    }
}

impl Grant {
    fn json(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let json = |json: &Shared| if json.is_empty() { "null".to_owned() } else { json.to_string() };
        format!(
            r#"{}:{{"by":{},"constraints":{},"created":"{}","grantee":{},"operations":{},"retiring":{},"via":{}}}"#,
            text(&self.id),
            text(&self.by),
            json(&self.constraints),
            self.created.rfc3339(),
            text(&self.grantee),
            json(&self.operations),
            text(&self.retiring),
            text(&self.via),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn granted(id: &str, by: &str) -> KeyChange {
        KeyChange {
            change: "CreateGrant".to_owned(),
            grant_id: id.to_owned(),
            principal_arn: by.to_owned(),
            grantee: "arn:aws:iam::111122223333:role/with \"quotes\"".to_owned(),
            grant_operations: r#"["Decrypt"]"#.to_owned(),
            ..KeyChange::default()
        }
    }

    #[test]
    fn open_grants_are_told_as_serde_would() {
        let (mut grants, mut pool) = (Grants::default(), Pool::default());
        assert_eq!(grants.json(), "");
        for (id, by) in [("b", "first"), ("c", "p"), ("a", "p"), ("b", "second")] {
            grants.create(&granted(id, by), &mut pool);
        }
        grants.create(&granted("", "nobody knows which"), &mut pool);
        grants.end("c");
        grants.end("never seen");
        let grant = |by: &str| {
            json!({
                "grantee": "arn:aws:iam::111122223333:role/with \"quotes\"", "operations": ["Decrypt"],
                "constraints": null, "retiring": "", "created": "1970-01-01T00:00:00Z", "by": by, "via": "",
            })
        };
        assert_eq!(grants.json(), json!({"a": grant("p"), "b": grant("second")}).to_string());
    }

    #[test]
    fn of_very_many_those_with_the_last_ids_are_kept() {
        let (mut grants, mut pool) = (Grants::default(), Pool::default());
        for number in (0..KEPT + 5).rev() {
            grants.create(&granted(&format!("{number:06}"), "p"), &mut pool);
        }
        assert_eq!((grants.0.len(), &*grants.0[0].id), (KEPT, "000005"));
    }
}
