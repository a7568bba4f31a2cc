//! A rule's page for a terminal: headings in capitals, paragraphs wrapped, records left out.

use std::io::{self, Write};

use super::escape::terminal;

/// Writes one section: its heading, its paragraphs wrapped to `width`.
///
/// # Errors
/// If `out` cannot be written.
pub fn section(out: &mut dyn Write, heading: &str, lines: &[&str], width: usize) -> io::Result<()> {
    writeln!(out, "\n{}", heading.to_uppercase())?;
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let lines = &lines[..end];
    let mut paragraph = String::new();
    let mut verbatim = false;
    let mut blank = true;
    for (at, line) in lines.iter().copied().chain([""]).enumerate() {
        let fence = line.starts_with("```");
        let starts_item = line.trim_start().starts_with("- ") || numbered(line) || line.starts_with('|');
        if fence || verbatim || line.is_empty() || starts_item {
            flush(out, &mut paragraph, width)?;
        }
        if fence {
            verbatim = !verbatim;
        } else if verbatim {
            writeln!(out, "    {}", terminal(line))?;
            blank = false;
        } else if line.is_empty() {
            if !blank && at < end {
                writeln!(out)?;
            }
            blank = true;
        } else if let Some(row) = line.strip_prefix('|') {
            // A row a line; the one below the head only draws.
            let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
            if !cells.iter().all(|cell| cell.bytes().all(|b| b == b'-')) {
                paragraph = cells.join(" | ");
            }
            blank = false;
        } else {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line);
            blank = false;
        }
    }
    Ok(())
}

fn numbered(line: &str) -> bool {
    line.trim_start()
        .split_once(". ")
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn flush(out: &mut dyn Write, paragraph: &mut String, width: usize) -> io::Result<()> {
    // An item of a list inside of an item stands further in, and its lines with it.
    let inside = paragraph.len() - paragraph.trim_start().len();
    let start = "  ".to_owned() + &" ".repeat(inside);
    let text = paragraph.trim_start();
    let marker = text.split_once(' ').filter(|_| text.starts_with("- ") || numbered(text));
    let hang = start.clone() + &" ".repeat(marker.map_or(0, |(marker, _)| marker.len() + 1));
    let mut line = start;
    let mut empty = true;
    for word in text.replace("**", "").split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(out, "{}", terminal(&line))?;
            line.clone_from(&hang);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    if !empty {
        writeln!(out, "{}", terminal(&line))?;
    }
    paragraph.clear();
    Ok(())
}
