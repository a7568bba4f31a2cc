//! Rows as CSV (RFC 4180), safe to open in a spreadsheet.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::escape::terminal;

/// Writes a header and the rows.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(out: &mut dyn Write, columns: &[&str], rows: &[Map<String, Value>]) -> io::Result<()> {
    writeln!(out, "{}", columns.join(","))?;
    for row in rows {
        let fields: Vec<String> = columns.iter().map(|column| field(row.get(*column))).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

fn field(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    };
    let text = terminal(&text);
    // A spreadsheet would run what starts like a formula.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_double_and_formulas_are_defused() {
        assert_eq!(field(Some(&"a\"b,c".into())), "\"a\"\"b,c\"");
        assert_eq!(field(Some(&"=cmd()".into())), "'=cmd()");
        assert_eq!(field(Some(&Value::from(vec!["x", "y"]))), "x y");
    }
}
