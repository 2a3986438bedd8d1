//! What the database holds, as the rest of the house sees it. Personal content is always [`Sealed`].

use crate::domain::{
    agreement::AgreementAct,
    case::{CaseState, Relation},
    codes::{MessageKind, closed_list},
    day::Day,
    digest::Digest,
    ids::{AgreementId, CaseId, CaseKey, Jti},
    party::{PartyId, PartyState, Registration},
    time::Timestamp,
};

/// Id of a data key: one per case, one per person (consent pseudonym), one for the gateway's own openings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKeyId(pub uuid::Uuid);

/// Content encrypted under a data key. What is inside is the vault's business.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Key that opens it. Destroying the key destroys the content.
    pub key: DataKeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed([redacted])")
    }
}

/// A keyed search tag: HMAC of an id under a key outside the database. 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 16]);

/// A registered party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRow {
    /// Its registration, as the operator signed it.
    pub registration: Registration,
    /// Active or suspended.
    pub state: PartyState,
    /// Ledger entry that registered or last updated it.
    pub idx: u64,
}

closed_list! {
    /// What a key of a party is for.
    PartyKeyUse {
        Sig = "sig",
        Enc = "enc",
    }
}

closed_list! {
    /// State of a key (protocol section 1).
    KeyState {
        Active = "active",
        Retiring = "retiring",
        Retired = "retired",
        Compromised = "compromised",
    }
}

/// A key of a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint.
    pub kid: Digest,
    /// Whose.
    pub party: PartyId,
    /// What for.
    pub usage: PartyKeyUse,
    /// The public JWK, JSON text.
    pub jwk: String,
    /// State.
    pub state: KeyState,
    /// Not before.
    pub nbf: Timestamp,
    /// Not after (exclusive).
    pub naf: Timestamp,
    /// What was signed after this is void.
    pub compromised_at: Option<Timestamp>,
    /// Ledger entry that registered it. Set by the append; ignored when written.
    pub idx: u64,
    /// Leaf hash of that entry. Read only.
    pub leaf: Digest,
}

/// One registered act on an agreement version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementActRow {
    /// Who.
    pub party: PartyId,
    /// What.
    pub act: AgreementAct,
    /// The signed object (`tsunagi-agreement-sig+jwt`).
    pub signature: String,
    /// Ledger entry.
    pub idx: u64,
}

/// An agreement version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRow {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
    /// SHA-256 of the exact document bytes.
    pub sha256: Digest,
    /// The exact bytes that were signed.
    pub document: Vec<u8>,
    /// Acts in ledger order.
    pub acts: Vec<AgreementActRow>,
    /// Whether a later version took its place.
    pub superseded: bool,
    /// Ledger entry of the proposal.
    pub idx: u64,
}

/// A registered consent. Its signed claims are sealed under the person's data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// Id.
    pub jti: Jti,
    /// Who collected it.
    pub collector: PartyId,
    /// SHA-256 of the compact signed object.
    pub sha256: Digest,
    /// Tag of the pseudonym (`sub`).
    pub subject: Tag,
    /// The compact signed object.
    pub sealed: Sealed,
    /// Case it is bound to, once used.
    pub case: Option<CaseKey>,
    /// Whether it was ended as a whole or superseded.
    pub ended: bool,
    /// The consent that took its place, if one did.
    pub superseded_by: Option<Jti>,
    /// Signed end objects in ledger order, sealed (narrowings are read from them).
    pub ends: Vec<Sealed>,
    /// Ledger entry.
    pub idx: u64,
}

impl ConsentRow {
    /// Whether its content was erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.sealed.bytes.is_empty()
    }
}

