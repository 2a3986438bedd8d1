//! `tsunagi migrate-store` and the copy beneath it: everything arrives, or nothing does.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};
use tokio::sync::OnceCell;
use tsunagi::{
    domain::consent::Exception,
    ledger::TreeRecount,
    message::objects::ConsentGiven,
    store::{Address, Copied, Hold, StoreError, copy, open},
};

use crate::{
    exchange_stage::{
        Sandbox, Settings,
        ledger::{Ledger, connect},
        story::{Message, PLACEMENT, Story},
        told::{Answer, Told},
    },
    ledger_stage::store_entry,
    postgres_stage::{self, Cut, Proxy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_exchange_goes_on_in_postgresql_with_its_ledger() {
    let Some(database) = postgres_stage::database() else { return };
    let mut sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let mut told = Told::default();
    let (case, message) = fill(&story, &mut told).await;

    for shown in [database.application(), format!("postgres://tsunagi_app@127.0.0.1:{}/{}?password=secret", database.port, database.name)] {
        let refused = sandbox.migrate_store_to(&shown, &database, "");
        let detail = said(&refused.stderr)["detail"].as_str().unwrap().to_owned();
        assert!(refused.status.code() == Some(2) && detail.contains("--to-password-file") && !detail.contains(&shown), "{detail}");
    }
    let refused = sandbox.migrate_store(&database);
    assert_eq!((refused.status.code(), said(&refused.stderr)["error"].as_str()), (Some(2), Some("usage")));
    assert!(said(&refused.stderr)["detail"].as_str().unwrap().contains("the database is in use"));
    story.read(&case, PLACEMENT).await.unwrap();
    server.stop().await;

    let taken = database.at(database.port);
    taken.sql("CREATE TABLE somebody_elses (n int)");
    assert!(said(&sandbox.migrate_store(&database).stderr)["detail"].as_str().unwrap().contains("not empty"));
    taken.sql("DROP TABLE somebody_elses");
    let moved = sandbox.migrate_store(&database);
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    let moved = said(&moved.stdout);
    assert!(moved["rows"]["message"].as_u64().unwrap() > 0 && moved["rows"]["ledger_leaf"] == moved["size"], "{moved}");
    let again = sandbox.migrate_store(&database);
    assert!(!again.status.success(), "it was moved twice");
    open(&format!("sqlite://{}", sandbox.database().display())).await.unwrap().close().await;

    sandbox.use_postgres(&database, &[database.port], false);
    let server = sandbox.serve().await;
    let (first, again) = (told.messages[&message.jti].clone(), story.submit(&message).await.unwrap());
    assert_eq!(Answer::new(&message, &again), first, "what was accepted before is answered as before");
    told.shown(&story.read(&case, PLACEMENT).await.unwrap());
    fill(&story, &mut told).await;
    let ledger = Ledger::read(&story.auditor).await;
    assert_eq!(told.judge(&ledger), Vec::<String>::new());
    assert!(ledger.checkpoint.size() > moved["size"].as_u64().unwrap());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_there_and_back_is_the_same_database() {
    let Some(database) = postgres_stage::database() else { return };
    let folder = filled().await;
    let back = folder.path().join("back.sqlite");
    let there = copied(&folder.file(), &database.owner(), Hold::Alone).await.unwrap();
    let here = copied(&database.owner(), &url(&back), Hold::Shared).await.unwrap();
    assert_eq!(there, here);
    assert!(there.rows.iter().filter(|(_, rows)| *rows > 0).count() > 15, "{:?}", there.rows);

    let mut connection = connect(&folder.path().join("tsunagi.sqlite")).await;
    let attach = format!("ATTACH '{}' AS back", back.display());
    connection.execute(sqlx::AssertSqlSafe(attach)).await.unwrap();
    for (table, rows) in &there.rows {
        for (one, other) in [("main", "back"), ("back", "main")] {
            let only = format!("SELECT count(*) FROM (SELECT * FROM {one}.{table} EXCEPT SELECT * FROM {other}.{table})");
            assert_eq!(number(&mut connection, &only).await, 0, "{table} of {one}");
        }
        assert_eq!(number(&mut connection, &format!("SELECT count(*) FROM back.{table}")).await, i64::try_from(*rows).unwrap(), "{table}");
    }
    // What PostgreSQL counts by itself goes on behind what was copied.
    let behind = "INSERT INTO evidence (case_, iss, jti, digest, state, receipt, time, idx) SELECT case_, iss, jti, digest, state, receipt, \
                  time, idx FROM evidence LIMIT 1 RETURNING seq > (SELECT max(seq) FROM evidence)";
    assert_eq!(database.sql(behind), "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_ledger_that_grows_is_of_one_moment() {
    let Some(database) = postgres_stage::database() else { return };
    let folder = filled().await;
    let before = copied(&folder.file(), &database.owner(), Hold::Alone).await.unwrap();
    let target = folder.path().join("backup.sqlite");
    let store = open(&database.owner()).await.unwrap();
    let (source, to) = (database.owner(), url(&target));
    // The entries that are added here do not keep the tree: a copy that held one of them would be refused.
    let mut copying = std::pin::pin!(copied(&source, &to, Hold::Shared));
    let mut added = 0;
    let copy = loop {
        tokio::select! {
            copy = &mut copying => break copy,
            _ = store_entry(store.as_ref(), &[]) => added += 1,
        }
    };
    store.close().await;
    match copy {
        Ok(copy) => assert_eq!(copy.head.size, before.head.size),
        // It began behind the first of them.
        Err(StoreError::Broken(index)) => assert!(index >= before.head.size),
        Err(error) => panic!("{error}"),
    }
    assert!(added > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_cut_off_at_its_commit_leaves_nothing_and_can_be_repeated() {
    let Some(database) = postgres_stage::database() else { return };
    let folder = filled().await;
    let proxy = Proxy::before(database.port);
    proxy.arm(Cut::CommitLost);
    let cut = copied(&folder.file(), &database.at(proxy.port).owner(), Hold::Alone).await;
    assert!(matches!(cut, Err(StoreError::CommitUnknown(_))), "{cut:?}");
    assert_eq!(proxy.fired(), 1);
    assert!(matches!(open(&database.owner()).await.err(), Some(StoreError::Missing)));
    let source = open(&folder.file()).await.unwrap();
    store_entry(source.as_ref(), &[]).await;
    source.close().await;
    // That entry is not in the tree. It goes, and the file is what it was.
    let mut connection = connect(&folder.path().join("tsunagi.sqlite")).await;
    connection
        .execute("DROP TRIGGER ledger_leaf_no_delete; DROP TRIGGER ledger_entry_no_delete; DROP TRIGGER ledger_head_forward")
        .await
        .unwrap();
    connection.execute("DELETE FROM ledger_leaf WHERE idx = (SELECT max(idx) FROM ledger_leaf)").await.unwrap();
    connection.execute("DELETE FROM ledger_entry WHERE idx = (SELECT max(idx) FROM ledger_entry)").await.unwrap();
    connection.execute("UPDATE ledger_head SET size = size - 1").await.unwrap();
    connection.close().await.unwrap();

    proxy.arm(Cut::AnswerLost);
    let cut = copied(&folder.file(), &database.at(proxy.port).owner(), Hold::Alone).await;
    assert!(matches!(cut, Err(StoreError::CommitUnknown(_))), "{cut:?}");
    assert_eq!(proxy.fired(), 2);
    open(&database.owner()).await.unwrap().close().await;
    assert!(matches!(copied(&folder.file(), &database.owner(), Hold::Alone).await, Err(StoreError::Exists)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_not_whole_is_not_moved() {
    let Some(database) = postgres_stage::database() else { return };
    for (spoil, index) in [
        ("UPDATE ledger_leaf SET leaf_hash = zeroblob(32) WHERE idx = 3", Some(3)),
        ("UPDATE ledger_entry SET body = CAST(body || ' ' AS BLOB) WHERE idx = 5", Some(5)),
        ("DELETE FROM ledger_leaf WHERE idx = 4", Some(4)),
        ("DELETE FROM ledger_leaf WHERE idx = (SELECT max(idx) FROM ledger_leaf)", None),
        ("UPDATE ledger_head SET root = zeroblob(32)", None),
        ("UPDATE ledger_head SET size = size + 1", None),
    ] {
        let folder = filled().await;
        let mut connection = connect(&folder.path().join("tsunagi.sqlite")).await;
        let triggers = ["ledger_leaf_no_update", "ledger_leaf_no_delete", "ledger_entry_no_update"];
        for trigger in triggers {
            connection.execute(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).await.unwrap();
        }
        assert_eq!(connection.execute(spoil).await.unwrap().rows_affected(), 1, "{spoil}");
        connection.close().await.unwrap();
        match copied(&folder.file(), &database.owner(), Hold::Alone).await {
            Err(StoreError::Broken(found)) => assert!(index.is_none_or(|index| index == found), "{spoil}: {found}"),
            other => panic!("{spoil}: {other:?}"),
        }
        assert!(matches!(open(&database.owner()).await.err(), Some(StoreError::Missing)), "{spoil}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_copy_does_not_know_is_not_left_behind_in_silence() {
    let Some(database) = postgres_stage::database() else { return };
    let folder = filled().await;
    let mut connection = connect(&folder.path().join("tsunagi.sqlite")).await;
    connection.execute("CREATE TABLE of_tomorrow (n INTEGER) STRICT").await.unwrap();
    connection.close().await.unwrap();
    match copied(&folder.file(), &database.owner(), Hold::Alone).await {
        Err(StoreError::Schema(told)) => assert!(told.contains("of_tomorrow"), "{told}"),
        other => panic!("{other:?}"),
    }
    let taken = folder.path().join("taken.sqlite");
    std::fs::write(&taken, "somebody's").unwrap();
    let folder = filled().await;
    let into_a_file = copied(&folder.file(), &url(&taken), Hold::Shared).await;
    assert!(matches!(into_a_file, Err(StoreError::Exists | StoreError::File(_))), "{into_a_file:?}");
}

/// A consent that was narrowed, one that took the place of another, one that ended; a case that was read.
async fn fill(story: &Story, told: &mut Told) -> (String, Message) {
    let given = story.consent();
    let consent = story.sign_consent(&given);
    told.accepted(&story.register(&consent).await.unwrap());
    let (_, cursor) = story.cases(None).await.unwrap();
    let message = story.sign(&story.draft(&consent));
    told.message(&message, &story.submit(&message).await.unwrap());
    let case = story.cases(cursor).await.unwrap().0.remove(0);
    told.shown(&story.read(&case, PLACEMENT).await.unwrap());
    let mut later = story.sign_consent(&ConsentGiven { issued: story.centre.issued(), sup: Some(consent.jti), ..given });
    told.accepted(&story.register(&later).await.unwrap());
    let narrow = Exception { rcp: Vec::new(), pur: None, cls: Some(vec![tsunagi::domain::field::FieldClass::Medical]) };
    let narrow = Exception { rcp: vec![tsunagi::domain::agreement::Side::Party(story.municipality.id.clone())], ..narrow };
    told.accepted(&story.register_end(&later, &story.sign_end(&later, Some(vec![narrow]))).await.unwrap());
    later = story.sign_consent(&story.consent());
    told.accepted(&story.register(&later).await.unwrap());
    told.accepted(&story.register_end(&later, &story.sign_end(&later, None)).await.unwrap());
    (case, message)
}

/// A folder with a database in which everything happened once.
struct Filled(tempfile::TempDir);

impl Filled {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self) -> String {
        url(&self.path().join("tsunagi.sqlite"))
    }
}

async fn filled() -> Filled {
    static MADE: OnceCell<(tempfile::TempDir, PathBuf)> = OnceCell::const_new();
    let (_, made) = MADE
        .get_or_init(|| async {
            let sandbox = Sandbox::new(Settings::default());
            let server = sandbox.serve().await;
            fill(&Story::open(&sandbox).await, &mut Told::default()).await;
            server.stop().await;
            let kept = tempfile::tempdir().unwrap();
            let file = kept.path().join("tsunagi.sqlite");
            // What stands in the write-ahead log moves into the file that is copied.
            let mut connection = connect(&sandbox.database()).await;
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
            connection.close().await.unwrap();
            std::fs::copy(sandbox.database(), &file).unwrap();
            (kept, file)
        })
        .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(made, folder.path().join("tsunagi.sqlite")).unwrap();
    Filled(folder)
}

async fn copied(from: &str, to: &str, hold: Hold) -> Result<Copied, StoreError> {
    copy(&Address::from(from), &Address::from(to), None, hold, TreeRecount::default()).await
}

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn said(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(bytes)))
}

async fn number(connection: &mut SqliteConnection, sql: &str) -> i64 {
    connection.fetch_one(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap().get(0)
}
