//! Several processes on one ledger: each with a store and a sequencer of its own, nothing shared but the database.

use std::sync::Arc;

use tokio::task::JoinSet;
use tsunagi::{
    domain::entry::EntryType,
    ledger::{Answer, Draft, LedgerError, Parts, SequencerHandle, open_ledger},
    store::{Store, open},
    tlog::{Hash, open_checkpoint, verify_consistency},
};

use crate::ledger_stage::{START, Stage, actor, committed, draft, ground, new_case, node, object, on_both};

on_both! {
    an_empty_ledger_that_several_open_has_one_first_entry,
    what_one_accepted_the_other_answers_for,
    a_right_that_ended_in_one_process_has_ended_in_the_other,
    an_idle_process_shows_what_the_other_appended,
    entries_of_both_stand_in_one_tree,
    a_turn_in_one_process_keeps_the_other_out,
}

/// Another process on the ledger of the stage.
async fn process(stage: &Stage) -> (Arc<dyn Store>, SequencerHandle) {
    let store = open(&stage.url()).await.unwrap();
    let parts = Parts {
        appender: store.appender(),
        reads: Arc::clone(&store) as _,
        signer: Arc::clone(&stage.signer),
        clock: Arc::clone(&stage.clock) as _,
        node: node(),
        mark: None,
    };
    let (ledger, _) = open_ledger(parts).await.unwrap();
    (store, ledger)
}

async fn two(stage: &Stage) -> (SequencerHandle, SequencerHandle) {
    (process(stage).await.1, process(stage).await.1)
}

async fn an_empty_ledger_that_several_open_has_one_first_entry(stage: Stage) {
    let opened = tokio::join!(process(&stage), process(&stage), process(&stage));
    let entries = stage.entries().await;
    assert_eq!(entries.iter().map(|entry| entry.entry_type).collect::<Vec<_>>(), [EntryType::LedgerOpened]);
    for (_, ledger) in [opened.0, opened.1, opened.2] {
        assert!(ledger.reaches(1).await.unwrap());
    }
}

async fn what_one_accepted_the_other_answers_for(stage: Stage) {
    let (a, b) = two(&stage).await;
    let with = |content| Draft { object: Some(object(1, content)), ..draft() };
    let first = committed(a.append(with(1)).await);
    assert!(matches!(b.append(with(1)).await, Ok(Answer::Known { idx, result }) if idx == first.idx() && result == b"{\"n\":1}"));
    assert!(matches!(b.append(with(2)).await, Ok(Answer::Conflict)));
    let spent = |n| Draft { actor: Some(actor(n, START.plus_secs(60))), ..draft() };
    committed(b.append(spent(7)).await);
    assert!(matches!(a.append(spent(7)).await, Ok(Answer::ActorReplayed)));
    assert_eq!(stage.entries().await.len(), 3);

    // The same object at both at the same time: one entry, and both name it.
    let mut waiting = JoinSet::new();
    for n in 0..20 {
        let ledger = if n % 2 == 0 { a.clone() } else { b.clone() };
        waiting.spawn(async move { ledger.append(Draft { object: Some(object(2, 1)), ..draft() }).await.unwrap() });
    }
    let named = waiting.join_all().await.into_iter().map(|answer| match answer {
        Answer::Committed(committed) => committed.idx(),
        Answer::Known { idx, .. } => idx,
        other => panic!("{other:?}"),
    });
    assert_eq!(named.collect::<Vec<_>>(), [3; 20]);
}

async fn a_right_that_ended_in_one_process_has_ended_in_the_other(stage: Stage) {
    let (a, b) = two(&stage).await;
    let rests_on = |epoch| Draft { ground: Some(ground(epoch)), ..draft() };
    let before = b.rights_epoch();
    committed(b.append(rests_on(before)).await);
    committed(a.append(Draft { narrows: true, ..draft() }).await);
    assert!(matches!(b.append(rests_on(before)).await, Ok(Answer::Stale)), "decided before it ended");
    assert_eq!(b.rights_epoch(), before + 1, "who is handed back is told by what to decide");
    committed(b.append(rests_on(before + 1)).await);
}

