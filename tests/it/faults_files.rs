//! What fails at each file of a ledger on SQLite beside its log of an append (`faults_steps` has that): the log moved into the database file, the shared
//! index of the log, and the high-water mark (`ledger.md` section 5). `EIO` and `ENOSPC` at every write and flush of them, and kills.
//!
//! `TSUNAGI_FAULT_STEPS=all` takes every step; by default some are left out where there are many.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::time::timeout;

use crate::exchange_stage::{
    SOON,
    aftermath::pause,
    attempts::{Attempt, Attempts, every_step},
    inject::{Fault, Injection, Trace, When},
    party::Setback,
    story::Message,
};

/// SQLite moves its log into the database file now and then, behind an append that was committed: the caller is told nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_moved_into_the_database_loses_nothing() {
    let mut stage = Attempts::new().await;
    let database = stage.sandbox.database();
    // The first flush of the log is the commit's own.
    let steps = [(database.clone(), "pwrite64", 1), (database.clone(), "ftruncate", 1), (database, "fsync", 1), (log(&stage), "fsync", 2)];
    for error in ["EIO", "ENOSPC"] {
        for (file, call, first) in &steps {
            let message = stage.message().await;
            stage.lengthen_log(LOG).await;
            let stride = if every_step() || *call != "pwrite64" { 1 } else { STRIDE };
            let (mut nth, mut failed) = (*first, 0);
            while move_log(&mut stage, &message, file, call, Fault::Error(error), nth).await {
                (nth, failed) = (nth + stride, failed + 1);
            }
            eprintln!("{error} at {failed} of up to {} {call} on {}, moving the log", nth - first, name(file));
            assert!(failed > 0, "the log was not moved");
        }
    }
    stage.kill().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_log_is_moved_into_the_database_nothing_is_lost() {
    let mut stage = Attempts::new().await;
    let database = stage.sandbox.database();
    for (call, stride) in [("pwrite64", if every_step() { 1 } else { STRIDE }), ("fsync", 1)] {
        let message = stage.message().await;
        stage.lengthen_log(LOG).await;
        let (mut nth, mut killed) = (1, 0);
        while move_log(&mut stage, &message, &database, call, Fault::Kill, nth).await {
            stage.kill().await;
            stage.size().await;
            // The gateway that came back may have moved it.
            stage.lengthen_log(LOG).await;
            (nth, killed) = (nth + stride, killed + 1);
        }
        eprintln!("killed at {killed} of up to {} {call} on the database file, moving the log", nth - 1);
        assert!(killed > 0, "the log was not moved");
    }
    stage.finish().await;
}

/// The index of the log grows by a page at a time when the log outgrows it, before an append is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_the_log_that_cannot_grow_fails_the_request_and_nothing_else() {
    let mut stage = Attempts::new().await;
    for error in ["EIO", "ENOSPC"] {
        let (mut nth, mut failed) = (1, 0);
        loop {
            // A gateway that ended in order leaves no index, and the next one a small one.
            stage.restart().await;
            let message = stage.message().await;
            stage.empty_log().await;
            stage.lengthen_log(INDEXED - NEARLY).await;
            let index = beside(&stage, "-shm");
            let injection = Injection::into_file(stage.server(), &index, "pwrite64", Fault::Error(error), When::Nth(nth));
            let refused = stage.refused(Attempt::Submit, &message).await;
            let trace = injection.end();
            assert_eq!(refused, trace.fired() > 0, "{error} at write {nth} of the index: {trace:?}");
            stage.unfold(Attempt::Submit, &message).await;
            if !refused {
                passed(&trace, nth);
                break;
            }
            (nth, failed) = (nth + if every_step() { 1 } else { STRIDE }, failed + 1);
        }
        eprintln!("{error} at {failed} of up to {} writes of the index of the log", nth - 1);
        assert!(failed > 0, "the index did not grow");
    }
    stage.finish().await;
}

