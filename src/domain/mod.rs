//! What the gateway is about: parties, agreements, consents, cases, messages, and the closed lists they are made of.
//!
//! Promises: values here are parsed or they do not exist; every function is pure and takes `now` as an argument.
//! Not here: I/O, async, clocks, JSON values, signatures, frameworks. This room knows no other.

pub mod addon;
pub mod agreement;
pub mod case;
pub mod codes;
pub mod consent;
pub mod day;
pub mod digest;
pub mod disclosures;
pub mod entry;
pub mod field;
pub mod free_text;
pub mod identifiers;
pub mod ids;
pub mod life;
pub mod party;
pub mod refusal;
pub mod schema_version;
pub mod statistics;
pub mod tasks;
pub mod time;
