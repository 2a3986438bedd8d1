use super::*;

const FROM: Timestamp = Timestamp::from_secs(1_000);
const UNTIL: Timestamp = Timestamp::from_secs(2_000);
const NOW: Timestamp = Timestamp::from_secs(1_500);
const CITY: &str = "municipality:131016-1";
const HOME: &str = "group_home:1320100017";
/// One party of every kind.
const PARTIES: &[&str] = &[
    "settlement_center:13-1",
    "probation_office:13-1",
    "bar_association:13-1",
    CITY,
    "core_center:131016-1",
    "prefecture:130001",
    "consultation_office:1330100015",
    HOME,
    "support_facility:1310100019",
    "lodging_training:1310100027",
    "day_service:1310100035",
    "rehab_facility:4011001098993-1",
    "auditor:tokyo",
    "operator:tokyo",
];

fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

fn item(rcp: &str, pur: &[Purpose], cls: &[FieldClass], tick: &[FieldClass]) -> Item {
    Item { rcp: vec![rcp.parse().unwrap()], pur: pur.to_vec(), cls: cls.to_vec(), tick: tick.to_vec() }
}

fn exception(rcp: &str, pur: Option<Purpose>, cls: Option<&[FieldClass]>) -> Exception {
    Exception { rcp: vec![rcp.parse().unwrap()], pur: pur.map(|p| vec![p]), cls: cls.map(<[FieldClass]>::to_vec) }
}

fn consent(items: Vec<Item>) -> Consent {
    Consent {
        jti: "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
        collector: party("settlement_center:13-1"),
        not_before: FROM,
        expires: UNTIL,
        items,
        refused: Vec::new(),
    }
}

fn placement(rcp: &str) -> Item {
    item(rcp, &[P::PlacementCoordination], &[C::Identity, C::Medical], &[C::LifeHistory])
}

fn narrowed(narrowed: Vec<Exception>) -> ConsentHistory {
    ConsentHistory { narrowed, ..ConsentHistory::default() }
}

use FieldClass as C;
use Purpose as P;

#[test]
fn it_stands_from_its_first_moment_to_the_one_before_its_end() {
    let consent = consent(vec![placement("municipality")]);
    for (now, expected) in [
        (FROM.plus_micros(-1), ConsentState::NotInForce),
        (FROM, ConsentState::Covers),
        (UNTIL.plus_micros(-1), ConsentState::Covers),
        (UNTIL, ConsentState::NotInForce),
    ] {
        let history = ConsentHistory::default();
        assert_eq!(consent.standing(&history, now), expected, "{now}");
        assert_eq!(consent.state(&history, &party(CITY), P::PlacementCoordination, C::Identity, now), expected);
        assert_eq!(consent.state_of_recipient(&history, &party(CITY), &[P::PlacementCoordination], now), expected);
        let ended = ConsentHistory { ended: true, ..ConsentHistory::default() };
        assert_eq!(consent.standing(&ended, now), ConsentState::Withdrawn, "an end beats the period");
        assert_eq!(consent.state(&ended, &party(CITY), P::PlacementCoordination, C::Identity, now), ConsentState::Withdrawn);
        assert_eq!(consent.state_of_recipient(&ended, &party(CITY), &[P::PlacementCoordination], now), ConsentState::Withdrawn);
    }
}

#[test]
fn a_kind_stands_for_its_public_bodies_and_never_for_a_provider() {
    for kind in PartyKind::ALL {
        assert_eq!(kind.as_str().parse::<Recipient>().is_ok(), kind.is_public(), "{kind}");
        for text in PARTIES {
            let reader = party(text);
            let by_kind = Item { rcp: vec![Recipient::Kind(*kind)], ..placement(CITY) };
            let state = consent(vec![by_kind]).state(&ConsentHistory::default(), &reader, P::PlacementCoordination, C::Identity, NOW);
            let covered = kind.is_public() && reader.kind() == *kind;
            assert_eq!(state, if covered { ConsentState::Covers } else { ConsentState::RecipientOutside }, "{kind} {text}");
            assert!(!kind.is_public() || !kind.is_provider());
        }
    }
}

