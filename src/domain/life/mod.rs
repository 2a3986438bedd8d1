//! The life of a case (`domain.md` sections 3 and 4): who may send what to whom now, and what that changes.
//!
//! Promises: pure and total: every message either steps or is told what is possible instead. `closed` is the end of a relation and of a case: no step
//! leads out of it. A service learns nothing about parties that it has not dealt with: whoever it names, it is told the same.
//! Not here: which kinds of bodies may send a kind at all (`policies/50_operation.cedar`), what a message may hold, and consents.

mod due;
mod outcome;
mod rules;

use std::collections::BTreeMap;

pub use due::{ended_by, needs_reply, unanswered};
pub use outcome::Outcome;

use self::rules::Meeting;
use super::{
    case::{CaseState, Relation},
    codes::MessageKind,
    party::{PartyId, PartyKind},
};

/// How a case stands, as its history has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// State of the case.
    pub state: CaseState,
    /// Kind of the message that opened it.
    pub opened_by: MessageKind,
    /// How each party stands to it. Who is not listed has nothing to do with it.
    pub parties: BTreeMap<PartyId, Relation>,
    /// Who acts in it for whom, under a delegation in force now.
    pub delegates: BTreeMap<PartyId, PartyId>,
    /// What was sent in it, in the order of the ledger.
    pub sent: Vec<Sent>,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Kind.
    pub kind: MessageKind,
    /// Issuer.
    pub from: PartyId,
    /// Recipient.
    pub to: PartyId,
}

/// A message that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act<'a> {
    /// Kind.
    pub kind: MessageKind,
    /// Issuer.
    pub from: &'a PartyId,
    /// Recipient.
    pub to: &'a PartyId,
    /// What a deciding message says.
    pub outcome: Option<Outcome>,
}

/// What a message changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The state of the case from now on, if another.
    pub state: Option<CaseState>,
    /// The relations from now on, of those that stand otherwise than before.
    pub relations: Vec<(PartyId, Relation)>,
}

/// A message that cannot be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Illegal {
    /// What this sender may send to this recipient now.
    pub possible: Vec<MessageKind>,
}

impl Standing {
    /// A case as its opening message makes it; none where the kind opens no case.
    #[must_use]
    pub fn opened(kind: MessageKind, from: &PartyId, to: &PartyId) -> Option<Self> {
        let (state, sender) = match kind {
            MessageKind::Referral | MessageKind::ThirdPartyReferral => (CaseState::Open, Relation::Origin),
            // The provider serves the person already, and nobody is asked to take the case on.
            MessageKind::ProviderConsultation => (CaseState::Accepted, Relation::Accepted),
            kind if kind.concerns_nobody() => (CaseState::Open, Relation::Origin),
            _ => return None,
        };
        Some(Self {
            state,
            opened_by: kind,
            parties: BTreeMap::from([(from.clone(), sender), (to.clone(), Relation::Assigned)]),
            delegates: BTreeMap::new(),
            sent: vec![Sent { kind, from: from.clone(), to: to.clone() }],
        })
    }

    /// Whether a message of this kind opens a case.
    #[must_use]
    pub const fn opens(kind: MessageKind) -> bool {
        matches!(kind, MessageKind::Referral | MessageKind::ThirdPartyReferral | MessageKind::ProviderConsultation)
            || kind.concerns_nobody()
    }

    /// How a party stands to the case: by itself, or in the place of the one it acts for.
    #[must_use]
    pub fn relation(&self, party: &PartyId) -> Relation {
        let own = |party| self.parties.get(party).copied().unwrap_or(Relation::None);
        match own(party) {
            Relation::None => self.delegates.get(party).map_or(Relation::None, own),
            relation => relation,
        }
    }

    /// The party whose place this one takes: its own, or that of the one it acts for.
    #[must_use]
    pub fn seat<'a>(&'a self, party: &'a PartyId) -> &'a PartyId {
        match self.parties.get(party) {
            None | Some(Relation::None) => self.delegates.get(party).unwrap_or(party),
            Some(_) => party,
        }
    }

