//! All integration tests in one binary: one link, one look at what is covered.

mod bad_input;
mod crash;
mod determinism;
mod duckdb;
mod generated;
mod pages;
mod samples;
mod selection;
mod support;
mod tidy;
