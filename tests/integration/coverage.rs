//! What was asked of keytrail and what its peers have, row by row: `docs/coverage.md` is made from this,
//! and each row is held against the catalogue, the tables and the commands.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory;
use keytrail::cli::Cli;
use keytrail::lake::tables;
use keytrail::rules::find;

use crate::generated::{MARK, check};
use Answer::{Command, Later, Never, Rule, Table};

/// Where a capability shows.
enum Answer {
    /// A rule, by id.
    Rule(&'static str),
    /// A table, and which of its columns.
    Table(&'static str, &'static str),
    /// A command.
    Command(&'static str),
    /// Not yet: what of it is still to come.
    Later(&'static str),
    /// Logs cannot tell, and why.
    Never(&'static str),
}

struct Row {
    by: &'static str,
    what: &'static str,
    answers: &'static [Answer],
}

const fn row(by: &'static str, what: &'static str, answers: &'static [Answer]) -> Row {
    Row { by, what, answers }
}

const ASKED: &[Row] = &[
    row(
        "CloudSploit",
        "use of AWS-managed default keys, service by service",
        &[
            Rule("default-key-configured"),
            Rule("default-key-by-omission"),
            Rule("default-key-possible"),
            Rule("default-key-use"),
            Table("configurations", "choice, key_arn, default_alias"),
            Later("`services`, the shares side by side"),
            Never("resources configured before the logs begin, and idle since"),
        ],
    ),
    row(
        "CIS",
        "rotation of each key: on, off, not applicable, unknown; its period; rotations seen",
        &[
            Rule("disable-key-rotation"),
            Rule("enable-key-rotation"),
            Table("keys", "rotation, rotation_period_days, last_rotation_time"),
            Table("key_changes", "rotation_type"),
            Later("a verdict for each key comes with the fold's checks"),
            Never("what GetKeyRotationStatus answered: responses of reads are not logged"),
        ],
    ),
    row(
        "Cloudanix",
        "no key open to the public",
        &[
            Rule("put-key-policy"),
            Rule("create-key"),
            Rule("replicate-key"),
            Table("keys", "policy"),
            Later("a verdict for each key comes with the fold's checks"),
            Never("policies set before the logs begin; what IAM, SCPs and endpoint policies add or take"),
        ],
    ),
    row(
        "Cloudanix",
        "customer keys that nobody uses",
        &[Table("keys", "last_use_time, requests"), Later("the verdict after 90 days comes with the fold")],
    ),
    row(
        "Cloudanix, whitepaper",
        "few administrators of a key, few who can decrypt",
        &[
            Rule("put-key-policy"),
            Table("keys", "admins, policy"),
            Table("key_use", "principal_arn"),
            Later("counts by what was done, not by policy, come with the fold"),
        ],
    ),
    row(
        "Cloudanix",
        "deletion scheduled, until cancelled or done; attempts to use a key that waits for it",
        &[
            Rule("schedule-key-deletion"),
            Rule("cancel-key-deletion"),
            Rule("delete-key"),
            Table("keys", "state, deletion_time"),
            Table("usage", "error_reason = PendingDeletion"),
            Later("the finding \"still needed\" comes with the fold"),
        ],
    ),
    row(
        "Cloudanix",
        "keys of the application, database and web tiers in use",
        &[Table("keys", "tags, aliases, last_use_time"), Later("tiers as checks come with the fold")],
    ),
    row(
        "Cloudanix",
        "certain keys exist",
        &[Table("keys", "key_arn, aliases, state"), Later("the list of keys that must exist comes with the fold")],
    ),
    row(
        "Cloudanix, whitepaper",
        "access from other accounts: used, granted, given by policy, shared through RAM; trusted accounts apart",
        &[
            Rule("cross-account-inbound"),
            Rule("cross-account-outbound"),
            Rule("cross-account-denied"),
            Rule("policy-foreign-account"),
            Rule("put-key-policy"),
            Rule("grant-foreign-account"),
            Rule("key-shared-by-ram"),
            Table("key_use", "relation"),
            Never("which keys a share of RAM holds when a principal joins it later"),
        ],
    ),
    row(
        "Cloudanix",
        "customer keys rather than AWS-managed ones, service by service",
        &[
            Table("usage", "via_service, key_arn"),
            Table("keys", "manager"),
            Later("`services`"),
            Never("keys that AWS owns, and SSE-S3: their use is not logged"),
        ],
    ),
    row(
        "Conformity",
        "disabled keys, for how long, at what cost",
        &[Rule("disable-key"), Table("keys", "state, state_time"), Later("the cost after 30 days comes with the fold")],
    ),
    row(
        "Whitepaper",
        "critical acts on keys",
        &[
            Rule("schedule-key-deletion"),
            Rule("put-key-policy"),
            Rule("delete-alias"),
            Rule("disable-key"),
            Rule("delete-imported-key-material"),
            Command("rules"),
        ],
    ),
    row(
        "Whitepaper",
        "MFA on critical acts, not older than 300 s",
        &[
            Rule("put-key-policy"),
            Rule("schedule-key-deletion"),
            Rule("delete-alias"),
            Rule("delete-imported-key-material"),
            Table("findings", "mfa_authenticated, evidence.tags"),
            Later("the share of such acts with fresh MFA comes with the fold"),
            Never("MFA of federated people: their provider knows it"),
        ],
    ),
    row(
        "Whitepaper",
        "least privilege; administering a key and using it kept apart",
        &[
            Rule("put-key-policy"),
            Rule("iam-policy-all-keys"),
            Table("keys", "admins"),
            Later("who did both comes with the fold"),
            Never("what IAM allows altogether"),
        ],
    ),
    row(
        "Whitepaper",
        "grants: to whom, for what, how widely, still open",
        &[
            Rule("create-grant"),
            Rule("revoke-grant"),
            Rule("grant-foreign-account"),
            Table("keys", "grants"),
            Table("key_changes", "grantee, grant_operations, grant_constraints, grant_retiring"),
            Never("grants made before the logs begin"),
        ],
    ),
    row(
        "Whitepaper",
        "encryption context: used, the same at decryption, free of secrets",
        &[
            Rule("context-secret-in-value"),
            Rule("context-service-claimed-directly"),
            Rule("context-foreign-resource"),
            Table("key_use", "context_pattern"),
            Later("a context that is missing or new needs a baseline, and comes with the fold"),
        ],
    ),
    row(
        "Whitepaper",
        "events of rotation, deletion and expiry",
        &[
            Rule("delete-key"),
            Rule("delete-expired-key-material"),
            Rule("rotate-key-on-demand"),
            Table("key_changes", "change = RotateKey, DeleteKey, DeleteExpiredKeyMaterial"),
        ],
    ),
    row(
        "Whitepaper",
        "rotation by hand: an alias pointed at another key",
        &[Rule("update-alias"), Rule("create-alias"), Rule("delete-alias"), Table("keys", "aliases")],
    ),
    row(
        "Whitepaper",
        "a key for each class of data or business: by tags and aliases",
        &[
            Rule("tag-resource"),
            Rule("untag-resource"),
            Table("keys", "tags, aliases"),
            Later("the check of naming, and of one key for many, comes with the fold"),
        ],
    ),
    row(
        "Whitepaper",
        "volumes, parameters and environment variables under a key of one's own",
        &[
            Rule("default-key-configured"),
            Rule("default-key-by-omission"),
            Rule("default-key-possible"),
            Rule("ebs-default-encryption-off"),
            Rule("ebs-default-key-reset"),
            Table("configurations", "service_rule = ebs.…, ssm.put, lambda.fn"),
        ],
    ),
    row(
        "Whitepaper",
        "request rates near the limit",
        &[Table("usage", "error_reason = throttled, requests"), Later("`services`")],
    ),
    row(
        "Whitepaper",
        "who asked, when, from where, on what: for every use of a key",
        &[
            Table("usage", "principal_arn, hour, via_service, key_arn, context_pattern"),
            Table("key_use", "first_time, last_time"),
            Command("keys"),
            Never("addresses of single uses: they are in findings only, usage is counted"),
        ],
    ),
    row(
        "Design",
        "S3 told by SQS, backfill, an organisation's trail all year, Parquet",
        &[Command("tail"), Command("backfill"), Command("enqueue"), Command("maintain")],
    ),
];

const PEERS: &[Row] = &[
    row(
        "Elastic, Panther, Chronicle, Datadog, CIS, Suzaku",
        "a key disabled or scheduled for deletion; attempts apart from success",
        &[Rule("disable-key"), Rule("schedule-key-deletion"), Table("findings", "outcome, evidence.reason")],
    ),
    row("Chronicle", "many keys disabled or destroyed in an hour", &[Later("sequences come with the fold")]),
    row(
        "Elastic, Sigma",
        "imported material deleted, imported",
        &[
            Rule("delete-imported-key-material"),
            Rule("import-key-material"),
            Rule("get-parameters-for-import"),
            Rule("delete-expired-key-material"),
        ],
    ),
    row(
        "Elastic, Suzaku, Panther, Splunk, Sentinel",
        "a key policy changed; a key made public; everything open to everyone",
        &[Rule("put-key-policy"), Rule("policy-guard-removed"), Rule("create-key"), Table("keys", "policy_difference")],
    ),
    row(
        "Sentinel, Security Hub, Prowler",
        "IAM policies with broad KMS rights on all keys",
        &[
            Rule("iam-policy-all-keys"),
            Never("managed policies of AWS that are attached: their text is not in the record"),
        ],
    ),
    row(
        "CloudSploit",
        "grants that are duplicate or too broad",
        &[Rule("create-grant"), Table("keys", "grants"), Later("duplicates come with the fold")],
    ),
    row(
        "Suzaku, Elastic",
        "direct Encrypt and GenerateDataKeyWithoutPlaintext, discovery",
        &[
            Rule("foreign-key-encryption"),
            Rule("reencrypt-to-foreign-key"),
            Rule("get-public-key"),
            Table("usage", "event_name, via_service is null"),
            Later("bursts of discovery come with the fold"),
        ],
    ),
    row(
        "Cortex",
        "a principal's first act of key management",
        &[Table("keys", "admins"), Later("comes with the fold")],
    ),
    row(
        "Panther",
        "KMS through a VPC endpoint, and denied there",
        &[
            Table("usage", "error_reason = denied by a VPC endpoint policy"),
            Never("NetworkActivity files: a second view of the same calls, skipped and counted"),
        ],
    ),
    row(
        "Elastic",
        "bulk decryption of secrets or secure parameters",
        &[Table("usage", "context_pattern"), Later("needs what was usual: comes with the fold")],
    ),
    row(
        "Panther, Elastic, Sentinel, Splunk, Cortex",
        "S3 objects under a foreign key or the client's own, bucket encryption removed or changed",
        &[
            Rule("resource-under-foreign-key"),
            Rule("object-under-client-key"),
            Rule("bucket-encryption-removed"),
            Rule("own-key-given-up"),
        ],
    ),
    row(
        "Sigma, Elastic, Panther, Tailpipe, Suzaku",
        "EBS default encryption off; a trail's key changed; log groups, queues, snapshots, functions without a key of one's own",
        &[
            Rule("ebs-default-encryption-off"),
            Rule("ebs-default-key-reset"),
            Rule("trail-weakened"),
            Rule("log-group-key-removed"),
            Rule("queue-or-topic-key-removed"),
            Rule("stream-encryption-stopped"),
            Rule("default-key-by-omission"),
            Table("configurations", "choice"),
        ],
    ),
    row(
        "Elastic, Panther",
        "a trail stops recording",
        &[Rule("trail-excludes-kms"), Rule("trail-partly-blind"), Rule("trail-stopped"), Rule("trail-weakened")],
    ),
    row(
        "Prowler",
        "enclaves in debug mode, unknown images",
        &[
            Rule("enclave-debug-mode"),
            Table("usage", "enclave_image"),
            Later("an image that is new for a key comes with the fold"),
        ],
    ),
    row(
        "Prowler, Cloud Custodian",
        "unused keys, multi-Region keys",
        &[
            Table("keys", "last_use_time, multi_region"),
            Rule("replicate-key"),
            Rule("update-primary-region"),
            Later("the verdict on unused keys comes with the fold"),
        ],
    ),
    row("Panther", "activity in a Region that is not used", &[Table("usage", "region"), Later("comes with the fold")]),
    row(
        "Panther, Prowler, Sigma",
        "rules tested beside themselves, suppressions, thresholds, severities",
        &[Command("rules"), Later("thresholds come with the rules that need them")],
    ),
    row(
        "Tailpipe, Security Lake",
        "Parquet in Hive partitions, compaction, OCSF",
        &[Command("maintain"), Table("findings", "date"), Later("OCSF is not planned")],
    ),
    row(
        "Tailpipe, trailscraper",
        "S3 listing by account, Region and date; organisation layout; digests skipped; resumed",
        &[Command("backfill"), Table("objects", "status, reason")],
    ),
    row(
        "Filebeat, Vector, cloudtrail-rs, AWS",
        "SQS with heartbeats; notifications in all their wrappings",
        &[Command("tail")],
    ),
    row("cloudtrail-rs", "counts that must add up", &[Command("verify"), Table("objects", "records by outcome")]),
    row("Suzaku", "a cap on what is decompressed, output escaped", &[Command("backfill"), Command("findings")]),
];

#[test]
fn coverage_md_is_what_the_rows_say() {
    let mut text = format!("{MARK}\n\n{INTRO}");
    for (heading, rows) in [("What was asked for", ASKED), ("What peers have", PEERS)] {
        writeln!(text, "\n## {heading}\n\n| capability | by | where it shows |\n|---|---|---|").expect("writes");
        for row in rows {
            let answers: Vec<String> = row.answers.iter().map(Answer::words).collect();
            writeln!(text, "| {} | {} | {} |", row.what, row.by, answers.join("<br>")).expect("writes");
        }
    }
    check("docs/coverage.md", &text);
}

const INTRO: &str = "\
# Coverage

What was asked of keytrail, and what its peers have, each with the rule, table or command where it shows; what comes later; and what logs cannot tell, with the reason.
";

impl Answer {
    fn words(&self) -> String {
        match self {
            Rule(id) => format!("rule [{id}](rules/{id}.md)"),
            Table(name, columns) => format!("table [{name}](output.md#{name}): {columns}"),
            Command(name) => format!("`keytrail {name}`"),
            Later(what) => format!("*later:* {what}"),
            Never(what) => format!("*not in logs:* {what}"),
        }
    }
}

#[test]
fn every_row_names_what_there_is() {
    let cli = Cli::command();
    let mut named = std::collections::BTreeSet::new();
    for answer in ASKED.iter().chain(PEERS).flat_map(|row| row.answers) {
        match answer {
            Rule(id) => {
                assert!(find(id).is_some(), "there is no rule {id}");
                named.insert(*id);
            }
            Table(name, columns) => {
                let all = tables::all();
                let table = all.iter().find(|table| table.name == *name).unwrap_or_else(|| panic!("no table {name}"));
                // The first word of each part is a column.
                let first = |part: &str| part.trim().split([' ', '.']).next().unwrap_or_default().to_owned();
                let is_column = |part: &str| table.columns.iter().any(|(column, ..)| *column == first(part));
                assert!(
                    columns.split(',').any(is_column) || *columns == "date" || *name == "objects",
                    "{name}: {columns}"
                );
            }
            Command(name) => assert!(cli.find_subcommand(name).is_some(), "there is no command {name}"),
            Later(what) | Never(what) => assert!(!what.is_empty()),
        }
    }
    let unnamed: Vec<_> = keytrail::rules::all().map(|rule| rule.id).filter(|id| !named.contains(id)).collect();
    // Acts that nobody asked for by name.
    assert_eq!(
        unnamed,
        [
            "connect-custom-key-store",
            "create-custom-key-store",
            "delete-custom-key-store",
            "disconnect-custom-key-store",
            "enable-key",
            "root-user-act",
            "update-custom-key-store",
            "customer-key-revoked-symptom",
        ]
    );
}

/// Where the goals lie beside the project: no row of theirs is left out.
#[test]
fn every_goal_has_its_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/GOALS.md");
    let Ok(goals) = std::fs::read_to_string(path) else { return };
    let rows = |heading: &str| {
        let section = goals.split("\n## ").find(|section| section.starts_with(heading)).expect("a section");
        section.lines().filter(|line| line.starts_with('|')).count() - 2
    };
    assert_eq!((rows("1."), rows("2.")), (ASKED.len(), PEERS.len()));
}
