//! Properties of decisions over random rights: nothing beyond the necessity matrix is shown, every layer must say yes, and taking something
//! away from any layer never shows more.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample, strategy::ValueTree as _, test_runner::TestRunner};
use tsunagi::{
    decision::{Question, Viewing, decide_read, decide_submission},
    domain::{
        agreement::{AgreementAct, AgreementState, Flow, Side, SignedAct},
        case::Relation,
        codes::{BasisGroup, LegalBasis, MessageKind, Purpose},
        consent::{Consent, ConsentHistory, ConsentState, Exception, Item, Recipient},
        field::FieldClass,
        party::PartyId,
        refusal::RefusalCode,
        time::Timestamp,
    },
    policy::Key,
};

use crate::decision_fixture::*;

const PURPOSES: &[Purpose] = &[
    Purpose::PlacementCoordination,
    Purpose::BenefitDecision,
    Purpose::ServiceProvision,
    Purpose::AddonCertification,
    Purpose::BackupConsultation,
];
const KINDS: &[MessageKind] = &[MessageKind::Referral, MessageKind::Enquiry, MessageKind::PlacementRequest, MessageKind::ServiceHandoff];
const BASES: &[LegalBasis] = &[LegalBasis::WithinPurpose, LegalBasis::Consent27, LegalBasis::Statute, LegalBasis::VitalInterest];
const PARTIES: &[&str] = &[CENTRE, CITY, HOME];

fn some<T: Clone + std::fmt::Debug + 'static>(list: &'static [T], least: usize) -> impl Strategy<Value = Vec<T>> {
    sample::subsequence(list, least..=list.len())
}

fn side() -> impl Strategy<Value = Side> {
    sample::select(PARTIES).prop_flat_map(|text| {
        let id = party(text);
        prop_oneof![Just(Side::Kind(id.kind())), Just(Side::Party(id))]
    })
}

/// Who gives what to whom: mostly the ways the matrix knows, sometimes anything.
fn exchange() -> impl Strategy<Value = (&'static str, &'static str, MessageKind, Relation)> {
    const WAYS: &[(&str, &str, MessageKind, Relation)] = &[
        (CENTRE, CITY, MessageKind::Referral, Relation::Assigned),
        (CITY, HOME, MessageKind::Enquiry, Relation::Prospective),
        (CITY, HOME, MessageKind::PlacementRequest, Relation::Considering),
        (CITY, HOME, MessageKind::ServiceHandoff, Relation::Accepted),
        (CITY, CENTRE, MessageKind::Referral, Relation::Origin),
    ];
    let anything = (sample::select(PARTIES), sample::select(PARTIES), sample::select(KINDS), sample::select(Relation::ALL));
    prop_oneof![4 => sample::select(WAYS), 1 => anything]
}

fn flow(from: impl Strategy<Value = Side>, to: impl Strategy<Value = Side>) -> impl Strategy<Value = Flow> {
    (from, to, some(KINDS, 3), some(PURPOSES, 3), some(FieldClass::ALL, 25), some(BASES, 3))
        .prop_map(|(from, to, kinds, purposes, classes, bases)| Flow { from, to, kinds, purposes, classes, bases })
}

fn recipient() -> impl Strategy<Value = Recipient> {
    sample::select(&["municipality", "core_center", CENTRE, CITY, HOME][..]).prop_map(|text| text.parse().unwrap())
}

fn item(rcp: impl Strategy<Value = Recipient>) -> impl Strategy<Value = Item> {
    (rcp, some(PURPOSES, 3), some(FieldClass::ALL, 25), some(TICKED, 0)).prop_map(|(rcp, pur, cls, tick)| Item {
        rcp: vec![rcp],
        pur,
        cls,
        tick,
    })
}

