//! Who may receive which class of information: the necessity policy and the prohibitions in `policies/`, evaluated for a closed key
//! (protocol section 3).
//!
//! Promises: what no policy permits is denied; a prohibition beats every permit; a fault of the engine is a denial that says so; the same key
//! and the same digest give the same ruling. A set whose texts are incomplete, contradict the domain's closed lists or name anything outside
//! them does not load.
//! Not here: the states of agreements and consents (computed by the domain, given in the key), relations, messages, field values.
//! Cedar is named in this room and nowhere else.

mod catalogue;
mod engine;
mod error;
mod key;
mod lint;
mod matrix;
mod source;

pub use catalogue::{BasisText, ClassText};
pub use engine::PolicySet;
pub use error::PolicyError;
pub use key::{Key, RuleId, Ruling};
