use super::*;

const CENTRE: &str = "settlement_center:13-1";
const OTHER_CENTRE: &str = "settlement_center:14-1";
const CITY: &str = "municipality:131016-1";
const OTHER_CITY: &str = "municipality:131024-1";
const CORE: &str = "core_center:131016-1";
const BAR: &str = "bar_association:13-1";
const OFFICE: &str = "consultation_office:1330100015";
const HOME: &str = "group_home:1320100017";
const OTHER_HOME: &str = "group_home:1320100025";

pub(super) fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

/// A case that goes its way.
pub(super) struct Story(pub(super) Standing);

impl Story {
    fn opened(kind: MessageKind, from: &str, to: &str) -> Self {
        Self(Standing::opened(kind, &party(from), &party(to)).unwrap())
    }

    /// A referral that the city took on.
    fn running() -> Self {
        let mut story = Self::opened(MessageKind::Referral, CENTRE, CITY);
        story.goes(MessageKind::ReferralAck, CITY, CENTRE, None);
        story.goes(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Accepted));
        story
    }

    /// And that one home serves and an office plans for.
    fn in_use() -> Self {
        let mut story = Self::running();
        story.goes(MessageKind::PlacementRequest, CITY, HOME, None);
        story.goes(MessageKind::PlacementDecision, HOME, CITY, Some(Outcome::Accepted));
        story.goes(MessageKind::PlanRequest, CITY, OFFICE, None);
        story
    }

    fn handed_over() -> Self {
        let mut story = Self::in_use();
        story.goes(MessageKind::HandoverProposal, CENTRE, CITY, None);
        story.goes(MessageKind::HandoverAgreed, CITY, CENTRE, Some(Outcome::Agreed));
        story
    }

    fn try_it(&mut self, kind: MessageKind, from: &str, to: &str, outcome: Option<Outcome>) -> Result<(), Illegal> {
        let (from, to) = (party(from), party(to));
        let act = Act { kind, from: &from, to: &to, outcome };
        let change = self.0.step(&act)?;
        self.0 = self.0.clone().after(&act, change);
        Ok(())
    }

    fn goes(&mut self, kind: MessageKind, from: &str, to: &str, outcome: Option<Outcome>) {
        self.try_it(kind, from, to, outcome)
            .unwrap_or_else(|illegal| panic!("{kind} from {from} to {to}: possible {:?}", illegal.possible));
    }

    fn refuses(&mut self, kind: MessageKind, from: &str, to: &str, outcome: Option<Outcome>) -> Vec<MessageKind> {
        self.try_it(kind, from, to, outcome).expect_err(kind.as_str()).possible
    }

    fn relation(&self, of: &str) -> Relation {
        self.0.relation(&party(of))
    }
}

