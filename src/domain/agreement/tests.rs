use super::*;

pub(super) const FROM: Timestamp = Timestamp::from_secs(1_000);
pub(super) const UNTIL: Timestamp = Timestamp::from_secs(2_000);
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_500);
pub(super) const CENTRE: &str = "settlement_center:13-1";
pub(super) const CITY: &str = "municipality:131016-1";
pub(super) const HOME: &str = "group_home:1320100017";
pub(super) const OFFICE: &str = "consultation_office:1330100015";

pub(super) fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

pub(super) fn flow(from: &str, to: &str) -> Flow {
    Flow {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        kinds: vec![MessageKind::Referral],
        purposes: vec![Purpose::PlacementCoordination],
        classes: vec![FieldClass::Identity, FieldClass::Routing],
        bases: vec![LegalBasis::WithinPurpose],
    }
}

/// Centre and city are named, group homes may accede.
pub(super) fn record(acts: &[(&str, AgreementAct)]) -> AgreementRecord {
    AgreementRecord {
        agreement: Agreement {
            id: "AG-13-0001".parse().unwrap(),
            ver: 1,
            title: "test".to_owned(),
            parties: vec![party(CENTRE), party(CITY)],
            acceding: vec![PartyKind::GroupHome],
            flows: vec![flow("settlement_center", "municipality")],
            schema_versions: vec!["referral/1.0.0".parse().unwrap()],
            purpose_of_use_entry: "test".to_owned(),
            terms: Vec::new(),
            from: FROM,
            until: UNTIL,
            retention_months: 1,
            delegations: Vec::new(),
        },
        acts: acts.iter().map(|(who, act)| SignedAct { party: party(who), act: *act }).collect(),
        leaving: Vec::new(),
        successor: None,
    }
}

const ACCEPTED: [(&str, AgreementAct); 2] = [(CENTRE, AgreementAct::Accept), (CITY, AgreementAct::Accept)];

pub(super) fn after(acts: &[(&str, AgreementAct)]) -> AgreementRecord {
    record(&[&ACCEPTED, acts].concat())
}

fn standing(acts: &[(&str, AgreementAct)]) -> AgreementStanding {
    after(acts).standing(NOW)
}

use AgreementAct::{Accede, Accept, Reject, Resume, Revoke, Suspend};

#[test]
fn it_is_in_force_from_its_first_moment_to_the_one_before_its_end() {
    for (now, expected) in [
        (FROM.plus_micros(-1), AgreementStanding::Proposed),
        (FROM, AgreementStanding::InForce),
        (UNTIL.plus_micros(-1), AgreementStanding::InForce),
        (UNTIL, AgreementStanding::Expired),
    ] {
        assert_eq!(after(&[]).standing(now), expected, "{now}");
    }
}

#[test]
fn every_named_party_must_accept_and_one_rejection_keeps_it_proposed() {
    for acts in [
        vec![],
        vec![(CENTRE, Accept)],
        vec![(CITY, Accept)],
        vec![(CENTRE, Accept), (CENTRE, Accept)],
        vec![(CENTRE, Accept), (HOME, Accept)],
    ] {
        assert_eq!(record(&acts).standing(NOW), AgreementStanding::Proposed, "{acts:?}");
    }
    assert_eq!(record(&[(CITY, Accept), (CENTRE, Accept)]).standing(NOW), AgreementStanding::InForce);
    assert_eq!(standing(&[(CITY, Reject)]), AgreementStanding::Proposed);
}

#[test]
fn one_revocation_ends_it_for_good() {
    for who in [CENTRE, CITY, HOME] {
        for acts in [vec![(who, Revoke)], vec![(who, Revoke), (CENTRE, Resume), (CITY, Resume)], vec![(who, Revoke), (who, Accept)]] {
            assert_eq!(standing(&acts), AgreementStanding::Revoked, "{acts:?}");
        }
        assert_eq!(after(&[(who, Revoke)]).standing(UNTIL), AgreementStanding::Revoked, "also after its end");
    }
}

#[test]
fn a_superseded_version_is_not_in_force_and_an_expired_one_says_so_first() {
    let next = Arc::new(after(&[]));
    let old = AgreementRecord { successor: Some(Arc::clone(&next)), ..after(&[]) };
    assert_eq!(old.standing(NOW), AgreementStanding::Superseded);
    assert_eq!(old.standing(UNTIL), AgreementStanding::Expired);
    assert_eq!(AgreementRecord { successor: Some(next), ..after(&[(CITY, Suspend)]) }.standing(NOW), AgreementStanding::Superseded);
}