#[test]
fn a_name_stands_for_itself_alone() {
    for named in PARTIES {
        let consent = consent(vec![placement(named)]);
        for reader in PARTIES {
            let covered = named == reader;
            let state = consent.state(&ConsentHistory::default(), &party(reader), P::PlacementCoordination, C::Identity, NOW);
            assert_eq!(state, if covered { ConsentState::Covers } else { ConsentState::RecipientOutside });
            assert_eq!(consent.names(&party(reader)), covered);
        }
        assert!(!consent.names(&party("municipality:131024-1")));
    }
    assert!(!consent(vec![placement("municipality")]).names(&party(CITY)), "a kind is no name");
}

#[test]
fn recipient_purpose_and_class_must_stand_in_one_item() {
    let consent = consent(vec![
        placement("municipality"),
        item(CITY, &[P::BenefitDecision], &[C::Benefit], &[]),
        item(HOME, &[P::ServiceProvision], &[C::CareNeed], &[]),
    ]);
    for (reader, purpose, class, expected) in [
        (CITY, P::PlacementCoordination, C::Identity, ConsentState::Covers),
        (CITY, P::BenefitDecision, C::Benefit, ConsentState::Covers),
        (CITY, P::BenefitDecision, C::Identity, ConsentState::ClassOutside),
        (CITY, P::PlacementCoordination, C::Benefit, ConsentState::ClassOutside),
        (CITY, P::ServiceProvision, C::CareNeed, ConsentState::PurposeOutside),
        ("municipality:131024-1", P::BenefitDecision, C::Benefit, ConsentState::PurposeOutside),
        (HOME, P::ServiceProvision, C::CareNeed, ConsentState::Covers),
        (HOME, P::PlacementCoordination, C::Identity, ConsentState::PurposeOutside),
        ("day_service:1310100035", P::ServiceProvision, C::CareNeed, ConsentState::RecipientOutside),
        (CITY, P::PlacementCoordination, C::Routing, ConsentState::ClassOutside),
    ] {
        let state = consent.state(&ConsentHistory::default(), &party(reader), purpose, class, NOW);
        assert_eq!(state, expected, "{reader} {purpose} {class}");
    }
}

#[test]
fn a_tick_is_more_than_cover_whatever_the_order() {
    let plain = item(CITY, &[P::PlacementCoordination], &[C::LifeHistory], &[]);
    let both = item(CITY, &[P::PlacementCoordination], &[C::LifeHistory], &[C::LifeHistory]);
    for items in [vec![placement(CITY)], vec![both], vec![placement(CITY), plain.clone()], vec![plain.clone(), placement(CITY)]] {
        let state = consent(items).state(&ConsentHistory::default(), &party(CITY), P::PlacementCoordination, C::LifeHistory, NOW);
        assert_eq!(state, ConsentState::CoversTicked);
    }
    let elsewhere = consent(vec![placement("core_center"), plain]);
    let state = elsewhere.state(&ConsentHistory::default(), &party(CITY), P::PlacementCoordination, C::LifeHistory, NOW);
    assert_eq!(state, ConsentState::Covers, "a tick for another recipient is none here");
}