#[test]
fn a_case_goes_its_way_from_the_referral_to_the_end() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    assert_eq!((story.0.state, story.relation(CENTRE), story.relation(CITY)), (CaseState::Open, Relation::Origin, Relation::Assigned));
    story.goes(MessageKind::ReferralAck, CITY, CENTRE, None);
    story.goes(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Accepted));
    assert_eq!(story.0.state, CaseState::Accepted);
    for home in [HOME, OTHER_HOME] {
        story.goes(MessageKind::Enquiry, CITY, home, None);
        assert_eq!(story.relation(home), Relation::Prospective);
    }
    story.goes(MessageKind::EnquiryReply, OTHER_HOME, CITY, Some(Outcome::Impossible));
    assert_eq!(story.relation(OTHER_HOME), Relation::Closed);
    story.goes(MessageKind::EnquiryReply, HOME, CITY, Some(Outcome::Question));
    story.goes(MessageKind::EnquiryReply, HOME, CITY, Some(Outcome::Possible));
    story.goes(MessageKind::PlacementRequest, CITY, HOME, None);
    assert_eq!(story.relation(HOME), Relation::Considering);
    story.goes(MessageKind::PlacementDecision, HOME, CITY, Some(Outcome::Accepted));
    assert_eq!(story.relation(HOME), Relation::Accepted);
    story.goes(MessageKind::PlanRequest, CITY, OFFICE, None);
    assert_eq!(story.relation(OFFICE), Relation::Assigned);
    story.refuses(MessageKind::PlanNotice, OFFICE, HOME, None);
    for invited in [OFFICE, HOME] {
        story.goes(MessageKind::MeetingNotice, CITY, invited, None);
    }
    story.goes(MessageKind::PlanNotice, OFFICE, HOME, None);
    story.goes(MessageKind::BenefitNotice, CITY, OFFICE, None);
    story.goes(MessageKind::ServiceHandoff, CITY, HOME, None);
    story.goes(MessageKind::StatusNotice, HOME, CITY, Some(Outcome::Started));
    story.goes(MessageKind::HandoverProposal, CENTRE, CITY, None);
    assert_eq!(story.0.state, CaseState::Accepted);
    story.goes(MessageKind::HandoverAgreed, CITY, CENTRE, Some(Outcome::Agreed));
    assert_eq!((story.0.state, story.relation(CENTRE)), (CaseState::HandedOver, Relation::Origin));
    story.goes(MessageKind::ConsultationRequest, HOME, CITY, None);
    story.goes(MessageKind::ConsultationReply, CITY, HOME, None);
    story.goes(MessageKind::CoordinationCertificate, CENTRE, CITY, None);
    story.goes(MessageKind::ClosingNotice, CITY, CENTRE, None);
    assert_eq!(story.0.state, CaseState::Closed);
    for party in [CENTRE, CITY, HOME, OTHER_HOME, OFFICE] {
        assert_eq!(story.relation(party), Relation::Closed, "{party}");
    }
}

#[test]
fn who_asks_too_early_is_told_what_is_possible() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    let possible = story.refuses(MessageKind::Enquiry, CITY, HOME, None);
    assert_eq!(possible, [], "nothing goes to a home before the case is taken on");
    let possible = story.refuses(MessageKind::HandoverProposal, CITY, CENTRE, None);
    assert!(possible.contains(&MessageKind::ReferralDecision) && !possible.contains(&MessageKind::HandoverProposal), "{possible:?}");
    let possible = story.refuses(MessageKind::ReferralDecision, CENTRE, CITY, Some(Outcome::Accepted));
    assert!(possible.contains(&MessageKind::Supplement), "{possible:?}");
}

#[test]
fn a_decision_that_decides_nothing_is_none() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    assert!(story.refuses(MessageKind::ReferralDecision, CITY, CENTRE, None).contains(&MessageKind::ReferralDecision));
    assert_eq!(story.0.state, CaseState::Open);
}

#[test]
fn a_decision_is_made_once() {
    let mut story = Story::running();
    story.refuses(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Declined));
    story.refuses(MessageKind::ReferralAck, CITY, CENTRE, None);
    let mut story = Story::in_use();
    story.refuses(MessageKind::PlacementDecision, HOME, CITY, Some(Outcome::Declined));
}

#[test]
fn who_declines_a_referral_is_out_of_the_case() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    story.goes(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Declined));
    assert_eq!((story.0.state, story.relation(CITY), story.relation(CENTRE)), (CaseState::Declined, Relation::Closed, Relation::Origin));
    assert_eq!(story.refuses(MessageKind::Referral, CENTRE, OTHER_CITY, None), []);
    assert!(!story.refuses(MessageKind::Supplement, CENTRE, CITY, None).contains(&MessageKind::Supplement));
    story.goes(MessageKind::ErasureRequest, CENTRE, CITY, None);
    story.goes(MessageKind::ErasureReport, CITY, CENTRE, None);
}

