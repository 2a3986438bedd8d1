//! What is kept of the heads that were published, and what a ledger that was opened again under another name asks of its witnesses.

use std::{sync::Arc, time::Duration};

use tsunagi::{
    clock::Clock,
    ledger::{LedgerError, Parts, Reopen, SequencerHandle, open_ledger, reopen},
    store::{CheckpointRow, Store, WitnessRow},
    tlog::{Checkpoint, Hash, Quorum},
    witness::{Settings, cover},
};

use crate::{
    ledger_stage::{ORIGIN, Stage, node, on_both},
    rolled_back::{NEW_ORIGIN, other_name},
    witness_publisher::{SETTINGS, cosigned, grow, publisher},
    witness_stage::{Manner, WitnessServer},
};

on_both!(
    of_the_heads_that_the_same_witnesses_cosigned_the_newest_stays,
    what_does_not_verify_is_left_for_the_inspection,
    years_of_heads_are_dropped_a_round_at_a_time,
    a_ledger_under_another_name_is_cosigned_anew_and_keeps_the_last_heads_of_the_old,
);

async fn kept(store: &dyn Store) -> Vec<(u64, usize)> {
    let rows = store.published_after(None, 1000).await.unwrap();
    rows.iter().map(|row| (row.size, row.cosignatures.lines().count())).collect()
}

/// A signed head of the stored ledger at a size.
async fn head(stage: &Stage, ledger: &SequencerHandle, size: u64) -> CheckpointRow {
    let root = ledger.root_at(size).await.unwrap();
    let note = Checkpoint::new(ORIGIN, size, root).unwrap().sign(&stage.signer).unwrap();
    CheckpointRow { size, root: root.0, note, cosignatures: String::new() }
}

async fn of_the_heads_that_the_same_witnesses_cosigned_the_newest_stays(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    let (a, b) = (WitnessServer::start("a.example/w", 31).await, WitnessServer::start("b.example/w", 32).await);
    let publisher = publisher(&stage, &ledger, &[&a, &b], Settings { quorum: 2, ..SETTINGS }, "one");
    publisher.start().await.unwrap();
    let (here, away) = (Manner::Honest, Manner::Status(503));
    let mut size = 1;
    for (manners, rounds) in [((here, here), 4), ((here, away), 3), ((away, away), 2), ((away, here), 3), ((here, away), 1)] {
        a.behave(manners.0);
        b.behave(manners.1);
        for _ in 0..rounds {
            grow(&ledger, 1).await;
            size += 1;
            publisher.round().await.unwrap();
        }
    }
    assert_eq!((size, kept(&*stage.store).await), (14, vec![(5, 2), (10, 0), (13, 1), (14, 1)]));
    // Whatever the quorum is and whoever is in it, what satisfied it last is there.
    assert_eq!(cosigned(&ledger), Some(5));
    for (witnesses, needed, newest) in
        [(vec![a.key(), b.key()], 2, 5), (vec![a.key(), b.key()], 1, 14), (vec![b.key()], 1, 13), (vec![a.key()], 1, 14)]
    {
        let quorum = Quorum::new(witnesses, needed).unwrap();
        assert_eq!(cover(&*stage.store, ledger.verifier(), &quorum).await.unwrap().newest, Some(newest));
    }
    // Nothing grew, one of them is back: the newest head gets its line, and then it alone is needed.
    a.behave(here);
    b.behave(here);
    publisher.round().await.unwrap();
    assert_eq!(kept(&*stage.store).await, [(10, 0), (13, 1), (14, 2)]);
    assert_eq!(cosigned(&ledger), Some(14));
}

async fn what_does_not_verify_is_left_for_the_inspection(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 20).await;
    let mut wrong = Vec::new();
    for size in 2..8 {
        wrong.push(head(&stage, &ledger, size).await);
    }
    // Another root; a note of another key, of another size, of no form; a line of nobody, a line that does not verify.
    wrong[0].root = [9; 32];
    wrong[1].note = wrong[1].note.replace("— ", "— x");
    let other = wrong[3].note.clone();
    wrong[2].note.clone_from(&other);
    "a note".clone_into(&mut wrong[3].note);
    let nobody = crate::witness_stage::cosigner("nobody.example/w", 9);
    wrong[4].cosignatures = crate::witness_stage::line("nobody.example/w", 9, &nobody, 5, "x\n");
    let server = WitnessServer::start("a.example/w", 31).await;
    wrong[5].cosignatures = crate::witness_stage::line("a.example/w", 31, &server.key(), 5, "x\n");
    for row in &wrong {
        assert!(stage.store.keep_checkpoint(row, "").await.unwrap());
    }
    let right = head(&stage, &ledger, 8).await;
    stage.store.keep_checkpoint(&right, "").await.unwrap();
    let right = head(&stage, &ledger, 9).await;
    stage.store.keep_checkpoint(&right, "").await.unwrap();
    let publisher = publisher(&stage, &ledger, &[&server], SETTINGS, "one");
    publisher.start().await.unwrap();
    grow(&ledger, 1).await;
    publisher.round().await.unwrap();
    let sizes: Vec<u64> = kept(&*stage.store).await.into_iter().map(|(size, _)| size).collect();
    assert_eq!(sizes, [2, 3, 4, 5, 6, 7, 9, 22], "8 is no longer needed, and no row that is wrong took its place");
}

