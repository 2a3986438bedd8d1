//! What a use case hands to the sequencer, and what comes back.

use std::sync::Arc;

use super::entry::Entry;
use crate::{
    domain::{
        digest::Digest,
        ids::{CaseKey, Jti},
        party::PartyId,
        time::Timestamp,
    },
    store::{OnceKey, OnceKind, Sealed, Tag, Write},
};

/// An id that may be used once, with what identifies the object that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Name space.
    pub kind: OnceKind,
    /// Issuer.
    pub iss: PartyId,
    /// Id.
    pub jti: Jti,
    /// What identifies the object.
    pub digest: Digest,
    /// Kept until then; none: for ever.
    pub expires: Option<Timestamp>,
    /// What a repetition is answered besides the entry: small JSON without personal values.
    pub result: Vec<u8>,
}

impl Once {
    /// Its name.
    #[must_use]
    pub fn key(&self) -> OnceKey {
        OnceKey { kind: self.kind, iss: self.iss.clone(), jti: self.jti }
    }
}

/// On what the decision rests. A draft whose ground moved is handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Read before the rights were.
    pub rights_epoch: u64,
    /// The earliest end among certificate, key, consent, agreement, delegation (exclusive).
    pub valid_until: Timestamp,
    /// Case revision the decision was made on.
    pub case: Option<(CaseKey, u64)>,
    /// A consent that must be unbound or bound to this case.
    pub consent: Option<(Jti, CaseKey)>,
}

/// An entry that waits to be committed, with everything that happens if and only if it is.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The entry; its `time` is set under the head lock.
    pub entry: Entry,
    /// The sealed opening, whose commitment the entry carries.
    pub opening: Option<Sealed>,
    /// Search tags.
    pub tags: Vec<Tag>,
    /// Business rows.
    pub writes: Vec<Write>,
    /// The object this draft registers. A repetition with the same digest is answered `Known`, another digest `Conflict`.
    pub object: Option<Once>,
    /// The actor token. A second use is answered `ActorReplayed`.
    pub actor: Option<Once>,
    /// The ground of a decision; refusals have none.
    pub ground: Option<Ground>,
    /// Whether the entry takes a right away: advances the rights epoch for what comes behind it.
    pub narrows: bool,
}

impl Draft {
    /// An entry of the gateway itself, with nothing beside it.
    #[must_use]
    pub const fn of_gateway(entry: Entry) -> Self {
        Self { entry, opening: None, tags: Vec::new(), writes: Vec::new(), object: None, actor: None, ground: None, narrows: false }
    }
}

/// A committed entry, with its proof in the tree whose signed checkpoint comes along.
#[derive(Debug, Clone)]
pub struct Committed {
    pub(super) idx: u64,
    pub(super) time: Timestamp,
    pub(super) entry_id: uuid::Uuid,
    pub(super) sd_hash: Option<Digest>,
    pub(super) policy: Option<Digest>,
    pub(super) leaf: Vec<u8>,
    pub(super) leaf_hash: Digest,
    pub(super) proof: Vec<[u8; 32]>,
    pub(super) checkpoint: Arc<str>,
}

impl Committed {
    /// Index of the entry.
    #[must_use]
    pub const fn idx(&self) -> u64 {
        self.idx
    }
    /// Time of the entry.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }
    /// Id of the entry.
    #[must_use]
    pub const fn entry_id(&self) -> uuid::Uuid {
        self.entry_id
    }
    /// `sd_hash` that the entry carries.
    #[must_use]
    pub const fn sd_hash(&self) -> Option<Digest> {
        self.sd_hash
    }
    /// Policy set that the entry names.
    #[must_use]
    pub const fn policy(&self) -> Option<Digest> {
        self.policy
    }
    /// The exact leaf bytes.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }
    /// Leaf hash.
    #[must_use]
    pub const fn leaf_hash(&self) -> Digest {
        self.leaf_hash
    }
    /// Inclusion proof, RFC 6962 order.
    #[must_use]
    pub fn proof(&self) -> &[[u8; 32]] {
        &self.proof
    }
    /// The signed checkpoint that covers it.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }
}

/// What the sequencer answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The entry is durable.
    Committed(Committed),
    /// The object was accepted before: index of its entry and the stored result. The actor token was marked as used.
    Known {
        /// Entry.
        idx: u64,
        /// Stored result.
        result: Vec<u8>,
    },
    /// The id was used for another object.
    Conflict,
    /// The actor token was used before.
    ActorReplayed,
    /// The ground moved: decide again.
    Stale,
}
