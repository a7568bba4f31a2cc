//! A `maintain` that lives on while one of its rounds fails.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{assert_holds, backfill, command, files_below, samples, temp_dir, write};

#[test]
fn a_round_that_fails_leaves_nothing_behind_and_is_made_up_for() {
    let folder = temp_dir();
    let (out, config) = (folder.path().join("out"), folder.path().join("keytrail.toml"));
    backfill(&[&samples()], &out, &[]).ends_with(0);
    write(&config, b"");
    let mut maintain = command(["maintain", "--interval", "1s", "--compact-after", "0", "--config"]);
    let maintain = maintain.arg(&config).arg(&out).stdout(Stdio::piped()).spawn();
    let mut maintain = maintain.expect("it starts");
    let mut said = BufReader::new(maintain.stdout.take().expect("its output")).lines();
    let mut wait_for = |start: &str| {
        let found = said.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(start)));
        found.unwrap_or_else(|| panic!("it never said {start}")).expect("a line")
    };
    wait_for("nothing new");
    // The second file that it stages: one is staged before it fails.
    let alive = files_below(&out.join("_staging")).remove(0);
    fs::create_dir(alive.with_file_name("2")).expect("a folder in the way");
    write(&config, b"[accounts]\nown = [\"111122223333\"]\n");
    let error = wait_for("FAILED");
    assert!(error.contains("_staging"), "{error}");
    wait_for("folded");
    wait_for("nothing new");
    let staged: Vec<_> = files_below(&out.join("_staging"));
    assert!(staged.len() == 1 && staged[0].ends_with("alive") && staged[0] != alive, "{staged:?}");
    maintain.kill().expect("it can be killed");
    maintain.wait().expect("it ends");
    assert_holds(&out);
}
