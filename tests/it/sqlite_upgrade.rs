//! `tsunagi database migrate` on a SQLite file that an earlier version made: a copy first, all steps or none, and the ledger goes on.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::{
    Connection as _, SqlSafeStr as _, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use crate::exchange_stage::{
    Sandbox, Settings,
    ledger::{Stored, connect},
    policies::tsunagi,
    story::{PLACEMENT, Referral, Story},
};

/// The first step there ever was, and those that follow it.
const FIRST: &str = include_str!("../../src/store/migrations/sqlite/0001_init.sql");
const STEPS: [i64; 4] = [2, 3, 4, 5];

/// A sandbox with a case, whose database is as the first version would have made it.
async fn of_the_first_version() -> (Sandbox, Referral, Stored) {
    let sandbox = Sandbox::new(Settings { log: "warn", ..Settings::default() });
    let server = sandbox.serve().await;
    let referral = Story::open(&sandbox).await.refer().await;
    server.stop().await;
    let before = Stored::of(&sandbox).await;
    let (now, old) = (sandbox.database(), sandbox.path().join("data/old.sqlite"));
    let options = SqliteConnectOptions::new().filename(&old).create_if_missing(true).foreign_keys(false).page_size(4096);
    let mut connection = options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    let first = Migration::new(1, "init".into(), MigrationType::Simple, FIRST.into_sql_str(), false);
    Migrator::with_migrations(vec![first]).run(&mut connection).await.unwrap();
    sqlx::query("ATTACH $1 AS now").bind(now.to_str().unwrap()).execute(&mut connection).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.len() > 15 && !tables.iter().any(|table| table == "ledger_witness"));
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT '\"' || name || '\"' FROM pragma_table_info($1)")
            .bind(&table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let columns = columns.join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}");
        sqlx::query(sqlx::AssertSqlSafe(copy)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    for ending in ["-wal", "-shm"] {
        assert!(!PathBuf::from(format!("{}{ending}", now.display())).exists());
    }
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(old, now).unwrap();
    (sandbox, referral, before)
}

fn migrate(sandbox: &Sandbox, more: &[&str]) -> Output {
    tsunagi(&[&["database", "migrate"], more].concat(), sandbox)
}

