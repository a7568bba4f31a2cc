//! Columns of text, aligned; long cells are cut unless the last column may run on.

use std::io::{self, Write};

use super::escape::terminal;

/// Writes rows under a header; the last column is not padded.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| terminal(cell)).collect()).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.max().unwrap_or_default().max(header[at].len())
        })
        .collect();
    line(out, header.iter().copied(), &widths)?;
    rows.iter().try_for_each(|row| line(out, row.iter().map(String::as_str), &widths))
}

fn line<'c>(out: &mut dyn Write, cells: impl Iterator<Item = &'c str>, widths: &[usize]) -> io::Result<()> {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        text.push_str(cell);
        let padding = width.saturating_sub(cell.chars().count()) + 2;
        text.extend(std::iter::repeat_n(' ', padding));
    }
    writeln!(out, "{}", text.trim_end())
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 finding`, `1,234 findings`, `2 entries`, `2 keys`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let shown = grouped(number);
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("{shown} {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{shown} {stem}ies"),
        _ => format!("{shown} {noun}s"),
    }
}

/// Bytes in the unit that keeps the number short.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((grouped(0), grouped(1_234_567)), ("0".to_owned(), "1,234,567".to_owned()));
        assert_eq!((counted(1, "row"), counted(1_234, "row")), ("1 row".to_owned(), "1,234 rows".to_owned()));
        assert_eq!((counted(1, "entry"), counted(2, "entry")), ("1 entry".to_owned(), "2 entries".to_owned()));
        assert_eq!((counted(0, "key"), counted(1, "key")), ("0 keys".to_owned(), "1 key".to_owned()));
        assert_eq!((size(1_023), size(1_536)), ("1023 B".to_owned(), "1.5 KiB".to_owned()));
    }
}
