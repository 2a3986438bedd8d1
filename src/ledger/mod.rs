//! The ledger: entries, openings and their commitments, and the one sequencer that appends them.
//!
//! Promises (`ledger.md` section 1): an entry is durable before anything of its call leaves; order in the ledger is the order of the rights.

mod batch;
mod commitment;
mod draft;
mod entry;
mod error;
pub mod export;
mod handle;
pub mod inspect;
mod leaf;
mod open;
mod recount;
mod sequencer;
mod standing;
mod tree;
pub mod verify;
mod watcher;

pub use self::{
    commitment::{Salt, SaltedOpening, commit},
    draft::{Answer, Committed, Draft, Ground, Once},
    entry::{Actor, AgreementRef, Entry, MessageRef, Node, Opening, SchemaRef, Withheld},
    error::LedgerError,
    handle::{Proven, SequencerHandle, SignedHead, Turn},
    open::{Parts, open_ledger},
    recount::TreeRecount,
    standing::{Cosigned, Dispute, NoDispute, Stand, Standing},
};