#[test]
fn a_suspension_by_anybody_ends_when_all_have_resumed_since() {
    for who in [CENTRE, CITY] {
        assert_eq!(standing(&[(who, Suspend)]), AgreementStanding::Suspended);
        assert_eq!(standing(&[(who, Suspend), (who, Resume)]), AgreementStanding::Suspended, "alone nobody resumes");
        assert_eq!(standing(&[(who, Suspend), (CENTRE, Resume), (CENTRE, Resume)]), AgreementStanding::Suspended);
        for all in [[(CENTRE, Resume), (CITY, Resume)], [(CITY, Resume), (CENTRE, Resume)]] {
            assert_eq!(standing(&[&[(who, Suspend)], &all[..]].concat()), AgreementStanding::InForce);
            assert_eq!(standing(&[&all[..], &[(who, Suspend)]].concat()), AgreementStanding::Suspended, "an earlier resume is none");
        }
    }
    let again = [(CENTRE, Suspend), (CENTRE, Resume), (CITY, Suspend), (CITY, Resume)];
    assert_eq!(standing(&again), AgreementStanding::Suspended, "a second suspension asks everybody again");
    assert_eq!(standing(&[&again[..], &[(CENTRE, Resume)]].concat()), AgreementStanding::InForce);
}

#[test]
fn an_acceding_party_suspends_too_and_must_resume_itself() {
    let both = [(CENTRE, Resume), (CITY, Resume)];
    let suspended = [&[(HOME, Accede), (HOME, Suspend)], &both[..]].concat();
    assert_eq!(standing(&suspended), AgreementStanding::Suspended);
    assert_eq!(standing(&[&suspended[..], &[(HOME, Resume)]].concat()), AgreementStanding::InForce);
    let by_another = [&[(HOME, Accede), (CITY, Suspend)], &both[..]].concat();
    assert_eq!(standing(&by_another), AgreementStanding::Suspended, "all that were bound");
    let later = [&[(CITY, Suspend), (HOME, Accede)], &both[..]].concat();
    assert_eq!(standing(&later), AgreementStanding::InForce, "who accedes later has nothing to resume");
    assert_eq!(standing(&[&[(CITY, Suspend)], &both[..], &[(HOME, Accede)]].concat()), AgreementStanding::InForce);
}

#[test]
fn it_binds_the_named_and_those_who_acceded_themselves() {
    let acceded = after(&[(HOME, Accede), (OFFICE, Accede)]);
    for (who, bound) in
        [(CENTRE, true), (CITY, true), (HOME, true), ("group_home:1320100025", false), (OFFICE, false), ("municipality:131024-1", false)]
    {
        assert_eq!(acceded.binds(&party(who)), bound, "{who}");
    }
    assert!(!after(&[]).binds(&party(HOME)));
    assert!(record(&[]).binds(&party(CITY)), "named, accepted or not");
}

pub(super) fn exchange<'a>(sender: &'a PartyId, recipient: &'a PartyId) -> Exchange<'a> {
    Exchange { sender, recipient, kind: MessageKind::Referral, basis: LegalBasis::WithinPurpose }
}

#[test]
fn a_flow_holds_for_its_sides_by_kind_or_by_party() {
    let (centre, city) = (party(CENTRE), party(CITY));
    for (from, to, state) in [
        ("settlement_center", "municipality", AgreementState::Covers),
        (CENTRE, "municipality", AgreementState::Covers),
        ("settlement_center", CITY, AgreementState::Covers),
        (CENTRE, CITY, AgreementState::Covers),
        ("settlement_center:13-2", CITY, AgreementState::PartyOutside),
        (CENTRE, "municipality:131024-1", AgreementState::PartyOutside),
        ("municipality", "settlement_center", AgreementState::PartyOutside),
        ("probation_office", "municipality", AgreementState::PartyOutside),
    ] {
        let mut record = after(&[]);
        record.agreement.flows = vec![flow(from, to)];
        let found = record.state(&exchange(&centre, &city), Purpose::PlacementCoordination, FieldClass::Identity, NOW);
        assert_eq!(found, state, "{from} -> {to}");
    }
}

#[test]
fn a_flow_by_kind_reaches_only_bound_parties() {
    let (city, home) = (party(CITY), party(HOME));
    for (acts, state) in [(vec![], AgreementState::PartyOutside), (vec![(HOME, Accede)], AgreementState::Covers)] {
        let mut record = after(&acts);
        record.agreement.flows = vec![flow("municipality", "group_home"), flow("group_home", "municipality")];
        for (from, to) in [(&city, &home), (&home, &city)] {
            assert_eq!(record.state(&exchange(from, to), Purpose::PlacementCoordination, FieldClass::Identity, NOW), state);
        }
    }
}