#[test]
fn a_redirected_referral_goes_to_another_municipality_in_the_same_case() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    story.refuses(MessageKind::Referral, CENTRE, OTHER_CITY, None);
    story.goes(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Redirected));
    assert_eq!((story.0.state, story.relation(CITY)), (CaseState::Open, Relation::Closed));
    story.refuses(MessageKind::Referral, CENTRE, CITY, None);
    story.goes(MessageKind::Referral, CENTRE, OTHER_CITY, None);
    assert_eq!(story.relation(OTHER_CITY), Relation::Assigned);
    story.refuses(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Accepted));
    story.goes(MessageKind::ReferralDecision, OTHER_CITY, CENTRE, Some(Outcome::Accepted));
    assert_eq!(story.0.state, CaseState::Accepted);
}

#[test]
fn what_a_home_declined_it_is_not_asked_again() {
    for (asking, answer, outcome) in [
        (MessageKind::Enquiry, MessageKind::EnquiryReply, Outcome::Impossible),
        (MessageKind::PlacementRequest, MessageKind::PlacementDecision, Outcome::Declined),
    ] {
        let mut story = Story::running();
        story.goes(asking, CITY, HOME, None);
        story.goes(answer, HOME, CITY, Some(outcome));
        assert_eq!(story.relation(HOME), Relation::Closed);
        for kind in [MessageKind::Enquiry, MessageKind::PlacementRequest, MessageKind::ServiceHandoff] {
            story.refuses(kind, CITY, HOME, None);
        }
        story.refuses(answer, HOME, CITY, Some(outcome));
    }
}

#[test]
fn only_the_lead_enquires_and_only_services_are_asked() {
    for from in [CENTRE, HOME, OFFICE] {
        Story::in_use().refuses(MessageKind::Enquiry, from, OTHER_HOME, None);
    }
    for to in [CENTRE, OFFICE, OTHER_CITY] {
        Story::in_use().refuses(MessageKind::Enquiry, CITY, to, None);
    }
    Story::in_use().refuses(MessageKind::PlanRequest, CITY, OTHER_HOME, None);
}

#[test]
fn a_provider_learns_nothing_about_parties_it_has_not_dealt_with() {
    let mut story = Story::in_use();
    story.goes(MessageKind::Enquiry, CITY, OTHER_HOME, None);
    for from in [HOME, OTHER_HOME, OFFICE] {
        for kind in MessageKind::ALL {
            let stranger = story.0.step(&Act { kind: *kind, from: &party(from), to: &party("day_service:1312345678"), outcome: None });
            for other in [HOME, OTHER_HOME, CENTRE, OFFICE, BAR].into_iter().filter(|other| *other != from) {
                let told = story.0.step(&Act { kind: *kind, from: &party(from), to: &party(other), outcome: None });
                assert_eq!(told, stranger, "{kind} from {from} to {other}");
            }
        }
    }
}

#[test]
fn a_hand_over_needs_both_sides() {
    let mut story = Story::in_use();
    story.refuses(MessageKind::HandoverAgreed, CITY, CENTRE, Some(Outcome::Agreed));
    story.goes(MessageKind::HandoverProposal, CITY, CENTRE, None);
    story.refuses(MessageKind::HandoverAgreed, CITY, CENTRE, Some(Outcome::Agreed));
    story.goes(MessageKind::HandoverAgreed, CENTRE, CITY, Some(Outcome::Declined));
    assert_eq!(story.0.state, CaseState::Accepted);
    story.refuses(MessageKind::HandoverAgreed, CENTRE, CITY, Some(Outcome::Agreed));
    story.goes(MessageKind::HandoverProposal, CENTRE, CITY, None);
    story.goes(MessageKind::HandoverAgreed, CITY, CENTRE, Some(Outcome::Agreed));
    assert_eq!(story.0.state, CaseState::HandedOver);
    story.refuses(MessageKind::HandoverProposal, CENTRE, CITY, None);
}

