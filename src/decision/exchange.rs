//! What a decision rests on, and the parts that submission and read share.

use std::collections::BTreeSet;

use crate::{
    domain::{
        agreement::{self, AgreementRecord, AgreementStanding, AgreementState},
        case::Relation,
        codes::{BasisGroup, LegalBasis, MessageKind, Purpose},
        consent::{Consent, ConsentHistory, ConsentState},
        field::{FieldClass, FieldKey},
        party::{PartyId, PartyKind},
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    policy::{Key, PolicySet, Ruling},
};

/// One row of a message: its key and the class its schema gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Catalogue key.
    pub key: FieldKey,
    /// Class.
    pub class: FieldClass,
}

/// Who gives what kind of message to whom, and how the reader stands to the case.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Issuer of the message.
    pub sender: &'a PartyId,
    /// Who would read it.
    pub reader: &'a PartyId,
    /// Message kind.
    pub kind: MessageKind,
    /// Legal basis the message names.
    pub basis: LegalBasis,
    /// Relation of the reader to the case, from the case's own history.
    pub relation: Relation,
}

/// The rights as they stand: the agreement the message names and the consent it rests on.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// Agreement version, if it exists.
    pub agreement: Option<&'a AgreementRecord>,
    /// Consent with what happened to it since.
    pub consent: Option<(&'a Consent, &'a ConsentHistory)>,
}

/// All that a decision rests on. Nothing else is looked at.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The policy set in force.
    pub policy: &'a PolicySet,
    /// Who gives what to whom.
    pub exchange: Exchange<'a>,
    /// The rights as they stand.
    pub rights: Rights<'a>,
    /// The message's rows.
    pub rows: &'a [Row],
    /// The earliest end among certificate and keys.
    pub ends: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Whether a message is yet to be accepted. What was accepted stays readable when a later agreement version takes the place of the one it names,
/// under the narrower of the two (protocol section 2); nothing new is accepted under the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    New,
    Accepted,
}

impl Question<'_> {
    /// See [`Exchange::gate`].
    pub(super) fn gate(&self, message: Message, purposes: &[Purpose]) -> Result<(), Refusal> {
        self.exchange.gate(self.policy, &self.rights, (message, purposes), self.now)
    }

    /// What the policy says about one class for one purpose. The kind is that of whoever would look at it: the reader's, or that of its delegate.
    /// Call after [`Self::gate`].
    pub(super) fn ruling(&self, message: Message, kind: PartyKind, purpose: Purpose, class: FieldClass) -> Ruling {
        self.policy.decide(&self.key(message, kind, purpose, class))
    }

    /// See [`Exchange::key`].
    pub(super) fn key(&self, message: Message, kind: PartyKind, purpose: Purpose, class: FieldClass) -> Key {
        self.exchange.key(self.policy, &self.rights, (message, kind), (purpose, class), self.now)
    }

    /// The classes of the rows: each is decided once, because rows of one class fare alike.
    pub(super) fn classes(&self) -> BTreeSet<FieldClass> {
        self.rows.iter().map(|row| row.class).collect()
    }

    /// The earliest end among the rights, the certificate and the keys.
    pub(super) fn valid_until(&self) -> Timestamp {
        let agreement = self.rights.agreement.map_or(self.ends, |record| record.holds_until(self.now));
        let consent = self.rights.consent.map_or(self.ends, |(consent, history)| consent.ends_for(history, self.exchange.reader));
        self.ends.min(agreement).min(consent)
    }
}

impl Exchange<'_> {
    fn in_agreement(&self) -> agreement::Exchange<'_> {
        agreement::Exchange { sender: self.sender, recipient: self.reader, kind: self.kind, basis: self.basis }
    }

    /// The message as a whole: without an agreement in force and the consent that the basis requires nothing of it is released, not even
    /// its envelope claims (protocol section 2).
    fn gate(
        &self,
        policy: &PolicySet,
        rights: &Rights<'_>,
        (message, purposes): (Message, &[Purpose]),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let record = rights.agreement.ok_or(RefusalCode::NoAgreement)?;
        let exchange = self.in_agreement();
        let (standing, state) = match message {
            Message::New => (record.standing(now), record.state_of_exchange(&exchange, purposes, now)),
            Message::Accepted => (record.standing_for_readers(now), record.state_of_exchange_for_readers(&exchange, purposes, now)),
        };
        if standing != AgreementStanding::InForce {
            return Err(RefusalCode::AgreementNotInForce.into());
        }
        match state {
            AgreementState::Covers => {}
            AgreementState::PurposeOutside => return Err(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "agreement_flow")),
            _ => return Err(Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow")),
        }
        let rests_on_consent = policy.basis_group(self.basis) == BasisGroup::Consent && !self.kind.may_name_no_consent();
        if !rests_on_consent && rights.consent.is_none() {
            return Ok(());
        }
        let (consent, history) = rights.consent.ok_or(RefusalCode::NoConsent)?;
        match consent.state_of_recipient(history, self.reader, purposes, now) {
            ConsentState::Covers | ConsentState::CoversTicked => Ok(()),
            ConsentState::Withdrawn => Err(Refusal::claim(RefusalCode::ConsentEnded, "con", "withdrawn")),
            // One word for both ends: that a consent was given in custody is not for a provider to know.
            ConsentState::NotInForce if now >= consent.ends_for(history, self.reader) => {
                Err(Refusal::claim(RefusalCode::ConsentEnded, "con", "expired"))
            }
            ConsentState::NotInForce => Err(Refusal::claim(RefusalCode::ConsentScope, "con", "not_yet_valid")),
            ConsentState::PurposeOutside => Err(Refusal::claim(RefusalCode::ConsentScope, "pur", "consent_item")),
            _ => Err(Refusal::claim(RefusalCode::ConsentScope, "aud", "consent_item")),
        }
    }

    /// What one class is decided by, for one purpose.
    fn key(
        &self,
        policy: &PolicySet,
        rights: &Rights<'_>,
        (message, reader): (Message, PartyKind),
        (purpose, class): (Purpose, FieldClass),
        now: Timestamp,
    ) -> Key {
        let exchange = self.in_agreement();
        let agreement = rights.agreement.map_or(AgreementState::None, |record| match message {
            Message::New => record.state(&exchange, purpose, class, now),
            Message::Accepted => record.state_for_readers(&exchange, purpose, class, now),
        });
        let consent =
            rights.consent.map_or(ConsentState::None, |(consent, history)| consent.state(history, self.reader, purpose, class, now));
        Key {
            reader,
            sender: self.sender.kind(),
            class,
            purpose,
            kind: self.kind,
            relation: self.relation,
            basis: policy.basis_group(self.basis),
            agreement,
            consent,
            named: rights.consent.is_some_and(|(consent, _)| consent.names(self.reader)),
        }
    }
}
