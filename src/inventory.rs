//! Reads what `aws kms list-aliases` and `aws kms describe-key` print, to tell keys apart that the
//! logs leave open.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::model::arn::{Arn, is_key_arn, is_key_id};
use crate::model::key_record::KeyRecord;
use crate::model::time::Seconds;

/// Why an inventory file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It cannot be read.
    #[error("cannot read inventory {path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It holds something else.
    #[error("inventory {path}: {reason}; give the JSON output of `aws kms list-aliases` or `aws kms describe-key`")]
    Form {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Reads a file: one document, or an array of them; each may be wrapped as `{"data": …}`.
///
/// # Errors
/// [`InventoryError`].
pub fn read(path: &Path) -> Result<Vec<KeyRecord>, InventoryError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| InventoryError::Io { path: name.clone(), error })?;
    let form = |reason: String| InventoryError::Form { path: name.clone(), reason };
    let document: Value = serde_json::from_str(&text).map_err(|e| form(e.to_string()))?;
    let documents = match document {
        Value::Array(documents) => documents,
        single => vec![single],
    };
    let mut keys: BTreeMap<String, KeyRecord> = BTreeMap::new();
    for document in &documents {
        let data = document.get("data").unwrap_or(document);
        match (data.get("Aliases").and_then(Value::as_array), data.get("KeyMetadata")) {
            (Some(aliases), _) => aliases.iter().for_each(|alias| take_alias(alias, &mut keys)),
            (None, Some(metadata)) => {
                let key = take_key(metadata, &mut keys).map_err(|reason| form(reason.to_owned()))?;
                let fetched = document.get("fetchedAt");
                key.state_time = fetched.and_then(time);
                if fetched.is_some_and(|given| !given.is_null()) && key.state_time.is_none() {
                    return Err(form("a fetchedAt that is no time".to_owned()));
                }
            }
            (None, None) => return Err(form("neither Aliases nor KeyMetadata".to_owned())),
        }
    }
    Ok(keys.into_values().collect())
}

fn take_alias(alias: &Value, keys: &mut BTreeMap<String, KeyRecord>) {
    let text = |name: &str| alias.get(name).and_then(Value::as_str);
    let (Some(name), Some(arn), Some(target)) = (text("AliasName"), text("AliasArn"), text("TargetKeyId")) else {
        // A predefined alias whose key does not exist yet.
        return;
    };
    let Some(place) = Arn::parse(arn).filter(|_| is_key_id(target)) else { return };
    let key_arn = format!("arn:{}:kms:{}:{}:key/{target}", place.partition, place.region, place.account);
    entry(keys, &key_arn).aliases.push(name.to_owned());
}

/// The command line writes times as text, or as seconds.
fn time(value: &Value) -> Option<Seconds> {
    match value {
        Value::String(text) => Seconds::parse_lenient(text),
        Value::Number(seconds) => Seconds::parse_lenient(&seconds.to_string()),
        _ => None,
    }
}

fn take_key<'k>(
    metadata: &Value,
    keys: &'k mut BTreeMap<String, KeyRecord>,
) -> Result<&'k mut KeyRecord, &'static str> {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if !is_key_arn(text("Arn")) {
        return Err("KeyMetadata without the Arn of a key");
    }
    let manager = match text("KeyManager") {
        "AWS" => "aws",
        "CUSTOMER" => "customer",
        "" => "",
        _ => return Err("a KeyManager that is neither AWS nor CUSTOMER"),
    };
    let key = entry(keys, text("Arn"));
    key.manager = manager;
    text("KeyState").clone_into(&mut key.state);
    text("Origin").clone_into(&mut key.origin);
    text("KeySpec").clone_into(&mut key.key_spec);
    text("KeyUsage").clone_into(&mut key.key_usage);
    text("CustomKeyStoreId").clone_into(&mut key.custom_key_store_id);
    key.multi_region = metadata.get("MultiRegion").and_then(Value::as_bool);
    let time = |name: &str| metadata.get(name).and_then(time);
    (key.created_time, key.deletion_time, key.valid_to) = (time("CreationDate"), time("DeletionDate"), time("ValidTo"));
    Ok(key)
}

fn entry<'k>(keys: &'k mut BTreeMap<String, KeyRecord>, arn: &str) -> &'k mut KeyRecord {
    keys.entry(arn.to_owned()).or_insert_with(|| KeyRecord { key_arn: arn.to_owned(), ..KeyRecord::default() })
}
