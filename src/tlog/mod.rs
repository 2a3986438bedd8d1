//! The mathematics and the formats of a transparency log, so that strangers can verify the ledger (ledger section 1, promise 5).
//!
//! Hashing and proofs are those of RFC 6962 section 2.1 (SHA-256); tiles, checkpoints, signed notes and proof files are the C2SP formats
//! `tlog-tiles`, `tlog-checkpoint`, `tlog-cosignature`, `signed-note` and `tlog-proof`. Everything here is a pure function of its arguments: no storage, no clock,
//! no randomness, no network. What is parsed is parsed strictly: one value has one spelling, and any other is refused.
//!
//! What it does not do: it does not decide which key to trust, nor whether a cosignature is recent (those of unknown keys are carried and ignored), and
//! it never treats a hash that it was handed as authentic. A proof built from a corrupted store simply fails verification.

mod batch;
mod checkpoint;
mod cosignature;
mod decimal;
mod edge;
mod error;
mod frontier;
mod hash;
mod key;
mod node;
mod note;
mod plan;
mod proof;
mod tile;
mod tlog_proof;

pub use batch::BatchTree;
pub use checkpoint::{Checkpoint, open_checkpoint, open_under_any_name};
pub use cosignature::{CosignerKey, Quorum};
pub use edge::{FullTile, RightEdge};
pub use error::TlogError;
pub use frontier::Frontier;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use key::{KeyName, NoteSigner, TypedKey, VerifierKey};
pub use node::{Node, NodeSource, perfect_root};
pub use note::{Note, NoteSignature};
pub use plan::ProofPlan;
pub use proof::{verify_consistency, verify_inclusion};
pub use tile::{TILE_WIDTH, TileId, TileRow, completed_tiles, decode_bundle, decode_tile, encode_bundle, encode_tile, partial_tiles};
pub use tlog_proof::{TlogProof, verify_proof};