/// What is taken out is outside, whether it was refused from the start or taken out later, and whatever an item or a tick says.
#[test]
fn a_refusal_beats_every_item_and_every_tick() {
    let readers = [CITY, "core_center:131016-1", HOME];
    let purposes = [P::PlacementCoordination, P::BenefitDecision];
    let items: Vec<Item> = readers.iter().map(|r| item(r, &purposes, &[C::Identity, C::Medical], &[C::LifeHistory, C::Family])).collect();
    for side in [CITY, "municipality", "group_home", HOME, "auditor"] {
        for pur in [None, Some(P::PlacementCoordination), Some(P::AuditReview)] {
            for cls in [None, Some(&[C::Identity, C::LifeHistory][..]), Some(&[C::Routing][..])] {
                let out = exception(side, pur, cls);
                let refused = Consent { refused: vec![out.clone()], ..consent(items.clone()) };
                let later = (consent(items.clone()), narrowed(vec![out]));
                for (reader, purpose) in readers.iter().flat_map(|r| purposes.iter().map(move |p| (party(r), *p))) {
                    for class in [C::Identity, C::Medical, C::LifeHistory, C::Family] {
                        let taken = side.parse::<Side>().unwrap().holds(&reader)
                            && pur.is_none_or(|p| p == purpose)
                            && cls.is_none_or(|list| list.contains(&class));
                        let plain =
                            if matches!(class, C::LifeHistory | C::Family) { ConsentState::CoversTicked } else { ConsentState::Covers };
                        let expected = if taken { ConsentState::ClassOutside } else { plain };
                        assert_eq!(refused.state(&ConsentHistory::default(), &reader, purpose, class, NOW), expected);
                        assert_eq!(later.0.state(&later.1, &reader, purpose, class, NOW), expected);
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_taken_out_piece_by_piece_is_taken_out() {
    let consent = consent(vec![placement(CITY)]);
    let open = |history: &ConsentHistory| consent.state_of_recipient(history, &party(CITY), &[P::PlacementCoordination], NOW);
    let mut history = ConsentHistory::default();
    for class in [C::Identity, C::Medical, C::LifeHistory] {
        assert_eq!(open(&history), ConsentState::Covers);
        history.narrowed.push(exception("municipality", None, Some(&[class])));
    }
    assert_eq!(open(&history), ConsentState::PurposeOutside);
    for whole in [exception(CITY, None, None), exception("municipality", Some(P::PlacementCoordination), None)] {
        assert_eq!(open(&narrowed(vec![whole])), ConsentState::PurposeOutside);
    }
    assert_eq!(open(&narrowed(vec![exception(CITY, Some(P::BenefitDecision), None)])), ConsentState::Covers);
    assert_eq!(open(&narrowed(vec![exception(HOME, None, None)])), ConsentState::Covers);
}

/// Over every party, purpose and class: the recipient as a whole is covered exactly when some class is.
#[test]
fn the_recipient_as_a_whole_and_its_classes_agree() {
    let items = vec![
        placement("municipality"),
        item(CITY, &[P::BenefitDecision], &[C::Benefit], &[]),
        item(HOME, &[P::ServiceProvision, P::AddonCertification], &[C::CareNeed], &[C::Family]),
    ];
    let histories = [
        ConsentHistory::default(),
        ConsentHistory { ended: true, ..ConsentHistory::default() },
        narrowed(vec![exception("municipality", None, Some(&[C::Identity, C::Medical]))]),
        narrowed(vec![exception("municipality", None, Some(&[C::Identity, C::Medical])), exception(CITY, None, Some(&[C::LifeHistory]))]),
        narrowed(vec![exception("group_home", Some(P::ServiceProvision), None)]),
    ];
    let refused = Consent { refused: vec![exception(HOME, None, Some(&[C::CareNeed, C::Family]))], ..consent(items.clone()) };
    let mut covered = 0;
    for (consent, history) in [consent(items), refused].iter().flat_map(|c| histories.iter().map(move |h| (c, h))) {
        for (reader, purpose) in PARTIES.iter().flat_map(|r| P::ALL.iter().map(move |p| (party(r), *p))) {
            let some = C::ALL.iter().any(|class| consent.state(history, &reader, purpose, *class, NOW) >= ConsentState::Covers);
            let whole = consent.state_of_recipient(history, &reader, &[purpose], NOW);
            assert_eq!(whole == ConsentState::Covers, some, "{reader} {purpose} {whole}");
            covered += usize::from(some);
        }
        assert!(consent.state_of_recipient(history, &party(CITY), &[], NOW) < ConsentState::Covers);
    }
    assert_eq!(covered, (4 + 4 + 3 + 3) + (2 + 2 + 1 + 2));
}

#[test]
fn a_consent_given_in_custody_ends_earlier_for_providers_and_for_nobody_else() {
    let items = vec![placement(CITY), placement(HOME)];
    let between = FROM.plus_secs(600);
    let custody = ConsentHistory { providers_until: Some(between), ..ConsentHistory::default() };
    let consent = consent(items);
    for (reader, now, expected) in [
        (HOME, between.plus_micros(-1), ConsentState::Covers),
        (HOME, between, ConsentState::NotInForce),
        (CITY, between, ConsentState::Covers),
        (CITY, UNTIL, ConsentState::NotInForce),
    ] {
        let reader = party(reader);
        assert_eq!(consent.state(&custody, &reader, P::PlacementCoordination, C::Identity, now), expected, "{reader} {now}");
        assert_eq!(consent.state_of_recipient(&custody, &reader, &[P::PlacementCoordination], now), expected);
        assert_eq!(consent.ends_for(&custody, &reader), if reader.kind().is_provider() { between } else { UNTIL });
    }
    let late = ConsentHistory { providers_until: Some(UNTIL.plus_secs(1)), ..ConsentHistory::default() };
    assert_eq!(consent.ends_for(&late, &party(HOME)), UNTIL, "it never lasts longer for it");
}

#[test]
fn an_exception_touches_what_it_takes_from_and_lies_within_what_takes_more() {
    let placement_only = Some(P::PlacementCoordination);
    let base = exception(CITY, placement_only, Some(&[C::Identity]));
    for wider in [
        exception("municipality", placement_only, Some(&[C::Identity])),
        exception(CITY, None, Some(&[C::Identity])),
        exception(CITY, placement_only, None),
        exception(CITY, placement_only, Some(&[C::Medical, C::Identity])),
    ] {
        assert!(base.within(&wider) && base.within(&base) && !wider.within(&base));
    }
    for other in [
        exception("municipality:131024-1", None, None),
        exception(HOME, None, None),
        exception(CITY, Some(P::BenefitDecision), None),
        exception(CITY, None, Some(&[C::Medical])),
    ] {
        assert!(!base.within(&other) && !other.within(&base));
    }
    let item = placement(CITY);
    for (out, touched) in [
        (exception(CITY, None, None), true),
        (exception("municipality", placement_only, Some(&[C::LifeHistory])), true),
        (exception("core_center", None, None), false),
        (exception(CITY, Some(P::BenefitDecision), None), false),
        (exception(CITY, None, Some(&[C::Family])), false),
    ] {
        assert_eq!(out.touches(&item), touched);
    }
    assert!(exception(CITY, None, None).touches(&placement("municipality")));
}

#[test]
fn every_public_body_may_be_named_by_kind_and_every_party_by_itself() {
    for good in ["municipality", "core_center", CITY, HOME, "bar_association:13-1"] {
        assert_eq!(good.parse::<Recipient>().unwrap().to_string(), good);
    }
    for bad in ["", "*", "group_home", "bar_association", "auditor", "municipality:", "everybody"] {
        assert!(bad.parse::<Recipient>().is_err(), "{bad}");
    }
}

#[test]
fn whom_it_covers_for_nothing_is_told_the_same_whatever_becomes_of_it() {
    let given = consent(vec![placement("municipality"), placement(HOME)]);
    let left_out = consent(vec![placement("municipality")]);
    let out = vec![exception(HOME, None, None)];
    for (consent, taken, expected) in [
        (&left_out, Vec::new(), [ConsentState::RecipientOutside, ConsentState::RecipientOutside]),
        (&given, out, [ConsentState::PurposeOutside, ConsentState::ClassOutside]),
    ] {
        let (standing, ended) = (narrowed(taken.clone()), ConsentHistory { ended: true, ..narrowed(taken) });
        for (history, now) in [(&standing, NOW), (&standing, UNTIL), (&ended, NOW), (&ended, UNTIL)] {
            let of_recipient = consent.state_of_recipient(history, &party(HOME), P::ALL, now);
            assert_eq!([of_recipient, consent.state(history, &party(HOME), P::PlacementCoordination, C::Identity, now)], expected);
            assert!(!consent.covers_something(history, &party(HOME)) && consent.part_of(history, &party(HOME)).is_empty());
        }
        assert_eq!(consent.standing_for(&ended, &party(CITY), NOW), ConsentState::Withdrawn, "whom it covers is told");
        assert_eq!(consent.standing_for(&standing, &party(CITY), UNTIL), ConsentState::NotInForce);
    }
}

#[test]
fn the_part_of_a_party_names_nobody_else_and_holds_what_is_left_for_it() {
    let mut given = consent(vec![
        Item { rcp: vec!["municipality".parse().unwrap(), HOME.parse().unwrap()], ..placement(HOME) },
        item(HOME, &[P::ServiceProvision], &[C::Medical], &[]),
    ]);
    given.refused = vec![exception(HOME, Some(P::PlacementCoordination), Some(&[C::Medical]))];
    let history = narrowed(vec![exception("municipality", None, Some(&[C::LifeHistory]))]);
    let own = |who: &str, pur, cls: &[FieldClass], tick: &[FieldClass]| item(who, &[pur], cls, tick);
    assert_eq!(
        given.part_of(&history, &party(HOME)),
        [own(HOME, P::PlacementCoordination, &[C::Identity], &[C::LifeHistory]), own(HOME, P::ServiceProvision, &[C::Medical], &[])]
    );
    assert_eq!(given.part_of(&history, &party(CITY)), [own(CITY, P::PlacementCoordination, &[C::Identity, C::Medical], &[])]);
    assert_eq!(given.part_of(&history, &party("core_center:131016-1")), []);
}
