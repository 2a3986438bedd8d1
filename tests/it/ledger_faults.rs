//! What fails, and what is stored afterwards: in pairs, failed and did not persist, failed but persisted (`ledger.md` section 5).

use std::{collections::HashMap, sync::Arc};

use sqlx::{Connection as _, SqliteConnection};
use tsunagi::{
    domain::digest::Digest,
    ledger::{Answer, Draft, LedgerError, Once},
};

use crate::ledger_stage::{Fault, Faulty, Stage, case, committed, draft, ground, new_case, object};

async fn faulty(stage: &Stage) -> (Arc<Faulty>, tsunagi::ledger::SequencerHandle) {
    let appender = Arc::new(Faulty::new(stage.store.appender()));
    let (ledger, _task) = stage.try_ledger(Arc::clone(&appender) as _).await.unwrap();
    (appender, ledger)
}

fn opening(n: u128) -> Draft {
    Draft { object: Some(object(n, 1)), writes: new_case(n), ground: Some(ground(0)), narrows: false, ..draft() }
}

#[tokio::test]
async fn what_failed_before_the_commit_did_not_happen() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    for fault in [Fault::Begin, Fault::Write, Fault::BeforeCommit] {
        appender.plan([fault]);
        assert_eq!(ledger.append(opening(1)).await.unwrap_err(), LedgerError::Unavailable, "{fault:?}");
        assert_eq!((stage.store.head().await.unwrap().size, ledger.size()), (1, 1), "{fault:?}");
        assert_eq!(stage.store.case_key(&case(1)).await.unwrap(), None, "{fault:?}");
    }
    let done = committed(ledger.append(opening(1)).await);
    assert_eq!(done.idx(), 1, "the same request again is the first");
    stage.holds(&done).await;
}

#[tokio::test]
async fn what_was_committed_without_an_answer_is_found_by_the_repetition() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    appender.plan([Fault::AnswerLost]);
    assert_eq!(ledger.append(opening(1)).await.unwrap_err(), LedgerError::OutcomeUnknown);
    assert_eq!(ledger.size(), 1, "nothing unconfirmed is shown");
    assert_eq!(stage.store.head().await.unwrap().size, 2);
    assert!(matches!(ledger.append(opening(1)).await, Ok(Answer::Known { idx: 1, .. })));
    let proven = ledger.prove(1).await.unwrap();
    stage.verify(1, &proven.row.body, &proven.proof, &proven.checkpoint);
    assert_eq!(committed(ledger.append(opening(2)).await).idx(), 2);
}

#[tokio::test]
async fn what_others_committed_is_answered_for_behind_a_commit_of_ones_own() {
    let stage = Stage::new().await;
    let (appends, ledger) = faulty(&stage).await;
    let (other, _task) = stage.ledger().await;
    let known = async |n| {
        let answer = ledger.append(Draft { object: Some(object(n, 1)), ..draft() }).await;
        answer.map(|answer| assert!(matches!(answer, Answer::Known { .. }), "{answer:?}"))
    };
    committed(ledger.append(Draft { object: Some(object(1, 1)), ..draft() }).await);
    let commits = appends.commits();
    known(1).await.unwrap();
    assert_eq!(appends.commits(), commits, "the last commit was its own");
    // A server that does not confirm a write behind the entry does not vouch for the entry either, whoever asks.
    appends.plan([Fault::CommitLost; 1000]);
    committed(other.append(Draft { object: Some(object(2, 1)), ..draft() }).await);
    assert_eq!(known(2).await, Err(LedgerError::OutcomeUnknown));
    assert_eq!(ledger.refresh().await, Err(LedgerError::OutcomeUnknown));
    assert_eq!(ledger.prove(2).await.err(), Some(LedgerError::OutcomeUnknown));
    assert_eq!((ledger.size(), appends.commits()), (2, commits), "nothing was shown");
    appends.mend();
    known(2).await.unwrap();
    known(2).await.unwrap();
    assert_eq!((ledger.size(), appends.commits()), (3, commits + 1));
}

