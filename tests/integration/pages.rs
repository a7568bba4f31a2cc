//! Every rule's page is run: each example fires or stays quiet as the page says, and nothing else fires.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::folding;
use keytrail::lake::Lake;
use keytrail::lake::local::LocalFolder;
use keytrail::lake::read;
use keytrail::lake::tables::findings::Findings;
use keytrail::model::object::{ObjectName, ObjectRef, RecordCounts};
use keytrail::model::severity::Severity;
use keytrail::model::r#yield::Yield;
use keytrail::rules::page::{Example, Page};
use keytrail::rules::settings::Settings;
use keytrail::rules::{self, Rule};
use rustc_hash::FxHashSet;

/// An example, and where it stands.
struct Case {
    rule: &'static Rule,
    /// Counted from 1.
    block: usize,
    /// Line of the page.
    line: usize,
    example: Example<'static>,
}

impl Case {
    /// The same case, written otherwise.
    fn written(mut self, written: &dyn Fn(&str) -> String) -> Self {
        self.example.json = written(&self.example.json);
        self
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, block {} (line {} of its page)", self.rule.id, self.block, self.line)
    }
}

/// Findings by rule, then by id, with the severities of their rows.
type Found = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn every_example_does_as_its_page_says() {
    let cases: Vec<Case> = rules::all().flat_map(cases_of).collect();
    assert!(cases.len() > 2 * rules::all().count(), "only {} examples were found", cases.len());
    let failures = run_all(&cases);
    assert!(failures.is_empty(), "{} of {} examples:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Other partitions write other ARNs and Regions and, in China, other names of services in between.
#[test]
fn every_example_is_judged_alike_in_other_partitions() {
    let gov = |json: &str| {
        let json = json.replace("arn:aws:", "arn:aws-us-gov:");
        json.replace("us-east-1", "us-gov-west-1").replace("eu-west-1", "us-gov-east-1")
    };
    let china = |json: &str| {
        let json = json.replace("arn:aws:", "arn:aws-cn:");
        let json = json.replace("us-east-1", "cn-north-1").replace("eu-west-1", "cn-northwest-1");
        let line = |line: &str| match line.find("\"invokedBy\": \"") {
            Some(at) => format!("{}{}", &line[..at], line[at..].replacen(".amazonaws.com\"", ".amazonaws.com.cn\"", 1)),
            None => line.to_owned(),
        };
        json.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let partitions: [&dyn Fn(&str) -> String; 2] = [&gov, &china];
    for written in partitions {
        let cases: Vec<Case> = rules::all().flat_map(cases_of).map(|case| case.written(written)).collect();
        let failures = run_all(&cases);
        assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
    }
}

/// AWS manages no multi-Region key, so the family of default keys is left out.
#[test]
fn every_example_is_judged_alike_with_a_multi_region_key() {
    let multi_region =
        |json: &str| json.replace("1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab");
    let families = rules::all().filter(|rule| rule.family != "default-key");
    let cases: Vec<Case> = families.flat_map(cases_of).map(|case| case.written(&multi_region)).collect();
    let failures = run_all(&cases);
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_share_with_an_account_of_no_list_is_critical() {
    let case = cases_of(rules::find("key-shared-by-ram").expect("a rule"))
        .into_iter()
        .find(|case| case.example.json.contains(r#""principals": "444455556666""#))
        .expect("a share with one account");
    assert_eq!(case.example.severity, Some(Severity::High));
    let severity = |trusted: &[&str]| {
        let mut settings = Settings::default();
        settings.accounts.own.insert("111122223333".to_owned());
        settings.accounts.trusted.extend(trusted.iter().map(|account| (*account).to_owned()));
        let drawn = analyse(&Plan::new(settings, Selection::Fast), &case.example.json).expect("a record");
        drawn.findings.iter().map(|finding| (finding.severity, finding.message.clone())).next().expect("a finding")
    };
    let (worst, message) = severity(&[]);
    assert_eq!(worst, Severity::Critical);
    assert!(message.contains("in no list of your accounts: 444455556666"), "{message}");
    assert_eq!(severity(&["444455556666"]).0, Severity::High);
}

/// What `CloudFormation` does is one level milder, and so is what a role does that carries out templates.
#[test]
fn a_role_of_templates_is_judged_as_cloudformation_is() {
    let case = cases_of(rules::find("disable-key").expect("a rule")).into_iter().find(|case| {
        case.example.severity == Some(Severity::High) && case.example.json.contains("\"type\": \"AssumedRole\"")
    });
    let case = case.expect("a role disables a key");
    let severity = |settings: Settings| {
        let drawn = analyse(&Plan::new(settings, Selection::Fast), &case.example.json).expect("a record");
        (drawn.findings[0].severity, drawn.findings[0].subject.principal_arn.clone())
    };
    let (plain, role) = severity(Settings::default());
    let mut settings = Settings::default();
    settings.template_roles.insert(role);
    assert_eq!((plain, severity(settings).0), (Severity::High, Severity::Medium));
}

#[test]
fn the_age_of_mfa_is_told_whether_it_is_fresh_or_stale() {
    let cases = cases_of(rules::find("put-key-policy").expect("a rule"));
    let proved = |case: &&Case| {
        case.example.json.contains(r#""creationDate": "2026-03-02T08:58:00Z", "mfaAuthenticated": "true""#)
    };
    let case = cases.iter().find(proved).expect("a session with MFA");
    for (mfa_max_age, tag) in [(300, "mfa_fresh"), (60, "mfa_stale")] {
        let plan = Plan::new(Settings { mfa_max_age, ..Settings::default() }, Selection::Fast);
        let drawn = analyse(&plan, &case.example.json).expect("a record");
        let evidence: serde_json::Value = serde_json::from_str(&drawn.findings[0].evidence).expect("JSON");
        assert!(evidence["tags"].to_string().contains(tag), "{evidence}");
        assert_eq!(evidence["mfa_age_seconds"], 120, "{evidence}");
    }
}

#[test]
fn findings_on_trails_name_the_trail() {
    let plan = Plan::new(Settings::default(), Selection::Fast);
    let cases = rules::trail::RULES.iter().flat_map(cases_of).filter(|case| case.example.fires);
    for case in cases {
        let drawn = analyse(&plan, &case.example.json).expect("a record");
        let [finding] = drawn.findings.as_slice() else { panic!("{case}: {:?}", drawn.findings) };
        let (place, message) = (&finding.subject.resource_arn, &finding.message);
        let name = place.rsplit('/').next().expect("a part");
        // An event data store is known by the name in the response, where there is one.
        let names = [name, "audit", "identity"];
        assert!(!place.is_empty() && names.iter().any(|name| message.contains(name)), "{case}: {place}: {message}");
    }
}

fn cases_of(rule: &'static Rule) -> Vec<Case> {
    let opening = rule.page.lines().enumerate().filter(|(_, line)| line.starts_with("```json "));
    let examples = Page::parse(rule.page).examples.into_iter().enumerate();
    examples
        .zip(opening)
        .map(|((at, example), (line, _))| Case { rule, block: at + 1, line: line + 1, example })
        .collect()
}

/// Runs all cases on a few threads; most of the time goes to waiting for disks.
fn run_all(cases: &[Case]) -> Vec<String> {
    let plan = Plan::new(Settings::default(), Selection::Fast);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((at, case)) = take(cases, &next) {
                    let wrong = run(&plan, case).unwrap_or_else(|unfit| vec![unfit]);
                    if !wrong.is_empty() {
                        let text = format!("{case}: {}", wrong.join("; "));
                        failures.lock().expect("no thread panicked").insert(at, text);
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no thread panicked").into_values().collect()
}

fn take<'c>(cases: &'c [Case], next: &AtomicUsize) -> Option<(usize, &'c Case)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, cases.get(at)?))
}

/// What is wrong with a case.
fn run(plan: &Plan, case: &Case) -> Result<Vec<String>, String> {
    let records = records_of(&case.example)?;
    let drawn = analyse(plan, &case.example.json)?;
    check_counts(&drawn.records, records)?;
    let found = found(plan, drawn)?;
    let mut wrong = own_rule(case, found.get(case.rule.id));
    wrong.extend(other_rules(case, &found));
    Ok(wrong)
}

/// How many records an example has.
fn records_of(example: &Example<'_>) -> Result<usize, String> {
    match serde_json::from_str(&example.json) {
        Ok(serde_json::Value::Array(records)) => Ok(records.len()),
        Ok(serde_json::Value::Object(_)) => Ok(1),
        Ok(_) => Err("neither a record nor an array of records".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

pub(crate) fn analyse(plan: &Plan, json: &str) -> Result<Yield, String> {
    let is_array = json.trim_start().starts_with('[');
    let records = if is_array { json.to_owned() } else { format!("[{json}]") };
    let file = format!("{{\"Records\":{records}}}");
    let object = ObjectRef {
        bucket: String::new(),
        key: "/example.json".to_owned(),
        etag: "1".to_owned(),
        size: file.len() as u64,
        name: ObjectName::default(),
    };
    let mut analyzer = Analyzer::new(1 << 24).map_err(|error| error.to_string())?;
    Ok(analyzer.analyze(plan, &object, file.as_bytes(), &FxHashSet::default()))
}

/// An example that is not read as it is written proves nothing.
fn check_counts(counts: &RecordCounts, records: usize) -> Result<(), String> {
    let read = counts.malformed == 0 && counts.duplicate == 0 && counts.total() == records as u64;
    if read { Ok(()) } else { Err(format!("{records} records were read as {counts:?}")) }
}

/// What a lake holds that this was committed to and folded in.
fn found(plan: &Plan, drawn: Yield) -> Result<Found, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let rows = commit_and_fold(plan, drawn, folder.path()).map_err(|error| error.to_string())?;
    let mut found = Found::new();
    for row in rows {
        let text = |name: &str| row.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let of_rule = found.entry(text("rule_id")).or_default();
        of_rule.entry(text("finding_id")).or_default().insert(text("severity"));
    }
    Ok(found)
}

type Row = serde_json::Map<String, serde_json::Value>;

fn commit_and_fold(plan: &Plan, drawn: Yield, folder: &std::path::Path) -> Result<Vec<Row>, keytrail::lake::LakeError> {
    let mut lake = Lake::open(Arc::new(LocalFolder::create(folder)?))?;
    lake.commit_batch(&mut vec![drawn])?;
    folding::fold(&mut lake, plan.settings(), &[])?;
    read::records::<Findings>(lake.storage(), |_| true)
}

/// What is wrong with the findings of the page's own rule.
fn own_rule(case: &Case, own: Option<&BTreeMap<String, BTreeSet<String>>>) -> Vec<String> {
    let severities: Vec<&BTreeSet<String>> = own.into_iter().flat_map(BTreeMap::values).collect();
    match (case.example.fires, case.example.severity.map(Severity::as_str), severities.as_slice()) {
        (true, None, _) => vec!["fires, but names no severity".to_owned()],
        (true, Some(named), [one]) if one.iter().eq([named]) => Vec::new(),
        (true, Some(named), []) => vec![format!("should fire with {named}, and is quiet")],
        (true, Some(named), [one]) => vec![format!("should fire with {named}, fires with {one:?}")],
        (true, Some(named), many) => {
            vec![format!("should fire once with {named}, gives {} findings: {many:?}", many.len())]
        }
        (false, _, []) => Vec::new(),
        (false, _, many) => vec![format!("should be quiet, fires with {many:?}")],
    }
}

/// What is wrong with the findings of other rules.
fn other_rules(case: &Case, found: &Found) -> Vec<String> {
    let expected: BTreeSet<&str> = case.example.also.iter().copied().collect();
    let fired: BTreeSet<&str> = found.keys().map(String::as_str).filter(|id| *id != case.rule.id).collect();
    let surplus = fired.difference(&expected).map(|id| format!("{id} fires too ({:?})", found[*id].values()));
    let missing = expected.difference(&fired).map(|id| format!("{id} should fire too"));
    surplus.chain(missing).collect()
}

/// What the fold finds out by itself, the rule of the act knows where it is told whose accounts are ours.
#[test]
fn told_which_accounts_are_own_the_act_is_judged_at_once_and_the_fold_is_silent() {
    let mut settings = Settings::default();
    settings.accounts.own.insert("111122223333".to_owned());
    let plan = Plan::new(settings, Selection::Fast);
    for rule in ["grant-foreign-account", "policy-foreign-account"] {
        let cases = cases_of(rules::find(rule).expect("a rule")).into_iter();
        for case in cases.filter(|case| case.example.severity > Some(Severity::Info)) {
            let drawn = analyse(&plan, &case.example.json).expect("records");
            let worst = drawn.findings.iter().map(|finding| finding.severity).max();
            assert!(worst >= case.example.severity, "{case}: {worst:?}");
            let found = found(&plan, drawn).expect("a lake");
            assert!(!found.contains_key(rule), "{case}: {found:?}");
        }
    }
}
