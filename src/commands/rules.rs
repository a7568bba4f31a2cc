//! `keytrail rules`: the catalogue by family, or one rule's page.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::Verdict;
use crate::cli::{RulesArgs, SummaryFormat};
use crate::report::{markdown, table};
use crate::rules::page::Page;
use crate::rules::{Check, FAMILIES, Rule, find};

/// Columns that a page is wrapped to.
const WIDTH: usize = 96;

pub(super) fn run(args: &RulesArgs, out: &mut dyn Write) -> Result<Verdict> {
    match (&args.id, args.format) {
        (None, SummaryFormat::Text) => catalogue(out)?,
        (None, SummaryFormat::Json) => {
            let all: Vec<Value> = FAMILIES.iter().flat_map(|family| family.iter()).map(as_json).collect();
            writeln!(out, "{}", Value::from(all))?;
        }
        (Some(id), format) => match (find(id), format) {
            (None, _) => bail!("there is no rule {id:?}; keytrail rules lists them"),
            (Some(rule), SummaryFormat::Text) => page(out, rule)?,
            (Some(rule), SummaryFormat::Json) => writeln!(out, "{}", as_json(rule))?,
        },
    }
    Ok(Verdict::Good)
}

fn catalogue(out: &mut dyn Write) -> Result<()> {
    for family in FAMILIES {
        let cells: Vec<_> = family
            .iter()
            .map(|rule| vec![rule.id.to_owned(), rule.severity.as_str().to_owned(), rule.title.to_owned()])
            .collect();
        writeln!(out, "{}", family.first().map_or("", |rule| rule.family).to_uppercase())?;
        table::write(out, &["RULE", "SEVERITY", "WHAT"], &cells)?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "keytrail rules ID shows a rule's page. The severity is where a rule starts from: the case moves it."
    )?;
    Ok(())
}

fn page(out: &mut dyn Write, rule: &Rule) -> Result<()> {
    let page = Page::parse(rule.page);
    writeln!(out, "{}", page.title)?;
    writeln!(out, "{}, {}, {}", rule.id, rule.family, rule.severity.as_str())?;
    if !rule.mitre.is_empty() {
        writeln!(out, "ATT&CK {}", rule.mitre.join(", "))?;
    }
    for section in &page.sections {
        markdown::section(out, section.heading, &section.lines, WIDTH)?;
    }
    Ok(())
}

fn as_json(rule: &Rule) -> Value {
    let looks_at = match &rule.check {
        Check::Event { .. } => "event",
        Check::Usage(_) => "usage",
        Check::Posture(_) => "posture",
    };
    json!({
        "id": rule.id,
        "family": rule.family,
        "title": rule.title,
        "severity": rule.severity.as_str(),
        "mitre": rule.mitre,
        "looks_at": looks_at,
        "page": rule.page,
    })
}
