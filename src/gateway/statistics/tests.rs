//! What is counted of a case, from its messages and from who stands in it.

use super::*;
use crate::{
    domain::{
        digest::Digest,
        ids::{CaseId, Jti},
        statistics::Division,
    },
    policy::PolicySet,
};

const CENTRE: &str = "settlement_center:13-1";
const CITY: &str = "municipality:131016-1";
const CORE: &str = "core_center:131016-2";
const OTHER: &str = "municipality:131024-1";

fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

/// Messages one day apart, in the fiscal year 2026.
fn heads(sent: &[(MessageKind, &str, &str)]) -> Vec<MessageHead> {
    let began: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let head = |(at, (kind, iss, aud)): (i64, &(MessageKind, &str, &str))| MessageHead {
        iss: party(iss),
        jti: Jti::from_uuid(uuid::Uuid::from_u128(at.unsigned_abs().into())),
        aud: party(aud),
        case: CaseKey::from_uuid(uuid::Uuid::nil()),
        kind: *kind,
        digest: Digest([0; 32]),
        idx: at.unsigned_abs(),
        received: began.plus_secs(at * DAY),
    };
    (1..).zip(sent).map(head).collect()
}

fn stands(who: &str, state: CaseState, relation: Relation) -> CaseRow {
    let at = Timestamp::from_secs(0);
    let id: CaseId = "3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21".parse().unwrap();
    let (case, kind) = (CaseKey::from_uuid(uuid::Uuid::nil()), MessageKind::Referral);
    CaseRow { case, id, party: party(who), relation, state, revision: 1, kind, received: at, updated: at, updated_idx: 0, erased: true }
}

/// What is counted of a case for the units of a municipality.
fn counted(units: &[&str], sent: &[(MessageKind, &str, &str)], parties: &[CaseRow]) -> Vec<(Subject, Vec<RowName>, Vec<i64>)> {
    let (units, heads) = (units.iter().map(|unit| party(unit)).collect(), heads(sent));
    let said = BTreeMap::new();
    let history = History { heads: &heads, parties, said: &said };
    let mut tally = Tally::new(FiscalYear::new(2026).unwrap(), &units);
    if let Some(first) = tally.first(&history) {
        let arrival = first.received;
        tally.arrive(first, tells_category(first.kind).then_some(RowName::NotKnown));
        let taken_on = tally.decide(&history);
        if history.leads(&units) {
            tally.close(&history, arrival, taken_on);
        }
    }
    let rows =
        |counted: &Counted| counted.tables.iter().flat_map(|(_, rows)| rows).filter(|(_, count)| *count > 0).map(|(row, _)| *row).collect();
    tally.counted.iter().filter(|counted| !counted.days.is_empty()).map(|of| (of.subject, rows(of), of.days.clone())).collect()
}

const REFERRED: (MessageKind, &str, &str) = (MessageKind::Referral, CENTRE, CITY);
const DECIDED: (MessageKind, &str, &str) = (MessageKind::ReferralDecision, CITY, CENTRE);

#[test]
fn whatever_the_policies_let_bring_a_case_is_counted() {
    let policies = PolicySet::builtin().unwrap();
    let mut brought = 0;
    for kind in [MessageKind::Referral, MessageKind::ThirdPartyReferral, MessageKind::ProviderConsultation] {
        for sender in PartyKind::ALL.iter().copied().filter(|sender| policies.may(*sender, Deed::OpenCase(kind)).allow) {
            let (subject, row) = brings(kind, sender).unwrap_or_else(|| panic!("{kind} of {sender}"));
            let [by, ..] = subject.divisions() else { panic!("{subject}") };
            assert!(by.rows().contains(&row), "{kind} of {sender}");
            assert_eq!(subject.divisions().contains(&Division::Category), tells_category(kind), "{kind}");
            brought += 1;
        }
    }
    assert_eq!(brought, Division::ReferredBy.rows().len() + Division::ConsultedBy.rows().len());
    assert!(brings(MessageKind::TrainingNotice, PartyKind::SettlementCenter).is_none());
}

