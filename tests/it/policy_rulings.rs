//! Rulings: each rule decides something, and what must never be shown is not.

use tsunagi::{
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{BasisGroup, MessageKind, Purpose},
        consent::ConsentState,
        field::FieldClass,
        party::PartyKind,
    },
    policy::{Key, PolicySet, Ruling},
};

/// The centre refers a person to the municipality, everything covered.
const REFERRAL: Key = Key {
    reader: PartyKind::Municipality,
    sender: PartyKind::SettlementCenter,
    class: FieldClass::Identity,
    purpose: Purpose::PlacementCoordination,
    kind: MessageKind::Referral,
    relation: Relation::Assigned,
    basis: BasisGroup::Consent,
    agreement: AgreementState::Covers,
    consent: ConsentState::CoversTicked,
    named: true,
};

/// The municipality hands a person over to a group home that accepted.
const HANDOFF: Key = Key {
    reader: PartyKind::GroupHome,
    sender: PartyKind::Municipality,
    purpose: Purpose::ServiceProvision,
    kind: MessageKind::ServiceHandoff,
    relation: Relation::Accepted,
    ..REFERRAL
};

fn ids(rules: &[tsunagi::policy::RuleId]) -> Vec<&str> {
    rules.iter().map(tsunagi::policy::RuleId::as_str).collect()
}

/// One key per rule for which that rule alone decides.
fn witnesses() -> Vec<(&'static str, Key)> {
    use BasisGroup as B;
    use FieldClass as C;
    use PartyKind as P;
    use Purpose as U;
    use Relation as R;
    let centre = Key { reader: P::SettlementCenter, sender: P::Municipality, kind: MessageKind::CenterShare, ..REFERRAL };
    let office = Key { reader: P::ConsultationOffice, purpose: U::ServicePlanning, relation: R::Assigned, ..HANDOFF };
    let considering = Key { purpose: U::PlacementCoordination, relation: R::Considering, kind: MessageKind::PlacementRequest, ..HANDOFF };
    let enquiry = Key { relation: R::Prospective, kind: MessageKind::Enquiry, ..considering };
    let day = Key { reader: P::DayService, ..HANDOFF };
    vec![
        ("N-01", Key { class: C::Task, reader: P::Prefecture, ..REFERRAL }),
        ("N-10", REFERRAL),
        ("N-11", Key { class: C::CriminalDetail, ..REFERRAL }),
        ("N-12", Key { purpose: U::BenefitDecision, ..REFERRAL }),
        ("N-20", office),
        ("N-21", Key { class: C::LifeHistory, ..office }),
        ("N-30", Key { class: C::Minimal, ..enquiry }),
        ("N-31", considering),
        ("N-32", Key { class: C::CriminalSummary, ..considering }),
        ("N-40", HANDOFF),
        ("N-41", Key { class: C::CriminalBackground, ..HANDOFF }),
        ("N-42", day),
        ("N-43", Key { class: C::CriminalStatus, ..day }),
        ("N-50", Key { class: C::AddonProof, purpose: U::AddonCertification, ..HANDOFF }),
        ("N-51", Key { class: C::AddonProof, purpose: U::AddonCertification, ..REFERRAL }),
        ("N-52", Key { class: C::AddonProof, purpose: U::AddonCertification, relation: R::Closed, ..REFERRAL }),
        ("N-60", Key { reader: P::ProbationOffice, relation: R::Origin, ..REFERRAL }),
        ("N-70", Key { relation: R::Origin, ..centre }),
        ("N-71", Key { class: C::CriminalDetail, ..centre }),
        ("N-80", Key { class: C::Followup, purpose: U::BackupConsultation, ..HANDOFF }),
        ("N-90", Key { class: C::Routing, reader: P::Auditor, purpose: U::AuditReview, ..REFERRAL }),
        ("F-07", Key { class: C::Task, relation: R::Closed, ..REFERRAL }),
        ("F-09", Key { basis: B::Statute, ..HANDOFF }),
        ("F-10", Key { basis: B::VitalInterest, class: C::CriminalStatus, ..REFERRAL }),
        ("F-12", Key { sender: P::SettlementCenter, ..HANDOFF }),
        ("A-01", Key { agreement: AgreementState::None, ..REFERRAL }),
        ("A-02", Key { agreement: AgreementState::NotInForce, ..REFERRAL }),
        ("A-03", Key { agreement: AgreementState::PartyOutside, ..REFERRAL }),
        ("A-04", Key { agreement: AgreementState::PurposeOutside, ..REFERRAL }),
        ("A-05", Key { agreement: AgreementState::ClassOutside, ..REFERRAL }),
        ("C-01", Key { consent: ConsentState::None, ..REFERRAL }),
        ("C-02", Key { consent: ConsentState::Withdrawn, ..REFERRAL }),
        ("C-03", Key { consent: ConsentState::NotInForce, ..REFERRAL }),
        ("C-04", Key { consent: ConsentState::RecipientOutside, ..REFERRAL }),
        ("C-05", Key { consent: ConsentState::PurposeOutside, ..REFERRAL }),
        ("C-06", Key { consent: ConsentState::ClassOutside, ..REFERRAL }),
    ]
}