#[test]
fn kind_basis_purpose_and_class_must_stand_in_one_flow() {
    let (centre, city) = (party(CENTRE), party(CITY));
    let mut record = after(&[]);
    let other = Flow { purposes: vec![Purpose::BenefitDecision], classes: vec![FieldClass::Medical], ..flow(CENTRE, CITY) };
    record.agreement.flows = vec![flow(CENTRE, CITY), other];
    let state = |purpose, class| record.state(&exchange(&centre, &city), purpose, class, NOW);
    assert_eq!(state(Purpose::PlacementCoordination, FieldClass::Identity), AgreementState::Covers);
    assert_eq!(state(Purpose::BenefitDecision, FieldClass::Medical), AgreementState::Covers);
    assert_eq!(state(Purpose::BenefitDecision, FieldClass::Identity), AgreementState::ClassOutside, "flows do not mix");
    assert_eq!(state(Purpose::PlacementCoordination, FieldClass::Medical), AgreementState::ClassOutside);
    assert_eq!(state(Purpose::AuditReview, FieldClass::Identity), AgreementState::PurposeOutside);
    let strange = Exchange { kind: MessageKind::Supplement, ..exchange(&centre, &city) };
    assert_eq!(record.state(&strange, Purpose::PlacementCoordination, FieldClass::Identity, NOW), AgreementState::PartyOutside);
    let strange = Exchange { basis: LegalBasis::Statute, ..exchange(&centre, &city) };
    assert_eq!(record.state(&strange, Purpose::PlacementCoordination, FieldClass::Identity, NOW), AgreementState::PartyOutside);
}

#[test]
fn what_is_not_in_force_covers_nothing() {
    let (centre, city) = (party(CENTRE), party(CITY));
    for (record, now) in [
        (record(&[]), NOW),
        (after(&[(CITY, Suspend)]), NOW),
        (after(&[(CITY, Revoke)]), NOW),
        (AgreementRecord { successor: Some(Arc::new(after(&[]))), ..after(&[]) }, NOW),
        (after(&[]), FROM.plus_micros(-1)),
        (after(&[]), UNTIL),
    ] {
        let state = record.state(&exchange(&centre, &city), Purpose::PlacementCoordination, FieldClass::Routing, now);
        assert_eq!(state, AgreementState::NotInForce);
        assert_eq!(record.state_of_exchange(&exchange(&centre, &city), Purpose::ALL, now), AgreementState::NotInForce);
    }
}

/// Over every pair of parties, message kind, basis and purpose: an exchange is open for a purpose exactly when some flow reaches it.
#[test]
fn the_exchange_as_a_whole_and_its_classes_agree() {
    let parties = [CENTRE, CITY, HOME, OFFICE].map(party);
    let mut record = after(&[(HOME, Accede)]);
    let provider = Flow {
        kinds: vec![MessageKind::Enquiry, MessageKind::PlacementRequest],
        purposes: vec![Purpose::PlacementCoordination, Purpose::ServiceProvision],
        bases: vec![LegalBasis::Consent27],
        ..flow("municipality", HOME)
    };
    record.agreement.flows.push(provider);
    let mut open = 0;
    for (sender, recipient) in parties.iter().flat_map(|s| parties.iter().map(move |r| (s, r))) {
        for (kind, basis) in MessageKind::ALL.iter().flat_map(|k| LegalBasis::ALL.iter().map(move |b| (*k, *b))) {
            let exchange = Exchange { sender, recipient, kind, basis };
            for purpose in Purpose::ALL {
                let classes = || FieldClass::ALL.iter().map(|class| record.state(&exchange, *purpose, *class, NOW));
                let best = classes().max().unwrap();
                match record.state_of_exchange(&exchange, &[*purpose], NOW) {
                    AgreementState::Covers => {
                        open += 1;
                        assert_eq!(best, AgreementState::Covers);
                        assert_eq!(classes().filter(|s| *s == AgreementState::Covers).count(), 2);
                    }
                    closed => assert!(closed < AgreementState::ClassOutside && classes().all(|state| state == closed)),
                }
            }
        }
    }
    assert_eq!(open, 1 + 2 * 2);
}

#[test]
fn a_side_is_a_kind_or_a_party_and_nothing_else() {
    for good in ["municipality", CITY, HOME] {
        assert_eq!(good.parse::<Side>().unwrap().to_string(), good);
    }
    for bad in ["", "*", "city", "municipality:", "municipality:131017-1"] {
        assert!(bad.parse::<Side>().is_err(), "{bad}");
    }
}