#[test]
fn what_became_of_a_referral_follows_from_what_outlives_an_erasure() {
    let outcome = |sent: &[_], state, relation| {
        let counted = counted(&[CITY], sent, &[stands(CITY, state, relation)]);
        counted.into_iter().find(|(subject, ..)| *subject == Subject::Decided).map(|(_, rows, days)| (rows, days))
    };
    let said = |row| Some((vec![row], vec![1]));
    assert_eq!(outcome(&[REFERRED], CaseState::Open, Relation::Assigned), None);
    let decided = &[REFERRED, DECIDED][..];
    assert_eq!(outcome(decided, CaseState::Accepted, Relation::Assigned), said(RowName::Accepted));
    let worked_on = [REFERRED, DECIDED, (MessageKind::MeetingNotice, CITY, CENTRE), (MessageKind::ClosingNotice, CITY, CENTRE)];
    assert_eq!(outcome(&worked_on, CaseState::Closed, Relation::Closed), said(RowName::Accepted));
    let given_up = [REFERRED, DECIDED, (MessageKind::ClosingNotice, CITY, CENTRE)];
    assert_eq!(outcome(&given_up, CaseState::Closed, Relation::Closed), said(RowName::Declined));
    assert_eq!(outcome(decided, CaseState::Declined, Relation::Closed), said(RowName::Declined));
    assert_eq!(outcome(decided, CaseState::Open, Relation::Closed), said(RowName::Redirected));
    // The other municipality declined or accepted: for this one it was redirected all the same.
    let (again, theirs) = ((MessageKind::Referral, CENTRE, OTHER), (MessageKind::ReferralDecision, OTHER, CENTRE));
    for state in [CaseState::Declined, CaseState::Accepted, CaseState::Closed] {
        assert_eq!(outcome(&[REFERRED, DECIDED, again, theirs], state, Relation::Closed), said(RowName::Redirected));
    }
    // A core centre that acts for it answers in its place.
    assert_eq!(
        outcome(&[REFERRED, (MessageKind::ReferralDecision, CORE, CENTRE)], CaseState::Accepted, Relation::Assigned),
        said(RowName::Accepted)
    );
}

#[test]
fn what_a_decision_says_counts_as_long_as_it_can_be_opened() {
    let heads = heads(&[REFERRED, DECIDED, (MessageKind::ClosingNotice, CITY, CENTRE)]);
    let parties = [stands(CITY, CaseState::Closed, Relation::Closed)];
    for (word, row) in
        [(Outcome::Accepted, RowName::Accepted), (Outcome::Declined, RowName::Declined), (Outcome::Redirected, RowName::Redirected)]
    {
        let said = BTreeMap::from([(heads[1].idx, Some(word))]);
        let history = History { heads: &heads, parties: &parties, said: &said };
        assert_eq!(history.decision(&heads[0]).unwrap().0, row);
    }
}

#[test]
fn a_case_is_received_once_and_closed_by_whoever_leads_it() {
    let closing = (MessageKind::ClosingNotice, CITY, CENTRE);
    let meeting = (MessageKind::MeetingNotice, CITY, CENTRE);
    let all = counted(&[CITY, CORE], &[REFERRED, DECIDED, meeting, closing], &[stands(CITY, CaseState::Closed, Relation::Closed)]);
    let expected = vec![
        (Subject::Received, vec![RowName::SettlementCenter, RowName::NotKnown], vec![0]),
        (Subject::Decided, vec![RowName::Accepted], vec![1]),
        (Subject::Closed, vec![RowName::TakenOn], vec![3]),
    ];
    assert_eq!(all, expected);
    let taken_back =
        counted(&[CITY], &[REFERRED, (MessageKind::StatusNotice, CENTRE, CITY)], &[stands(CITY, CaseState::Closed, Relation::Closed)]);
    assert!(taken_back.contains(&(Subject::Closed, vec![RowName::NotTakenOn], vec![1])), "{taken_back:?}");
    let (again, theirs) = ((MessageKind::Referral, CENTRE, OTHER), (MessageKind::ClosingNotice, OTHER, CENTRE));
    let moved = counted(&[CITY], &[REFERRED, DECIDED, again, theirs], &[stands(CITY, CaseState::Closed, Relation::Closed)]);
    assert!(moved.iter().all(|(subject, ..)| *subject != Subject::Closed), "another municipality closed it: {moved:?}");
    assert!(counted(&[OTHER], &[REFERRED, DECIDED, closing], &[]).is_empty());
    let notice = (MessageKind::TrainingNotice, CENTRE, CITY);
    assert!(counted(&[CITY], &[notice], &[]).is_empty(), "what concerns nobody is no case");
}
