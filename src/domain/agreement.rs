//! Agreements (協定, 取り決め): who may send what to whom, and whether that is in force (protocol section 2, `domain.md` section 11).

mod acts;
mod delegation;
mod difference;
mod succession;

use std::sync::Arc;

pub use self::{
    acts::ActFault,
    delegation::DelegationFault,
    difference::{Change, Effect, Part, Turn},
};
use super::{
    codes::{LegalBasis, MessageKind, Purpose, closed_list},
    field::FieldClass,
    ids::AgreementId,
    party::{PartyId, PartyKind},
    schema_version::SchemaVersion,
    time::Timestamp,
};

/// One side of a flow: a kind of party, or one party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Side {
    /// Every bound party of this kind.
    Kind(PartyKind),
    /// This party.
    Party(PartyId),
}

impl Side {
    /// Whether a party stands on this side.
    #[must_use]
    pub fn holds(&self, party: &PartyId) -> bool {
        match self {
            Self::Kind(kind) => party.kind() == *kind,
            Self::Party(id) => party == id,
        }
    }
}

impl std::str::FromStr for Side {
    type Err = super::codes::UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') { text.parse().map(Self::Party) } else { text.parse().map(Self::Kind) }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Party(id) => id.fmt(f),
        }
    }
}

impl serde::Serialize for Side {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Side {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What may flow from one side to the other.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Sender.
    pub from: Side,
    /// Recipient.
    pub to: Side,
    /// Message kinds.
    pub kinds: Vec<MessageKind>,
    /// Purposes, of the message and of each read.
    pub purposes: Vec<Purpose>,
    /// Field classes.
    pub classes: Vec<FieldClass>,
    /// Legal bases a message may name.
    pub bases: Vec<LegalBasis>,
}

/// A party that acts for another under the agreement (委託).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who delegates.
    pub from: PartyId,
    /// Who acts for it.
    pub to: PartyId,
    /// Qualification of the delegate, e.g. 主任相談支援専門員.
    pub qualification: String,
    /// Until when.
    pub until: Timestamp,
}

/// One agreement version, as its document says. The signed thing is the digest of the exact document bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// `AG-13-0001`.
    pub id: AgreementId,
    /// Version, from 1.
    pub ver: u32,
    /// Title for people.
    pub title: String,
    /// Named parties: all must accept.
    pub parties: Vec<PartyId>,
    /// Kinds that may accede.
    #[serde(default)]
    pub acceding: Vec<PartyKind>,
    /// What may flow.
    pub flows: Vec<Flow>,
    /// Versions of the schemas that messages under it may have.
    pub schema_versions: Vec<SchemaVersion>,
    /// The entry of the purpose of use (利用目的) it rests on (Act art. 61).
    pub purpose_of_use_entry: String,
    /// Handling terms the sender asks of the receiver (Act art. 70). Carried by every release.
    pub terms: Vec<String>,
    /// In force from.
    pub from: Timestamp,
    /// In force until (exclusive).
    pub until: Timestamp,
    /// How many months what was received may be kept.
    pub retention_months: u32,
    /// Delegations.
    #[serde(default)]
    pub delegations: Vec<Delegation>,
}

closed_list! {
    /// What a party says about an agreement.
    AgreementAct {
        Accept = "accept",
        Reject = "reject",
        Accede = "accede",
        Suspend = "suspend",
        Resume = "resume",
        Revoke = "revoke",
    }
}

impl From<AgreementAct> for super::entry::Act {
    fn from(act: AgreementAct) -> Self {
        match act {
            AgreementAct::Accept => Self::Accept,
            AgreementAct::Reject => Self::Reject,
            AgreementAct::Accede => Self::Accede,
            AgreementAct::Suspend => Self::Suspend,
            AgreementAct::Resume => Self::Resume,
            AgreementAct::Revoke => Self::Revoke,
        }
    }
}

impl AgreementAct {
    /// Whether the act takes rights away.
    #[must_use]
    pub const fn narrows(self) -> bool {
        matches!(self, Self::Suspend | Self::Revoke)
    }
}

closed_list! {
    /// State of an agreement version as a whole.
    AgreementStanding {
        Proposed = "proposed",
        InForce = "in_force",
        Suspended = "suspended",
        Revoked = "revoked",
        Expired = "expired",
        Superseded = "superseded",
    }
}

closed_list! {
    /// What an agreement says about one field class of one message, the form the policy sees.
    AgreementState {
        None = "none",
        NotInForce = "not_in_force",
        PartyOutside = "party_outside",
        PurposeOutside = "purpose_outside",
        ClassOutside = "class_outside",
        Covers = "covers",
    }
}

/// One registered act, in ledger order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAct {
    /// Who.
    pub party: PartyId,
    /// What.
    pub act: AgreementAct,
}

/// An agreement with what its parties have said so far, in ledger order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRecord {
    /// The document.
    pub agreement: Agreement,
    /// Acts in ledger order.
    pub acts: Vec<SignedAct>,
    /// Named parties of the version that this one is to take the place of, which this one no longer names: they must accept it too.
    pub leaving: Vec<PartyId>,
    /// The later version that all named parties of both have accepted. It takes the place of this one when its own period begins.
    pub successor: Option<Arc<Self>>,
}

