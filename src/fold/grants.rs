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
        let mut json = String::new();
        for grant in &self.0 {
            json.push(if json.is_empty() { '{' } else { ',' });
            grant.write(&mut json);
        }
        json.push('}');
        json
    }
}

/// Appends a value to JSON.
type Push = fn(&mut String, &str);

impl Grant {
    fn write(&self, json: &mut String) {
        let created = self.created.rfc3339();
        let members: [(&str, &str, Push); 7] = [
            ("by", &self.by, push_text),
            ("constraints", &self.constraints, push_json),
            ("created", &created, push_text),
            ("grantee", &self.grantee, push_text),
            ("operations", &self.operations, push_json),
            ("retiring", &self.retiring, push_text),
            ("via", &self.via, push_text),
        ];
        push_text(json, &self.id);
        let signs = std::iter::once(":{").chain(std::iter::repeat(","));
        for (sign, (name, value, push)) in signs.zip(members) {
            json.push_str(sign);
            push_text(json, name);
            json.push(':');
            push(json, value);
        }
        json.push('}');
    }
}

fn push_json(json: &mut String, value: &str) {
    json.push_str(if value.is_empty() { "null" } else { value });
}

fn push_text(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&Value::from(text).to_string());
    } else {
        // Hardly any needs an escape.
        json.push('"');
        json.push_str(text);
        json.push('"');
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
            grantee: "arn:aws:iam::111122223333:role/with \"quotes\", \n and ü".to_owned(),
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
                "grantee": "arn:aws:iam::111122223333:role/with \"quotes\", \n and ü", "operations": ["Decrypt"],
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
