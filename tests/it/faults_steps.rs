//! What fails at each step of an append on SQLite (`ledger.md` section 5): the gateway killed at every write, at every `fsync`, behind the commit and
//! at every piece of the answer; `EIO` and `ENOSPC` at every write and `fsync`, `EROFS` at the first.
//!
//! `TSUNAGI_FAULT_STEPS=all` takes every write; by default kills take every fourth, for each costs a restart.

use sqlx::Connection as _;
use tokio::time::timeout;

use crate::exchange_stage::{
    SOON, Sandbox, Settings,
    aftermath::{Aftermath, pause, repeat},
    inject::{Fault, Injection, Trace, When},
    ledger::{Stored, connect},
    party::Setback,
    process::Server,
    story::{Message, PLACEMENT, Referral, Story},
    told::Told,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_an_append_the_entry_is_whole_or_not_there() {
    let mut stage = Stage::new().await;
    let stride = if every_step() { 1 } else { 4 };

    // Before COMMIT: whatever of it was written, nothing happened.
    let written = stage.sweep(Attempt::Submit, Into::Writer("pwrite64"), stride).await;
    assert!(written.hits.len() > 2 && written.entered() == 0, "{written:?}");

    // COMMIT sent and not through: the entry may exist. The last `fsync` covers the whole entry.
    let synced = stage.sweep(Attempt::Submit, Into::Writer("fsync"), 1).await;
    assert!(synced.hits.len() > 1 && synced.entered() == 1 && synced.hits.last().unwrap().entered, "{synced:?}");

    // After COMMIT, before anything was signed: the locks are given back behind the last `fsync`.
    for attempt in [Attempt::Submit, Attempt::Read] {
        let unlocked = stage.sweep(attempt, Into::Writer("fsync,fcntl"), 1).await;
        let behind = unlocked.hits.iter().filter(|hit| hit.synced).count();
        assert!(behind > 0 && unlocked.hits.iter().filter(|hit| hit.synced).all(|hit| hit.entered), "{unlocked:?}");
        assert!(unlocked.hits.iter().any(|hit| !hit.entered), "nothing was hit before the commit: {unlocked:?}");
    }

    // After the answer was made, before and while it is sent: an entry, and the reader got nothing.
    let sent = stage.sweep(Attempt::Read, Into::Process("writev"), 1).await;
    assert!(sent.hits.last().unwrap().entered, "{sent:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_anywhere_in_an_append_fails_the_request_and_nothing_else() {
    let mut stage = Stage::new().await;
    for (error, most) in [("EIO", usize::MAX), ("ENOSPC", usize::MAX), ("EROFS", 1)] {
        for (attempt, call) in
            [(Attempt::Submit, "pwrite64"), (Attempt::Submit, "fsync"), (Attempt::Read, "pwrite64"), (Attempt::Read, "fsync")]
        {
            let mut failed = 0;
            for nth in 1..=most {
                let (hit, refused) = stage.fail(attempt, call, error, nth).await;
                if !hit {
                    break;
                }
                assert!(refused, "{error} at {call} {nth} was not told");
                failed += 1;
            }
            eprintln!("{error} at each of {failed} {call} of one {attempt:?}");
            assert!(failed > 0, "no {call} was hit");
        }
    }
    stage.finish().await;
}

/// SQLite moves its log into the database file now and then, behind an append that was committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_moved_into_the_database_loses_nothing() {
    for error in ["EIO", "ENOSPC"] {
        let mut stage = Stage::new().await;
        let mut fired = 0;
        for _ in 0..WATCHES {
            fired = stage.fill_log(error).await;
            if fired > 0 {
                break;
            }
        }
        assert!(fired > 0, "the log was not moved");
        eprintln!("{error} at {fired} writes of the database file");
        stage.size().await;
        stage.server.take().unwrap().kill();
        stage.server = Some(stage.sandbox.serve().await);
        stage.finish().await;
    }
}

/// What is tried while a fault is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Submit,
    Read,
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

struct Stage {
    sandbox: Sandbox,
    server: Option<Server>,
    story: Story,
    referral: Referral,
    told: Told,
}

impl Stage {
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
        let server = Some(sandbox.serve().await);
        let story = Story::open(&sandbox).await;
        let sent = story.refer_under(story.sign_consent(&story.consent())).await;
        let mut told = Told::default();
        told.message(&sent.message, &sent.accepted);
        Self { sandbox, server, story, referral: sent.referral, told }
    }

    /// Kills at the first, then at later calls, until an attempt passes untouched.
    async fn sweep(&mut self, attempt: Attempt, place: Into, stride: usize) -> Sweep {
        let mut hits = Vec::new();
        let mut nth = 1;
        while let Some(hit) = self.kill(attempt, place, nth).await {
            hits.push(hit);
            nth += stride;
        }
        let sweep = Sweep { hits };
        eprintln!("{attempt:?}, killed at {} steps of {place:?}: {} were entered", sweep.hits.len(), sweep.entered());
        sweep
    }

    /// Kills the gateway at a call of an attempt; none where the attempt made fewer of them.
    async fn kill(&mut self, attempt: Attempt, place: Into, nth: usize) -> Option<Hit> {
        let (message, writer) = self.writer().await;
        self.empty_log().await;
        let before = self.size().await;
        let server = self.server.as_ref().unwrap();
        let injection = match place {
            Into::Writer(calls) => Injection::into_thread(writer, calls, Fault::Kill, When::Nth(nth)),
            Into::Process(calls) => Injection::into(server, calls, Fault::Kill, When::Nth(nth)),
        };
        let outcome = self.attempt(attempt, &message).await;
        let trace = injection.end();
        let hit = trace.fired() > 0;
        match outcome {
            Ok(()) if !hit => return None,
            // The whole answer had left.
            Ok(()) => {}
            Err(setback) => assert!(hit && matches!(setback, Setback::Broken(_)), "{nth}: {setback:?}, {trace:?}"),
        }
        // It has ended where it stood.
        self.server.take().unwrap().kill();
        self.server = Some(self.sandbox.serve().await);
        let size = self.size().await;
        assert!(size <= before + 1, "{} entries of one attempt", size - before);
        self.unfold(attempt, &message, size).await;
        Some(Hit { entered: size > before, synced: trace.did("fsync") })
    }

    /// Lets a call of an attempt fail; whether one was hit, and whether the caller was told.
    async fn fail(&mut self, attempt: Attempt, call: &str, error: &'static str, nth: usize) -> (bool, bool) {
        let message = self.message().await;
        self.empty_log().await;
        let injection = Injection::into(self.server.as_ref().unwrap(), call, Fault::Error(error), When::Nth(nth));
        let outcome = self.attempt(attempt, &message).await;
        let trace: Trace = injection.end();
        let refused = match outcome {
            Ok(()) => false,
            Err(Setback::Refused(problem)) => {
                assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"), "{}", problem.text);
                true
            }
            Err(Setback::Broken(error)) => panic!("{call} {nth}: the gateway did not answer: {error}"),
        };
        let size = self.size().await;
        self.unfold(attempt, &message, size).await;
        (trace.fired() > 0, refused)
    }

    /// Appends until the log is to be moved, which fails; how often it did.
    async fn fill_log(&mut self, error: &'static str) -> usize {
        self.empty_log().await;
        let server = self.server.as_ref().unwrap();
        let injection = Injection::into_file(server, &self.sandbox.database(), "pwrite64", Fault::Error(error), When::Always);
        let log = format!("{}-wal", self.sandbox.database().display());
        let mut beyond = 0;
        while beyond < 3 {
            beyond += usize::from(std::fs::metadata(&log).unwrap().len() > LOG);
            let consent = self.story.sign_consent(&self.story.consent());
            let registered = self.story.register(&consent).await.unwrap();
            self.told.accepted(&registered);
        }
        injection.end().fired()
    }

    /// The thread that writes the database, and a message that was not sent yet. A thread that wakes while strace comes may slip past it, so it looks
    /// again.
    async fn writer(&self) -> (Message, u32) {
        for _ in 0..WATCHES {
            let watching = Injection::watch(self.server.as_ref().unwrap(), "pwrite64");
            let message = self.message().await;
            if let Some(writer) = watching.end().thread("pwrite64") {
                return (message, writer);
            }
        }
        panic!("no write was seen in {WATCHES} appends");
    }

    /// A message that was not sent yet.
    async fn message(&self) -> Message {
        let consent = self.story.sign_consent(&self.story.consent());
        self.story.register(&consent).await.unwrap();
        self.story.sign(&self.story.draft(&consent))
    }

    /// Empties SQLite's log, so that the next append begins it anew: its head is written, and file and folder are synced.
    async fn empty_log(&self) {
        let mut connection = connect(&self.sandbox.database()).await;
        let emptied: (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await.unwrap();
        assert_eq!(emptied, (0, 0, 0));
        connection.close().await.unwrap();
    }

    async fn attempt(&mut self, attempt: Attempt, message: &Message) -> Result<(), Setback> {
        match attempt {
            Attempt::Submit => {
                let accepted = self.story.submit(message).await?;
                self.told.message(message, &accepted);
            }
            Attempt::Read => self.told.shown(&self.story.read(&self.referral.case, PLACEMENT).await?),
        }
        Ok(())
    }

    /// Size of the stored tree, whole and without a gap, that holds whatever was told.
    async fn size(&self) -> usize {
        let stored = Stored::of(&self.sandbox).await;
        assert_eq!(self.told.missing(&stored), Vec::<String>::new());
        stored.leaves.len()
    }

    /// The repetition is answered, with what was there already if it was there.
    async fn unfold(&mut self, attempt: Attempt, message: &Message, size: usize) {
        let again = async {
            while let Err(setback) = self.attempt(attempt, message).await {
                assert!(matches!(&setback, Setback::Refused(problem) if problem.status == 503), "{setback:?}");
                pause().await;
            }
        };
        timeout(SOON, again).await.expect("it goes on");
        assert!(self.size().await <= size + 1);
    }

    async fn finish(mut self) {
        repeat(&self.story, &self.told).await;
        Aftermath::of(&self.sandbox, &self.story, &self.told, &[]).await;
        self.server.take().unwrap().stop().await;
    }
}

/// SQLite moves the log when it holds 4096 pages: a page has 4 KiB, and 24 bytes before it.
const LOG: u64 = 4_096 * (4_096 + 24);

/// How often a write is looked for.
const WATCHES: usize = 20;

fn every_step() -> bool {
    std::env::var("TSUNAGI_FAULT_STEPS").as_deref() == Ok("all")
}