/// A case as one party stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Inside key.
    pub case: CaseKey,
    /// The party's own id for it.
    pub id: CaseId,
    /// The party.
    pub party: PartyId,
    /// Its relation.
    pub relation: Relation,
    /// State shown outside.
    pub state: CaseState,
    /// Revision: moves with every change of state or relation.
    pub revision: u64,
    /// Kind of the first message that the party sent or received in it; for others, of the one that opened it.
    pub kind: MessageKind,
    /// When the party first got it.
    pub received: Timestamp,
    /// Time of the last change visible to the party.
    pub updated: Timestamp,
    /// Ledger entry of the last change visible to the party.
    pub updated_idx: u64,
    /// Whether its data key was destroyed.
    pub erased: bool,
}

/// What a case holds and rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseContent {
    /// Data key of the case.
    pub key: DataKeyId,
    /// Consent it was opened under, if any.
    pub consent: Option<Jti>,
    /// Its messages, in ledger order.
    pub messages: Vec<Jti>,
    /// Those of them of which something is known without opening them.
    pub terms: Vec<Jti>,
}

/// What is left of erased content in files of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing: it was overwritten, and the log of writes was cut.
    Nothing,
    /// The log of writes could not be cut because somebody reads all the time.
    Log,
    /// What the database keeps until its owner vacuums, and in its own log and archives.
    Owner,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Sender.
    pub iss: PartyId,
    /// Message id.
    pub jti: Jti,
    /// Addressee.
    pub aud: PartyId,
    /// Case.
    pub case: CaseKey,
    /// Kind.
    pub kind: MessageKind,
    /// Protocol section 2: identifies the message.
    pub digest: Digest,
    /// The SD-JWT with all disclosures.
    pub sealed: Sealed,
    /// Ledger entry of the submission. Set by the append.
    pub idx: u64,
    /// Its time. Set by the append.
    pub received: Timestamp,
}

/// A message as its reader finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    /// How the reader stands to the case.
    pub relation: Relation,
    /// State of the case.
    pub state: CaseState,
    /// The message.
    pub message: MessageRow,
    /// The data key it is sealed under, wrapped; none after erasure.
    pub wrapped: Option<Vec<u8>>,
}

/// A stored message without its content, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageHead {
    /// Sender.
    pub iss: PartyId,
    /// Message id.
    pub jti: Jti,
    /// Addressee.
    pub aud: PartyId,
    /// Case.
    pub case: CaseKey,
    /// Kind.
    pub kind: MessageKind,
    /// Protocol section 2: identifies the message.
    pub digest: Digest,
    /// Ledger entry of the submission.
    pub idx: u64,
    /// Its time.
    pub received: Timestamp,
}

/// What is known of a message without opening it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// The consent that it names.
    pub consent: Option<Jti>,
    /// The day by which its sender wishes a reply.
    pub reply_by: Option<Day>,
    /// The message that it corrects.
    pub corrects: Option<Jti>,
    /// The message that it passes on.
    pub source: Option<Jti>,
    /// The party in whose place its sender sent it.
    pub sent_for: Option<PartyId>,
    /// The party in whose place its addressee gets it.
    pub sent_to: Option<PartyId>,
}

/// A message without its content, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The message.
    pub head: MessageHead,
    /// What is known of it without opening it.
    pub term: Term,
    /// When it was released first: entry and time.
    pub pulled: Option<(u64, Timestamp)>,
    /// Whether a reader acknowledged it.
    pub acknowledged: bool,
    /// The entry that says that nobody had collected it in time.
    pub uncollected: Option<u64>,
}

impl Passage {
    /// Who sent it: its issuer, or the one in whose place that was.
    #[must_use]
    pub fn sender(&self) -> &PartyId {
        self.term.sent_for.as_ref().unwrap_or(&self.head.iss)
    }

    /// To whom it was sent: its addressee, or the one in whose place that is.
    #[must_use]
    pub fn recipient(&self) -> &PartyId {
        self.term.sent_to.as_ref().unwrap_or(&self.head.aud)
    }
}

