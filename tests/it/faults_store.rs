//! A database that cannot be written, and one that was written behind the gateway's back (`ledger.md` section 5).

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tsunagi::domain::entry::{EntryType, Outcome};

use crate::exchange_stage::{
    AUDITOR, BINARY, SOON, Sandbox, Settings, files,
    ledger::{Ledger, Record, Stored, connect},
    party::Setback,
    process::Server,
    story::{Message, PLACEMENT, Referral, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_locked_nothing_moves_and_then_everything_works_again() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let outage = Outage::prepare(&story).await;
    let mut lock = connect(&sandbox.database()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    outage.nothing_moves(&sandbox, &story, &server).await;
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    outage.everything_works(&story, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_files_may_not_grow_nothing_moves_and_then_everything_works_again() {
    let sandbox = Sandbox::new(Settings { full_disk: true, ..Settings::default() });
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let outage = Outage::prepare(&story).await;
    // No file may grow or be written beyond its first byte: the log of the process is hit as well.
    limit_files(&server, "1");
    outage.nothing_moves(&sandbox, &story, &server).await;
    limit_files(&server, "unlimited");
    outage.everything_works(&story, &server).await;
    server.stop().await;
}

fn limit_files(server: &Server, bytes: &str) {
    let limited = Command::new("prlimit").args([format!("--pid={}", server.id()), format!("--fsize={bytes}:unlimited")]).status();
    assert!(limited.expect("prlimit (Debian package util-linux) is installed").success());
}

/// What is tried while nothing can be recorded.
pub(crate) struct Outage {
    referral: Referral,
    message: Message,
    end: String,
}

impl Outage {
    pub(crate) async fn prepare(story: &Story) -> Self {
        let referral = story.refer().await;
        let consent = story.sign_consent(&story.consent());
        story.register(&consent).await.unwrap();
        let message = story.sign(&story.draft(&consent));
        let end = story.sign_end(&referral.consent, None);
        Self { referral, message, end }
    }

    pub(crate) async fn nothing_moves(&self, sandbox: &Sandbox, story: &Story, server: &Server) {
        let before = Stored::read(&sandbox.database()).await.leaves.len();
        let Self { referral, message, end } = self;
        let (submitted, shown, listed, ended, missing) = tokio::join!(
            story.submit(message),
            story.read(&referral.case, PLACEMENT),
            story.cases(None),
            story.register_end(&referral.consent, end),
            // A refusal that cannot be recorded is not told either.
            story.municipality.get("/v1/cases/3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21", PLACEMENT),
        );
        unavailable(submitted);
        unavailable(shown);
        unavailable(listed);
        unavailable(ended);
        unavailable(missing);
        assert_eq!(server.admin("/readyz").await.unwrap(), (503, "ledger_unavailable\n".to_owned()));
        assert_eq!(server.admin("/livez").await.unwrap().0, 200);
        assert_eq!(Stored::read(&sandbox.database()).await.leaves.len(), before);
    }

    pub(crate) async fn everything_works(&self, story: &Story, server: &Server) {
        let ready = async {
            while server.admin("/readyz").await.unwrap().0 != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, ready).await.expect("not ready again");
        let Self { referral, message, end } = self;
        let shown = story.read(&referral.case, PLACEMENT).await.unwrap();
        let accepted = story.submit(message).await.unwrap();
        assert_eq!(story.submit(message).await.unwrap().index, accepted.index);
        story.register_end(&referral.consent, end).await.unwrap();
        assert_eq!(story.read(&referral.case, PLACEMENT).await.unwrap_err().code(), "consent_ended");

        let ledger = Ledger::read(&story.auditor).await;
        let releases: Vec<u64> =
            ledger.records.iter().filter(|r| r.entry.entry_type == EntryType::Release).map(|record| record.index).collect();
        assert_eq!(releases, [shown.release.binding.tsn.idx], "a release without an answer");
        let entered = |record: &&Record| {
            record.entry.decision == Outcome::Permit
                && record.opening.as_ref().and_then(|o| o.message.as_ref()).map(|m| m.jti) == Some(message.jti)
        };
        assert_eq!(ledger.records.iter().filter(entered).count(), 1);
    }
}

#[track_caller]
fn unavailable<T>(outcome: Result<T, Setback>) {
    let problem = outcome.err().expect("it was done").problem();
    assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"), "{}", problem.text);
    assert!(problem.retry_after.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_changed_at_its_end_is_not_served() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let server = sandbox.serve().await;
    Story::open(&sandbox).await.refer().await;
    server.stop().await;
    let data = sandbox.database().parent().unwrap().to_owned();
    let saved = tempfile::tempdir().unwrap();
    copy(&data, saved.path());
    for (statement, said) in SEEN_AT_START {
        tamper(&sandbox.database(), statement).await;
        let refusal = sandbox.refuses_to_serve().await;
        assert!(refusal.contains(said), "{statement}: {refusal}");
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
        copy(saved.path(), &data);
    }
    sandbox.serve().await.stop().await;
    fs::remove_file(sandbox.database()).unwrap();
    assert!(sandbox.refuses_to_serve().await.contains("does not exist"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_was_changed_further_back_is_found_by_every_export() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let shown = story.read(&referral.case, PLACEMENT).await.unwrap();
    let whole = export(&sandbox, "whole");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    server.stop().await;
    let index = shown.release.binding.tsn.idx;
    let forged = "UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), 'placement_coordination', 'benefit_decision') AS BLOB)";
    tamper(&sandbox.database(), &format!("{forged} WHERE idx = {index}")).await;
    let server = sandbox.serve().await;
    let spoilt = export(&sandbox, "spoilt");
    assert_eq!(spoilt.status.code(), Some(3), "{}", String::from_utf8_lossy(&spoilt.stderr));
    server.stop().await;
}

fn export(sandbox: &Sandbox, name: &str) -> Output {
    let identity = sandbox.identity(&AUDITOR.parse().unwrap());
    Command::new(BINARY).args(["audit", "export", "--as"]).arg(identity).arg(sandbox.path().join(name)).output().unwrap()
}

/// Erasure is a key that is gone. Asking for what was erased is answered so, and recorded without what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_what_was_erased_is_a_recorded_refusal() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let statement = "UPDATE data_key SET wrapped = NULL WHERE id = (SELECT key FROM message)";
    let mut connection = connect(&sandbox.database()).await;
    assert_eq!(sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected(), 1);
    assert_eq!(story.read(&referral.case, PLACEMENT).await.unwrap_err().code(), "erased");
    let ledger = Ledger::read(&story.auditor).await;
    let refusals: Vec<_> = ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::Refusal).collect();
    let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
    let opening = refusal.opening.as_ref().unwrap();
    assert_eq!(refusal.entry.reason.as_deref(), Some("erased"));
    assert_eq!((opening.case, opening.consent, opening.message.is_some()), (None, None, false));
    assert!(opening.staff.is_some());
    server.stop().await;
}

/// Writes as somebody who may do anything to the file.
async fn tamper(database: &Path, statement: &str) {
    let mut connection = connect(database).await;
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut connection).await.unwrap();
    assert!(!triggers.is_empty());
    for trigger in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut connection).await.unwrap();
    }
    let changed = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{statement}");
    sqlx::Connection::close(connection).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Statements of somebody who may write the database, and what the start says then.
const SEEN_AT_START: [(&str, &str); 8] = [
    (
        "UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), 'permit', 'permil') AS BLOB) WHERE idx = (SELECT size - 1 FROM ledger_head)",
        "entry",
    ),
    ("UPDATE ledger_entry SET body = CAST(CAST(body AS TEXT) || ' ' AS BLOB) WHERE idx = (SELECT size - 1 FROM ledger_head)", "entry"),
    ("UPDATE ledger_leaf SET leaf_hash = zeroblob(32) WHERE idx = (SELECT size - 2 FROM ledger_head)", "leaf hashes"),
    ("DELETE FROM ledger_leaf WHERE idx = (SELECT size - 1 FROM ledger_head)", "leaf hashes"),
    ("INSERT INTO ledger_leaf SELECT size, zeroblob(32) FROM ledger_head", "leaf behind the head"),
    ("UPDATE ledger_head SET root = zeroblob(32)", "root"),
    ("UPDATE ledger_head SET size = size - 1", "has shown a head of"),
    ("UPDATE ledger_head SET origin = 'elsewhere/ledger'", "another ledger"),
];
