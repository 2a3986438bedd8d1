//! Decisions over the built-in policies: what is shown, what is refused, under which code, and for how long it holds.

use tsunagi::{
    decision::{Permitted, Question, View, Viewing, decide_delegated_read, decide_read, decide_submission},
    domain::{
        agreement::{AgreementAct, SignedAct},
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{ConsentHistory, Exception},
        field::FieldClass,
        party::PartyKind,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    policy::Deed,
};

use crate::decision_fixture::*;

use FieldClass as C;
use Purpose::{BenefitDecision, PlacementCoordination};

fn read(world: &World, purpose: Purpose, classes: &[FieldClass], now: Timestamp) -> Result<View, Refusal> {
    let viewing = Viewing { purpose, message: &[PlacementCoordination, BenefitDecision] };
    decide_read(
        &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &rows(classes), ends: ENDS, now },
        &viewing,
    )
}

fn shown(world: &World, purpose: Purpose) -> Vec<String> {
    read(world, purpose, C::ALL, NOW).unwrap().shown().iter().map(ToString::to_string).collect()
}

fn submit(world: &World, purposes: &[Purpose], registered: &[Purpose], classes: &[FieldClass]) -> Result<Permitted<u8>, Refusal> {
    decide_submission(
        7,
        &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &rows(classes), ends: ENDS, now: NOW },
        purposes,
        registered,
    )
}

fn names(classes: &[FieldClass]) -> Vec<String> {
    C::ALL.iter().filter(|class| classes.contains(class)).map(ToString::to_string).collect()
}

/// What placement coordination needs without a tick (policy N-01 and N-10).
const PLACEMENT: &[FieldClass] = &[
    C::Routing,
    C::Task,
    C::ConsentMeta,
    C::CriminalStatus,
    C::Identity,
    C::Minimal,
    C::Accommodation,
    C::Contact,
    C::Residence,
    C::Wishes,
    C::Custody,
    C::ReleaseFact,
    C::Supervision,
    C::CriminalSummary,
    C::RiskEnvironment,
    C::Safety,
    C::Disability,
    C::Medical,
    C::CareNeed,
    C::Assessment,
    C::Benefit,
    C::Guardian,
    C::Network,
    C::Plan,
    C::Placement,
    C::Followup,
    C::ConsentDetail,
];

/// What a benefit decision needs (policy N-01 and N-12): nothing of the criminal history.
const BENEFIT: &[FieldClass] = &[
    C::Routing,
    C::Task,
    C::ConsentMeta,
    C::Identity,
    C::Accommodation,
    C::Contact,
    C::Residence,
    C::Wishes,
    C::Disability,
    C::Medical,
    C::CareNeed,
    C::Assessment,
    C::GovIdentifier,
    C::Benefit,
    C::Guardian,
    C::Plan,
];

#[test]
fn the_same_message_shows_less_for_the_benefit_decision_than_for_placement() {
    let world = World::referral();
    assert_eq!(shown(&world, PlacementCoordination), names(&[PLACEMENT, TICKED].concat()));
    assert_eq!(shown(&world, BenefitDecision), names(BENEFIT));
    let placement = read(&world, PlacementCoordination, C::ALL, NOW).unwrap();
    let benefit = read(&world, BenefitDecision, C::ALL, NOW).unwrap();
    assert!(placement.consent_detail() && !benefit.consent_detail());
    assert!(benefit.rules().iter().eq(["N-01", "N-12"]));
}

#[test]
fn a_ticked_cell_opens_only_by_its_own_tick() {
    let mut world = World::referral();
    world.the_consent().items[0].tick = vec![C::CriminalDetail];
    assert_eq!(shown(&world, PlacementCoordination), names(&[PLACEMENT, &[C::CriminalDetail]].concat()));
    world.the_consent().items[0].tick.clear();
    assert_eq!(shown(&world, PlacementCoordination), names(PLACEMENT), "consented, but not ticked");
    let hidden = read(&world, PlacementCoordination, &[C::CriminalDetail], NOW).unwrap().hidden()[0].clone();
    assert_eq!((hidden.key.as_str(), hidden.rules.as_slice()), ("criminal_detail", &["necessity".to_owned()][..]));
}

