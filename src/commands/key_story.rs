//! `keytrail keys OUT KEY`: what is known of one key, what was done to it, who uses it, what was found.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use serde_json::Value;

use super::findings::{self, Row, text};
use super::key_names::KeyNames;
use crate::kms::policy::facts::PolicyFacts;
use crate::kms::via::Via;
use crate::lake::read;
use crate::lake::schema::describe;
use crate::lake::storage::Storage;
use crate::lake::tables::findings::Findings;
use crate::lake::tables::key_changes::KeyChanges;
use crate::lake::tables::key_use::KeyUses;
use crate::lake::tables::keys::Keys;
use crate::model::key_change::KeyChange;
use crate::report::escape::terminal;
use crate::report::table;
use crate::rules::phrase;

/// Rows shown of each part; the tables have all.
const SHOWN: usize = 40;

/// What the tables have of one key.
pub(super) struct Story<'r> {
    key: &'r Row,
    /// By time; its aliases that went over to other keys too.
    changes: Vec<Row>,
    /// Most requests first.
    uses: Vec<Row>,
    /// Worst first.
    findings: Vec<Row>,
}

impl<'r> Story<'r> {
    pub(super) fn read(lake: &dyn Storage, key: &'r Row) -> Result<Self> {
        let arn = text(key, "key_arn");
        let of_key = |row: &Row| text(row, "key_arn") == arn;
        let mut changes = read::records::<KeyChanges>(lake, |row| of_key(row) || text(row, "change") == "UpdateAlias")?;
        let place = |row: &Row| ["account_id", "region", "alias"].map(|column| text(row, column).to_owned());
        changes.sort_by(|a, b| text(a, "event_time").cmp(text(b, "event_time")));
        let mut aliases = BTreeSet::new();
        changes.retain(|row| {
            if of_key(row) {
                aliases.insert(place(row));
            }
            // What an alias did before it was this key's is another key's story.
            of_key(row) || (!text(row, "alias").is_empty() && aliases.remove(&place(row)))
        });
        let mut uses = read::records::<KeyUses>(lake, of_key)?;
        uses.sort_by_key(|row| std::cmp::Reverse(requests(row)));
        let names = KeyNames::of([key]);
        let findings = findings::merged(read::records::<Findings>(lake, |finding| names.are_in(finding))?);
        Ok(Self { key, changes, uses, findings })
    }