#[test]
fn behind_the_hand_over_the_centre_is_told_and_shown_no_more() {
    let mut story = Story::handed_over();
    story.refuses(MessageKind::Supplement, CITY, CENTRE, None);
    story.goes(MessageKind::MunicipalAdviceRequest, CITY, CENTRE, None);
    story.goes(MessageKind::MunicipalAdviceReply, CENTRE, CITY, None);
    let seen = |state, kind| reads_as(state, PartyKind::SettlementCenter, Relation::Origin, kind);
    assert_eq!(seen(CaseState::Accepted, MessageKind::Supplement), Relation::Origin);
    assert_eq!(seen(CaseState::HandedOver, MessageKind::Supplement), Relation::Closed);
    assert_eq!(seen(CaseState::HandedOver, MessageKind::MunicipalAdviceRequest), Relation::Origin);
    let city = reads_as(CaseState::HandedOver, PartyKind::Municipality, Relation::Assigned, MessageKind::Supplement);
    assert_eq!(city, Relation::Assigned);
}

#[test]
fn the_end_of_use_ends_the_relation_of_the_service() {
    for (from, to) in [(HOME, CITY), (CITY, HOME)] {
        let mut story = Story::in_use();
        story.goes(MessageKind::StatusNotice, from, to, Some(Outcome::Ended));
        assert_eq!(
            (story.relation(HOME), story.relation(CITY), story.0.state),
            (Relation::Closed, Relation::Assigned, CaseState::Accepted)
        );
    }
}

#[test]
fn what_never_began_ends_like_what_did() {
    for outcome in [Outcome::Ended, Outcome::Cancelled] {
        for (asking, to) in
            [(MessageKind::Enquiry, OTHER_HOME), (MessageKind::PlacementRequest, OTHER_HOME), (MessageKind::PlanRequest, OFFICE)]
        {
            let mut story = Story::running();
            story.goes(asking, CITY, to, None);
            story.goes(MessageKind::StatusNotice, CITY, to, Some(outcome));
            assert_eq!((story.relation(to), story.relation(CITY)), (Relation::Closed, Relation::Assigned), "{asking}");
        }
        let mut story = Story::in_use();
        story.goes(MessageKind::StatusNotice, HOME, CITY, Some(outcome));
        assert_eq!(story.relation(HOME), Relation::Closed);
    }
}

#[test]
fn a_provider_ends_nobody_elses_part() {
    let mut story = Story::in_use();
    for invited in [OFFICE, HOME] {
        story.goes(MessageKind::MeetingNotice, CITY, invited, None);
    }
    story.goes(MessageKind::PlanNotice, OFFICE, HOME, None);
    story.goes(MessageKind::StatusNotice, OFFICE, HOME, Some(Outcome::Ended));
    assert_eq!((story.relation(HOME), story.relation(OFFICE)), (Relation::Accepted, Relation::Closed));
    let mut story = Story::in_use();
    story.goes(MessageKind::StatusNotice, CITY, CENTRE, Some(Outcome::Ended));
    assert_eq!((story.relation(CENTRE), story.relation(HOME)), (Relation::Origin, Relation::Accepted));
}

#[test]
fn who_brought_a_case_takes_it_back_as_long_as_nobody_answered() {
    let mut story = Story::opened(MessageKind::ThirdPartyReferral, BAR, CITY);
    story.goes(MessageKind::CenterShare, CITY, CENTRE, None);
    story.refuses(MessageKind::StatusNotice, CITY, BAR, Some(Outcome::Cancelled));
    story.goes(MessageKind::StatusNotice, BAR, CITY, Some(Outcome::Cancelled));
    assert_eq!(story.0.state, CaseState::Closed);
    for party in [BAR, CITY, CENTRE] {
        assert_eq!(story.relation(party), Relation::Closed, "{party}");
    }
    let mut story = Story::running();
    story.goes(MessageKind::StatusNotice, CENTRE, CITY, Some(Outcome::Cancelled));
    assert_eq!((story.0.state, story.relation(CITY)), (CaseState::Accepted, Relation::Assigned), "what runs is closed by the lead");
}

