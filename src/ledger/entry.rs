//! One entry = one leaf: the RFC 8785 canonical JSON of the event (`ledger.md` section 2). Codes, party ids and salted commitments only.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        digest::Digest,
        entry::{Act, EntryType, ErasureReason, Operation, Outcome},
        field::FieldKey,
        ids::{AgreementId, CaseKey, Jti},
        party::{PartyId, PartyState},
        statistics::Statistics,
        time::Timestamp,
    },
    store::KeyState,
};

/// Which gateway wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Node id from the configuration.
    pub node: String,
    /// Software version.
    pub version: String,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Party.
    pub party: PartyId,
    /// SHA-256 of the client certificate.
    pub cert: Digest,
    /// Party it acted for, under a delegation.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub acting_for: Option<PartyId>,
}

/// Agreement version in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementRef {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
    /// Digest of the document.
    pub sha256: Digest,
}

/// Schema version in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRef {
    /// Id.
    pub id: String,
    /// Version.
    pub ver: String,
}

/// The leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// 1.
    pub v: u8,
    /// UUIDv7, unique.
    pub id: uuid::Uuid,
    /// Type.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// Assigned under the head lock, strictly increasing.
    pub time: Timestamp,
    /// Gateway.
    pub gateway: Node,
    /// Who acted; absent for the gateway itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Where data goes to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<PartyId>,
    /// What was asked for.
    pub operation: Operation,
    /// What the registered object does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// Purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Legal basis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<LegalBasis>,
    /// Message kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MessageKind>,
    /// Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaRef>,
    /// Agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// Outcome.
    pub decision: Outcome,
    /// Code of the caller's problem document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Ids of the determining policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Digest of the policy set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// What identifies the message or the request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Digest>,
    /// RFC 9901 `sd_hash` of a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd_hash: Option<Digest>,
    /// `jti` of the release's key binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel: Option<Jti>,
    /// How many rows were shown. How many were withheld stands in the opening alone: a reader is given this leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<u32>,
    /// How many events a summary stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Commitment to the opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_c: Option<Digest>,
    /// Of a ledger that was opened again under another name: what broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopens: Option<Box<Reopening>>,
}

/// The record of a break: the ledger lost entries and goes on under another name (`ledger.md` section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reopening {
    /// The name before.
    pub from: String,
    /// The name from this entry on.
    pub origin: String,
    /// The newest head under the name before that anybody brought. None: nobody had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<TreeHead>,
    /// What is left: the tree before this entry.
    pub survived: TreeHead,
}

/// Size and root of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    /// Number of entries.
    pub size: u64,
    /// Root.
    pub root: Digest,
}

impl Entry {
    /// An entry of the gateway itself: nobody asked for it.
    #[must_use]
    pub const fn of_gateway(id: uuid::Uuid, gateway: Node, entry_type: EntryType) -> Self {
        Self {
            v: 1,
            id,
            entry_type,
            time: Timestamp::from_micros(0),
            gateway,
            actor: None,
            recipient: None,
            operation: Operation::Gateway,
            act: None,
            purpose: None,
            basis: None,
            kind: None,
            schema: None,
            agreement: None,
            decision: Outcome::Permit,
            reason: None,
            rules: Vec::new(),
            policy: None,
            request: None,
            sd_hash: None,
            rel: None,
            shown: None,
            count: None,
            open_c: None,
            reopens: None,
        }
    }
}

/// A withheld row and what withheld it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// Catalogue key.
    pub field: FieldKey,
    /// Rule ids; `necessity` where no policy permits.
    pub rules: Vec<String>,
}

/// A message in an opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// Sender.
    pub iss: PartyId,
    /// Id.
    pub jti: Jti,
}

/// What a registration is from its entry on. The digest is over its canonical form (RFC 8785), which never changes for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Registered {
    /// A key of a party: thumbprint, use, JWK, not before and not after.
    Key {
        /// Thumbprint.
        key: Digest,
        /// Whose.
        party: PartyId,
        /// What it is.
        sha256: Digest,
        /// How it stands.
        state: KeyState,
        /// From when its signatures are void.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compromised_at: Option<Timestamp>,
    },
    /// A party: its registration as the operator signed it.
    Party {
        /// The party.
        party: PartyId,
        /// What it is.
        sha256: Digest,
        /// How it stands.
        state: PartyState,
    },
}

impl Registered {
    /// Whether both are the same, however they stand.
    #[must_use]
    pub fn is_same_thing(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key { key, party, sha256, .. }, Self::Key { key: k, party: p, sha256: s, .. }) => (key, party, sha256) == (k, p, s),
            (Self::Party { party, sha256, .. }, Self::Party { party: p, sha256: s, .. }) => (party, sha256) == (p, s),
            _ => false,
        }
    }
}

/// What stands beside the leaf, encrypted and erasable.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Opening {
    /// The case, under the id that only auditors see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseKey>,
    /// The consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Jti>,
    /// The consent that the message names, where another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Jti>,
    /// The cases that a list named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseKey>,
    /// Staff id from the actor token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageRef>,
    /// Messages of which something was shown besides that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<MessageRef>,
    /// Catalogue keys shown.
    #[serde(default)]
    pub disclosed: Vec<FieldKey>,
    /// Catalogue keys withheld, with the rules.
    #[serde(default)]
    pub withheld: Vec<Withheld>,
    /// Details of a refusal: catalogue keys and rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<String>,
    /// Why a case was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureReason>,
    /// The entries whose openings an erasure destroyed, ascending: what is gone and does not stand in such a list was not erased lawfully.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<u64>,
    /// The yearly numbers that it published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
    /// What was registered, or how a registration stands from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<Registered>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening([redacted])")
    }
}