/// A head that the mark does not hold is shown to nobody. What was committed under it is there, and the repetition finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_cannot_be_remembered_is_not_shown() {
    let mut stage = Attempts::new().await;
    let mark = mark(&stage);
    for error in ["EIO", "ENOSPC"] {
        for attempt in [Attempt::Submit, Attempt::Read] {
            let message = stage.message().await;
            let before = stage.size().await;
            let injection = Injection::into_file(stage.server(), &mark, "pwrite64", Fault::Error(error), When::Always);
            let refused = stage.refused(attempt, &message).await;
            let fired = injection.end().fired();
            assert!(refused && fired > 0, "{error}: {fired} writes of the mark failed, refused: {refused}");
            assert_eq!(stage.size().await, before + 1, "it was committed");
            stage.unfold(attempt, &message).await;
            eprintln!("{error} at {fired} writes of the high-water mark for one {attempt:?}");
        }
    }
    let log = fs::read_to_string(stage.sandbox.log()).unwrap();
    assert!(log.contains("the newest head is not shown"), "{log}");
    stage.kill().await;
    stage.finish().await;
}

/// Flushing the mark is for the end of the operating system alone: it is tried again every second, and nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_cannot_be_flushed_holds_nobody_up() {
    let mut stage = Attempts::new().await;
    let mark = mark(&stage);
    for error in ["EIO", "ENOSPC"] {
        let said = |stage: &Attempts| fs::read_to_string(stage.sandbox.log()).unwrap().matches("could not be flushed").count();
        let injection = Injection::into_file(stage.server(), &mark, "fdatasync", Fault::Error(error), When::Always);
        let before = said(&stage);
        let message = stage.message().await;
        let tried = async {
            while said(&stage) < before + 2 {
                pause().await;
            }
        };
        timeout(SOON, tried).await.expect("the mark is not flushed again");
        assert!(!stage.refused(Attempt::Submit, &message).await);
        let fired = injection.end().fired();
        assert!(fired > 1, "{fired} flushes failed");
        eprintln!("{error} at {fired} flushes of the high-water mark");
        // In order, with a flush at the end.
        stage.restart().await;
    }
    stage.finish().await;
}

/// One append behind which the log is moved, with a fault at a call of the move; not where the move made fewer of them.
async fn move_log(stage: &mut Attempts, message: &Message, file: &Path, call: &str, fault: Fault, nth: usize) -> bool {
    let injection = Injection::into_file(stage.server(), file, call, fault, When::Nth(nth));
    let outcome = stage.attempt(Attempt::Read, message).await;
    let trace = injection.end();
    match outcome {
        Err(Setback::Broken(_)) if fault == Fault::Kill && trace.fired() > 0 => {}
        outcome => outcome.expect("the caller was told of it"),
    }
    if trace.fired() == 0 {
        passed(&trace, nth);
    }
    trace.fired() > 0
}

/// An attempt that was not hit made no more calls than were hit before.
#[track_caller]
fn passed(trace: &Trace, nth: usize) {
    assert!((1..nth).contains(&trace.most()), "call {nth} was made and not hit: {trace:?}");
}

fn beside(stage: &Attempts, ending: &str) -> PathBuf {
    let mut name = stage.sandbox.database().into_os_string();
    name.push(ending);
    name.into()
}

fn log(stage: &Attempts) -> PathBuf {
    beside(stage, "-wal")
}

fn mark(stage: &Attempts) -> PathBuf {
    stage.sandbox.config().with_extension("high-water")
}

fn name(file: &Path) -> std::borrow::Cow<'_, str> {
    file.file_name().unwrap().to_string_lossy()
}

/// Pages of the log behind which SQLite moves it.
const LOG: usize = 4_096;
/// Pages that the first part of the log's index can hold (SQLite's "WAL-mode File Format", section 2).
const INDEXED: usize = 4_062;
/// Fewer pages than an append writes, and more than the table takes that fills the log.
const NEARLY: usize = 16;
/// Steps from one fault to the next where each costs an append or a restart.
const STRIDE: usize = 7;
