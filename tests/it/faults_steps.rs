//! What fails at each step of an append on SQLite (`ledger.md` section 5): the gateway killed at every write, at every `fsync`, behind the commit and
//! at every piece of the answer; `EIO` and `ENOSPC` at every write and `fsync`, `EROFS` at the first. The last attempt of each row passes untouched and
//! says how many steps there were, so that none was missed.
//!
//! `TSUNAGI_FAULT_STEPS=all` takes every write; by default kills take every fourth, for each costs a restart.

use crate::exchange_stage::{
    attempts::{Attempt, Attempts, every_step},
    inject::{Fault, Injection, When},
    party::Setback,
    story::Message,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_an_append_the_entry_is_whole_or_not_there() {
    let mut stage = Attempts::new().await;
    let stride = if every_step() { 1 } else { 4 };

    // Before COMMIT: whatever of it was written, nothing happened.
    let written = sweep(&mut stage, Attempt::Submit, Into::Writer("pwrite64"), stride).await;
    assert!(written.hits.len() > 2 && written.entered() == 0, "{written:?}");

    // COMMIT sent and not through: the entry may exist. The last `fsync` covers the whole entry.
    let synced = sweep(&mut stage, Attempt::Submit, Into::Writer("fsync"), 1).await;
    assert!(synced.hits.len() > 1 && synced.entered() == 1 && synced.hits.last().unwrap().entered, "{synced:?}");

    // After COMMIT, before anything was signed: the locks are given back behind the last `fsync`.
    for attempt in [Attempt::Submit, Attempt::Read] {
        let unlocked = sweep(&mut stage, attempt, Into::Writer("fsync,fcntl"), 1).await;
        let behind = unlocked.hits.iter().filter(|hit| hit.synced).count();
        assert!(behind > 0 && unlocked.hits.iter().filter(|hit| hit.synced).all(|hit| hit.entered), "{unlocked:?}");
        assert!(unlocked.hits.iter().any(|hit| !hit.entered), "nothing was hit before the commit: {unlocked:?}");
    }

    // After the answer was made, before and while it is sent: an entry, and the reader got nothing.
    let sent = sweep(&mut stage, Attempt::Read, Into::Process("writev"), 1).await;
    assert!(sent.hits.last().unwrap().entered, "{sent:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_anywhere_in_an_append_fails_the_request_and_nothing_else() {
    let mut stage = Attempts::new().await;
    for (error, most) in [("EIO", usize::MAX), ("ENOSPC", usize::MAX), ("EROFS", 1)] {
        for (attempt, call) in
            [(Attempt::Submit, "pwrite64"), (Attempt::Submit, "fsync"), (Attempt::Read, "pwrite64"), (Attempt::Read, "fsync")]
        {
            let mut failed = 0;
            while failed < most && fail(&mut stage, attempt, call, error, failed + 1).await {
                failed += 1;
            }
            eprintln!("{error} at each of {failed} {call} of one {attempt:?}");
            assert!(failed > 0, "no {call} was hit");
        }
    }
    stage.finish().await;
}

/// Where a fault is put, at which system calls.
#[derive(Debug, Clone, Copy)]
enum Into {
    Writer(&'static str),
    Process(&'static str),
}

/// One kill that hit.
#[derive(Debug)]
struct Hit {
    /// Whether the entry is there afterwards.
    entered: bool,
    /// Whether an `fsync` was through before.
    synced: bool,
}

/// The kills of one sweep over the steps.
#[derive(Debug)]
struct Sweep {
    hits: Vec<Hit>,
}

impl Sweep {
    fn entered(&self) -> usize {
        self.hits.iter().filter(|hit| hit.entered).count()
    }
}

/// Kills at the first, then at later calls, until an attempt passes untouched.
async fn sweep(stage: &mut Attempts, attempt: Attempt, place: Into, stride: usize) -> Sweep {
    let mut hits = Vec::new();
    let mut nth = 1;
    while let Some(hit) = kill(stage, attempt, place, nth).await {
        hits.push(hit);
        nth += stride;
    }
    let sweep = Sweep { hits };
    eprintln!("{attempt:?}, killed at {} steps of {place:?}: {} were entered", sweep.hits.len(), sweep.entered());
    sweep
}

/// Kills the gateway at a call of an attempt; none where the attempt made fewer of them.
async fn kill(stage: &mut Attempts, attempt: Attempt, place: Into, nth: usize) -> Option<Hit> {
    let (message, writer) = writer(stage).await;
    stage.empty_log().await;
    let before = stage.size().await;
    let injection = match place {
        Into::Writer(calls) => Injection::into_thread(writer, calls, Fault::Kill, When::Nth(nth)),
        Into::Process(calls) => Injection::into(stage.server(), calls, Fault::Kill, When::Nth(nth)),
    };
    let outcome = stage.attempt(attempt, &message).await;
    let trace = injection.end();
    let hit = trace.fired() > 0;
    match outcome {
        Ok(()) if !hit => {
            assert!((1..nth).contains(&trace.most()), "call {nth} was made and not hit: {trace:?}");
            return None;
        }
        // The whole answer had left.
        Ok(()) => {}
        Err(setback) => assert!(hit && matches!(setback, Setback::Broken(_)), "{nth}: {setback:?}, {trace:?}"),
    }
    stage.kill().await;
    let size = stage.size().await;
    assert!(size <= before + 1, "{} entries of one attempt", size - before);
    stage.unfold(attempt, &message).await;
    Some(Hit { entered: size > before, synced: trace.did("fsync") })
}

/// Lets a call of an attempt fail, which the caller is told; not where the attempt made fewer of them.
async fn fail(stage: &mut Attempts, attempt: Attempt, call: &str, error: &'static str, nth: usize) -> bool {
    let message = stage.message().await;
    stage.empty_log().await;
    let injection = Injection::into(stage.server(), call, Fault::Error(error), When::Nth(nth));
    let refused = stage.refused(attempt, &message).await;
    let trace = injection.end();
    let hit = trace.fired() > 0;
    assert_eq!(hit, refused, "{error} at {call} {nth}: {trace:?}");
    assert!(hit || (1..nth).contains(&trace.most()), "call {nth} was made and not hit: {trace:?}");
    stage.unfold(attempt, &message).await;
    hit
}

/// The thread that writes the database, and a message that was not sent yet.
async fn writer(stage: &Attempts) -> (Message, u32) {
    let watching = Injection::watch(stage.server(), "pwrite64");
    let message = stage.message().await;
    let writer = watching.end().thread("pwrite64").expect("a consent was written");
    (message, writer)
}