/// Prohibitions that overlap no permit today, each with a key it applies to. They stand against permits to come.
fn in_depth() -> Vec<(&'static str, Key)> {
    use FieldClass as C;
    use PartyKind as P;
    vec![
        ("F-01", Key { class: C::Prohibited, ..REFERRAL }),
        ("F-02", Key { class: C::ConsentScan, ..REFERRAL }),
        ("F-03", Key { class: C::CriminalStatus, consent: ConsentState::None, ..REFERRAL }),
        ("F-04", Key { relation: Relation::Prospective, ..HANDOFF }),
        ("F-05", Key { class: C::CriminalDetail, ..HANDOFF }),
        ("F-06", Key { reader: P::Auditor, purpose: Purpose::AuditReview, ..REFERRAL }),
        ("F-08", Key { class: C::VictimRelated, reader: P::DayService, ..HANDOFF }),
        ("F-11", Key { reader: P::Operator, ..REFERRAL }),
    ]
}

#[test]
fn every_rule_decides_some_case_or_stands_in_depth() {
    let policies = PolicySet::builtin().unwrap();
    for (rule, key) in witnesses() {
        let ruling = policies.decide(&key);
        let permits = ids(&ruling.permits);
        if rule.starts_with('N') {
            assert!(ruling.allow && permits == [rule], "{rule}: {ruling:?}");
        } else {
            assert!(!ruling.allow && !permits.is_empty() && ids(&ruling.forbids) == [rule], "{rule}: {ruling:?}");
        }
    }
    for (rule, key) in in_depth() {
        let ruling = policies.decide(&key);
        assert!(!ruling.allow && ids(&ruling.forbids).contains(&rule), "{rule}: {ruling:?}");
    }
    let mut named: Vec<&str> = witnesses().into_iter().chain(in_depth()).map(|(rule, _)| rule).collect();
    named.sort_unstable();
    let operations = |rule: &&str| rule.starts_with(['O', 'X']);
    assert_eq!(named, policies.rules().map(tsunagi::policy::RuleId::as_str).filter(|rule| !operations(rule)).collect::<Vec<_>>());
}

/// Every class and message kind under one altered key: nothing may be shown.
fn nothing_is_shown(policies: &PolicySet, alter: impl Fn(Key) -> Key) {
    nothing_is_shown_of(MessageKind::ALL.iter().copied(), policies, alter);
}

fn nothing_is_shown_of(kinds: impl Iterator<Item = MessageKind>, policies: &PolicySet, alter: impl Fn(Key) -> Key) {
    for kind in kinds {
        for class in FieldClass::ALL {
            let key = alter(Key { kind, class: *class, ..REFERRAL });
            let ruling = policies.decide(&key);
            assert!(!ruling.allow, "{key:?}: {ruling:?}");
        }
    }
}

#[test]
fn nothing_is_shown_without_an_agreement_that_covers_it() {
    let policies = PolicySet::builtin().unwrap();
    for agreement in AgreementState::ALL.iter().filter(|state| **state != AgreementState::Covers) {
        nothing_is_shown(&policies, |key| Key { agreement: *agreement, ..key });
    }
}

#[test]
fn a_withdrawn_absent_or_expired_consent_shows_nothing_where_consent_is_the_basis() {
    let policies = PolicySet::builtin().unwrap();
    for consent in [ConsentState::Withdrawn, ConsentState::NotInForce] {
        nothing_is_shown(&policies, |key| Key { consent, ..key });
    }
    let resting_on_one = MessageKind::ALL.iter().copied().filter(|kind| !kind.may_name_no_consent());
    nothing_is_shown_of(resting_on_one, &policies, |key| Key { consent: ConsentState::None, ..key });
}

