//! An encryption context as a pattern: few, comparable, and without secrets (DESIGN §2, DOMAIN D.3).

use super::context_names::plain;
use super::{context_names, sensitive};
use crate::model::arn::{Arn, is_account_id, is_uuid};
use crate::model::json::Json;

/// Names beyond these are counted, not shown: a context may hold any number.
const MAX_NAMES: usize = 16;
/// Longest name or value shown.
const MAX_TEXT: usize = 128;
/// Path segments of a resource that are kept.
const MAX_SEGMENTS: usize = 4;

/// Writes the pattern of `context` as a JSON object with sorted names; nothing for no context.
pub fn write(context: Json<'_>, out: &mut String) {
    out.clear();
    let mut pairs: Vec<(&str, Json<'_>)> = context.members().collect();
    if pairs.is_empty() {
        return;
    }
    pairs.sort_unstable_by_key(|(name, _)| *name);
    out.push('{');
    for (at, (name, value)) in pairs.iter().take(MAX_NAMES).enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push('"');
        escape(&shape(plain(name)), out);
        out.push_str("\":\"");
        escape(&value_shape(plain(name), value.str().unwrap_or_default()), out);
        out.push('"');
    }
    if pairs.len() > MAX_NAMES {
        out.push_str(",\"…\":\"");
        out.push_str(&(pairs.len() - MAX_NAMES).to_string());
        out.push('"');
    }
    out.push('}');
}

fn value_shape(name: &str, value: &str) -> String {
    let known = context_names::known(name);
    if name == "aws-crypto-public-key" {
        // Another one for every message.
        return "<public-key>".to_owned();
    }
    if let Some(arn) = Arn::parse(value) {
        return arn_shape(&arn);
    }
    if known.is_none_or(context_names::ContextName::is_client_side)
        && let Some(detector) = sensitive::detect(name, value)
    {
        return format!("<{}>", detector.name);
    }
    shape(value)
}

/// Account, Region and the resource's name stay; object keys and ids go.
fn arn_shape(arn: &Arn<'_>) -> String {
    let resource = match arn.service {
        "s3" => match arn.resource.split_once('/') {
            Some((bucket, _)) => format!("{bucket}/*"),
            None => arn.resource.to_owned(),
        },
        _ => {
            let mut segments = arn.resource.split('/');
            let kept: Vec<&str> = segments.by_ref().take(MAX_SEGMENTS).collect();
            let more = if segments.next().is_some() { "/*" } else { "" };
            shape(&kept.join("/")) + more
        }
    };
    cut(&format!("arn:{}:{}:{}:{}:{resource}", arn.partition, arn.service, arn.region, arn.account))
}

/// Text with its ids replaced: UUIDs, long hex, digit runs, mixed long tokens.
fn shape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(uuid) = rest.get(..36)
            && is_uuid(uuid)
        {
            out.push_str("<uuid>");
            rest = &rest[36..];
            continue;
        }
        let token = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if token == 0 {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..width]);
            rest = &rest[width..];
        } else {
            out.push_str(token_shape(&rest[..token]));
            rest = &rest[token..];
        }
    }
    cut(&out)
}

fn token_shape(token: &str) -> &str {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    if is_account_id(token) || digits == 0 {
        token
    } else if digits == token.len() {
        if digits >= 5 { "<n>" } else { token }
    } else if (token.len() >= 8 && token.bytes().all(|b| b.is_ascii_hexdigit())) || token.len() >= 16 {
        "<id>"
    } else {
        token
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_and_names_stay() {
        for (value, expected) in [
            ("vol-0894f908458cca170", "vol-<id>"),
            ("2849C79D-E0B2-42C6-8E7B-566C6526005D", "<uuid>"),
            ("order-20260302-77", "order-<n>-77"),
            ("111122223333", "111122223333"),
            ("db-ABCDEFGHIJKLMNOPQRSTUVWX12", "db-<id>"),
            ("books-eu", "books-eu"),
        ] {
            assert_eq!(shape(value), expected);
        }
        let arn = |text: &str| Arn::parse(text).map(|a| arn_shape(&a));
        assert_eq!(arn("arn:aws:s3:::b/year=2025/part-1.parquet").as_deref(), Some("arn:aws:s3:::b/*"));
        assert_eq!(
            arn("arn:aws:ssm:us-east-1:111122223333:parameter/prod/app/db/password").as_deref(),
            Some("arn:aws:ssm:us-east-1:111122223333:parameter/prod/app/db/*")
        );
        assert_eq!(value_shape("owner", "jane@example.com"), "<email>");
        assert_eq!(value_shape("SecretVersionId", "RequestToValidateKeyAccess"), "RequestToValidateKeyAccess");
    }
}
