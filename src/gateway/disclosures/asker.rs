//! What the body that makes a list of disclosures may know of them (`domain.md` sections 8 and 16), and who of the holders under a consent.
//!
//! Promises: a body hears of messages that it sent or received, and of those between others as far as its own place in the case goes: between public
//! bodies, and those to and from providers where it may see the class `placement`, because who else was asked is of that class. It is told the
//! names of rows that it wrote or read for this purpose, and of classes that the policies would show it for this purpose, whatever the person ticked:
//! a desk that decides on benefits learns from no list that there was a crime. After its part ended, a body is still told of its own messages.
//! What is left out depends on nothing but policies, place and purpose: who may not know of a row cannot tell whether it was there.

use crate::{
    domain::{
        agreement::AgreementState,
        case::{CaseState, Relation},
        codes::{BasisGroup, MessageKind, Purpose},
        consent::ConsentState,
        disclosures::{LeftOut, Scope},
        field::FieldClass,
        life::reads_as,
        party::{PartyId, PartyKind},
    },
    policy::{Key, PolicySet},
};

/// The body that asks, in its place in the case.
pub(in crate::gateway) struct Asker<'a> {
    policy: &'a PolicySet,
    party: &'a PartyId,
    /// The one in whose place it asks.
    by: Option<&'a PartyId>,
    state: CaseState,
    relation: Relation,
    purpose: Purpose,
    scope: Scope,
}

/// A message that somebody was shown.
pub(in crate::gateway) struct Told {
    pub(in crate::gateway) iss: PartyId,
    pub(in crate::gateway) aud: PartyId,
    pub(in crate::gateway) kind: MessageKind,
}

impl<'a> Asker<'a> {
    pub(in crate::gateway) const fn new(
        policy: &'a PolicySet,
        (party, by): (&'a PartyId, Option<&'a PartyId>),
        (state, relation): (CaseState, Relation),
        purpose: Purpose,
        scope: Scope,
    ) -> Self {
        Self { policy, party, by, state, relation, purpose, scope }
    }

    pub(super) const fn party(&self) -> &PartyId {
        self.party
    }

    /// Whether it may know that the recipient was shown this message.
    pub(in crate::gateway) fn hears_of(&self, told: &Told, recipient: &PartyId) -> bool {
        let placement = || self.would_see(told.iss.kind(), told.kind, self.place(told), FieldClass::Placement);
        let providers = [&told.iss, &told.aud, recipient].into_iter().any(|party| party.kind().is_provider());
        self.is_own(told) || (self.scope == Scope::Case && (!providers || placement()))
    }

    /// Whether it may know that the recipient looked the consent up: whom the collector did not write to itself, it does not learn of by that either.
    pub(in crate::gateway) fn hears_of_look(&self, told: &Told, looker: &PartyId) -> bool {
        if [Some(self.party), self.by].contains(&Some(looker)) {
            return true;
        }
        if looker.kind().is_provider() {
            return self.scope == Scope::Case && self.would_see(told.iss.kind(), told.kind, self.among_others(), FieldClass::Placement);
        }
        self.is_own(told) || self.scope == Scope::Case
    }

    /// Whether it may know that rows of this class were shown. `own` are the purposes for which it read or wrote them itself.
    pub(super) fn knows(&self, told: &Told, class: FieldClass, own: [Option<Purpose>; 2]) -> bool {
        own.contains(&Some(self.purpose)) || self.would_see(told.iss.kind(), told.kind, self.place(told), class)
    }

    /// What the list does not say of messages between others, or of its own where it says nothing of others.
    pub(super) fn left_out(&self) -> LeftOut {
        let (kind, sender) = (MessageKind::Referral, PartyKind::SettlementCenter);
        let place = match self.scope {
            Scope::Case => self.among_others(),
            Scope::Own => Relation::Assigned,
        };
        let hidden = |class: &FieldClass| !class.consent_may_not_name() && !self.would_see(sender, kind, place, *class);
        LeftOut {
            classes: FieldClass::ALL.iter().copied().filter(hidden).collect(),
            providers: self.scope == Scope::Own || !self.would_see(sender, kind, place, FieldClass::Placement),
        }
    }

    fn is_own(&self, told: &Told) -> bool {
        let seats = [Some(self.party), self.by];
        seats.contains(&Some(&told.iss)) || seats.contains(&Some(&told.aud))
    }

    /// As what it would read the message. Of its own it knows what it knew, also after its part ended.
    fn place(&self, told: &Told) -> Relation {
        if !self.is_own(told) {
            return self.among_others();
        }
        match reads_as(self.state, self.seat(), self.relation, told.kind) {
            Relation::Closed => Relation::Assigned,
            relation => relation,
        }
    }

    /// As what it looks at messages between others, of whatever kind: behind a hand-over the kinds with which a centre goes on backing the case are
    /// addressed to it, and what others send each other is no more its affair than the rest.
    fn among_others(&self) -> Relation {
        reads_as(self.state, self.seat(), self.relation, MessageKind::Referral)
    }

    fn seat(&self) -> PartyKind {
        self.by.unwrap_or(self.party).kind()
    }

