//! The rules themselves: one line for each kind.

use super::{Change, Outcome, Sent, Standing};
use crate::domain::{
    case::{CaseState, Relation},
    codes::MessageKind,
    party::{PartyId, PartyKind},
};

/// Two parties and how they stand to the case.
pub(super) struct Meeting<'a> {
    standing: &'a Standing,
    from: &'a PartyId,
    to: &'a PartyId,
    sender: Relation,
    recipient: Relation,
}

impl<'a> Meeting<'a> {
    pub(super) fn of(standing: &'a Standing, from: &'a PartyId, to: &'a PartyId) -> Self {
        let recipient = standing.relation(to);
        Self { standing, from, to, sender: standing.relation(from), recipient }
    }

    /// Whether a message of this kind may pass between the two now.
    pub(super) fn allows(&self, kind: MessageKind) -> bool {
        if self.sender == Relation::None || self.from == self.to {
            return false;
        }
        if self.standing.opened_by.concerns_nobody() {
            return self.is_of_a_notice(kind);
        }
        match self.standing.state {
            CaseState::Closed => return self.is_allowed_when_closed(kind),
            CaseState::Declined => return self.is_afterwards(kind) || (kind == MessageKind::ClosingNotice && self.gave_it_up()),
            CaseState::Open | CaseState::Accepted | CaseState::HandedOver => {}
        }
        if self.sender == Relation::Closed || self.recipient == Relation::Closed {
            return self.is_afterwards(kind) || (kind == MessageKind::ClosingNotice && self.gave_it_up());
        }
        self.takes_part(kind) || self.asks(kind) || self.answers(kind) || self.informs(kind) || self.is_afterwards(kind)
    }

    /// What moves the case itself.
    fn takes_part(&self, kind: MessageKind) -> bool {
        let state = self.standing.state;
        match kind {
            // Again only behind a redirection: nobody is asked to take the case on any more.
            MessageKind::Referral => {
                state == CaseState::Open && self.is_with_nobody() && self.sender == Relation::Origin && self.is_new_lead()
            }
            MessageKind::ReferralAck => {
                state == CaseState::Open && self.is_asked_to_take_it_on() && !self.was_sent(kind, self.from, self.to)
            }
            MessageKind::ReferralDecision => state == CaseState::Open && self.is_asked_to_take_it_on(),
            MessageKind::HandoverProposal => {
                state == CaseState::Accepted && self.is_between_lead_and_centre() && self.open_proposals(self.from, self.to) == 0
            }
            MessageKind::HandoverAgreed => {
                state == CaseState::Accepted && self.is_between_lead_and_centre() && self.open_proposals(self.to, self.from) > 0
            }
            MessageKind::ClosingNotice => self.is_lead() && self.recipient != Relation::None,
            _ => false,
        }
    }

    /// What asks somebody to act.
    fn asks(&self, kind: MessageKind) -> bool {
        let running = self.is_running();
        match kind {
            MessageKind::Enquiry => running && self.is_lead() && self.is_to_service(&[Relation::None, Relation::Prospective]),
            MessageKind::PlacementRequest => {
                running && self.is_lead() && self.is_to_service(&[Relation::None, Relation::Prospective, Relation::Considering])
            }
            MessageKind::PlanRequest => {
                running && self.is_lead() && self.is_to_office() && matches!(self.recipient, Relation::None | Relation::Assigned)
            }
            MessageKind::ConsultationRequest => {
                running && ((self.is_serving() && self.knows_lead()) || (self.is_lead() && self.is_to_centre_or_new()))
            }
            MessageKind::MunicipalAdviceRequest => self.is_lead() && self.is_to_centre_or_new(),
            // Behind the hand-over a centre is shown what backing needs, and nothing like these.
            MessageKind::CenterShare => !self.is_handed_over() && self.is_lead() && self.is_to_centre_or_new(),
            MessageKind::CenterTransfer => {
                !self.is_handed_over()
                    && self.is_centre()
                    && self.to.kind() == PartyKind::SettlementCenter
                    && matches!(self.recipient, Relation::None | Relation::Assigned)
            }
            _ => false,
        }
    }

