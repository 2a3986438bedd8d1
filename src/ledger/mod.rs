//! The ledger: entries, openings and their commitments, and the one sequencer that appends them.
//!
//! Promises (`ledger.md` section 1): an entry is durable before anything of its call leaves; order in the ledger is the order of the rights.

mod batch;
mod commitment;
mod draft;
mod entry;
mod error;
mod examine;
pub mod export;
mod handle;
mod heads;
mod high_water;
pub mod inspect;
mod leaf;
mod open;
mod recount;
mod reopen;
mod sequencer;
mod standing;
mod tree;
pub mod verify;
mod watcher;

pub use self::{
    commitment::{Salt, SaltedOpening, commit},
    draft::{Answer, Committed, Draft, Ground, Once},
    entry::{Actor, AgreementRef, Entry, MessageRef, Node, Opening, Registered, Reopening, SchemaRef, TreeHead, Withheld},
    error::LedgerError,
    examine::{Examined, examine, fits, goes_on_from},
    handle::{Proven, SequencerHandle, SignedHead, Turn},
    high_water::{HighWater, HighWaterError, mark_note, read_mark, set_aside},
    open::{Parts, open_ledger},
    recount::TreeRecount,
    reopen::{Reopen, Reopened, reopen},
    standing::{Cosigned, Dispute, NoDispute, Stand, Standing},
};
