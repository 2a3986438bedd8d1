//! Business rows that go with a ledger entry, in the same transaction. The append fills in the entry's index and time.

use super::rows::{DataKeyId, EvidenceRow, KeyRow, KeyState, MessageRow, Sealed, Tag, Term};
use crate::domain::{
    agreement::AgreementAct,
    case::{CaseState, Relation},
    codes::MessageKind,
    digest::Digest,
    ids::{AgreementId, CaseId, CaseKey, Jti},
    party::{PartyId, PartyKind, PartyState, Registration},
    time::Timestamp,
};

/// One change of the business tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Registers a party, or replaces its registration.
    Party(Registration),
    /// Suspends or readmits a party.
    PartyState(PartyId, PartyState),
    /// Registers a key.
    Key(KeyRow),
    /// Retires a key or marks it compromised.
    KeyState {
        /// Key.
        kid: Digest,
        /// New state.
        state: KeyState,
        /// From when its signatures are void.
        compromised_at: Option<Timestamp>,
    },
    /// Says that this entry is the one a key was registered with: what an earlier version registered is recorded again.
    KeyRecorded(Digest),
    /// Stores an agreement version.
    Agreement {
        /// Id.
        id: AgreementId,
        /// Version.
        ver: u32,
        /// Digest of the document.
        sha256: Digest,
        /// The exact document bytes.
        document: Vec<u8>,
        /// Named parties.
        parties: Vec<PartyId>,
        /// Kinds that may accede.
        acceding: Vec<PartyKind>,
    },
    /// Adds an act to an agreement version.
    AgreementAct {
        /// Id.
        id: AgreementId,
        /// Version.
        ver: u32,
        /// Who.
        party: PartyId,
        /// What.
        act: AgreementAct,
        /// The signed object.
        signature: String,
    },
    /// Marks an agreement version as superseded.
    AgreementSuperseded(AgreementId, u32),
    /// Stores a wrapped data key.
    DataKey(DataKeyId, Vec<u8>),
    /// Stores that there is a person, once: the tag of the collector and its pseudonym.
    Person(Tag),
    /// Stores a data key of a person.
    PersonKey(Tag, DataKeyId),
    /// Stores a consent.
    Consent {
        /// Id.
        jti: Jti,
        /// Collector.
        collector: PartyId,
        /// Digest of the compact object.
        sha256: Digest,
        /// Tag of the collector and its pseudonym of the person.
        subject: Tag,
        /// The compact object.
        sealed: Sealed,
    },
    /// Records an end or a narrowing of a consent.
    ConsentEnd {
        /// The consent.
        consent: Jti,
        /// Whether it ends as a whole.
        whole: bool,
        /// The signed end object.
        sealed: Sealed,
    },
    /// Marks a consent as superseded by another, once.
    ConsentSuperseded {
        /// The old one.
        consent: Jti,
        /// The new one.
        by: Jti,
    },
    /// Changes nothing; cannot be written once a case uses the consent.
    ConsentUnbound(Jti),
    /// Binds a consent to the first case that uses it. A guard makes sure that it is unbound or bound to this case.
    ConsentBound(Jti, CaseKey),
    /// Opens a case.
    Case {
        /// Inside key.
        case: CaseKey,
        /// Kind of the opening message.
        kind: MessageKind,
        /// Data key of the case.
        key: DataKeyId,
        /// Consent it rests on, if any.
        consent: Option<Jti>,
    },
    /// Changes the state of a case and moves its revision.
    CaseState(CaseKey, CaseState),
    /// Gives a party a relation to a case; a known party keeps its id.
    CaseParty {
        /// Case.
        case: CaseKey,
        /// Party.
        party: PartyId,
        /// The party's own id for the case.
        id: CaseId,
        /// Relation.
        relation: Relation,
    },
    /// Marks a case as changed, visible to a party.
    CaseTouched(CaseKey, PartyId),
    /// Stores a message.
    Message(MessageRow),
    /// Stores what is to be known of a message without opening it.
    Term(CaseKey, Jti, Term),
    /// Stores evidence about a message.
    Evidence(EvidenceRow),
    /// Stores evidence that nobody had collected a message, once, and only while nobody has.
    Uncollected(EvidenceRow),
    /// Moves the revision of a case that is erased: what was decided about it before is decided again.
    EraseCase(CaseKey),
    /// Destroys a data key, once.
    EraseKey(DataKeyId),
    /// Empties a message of a case.
    EraseMessage(CaseKey, Jti),
    /// Forgets what is known of a message without opening it.
    EraseTerm(CaseKey, Jti),
    /// Empties a consent and its ends, of which there are so many, and forgets whose it is.
    EraseConsent {
        /// Consent.
        consent: Jti,
        /// Number of its ends and narrowings.
        ends: usize,
    },
    /// Forgets a person and the list of its data keys.
    ErasePerson(Tag, Vec<DataKeyId>),
    /// Deletes the opening of an entry.
    EraseOpening(u64),
    /// Deletes a search tag of an entry.
    EraseTag(Tag, u64),
}

impl Write {
    /// Whether it changes what parties, keys or agreements there are, or how they stand.
    #[must_use]
    pub const fn is_registration(&self) -> bool {
        matches!(
            self,
            Self::Party(_)
                | Self::PartyState(..)
                | Self::Key(_)
                | Self::KeyState { .. }
                | Self::KeyRecorded(_)
                | Self::Agreement { .. }
                | Self::AgreementAct { .. }
                | Self::AgreementSuperseded(..)
        )
    }
}