#[test]
fn what_may_name_no_consent_then_shows_nothing_about_anybody() {
    let policies = PolicySet::builtin().unwrap();
    for kind in MessageKind::ALL.iter().copied().filter(|kind| kind.may_name_no_consent()) {
        for class in FieldClass::ALL.iter().copied() {
            let ruling = policies.decide(&Key { kind, class, consent: ConsentState::None, named: false, ..REFERRAL });
            assert_eq!(ruling.allow, class.needs_no_consent_item(), "{kind} {class}");
        }
    }
}

#[test]
fn administration_the_operator_and_a_stranger_to_the_case_see_nothing() {
    let policies = PolicySet::builtin().unwrap();
    nothing_is_shown(&policies, |key| Key { purpose: Purpose::Administration, ..key });
    nothing_is_shown(&policies, |key| Key { reader: PartyKind::Operator, ..key });
    nothing_is_shown(&policies, |key| Key { relation: Relation::None, ..key });
}

#[test]
fn a_provider_sees_nothing_that_a_centre_a_probation_office_or_a_bar_association_issued() {
    let policies = PolicySet::builtin().unwrap();
    for reader in PartyKind::ALL.iter().copied().filter(|kind| kind.is_provider()) {
        for sender in PartyKind::ALL.iter().copied().filter(|kind| kind.reveals_criminal_history()) {
            for class in FieldClass::ALL.iter().copied() {
                let ruling = policies.decide(&Key { reader, sender, class, ..HANDOFF });
                assert!(!ruling.allow && ids(&ruling.forbids).contains(&"F-12"), "{reader} {sender} {class}");
            }
        }
    }
}

#[test]
fn outside_the_scope_of_a_living_consent_only_impersonal_classes_remain() {
    let policies = PolicySet::builtin().unwrap();
    for consent in [ConsentState::RecipientOutside, ConsentState::PurposeOutside, ConsentState::ClassOutside] {
        for class in FieldClass::ALL.iter().copied() {
            let ruling = policies.decide(&Key { class, consent, ..REFERRAL });
            assert_eq!(ruling.allow, class.needs_no_consent_item(), "{class} {consent}");
        }
    }
}

#[test]
fn a_statute_opens_what_the_policy_permits_to_public_bodies_and_never_the_ticked_items() {
    let policies = PolicySet::builtin().unwrap();
    let statute = |key: Key| policies.decide(&Key { basis: BasisGroup::Statute, consent: ConsentState::None, ..key });
    assert!(statute(REFERRAL).allow);
    assert!(!statute(Key { class: FieldClass::CriminalDetail, ..REFERRAL }).allow);
    for class in FieldClass::ALL.iter().copied().filter(|class| !class.needs_no_consent_item()) {
        assert!(!statute(Key { class, ..HANDOFF }).allow, "{class}");
    }
}

#[test]
fn danger_to_life_opens_no_criminal_history() {
    let policies = PolicySet::builtin().unwrap();
    let vital = |class| policies.decide(&Key { class, basis: BasisGroup::VitalInterest, consent: ConsentState::None, ..REFERRAL }).allow;
    assert!(vital(FieldClass::Safety) && vital(FieldClass::Medical));
    for class in
        [FieldClass::CriminalStatus, FieldClass::CriminalSummary, FieldClass::Custody, FieldClass::Supervision, FieldClass::ReleaseFact]
    {
        assert!(!vital(class), "{class}");
    }
}

#[test]
fn an_auditor_sees_routing_and_the_fact_of_consent_and_nothing_else() {
    let policies = PolicySet::builtin().unwrap();
    let auditor = Key { reader: PartyKind::Auditor, purpose: Purpose::AuditReview, ..REFERRAL };
    for relation in Relation::ALL.iter().copied() {
        let shown = FieldClass::ALL.iter().copied().filter(|class| policies.decide(&Key { class: *class, relation, ..auditor }).allow);
        assert_eq!(shown.collect::<Vec<_>>(), [FieldClass::Routing, FieldClass::ConsentMeta], "{relation}");
    }
}

#[test]
fn the_prohibition_on_special_care_data_names_exactly_the_special_classes() {
    let policies = PolicySet::builtin().unwrap();
    for class in FieldClass::ALL.iter().copied() {
        let ruling: Ruling = policies.decide(&Key { class, consent: ConsentState::None, ..REFERRAL });
        assert_eq!(ids(&ruling.forbids).contains(&"F-03"), policies.class_text(class).unwrap().special, "{class}");
    }
}