fn exception() -> impl Strategy<Value = Exception> {
    let lists = (proptest::option::of(some(PURPOSES, 1)), proptest::option::weighted(0.8, sample::subsequence(FieldClass::ALL, 1..15)));
    (side(), lists).prop_map(|(rcp, (pur, cls))| Exception { rcp: vec![rcp], pur, cls })
}

/// A flow and an item that may reach the reader, and others that may not.
fn world() -> impl Strategy<Value = World> {
    (exchange(), sample::select(BASES)).prop_flat_map(|((sender, reader, kind, relation), basis)| {
        let own = flow(Just(Side::Kind(party(sender).kind())), Just(Side::Party(party(reader))));
        let flows = (own, proptest::collection::vec(flow(side(), side()), 0..6));
        let items = (item(Just(Recipient::Party(party(reader)))), proptest::collection::vec(item(recipient()), 0..2));
        let exceptions = || proptest::collection::vec(exception(), 0..=2);
        let given = (items, exceptions(), exceptions(), prop::bool::weighted(0.05));
        (flows, proptest::option::weighted(0.9, given)).prop_map(move |((own, mut flows), given)| {
            flows.push(own);
            World {
                sender: party(sender),
                reader: party(reader),
                kind,
                basis,
                relation,
                agreement: Some(agreement(flows)),
                consent: given.map(|((own, mut items), refused, narrowed, ended)| {
                    items.push(own);
                    (Consent { refused, ..consent(items) }, ConsentHistory { ended, narrowed, providers_until: None })
                }),
            }
        })
    })
}

/// The classes shown for a purpose, and whether the consent's reference is; nothing when the message as a whole is closed.
fn shown(world: &World, purpose: Purpose, sent_for: &[Purpose], now: Timestamp) -> BTreeSet<FieldClass> {
    let viewing = Viewing { purpose, message: sent_for };
    let view = decide_read(
        &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &rows(FieldClass::ALL), ends: ENDS, now },
        &viewing,
    );
    let Ok(view) = view else { return BTreeSet::new() };
    assert_eq!(view.shown().len() + view.hidden().len(), FieldClass::ALL.len());
    assert!(view.hidden().iter().all(|hidden| !hidden.rules.is_empty()), "a row is withheld for a reason");
    let shown: BTreeSet<FieldClass> = view.shown().iter().map(|key| key.as_str().parse().unwrap()).collect();
    assert_eq!(view.consent_detail(), shown.contains(&FieldClass::ConsentDetail));
    shown
}

/// What the necessity matrix could permit at the very best: agreement and consent cover, everything is ticked, the reader is named.
fn at_best(world: &World, purpose: Purpose, class: FieldClass) -> bool {
    let key = Key {
        reader: world.reader.kind(),
        sender: world.sender.kind(),
        class,
        purpose,
        kind: world.kind,
        relation: world.relation,
        basis: POLICY.basis_group(world.basis),
        agreement: AgreementState::Covers,
        consent: ConsentState::CoversTicked,
        named: true,
    };
    POLICY.decide(&key).allow
}

/// One thing that some layer loses.
#[derive(Debug, Clone)]
enum Loss {
    Flow(sample::Index),
    FlowClass(sample::Index, FieldClass),
    FlowPurpose(sample::Index, Purpose),
    Said(PartyId, AgreementAct),
    Superseded,
    AgreementEnds,
    Item(sample::Index),
    ItemClass(sample::Index, FieldClass),
    Ticks(sample::Index),
    Refused(Exception),
    Narrowed(Exception),
    ConsentEnds,
    ConsentExpires,
    Message(Purpose),
}