/// What became of a consent, as far as it can be told without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentFate {
    /// The consent.
    pub jti: Jti,
    /// Ledger entry that registered it, and its time.
    pub registered: (u64, Timestamp),
    /// Whether it was ended as a whole or superseded.
    pub ended: bool,
    /// The consent that took its place.
    pub superseded_by: Option<Jti>,
    /// Entries and times of its ends and narrowings, in the order of [`ConsentRow::ends`].
    pub ends: Vec<(u64, Timestamp)>,
}

closed_list! {
    /// What a receipt says happened to a message.
    EvidenceState {
        Accepted = "accepted",
        Released = "released",
        Acknowledged = "acknowledged",
        /// Nobody had collected it when its time was over.
        Uncollected = "uncollected",
    }
}

/// One thing that happened to a message: what receipts are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Case.
    pub case: CaseKey,
    /// Sender of the message: who may ask for the receipt.
    pub iss: PartyId,
    /// Message.
    pub jti: Jti,
    /// Message digest.
    pub digest: Digest,
    /// What happened.
    pub state: EvidenceState,
    /// `jti` of the receipt.
    pub receipt: Jti,
    /// Ledger entry. Set by the append.
    pub idx: u64,
    /// Leaf hash. Read only.
    pub leaf: Digest,
    /// Time of the entry. Set by the append.
    pub time: Timestamp,
}

closed_list! {
    /// Name spaces of single-use ids.
    OnceKind {
        /// Business messages.
        Message = "message",
        /// Consents, signatures, keys, registrations, acknowledgements.
        Object = "object",
        /// Actor tokens.
        Actor = "actor",
    }
}

/// A used id with the answer it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceRow {
    /// What identifies the object.
    pub digest: Digest,
    /// Entry that accepted it, if it made one.
    pub idx: Option<u64>,
    /// What the first answer said besides the entry: small JSON without personal values.
    pub result: Vec<u8>,
}

/// A ledger entry with what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Index.
    pub idx: u64,
    /// The exact leaf bytes.
    pub body: Vec<u8>,
    /// The sealed opening; none after erasure.
    pub opening: Option<Sealed>,
}

/// One page of an audit query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Entries that pass, ascending.
    pub rows: Vec<LedgerRow>,
    /// Everything up to here was looked at: ask again after it. None: everything was looked at.
    pub next: Option<u64>,
}

/// What an audit query may ask for; every member narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Entry time, from (inclusive).
    pub from: Option<Timestamp>,
    /// Entry time, to (exclusive).
    pub to: Option<Timestamp>,
    /// Acting party.
    pub actor: Option<PartyId>,
    /// Receiving party.
    pub recipient: Option<PartyId>,
    /// Operation code.
    pub operation: Option<String>,
    /// Entry type code.
    pub entry_type: Option<String>,
    /// `permit` or `deny`.
    pub decision: Option<String>,
    /// Refusal code.
    pub reason: Option<String>,
    /// Agreement id.
    pub agreement: Option<String>,
    /// Search tags (case, consent, staff, class): all must be on the entry.
    pub tags: Vec<Tag>,
    /// Only entries in which a party of one of these places acts or receives: prefecture numbers or local government codes (an auditor's
    /// jurisdiction); none: all.
    pub places: Option<Vec<String>>,
}

closed_list! {
    /// Tables of the ledger whose rows belong to one entry each.
    LedgerTable {
        Leaf = "ledger_leaf",
        Entry = "ledger_entry",
        Opening = "ledger_opening",
        Index = "ledger_index",
    }
}

/// The one row of the ledger's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// Origin line of the checkpoints.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root hash.
    pub root: [u8; 32],
    /// Roots of the perfect subtrees, largest first, concatenated.
    pub frontier: Vec<u8>,
    /// Time of the last entry.
    pub last_time: Timestamp,
    /// Advances with every entry that narrows a right or changes a party, a key or an agreement.
    pub rights_epoch: u64,
    /// Digest of the policy set in force.
    pub policy: Digest,
}
