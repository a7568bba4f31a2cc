//! An encryption context as a pattern: few, comparable, and without secrets (DESIGN §2, DOMAIN D.3).

use std::borrow::Cow;

use super::context_names::{self, plain};
use super::sensitive;
use crate::model::arn::{Arn, is_account_id, is_uuid};
use crate::model::json::Json;

/// Names beyond these are counted, not shown: a context may hold any number.
const MAX_NAMES: usize = 16;
/// Most bytes of a name or value that are looked at.
const MAX_TEXT: usize = 128;
/// Path segments of a resource that are kept.
const MAX_SEGMENTS: usize = 4;

/// Writes the pattern of `context` as a JSON object with sorted names; nothing for no context.
pub fn write(context: Json<'_>, out: &mut String) {
    out.clear();
    let is_single = context.members().nth(1).is_none();
    let pairs = context.members().map(|(name, value)| (shown(plain(name)), plain(name), value));
    if is_single || pairs.clone().is_sorted_by(|(a, ..), (b, ..)| a <= b) {
        write_sorted(pairs, out);
    } else {
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by(|(a, plain_a, _), (b, plain_b, _)| (a, plain_a).cmp(&(b, plain_b)));
        write_sorted(pairs.into_iter(), out);
    }
}

/// A name as it is shown: like values, without ids and secrets. Sorted by that, contexts of one shape are one.
fn shown(name: &str) -> Cow<'_, str> {
    let is_plain = |b: u8| b.is_ascii_alphabetic() || matches!(b, b':' | b'-' | b'_');
    // Nearly all names, and too short for a secret of letters.
    let is_short = name.len() < 15 || (name.len() < 32 && context_names::known(name).is_some());
    if is_short && name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let mut shown = String::new();
    match sensitive::in_name(name) {
        Some(detector) => shown.extend(["<", detector.name, ">"]),
        None => text(name, &mut shown),
    }
    Cow::Owned(shown)
}

fn write_sorted<'a>(mut pairs: impl Iterator<Item = (Cow<'a, str>, &'a str, Json<'a>)>, out: &mut String) {
    for (at, (shown, name, value)) in pairs.by_ref().take(MAX_NAMES).enumerate() {
        out.push_str(if at == 0 { "{\"" } else { "\",\"" });
        out.push_str(&shown);
        out.push_str("\":\"");
        value_text(name, value.str().unwrap_or_default(), out);
    }
    let more = pairs.count();
    if more > 0 {
        out.push_str("\",\"…\":\"");
        out.push_str(&more.to_string());
    }
    if !out.is_empty() {
        out.push_str("\"}");
    }
}

fn value_text(name: &str, value: &str, out: &mut String) {
    if name == "aws-crypto-public-key" {
        // Another one for every message.
        out.push_str("<public-key>");
    } else if let Some(detector) = sensitive::in_value(name, value) {
        out.extend(["<", detector.name, ">"]);
    } else if let Some(arn) = Arn::parse(value) {
        arn_text(&arn, out);
    } else {
        text(value, out);
    }
}

/// Account, Region and the resource's name stay; object keys and ids go.
fn arn_text(arn: &Arn<'_>, out: &mut String) {
    for field in ["arn", arn.partition, arn.service, arn.region, arn.account] {
        escape(clipped(field), out);
        out.push(':');
    }
    if arn.service == "s3" {
        let (bucket, object) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
        escape(clipped(bucket), out);
        out.push_str(if object.is_empty() { "" } else { "/*" });
        return;
    }
    let end = arn.resource.match_indices('/').nth(MAX_SEGMENTS - 1).map(|(at, _)| at);
    text(&arn.resource[..end.unwrap_or(arn.resource.len())], out);
    out.push_str(if end.is_some() { "/*" } else { "" });
}

