//! Who may receive which class of information, and who may do what: the necessity policy, the prohibitions, the guards and the operations in
//! `policies/`, evaluated for closed keys (protocol section 3).
//!
//! Promises: what no policy permits is denied; a prohibition beats every permit; a fault of the engine is a denial that says so; the same key
//! and the same digest give the same ruling. A set whose texts are incomplete, contradict the domain's closed lists or name anything outside
//! them does not load.
//! Not here: the states of agreements and consents (computed by the domain, given in the key), relations, messages, field values.
//! Cedar is named in this room and nowhere else.

mod catalogue;
mod engine;
mod error;
mod form;
mod key;
mod layers;
mod lint;
mod load;
mod matrix;
mod operation;
mod reach;
mod region;
mod source;

pub use catalogue::{BasisText, ClassText, CodeList, CodeText, addon_rules};
pub use engine::PolicySet;
pub use error::PolicyError;
pub use key::{Key, RuleId, Ruling};
pub use operation::Deed;
pub use reach::Weight;
pub use region::{Region, Situations};