    /// What answers a question that was put to the sender.
    fn answers(&self, kind: MessageKind) -> bool {
        let asked = |asking| self.was_sent(asking, self.to, self.from);
        match kind {
            MessageKind::EnquiryReply => self.sender == Relation::Prospective && asked(MessageKind::Enquiry) && self.to_lead(),
            MessageKind::PlacementDecision => {
                self.sender == Relation::Considering && asked(MessageKind::PlacementRequest) && self.to_lead()
            }
            MessageKind::ConsultationReply => {
                self.is_running()
                    && (asked(MessageKind::ConsultationRequest) || asked(MessageKind::ProviderConsultation))
                    && (self.is_lead() || self.is_centre())
            }
            MessageKind::MunicipalAdviceReply => self.is_centre() && asked(MessageKind::MunicipalAdviceRequest) && self.to_lead(),
            _ => false,
        }
    }

    /// What tells something to those who work together.
    fn informs(&self, kind: MessageKind) -> bool {
        let running = self.is_running();
        match kind {
            // Behind the hand-over the centre is told nothing more; what it remembers, it may still say.
            MessageKind::Supplement => {
                (self.is_backing() && self.to_lead()) || (!self.is_handed_over() && self.is_lead() && self.is_to_backing())
            }
            MessageKind::Correction => self.recipient != Relation::None && self.told_something(),
            MessageKind::ResourceInfo => self.is_lead() && self.is_to_backing(),
            MessageKind::PlanNotice => {
                let to_service = self.is_to_service(&[Relation::Accepted]) && (self.dealt_with() || self.met());
                running && self.is_office() && (self.knows_lead() || to_service)
            }
            MessageKind::BenefitNotice => {
                running && self.is_lead() && (self.is_to_service(&[Relation::Accepted]) || self.is_to_serving_office())
            }
            MessageKind::ServiceHandoff => running && self.is_lead() && self.is_to_service(&[Relation::Accepted]),
            MessageKind::MeetingNotice | MessageKind::MeetingRecord => running && self.is_lead() && self.takes_part_too(),
            MessageKind::StatusNotice => {
                self.takes_back() || (running && self.is_active() && self.may_address() && self.is_told_the_status())
            }
            MessageKind::VisitRecord => running && ((self.is_lead() && self.takes_part_too()) || (self.is_serving() && self.knows_lead())),
            MessageKind::InterviewEvidence => {
                running && ((self.is_office() && self.knows_lead()) || (self.is_lead() && self.is_to_serving_office()))
            }
            MessageKind::CoordinationCertificate => {
                running && (self.is_lead() || self.is_backing()) && (self.to_lead() || self.is_to_service(&[Relation::Accepted]))
            }
            _ => false,
        }
    }

    /// What is still due between bodies that dealt with each other, whatever became of the case.
    fn is_afterwards(&self, kind: MessageKind) -> bool {
        let both = self.recipient != Relation::None && self.dealt_with();
        match kind {
            // A report comes unasked too: behind a withdrawal, and when the provider's own period is over (`domain.md` sections 10.3 and 12).
            MessageKind::ConsentEvent | MessageKind::ErasureRequest | MessageKind::ErasureReport | MessageKind::IncidentNotice => both,
            MessageKind::CertificateRevocation => self.was_sent(MessageKind::CoordinationCertificate, self.from, self.to),
            _ => false,
        }
    }