#[test]
fn whom_the_decliner_let_in_is_out_with_it_and_the_case_can_be_closed() {
    for (outcome, state) in [(Outcome::Declined, CaseState::Declined), (Outcome::Redirected, CaseState::Open)] {
        let mut story = Story::opened(MessageKind::ThirdPartyReferral, BAR, CITY);
        story.goes(MessageKind::CenterShare, CITY, CENTRE, None);
        story.goes(MessageKind::ReferralDecision, CITY, BAR, Some(outcome));
        assert_eq!((story.0.state, story.relation(CENTRE), story.relation(CITY)), (state, Relation::Closed, Relation::Closed));
        assert_eq!(story.relation(BAR), Relation::Origin);
        story.refuses(MessageKind::ClosingNotice, CENTRE, BAR, None);
        story.goes(MessageKind::ClosingNotice, CITY, BAR, None);
        assert_eq!((story.0.state, story.relation(BAR)), (CaseState::Closed, Relation::Closed));
    }
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    story.goes(MessageKind::ReferralDecision, CITY, CENTRE, Some(Outcome::Redirected));
    story.goes(MessageKind::Referral, CENTRE, OTHER_CITY, None);
    story.refuses(MessageKind::ClosingNotice, CITY, CENTRE, None);
}

#[test]
fn who_closed_a_case_tells_everybody_once() {
    let mut story = Story::handed_over();
    story.goes(MessageKind::ClosingNotice, CITY, HOME, None);
    story.refuses(MessageKind::ClosingNotice, CITY, HOME, None);
    story.refuses(MessageKind::ClosingNotice, CENTRE, OFFICE, None);
    for to in [CENTRE, OFFICE] {
        story.goes(MessageKind::ClosingNotice, CITY, to, None);
    }
    story.refuses(MessageKind::ClosingNotice, CITY, OTHER_HOME, None);
    assert_eq!(story.0.state, CaseState::Closed);
}

#[test]
fn a_certificate_is_revoked_by_who_gave_it_even_when_the_case_is_closed() {
    let mut story = Story::in_use();
    story.goes(MessageKind::CoordinationCertificate, CENTRE, CITY, None);
    story.goes(MessageKind::ClosingNotice, CITY, HOME, None);
    story.refuses(MessageKind::CertificateRevocation, CITY, HOME, None);
    story.goes(MessageKind::CertificateRevocation, CENTRE, CITY, None);
}

#[test]
fn a_direct_request_is_shared_with_the_centre_which_hands_over_like_any_other() {
    let mut story = Story::opened(MessageKind::ThirdPartyReferral, BAR, CITY);
    story.goes(MessageKind::CenterShare, CITY, CENTRE, None);
    assert_eq!(story.relation(CENTRE), Relation::Assigned);
    story.goes(MessageKind::MunicipalAdviceRequest, CITY, CENTRE, None);
    story.goes(MessageKind::MunicipalAdviceReply, CENTRE, CITY, None);
    story.goes(MessageKind::ReferralDecision, CITY, BAR, Some(Outcome::Accepted));
    story.goes(MessageKind::CenterTransfer, CENTRE, OTHER_CENTRE, None);
    assert_eq!(story.relation(OTHER_CENTRE), Relation::Assigned);
    story.goes(MessageKind::HandoverProposal, CITY, CENTRE, None);
    story.goes(MessageKind::HandoverAgreed, CENTRE, CITY, Some(Outcome::Agreed));
    assert_eq!(story.0.state, CaseState::HandedOver);
}

#[test]
fn a_provider_that_serves_the_person_asks_without_a_referral() {
    let mut story = Story::opened(MessageKind::ProviderConsultation, HOME, CITY);
    assert_eq!((story.0.state, story.relation(HOME)), (CaseState::Accepted, Relation::Accepted));
    story.goes(MessageKind::ConsultationReply, CITY, HOME, None);
    story.goes(MessageKind::ConsultationRequest, CITY, CENTRE, None);
    story.goes(MessageKind::ConsultationReply, CENTRE, CITY, None);
    story.goes(MessageKind::VisitRecord, CITY, HOME, None);
}

