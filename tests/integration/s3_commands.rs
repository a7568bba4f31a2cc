//! The commands over S3, through the binary: a backfill from bucket to bucket, a queue filled by
//! `enqueue` and drained by `tail` over the same output, and what reads it.

use std::path::Path;

use serde_json::Value;

use crate::servers::Ministack;
use crate::support::{Run, command, files_below, samples, temp_dir};

/// Runs the binary against the server.
fn keytrail(server: &Ministack, args: &[&str]) -> Run {
    let output = server.environment(&mut command(args)).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn upload(server: &Ministack, bucket: &str, folder: &Path) -> usize {
    let s3 = server.aws().await.s3();
    s3.create_bucket().bucket(bucket).send().await.expect("a bucket");
    let files = files_below(folder);
    for file in &files {
        let key = format!("AWSLogs/{}", file.strip_prefix(folder).expect("below it").display());
        let content = std::fs::read(file).expect("a file");
        s3.put_object().bucket(bucket).key(key).body(content.into()).send().await.expect("an object");
    }
    files.len()
}

fn outcomes(summary: &Value) -> (u64, u64, u64, u64) {
    let count = |name: &str| summary["objects"][name].as_u64().expect("a count");
    (count("done"), count("already_done"), count("skipped"), count("failed"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bucket_to_bucket_is_as_folder_to_folder_and_a_queue_over_it_adds_nothing() {
    let Some(server) = Ministack::start() else { return };
    upload(&server, "logs", &samples()).await;
    server.aws().await.s3().create_bucket().bucket("tables").send().await.expect("a bucket");
    let folder = temp_dir();
    let local = folder.path().join("out");
    let local = local.to_str().expect("UTF-8");
    let here = crate::support::backfill(&[&samples()], Path::new(local), &[]).ends_with(0).json();

    let args = ["backfill", "s3://logs", "--output", "s3://tables/kt", "--format", "json"];
    let there = keytrail(&server, &args).ends_with(0).json();
    // Digest and Insights folders are not listed in S3: nothing of another kind was read.
    for count in ["analysed", "not_relevant", "duplicate", "malformed"] {
        assert_eq!(there["records"][count], here["records"][count], "{count}");
    }
    for counts in ["findings", "keys"] {
        assert_eq!(there[counts], here[counts], "{counts}");
    }
    assert_eq!(there["objects"]["done"], here["objects"]["done"]);
    let again = keytrail(&server, &args).ends_with(0).json();
    assert_eq!(outcomes(&again).0, 0, "{again}");

    for read in [&["findings"][..], &["findings", "--severity", "critical", "--format", "csv"], &["keys"]] {
        let ask = |place: &str| keytrail(&server, &[&[read[0], place], &read[1..]].concat()).ends_with(0).stdout;
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.replace("s3://logs/", "").lines().map(str::to_owned).collect();
            lines.sort();
            lines.len()
        };
        assert_eq!(sorted(ask("s3://tables/kt")), sorted(ask(local)), "{read:?}");
    }
    keytrail(&server, &["verify", "s3://tables/kt"]).ends_with(0);

    // The queue tells of what the output holds already, by account and day.
    let sqs = server.aws().await.sqs();
    let url = sqs.create_queue().queue_name("trail").send().await.expect("a queue").queue_url.expect("its URL");
    let enqueue = ["enqueue", "s3://logs", "--queue-url", &url, "--from", "2026-03-03", "--format", "json"];
    let sent = keytrail(&server, &enqueue).ends_with(0).json();
    let sent = sent["objects"].as_u64().expect("a count");
    assert!(sent > 0 && sent < outcomes(&there).0, "{sent} of {there}");
    let tail = ["tail", "--queue-url", &url, "--until-empty", "--format", "json", "--output"];
    let over = keytrail(&server, &[&tail[..], &["s3://tables/kt"]].concat()).ends_with(0).json();
    assert_eq!(outcomes(&over), (0, sent, 0, 0), "all of it is there");
    assert_eq!(over["records"]["analysed"], 0);

    // Into an output of its own it is counted, and folded at the end.
    let sent_again = keytrail(&server, &enqueue).ends_with(0).json();
    assert_eq!(sent_again["objects"].as_u64(), Some(sent));
    let fresh = keytrail(&server, &[&tail[..], &["s3://tables/fresh"]].concat()).ends_with(0).json();
    assert_eq!(outcomes(&fresh), (sent, 0, 0, 0));
    assert!(fresh["records"]["analysed"].as_u64() > Some(0) && fresh["keys"].as_u64() > Some(0), "{fresh}");
    keytrail(&server, &["verify", "s3://tables/fresh"]).ends_with(0);
    let maintained = keytrail(&server, &["maintain", "s3://tables/fresh", "--once"]).ends_with(0);
    assert!(maintained.stdout.contains("nothing new"), "{}", maintained.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_named_and_said_how_to_mend() {
    let Some(server) = Ministack::start() else { return };
    let folder = temp_dir();
    let out = folder.path().join("out");
    let out = out.to_str().expect("UTF-8");
    let url = format!("{}/000000000000/nowhere", server.url());
    for (args, said) in [
        (&["backfill", "s3://no-such-bucket", "--output", out][..], "s3://no-such-bucket"),
        (&["tail", "--queue-url", &url, "--output", out, "--until-empty"], "nowhere"),
        (&["enqueue", "samples", "--queue-url", &url], "s3://bucket/prefix"),
        (&["findings", "s3://no-such-bucket/out"], "no-such-bucket"),
        (&["maintain", "s3://no-such-bucket/out", "--once"], "no-such-bucket"),
    ] {
        let run = keytrail(&server, args).ends_with(1);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
    for args in [&["backfill", "s3:/x", "--output", out][..], &["tail", "--output", out]] {
        keytrail(&server, args).ends_with(2);
    }
}
