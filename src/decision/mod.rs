//! The decision: `necessity policy ∩ not prohibited ∩ agreement ∩ consent`, per field class, default deny (protocol section 3).
//!
//! Promises: pure; everything it rests on is an argument, `now` included. [`Permitted`] and [`View`] exist only for what was decided here,
//! from a message whose signature was verified. Not here: storage, the ledger, time that passes between decision and commit (the
//! sequencer hands back what has become stale).

mod count;
mod exchange;
mod explain;
mod read;
mod submit;

pub use count::may_count;
pub use exchange::{Exchange, Question, Rights, Row};
pub use explain::{ClassReasons, Explanation, Reason, RowReasons, explain};
pub use read::{View, Viewing, decide_delegated_read, decide_own_read, decide_read};
pub use submit::{Permitted, decide_submission};
