//! Who calls and what the call is, and the trail it leaves: everything an entry says about it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use crate::{
    domain::field::{FieldClass, FieldKey},
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        digest::Digest,
        entry::{Act, EntryType, Operation},
        ids::{CaseKey, Jti},
        party::{PartyId, PartyKind},
        statistics::Statistics,
        time::Timestamp,
    },
    ledger::{AgreementRef, Answer, MessageRef, Once, Registered, SchemaRef, Withheld},
    store::{DataKeyId, PartyRow},
};

/// A registered, active party behind a verified client certificate.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) row: Arc<PartyRow>,
    pub(super) certificate: Digest,
    pub(super) not_after: Timestamp,
    /// Read before the registration was.
    pub(super) seen: Seen,
}

/// What the head of the ledger says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub rights_epoch: u64,
    /// Policy set in force.
    pub policy: Digest,
}

impl Caller {
    /// The party.
    #[must_use]
    pub fn party(&self) -> &PartyId {
        &self.row.registration.party
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> PartyKind {
        self.row.registration.party.kind()
    }
}

/// One request: the facts that actor tokens are bound to, and the trail it leaves. Prints its id only: the rest names people.
pub struct Call {
    /// Request id, also the `instance` of a problem document.
    pub id: Uuid,
    /// Method, upper case.
    pub method: String,
    /// Path and query, as received.
    pub target: String,
    /// Value of the header `Tsunagi-Actor`.
    pub actor: Option<String>,
    /// SHA-256 of the body, where there is one.
    pub body: Option<Digest>,
    trail: Mutex<Trail>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Call {
    /// A call that nothing is known of yet but its request.
    #[must_use]
    pub const fn new(id: Uuid, method: String, target: String, actor: Option<String>, body: Option<Digest>, operation: Operation) -> Self {
        Self { id, method, target, actor, body, trail: Mutex::new(Trail::new(operation)) }
    }

    /// Notes what was established.
    pub(super) fn note(&self, set: impl FnOnce(&mut Trail)) {
        set(&mut self.trail.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes back what a decision noted that did not become an entry: a refusal that follows must not say what was never released, nor be sealed
    /// under a key that was never stored.
    pub(super) fn undecide(&self, answer: &Answer, began: &Trail) {
        if !matches!(answer, Answer::Committed(_)) {
            self.note(|trail| trail.clone_from(began));
        }
    }

    /// What is known so far.
    pub(super) fn trail(&self) -> Trail {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is known of a call so far. Grows as the call is understood, so that a refusal's entry says all that was established.
#[derive(Clone)]
pub(super) struct Trail {
    pub(super) operation: Operation,
    pub(super) staff: Option<String>,
    /// The policy set in force when it was decided.
    pub(super) policy: Option<Digest>,
    /// For whom the caller acts, as a delegate.
    pub(super) acting_for: Option<PartyId>,
    pub(super) actor: Option<Once>,
    /// The key that signed the actor token.
    pub(super) actor_key: Option<Digest>,
    /// The key that signed what was sent.
    pub(super) signing_key: Option<Digest>,
    /// The earliest not after of those keys.
    pub(super) keys_end: Option<Timestamp>,
    pub(super) act: Option<Act>,
    /// Whether it takes the place of something that stands.
    pub(super) supersedes: bool,
    pub(super) purpose: Option<Purpose>,
    pub(super) basis: Option<LegalBasis>,
    pub(super) kind: Option<MessageKind>,
    pub(super) schema: Option<SchemaRef>,
    pub(super) agreement: Option<AgreementRef>,
    pub(super) request: Option<Digest>,
    pub(super) recipient: Option<PartyId>,
    pub(super) message: Option<MessageRef>,
    /// Messages of which something was disclosed besides that one.
    pub(super) further: Vec<MessageRef>,
    pub(super) consent: Option<Jti>,
    pub(super) case: Option<CaseKey>,
    /// Data key the opening is sealed under: the case's, the person's, or for neither the gateway's own.
    pub(super) shred: Option<DataKeyId>,
    pub(super) rules: BTreeSet<String>,
    pub(super) sd_hash: Option<Digest>,
    pub(super) rel: Option<Jti>,
    pub(super) disclosed: Vec<FieldKey>,
    pub(super) withheld: Vec<Withheld>,
    pub(super) counts: bool,
    /// The consent that the message names, where another took its place.
    pub(super) named: Option<Jti>,
    /// The cases that a list names.
    pub(super) cases: Vec<CaseKey>,
    /// The classes of what is disclosed.
    pub(super) classes: BTreeSet<FieldClass>,
    /// Yearly numbers that are published with this entry.
    pub(super) statistics: Option<Statistics>,
    /// Whether what is read is a list without content, where it could be more.
    pub(super) lists: bool,
    /// What the call registers.
    pub(super) registered: Vec<Registered>,
}

impl Trail {
    /// An empty trail.
    pub(super) const fn new(operation: Operation) -> Self {
        Self {
            operation,
            staff: None,
            policy: None,
            acting_for: None,
            actor: None,
            actor_key: None,
            signing_key: None,
            keys_end: None,
            act: None,
            supersedes: false,
            purpose: None,
            basis: None,
            kind: None,
            schema: None,
            agreement: None,
            request: None,
            recipient: None,
            message: None,
            further: Vec::new(),
            consent: None,
            case: None,
            shred: None,
            rules: BTreeSet::new(),
            sd_hash: None,
            rel: None,
            disclosed: Vec::new(),
            withheld: Vec::new(),
            counts: false,
            named: None,
            cases: Vec::new(),
            classes: BTreeSet::new(),
            statistics: None,
            lists: false,
            registered: Vec::new(),
        }
    }

    /// A key that the call rests on.
    pub(super) fn rests_on(&mut self, not_after: Timestamp) {
        self.keys_end = Some(self.keys_end.map_or(not_after, |earlier| earlier.min(not_after)));
    }

    /// What the entry of a permitted call is called.
    pub(super) const fn entry_type(&self) -> EntryType {
        match self.operation {
            Operation::PartyRegister => EntryType::Party,
            Operation::KeyRegister => EntryType::Key,
            Operation::AgreementPropose => EntryType::Agreement,
            Operation::AgreementSign => EntryType::AgreementSignature,
            Operation::ConsentRegister => EntryType::Consent,
            Operation::ConsentEnd => EntryType::ConsentEnd,
            Operation::ReferralSubmit | Operation::MessageSubmit => EntryType::Submission,
            Operation::Explain => EntryType::Explain,
            Operation::ConsentRead if self.lists => EntryType::List,
            Operation::CaseRead | Operation::MessageRead | Operation::ConsentRead | Operation::CertificateList => EntryType::Release,
            Operation::CaseList | Operation::MessageList | Operation::ReceiptList | Operation::AgreementRead => EntryType::List,
            Operation::Acknowledge => EntryType::Acknowledgement,
            Operation::DisclosureList => EntryType::SubjectReport,
            Operation::AuditEvents
            | Operation::AuditEvent
            | Operation::AuditProof
            | Operation::StatisticsRead
            | Operation::LedgerEntries => EntryType::AuditQuery,
            Operation::PolicyActivate => EntryType::Policy,
            Operation::CaseErase => EntryType::Erasure,
            Operation::Unknown => EntryType::Refusal,
            Operation::Gateway => EntryType::LedgerOpened,
        }
    }
}
