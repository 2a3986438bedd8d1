//! `tsunagi audit inspect` against the database of a gateway that serves: what the parties did fits, and what an administrator hides is found.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tsunagi::{
    domain::entry::{Act, EntryType},
    message::objects::ConsentGiven,
};

use crate::exchange_stage::{
    BINARY, Sandbox, Settings,
    ledger::Ledger,
    story::{BENEFIT, PLACEMENT, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_parties_did_fits_and_what_was_hidden_in_the_database_is_found() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    // Every kind of tag: a list of cases, a release under a consent that took the place of the one its message names, refusals.
    let first = story.consent();
    let consent = story.sign_consent(&first);
    story.register(&consent).await.unwrap();
    story.submit(&story.sign(&story.draft(&consent))).await.unwrap();
    let later = ConsentGiven { issued: story.centre.issued(), sup: Some(first.issued.jti), ..first.clone() };
    let later = story.sign_consent(&later);
    story.register(&later).await.unwrap();
    let (cases, _) = story.cases(None).await.unwrap();
    let released = story.read(&cases[0], PLACEMENT).await.unwrap();
    story.register_end(&later, &story.sign_end(&later, None)).await.unwrap();
    assert_eq!(story.read(&cases[0], BENEFIT).await.unwrap_err().code(), "consent_ended");

    let ledger = Ledger::read(&story.auditor).await;
    let listed = ledger.records.iter().find(|record| record.entry.entry_type == EntryType::List && record.entry.actor.is_some());
    let listed = listed.expect("a list").clone();
    assert_eq!(listed.opening.as_ref().unwrap().cases.len(), 1, "the opening says which cases a list named");
    let release = &ledger.records[usize::try_from(released.release.binding.tsn.idx).unwrap()];
    let opening = release.opening.as_ref().unwrap();
    assert_eq!((opening.consent, opening.named), (Some(later.jti), Some(consent.jti)));
    assert!(ledger.records.iter().any(|record| record.entry.act == Some(Act::Supersede)));

    let (code, told) = inspect(&sandbox, &[]);
    assert_eq!((code, &told["holds"], &told["remarks"]), (0, &Value::Bool(true), &Value::Array(Vec::new())), "{told}");
    let said = run(&sandbox, &["--lang", "ja"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("データベースは台帳と一致します"));
    server.stop().await;

    // One after the other: rows of the search index, an opening, a column that no export shows. The tag of a list is 16 bytes that only its opening tells.
    let index = listed.index;
    for (sql, bad, finding) in [
        (
            format!("DELETE FROM ledger_index WHERE idx = {index} AND tag = (SELECT min(tag) FROM ledger_index WHERE idx = {index})"),
            index,
            "index_missing",
        ),
        (format!("INSERT INTO ledger_index (tag, idx) VALUES (x'000102030405060708090a0b0c0d0e0f', {index})"), index, "index_surplus"),
        (format!("DELETE FROM ledger_opening WHERE idx = {}", release.index), release.index, "opening_gone"),
        (format!("UPDATE ledger_entry SET reason = NULL WHERE idx = {}", last_refusal(&ledger)), last_refusal(&ledger), "column_differs"),
    ] {
        let copy = sandbox.twin();
        change(&copy, &sql).await;
        let (code, told) = inspect(&copy, &[]);
        // Changing what triggers guard takes the triggers away, and that is named first.
        let problems = told["problems"].as_array().unwrap();
        let first = problems.iter().find(|problem| problem["finding"] != "schema_missing").unwrap();
        assert_eq!((code, &told["first_bad"], &first["finding"]), (3, &bad.into(), &finding.into()), "{sql}: {told}");
    }
    let (code, told) = inspect(&sandbox, &["--since", "nowhere"]);
    assert_eq!((code, told.is_null()), (2, true), "a file that is not there is a mistake of the caller");
}

fn last_refusal(ledger: &Ledger) -> u64 {
    ledger.records.iter().rev().find(|record| record.entry.entry_type == EntryType::Refusal).expect("a refusal").index
}

/// Changes a database past its triggers.
async fn change(sandbox: &Sandbox, sql: &str) {
    let mut admin = SqliteConnectOptions::new().filename(sandbox.database()).connect().await.unwrap();
    let triggers = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&mut admin).await.unwrap();
    for trigger in triggers {
        sqlx::query(AssertSqlSafe(trigger)).execute(&mut admin).await.unwrap();
    }
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut admin).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    admin.close().await.unwrap();
}

fn inspect(sandbox: &Sandbox, words: &[&str]) -> (i32, Value) {
    let said = run(sandbox, &[&["--json"], words].concat());
    let line = said.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    (said.status.code().unwrap(), serde_json::from_slice(line).unwrap_or(Value::Null))
}

fn run(sandbox: &Sandbox, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["audit", "inspect", "-c"]).arg(sandbox.config()).args(words).stdin(Stdio::null());
    command.output().unwrap()
}
