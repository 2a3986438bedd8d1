//! Rows edited and keys exchanged behind the gateway's back: whoever writes the database gets nothing opened by it, and what was spoilt is told as
//! spoilt (protocol section 7, `ledger.md` section 5).

use std::fs;

use tsunagi::domain::{
    consent::Recipient,
    entry::{EntryType, Outcome},
};

use crate::exchange_stage::{
    MUNICIPALITY, Sandbox, Settings,
    ledger::{Ledger, connect},
    story::{PLACEMENT, Referral, Story},
};

const CORE: &str = "core_center:131016-1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_was_redirected_in_the_database_opens_for_nobody() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let core = sandbox.party(CORE);
    // Agreement and consent would let the core centre have it: only the message itself says that it is another's.
    let mut given = story.consent();
    given.items[0].rcp.push(Recipient::Party(core.id.clone()));
    let consent = story.sign_consent(&given);
    story.register(&consent).await.unwrap();
    story.submit(&story.sign(&story.draft(&consent))).await.unwrap();
    let (cases, _) = story.cases(None).await.unwrap();
    let referral = Referral { consent, case: cases[0].clone() };
    story.read(&referral.case, PLACEMENT).await.unwrap();

    let target = format!("/v1/cases/{}", referral.case);
    assert_eq!(core.get(&target, PLACEMENT).await.unwrap_err().code(), "not_found");
    redirect(&sandbox, MUNICIPALITY, CORE).await;
    let problem = core.get(&target, PLACEMENT).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (500, "internal"), "{}", problem.text);
    redirect(&sandbox, CORE, MUNICIPALITY).await;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    let ledger = Ledger::read(&story.auditor).await;
    let released = |party: &str| {
        let to = |record: &&crate::exchange_stage::ledger::Record| {
            record.entry.entry_type == EntryType::Release
                && record.entry.recipient.as_ref().is_some_and(|reader| reader.to_string() == party)
        };
        ledger.records.iter().filter(to).count()
    };
    assert_eq!((released(MUNICIPALITY), released(CORE)), (2, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sealed_to_a_key_that_was_put_in_the_place_of_the_readers() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    server.stop().await;
    let statement =
        "UPDATE party_key SET jwk = (SELECT jwk FROM party_key WHERE party = $2 AND usage = 'enc') WHERE party = $1 AND usage = 'enc'";
    let mut connection = connect(&sandbox.database()).await;
    let changed = sqlx::query(statement).bind(MUNICIPALITY).bind(CORE).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    sqlx::Connection::close(connection).await.unwrap();
    let server = sandbox.serve().await;
    let problem = story.read(&referral.case, PLACEMENT).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (500, "internal"), "{}", problem.text);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_another_key_encryption_key_does_not_start() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    server.stop().await;
    let file = sandbox.path().join("keys/kek");
    let own = fs::read_to_string(&file).unwrap();
    fs::write(&file, "0123456789abcdef".repeat(4)).unwrap();
    let refusal = sandbox.refuses_to_serve().await;
    assert!(refusal.contains("keys/kek") && refusal.contains("Put it back"), "{refusal}");
    fs::write(&file, own).unwrap();
    let server = sandbox.serve().await;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_opening_that_does_not_open_hides_no_other_entry_from_an_auditor() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let index = story.read(&referral.case, PLACEMENT).await.unwrap().release.binding.tsn.idx;
    let mut connection = connect(&sandbox.database()).await;
    let statement = "UPDATE ledger_opening SET sealed = zeroblob(length(sealed)) WHERE idx = $1";
    let changed = sqlx::query(statement).bind(i64::try_from(index).unwrap()).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    let page = story.auditor.json("/v1/audit/events", tsunagi::domain::codes::Purpose::AuditReview).await.unwrap();
    let events = page["events"].as_array().unwrap();
    let unreadable: Vec<_> = events.iter().filter(|event| event["opened"]["unreadable"] == true).map(|event| &event["index"]).collect();
    assert_eq!(unreadable, [&serde_json::json!(index)]);
    assert!(events.iter().filter(|event| event["entry"]["decision"] == Outcome::Permit.as_str()).count() > 1);
    server.stop().await;
}

/// Writes another party wherever the database says for whom the message of the one case is.
async fn redirect(sandbox: &Sandbox, from: &str, to: &str) {
    let mut connection = connect(&sandbox.database()).await;
    for statement in ["UPDATE message SET aud = $2 WHERE aud = $1", "UPDATE case_party SET party = $2 WHERE party = $1"] {
        let changed = sqlx::query(statement).bind(from).bind(to).execute(&mut connection).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{statement}");
    }
    sqlx::Connection::close(connection).await.unwrap();
}
