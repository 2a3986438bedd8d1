//! An old dump, whole or torn, is put back under two gateways while they serve a load (`ledger.md` section 5): from that moment nothing is acknowledged, shown or
//! written, and neither of them starts on it. With the newest database back nothing is lost.
//!
//! `TSUNAGI_RESTORES` sets how often each way of putting it back is taken.

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::timeout;

use crate::{
    exchange_stage::{
        SOON, Sandbox, Settings,
        aftermath::pause,
        ledger::Stored,
        load::{Load, cycles},
        process::Server,
        story::Story,
    },
    postgres_stage::{self, Database, SUPERUSER},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_dump_that_is_put_back_under_two_serving_gateways_is_not_served_whole_or_torn() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let database = cluster.database();
    let sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
    let mut first = sandbox.serve().await;
    let (mut second, address) = sandbox.serve_another().await;
    let load = Load::new(vec![Story::open(&sandbox).await, Story::open(&sandbox).await.at(address)]);
    let workers = load.start();
    load.progress(PROGRESS).await;
    let dump = Dump::of(&database);
    for _ in 0..cycles("TSUNAGI_RESTORES", 1) {
        for way in [Way::Whole, Way::Half] {
            load.progress(PROGRESS).await;
            let aside = dump.put_back(&database, way);
            let put_back = head(&database);
            not_ready(&first, way).await;
            not_ready(&second, way).await;
            // What was committed before the exchange may have been answered after it; from here on nothing is.
            let (acknowledged, (_, turned_away)) = (load.told().entries.len(), load.hits());
            turned_away_again(&load, turned_away + MANY).await;
            assert_eq!(load.told().entries.len(), acknowledged, "{way:?}: something was acknowledged");
            assert_eq!(head(&database), put_back, "{way:?}: something was written");
            first.kill();
            second.kill();
            let said = sandbox.refuses_to_serve().await;
            eprintln!("{way:?}: {said}");
            assert!(said.contains("cannot serve") && (way != Way::Whole || said.contains("tsunagi ledger reopen")), "{way:?}: {said}");

            let told = load.told().clone();
            exchange(&database, &aside);
            first = sandbox.serve().await;
            second = sandbox.resume_another().await;
            assert_eq!(told.missing(&Stored::of(&sandbox).await), Vec::<String>::new(), "{way:?}");
            superuser(&database).sql(&format!("DROP DATABASE {aside} WITH (FORCE)"));
        }
    }
    load.progress(PROGRESS).await;
    load.settle(&sandbox, workers, "old dumps put back").await;
    first.stop().await;
    second.stop().await;
}

/// How a dump is put back by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    /// Loading it was cut off in the middle.
    Half,
}

/// A dump in a file, and its first half.
struct Dump {
    folder: tempfile::TempDir,
}

impl Dump {
    fn of(database: &Database) -> Self {
        let dump = Self { folder: tempfile::tempdir().unwrap() };
        let text = database.dump();
        let rows = text.windows(ROWS.len()).position(|at| at == ROWS).expect("the dump has rows of the ledger") + ROWS.len();
        let middle = rows + (text.len() - rows) / 2;
        let line = text[middle..].iter().position(|byte| *byte == b'\n').unwrap();
        fs::write(dump.file(Way::Half), &text[..=middle + line]).unwrap();
        fs::write(dump.file(Way::Whole), text).unwrap();
        dump
    }

    fn file(&self, way: Way) -> PathBuf {
        self.folder.path().join(format!("{way:?}.sql"))
    }

    /// Loads it into another database and gives that the name of the one in use; says what that one is called now.
    fn put_back(&self, database: &Database, way: Way) -> String {
        let old = Database { name: format!("{}_aside", database.name), port: database.port };
        superuser(database).sql(&format!("CREATE DATABASE {}", old.name));
        old.load(&self.file(way));
        let newest = head(database);
        exchange(database, &old.name);
        assert_ne!(head(database), newest, "it was put back");
        old.name
    }
}

/// Exchanges the names of two databases, of which the gateways know one.
fn exchange(database: &Database, aside: &str) {
    let (main, name) = (superuser(database), &database.name);
    for closed in [name.as_str(), aside] {
        main.sql(&format!("ALTER DATABASE {closed} ALLOW_CONNECTIONS false"));
        main.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{closed}'"));
    }
    for (from, to) in [(name.as_str(), "between"), (aside, name.as_str()), ("between", aside)] {
        renamed(&main, from, to);
    }
    for open in [name.as_str(), aside] {
        main.sql(&format!("ALTER DATABASE {open} ALLOW_CONNECTIONS true"));
    }
}

/// A backend that was told to end may still be there for a moment.
fn renamed(main: &Database, from: &str, to: &str) {
    for _ in 0..TRIES {
        match main.try_sql(&format!("ALTER DATABASE {from} RENAME TO {to}")) {
            Ok(_) => return,
            Err(refused) if refused.contains("being accessed") => std::thread::sleep(Duration::from_millis(50)),
            Err(refused) => panic!("{refused}"),
        }
    }
    panic!("{from} is in use");
}

fn superuser(database: &Database) -> Database {
    Database { name: SUPERUSER.to_owned(), port: database.port }
}

/// The head as it is stored; of a torn database perhaps none.
fn head(database: &Database) -> String {
    database.try_sql("SELECT size, encode(root, 'hex') FROM ledger_head").unwrap_or_else(|missing| missing)
}

async fn not_ready(gateway: &Server, way: Way) {
    let noticed = async {
        while gateway.admin("/readyz").await.unwrap().0 != 503 {
            pause().await;
        }
    };
    timeout(SOON, noticed).await.unwrap_or_else(|_| panic!("{way:?}: a gateway says that it is ready on an old database"));
    assert_eq!(gateway.admin("/livez").await.unwrap().0, 200);
}

async fn turned_away_again(load: &Load, goal: usize) {
    let there = async {
        while load.hits().1 < goal {
            pause().await;
        }
    };
    timeout(SOON, there).await.expect("nobody is turned away");
}

/// How the rows of the leaves begin in a dump.
const ROWS: &[u8] = b"ledger_leaf (idx, leaf_hash) FROM stdin;\n";
/// Acknowledgements between two faults, at least.
const PROGRESS: usize = 20;
/// Requests that are turned away while an old database is in its place, at least.
const MANY: usize = 50;
const TRIES: usize = 200;
