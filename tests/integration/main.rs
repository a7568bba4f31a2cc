//! All integration tests in one binary: one link, one look at what is covered.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::cast_possible_truncation,
    clippy::unreadable_literal,
    reason = "tests say what they expect, and why they skip"
)]

mod alerts;
mod arrivals;
mod bad_input;
mod bucket;
mod bucket_lake;
mod commit_kills;
mod compaction;
mod compaction_kills;
mod configuration;
mod copies;
mod coverage;
mod crash;
mod deploy;
mod determinism;
mod drift;
mod duckdb;
mod dying;
mod faulty_proxy;
mod fixtures;
mod follow;
mod generated;
mod keys;
mod knowledge;
mod lease;
mod maintain;
mod notifications;
mod pages;
mod policies;
mod python;
mod queue;
mod resources;
mod s3_commands;
mod s3_source;
mod samples;
mod second_look;
mod selection;
mod servers;
mod soak;
mod story;
mod support;
mod tail_life;
mod telemetry;
mod tidy;
mod two_keys;
mod verdicts;
