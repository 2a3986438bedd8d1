//! An erasure that is broken off in the middle of its transaction: afterwards everything of it happened, with its entry, or nothing.
//!
//! SQLite: killed at writes to the log of writes, most of which come before the last page of the transaction is there. PostgreSQL: held by a lock on the
//! last row it changes, and then killed, cut off at the COMMIT, or left without its server.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use tokio::time::{sleep, timeout};

use crate::{
    erasure_stage::{Stored, arguments, erase, hunt, marked, printed},
    exchange_stage::{BINARY, MUNICIPALITY, SOON, Sandbox, Settings, inject::Injection, ledger::connect, policies::tsunagi},
    postgres_stage::{self, Cut, Proxy},
};

/// What the database holds, each as a number of rows: keys, messages, consents, openings and tags of the entries that there were before, persons, keys of
/// persons, erasures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count([i64; 8]);

impl Count {
    async fn of(stored: &Stored) -> Self {
        let statements = [
            "SELECT count(*) FROM data_key WHERE wrapped IS NOT NULL",
            "SELECT count(*) FROM message WHERE length(sealed) > 0",
            "SELECT count(*) FROM consent WHERE length(sealed) > 0",
            "SELECT count(*) FROM ledger_opening o JOIN ledger_entry e ON e.idx = o.idx WHERE e.type <> 'erasure'",
            "SELECT count(*) FROM ledger_index i JOIN ledger_entry e ON e.idx = i.idx WHERE e.type <> 'erasure'",
            "SELECT count(*) FROM person",
            "SELECT count(*) FROM person_key",
            "SELECT count(*) FROM ledger_entry WHERE type = 'erasure'",
        ];
        let mut count = [0; 8];
        for (place, statement) in count.iter_mut().zip(statements) {
            *place = stored.count(statement).await;
        }
        Self(count)
    }
}

/// A case that is to be erased, and what the database holds before and must hold after.
struct Doomed {
    case: String,
    before: Count,
    after: Count,
}

impl Doomed {
    async fn new(sandbox: &Sandbox) -> Self {
        let case = marked(sandbox).await.1.referral.case;
        let stored = Stored::of(sandbox);
        let before = Count::of(&stored).await;
        let planned = printed(&erase(sandbox, &case, MUNICIPALITY, &["--dry-run"]));
        assert_eq!(Count::of(&stored).await, before, "a rehearsal changes nothing");
        let [keys, messages, consents, openings, tags] =
            ["keys", "messages", "consents", "openings", "tags"].map(|name| planned[name].as_i64().unwrap());
        assert!(keys == 2 && messages == 1 && consents == 1 && openings > 1 && tags > openings, "{planned}");
        let less = [keys, messages, consents, openings, tags, 1, 1, -1];
        let after = Count(std::array::from_fn(|n| before.0[n] - less[n]));
        Self { case, before, after }
    }

    /// Whether it is erased. Half of it is not.
    #[track_caller]
    fn erased(&self, now: Count) -> bool {
        assert!(now == self.before || now == self.after, "half an erasure: {now:?}, before {:?}, whole {:?}", self.before, self.after);
        now == self.after
    }