#[test]
fn every_withheld_row_names_the_rules_that_withheld_it() {
    let mut world = World::referral();
    world.the_agreement().agreement.flows[0].classes.retain(|class| *class != C::Medical && *class != C::AddonProof);
    world.the_consent().items[0].cls.retain(|class| *class != C::Identity && *class != C::Medical);
    let view = read(&world, PlacementCoordination, &[C::AddonProof, C::Identity, C::Task, C::Medical, C::Prohibited], NOW).unwrap();
    let hidden: Vec<(&str, String)> = view.hidden().iter().map(|h| (h.key.as_str(), h.rules.join(" "))).collect();
    assert_eq!(view.shown().iter().map(ToString::to_string).collect::<Vec<_>>(), ["task"]);
    assert_eq!(
        hidden,
        [
            ("addon_proof", "A-05 necessity".to_owned()),
            ("identity", "C-06".to_owned()),
            ("medical", "A-05 C-06 F-03".to_owned()),
            ("prohibited", "C-06 F-01 necessity".to_owned()),
        ]
    );
}

#[test]
fn an_over_disclosure_names_every_row_and_class_in_the_order_of_the_message() {
    let mut world = World::referral();
    world.the_consent().items[0].tick.clear();
    world.the_consent().items[0].cls.retain(|class| *class != C::Guardian);
    world.the_agreement().agreement.flows[0].classes.retain(|class| *class != C::Followup);
    let sent = [C::Followup, C::Identity, C::Family, C::Guardian, C::AddonProof, C::Task];
    let refusal = submit(&world, &[PlacementCoordination], Purpose::ALL, &sent).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::OverDisclosure);
    let found: Vec<_> = refusal.violations.iter().map(|v| (v.field.as_str(), v.class, v.rule.as_str())).collect();
    assert_eq!(
        found,
        [
            ("followup", Some(C::Followup), "A-05"),
            ("family", Some(C::Family), "necessity"),
            ("guardian", Some(C::Guardian), "C-06"),
            ("addon_proof", Some(C::AddonProof), "necessity"),
        ]
    );
    assert_eq!(refusal.rules, ["A-05", "C-06", "F-03"]);
}

#[test]
fn a_row_passes_when_one_purpose_of_the_message_needs_it() {
    let mut world = World::referral();
    world.the_consent().items[0].tick.clear();
    let both = [PlacementCoordination, BenefitDecision];
    let accepted = submit(&world, &both, Purpose::ALL, &[C::GovIdentifier, C::CriminalSummary]).unwrap();
    assert!(accepted.rules().iter().eq(["N-10", "N-12"]));
    assert_eq!((*accepted.what(), accepted.into_inner()), (7, 7));
    for (purpose, class) in [(PlacementCoordination, C::GovIdentifier), (BenefitDecision, C::CriminalSummary)] {
        let refusal = submit(&world, &[purpose], Purpose::ALL, &[class, C::Identity]).unwrap_err();
        assert_eq!(refusal.violations.iter().map(|v| v.class).collect::<Vec<_>>(), [Some(class)]);
    }
}

#[test]
fn only_purposes_the_recipient_is_registered_for_count() {
    let world = World::referral();
    let both = [PlacementCoordination, BenefitDecision];
    assert!(submit(&world, &both, &[BenefitDecision], &[C::Identity]).is_ok());
    let refusal = submit(&world, &both, &[BenefitDecision], &[C::CriminalSummary]).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::OverDisclosure);
    for registered in [&[][..], &[Purpose::AuditReview]] {
        let refusal = submit(&world, &both, registered, &[C::Identity]).unwrap_err();
        assert_eq!(refusal, Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "recipient_registration"));
    }
    assert_eq!(submit(&world, &[], Purpose::ALL, &[]).unwrap_err().code, RefusalCode::PurposeNotAllowed);
}

