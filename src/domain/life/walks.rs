//! Random walks: whatever parties send, in whatever order, some things never happen.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample};

use super::{tests::party, *};

const PARTIES: &[&str] = &[
    "settlement_center:13-1",
    "settlement_center:14-1",
    "municipality:131016-1",
    "municipality:131024-1",
    "core_center:131016-1",
    "bar_association:13-1",
    "probation_office:13-1",
    "consultation_office:1330100015",
    "group_home:1320100017",
    "group_home:1320100025",
    "day_service:1312345678",
];

const ALL_OUTCOMES: &[Outcome] = Outcome::ALL;

type Move = (MessageKind, usize, usize, Option<Outcome>);

fn openings() -> impl Strategy<Value = Standing> {
    let kinds = MessageKind::ALL.iter().copied().filter(|kind| Standing::opened(*kind, &party(PARTIES[0]), &party(PARTIES[2])).is_some());
    (sample::select(kinds.collect::<Vec<_>>()), 0..PARTIES.len(), 2_usize..5).prop_filter_map("two parties", |(kind, from, to)| {
        let (from, to) = (party(PARTIES[from]), party(PARTIES[to]));
        if from == to { None } else { Standing::opened(kind, &from, &to) }
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (sample::select(MessageKind::ALL), 0..PARTIES.len(), 0..PARTIES.len(), proptest::option::of(sample::select(ALL_OUTCOMES)));
    proptest::collection::vec(one, 0..60)
}

/// Choices among what is possible: these walks get far.
fn choices() -> impl Strategy<Value = Vec<(sample::Index, Option<Outcome>)>> {
    proptest::collection::vec((any::<sample::Index>(), proptest::option::of(sample::select(ALL_OUTCOMES))), 0..40)
}

const fn rank(relation: Relation) -> u8 {
    match relation {
        Relation::None => 0,
        Relation::Prospective => 1,
        Relation::Considering => 2,
        Relation::Origin | Relation::Assigned | Relation::Accepted => 3,
        Relation::Closed => 4,
    }
}

/// What no step may do.
fn compare(before: &Standing, act: &Act<'_>, change: &Change, after: &Standing) -> Result<(), TestCaseError> {
    if before.state == CaseState::Closed {
        prop_assert_eq!(after.state, CaseState::Closed, "a closed case was reopened");
    }
    if before.state == CaseState::Declined {
        prop_assert!(matches!(after.state, CaseState::Declined | CaseState::Closed), "a declined case was reopened");
    }
    let changed: BTreeSet<_> = change.relations.iter().map(|(party, _)| party).collect();
    prop_assert_eq!(changed.len(), change.relations.len(), "a party was given two relations");
    for text in PARTIES {
        let party = party(text);
        let (was, is) = (before.relation(&party), after.relation(&party));
        prop_assert!(rank(is) >= rank(was), "{} went from {} back to {}", text, was, is);
        if rank(was) == rank(is) {
            prop_assert_eq!(was, is, "{} changed sides", text);
        }
        if is != was && is != Relation::Closed {
            prop_assert!(party == *act.from || party == *act.to, "{} was given a relation by a message of others", text);
        }
        if matches!(was, Relation::None) && !matches!(is, Relation::None) {
            prop_assert_eq!(&party, act.to, "{} was let in without a message to it", text);
        }
        // What a closing took is never shown again.
        for kind in MessageKind::ALL {
            let shown = |standing: &Standing, relation| reads_as(standing.state, party.kind(), relation, *kind);
            if shown(before, was) == Relation::Closed {
                prop_assert_eq!(shown(after, is), Relation::Closed);
            }
        }
    }
    if after.state == CaseState::Closed {
        prop_assert!(after.parties.values().all(|relation| matches!(relation, Relation::Closed | Relation::None)));
    }
    let lost = before.parties.keys().any(|party| after.relation(party) == Relation::Closed && before.relation(party) != Relation::Closed);
    prop_assert_eq!(change.narrows(), lost || (after.state == CaseState::HandedOver && before.state != CaseState::HandedOver));
    Ok(())
}

fn take(standing: Standing, act: &Act<'_>) -> Result<Standing, TestCaseError> {
    match standing.step(act) {
        Ok(change) => {
            let after = standing.clone().after(act, change.clone());
            compare(&standing, act, &change, &after)?;
            Ok(after)
        }
        Err(illegal) => {
            // What is said to be possible is.
            for kind in &illegal.possible {
                let outcome = Outcome::of(*kind).first().copied();
                prop_assert!(standing.step(&Act { kind: *kind, outcome, ..*act }).is_ok(), "{} is not possible", kind);
            }
            let demanded = act.outcome.is_none() && Outcome::is_demanded(act.kind);
            prop_assert!(!illegal.possible.contains(&act.kind) || demanded, "{} is refused and said to be possible", act.kind);
            Ok(standing)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_sent_at_random_breaks_a_case(mut standing in openings(), moves in moves()) {
        for (kind, from, to, outcome) in moves {
            let (from, to) = (party(PARTIES[from]), party(PARTIES[to]));
            standing = take(standing, &Act { kind, from: &from, to: &to, outcome })?;
        }
    }

    #[test]
    fn nothing_possible_breaks_a_case(mut standing in openings(), choices in choices(), delegated in any::<bool>()) {
        if delegated && standing.relation(&party(PARTIES[4])) == Relation::None && standing.relation(&party(PARTIES[2])) != Relation::None {
            standing.delegates.insert(party(PARTIES[4]), party(PARTIES[2]));
        }
        for (choice, outcome) in choices {
            let mut possible = Vec::new();
            for (from, to) in PARTIES.iter().flat_map(|from| PARTIES.iter().map(move |to| (party(from), party(to)))) {
                possible.extend(standing.possible(&from, &to).into_iter().map(|kind| (kind, from.clone(), to.clone())));
            }
            if possible.is_empty() {
                break;
            }
            let (kind, from, to) = choice.get(&possible);
            let outcome = outcome.filter(|outcome| Outcome::of(*kind).contains(outcome)).or_else(|| Outcome::of(*kind).first().copied());
            standing = take(standing, &Act { kind: *kind, from, to, outcome })?;
        }
    }
}
