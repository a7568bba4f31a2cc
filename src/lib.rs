//! keytrail reads `CloudTrail` logs and tells what happened to KMS keys. The library serves the
//! binary, the benches and the tests; it is no stable interface.
//!
//! # The way of the data: one noun a step
//!
//! ```text
//! ObjectRef → stored bytes → Buffer → record → Event<'a> → Call<'a> ─┬→ Finding    (event rules)
//!  source      source         decode   decode    decode      kms     ├→ UsageCounts (every call)
//!                                                                    ├→ KeyChange  (acts on keys)
//!                                                                    └→ Configuration (what services were told)
//!      one object's findings, usage, key changes, configurations and counts = a Yield (analyze)
//!      Yields in the order of the list → batch → staged Parquet → ledger entry → published (pipeline, lake)
//!      all that is committed → keys, key_use, findings of usage and posture rules (folding, fold)
//! ```
//!
//! # Where to start
//!
//! [`model`] has the nouns, [`kms`] what AWS KMS means by what it logs, [`rules`] the catalogue.
//! [`analyze`] is one object from bytes to [`model::yield::Yield`]; [`pipeline`] is many. [`lake`] is
//! the output: tables as data, the ledger that alone decides what is committed. [`folding`] makes
//! the snapshots. [`commands`] is what the command line asks for.
//!
//! # Imports point down only
//!
//! ```text
//! commands → { config, pipeline, folding } → { cli, analyze, inventory, alerts }
//!          → { source, decode, rules, fold, lake, report } → { kms, cloud } → { model, telemetry }
//! ```
//!
//! Stages never see each other; a test holds the order.

pub mod alerts;
pub mod analyze;
pub mod cli;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod decode;
pub mod fold;
pub mod folding;
pub mod inventory;
pub mod kms;
pub mod lake;
pub mod model;
pub mod pipeline;
pub mod report;
pub mod rules;
pub mod source;
pub mod telemetry;