async fn years_of_heads_are_dropped_a_round_at_a_time(stage: Stage) {
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 600).await;
    for size in 2..=600 {
        let row = head(&stage, &ledger, size).await;
        stage.store.keep_checkpoint(&row, "").await.unwrap();
    }
    let publisher = publisher(&stage, &ledger, &[], Settings { quorum: 0, ..SETTINGS }, "one");
    publisher.start().await.unwrap();
    let mut left = Vec::new();
    for _ in 0..3 {
        grow(&ledger, 1).await;
        publisher.round().await.unwrap();
        left.push(kept(&*stage.store).await.len());
    }
    assert_eq!(left, [345, 90, 1]);
    assert_eq!(kept(&*stage.store).await, [(604, 0)]);
}

async fn a_ledger_under_another_name_is_cosigned_anew_and_keeps_the_last_heads_of_the_old(stage: Stage) {
    let server = WitnessServer::start("a.example/w", 31).await;
    let (ledger, task) = stage.ledger().await;
    let old = publisher(&stage, &ledger, &[&server], SETTINGS, "one");
    old.start().await.unwrap();
    for _ in 0..3 {
        grow(&ledger, 3).await;
        old.round().await.unwrap();
    }
    grow(&ledger, 2).await;
    assert_eq!((server.size(), kept(&*stage.store).await), (10, vec![(10, 1)]));
    ledger.close().await;
    task.await.unwrap();
    // The entries that were lost had been cosigned: the witness is remembered to be further than this ledger will be for long.
    stage
        .store
        .keep_witness(&WitnessRow { vkey: server.vkey(), size: 300, dispute: Some(format!("rolled_back 300 12 {ORIGIN}")) })
        .await
        .unwrap();
    stage.clock.advance(Duration::from_hours(24));
    let signer = Arc::new(other_name(NEW_ORIGIN));
    let parts = Reopen {
        appender: &*stage.store.appender(),
        reads: &*stage.store,
        signer: &signer,
        clock: Arc::clone(&stage.clock) as Arc<dyn Clock>,
        node: node(),
        known: None,
    };
    assert_eq!(reopen(parts).await.unwrap().index, 12);
    let (ledger, _task) = open_ledger(Parts {
        appender: stage.store.appender(),
        reads: Arc::clone(&stage.store) as _,
        signer: Arc::clone(&signer),
        clock: Arc::clone(&stage.clock) as _,
        node: node(),
        mark: None,
    })
    .await
    .unwrap();

    // The witness has not been told of the new name yet. Patience begins with the name, not with the first entry of all.
    server.behave(Manner::Status(404));
    let new = publisher(&stage, &ledger, &[&server], Settings { stop: true, ..SETTINGS }, "two");
    new.start().await.unwrap();
    assert_eq!((cosigned(&ledger), ledger.writable().await), (None, Ok(())));
    assert!(ledger.standing().now().lines().starts_with("witnesses_in_time: cosigned 0"), "{}", ledger.standing().now().lines());
    stage.clock.advance(Duration::from_secs(3601));
    new.round().await.unwrap();
    assert_eq!(ledger.writable().await, Err(LedgerError::Uncosigned));

    // Now it has. It knows nothing of this name and is asked from nothing, whatever is remembered of the old one.
    stage.clock.set(crate::ledger_stage::START);
    server.behave(Manner::Honest);
    server.asked();
    new.round().await.unwrap();
    assert_eq!((server.asked(), server.size(), cosigned(&ledger)), (vec![13, 0], 13, Some(13)));
    assert_eq!(ledger.writable().await, Ok(()));
    let quorum = Quorum::new(vec![server.key()], 1).unwrap();
    let note = ledger.standing().now().cosigned.unwrap().note;
    assert_eq!(quorum.open(&note, signer.verifier()).unwrap().size(), 13);
    assert_eq!(cover(&*stage.store, signer.verifier(), &quorum).await.unwrap().newest, Some(13));
    grow(&ledger, 2).await;
    new.round().await.unwrap();
    // What was signed and cosigned under the old name is evidence, and still verifies under it.
    assert_eq!(kept(&*stage.store).await, [(10, 1), (ledger.size(), 1)]);
    let row = stage.store.published(10).await.unwrap().unwrap();
    let last = quorum.open(&format!("{}{}", row.note, row.cosignatures), stage.signer.verifier()).unwrap();
    assert_eq!((last.origin(), last.root()), (ORIGIN, Hash(row.root)));
}