    /// Who closed a case tells everybody else too, once.
    fn is_allowed_when_closed(&self, kind: MessageKind) -> bool {
        let closes = kind == MessageKind::ClosingNotice && self.recipient != Relation::None;
        let seat = |party| self.standing.seat(party);
        let notices = || self.standing.sent.iter().filter(|sent| sent.kind == kind);
        let began = notices().any(|sent| seat(&sent.from) == seat(self.from));
        let told = notices().any(|sent| seat(&sent.to) == seat(self.to));
        (closes && began && !told) || self.is_afterwards(kind)
    }

    /// Notices of bodies as such: what opened the case goes to and fro, until it is closed.
    fn is_of_a_notice(&self, kind: MessageKind) -> bool {
        let closed = self.standing.state == CaseState::Closed;
        let both = self.recipient != Relation::None;
        both && !closed && (kind == self.standing.opened_by || (kind == MessageKind::ClosingNotice && self.is_lead()))
    }

    /// What a message changes. It was found to be allowed.
    pub(super) fn change(&self, kind: MessageKind, outcome: Option<Outcome>) -> Change {
        let (sender, recipient) = (self.standing.seat(self.from), self.standing.seat(self.to));
        let mut change = Change::default();
        let mut set = |party: &PartyId, relation| {
            if self.standing.relation(party) != relation {
                change.relations.push((party.clone(), relation));
            }
        };
        match (kind, outcome) {
            (
                MessageKind::Referral
                | MessageKind::PlanRequest
                | MessageKind::CenterShare
                | MessageKind::CenterTransfer
                | MessageKind::ConsultationRequest
                | MessageKind::MunicipalAdviceRequest,
                _,
            ) if self.recipient == Relation::None => set(recipient, Relation::Assigned),
            (MessageKind::ReferralDecision, Some(Outcome::Accepted)) => change.state = Some(CaseState::Accepted),
            (MessageKind::ReferralDecision, Some(Outcome::Redirected)) => {
                for party in self.let_in_by(sender) {
                    set(party, Relation::Closed);
                }
                set(sender, Relation::Closed);
            }
            // Whoever was let in while it was being considered has no more to do with it than who declined.
            (MessageKind::ReferralDecision, _) => {
                for (party, relation) in &self.standing.parties {
                    if !matches!(relation, Relation::None | Relation::Origin) {
                        set(party, Relation::Closed);
                    }
                }
                change.state = Some(CaseState::Declined);
            }
            (MessageKind::Enquiry, _) => set(recipient, Relation::Prospective),
            (MessageKind::PlacementRequest, _) => set(recipient, Relation::Considering),
            (MessageKind::PlacementDecision, Some(Outcome::Accepted)) => set(sender, Relation::Accepted),
            (MessageKind::PlacementDecision, _) | (MessageKind::EnquiryReply, Some(Outcome::Impossible)) => set(sender, Relation::Closed),
            (MessageKind::StatusNotice, Some(Outcome::Cancelled)) if self.takes_back() => {
                for party in self.everybody() {
                    set(party, Relation::Closed);
                }
                change.state = Some(CaseState::Closed);
            }
            // A provider ends what it does itself; of others only the lead says so.
            (MessageKind::StatusNotice, Some(Outcome::Ended | Outcome::Cancelled)) if self.from.kind().is_provider() => {
                set(sender, Relation::Closed);
            }
            (MessageKind::StatusNotice, Some(Outcome::Ended | Outcome::Cancelled)) if self.is_lead() && self.to.kind().is_provider() => {
                set(recipient, Relation::Closed);
            }
            (MessageKind::HandoverAgreed, Some(Outcome::Agreed)) => change.state = Some(CaseState::HandedOver),
            (MessageKind::ClosingNotice, _) if self.standing.state != CaseState::Closed => {
                for party in self.everybody() {
                    set(party, Relation::Closed);
                }
                change.state = Some(CaseState::Closed);
            }
            _ => {}
        }
        change
    }
}