/// What closes the message as a whole, with the refusal it must give. Each is judged the same at submission and at read.
#[test]
fn what_closes_the_message_has_its_own_code() {
    type Change = fn(&mut World);
    fn act(world: &mut World, who: &str, act: AgreementAct) {
        world.the_agreement().acts.push(SignedAct { party: party(who), act });
    }
    let plain = |code| Refusal::new(code);
    let cases: Vec<(&str, Change, Refusal)> = vec![
        ("no agreement", |w| w.agreement = None, plain(RefusalCode::NoAgreement)),
        ("not accepted by all", |w| w.the_agreement().acts.truncate(1), plain(RefusalCode::AgreementNotInForce)),
        ("suspended", |w| act(w, CITY, AgreementAct::Suspend), plain(RefusalCode::AgreementNotInForce)),
        ("revoked", |w| act(w, HOME, AgreementAct::Revoke), plain(RefusalCode::AgreementNotInForce)),
        ("not begun", |w| w.the_agreement().agreement.from = NOW.plus_micros(1), plain(RefusalCode::AgreementNotInForce)),
        ("over", |w| w.the_agreement().agreement.until = NOW, plain(RefusalCode::AgreementNotInForce)),
        (
            "sender not bound",
            |w| w.sender = party("settlement_center:13-2"),
            Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow"),
        ),
        (
            "reader not bound",
            |w| w.reader = party("municipality:131024-1"),
            Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow"),
        ),
        ("no flow", |w| w.the_agreement().agreement.flows.clear(), Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow")),
        (
            "kind outside",
            |w| w.the_agreement().agreement.flows[0].kinds = vec![MessageKind::Supplement],
            Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow"),
        ),
        (
            "basis outside",
            |w| w.the_agreement().agreement.flows[0].bases = vec![LegalBasis::Statute],
            Refusal::claim(RefusalCode::NoAgreement, "agr", "agreement_flow"),
        ),
        (
            "purpose outside the agreement",
            |w| w.the_agreement().agreement.flows[0].purposes = vec![BenefitDecision],
            Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "agreement_flow"),
        ),
        ("no consent", |w| w.consent = None, plain(RefusalCode::NoConsent)),
        ("consent ended", |w| w.history().ended = true, Refusal::claim(RefusalCode::ConsentEnded, "con", "withdrawn")),
        ("consent over", |w| w.the_consent().expires = NOW, Refusal::claim(RefusalCode::ConsentEnded, "con", "expired")),
        (
            "consent not begun",
            |w| w.the_consent().not_before = NOW.plus_micros(1),
            Refusal::claim(RefusalCode::ConsentScope, "con", "not_yet_valid"),
        ),
        (
            "another recipient",
            |w| w.the_consent().items[0].rcp = vec!["core_center".parse().unwrap()],
            Refusal::claim(RefusalCode::ConsentScope, "aud", "consent_item"),
        ),
        (
            "another purpose",
            |w| w.the_consent().items[0].pur = vec![BenefitDecision],
            Refusal::claim(RefusalCode::ConsentScope, "pur", "consent_item"),
        ),
        (
            "recipient taken out",
            |w| w.history().narrowed.push(Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls: None }),
            Refusal::claim(RefusalCode::ConsentScope, "pur", "consent_item"),
        ),
        (
            "recipient taken out class by class",
            |w| {
                let out = nameable().into_iter().map(|c| Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls: Some(vec![c]) });
                w.history().narrowed.extend(out);
            },
            Refusal::claim(RefusalCode::ConsentScope, "pur", "consent_item"),
        ),
        ("agreement before consent", |w| (w.agreement, w.consent) = (None, None), plain(RefusalCode::NoAgreement)),
    ];
    assert!(read(&World::referral(), PlacementCoordination, &[C::Routing], NOW).is_ok());
    for (name, change, expected) in cases {
        let mut world = World::referral();
        change(&mut world);
        assert_eq!(read(&world, PlacementCoordination, &[C::Routing], NOW).unwrap_err(), expected, "{name}, at read");
        assert_eq!(submit(&world, &[PlacementCoordination], Purpose::ALL, &[C::Routing]).unwrap_err(), expected, "{name}, at submission");
    }
}

