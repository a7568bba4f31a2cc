//! Log content is chosen by others: nothing of it may move a cursor, colour a line or fake one.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Text with control characters, line separators and direction marks made visible.
#[must_use]
pub fn terminal(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

/// A row as a line of JSON, with control characters beyond ASCII escaped as well.
#[must_use]
pub fn json_line(row: &Map<String, Value>) -> String {
    let text = serde_json::to_string(row).unwrap_or_default();
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_harmful(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_moves_the_cursor() {
        let row = [("k".to_owned(), "\u{9b}31m\u{1b}".into())].into_iter().collect();
        assert_eq!(super::json_line(&row), "{\"k\":\"\\u009b31m\\u001b\"}");
        assert_eq!(
            super::terminal("a\u{1b}[2Jb\r\nc\u{202e}d\u{61c} é"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d\\u{61c} é"
        );
    }
}
