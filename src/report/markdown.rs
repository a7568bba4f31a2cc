//! A rule's page for a terminal: headings in capitals, paragraphs wrapped, records left out.

use std::io::{self, Write};

use super::escape::terminal;

/// Writes one section: its heading, its paragraphs wrapped to `width`.
///
/// # Errors
/// If `out` cannot be written.
pub fn section(out: &mut dyn Write, heading: &str, lines: &[&str], width: usize) -> io::Result<()> {
    writeln!(out, "\n{}", heading.to_uppercase())?;
    let mut paragraph = String::new();
    let mut verbatim = false;
    let mut blank = true;
    for line in lines.iter().copied().chain([""]) {
        let fence = line.starts_with("```");
        let starts_item = line.trim_start().starts_with("- ") || numbered(line);
        if fence || verbatim || line.is_empty() || starts_item {
            flush(out, &mut paragraph, width)?;
        }
        if fence {
            verbatim = !verbatim;
        } else if verbatim {
            writeln!(out, "    {}", terminal(line))?;
            blank = false;
        } else if line.is_empty() {
            if !blank {
                writeln!(out)?;
            }
            blank = true;
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
    line.split_once(". ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn flush(out: &mut dyn Write, paragraph: &mut String, width: usize) -> io::Result<()> {
    let hang = if paragraph.starts_with("- ") || numbered(paragraph) { "     " } else { "  " };
    let mut line = String::from("  ");
    let mut empty = true;
    for word in paragraph.replace("**", "").split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(out, "{}", terminal(&line))?;
            line = hang.to_owned();
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
