//! A rule's page, taken apart: title, sections, and the records that are its tests.

use crate::model::severity::Severity;

/// The sections that every page has, in this order.
pub const HEADINGS: [&str; 5] = ["What it sees", "Why it matters", "When it is harmless", "What to do", "References"];

/// A page.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its first line.
    pub title: &'a str,
    /// Its sections, examples left out.
    pub sections: Vec<Section<'a>>,
    /// Its fenced records.
    pub examples: Vec<Example<'a>>,
}

/// A section of a page.
#[derive(Debug)]
pub struct Section<'a> {
    /// One of [`HEADINGS`].
    pub heading: &'a str,
    /// Its lines, without fenced records.
    pub lines: Vec<&'a str>,
}

/// A fenced block: `json fires severity=high also=other-rule`, or `json quiet`.
#[derive(Debug)]
pub struct Example<'a> {
    /// Whether the rule must fire on it.
    pub fires: bool,
    /// The severity that the finding must have.
    pub severity: Option<Severity>,
    /// Rules that rightly fire as well.
    pub also: Vec<&'a str>,
    /// A record, or an array of records that are read together.
    pub json: String,
}

impl<'a> Page<'a> {
    /// Takes a page apart; what is not of the form is left out, and a test misses it.
    #[must_use]
    pub fn parse(markdown: &'a str) -> Self {
        let mut page = Self { title: "", sections: Vec::new(), examples: Vec::new() };
        let mut lines = markdown.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("# ") {
                page.title = title;
            } else if let Some(heading) = line.strip_prefix("## ") {
                page.sections.push(Section { heading, lines: Vec::new() });
            } else if let Some(info) = line.strip_prefix("```json ") {
                let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
                page.examples.push(example(info, &body));
                drop_caption(page.sections.last_mut());
            } else if let Some(section) = page.sections.last_mut() {
                section.lines.push(line);
            }
        }
        page
    }
}

/// Without its record, the line that introduces one introduces nothing.
fn drop_caption(section: Option<&mut Section<'_>>) {
    let Some(section) = section else { return };
    while section.lines.last().is_some_and(|line| line.is_empty()) {
        section.lines.pop();
    }
    if section.lines.last().is_some_and(|line| line.ends_with(':')) {
        section.lines.pop();
    }
    section.lines.push("");
}

fn example<'a>(info: &'a str, body: &[&str]) -> Example<'a> {
    let value = |name: &str| info.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    Example {
        fires: info.split(' ').any(|word| word == "fires"),
        severity: value("severity").and_then(Severity::parse),
        also: value("also").map(|ids| ids.split(',').collect()).unwrap_or_default(),
        json: body.join("\n"),
    }
}
