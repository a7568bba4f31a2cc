//! `keytrail keys`: the keys that the logs tell of.

use std::io::Write;

use anyhow::{Error, Result, bail};
use serde_json::Value;

use super::findings::{Row, text};
use super::key_story::Story;
use super::network::{self, Network};
use super::{Verdict, unfolded};
use crate::cli::{KeysArgs, RowFormat};
use crate::lake::read;
use crate::lake::schema::describe;
use crate::lake::tables::keys::Keys;
use crate::model::arn::alias_beside;
use crate::report::escape::{json_line, terminal};
use crate::report::{csv, table};

pub(super) fn run(args: &KeysArgs, out: &mut dyn Write) -> Result<Verdict> {
    let network = Network::for_places(&args.aws, [&args.output])?;
    let lake = network::existing(&args.output, network.as_ref())?;
    let lake = lake.as_ref();
    let wanted = args.key.as_deref();
    let rows = read::records::<Keys>(lake, |row| wanted.is_none_or(|key| is_named(row, key)))?;
    if let Some(key) = wanted.filter(|_| rows.is_empty()) {
        bail!("no key {} in this output; keytrail keys OUT lists them", terminal(key));
    }
    match args.format {
        RowFormat::Text if wanted.is_some() => rows.iter().try_for_each(|row| Story::read(lake, row)?.write(out))?,
        RowFormat::Text => write_text(out, &rows)?,
        RowFormat::Json => rows.into_iter().try_for_each(|row| {
            let told = if wanted.is_some() { Story::read(lake, &row)?.json() } else { row };
            writeln!(out, "{}", json_line(&told)).map_err(Error::from)
        })?,
        RowFormat::Csv => {
            let columns: Vec<_> = describe::<Keys>().columns.iter().map(|(name, ..)| *name).collect();
            csv::write(out, &columns, &rows)?;
        }
    }
    if args.format == RowFormat::Text {
        unfolded::note(out, lake)?;
    }
    Ok(Verdict::Good)
}

/// Whether a key goes by this name: its ARN or id, an alias or that one's ARN.
pub(super) fn is_named(row: &Row, name: &str) -> bool {
    let arn = text(row, "key_arn");
    let is_alias = |alias: &str| alias == name || (name.ends_with(alias) && alias_beside(arn, alias) == name);
    arn == name || text(row, "key_id") == name || list(row, "aliases").any(is_alias)
}

/// The texts of a list column.
pub(super) fn list<'r>(row: &'r Row, column: &str) -> impl Iterator<Item = &'r str> {
    row.get(column).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn write_text(out: &mut dyn Write, rows: &[Row]) -> Result<()> {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let or_unknown = |column: &str| match text(row, column) {
                "" => "unknown".to_owned(),
                known => known.to_owned(),
            };
            let requests = row.get("requests").and_then(Value::as_u64).unwrap_or_default();
            vec![
                text(row, "account_id").to_owned(),
                text(row, "region").to_owned(),
                text(row, "key_id").to_owned(),
                text(row, "manager").to_owned(),
                or_unknown("state"),
                or_unknown("rotation"),
                table::grouped(requests),
                text(row, "last_use_time").to_owned(),
                list(row, "aliases").collect::<Vec<_>>().join(" "),
            ]
        })
        .collect();
    let header = ["ACCOUNT", "REGION", "KEY", "MANAGER", "STATE", "ROTATION", "USES", "LAST USE", "ALIASES"];
    table::write(out, &header, &cells)?;
    writeln!(out, "{}; keytrail keys OUT KEY tells one key's story", table::counted(rows.len() as u64, "key"))?;
    Ok(())
}