fn loss() -> impl Strategy<Value = Loss> {
    let index = any::<sample::Index>;
    let class = || sample::select(FieldClass::ALL);
    let said = sample::select(&[AgreementAct::Suspend, AgreementAct::Revoke, AgreementAct::Reject][..]);
    prop_oneof![
        index().prop_map(Loss::Flow),
        (index(), class()).prop_map(|(at, class)| Loss::FlowClass(at, class)),
        (index(), sample::select(PURPOSES)).prop_map(|(at, purpose)| Loss::FlowPurpose(at, purpose)),
        (sample::select(PARTIES), said).prop_map(|(who, act)| Loss::Said(party(who), act)),
        Just(Loss::Superseded),
        Just(Loss::AgreementEnds),
        index().prop_map(Loss::Item),
        (index(), class()).prop_map(|(at, class)| Loss::ItemClass(at, class)),
        index().prop_map(Loss::Ticks),
        exception().prop_map(Loss::Refused),
        exception().prop_map(Loss::Narrowed),
        Just(Loss::ConsentEnds),
        Just(Loss::ConsentExpires),
        sample::select(PURPOSES).prop_map(Loss::Message),
    ]
}

/// Takes it away. Losses of a consent that is not there change nothing.
fn lose(world: &mut World, sent_for: &mut Vec<Purpose>, loss: Loss) {
    let record = world.agreement.as_mut().unwrap();
    let flows = &mut record.agreement.flows;
    match loss {
        Loss::Flow(at) => drop(flows.remove(at.index(flows.len()))),
        Loss::FlowClass(at, class) => {
            let at = at.index(flows.len());
            flows[at].classes.retain(|c| *c != class);
        }
        Loss::FlowPurpose(at, purpose) => {
            let at = at.index(flows.len());
            flows[at].purposes.retain(|p| *p != purpose);
        }
        Loss::Said(party, act) => record.acts.push(SignedAct { party, act }),
        // By a version with the last of the flows left out.
        Loss::Superseded => {
            let mut next = record.clone();
            next.agreement.flows.pop();
            record.successor = Some(std::sync::Arc::new(next));
        }
        Loss::AgreementEnds => record.agreement.until = NOW,
        Loss::Message(purpose) => sent_for.retain(|p| *p != purpose),
        of_consent => {
            let Some((consent, history)) = &mut world.consent else { return };
            let count = consent.items.len();
            match of_consent {
                Loss::Item(at) => drop(consent.items.remove(at.index(count))),
                Loss::ItemClass(at, class) => {
                    let item = &mut consent.items[at.index(count)];
                    item.cls.retain(|c| *c != class);
                    item.tick.retain(|c| *c != class);
                }
                Loss::Ticks(at) => consent.items[at.index(count)].tick.clear(),
                Loss::Refused(exception) => consent.refused.push(exception),
                Loss::Narrowed(exception) => history.narrowed.push(exception),
                Loss::ConsentEnds => history.ended = true,
                Loss::ConsentExpires => consent.expires = NOW,
                _ => unreachable!("every loss of the agreement is handled above"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is shown is within the matrix, within one flow of the agreement, and on the basis of consent within one item that nobody took
    /// anything out of.
    #[test]
    fn every_layer_must_say_yes(world in world(), purpose in sample::select(PURPOSES)) {
        let shown = shown(&world, purpose, PURPOSES, NOW);
        let demands_consent = POLICY.basis_group(world.basis) == BasisGroup::Consent;
        for class in shown {
            prop_assert!(at_best(&world, purpose, class), "{class} is outside the matrix");
            let record = world.agreement.as_ref().unwrap();
            let in_flow = record.agreement.flows.iter().any(|flow| {
                flow.from.holds(&world.sender) && flow.to.holds(&world.reader) && flow.kinds.contains(&world.kind)
                    && flow.bases.contains(&world.basis) && flow.purposes.contains(&purpose) && flow.classes.contains(&class)
            });
            prop_assert!(in_flow, "{class} is in no flow");
            if !demands_consent || class.needs_no_consent_item() {
                continue;
            }
            let (consent, history) = world.consent.as_ref().unwrap();
            let covers = |rcp: &Recipient| match rcp {
                Recipient::Kind(kind) => *kind == world.reader.kind(),
                Recipient::Party(id) => *id == world.reader,
            };
            let in_item = consent.items.iter().any(|item| {
                item.rcp.iter().any(covers) && item.pur.contains(&purpose) && (item.cls.contains(&class) || item.tick.contains(&class))
            });
            let taken = consent.refused.iter().chain(&history.narrowed).any(|out| {
                out.rcp.iter().any(|side| side.holds(&world.reader))
                    && out.pur.as_ref().is_none_or(|list| list.contains(&purpose))
                    && out.cls.as_ref().is_none_or(|list| list.contains(&class))
            });
            prop_assert!(in_item && !taken && !history.ended, "{class} is outside the consent");
        }
    }

    #[test]
    fn taking_something_away_from_any_layer_never_shows_more(
        world in world(),
        purpose in sample::select(PURPOSES),
        losses in proptest::collection::vec(loss(), 1..4),
    ) {
        let (mut world, mut sent_for) = (world, PURPOSES.to_vec());
        let mut before = shown(&world, purpose, &sent_for, NOW);
        for loss in losses {
            let empty = world.agreement.as_ref().is_none_or(|record| record.agreement.flows.is_empty())
                || world.consent.as_ref().is_some_and(|(consent, _)| consent.items.is_empty());
            if empty {
                break;
            }
            let what = format!("{loss:?}");
            lose(&mut world, &mut sent_for, loss);
            let after = shown(&world, purpose, &sent_for, NOW);
            prop_assert!(after.is_subset(&before), "{what} shows {:?} more", after.difference(&before));
            before = after;
        }
    }

    /// A submission is accepted exactly when each of its rows would be shown at once for one of its purposes; otherwise it names the others.
    #[test]
    fn a_submission_passes_exactly_when_each_row_would_be_shown(
        world in world(),
        purposes in some(PURPOSES, 1),
        registered in some(PURPOSES, 1),
        classes in some(FieldClass::ALL, 0),
    ) {
        let decided =
            decide_submission((), &Question { policy: &POLICY, exchange: world.exchange(), rights: world.rights(), rows: &rows(&classes), ends: ENDS, now: NOW }, &purposes, &registered);
        let open = purposes.iter().filter(|purpose| registered.contains(purpose));
        let visible: BTreeSet<FieldClass> = open.flat_map(|purpose| shown(&world, *purpose, &purposes, NOW)).collect();
        match decided {
            Ok(permitted) => {
                prop_assert!(classes.iter().all(|class| visible.contains(class)));
                prop_assert!(permitted.valid_until() <= AGREEMENT_UNTIL);
            }
            Err(refusal) if refusal.code == RefusalCode::OverDisclosure => {
                let named: Vec<_> = refusal.violations.iter().filter_map(|violation| violation.class).collect();
                let expected: Vec<_> = classes.iter().copied().filter(|class| !visible.contains(class)).collect();
                prop_assert!(!named.is_empty() && named == expected);
            }
            Err(refusal) => prop_assert!(refusal.code.status() == 403 && refusal.violations.len() <= 1),
        }
    }
}

/// The properties above would hold for a gateway that shows nothing: this one shows something in a good part of the worlds, and most classes
/// in some.
#[test]
fn the_random_worlds_show_something() {
    let mut runner = TestRunner::deterministic();
    let (mut seen, mut open) = (BTreeSet::new(), 0);
    for _ in 0..200 {
        let (world, purpose) = (world(), sample::select(PURPOSES)).new_tree(&mut runner).unwrap().current();
        let shown = shown(&world, purpose, PURPOSES, NOW);
        open += usize::from(shown.iter().any(|class| !class.needs_no_consent_item()));
        seen.extend(shown);
    }
    let never: Vec<_> = FieldClass::ALL.iter().filter(|class| !seen.contains(class)).collect();
    assert!(never.len() <= 14, "{never:?} are never shown");
    assert!(open > 20, "only {open} of 200 show anything of substance");
}