/// Text with its ids replaced: UUIDs, long hex, digit runs, mixed long tokens.
fn text(full: &str, out: &mut String) {
    let mut rest = clipped(full);
    let cut = rest.len() < full.len();
    while let Some(first) = rest.bytes().next() {
        if !first.is_ascii_alphanumeric() {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            escape(&rest[..width], out);
            rest = &rest[width..];
            continue;
        }
        // Its first hyphen tells nearly always.
        if rest.as_bytes().get(8) == Some(&b'-') && rest.get(..36).is_some_and(is_uuid) {
            out.push_str("<uuid>");
            rest = &rest[36..];
            continue;
        }
        let end = rest.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
        out.push_str(token(&rest[..end]));
        rest = &rest[end..];
    }
    if cut {
        out.push('…');
    }
}

fn token(token: &str) -> &str {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    if is_account_id(token) || digits == 0 {
        token
    } else if digits == token.len() {
        if digits >= 5 { "<n>" } else { token }
    } else if token.len() >= 16 || (token.len() >= 8 && token.bytes().all(|b| b.is_ascii_hexdigit())) {
        "<id>"
    } else {
        token
    }
}

/// At most [`MAX_TEXT`] bytes, ending at a character.
fn clipped(text: &str) -> &str {
    if text.len() <= MAX_TEXT { text } else { &text[..text.floor_char_boundary(MAX_TEXT)] }
}

/// As inside of a JSON string.
fn escape(text: &str, out: &mut String) {
    if !text.bytes().any(|b| b == b'"' || b == b'\\' || !(0x20..0x7f).contains(&b)) {
        out.push_str(text);
        return;
    }
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
        let shown = |name: &str, value: &str| {
            let mut out = String::new();
            value_text(name, value, &mut out);
            out
        };
        for (name, value, expected) in [
            ("aws:ebs:id", "vol-0894f908458cca170", "vol-<id>"),
            ("SecretVersionId", "2849C79D-E0B2-42C6-8E7B-566C6526005D", "<uuid>"),
            ("SecretVersionId", "RequestToValidateKeyAccess", "RequestToValidateKeyAccess"),
            ("order", "order-20260302-77", "order-<n>-77"),
            ("account", "111122223333", "111122223333"),
            ("aws:rds:db-id", "db-ABCDEFGHIJKLMNOPQRSTUVWX12", "db-<id>"),
            ("tenant", "books-eu", "books-eu"),
            ("owner", "jane@example.com", "<email>"),
            ("note", "say \"é\"\n", "say \\\"é\\\"\u{fffd}"),
            ("aws:s3:arn", "arn:aws:s3:::b/year=2025/part-1.parquet", "arn:aws:s3:::b/*"),
            (
                "PARAMETER_ARN",
                "arn:aws:ssm:us-east-1:111122223333:parameter/prod/app/db/password",
                "arn:aws:ssm:us-east-1:111122223333:parameter/prod/app/db/*",
            ),
        ] {
            assert_eq!(shown(name, value), expected);
        }
        assert_eq!(shown("tenant", &"é".repeat(100)).chars().count(), MAX_TEXT / 2 + 1);
    }

    #[test]
    fn contexts_of_one_shape_have_one_pattern_without_secrets_in_names() {
        let pattern = |context: &str| {
            let mut bytes = context.as_bytes().to_vec();
            let tape = simd_json::to_tape(&mut bytes).expect("JSON");
            let mut out = String::new();
            write(Json::new(&tape.0), &mut out);
            out
        };
        let (early, late) = ("12345678-12ab-34cd-56ef-1234567890ab", "b2345678-12ab-34cd-56ef-1234567890ab");
        assert_eq!(pattern(&format!("{{\"{early}\":\"v\",\"app\":\"x\"}}")), r#"{"<uuid>":"v","app":"x"}"#);
        assert_eq!(pattern(&format!("{{\"app\":\"x\",\"{late}\":\"v\"}}")), r#"{"<uuid>":"v","app":"x"}"#);
        assert_eq!(
            pattern(r#"{"jane@example.com":"x","password=hunter22":"y","aws:s3:arn":"token=hunter22"}"#),
            r#"{"<email>":"x","<password>":"y","aws:s3:arn":"<password>"}"#
        );
    }
}