/// Who the two are.
impl Meeting<'_> {
    const fn is_running(&self) -> bool {
        matches!(self.standing.state, CaseState::Accepted | CaseState::HandedOver)
    }

    const fn is_handed_over(&self) -> bool {
        matches!(self.standing.state, CaseState::HandedOver)
    }

    /// A municipality or core centre that leads the case, or brought it to the one that does.
    fn is_lead(&self) -> bool {
        leads(self.from.kind(), self.sender)
    }

    fn to_lead(&self) -> bool {
        leads(self.to.kind(), self.recipient)
    }

    /// A lead that the sender knows: its own question is not how it learns who leads.
    fn knows_lead(&self) -> bool {
        self.to_lead() && self.dealt_with()
    }

    /// Whether a municipality or core centre could be asked to take the case on.
    fn is_new_lead(&self) -> bool {
        self.to.kind().leads_cases() && self.recipient == Relation::None
    }

    /// Whether the sender was asked to take the case on, by the recipient.
    fn is_asked_to_take_it_on(&self) -> bool {
        self.from.kind().leads_cases() && self.sender == Relation::Assigned && self.recipient == Relation::Origin
    }

    /// Whether nobody is asked to take the case on.
    fn is_with_nobody(&self) -> bool {
        let asked = |(party, relation): (&PartyId, &Relation)| party.kind().leads_cases() && *relation == Relation::Assigned;
        !self.standing.parties.iter().any(asked)
    }

    fn is_centre(&self) -> bool {
        self.from.kind() == PartyKind::SettlementCenter && matches!(self.sender, Relation::Origin | Relation::Assigned)
    }

    fn is_to_centre_or_new(&self) -> bool {
        self.to.kind() == PartyKind::SettlementCenter && matches!(self.recipient, Relation::None | Relation::Origin | Relation::Assigned)
    }

    fn is_between_lead_and_centre(&self) -> bool {
        let to_centre = self.to.kind() == PartyKind::SettlementCenter && matches!(self.recipient, Relation::Origin | Relation::Assigned);
        (self.is_lead() && to_centre) || (self.is_centre() && self.knows_lead())
    }

    /// A body that brought the case here or was let into it beside the lead: centre, probation office, bar association.
    fn is_backing(&self) -> bool {
        backs(self.from.kind(), self.sender) || self.sender == Relation::Origin
    }

    fn is_to_backing(&self) -> bool {
        backs(self.to.kind(), self.recipient) || self.recipient == Relation::Origin
    }

    fn is_office(&self) -> bool {
        self.from.kind() == PartyKind::ConsultationOffice && matches!(self.sender, Relation::Assigned | Relation::Accepted)
    }

    fn is_to_office(&self) -> bool {
        self.to.kind() == PartyKind::ConsultationOffice
    }

    fn is_to_serving_office(&self) -> bool {
        self.is_to_office() && matches!(self.recipient, Relation::Assigned | Relation::Accepted)
    }

    /// A service that stands so to the case.
    fn is_to_service(&self, relations: &[Relation]) -> bool {
        self.to.kind().is_provider() && !self.is_to_office() && relations.contains(&self.recipient)
    }

    /// A provider that serves the person or plans for it.
    fn is_serving(&self) -> bool {
        self.from.kind().is_provider() && matches!(self.sender, Relation::Assigned | Relation::Accepted)
    }

    const fn is_active(&self) -> bool {
        is_active(self.sender)
    }

    /// Who takes part is; and the lead tells a service that it is asked no more.
    fn is_told_the_status(&self) -> bool {
        self.takes_part_too() || (self.is_lead() && self.is_to_service(&[Relation::Prospective, Relation::Considering]))
    }

    /// Whether the sender brought an open case to the recipient, which has not answered yet.
    fn takes_back(&self) -> bool {
        let asked = self.to.kind().leads_cases() && self.recipient == Relation::Assigned;
        self.standing.state == CaseState::Open && self.sender == Relation::Origin && asked
    }

    /// Whether the sender would not take on what the recipient brought, and nobody else is asked: then it may close it.
    fn gave_it_up(&self) -> bool {
        let refused = self.from.kind().leads_cases() && self.was_sent(MessageKind::ReferralDecision, self.from, self.to);
        matches!(self.standing.state, CaseState::Open | CaseState::Declined)
            && refused
            && self.recipient == Relation::Origin
            && self.is_with_nobody()
    }

    /// Whether a lead called both to a meeting: they know of each other.
    fn met(&self) -> bool {
        let seat = |party| self.standing.seat(party);
        let called = |sent: &&Sent| sent.kind == MessageKind::MeetingNotice && sent.from.kind().leads_cases();
        let was = |party| self.standing.sent.iter().filter(called).any(|sent| seat(&sent.to) == seat(party));
        was(self.from) && was(self.to)
    }

    /// Everybody who has to do with the case.
    fn everybody(&self) -> impl Iterator<Item = &PartyId> {
        self.standing.parties.iter().filter(|(_, relation)| **relation != Relation::None).map(|(party, _)| party)
    }

    /// Those to whom a party sent the first that they got.
    fn let_in_by(&self, party: &PartyId) -> impl Iterator<Item = &PartyId> {
        let first = |of: &PartyId| self.standing.sent.iter().find(|sent| sent.to == *of).map(|sent| self.standing.seat(&sent.from));
        self.everybody().filter(move |other| self.standing.parties.get(*other) != Some(&Relation::Origin) && first(other) == Some(party))
    }

    /// Whether the recipient knows who the person is.
    const fn takes_part_too(&self) -> bool {
        is_active(self.recipient)
    }

    /// Whether the sender may be answered for this recipient at all: a lead knows them all, others know whom they dealt with.
    fn may_address(&self) -> bool {
        self.is_lead() || self.dealt_with()
    }

    /// Whether anything passed between the two, or those in whose place they are. Who leads deals with everybody.
    pub(super) fn dealt_with(&self) -> bool {
        self.is_lead() || self.messages(self.from, self.to).next().is_some() || self.messages(self.to, self.from).next().is_some()
    }

    /// Whether the sender told the recipient anything that could be wrong.
    fn told_something(&self) -> bool {
        self.messages(self.from, self.to).any(|kind| kind != MessageKind::Correction)
    }

    fn was_sent(&self, kind: MessageKind, from: &PartyId, to: &PartyId) -> bool {
        self.messages(from, to).any(|sent| sent == kind)
    }

    /// The kinds that one sent to the other, each or somebody in its place.
    fn messages(&self, from: &PartyId, to: &PartyId) -> impl Iterator<Item = MessageKind> {
        let standing = self.standing;
        let (from, to) = (standing.seat(from).clone(), standing.seat(to).clone());
        let between = move |sent: &&Sent| *standing.seat(&sent.from) == from && *standing.seat(&sent.to) == to;
        standing.sent.iter().filter(between).map(|sent| sent.kind)
    }

    /// Proposals of one side that the other has not answered.
    fn open_proposals(&self, from: &PartyId, to: &PartyId) -> usize {
        let count = |kind, from, to| self.messages(from, to).filter(|sent| *sent == kind).count();
        count(MessageKind::HandoverProposal, from, to).saturating_sub(count(MessageKind::HandoverAgreed, to, from))
    }
}

fn leads(kind: PartyKind, relation: Relation) -> bool {
    kind.leads_cases() && matches!(relation, Relation::Origin | Relation::Assigned)
}

const fn backs(kind: PartyKind, relation: Relation) -> bool {
    matches!(kind, PartyKind::SettlementCenter | PartyKind::ProbationOffice | PartyKind::BarAssociation)
        && matches!(relation, Relation::Origin | Relation::Assigned)
}

const fn is_active(relation: Relation) -> bool {
    matches!(relation, Relation::Origin | Relation::Assigned | Relation::Accepted)
}
