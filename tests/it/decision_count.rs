//! What the gateway may open to count it: everything that was not taken back.

use tsunagi::{
    decision::may_count,
    domain::{
        agreement::{AgreementAct, SignedAct},
        codes::{MessageKind, Purpose},
        consent::{ConsentHistory, Exception},
        field::FieldClass,
    },
};

use crate::decision_fixture::*;

const PURPOSES: &[Purpose] = &[Purpose::PlacementCoordination, Purpose::BenefitDecision];

fn counts_class(world: &World, class: FieldClass) -> bool {
    may_count(&POLICY, &world.exchange(), &world.rights(), (PURPOSES, class), NOW)
}

fn counts(world: &World) -> bool {
    counts_class(world, FieldClass::CriminalStatus)
}

fn changed(change: impl FnOnce(&mut World)) -> bool {
    let mut world = World::referral();
    change(&mut world);
    counts(&world)
}

fn taken(cls: Option<Vec<FieldClass>>) -> Exception {
    Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls }
}

#[test]
fn what_stands_may_be_counted_and_what_ran_out_too() {
    assert!(counts(&World::referral()));
    for kind in [MessageKind::ThirdPartyReferral, MessageKind::Correction] {
        assert!(changed(|world| world.kind = kind), "{kind}");
    }
    assert!(changed(|world| world.the_consent().expires = NOW.plus_secs(1)));
    assert!(changed(|world| world.the_agreement().agreement.until = NOW.plus_secs(1)));
    // A consent that took the place of another begins behind the message.
    assert!(changed(|world| world.the_consent().not_before = NOW.plus_secs(100)));
}

#[test]
fn what_was_taken_back_is_not_counted() {
    assert!(!changed(|world| *world.history() = ConsentHistory { ended: true, ..ConsentHistory::default() }));
    for class in [Some(vec![FieldClass::CriminalStatus]), None] {
        assert!(!changed(|world| world.history().narrowed.push(taken(class.clone()))), "narrowed: {class:?}");
        assert!(!changed(|world| world.the_consent().refused.push(taken(class.clone()))), "refused: {class:?}");
    }
    assert!(changed(|world| world.history().narrowed.push(taken(Some(vec![FieldClass::Identity])))), "another class");
    assert!(!changed(|world| world.the_consent().items.iter_mut().for_each(|item| item.cls.clear())), "one in its place covers less");
    for act in [AgreementAct::Suspend, AgreementAct::Revoke] {
        let said = SignedAct { party: party(CITY), act };
        assert!(!changed(|world| world.the_agreement().acts.push(said)), "{act}");
    }
    assert!(!changed(|world| world.agreement = None));
}

#[test]
fn what_the_policies_do_not_give_a_body_that_leads_is_not_counted() {
    assert!(!counts_class(&World::referral(), FieldClass::Prohibited));
    assert!(!may_count(
        &POLICY,
        &World::referral().exchange(),
        &World::referral().rights(),
        (&[Purpose::BenefitDecision], FieldClass::CriminalStatus),
        NOW
    ));
}
