//! The shape of the sources: what each file is for, how long it is, and that imports point down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules below the crate's root, highest first. Modules of one rank do not see each other.
const RANKS: [&[&str]; 7] = [
    &["main"],
    &["commands"],
    &["config", "pipeline", "folding"],
    &["cli", "analyze", "inventory", "alerts"],
    &["source", "decode", "rules", "fold", "lake", "report"],
    &["kms", "cloud"],
    &["model", "telemetry"],
];

/// Who may see a module of its own rank.
const SIBLINGS: [(&str, &str); 1] = [("telemetry", "model")];

/// Most lines of a source file.
const MAX_LINES: usize = 500;

/// The one file that may hold unsafe code.
const NATIVE: &str = "decode/native.rs";

struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The module path of the file: `decode/scan/mod.rs` is `decode`, `scan`.
    fn modules(&self) -> Vec<&str> {
        let stem = self.path.trim_end_matches(".rs");
        stem.trim_end_matches("/mod").split('/').collect()
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let tests = read_below("tests");
    let wrong: Vec<_> = sources().into_iter().chain(tests).filter(|file| !says_its_purpose(&file.text)).collect();
    assert_none(wrong.iter().map(|file| format!("{}: the first line is not `//! ` and a purpose", file.path)));
}

#[test]
fn no_file_is_too_long() {
    let long = sources().into_iter().map(|file| (file.text.lines().count(), file.path));
    assert_none(long.filter(|(lines, _)| *lines > MAX_LINES).map(|(lines, path)| format!("{path}: {lines} lines")));
}

#[test]
fn imports_point_down() {
    assert_none(sources().iter().flat_map(|file| {
        let seen = imports(&file.modules(), &code(&file.text));
        seen.into_iter().filter_map(|to| forbidden(file.modules()[0], &to)).map(|why| format!("{}: {why}", file.path))
    }));
}

#[test]
fn every_module_has_a_rank() {
    let modules: BTreeSet<String> = sources().iter().map(|file| file.modules()[0].to_owned()).collect();
    let ranked: BTreeSet<String> = RANKS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(modules.into_iter().filter(|module| module != "lib").collect::<BTreeSet<_>>(), ranked);
}

#[test]
fn unsafe_code_is_in_one_file() {
    let with_unsafe = sources().into_iter().filter(|file| words(&code(&file.text)).any(|word| word == "unsafe"));
    let paths: Vec<_> = with_unsafe.map(|file| file.path).collect();
    assert_eq!(paths, [NATIVE]);
}

#[test]
fn code_is_told_from_comments_and_strings() {
    let text = r##"let a = "crate::x \" // y"; // crate::y
        /* crate::z */ let c = '"'; use crate::ok; r#"crate::"w"#; let d: &'static str = '\'';"##;
    assert_eq!(imports(&["a"], &code(text)), BTreeSet::from(["ok".to_owned()]));
}

#[test]
fn imports_are_found_in_all_spellings() {
    let text = "use crate::{kms, lake::{read, Lake}, model as m}; crate::source::x(); super::super::rules::all(); \
                super::own(); pub(crate) use super::super::Root; $crate::report!()";
    let found: Vec<_> = imports(&["decode", "scan"], text).into_iter().collect();
    assert_eq!(found, ["Root", "kms", "lake", "model", "report", "rules", "source"]);
    assert!(forbidden("rules", "lake").is_some() && forbidden("model", "kms").is_some());
    assert!(forbidden("rules", "kms").is_none() && forbidden("model", "model").is_none());
}

fn says_its_purpose(text: &str) -> bool {
    text.lines().next().and_then(|line| line.strip_prefix("//! ")).is_some_and(|purpose| !purpose.trim().is_empty())
}

/// Why `from` may not see `to`, if it may not. What is no module of the root is no import.
fn forbidden(from: &str, to: &str) -> Option<String> {
    let (above, below) = (rank(from)?, rank(to)?);
    let fine = below > above || from == to || SIBLINGS.contains(&(from, to));
    (!fine).then(|| format!("{from} must not see {to}"))
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

/// First names below the crate's root that some code of the module at `path` uses.
fn imports(path: &[&str], code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, name) in code.match_indices("crate::").chain(code.match_indices("keytrail::")) {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            found.extend(first_names(&code[at + name.len()..]));
        }
    }
    // As many steps up as the path has lead to the root; modules inside of a file are rarer than that.
    let up = "super::".repeat(path.len());
    found.extend(code.match_indices(&up).flat_map(|(at, _)| first_names(&code[at + up.len()..])));
    found
}

/// The name that stands here, or all first names of a group in braces.
fn first_names(code: &str) -> Vec<String> {
    match code.strip_prefix('{') {
        None => identifier(code).into_iter().collect(),
        Some(group) => members(group).into_iter().filter_map(identifier).collect(),
    }
}

fn identifier(code: &str) -> Option<String> {
    let name: String = code.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty() && name != "super").then_some(name)
}

/// The members of a group, up to the brace that closes it; a nested group belongs to its member.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The text without comments, and without what is inside of strings.
fn code(text: &str) -> String {
    let (mut rest, mut code) = (text, String::with_capacity(text.len()));
    while let Some(c) = rest.chars().next() {
        let skipped = not_code(rest, code.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// Length of the comment or literal that starts here, 0 if none does.
fn not_code(rest: &str, in_word: bool) -> usize {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        until(2, "\n")
    } else if rest.starts_with("/*") {
        until(2, "*/")
    } else if let Some(hashes) = raw_string(rest).filter(|_| !in_word) {
        until(hashes + 2, &format!("\"{}", "#".repeat(hashes)))
    } else if rest.starts_with('"') {
        closing(rest, '"')
    } else if is_character(rest) {
        closing(rest, '\'')
    } else {
        0
    }
}

/// How many `#` a raw string that starts here has.
fn raw_string(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix('r')?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    behind[hashes..].starts_with('"').then_some(hashes)
}

/// A character, and not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\'') && (chars.next() == Some('\\') || chars.next() == Some('\''))
}

/// Length of a literal up to the quote that closes it.
fn closing(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn sources() -> Vec<Source> {
    let sources = read_below("src");
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn read_below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files.iter().map(|file| read(&root, file)).collect()
}

fn read(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).expect("a file below its root").to_string_lossy().replace('\\', "/");
    Source { path, text: std::fs::read_to_string(file).expect("a readable source") }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn assert_none(failures: impl Iterator<Item = String>) {
    let failures: Vec<_> = failures.collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
