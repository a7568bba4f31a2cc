//! Documents that are made from the code: the tables of the output, the metrics, and the index of the rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use keytrail::lake::schema::Description;
use keytrail::lake::tables;
use keytrail::rules::page::Page;
use keytrail::rules::{self, Check, FAMILIES, Rule};
use keytrail::telemetry::metrics::TABLE;

pub(crate) const MARK: &str = "<!-- Generated: KEYTRAIL_REGENERATE=1 cargo test --test integration generated -->";

const OUTPUT_INTRO: &str = "\
# Output

A backfill with `--output out` writes Parquet files below `out/`, a folder for each table:

| table | a row | folder |
|---|---|---|
";

const HOW_TO_READ: &str = "
Folders and files whose names start with `_` are keytrail's own: what is committed, what was seen.

## How to read it

With DuckDB, name the files of a table; `date` is then a column like any other:

```sql
SELECT event_time, severity, title, principal_arn, key_arn
FROM read_parquet('out/findings/**/*.parquet', hive_partitioning = true, hive_types = {'date': DATE})
WHERE date >= DATE '2026-03-01' AND severity_rank >= 3
ORDER BY event_time;
```

Tables without dates are one file, replaced as a whole:

```sql
SELECT key_arn, state, last_use_time FROM read_parquet('out/keys/*.parquet') WHERE manager = 'customer';
```

A row of `usage` is a count, so requests are summed and rows are not counted. A call across accounts is in it twice, once for each `side`; in `key_use` it is counted once:

```sql
SELECT key_arn, principal_arn, via_service, sum(requests) AS requests
FROM read_parquet('out/usage/**/*.parquet', hive_partitioning = true, hive_types = {'date': DATE})
WHERE operation_class = 'crypto' AND error_code IS NULL
GROUP BY ALL
ORDER BY requests DESC;
```

What the logs do not tell is `NULL`, never an empty text: `NULL` means unknown, or that there is nothing, as the column says. Times are UTC.

`date` is the day of the event in `findings`, `usage`, `key_changes` and `configurations`. In `objects` and `rejects` it is the day of delivery, as read from the object's path; without one the folder is `date=__HIVE_DEFAULT_PARTITION__`, and `date` is `NULL`.
";

const RULES_INTRO: &str = "\
# Rules

Each rule has a page that says what it sees, why that matters, when it is harmless, and what to do; `keytrail rules ID` prints it. Severity is the one before anything about the case is known: who acted, how, and with what outcome make it worse or milder, as the page says.
";

const METRICS_INTRO: &str = "\
# Metrics

`GET /metrics` gives these in Prometheus's text format; memory and handles are as they are at that moment, what the queue tells is up to half a minute old, and left out while they are not known. `GET /health` answers 200, or 503 with the reason where there was neither a poll nor a commit for too long, where rows wait too long for their commit, or where keytrail can't go on.

Both listen on 127.0.0.1 unless told otherwise. There is no password and no encryption: give them an address that only your scraper reaches.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
";

#[test]
fn metrics_md_is_what_the_table_says() {
    check("docs/metrics.md", &metrics());
}

#[test]
fn output_md_is_what_the_tables_say() {
    check("docs/output.md", &output());
}

#[test]
fn the_catalogue_is_what_the_rules_say() {
    check("docs/rules/README.md", &rules());
    for rule in FAMILIES.into_iter().flatten() {
        check(&format!("docs/rules/{}", page_of(rule)), &page(rule));
    }
    let files = std::fs::read_dir(root().join("docs/rules")).expect("a folder").flatten();
    let files: BTreeSet<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let pages = FAMILIES.into_iter().flatten().map(page_of).chain(["README.md".to_owned()]).collect();
    assert_eq!(files, pages, "docs/rules has a page for each rule, and no other");
}