#[test]
fn a_superseded_agreement_takes_nothing_new_and_is_read_under_the_narrower() {
    let mut world = World::referral();
    let mut next = world.the_agreement().clone();
    next.agreement.flows[0].classes.retain(|class| *class != C::Wishes);
    next.agreement.until = AGREEMENT_UNTIL.plus_secs(-60);
    world.the_agreement().successor = Some(std::sync::Arc::new(next));
    let refused = submit(&world, &[PlacementCoordination], Purpose::ALL, &[C::Routing]).unwrap_err();
    assert_eq!(refused, Refusal::new(RefusalCode::AgreementNotInForce));
    let view = read(&world, PlacementCoordination, &[C::Identity, C::Wishes], NOW).unwrap();
    assert_eq!(
        (view.shown().len(), view.hidden()[0].key.as_str(), view.hidden()[0].rules.as_slice()),
        (1, "wishes", &["A-05".to_owned()][..])
    );
    assert!(view.valid_until() <= AGREEMENT_UNTIL.plus_secs(-60));
}

#[test]
fn a_delegate_sees_no_more_than_its_principal_and_its_own_kind() {
    let world = World::referral();
    let viewing = |purpose| Viewing { purpose, message: &[PlacementCoordination, BenefitDecision] };
    let all = rows(C::ALL);
    let question = Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &all, ends: ENDS, now: NOW };
    let own = decide_read(&question, &viewing(PlacementCoordination)).unwrap();
    let core = decide_delegated_read(&question, &viewing(PlacementCoordination), PartyKind::CoreCenter).unwrap();
    assert!(!core.shown().is_empty() && core.shown().iter().all(|key| own.shown().contains(key)));
    let home = decide_delegated_read(&question, &viewing(PlacementCoordination), PartyKind::GroupHome).unwrap();
    assert!(home.shown().len() < core.shown().len(), "a body of another kind is shown what its kind may see");
}

#[test]
fn a_message_is_read_only_for_a_purpose_it_was_sent_for() {
    let world = World::referral();
    for purpose in Purpose::ALL {
        let viewing = Viewing { purpose: *purpose, message: &[PlacementCoordination] };
        let view = decide_read(
            &Question {
                policy: &POLICY,
                exchange: world.exchange(),
                rights: world.rights(),
                rows: &rows(&[C::Identity]),
                ends: ENDS,
                now: NOW,
            },
            &viewing,
        );
        match *purpose {
            PlacementCoordination => assert_eq!(view.unwrap().shown().len(), 1),
            _ => assert_eq!(view.unwrap_err(), Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "message")),
        }
    }
}

#[test]
fn a_statute_stands_in_for_consent_but_opens_no_ticked_cell() {
    let mut world = World { basis: LegalBasis::Statute, consent: None, ..World::referral() };
    assert_eq!(shown(&world, PlacementCoordination), names(PLACEMENT));
    assert_eq!(shown(&world, BenefitDecision), names(BENEFIT));
    world.basis = LegalBasis::VitalInterest;
    let vital = [C::Routing, C::Task, C::Identity, C::Accommodation, C::Contact, C::Safety, C::Medical, C::CareNeed, C::ConsentMeta];
    assert_eq!(shown(&world, PlacementCoordination), names(&vital), "life and body: no more than F-10 leaves");
    for basis in [LegalBasis::WithinPurpose, LegalBasis::Consent69_2_1, LegalBasis::Consent27, LegalBasis::Delegation66_2] {
        world.basis = basis;
        assert_eq!(read(&world, PlacementCoordination, C::ALL, NOW).unwrap_err().code, RefusalCode::NoConsent, "{basis}");
    }
}

#[test]
fn a_statute_does_not_reach_a_provider_and_a_named_consent_must_stand_on_any_basis() {
    let mut world = World { basis: LegalBasis::Statute, ..World::referral() };
    world.history().ended = true;
    assert_eq!(read(&world, PlacementCoordination, C::ALL, NOW).unwrap_err().code, RefusalCode::ConsentEnded);
    let home = World {
        sender: party(CITY),
        reader: party(HOME),
        kind: MessageKind::ServiceHandoff,
        basis: LegalBasis::Statute,
        relation: Relation::Accepted,
        agreement: Some(agreement(vec![flow("municipality", "group_home")])),
        consent: None,
    };
    let viewing = Viewing { purpose: Purpose::ServiceProvision, message: &[Purpose::ServiceProvision] };
    let view = decide_read(
        &Question { policy: &POLICY, exchange: home.exchange(), rights: home.rights(), rows: &rows(C::ALL), ends: ENDS, now: NOW },
        &viewing,
    )
    .unwrap();
    assert_eq!(view.shown().iter().map(ToString::to_string).collect::<Vec<_>>(), names(&[C::Routing, C::Task, C::ConsentMeta]));
}