    /// Whether the policies would show a class to a body like this, under an agreement and a consent that cover it. A delegate needs it of both kinds.
    fn would_see(&self, sender: PartyKind, kind: MessageKind, relation: Relation, class: FieldClass) -> bool {
        let key = |reader| Key {
            reader,
            sender,
            class,
            purpose: self.purpose,
            kind,
            relation,
            basis: BasisGroup::Consent,
            agreement: AgreementState::Covers,
            consent: ConsentState::CoversTicked,
            named: true,
        };
        [Some(self.party), self.by].into_iter().flatten().all(|party| self.policy.decide(&key(party.kind())).allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CITY: &str = "municipality:131016-1";
    const CENTRE: &str = "settlement_center:13-1";
    const CORE: &str = "core_center:131016-2";
    const HOME: &str = "group_home:1320100017";
    const OFFICE: &str = "consultation_office:1330100015";

    fn party(text: &str) -> PartyId {
        text.parse().unwrap()
    }

    fn told(iss: &str, aud: &str, kind: MessageKind) -> Told {
        Told { iss: party(iss), aud: party(aud), kind }
    }

    struct Stage {
        policy: PolicySet,
        party: PartyId,
        by: Option<PartyId>,
        state: CaseState,
        relation: Relation,
        purpose: Purpose,
        scope: Scope,
    }

    impl Stage {
        fn of(text: &str, relation: Relation) -> Self {
            let policy = PolicySet::builtin().unwrap();
            let (state, purpose) = (CaseState::Accepted, Purpose::PlacementCoordination);
            Self { policy, party: party(text), by: None, state, relation, purpose, scope: Scope::Case }
        }

        fn asker(&self) -> Asker<'_> {
            Asker::new(&self.policy, (&self.party, self.by.as_ref()), (self.state, self.relation), self.purpose, self.scope)
        }
    }

    #[test]
    fn the_desk_of_benefits_learns_of_no_crime_and_of_no_provider_that_others_asked() {
        let mut stage = Stage::of(CITY, Relation::Assigned);
        let referral = told(CENTRE, CITY, MessageKind::Referral);
        let onward = told(OFFICE, HOME, MessageKind::PlanNotice);
        assert!(stage.asker().knows(&referral, FieldClass::CriminalSummary, [None, None]));
        assert!(stage.asker().hears_of(&onward, &party(HOME)));
        assert!(!stage.asker().left_out().classes.contains(&FieldClass::CriminalSummary));
        stage.purpose = Purpose::BenefitDecision;
        let asker = stage.asker();
        for class in [FieldClass::CriminalSummary, FieldClass::CriminalStatus, FieldClass::ReleaseFact] {
            assert!(
                !asker.knows(&referral, class, [Some(Purpose::PlacementCoordination), None]),
                "{class}: it was read for another purpose"
            );
            assert!(asker.left_out().classes.contains(&class), "{class}");
        }
        assert!(asker.knows(&referral, FieldClass::Identity, [None, None]));
        assert!(!asker.hears_of(&onward, &party(HOME)) && asker.left_out().providers);
    }

    #[test]
    fn a_centre_is_told_of_providers_until_the_hand_over() {
        let mut stage = Stage::of(CENTRE, Relation::Origin);
        let request = told(CITY, HOME, MessageKind::PlacementRequest);
        assert!(stage.asker().hears_of(&request, &party(HOME)) && !stage.asker().left_out().providers);
        stage.state = CaseState::HandedOver;
        for kind in MessageKind::ALL {
            let others = [told(CITY, HOME, *kind), told(HOME, CITY, *kind)];
            assert!(others.iter().all(|others| !stage.asker().hears_of(others, &others.aud)), "{kind}");
        }
        assert!(stage.asker().left_out().providers);
        let own = told(CENTRE, CITY, MessageKind::Referral);
        assert!(stage.asker().hears_of(&own, &party(CITY)) && stage.asker().knows(&own, FieldClass::Identity, [None, None]));
        assert!(!stage.asker().knows(&request, FieldClass::Identity, [None, None]));
    }

    #[test]
    fn whose_part_ended_is_told_of_its_own_messages_alone() {
        let mut stage = Stage::of(CITY, Relation::Closed);
        (stage.state, stage.scope) = (CaseState::Closed, Scope::Own);
        let asker = stage.asker();
        let own = told(CITY, HOME, MessageKind::PlacementRequest);
        assert!(asker.hears_of(&own, &party(HOME)) && asker.knows(&own, FieldClass::Identity, [None, None]));
        for others in [told(CENTRE, CORE, MessageKind::CenterShare), told(OFFICE, HOME, MessageKind::PlanNotice)] {
            assert!(!asker.hears_of(&others, &others.aud));
        }
        assert!(asker.left_out().providers);
    }

    #[test]
    fn what_a_body_wrote_or_read_itself_it_may_name_for_the_same_purpose() {
        let stage = Stage::of(CENTRE, Relation::Origin);
        let referral = told(CENTRE, CITY, MessageKind::Referral);
        let knows = |own| stage.asker().knows(&referral, FieldClass::CriminalDetail, own);
        assert!(knows([None, Some(Purpose::PlacementCoordination)]) && knows([Some(Purpose::PlacementCoordination), None]));
        assert!(!knows([None, None]) && !knows([None, Some(Purpose::BackupConsultation)]));
    }

    #[test]
    fn a_delegate_knows_what_both_kinds_may_know() {
        let mut stage = Stage::of(CORE, Relation::Assigned);
        stage.by = Some(party(CITY));
        let referral = told(CENTRE, CITY, MessageKind::Referral);
        assert!(stage.asker().hears_of(&referral, &party(CITY)));
        assert!(stage.asker().knows(&referral, FieldClass::Identity, [None, None]));
        stage.purpose = Purpose::BenefitDecision;
        assert!(!stage.asker().knows(&referral, FieldClass::Identity, [None, None]), "a core centre decides no benefits");
    }
}