/// Compares a document with what it should be, or rewrites it if the environment says so.
pub(crate) fn check(path: &str, expected: &str) {
    let file = root().join(path);
    if std::env::var_os("KEYTRAIL_REGENERATE").is_some() {
        let folder = file.parent().expect("a folder");
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, expected)).expect("docs can be written");
    }
    let actual = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    let differs = actual.lines().zip(expected.lines()).position(|(is, should)| is != should);
    let line = differs.unwrap_or_else(|| actual.lines().count().min(expected.lines().count())) + 1;
    assert!(
        actual == expected,
        "{path} is stale from line {line} on: KEYTRAIL_REGENERATE=1 cargo test --test integration generated rewrites it"
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn output() -> String {
    let tables = tables::all();
    let mut text = format!("{MARK}\n\n{OUTPUT_INTRO}");
    for table in &tables {
        let (name, row) = (table.name, first_sentence(table.doc));
        line(&mut text, &format!("| [{name}](#{name}) | {} | `{}` |", cell(row), folder(table)));
    }
    text.push_str(HOW_TO_READ);
    tables.iter().for_each(|table| describe(&mut text, table));
    text
}

fn metrics() -> String {
    let mut text = format!("{MARK}\n\n{METRICS_INTRO}");
    for metric in TABLE {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, unit, meaning) = (metric.name, metric.kind, metric.unit, cell(metric.meaning));
        line(&mut text, &format!("| `{name}` | {kind} | {unit} | {} | {meaning} |", labels.join(", ")));
    }
    text
}

fn describe(text: &mut String, table: &Description) {
    let files = if table.partitioned { "a folder a day, one or more files in each" } else { "one file, no dates" };
    line(text, &format!("\n## {}\n", table.name));
    line(text, table.doc);
    line(text, &format!("\nFiles: `out/{}*.parquet`: {files}.\n", folder(table)));
    line(text, "| column | type | meaning |\n|---|---|---|");
    for (name, kind, meaning) in &table.columns {
        line(text, &format!("| `{name}` | `{}` | {} |", kind.sql(), cell(meaning)));
    }
    if table.partitioned {
        line(text, "| `date` | `DATE` | The partition, from the name of the folder. |");
    }
}

fn folder(table: &Description) -> String {
    let date = if table.partitioned { "date=YYYY-MM-DD/" } else { "" };
    format!("{}/{date}", table.name)
}

fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.')
}

/// Text that stands in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string can be written to");
}

fn rules() -> String {
    let mut text = format!("{MARK}\n\n{RULES_INTRO}");
    for family in FAMILIES {
        line(&mut text, &format!("\n## {}\n", family[0].family));
        line(&mut text, "| rule | title | severity | ATT&CK |\n|---|---|---|---|");
        for rule in family {
            line(&mut text, &rule_row(rule));
        }
    }
    text
}

fn rule_row(rule: &Rule) -> String {
    let techniques: Vec<_> = rule.mitre.iter().map(|id| technique(id)).collect();
    let (id, severity) = (rule.id, rule.severity.as_str());
    format!("| [{id}]({}) | {} | {severity} | {} |", page_of(rule), cell(rule.title), techniques.join(", "))
}

/// A rule's page as people read it: without the records, which are its tests.
fn page(rule: &Rule) -> String {
    let parsed = Page::parse(rule.page);
    let techniques: Vec<_> = rule.mitre.iter().map(|id| technique(id)).collect();
    let attack = if techniques.is_empty() { String::new() } else { format!(", ATT&CK {}", techniques.join(", ")) };
    let mut text = format!("{MARK}\n\n# {}\n\n", parsed.title);
    line(
        &mut text,
        &format!("`{}`, family {}, {}{attack}. {}", rule.id, rule.family, rule.severity.as_str(), looks_at(rule)),
    );
    for section in &parsed.sections {
        line(&mut text, &format!("\n## {}\n", section.heading));
        let body = section.lines.join("\n");
        let mut body = body.trim().to_owned();
        // Where records stood, several empty lines are left.
        while body.contains("\n\n\n") {
            body = body.replace("\n\n\n", "\n\n");
        }
        line(&mut text, &body);
    }
    text
}

fn looks_at(rule: &Rule) -> String {
    let events = rules::index::events(rule);
    let mut names: Vec<String> =
        events.iter().map(|(source, name)| format!("{} {name}", source.trim_end_matches(".amazonaws.com"))).collect();
    names.sort_unstable();
    match &rule.check {
        Check::Event { .. } => format!("An event rule, on: {}.", names.join(", ")),
        Check::Usage(_) => "A usage rule: judged each day at the fold.".to_owned(),
        Check::Posture(_) => "A posture rule: judged at the fold, by all that is known then.".to_owned(),
    }
}

/// The file of a rule's page.
fn page_of(rule: &Rule) -> String {
    format!("{}.md", rule.id)
}

/// `T1078.004` stands at `T1078/004`.
fn technique(id: &str) -> String {
    format!("[{id}](https://attack.mitre.org/techniques/{}/)", id.replace('.', "/"))
}