#[test]
fn a_delegate_acts_in_the_place_of_its_principal_as_long_as_it_may() {
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    story.refuses(MessageKind::ReferralAck, CORE, CENTRE, None);
    story.0.delegates.insert(party(CORE), party(CITY));
    assert_eq!(story.relation(CORE), Relation::Assigned);
    story.goes(MessageKind::ReferralAck, CORE, CENTRE, None);
    story.refuses(MessageKind::ReferralAck, CITY, CENTRE, None);
    story.goes(MessageKind::ReferralDecision, CORE, CENTRE, Some(Outcome::Accepted));
    story.goes(MessageKind::Enquiry, CORE, HOME, None);
    story.goes(MessageKind::EnquiryReply, HOME, CORE, Some(Outcome::Possible));
    story.goes(MessageKind::PlacementRequest, CITY, HOME, None);
    assert!(!story.0.parties.contains_key(&party(CORE)), "it has no relation of its own");
    story.0.delegates.clear();
    assert_eq!(story.refuses(MessageKind::Enquiry, CORE, OTHER_HOME, None), []);
    story.goes(MessageKind::PlacementDecision, HOME, CITY, Some(Outcome::Declined));
    let mut story = Story::opened(MessageKind::Referral, CENTRE, CITY);
    story.0.delegates.insert(party(CORE), party(CITY));
    story.goes(MessageKind::ReferralDecision, CORE, CENTRE, Some(Outcome::Declined));
    assert_eq!((story.relation(CITY), story.relation(CORE)), (Relation::Closed, Relation::Closed), "it declined for its principal");
}

#[test]
fn a_notice_about_nobody_goes_to_and_fro_and_opens_nothing_else() {
    let mut story = Story::opened(MessageKind::TrainingNotice, CENTRE, CITY);
    story.goes(MessageKind::TrainingNotice, CITY, CENTRE, None);
    for kind in MessageKind::ALL.iter().filter(|kind| !matches!(kind, MessageKind::TrainingNotice | MessageKind::ClosingNotice)) {
        let outcome = Outcome::of(*kind).first().copied();
        story.refuses(*kind, CITY, CENTRE, outcome);
    }
    story.goes(MessageKind::ClosingNotice, CITY, CENTRE, None);
    story.refuses(MessageKind::TrainingNotice, CENTRE, CITY, None);
}

#[test]
fn kinds_that_open_a_case_are_few() {
    let opening: Vec<_> = MessageKind::ALL.iter().filter(|kind| Standing::opened(**kind, &party(BAR), &party(CITY)).is_some()).collect();
    assert_eq!(opening.len(), 8, "{opening:?}");
}

#[test]
fn a_provider_is_told_how_it_stands_itself_and_not_how_the_case_does() {
    use {CaseState as S, Relation as R};
    let kind = PartyKind::GroupHome;
    for state in [S::Open, S::Accepted, S::HandedOver, S::Declined, S::Closed] {
        assert_eq!(told(state, kind, R::Prospective), S::Open);
        assert_eq!(told(state, kind, R::Considering), S::Open);
        assert_eq!(told(state, kind, R::Accepted), S::Accepted);
        assert_eq!(told(state, kind, R::Closed), S::Closed);
        assert_eq!(told(state, PartyKind::Municipality, R::Assigned), state);
    }
}

#[test]
fn words_that_decide_belong_to_their_kind() {
    assert_eq!(Outcome::read(MessageKind::EnquiryReply, "impossible"), Some(Outcome::Impossible));
    assert_eq!(Outcome::read(MessageKind::StatusNotice, "suspended"), None);
    assert_eq!(Outcome::read(MessageKind::ReferralDecision, "agreed"), None);
    for kind in MessageKind::ALL {
        assert_eq!(Outcome::row(*kind).is_some(), !Outcome::of(*kind).is_empty(), "{kind}");
    }
}