    /// Started, so that it can be broken off.
    fn erasing(&self, sandbox: &Sandbox) -> Child {
        let mut command = Command::new(BINARY);
        command.args(arguments(&self.case, MUNICIPALITY)).arg("-c").arg(sandbox.config());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Does it to its end. The database is as its ledger says, and nothing opens to a word.
    async fn finish(&self, sandbox: &Sandbox, was_erased: bool) {
        let done = printed(&erase(sandbox, &self.case, MUNICIPALITY, &[]));
        assert_eq!(done["erased_before"], was_erased, "{done}");
        let stored = Stored::of(sandbox);
        assert!(self.erased(Count::of(&stored).await));
        assert_eq!(printed(&tsunagi(&["--json", "audit", "inspect"], sandbox))["holds"], true);
        let hunt = hunt();
        assert!(stored.openable(sandbox).await.iter().all(|text| hunt.in_bytes(text).is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_of_its_transaction_an_erasure_in_sqlite_is_whole_or_not_there() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let server = sandbox.serve().await;
    let log = sandbox.database().with_extension("sqlite-wal");
    let mut doomed = Doomed::new(&sandbox).await;
    let (mut untouched, mut whole) = (0, 0);
    for (calls, stride) in [("pwrite64", STRIDE), ("fsync", 1)] {
        let mut nth = 1;
        loop {
            // The log begins anew: every page of the transaction is a write, and nothing else is.
            let mut connection = connect(&sandbox.database()).await;
            let emptied: (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await.unwrap();
            assert_eq!(emptied, (0, 0, 0));
            connection.close().await.unwrap();
            let config = sandbox.config();
            let words: Vec<&str> = [&arguments(&doomed.case, MUNICIPALITY)[..], &["-c", config.to_str().unwrap()]].concat();
            let trace = Injection::killing(BINARY, &words, &log, calls, nth);
            let erased = doomed.erased(Count::of(&Stored::of(&sandbox)).await);
            if trace.fired() == 0 {
                assert!(erased && nth > 1, "{calls} {nth}: it ended by itself");
                doomed.finish(&sandbox, true).await;
                doomed = Doomed::new(&sandbox).await;
                break;
            }
            if erased {
                whole += 1;
                doomed.finish(&sandbox, true).await;
                doomed = Doomed::new(&sandbox).await;
            } else {
                untouched += 1;
            }
            nth += stride;
        }
    }
    eprintln!("killed {} times: {untouched} before the last page was written, {whole} behind it", untouched + whole);
    assert!(untouched > 3 && whole > 0);
    doomed.finish(&sandbox, false).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_off_in_the_middle_of_its_transaction_an_erasure_in_postgresql_is_whole_or_not_there() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let database = cluster.database();
    let sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
    let proxy = Proxy::before(cluster.port);
    let server = sandbox.serve().await;
    let stored = Stored::of(&sandbox);
    let doomed = Doomed::new(&sandbox).await;
    // Nobody else is to send a COMMIT through the proxy.
    server.stop().await;
    sandbox.reach(proxy.port);
    for how in [Broken::Killed, Broken::Backend, Broken::Server, Broken::Cut(Cut::CommitLost), Broken::Cut(Cut::AnswerLost)] {
        let mut holder = PgConnection::connect(&database.superuser()).await.unwrap();
        let lock = hold(&mut holder).await;
        let mut erasing = doomed.erasing(&sandbox);
        // It stands at the last rows of its transaction, and has changed all others.
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'tsunagi_app'";
        let stands = async {
            while stored.count(waiting).await == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, stands).await.expect("it did not come to the rows that are locked");
        let fired = proxy.fired();
        match how {
            Broken::Killed => {
                erasing.kill().unwrap();
                lock.rollback().await.unwrap();
            }
            Broken::Backend => {
                let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'tsunagi_app'";
                assert_eq!(stored.count(ended).await, 1);
                lock.rollback().await.unwrap();
            }
            Broken::Server => {
                cluster.stop_at_once();
                cluster.resume();
                drop(lock);
            }
            Broken::Cut(cut) => {
                proxy.arm(cut);
                lock.rollback().await.unwrap();
            }
        }
        let ended = erasing.wait_with_output().unwrap();
        assert!(!ended.status.success(), "{how:?}");
        assert_eq!(proxy.fired() - fired, usize::from(matches!(how, Broken::Cut(_))), "{how:?}");
        // What is still at work in the server rolls back first.
        let over = async {
            while stored.count("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND usename = 'tsunagi_app'").await > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, over).await.expect("the backend does not end");
        let erased = doomed.erased(Count::of(&stored).await);
        assert_eq!(erased, how == Broken::Cut(Cut::AnswerLost), "{how:?}: {}", String::from_utf8_lossy(&ended.stderr));
        if erased {
            doomed.finish(&sandbox, true).await;
        }
    }
}

/// How the erasure is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// The command (SIGKILL).
    Killed,
    /// Its connection's process in the server.
    Backend,
    /// The server, as by a power cut.
    Server,
    /// The connection, at the COMMIT.
    Cut(Cut),
}

/// Locks the data keys, which an erasure destroys last.
async fn hold(holder: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM data_key FOR NO KEY UPDATE").fetch_all(&mut *lock).await.unwrap();
    lock
}

/// Every write costs a run of the command under strace.
const STRIDE: usize = 10;