#[tokio::test]
async fn a_process_starts_behind_a_commit_of_its_own() {
    let stage = Stage::new().await;
    let (ledger, _task) = stage.ledger().await;
    committed(ledger.append(draft()).await);
    let appends = Arc::new(Faulty::new(stage.store.appender()));
    appends.plan([Fault::CommitLost]);
    assert_eq!(stage.try_ledger(Arc::clone(&appends) as _).await.err(), Some(LedgerError::OutcomeUnknown));
    let (again, _task) = stage.try_ledger(Arc::clone(&appends) as _).await.unwrap();
    assert_eq!((again.size(), appends.commits()), (2, 1));
}

#[tokio::test]
async fn what_was_lost_without_an_answer_is_appended_by_the_repetition() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    appender.plan([Fault::CommitLost]);
    assert_eq!(ledger.append(opening(1)).await.unwrap_err(), LedgerError::OutcomeUnknown);
    assert_eq!(stage.store.head().await.unwrap().size, 1);
    assert_eq!(committed(ledger.append(opening(1)).await).idx(), 1);
}

#[tokio::test]
async fn after_a_failure_readiness_tries_and_leaves_no_entry() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    assert_eq!(ledger.writable().await, Ok(()));
    appender.plan([Fault::BeforeCommit, Fault::Begin, Fault::BeforeCommit]);
    assert!(ledger.append(draft()).await.is_err());
    for _ in 0..2 {
        assert_eq!(ledger.writable().await.unwrap_err(), LedgerError::Unavailable);
    }
    assert_eq!(ledger.writable().await, Ok(()), "it has passed");
    assert_eq!(stage.store.head().await.unwrap().size, 1, "a probe is no entry");
    appender.plan([Fault::Begin]);
    assert_eq!(ledger.writable().await, Ok(()), "nothing is tried while nothing failed");
    assert!(ledger.append(draft()).await.is_err());
    assert_eq!(committed(ledger.append(draft()).await).idx(), 1);
    appender.plan([Fault::Begin]);
    assert_eq!(ledger.writable().await, Ok(()), "an entry shows it too");
}

#[tokio::test]
async fn a_turn_that_fails_says_so_and_the_next_one_works() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    appender.plan([Fault::Begin, Fault::BeforeCommit]);
    assert_eq!(ledger.exclusive().await.unwrap_err(), LedgerError::Unavailable);
    assert_eq!(ledger.exclusive().await.unwrap().append(draft()).await.unwrap_err(), LedgerError::Unavailable);
    assert_eq!(committed(ledger.exclusive().await.unwrap().append(draft()).await).idx(), 1);
}

#[tokio::test]
async fn a_narrowing_that_failed_narrows_nothing() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    appender.plan([Fault::BeforeCommit]);
    assert!(ledger.append(Draft { narrows: true, ..draft() }).await.is_err());
    assert_eq!(ledger.rights_epoch(), 0);
    committed(ledger.append(Draft { ground: Some(ground(0)), ..draft() }).await);
}

#[tokio::test]
async fn through_any_faults_nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let stage = Stage::new().await;
    let (appender, ledger) = faulty(&stage).await;
    let faults =
        [Fault::None, Fault::AnswerLost, Fault::None, Fault::Begin, Fault::CommitLost, Fault::None, Fault::BeforeCommit, Fault::Write];
    appender.plan(faults.into_iter().cycle().take(400));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8_u128 {
        let ledger = ledger.clone();
        senders.spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0..40_u128 {
                let number = sender * 1000 + n;
                let mut tries = 0;
                acknowledged.push(loop {
                    let mut draft = opening(number);
                    draft.entry.request = Some(request(number));
                    match ledger.append(draft).await {
                        Ok(Answer::Committed(done)) => break (number, done.idx()),
                        Ok(Answer::Known { idx, .. }) => break (number, idx),
                        Err(LedgerError::Unavailable | LedgerError::OutcomeUnknown) if tries < 1000 => tries += 1,
                        other => panic!("{other:?}"),
                    }
                });
            }
            acknowledged
        });
    }
    let acknowledged: Vec<(u128, u64)> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), 320);
    let entries = stage.entries().await;
    let mut seen: HashMap<Digest, Vec<u64>> = HashMap::new();
    for (idx, entry) in (0..).zip(&entries) {
        if let Some(request) = entry.request {
            seen.entry(request).or_default().push(idx);
        }
    }
    for (number, idx) in acknowledged {
        assert_eq!(seen.get(&request(number)), Some(&vec![idx]), "{number}");
        assert!(stage.store.case_key(&case(number)).await.unwrap().is_some());
    }
    assert_eq!(entries.len(), 321, "no entry but the first and theirs");
    for idx in 0..321 {
        let proven = ledger.prove(idx).await.unwrap();
        stage.verify(idx, &proven.row.body, &proven.proof, &proven.checkpoint);
    }
}

