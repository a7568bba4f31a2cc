//! keytrail reads CloudTrail logs and tells what happened to KMS keys.

pub mod analyze;
pub mod cli;
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