fn said(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

fn copies(sandbox: &Sandbox) -> Vec<String> {
    let files = fs::read_dir(sandbox.path().join("data")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut copies: Vec<_> = files.filter(|name| name.contains("before") || name.contains("unfinished")).collect();
    copies.sort();
    copies
}

async fn applied(file: &Path) -> Vec<i64> {
    let mut connection = connect(file).await;
    let applied = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    applied
}

async fn run(file: &Path, statement: &'static str) {
    let mut connection = connect(file).await;
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_first_version_is_upgraded_after_a_copy_and_its_ledger_goes_on() {
    let (sandbox, referral, before) = of_the_first_version().await;
    // Every command that needs the database names the one that helps.
    let told = sandbox.refuses_to_serve().await;
    assert!(told.contains("earlier version") && told.contains("tsunagi database migrate -c FILE"), "{told}");
    let copy = sandbox.path().join("copy.sqlite");
    for command in [["check"].as_slice(), &["audit", "inspect"], &["backup", copy.to_str().unwrap()]] {
        let done = tsunagi(command, &sandbox);
        assert!(!done.status.success() && said(&done).contains("database migrate"), "{command:?}: {}", said(&done));
    }
    assert_eq!(applied(&sandbox.database()).await, [1], "looking at it changes nothing");

    let done = migrate(&sandbox, &["--json"]);
    assert!(done.status.success(), "{}", said(&done));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    let copy = PathBuf::from(told["backup"].as_str().unwrap());
    assert_eq!(told["steps"], serde_json::json!(STEPS));
    assert_eq!(copies(&sandbox), ["tsunagi.sqlite.before-0002"]);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((applied(&copy).await, applied(&sandbox.database()).await), (vec![1], vec![1, 2, 3, 4, 5]));
    assert_eq!(Stored::read(&copy).await.leaves, before.leaves);

    // The gateway serves what was there, and the ledger goes on from it.
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    let after = Stored::of(&sandbox).await;
    assert!(after.leaves.len() > before.leaves.len() && after.leaves.starts_with(&before.leaves));
    // A message that an earlier version took in has nothing beside it. These entries were written by this version, which the first of them says: it is missed.
    let inspected = tsunagi(&["--json", "audit", "inspect"], &sandbox);
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let found: Vec<_> = inspected["problems"].as_array().unwrap().iter().map(|one| (&one["finding"], &one["path"])).collect();
    assert_eq!(found, [(&"stored_missing".into(), &"message_term".into())], "and nothing of the schema: {inspected}");
    server.stop().await;
    // What the steps make is there: the name of the ledger cannot be changed by hand any more.
    let mut connection = connect(&sandbox.database()).await;
    assert!(sqlx::query("UPDATE ledger_head SET origin = 'other'").execute(&mut connection).await.is_err());
    connection.close().await.unwrap();

    // Once more: nothing to do, and no further copy.
    for (lang, words) in [("en", "nothing was changed"), ("ja", "何も変えていません")] {
        let done = migrate(&sandbox, &["--lang", lang]);
        assert!(done.status.success() && said(&done).contains(words), "{}", said(&done));
    }
    assert_eq!(copies(&sandbox).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_has_open_is_not_upgraded() {
    let (sandbox, _, _) = of_the_first_version().await;
    // As a gateway of the earlier version does that is idle, reads, and writes.
    for statement in ["SELECT count(*) FROM ledger_leaf", "BEGIN; SELECT count(*) FROM ledger_leaf", "BEGIN IMMEDIATE"] {
        let options = SqliteConnectOptions::new().filename(sandbox.database()).journal_mode(SqliteJournalMode::Wal);
        let mut gateway: SqliteConnection = options.connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut gateway).await.unwrap();
        for (lang, words) in [("en", "Stop every gateway"), ("ja", "ゲートウェイをすべて止めて")] {
            let done = migrate(&sandbox, &["--lang", lang]);
            assert!(done.status.code() == Some(2) && said(&done).contains(words), "{statement}: {}", said(&done));
        }
        assert_eq!(copies(&sandbox), Vec::<String>::new());
        gateway.close().await.unwrap();
        assert_eq!(applied(&sandbox.database()).await, [1]);
    }
    assert!(migrate(&sandbox, &[]).status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_leaves_the_file_as_it_was_and_no_copy_in_the_way() {
    let (sandbox, _, _) = of_the_first_version().await;
    // A later step takes this trigger away; the steps before it would have been made by then.
    run(&sandbox.database(), "DROP TRIGGER ledger_head_forward").await;
    let done = migrate(&sandbox, &["--lang", "en"]);
    assert!(done.status.code() == Some(2) && said(&done).contains("The database is as it was"), "{}", said(&done));
    assert_eq!((applied(&sandbox.database()).await, copies(&sandbox)), (vec![1], Vec::new()));
    let mut connection = connect(&sandbox.database()).await;
    let made: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'ledger_witness'").fetch_one(&mut connection).await.unwrap();
    assert_eq!(made, 0, "the step before was kept");
    connection.close().await.unwrap();
    run(&sandbox.database(), "CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head BEGIN SELECT RAISE(IGNORE); END").await;
    assert!(migrate(&sandbox, &[]).status.success(), "it can be tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_over_and_what_is_not_an_earlier_file_is_refused() {
    let (sandbox, _, _) = of_the_first_version().await;
    let taken = sandbox.path().join("taken.sqlite");
    fs::write(&taken, "somebody's").unwrap();
    let refused = |more: &[&str], words: &str| {
        let done = migrate(&sandbox, &[&["--lang", "en"], more].concat());
        assert!(done.status.code() == Some(2) && said(&done).contains(words), "{}", said(&done));
    };
    refused(&["--backup", taken.to_str().unwrap()], "name another place with --backup");
    refused(&["--backup", sandbox.path().join("none/copy").to_str().unwrap()], "the folder can be written");
    refused(&["--owner-url-file", taken.to_str().unwrap()], "knows no roles");
    assert_eq!((fs::read_to_string(&taken).unwrap().as_str(), applied(&sandbox.database()).await), ("somebody's", vec![1]));

    // The place is the operator's to choose.
    let chosen = sandbox.path().join("chosen.sqlite");
    assert!(migrate(&sandbox, &["--backup", chosen.to_str().unwrap()]).status.success());
    assert_eq!((applied(&chosen).await, copies(&sandbox)), (vec![1], Vec::new()));

    run(
        &sandbox.database(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
    )
    .await;
    refused(&[], "of a newer version");
    run(&sandbox.database(), "DROP TABLE _sqlx_migrations").await;
    refused(&[], "not a database of this program");
    fs::remove_file(sandbox.database()).unwrap();
    refused(&[], "database.url");
    assert!(!sandbox.database().exists(), "none is made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_the_first_version_is_restored_with_the_tables_of_this_one() {
    let (sandbox, referral, before) = of_the_first_version().await;
    let backup = sandbox.path().join("backup.sqlite");
    fs::rename(sandbox.database(), &backup).unwrap();
    let untouched = fs::read(&backup).unwrap();
    let done = tsunagi(&["--json", "restore", backup.to_str().unwrap()], &sandbox);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!((applied(&sandbox.database()).await, copies(&sandbox)), (vec![1, 2, 3, 4, 5], Vec::new()));
    assert_eq!(fs::read(&backup).unwrap(), untouched, "the backup stays what it is");
    let server = sandbox.serve().await;
    Story::open(&sandbox).await.read(&referral.case, PLACEMENT).await.unwrap();
    assert!(Stored::of(&sandbox).await.leaves.starts_with(&before.leaves));
    server.stop().await;
}

#[test]
fn a_server_has_an_owner_and_no_file_to_copy() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tsunagi.toml");
    fs::write(&config, "").unwrap();
    let done = Command::new(crate::exchange_stage::BINARY)
        .args(["database", "migrate", "--backup", "x", "--owner-url-file", "y", "-c"])
        .arg(&config)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
}