#[test]
fn what_a_centre_issued_shows_a_provider_nothing() {
    let mut world = World { reader: party(HOME), kind: MessageKind::ServiceHandoff, relation: Relation::Accepted, ..World::referral() };
    world.agreement = Some(agreement(vec![flow("settlement_center", "group_home")]));
    world.consent = Some((consent(vec![item(HOME, &[Purpose::ServiceProvision], nameable(), TICKED)]), ConsentHistory::default()));
    let viewing = Viewing { purpose: Purpose::ServiceProvision, message: &[Purpose::ServiceProvision] };
    let view = decide_read(
        &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &rows(C::ALL), ends: ENDS, now: NOW },
        &viewing,
    )
    .unwrap();
    assert!(view.shown().is_empty() && !view.consent_detail());
    assert!(view.hidden().iter().all(|h| h.rules.contains(&"F-12".to_owned())));
}

#[test]
fn a_reader_without_relation_sees_nothing() {
    for (relation, rest) in [(Relation::None, &[][..]), (Relation::Closed, &[C::Routing, C::ConsentMeta])] {
        let world = World { relation, ..World::referral() };
        assert_eq!(shown(&world, PlacementCoordination), names(rest), "{relation}");
    }
}

#[test]
fn a_decision_holds_until_the_earliest_end() {
    let ends = [Timestamp::from_secs(1_600), Timestamp::from_secs(1_700), Timestamp::from_secs(1_800)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut world = World::referral();
        world.the_agreement().agreement.until = ends[order[0]];
        world.the_consent().expires = ends[order[1]];
        let own = ends[order[2]];
        let viewing = Viewing { purpose: PlacementCoordination, message: &[PlacementCoordination] };
        let view = decide_read(
            &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &[], ends: own, now: NOW },
            &viewing,
        )
        .unwrap();
        assert_eq!(view.valid_until(), ends[0]);
        let accepted = decide_submission(
            (),
            &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &[], ends: own, now: NOW },
            &[PlacementCoordination],
            Purpose::ALL,
        );
        assert_eq!(accepted.unwrap().valid_until(), ends[0]);
    }
    let world = World { basis: LegalBasis::Statute, consent: None, ..World::referral() };
    assert_eq!(read(&world, PlacementCoordination, &[], NOW).unwrap().valid_until(), AGREEMENT_UNTIL);
    let last = CONSENT_UNTIL.plus_micros(-1);
    assert_eq!(read(&World::referral(), PlacementCoordination, &[], last).unwrap().valid_until(), CONSENT_UNTIL);
}

#[test]
fn a_referral_goes_to_a_municipality_or_core_centre_and_nothing_reaches_a_provider_from_a_body_whose_name_tells() {
    let mut open = Vec::new();
    for kind in MessageKind::ALL {
        for (sender, recipient) in PartyKind::ALL.iter().flat_map(|s| PartyKind::ALL.iter().map(move |r| (*s, *r))) {
            if POLICY.may(sender, Deed::Submit { kind: *kind, recipient }).allow {
                assert!(!(recipient.is_provider() && sender.reveals_criminal_history()), "{kind} {sender} {recipient}");
                open.push((*kind, sender, recipient));
            }
        }
    }
    let referrals: Vec<_> = open.iter().filter(|(kind, ..)| *kind == MessageKind::Referral).collect();
    assert_eq!(referrals.len(), 5 * 2);
    assert!(MessageKind::ALL.iter().all(|kind| open.iter().any(|(sent, ..)| sent == kind)), "each kind has somebody who may send it");
    assert!(referrals.iter().all(|(_, _, recipient)| matches!(recipient, PartyKind::Municipality | PartyKind::CoreCenter)));
    assert!(referrals.iter().all(|(_, sender, _)| !sender.is_provider() && !matches!(sender, PartyKind::Auditor | PartyKind::Operator)));
}