    /// The row of the key, and beside it all rows of the parts.
    pub(super) fn json(self) -> Row {
        let mut story = self.key.clone();
        let parts = [("changes", self.changes), ("uses", self.uses), ("findings", self.findings)];
        story.extend(parts.map(|(name, rows)| (name.to_owned(), rows.into())));
        story
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> Result<()> {
        write_facts(out, self.key)?;
        write_changes(out, text(self.key, "key_arn"), &self.changes)?;
        write_uses(out, &self.uses)?;
        write_findings(out, &self.findings)
    }
}

fn requests(row: &Row) -> u64 {
    row.get("requests").and_then(Value::as_u64).unwrap_or_default()
}

fn write_facts(out: &mut dyn Write, row: &Row) -> Result<()> {
    writeln!(out, "{}", terminal(text(row, "key_arn")))?;
    let columns = describe::<Keys>().columns;
    for (name, ..) in columns.iter().filter(|(name, ..)| *name != "key_arn") {
        let Some(value) = row.get(*name) else { continue };
        let lines: Vec<String> = match value {
            Value::String(facts) if *name == "policy" => policy_lines(facts),
            Value::String(grants) if *name == "grants" => grant_lines(grants),
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(text) => vec![text.clone()],
            other => vec![other.to_string()],
        };
        for (at, line) in lines.iter().enumerate() {
            writeln!(out, "  {:<22} {}", if at == 0 { name } else { "" }, terminal(line))?;
        }
    }
    Ok(())
}

/// Who may do what, and what is weak about it.
fn policy_lines(facts: &str) -> Vec<String> {
    let facts = PolicyFacts::parse(facts);
    if !facts.readable {
        return vec!["it could not be read".to_owned()];
    }
    let weak = (!facts.weaknesses.is_empty())
        .then(|| format!("weaknesses: {} (keytrail rules put-key-policy)", facts.weaknesses.join(", ")));
    facts.lines.into_iter().chain(weak).collect()
}

/// An open grant a line.
fn grant_lines(grants: &str) -> Vec<String> {
    let Ok(Value::Object(grants)) = serde_json::from_str(grants) else { return vec![grants.to_owned()] };
    let more = grants.len().saturating_sub(SHOWN);
    let shown = grants.iter().take(SHOWN).map(|(id, grant)| {
        let member = |name: &str| grant.get(name).and_then(Value::as_str).unwrap_or_default();
        let operations = grant.get("operations").and_then(Value::as_array).into_iter().flatten();
        let operations: Vec<&str> = operations.filter_map(Value::as_str).collect();
        let limits = match grant.get("constraints") {
            Some(Value::Object(limits)) => format!(", only {}", Value::from(limits.clone())),
            _ => String::new(),
        };
        format!("{} to {}{limits}, since {}, id {id}", operations.join(", "), member("grantee"), member("created"))
    });
    shown.chain((more > 0).then(|| format!("and {more} more; the table has them"))).collect()
}

fn write_changes(out: &mut dyn Write, key_arn: &str, changes: &[Row]) -> Result<()> {
    // Facts are in the head. What services do with grants is use, not story: told as a number.
    let acts: Vec<&Row> = changes.iter().filter(|row| !KeyChange::FACTS.contains(&text(row, "change"))).collect();
    let by_service = |row: &&&Row| text(row, "change").ends_with("Grant") && !text(row, "via_service").is_empty();
    let by_services = acts.iter().filter(by_service).count();
    let told: Vec<&Row> = acts.iter().filter(|row| !by_service(row)).copied().collect();
    writeln!(out, "\nWHAT WAS DONE TO IT")?;
    let cells: Vec<_> = told[told.len().saturating_sub(SHOWN)..]
        .iter()
        .map(|row| {
            vec![
                text(row, "event_time").to_owned(),
                text(row, "change").to_owned(),
                text(row, "outcome").to_owned(),
                text(row, "key_state").to_owned(),
                who(row),
                detail(row, key_arn),
            ]
        })
        .collect();
    if by_services == 0 || !cells.is_empty() {
        part(out, &["TIME", "ACT", "OUTCOME", "STATE AFTER", "BY", "DETAIL"], &cells, told.len())?;
    }
    if by_services > 0 {
        let besides = if cells.is_empty() { "nothing but" } else { "besides," };
        let count = table::counted(by_services as u64, "act");
        writeln!(out, "{besides} {count} on grants that services made or ended; the table has them")?;
    }
    Ok(())
}

/// What distinguishes this act from others of its name.
fn detail(row: &Row, key_arn: &str) -> String {
    let other = text(row, "key_arn");
    let gone_to = if other == key_arn { "" } else { other };
    let columns = ["alias", "grant_id", "grantee", "due_time", "rotation_type", "tags", "error_code"];
    let of_columns = columns.iter().map(|column| (*column, text(row, column).to_owned()));
    let of_policy = Some(text(row, "policy")).filter(|policy| !policy.is_empty()).map(policy_detail);
    let of_alias = [("gone_to", gone_to.to_owned())];
    let all = of_columns.chain(of_policy.into_iter().flatten()).chain(of_alias).filter(|(_, value)| !value.is_empty());
    all.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// What stands out in a policy; the table has who may do what.
fn policy_detail(policy: &str) -> [(&'static str, String); 2] {
    let facts = PolicyFacts::parse(policy);
    let weaknesses = if facts.readable { facts.weaknesses.join(",") } else { "unreadable".to_owned() };
    let accounts: Vec<String> = facts.accounts.into_keys().collect();
    [("policy", weaknesses), ("lets_in", accounts.join(","))]
}

fn who(row: &Row) -> String {
    let name = phrase::principal(text(row, "principal_arn"));
    let session = text(row, "session_name");
    let via = text(row, "via_service");
    let name = if session.is_empty() { name } else { format!("{name} ({session})") };
    // What AWS does by itself comes through nobody.
    let by_itself = via == Via::HIDDEN && text(row, "principal_arn").starts_with("svc:");
    if via.is_empty() || by_itself { name } else { format!("{name} through {via}") }
}

fn write_uses(out: &mut dyn Write, all: &[Row]) -> Result<()> {
    let is_use = |row: &&Row| matches!(text(row, "operation_class"), "crypto" | "other_service");
    let uses: Vec<&Row> = all.iter().filter(is_use).collect();
    let besides = (all.len() - uses.len()) as u64;
    writeln!(out, "\nWHO USES IT")?;
    let cells: Vec<_> = uses
        .iter()
        .take(SHOWN)
        .map(|row| {
            vec![
                table::grouped(requests(row)),
                row.get("errors").and_then(Value::as_u64).unwrap_or_default().to_string(),
                class(row),
                text(row, "relation").to_owned(),
                text(row, "last_time").to_owned(),
                who(row),
                text(row, "context_pattern").to_owned(),
            ]
        })
        .collect();
    if besides == 0 || !cells.is_empty() {
        part(out, &["REQUESTS", "ERRORS", "CLASS", "RELATION", "LAST", "WHO", "CONTEXT"], &cells, uses.len())?;
    }
    if besides > 0 {
        let no_use = "of key_use for who only read about it or administers it; the table has them";
        writeln!(out, "not shown: {} {no_use}", table::counted(besides, "row"))?;
    }
    Ok(())
}

/// The class of the operations; of other services' calls, whose they are.
fn class(row: &Row) -> String {
    match text(row, "operation_class") {
        "other_service" => format!("{} calls", text(row, "event_source").trim_end_matches(".amazonaws.com")),
        class => class.to_owned(),
    }
}

fn write_findings(out: &mut dyn Write, rows: &[Row]) -> Result<()> {
    writeln!(out, "\nFINDINGS")?;
    let cells: Vec<_> = rows
        .iter()
        .take(SHOWN)
        .map(|row| ["severity", "event_time", "rule_id", "message"].map(|column| text(row, column).to_owned()).to_vec())
        .collect();
    part(out, &["SEVERITY", "TIME", "RULE", "MESSAGE"], &cells, rows.len())
}

fn part(out: &mut dyn Write, header: &[&str], cells: &[Vec<String>], of: usize) -> Result<()> {
    if cells.is_empty() {
        writeln!(out, "nothing in the logs")?;
        return Ok(());
    }
    table::write(out, header, cells)?;
    if cells.len() < of {
        writeln!(out, "{} of {} shown; the table has all", cells.len(), table::grouped(of as u64))?;
    }
    Ok(())
}
