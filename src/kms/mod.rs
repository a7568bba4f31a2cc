//! What AWS KMS means by what it logs: pure knowledge, no I/O, no configuration but account lists.

pub mod accounts;
pub mod attestation;
pub mod call;
pub mod configuration;
pub mod context;
pub mod context_names;
pub mod context_pattern;
pub mod failure;
pub mod grant;
pub mod key_reference;
pub mod mfa;
pub mod operations;
pub mod policy;
pub mod principal;
pub mod sensitive;
pub mod side;
pub mod via;