/// The message that is judged, as far as an agreement is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Issuer of the message.
    pub sender: &'a PartyId,
    /// Addressee of the message.
    pub recipient: &'a PartyId,
    /// Message kind.
    pub kind: MessageKind,
    /// Legal basis the message names.
    pub basis: LegalBasis,
}

impl AgreementRecord {
    /// State of the version at `now`. Suspension and revocation by any bound party are immediate; resumption needs the `resume` of every
    /// party that was bound at the last suspension, given since.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> AgreementStanding {
        match self.standing_alone(now) {
            ended @ (AgreementStanding::Revoked | AgreementStanding::Expired) => ended,
            _ if self.is_superseded(now) => AgreementStanding::Superseded,
            standing => standing,
        }
    }

    /// The same without regard to later versions.
    fn standing_alone(&self, now: Timestamp) -> AgreementStanding {
        if self.acts.iter().any(|a| a.act == AgreementAct::Revoke) {
            return AgreementStanding::Revoked;
        }
        if now >= self.agreement.until {
            return AgreementStanding::Expired;
        }
        if now < self.agreement.from || !self.is_accepted() {
            return AgreementStanding::Proposed;
        }
        if self.suspended() { AgreementStanding::Suspended } else { AgreementStanding::InForce }
    }

    fn has_said(&self, party: &PartyId, act: AgreementAct) -> bool {
        self.acts.iter().any(|a| a.party == *party && a.act == act)
    }

    /// Whether one of the named parties has rejected the version, which ends the proposal.
    fn is_rejected(&self) -> bool {
        self.agreement.parties.iter().any(|party| self.has_said(party, AgreementAct::Reject))
    }

    /// Whether every named party has accepted the version and none rejected it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        !self.is_rejected() && self.agreement.parties.iter().all(|party| self.has_said(party, AgreementAct::Accept))
    }

    /// Suspended by any party, until every party that was bound then has resumed since. Who accedes later has nothing to resume.
    fn suspended(&self) -> bool {
        let Some(last) = self.acts.iter().rposition(|a| a.act == AgreementAct::Suspend) else { return false };
        let (before, since) = self.acts.split_at(last);
        let acceded = before.iter().filter(|a| a.act == AgreementAct::Accede).map(|a| &a.party);
        let resumed = |party: &PartyId| since.iter().any(|a| a.act == AgreementAct::Resume && a.party == *party);
        !self.agreement.parties.iter().chain(acceded).all(resumed)
    }

    /// Whether the version binds a party: it is named, or of an acceding kind and has acceded.
    #[must_use]
    pub fn binds(&self, party: &PartyId) -> bool {
        self.agreement.parties.contains(party)
            || (self.agreement.acceding.contains(&party.kind())
                && self.acts.iter().any(|a| a.party == *party && a.act == AgreementAct::Accede))
    }

    /// The flows between the two parties of an exchange for its kind and basis.
    fn flows<'a>(&'a self, exchange: &'a Exchange<'_>) -> impl Iterator<Item = &'a Flow> {
        self.agreement.flows.iter().filter(move |flow| {
            flow.from.holds(exchange.sender)
                && flow.to.holds(exchange.recipient)
                && flow.kinds.contains(&exchange.kind)
                && flow.bases.contains(&exchange.basis)
        })
    }

    /// What the version says about one class of one exchange for one purpose.
    #[must_use]
    pub fn state(&self, exchange: &Exchange<'_>, purpose: Purpose, class: FieldClass, now: Timestamp) -> AgreementState {
        if self.standing(now) == AgreementStanding::InForce { self.scope(exchange, purpose, class) } else { AgreementState::NotInForce }
    }

    /// What the version says about one class of one exchange for one purpose when it is in force.
    fn scope(&self, exchange: &Exchange<'_>, purpose: Purpose, class: FieldClass) -> AgreementState {
        if !self.binds(exchange.sender) || !self.binds(exchange.recipient) {
            return AgreementState::PartyOutside;
        }
        let mut state = AgreementState::PartyOutside;
        for flow in self.flows(exchange) {
            if !flow.purposes.contains(&purpose) {
                state = state.max(AgreementState::PurposeOutside);
            } else if flow.classes.contains(&class) {
                return AgreementState::Covers;
            } else {
                state = state.max(AgreementState::ClassOutside);
            }
        }
        state
    }

    /// What the version says about the exchange as a whole, for any of the purposes.
    #[must_use]
    pub fn state_of_exchange(&self, exchange: &Exchange<'_>, purposes: &[Purpose], now: Timestamp) -> AgreementState {
        if self.standing(now) == AgreementStanding::InForce {
            self.scope_of_exchange(exchange, purposes)
        } else {
            AgreementState::NotInForce
        }
    }

    fn scope_of_exchange(&self, exchange: &Exchange<'_>, purposes: &[Purpose]) -> AgreementState {
        if !self.binds(exchange.sender) || !self.binds(exchange.recipient) || self.flows(exchange).next().is_none() {
            return AgreementState::PartyOutside;
        }
        if self.flows(exchange).any(|flow| purposes.iter().any(|p| flow.purposes.contains(p))) {
            AgreementState::Covers
        } else {
            AgreementState::PurposeOutside
        }
    }
}

#[cfg(test)]
mod tests;