    /// Whether a message may be sent, and what it changes.
    ///
    /// # Errors
    /// What this sender may send to this recipient instead.
    pub fn step(&self, act: &Act<'_>) -> Result<Change, Illegal> {
        let meeting = Meeting::of(self, act.from, act.to);
        let decided = act.outcome.is_some() || !Outcome::is_demanded(act.kind);
        if decided && meeting.allows(act.kind) {
            Ok(meeting.change(act.kind, act.outcome))
        } else {
            Err(Illegal { possible: self.possible(act.from, act.to) })
        }
    }

    /// Whether a party knows that another has to do with the case: who leads it knows them all, others those that they dealt with.
    #[must_use]
    pub fn knows(&self, party: &PartyId, other: &PartyId) -> bool {
        Meeting::of(self, party, other).dealt_with()
    }

    /// What one party may send to another now.
    #[must_use]
    pub fn possible(&self, from: &PartyId, to: &PartyId) -> Vec<MessageKind> {
        let meeting = Meeting::of(self, from, to);
        MessageKind::ALL.iter().copied().filter(|kind| meeting.allows(*kind)).collect()
    }

    /// The case behind a step.
    #[must_use]
    pub fn after(mut self, act: &Act<'_>, change: Change) -> Self {
        self.state = change.state.unwrap_or(self.state);
        self.parties.extend(change.relations);
        self.sent.push(Sent { kind: act.kind, from: act.from.clone(), to: act.to.clone() });
        self
    }
}

impl Change {
    /// Whether it takes away what somebody could read.
    #[must_use]
    pub fn narrows(&self) -> bool {
        self.state == Some(CaseState::HandedOver) || self.relations.iter().any(|(_, relation)| *relation == Relation::Closed)
    }

    /// How a party stands behind it.
    #[must_use]
    pub fn relation(&self, before: &Standing, party: &PartyId) -> Relation {
        let seat = before.seat(party);
        let changed = self.relations.iter().find(|(changed, _)| changed == seat);
        changed.map_or_else(|| before.relation(party), |(_, relation)| *relation)
    }
}

/// As what a party is shown a message. The hand-over ends the centre's access to what was shared while both supported the person; what belongs to the
/// time behind it (backing, meetings, certificates) stays.
#[must_use]
pub const fn reads_as(state: CaseState, reader: PartyKind, relation: Relation, kind: MessageKind) -> Relation {
    match (state, reader, relation) {
        (CaseState::HandedOver, PartyKind::SettlementCenter, Relation::Origin | Relation::Assigned) if !is_of_the_time_behind(kind) => {
            Relation::Closed
        }
        _ => relation,
    }
}

/// The state as a party is told of it. A provider learns how it stands itself, and not that there is a centre, a referral or another provider.
#[must_use]
pub const fn told(state: CaseState, reader: PartyKind, relation: Relation) -> CaseState {
    if !reader.is_provider() {
        return state;
    }
    match relation {
        Relation::Origin | Relation::Prospective | Relation::Considering | Relation::None => CaseState::Open,
        Relation::Assigned if matches!(state, CaseState::Open) => CaseState::Open,
        Relation::Assigned | Relation::Accepted => CaseState::Accepted,
        Relation::Closed => CaseState::Closed,
    }
}

/// Kinds with which a centre goes on backing a case that was handed over.
const fn is_of_the_time_behind(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::ConsultationRequest
            | MessageKind::ConsultationReply
            | MessageKind::MunicipalAdviceRequest
            | MessageKind::MunicipalAdviceReply
            | MessageKind::MeetingNotice
            | MessageKind::MeetingRecord
            | MessageKind::StatusNotice
            | MessageKind::VisitRecord
            | MessageKind::HandoverProposal
            | MessageKind::HandoverAgreed
            | MessageKind::CoordinationCertificate
            | MessageKind::CertificateRevocation
            | MessageKind::ConsentEvent
            | MessageKind::ErasureRequest
            | MessageKind::ErasureReport
            | MessageKind::IncidentNotice
            | MessageKind::ClosingNotice
    ) || kind.concerns_nobody()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walks;
