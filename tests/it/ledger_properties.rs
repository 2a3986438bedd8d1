//! The sequencer against a model that does one draft after the other in memory.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use tsunagi::{
    domain::time::Timestamp,
    ledger::{Answer, Draft, Ground},
};

use crate::ledger_stage::{START, Stage, actor, case, draft, ground, new_case, object};

/// One random draft: small pools, so that ids, epochs and times meet.
#[derive(Debug, Clone)]
struct Wish {
    object: Option<(u8, u8)>,
    actor: Option<u8>,
    /// Epoch it was decided on, microseconds after the start until which it stands, and a case that must be there as it was opened.
    ground: Option<(u64, i64, Option<u8>)>,
    /// A case it opens. Each can be opened once.
    opens: Option<u8>,
    narrows: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        proptest::option::of((0..6_u8, 0..2_u8)),
        proptest::option::of(0..12_u8),
        proptest::option::of((0..3_u64, prop_oneof![0..40_i64, Just(1_000_000)], proptest::option::weighted(0.3, 0..12_u8))),
        proptest::option::of(0..12_u8),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(object, actor, ground, opens, narrows)| Wish { object, actor, ground, opens, narrows })
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Committed(u64, Timestamp),
    Known(u64),
    Conflict,
    Replayed,
    Stale,
}

/// What is promised, without batches, database and tree.
struct Model {
    size: u64,
    last: Timestamp,
    epoch: u64,
    objects: HashMap<u8, (u8, u64)>,
    actors: HashSet<u8>,
    cases: HashSet<u8>,
}

impl Model {
    fn take(&mut self, wish: &Wish) -> Outcome {
        if let Some((id, content)) = wish.object
            && let Some((first, idx)) = self.objects.get(&id)
        {
            if *first != content {
                return Outcome::Conflict;
            }
            self.actors.extend(wish.actor);
            return Outcome::Known(*idx);
        }
        if wish.actor.is_some_and(|actor| self.actors.contains(&actor)) {
            return Outcome::Replayed;
        }
        let time = self.last.plus_micros(1);
        if let Some((epoch, until, case)) = wish.ground
            && (epoch != self.epoch || START.plus_micros(until) <= time || case.is_some_and(|case| !self.cases.contains(&case)))
        {
            return Outcome::Stale;
        }
        if wish.opens.is_some_and(|case| !self.cases.insert(case)) {
            return Outcome::Stale;
        }
        let idx = self.size;
        self.size += 1;
        self.last = time;
        self.epoch += u64::from(wish.narrows);
        self.objects.extend(wish.object.map(|(id, content)| (id, (content, idx))));
        self.actors.extend(wish.actor);
        Outcome::Committed(idx, time)
    }
}

fn drafted(wish: &Wish) -> Draft {
    Draft {
        object: wish.object.map(|(id, content)| object(id.into(), content)),
        actor: wish.actor.map(|id| actor(id.into(), START.plus_secs(300))),
        ground: wish.ground.map(|(epoch, until, on)| Ground {
            valid_until: START.plus_micros(until),
            case: on.map(|n| (case(n.into()), 1)),
            ..ground(epoch)
        }),
        writes: wish.opens.map(|n| new_case(n.into())).unwrap_or_default(),
        narrows: wish.narrows,
        ..draft()
    }
}

async fn check(groups: Vec<Vec<Wish>>) {
    let mut stage = Stage::new().await;
    let (mut ledger, mut task) = stage.ledger().await;
    let mut model = Model { size: 1, last: START, epoch: 0, objects: HashMap::new(), actors: HashSet::new(), cases: HashSet::new() };
    for (round, group) in groups.into_iter().enumerate() {
        let turn = ledger.exclusive().await.unwrap();
        let mut waiting = Vec::new();
        for wish in &group {
            let (ledger, draft) = (ledger.clone(), drafted(wish));
            waiting.push(tokio::spawn(async move { ledger.append(draft).await }));
            tokio::task::yield_now().await;
        }
        drop(turn);
        for (wish, answer) in group.iter().zip(waiting) {
            let outcome = match answer.await.unwrap().unwrap() {
                Answer::Committed(done) => {
                    stage.holds(&done).await;
                    Outcome::Committed(done.idx(), done.time())
                }
                Answer::Known { idx, .. } => Outcome::Known(idx),
                Answer::Conflict => Outcome::Conflict,
                Answer::ActorReplayed => Outcome::Replayed,
                Answer::Stale => Outcome::Stale,
            };
            assert_eq!(outcome, model.take(wish), "{wish:?}");
        }
        assert_eq!((ledger.size(), ledger.rights_epoch()), (model.size, model.epoch));
        if round % 3 == 2 {
            ledger.close().await;
            task.await.unwrap();
            stage.reopen().await;
            (ledger, task) = stage.ledger().await;
        }
    }
    assert_eq!(stage.entries().await.len() as u64, model.size);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn batches_and_restarts_change_no_answer(groups in prop::collection::vec(prop::collection::vec(wish(), 1..20), 1..7)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(check(groups));
    }
}