fn request(number: u128) -> Digest {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&number.to_be_bytes());
    Digest(bytes)
}

/// A ledger over two tiles, stopped, with one statement run on it past the triggers.
async fn tampered(statement: &'static str) -> Result<u64, LedgerError> {
    let mut stage = Stage::new().await;
    let (ledger, task) = stage.ledger().await;
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..599 {
        let ledger = ledger.clone();
        let once = Once { result: Vec::new(), ..object(n, 1) };
        waiting.spawn(async move { ledger.append(Draft { object: Some(once), ..draft() }).await });
    }
    for answer in waiting.join_all().await {
        committed(answer);
    }
    ledger.close().await;
    task.await.unwrap();
    stage.store.close().await;
    let mut connection = SqliteConnection::connect(&stage.url()).await.unwrap();
    for trigger in [
        "DROP TRIGGER ledger_leaf_no_update",
        "DROP TRIGGER ledger_leaf_no_delete",
        "DROP TRIGGER ledger_entry_no_update",
        "DROP TRIGGER ledger_tile_no_update",
        "DROP TRIGGER ledger_tile_no_delete",
    ] {
        sqlx::query(trigger).execute(&mut connection).await.unwrap();
    }
    assert_eq!(sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected(), 1, "{statement}");
    connection.close().await.unwrap();
    stage.store = tsunagi::store::open(&stage.url()).await.unwrap();
    stage.try_ledger(stage.store.appender()).await.map(|(ledger, _)| ledger.size())
}

#[tokio::test]
async fn a_ledger_whose_parts_do_not_fit_is_not_opened() {
    for (statement, part) in [
        ("UPDATE ledger_head SET root = zeroblob(32)", "frontier and root"),
        ("UPDATE ledger_head SET frontier = substr(frontier, 33)", "frontier and size"),
        ("UPDATE ledger_head SET size = size + 1", "frontier and size"),
        ("UPDATE ledger_leaf SET leaf_hash = zeroblob(32) WHERE idx = 599", "leaf hashes, tiles and frontier"),
        ("UPDATE ledger_leaf SET leaf_hash = zeroblob(32) WHERE idx = 520", "leaf hashes, tiles and frontier"),
        ("DELETE FROM ledger_leaf WHERE idx = 550", "leaf hashes, tiles and frontier"),
        ("UPDATE ledger_tile SET root = zeroblob(32) WHERE n = 0", "leaf hashes, tiles and frontier"),
        ("DELETE FROM ledger_tile WHERE n = 1", "leaf hashes, tiles and frontier"),
        ("UPDATE ledger_tile SET hashes = zeroblob(8192) WHERE n = 1", "the last full tile"),
        ("UPDATE ledger_leaf SET leaf_hash = zeroblob(32) WHERE idx = 300", "the last full tile"),
        ("UPDATE ledger_entry SET body = x'7b7d' WHERE idx = 599", "the last entry"),
        ("UPDATE ledger_head SET last_time = last_time + 1", "the last entry"),
        ("INSERT INTO ledger_leaf (idx, leaf_hash) VALUES (600, zeroblob(32))", "a leaf behind the head"),
    ] {
        assert_eq!(tampered(statement).await, Err(LedgerError::Broken(part)), "{statement}");
    }
    assert_eq!(tampered("UPDATE ledger_head SET one = 1").await, Ok(600), "untouched");
}