async fn an_idle_process_shows_what_the_other_appended(stage: Stage) {
    let (a, b) = two(&stage).await;
    let old = open_checkpoint(&b.checkpoint(), stage.signer.verifier()).unwrap();
    let last = committed(a.append(draft()).await).idx();
    assert_eq!(b.grown(last).await.unwrap(), last + 1, "nobody asked it for anything");
    let new = open_checkpoint(&b.checkpoint(), stage.signer.verifier()).unwrap();
    let (proof, _) = b.consistency(old.size(), new.size()).await.unwrap();
    let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
    assert_eq!(verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &proof), Ok(()));

    let last = committed(a.append(draft()).await).idx();
    assert!(!b.reaches(last + 2).await.unwrap());
    assert!(b.reaches(last + 1).await.unwrap(), "asked, it looks at once");
    assert_eq!(b.size(), last + 1);
    let proven = b.prove(last).await.unwrap();
    stage.verify(last, &proven.row.body, &proven.proof, &proven.checkpoint);
}

async fn entries_of_both_stand_in_one_tree(stage: Stage) {
    let (a, b) = two(&stage).await;
    let mut waiting = JoinSet::new();
    for n in 0..600_u128 {
        let ledger = if n % 3 == 0 { a.clone() } else { b.clone() };
        let writes = if n % 5 == 0 { new_case(n + 1) } else { Vec::new() };
        let with_case = Draft { object: Some(object(n, 1)), writes, ..draft() };
        waiting.spawn(async move { committed(ledger.append(with_case).await) });
        if n % 40 == 0 {
            // In several batches of each, not in one.
            tokio::task::yield_now().await;
            committed(if n % 80 == 0 { a.append(draft()).await } else { b.append(draft()).await });
        }
    }
    let mut places: Vec<u64> = Vec::new();
    for entry in waiting.join_all().await {
        stage.holds(&entry).await;
        places.push(entry.idx());
    }
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 600, "each has a place of its own");
    assert_eq!(stage.entries().await.len(), 616);
    // What is stored is what a process that starts now accepts.
    let (_, late) = process(&stage).await;
    assert_eq!(late.size(), 616);
    assert!(stage.entries().await.windows(2).all(|pair| pair[0].time < pair[1].time));
}

async fn a_turn_in_one_process_keeps_the_other_out(stage: Stage) {
    let (a, b) = two(&stage).await;
    let turn = a.exclusive().await.unwrap();
    let other = tokio::spawn({
        let b = b.clone();
        async move { b.append(draft()).await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!other.is_finished());
    let mine = committed(turn.append(draft()).await);
    let theirs = committed(other.await.unwrap());
    assert_eq!(theirs.idx(), mine.idx() + 1);
}

#[tokio::test]
async fn connections_that_were_cut_while_idle_cost_nobody_an_answer() {
    let Some(stage) = Stage::postgres().await else { return };
    let (store, ledger) = process(&stage).await;
    for n in 0..5 {
        assert!(stage.postgres.as_ref().unwrap().kill_backends() > 0, "the fault fires");
        assert_eq!(store.head().await.unwrap().size, n + 1);
        assert_eq!(committed(ledger.append(draft()).await).idx(), n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_under_load_lose_and_double_nothing() {
    let Some(stage) = Stage::postgres().await else { return };
    let (a, b) = two(&stage).await;
    let mut waiting = JoinSet::new();
    for n in 0..200_u128 {
        let ledgers = [a.clone(), b.clone()];
        waiting.spawn(async move {
            let mut failed = 0_u32;
            for ledger in ledgers.iter().cycle() {
                match ledger.append(Draft { object: Some(object(n, 1)), writes: new_case(n + 1), ..draft() }).await {
                    Ok(Answer::Committed(committed)) => return (n, committed.idx(), failed),
                    Ok(Answer::Known { idx, .. }) => return (n, idx, failed),
                    // What failed is repeated, at the other process.
                    Err(LedgerError::Unavailable | LedgerError::OutcomeUnknown) => failed += 1,
                    other => panic!("{other:?}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            unreachable!()
        });
    }
    let database = stage.postgres.clone().unwrap();
    let cut = tokio::task::spawn_blocking(move || (0..6).map(|_| database.kill_backends()).sum::<usize>());
    let mut places = std::collections::HashMap::new();
    for (n, idx, _) in waiting.join_all().await {
        assert_eq!(places.insert(idx, n), None, "two objects at {idx}");
    }
    assert!(cut.await.unwrap() > 0, "the fault fires");
    let entries = stage.entries().await;
    assert_eq!(entries.len(), 201, "one entry for each object and the first");
    let (_, late) = process(&stage).await;
    assert_eq!(late.size(), 201);
}
