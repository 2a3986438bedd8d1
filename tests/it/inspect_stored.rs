//! What an administrator of the database changes beside the ledger is found by an inspection: messages, consents and their ends, what parties signed
//! about agreements.

use serde_json::{Value, json};
use tsunagi::domain::{agreement::AgreementAct, codes::MessageKind, consent::Exception};

use crate::{
    erasure_stage::in_both,
    exchange_stage::{
        AUDITOR, CENTRE, MUNICIPALITY as CITY, Sandbox,
        party::Setback,
        policies::tsunagi,
        story::{PLACEMENT, Referral, Story},
    },
    inspect_cases::put_back,
    life_stage::{DAY, HOME, Life, letter},
    tamper_stage::superuser::{PostgresAdmin, SqliteAdmin, Superuser},
};

in_both! {
    "error";
    what_is_changed_beside_the_ledger_is_named_with_its_entry,
    what_is_forged_beside_what_was_signed_gives_nothing_back,
}

async fn what_is_changed_beside_the_ledger_is_named_with_its_entry(sandbox: Sandbox) {
    let mut life = Life::accepted_on(sandbox).await;
    life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    life.goes(letter(MessageKind::Supplement, CITY, CENTRE).with("wishes_life", "静かに暮らしたい")).await;
    let narrowed = Exception { rcp: vec![HOME.parse().unwrap()], pur: None, cls: None };
    for narrow in [Some(vec![narrowed]), None] {
        let end = life.story.sign_end(&life.consent, narrow);
        life.story.register_end(&life.consent, &end).await.unwrap();
    }
    life.another_person(CENTRE).await;
    life.supersede().await.unwrap();
    let Life { server, sandbox, .. } = life;
    server.stop().await;
    assert_eq!(inspected(&sandbox), [], "before anybody changed anything");

    let postgres = sandbox.postgres().is_some();
    let zeros = |column: &str| {
        if postgres { format!("decode(repeat('00', length({column})), 'hex')") } else { format!("zeroblob(length({column}))") }
    };
    let sealed = zeros("sealed");
    let mut admin = superuser(&sandbox).await;
    for sql in [
        // To whom something was sent, what was said, that it was said, what identifies it.
        format!("UPDATE message SET aud = '{HOME}' WHERE kind = 'referral'"),
        format!("UPDATE message SET sealed = {sealed} WHERE kind = 'referral_decision'"),
        "DELETE FROM message_term WHERE jti IN (SELECT jti FROM message WHERE kind = 'placement_decision')".to_owned(),
        "DELETE FROM message WHERE kind = 'placement_decision'".to_owned(),
        "UPDATE message SET digest = (SELECT digest FROM message WHERE kind = 'referral') WHERE kind = 'supplement'".to_owned(),
        "UPDATE message SET received = received - 1000000, kind = 'enquiry' WHERE kind = 'placement_request'".to_owned(),
        // What a person allowed; that it ended, and that it was narrowed before.
        format!("UPDATE consent SET sealed = {sealed} WHERE ended = 1 AND superseded_by IS NULL"),
        "UPDATE consent SET ended = 0 WHERE ended = 1 AND superseded_by IS NULL".to_owned(),
        "UPDATE consent SET ended = 0, superseded_by = NULL WHERE superseded_by IS NOT NULL".to_owned(),
        "DELETE FROM consent_end WHERE idx = (SELECT min(idx) FROM consent_end)".to_owned(),
        // That a party signed an agreement, and what.
        "UPDATE agreement_act SET signature = 'x' || signature WHERE idx = (SELECT min(idx) FROM agreement_act)".to_owned(),
        "DELETE FROM agreement_act WHERE idx = (SELECT max(idx) FROM agreement_act)".to_owned(),
    ] {
        admin.run(sql).await;
    }
    let expected = [
        ("stored_differs", "message.aud"),
        ("stored_closed", "message.sealed"),
        ("stored_missing", "message"),
        ("stored_differs", "message.digest"),
        ("stored_differs", "message.received"),
        ("stored_differs", "message.kind"),
        ("stored_closed", "consent.sealed"),
        ("stored_differs", "consent.ended"),
        ("stored_differs", "consent.superseded_by"),
        ("stored_missing", "consent_end"),
        ("stored_differs", "agreement_act.signature"),
        ("stored_missing", "agreement_act"),
    ];
    let mut expected = expected.map(|(finding, path)| (finding.to_owned(), path.to_owned())).to_vec();
    expected.sort_unstable();
    assert_eq!(inspected(&sandbox), expected);

    // Who sent, who collected, who signed what: of an agreement each of its acts is told.
    for sql in [
        format!("UPDATE message SET iss = '{HOME}' WHERE kind = 'supplement'"),
        format!("UPDATE consent SET collector = '{CITY}' WHERE idx = (SELECT max(idx) FROM consent)"),
        // Since when it is narrowed or ended.
        "UPDATE consent_end SET idx = idx - 1".to_owned(),
        "UPDATE agreement_act SET act = 'revoke' WHERE idx = (SELECT max(idx) FROM agreement_act)".to_owned(),
        format!("UPDATE agreement_act SET party = '{DAY}' WHERE idx = (SELECT max(idx) FROM agreement_act)"),
        format!("UPDATE agreement SET document = {}", zeros("document")),
    ] {
        admin.run(sql).await;
    }
    let found = inspected(&sandbox);
    for column in ["message.iss", "consent.collector", "consent_end.idx", "agreement_act.act", "agreement_act.party", "agreement.document"]
    {
        assert!(found.contains(&("stored_differs".to_owned(), column.to_owned())), "{column}: {found:?}");
    }
}

/// A withdrawal is the signed end, a consent's successor says so itself, and an agreement is in force by what its parties signed.
async fn what_is_forged_beside_what_was_signed_gives_nothing_back(sandbox: Sandbox) {
    let mut server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let (ended, standing) = (story.refer().await, story.refer().await);
    story.register_end(&ended.consent, &story.sign_end(&ended.consent, None)).await.unwrap();
    let mut admin = superuser(&sandbox).await;
    let read = async |referral: &Referral| story.read(&referral.case, PLACEMENT).await.map(drop).map_err(Setback::code);
    read(&standing).await.unwrap();
    let other = "(SELECT jti FROM consent WHERE ended = 0)";
    let copied = "INSERT INTO agreement_act (agreement, party, act, signature, idx) SELECT agreement, party";
    let last = "(SELECT max(idx) FROM agreement_act)";
    let suspended = "FROM agreement_act WHERE act = 'suspend'";
    for (table, referral, refused, forged) in [
        (
            "consent",
            &ended,
            "consent_ended",
            vec![
                (format!("UPDATE consent SET superseded_by = {other} WHERE ended = 1"), "consent.superseded_by", "internal"),
                ("UPDATE consent SET ended = 0".to_owned(), "consent.ended", "consent_ended"),
            ],
        ),
        (
            "agreement_act",
            &standing,
            "agreement_not_in_force",
            vec![
                (format!("{copied}, 'resume', signature, idx {suspended}"), "agreement_act.idx", "internal"),
                (format!("{copied}, 'resume', signature, idx + 1 {suspended}"), "agreement_act.idx", "internal"),
                ("UPDATE agreement_act SET act = 'resume' WHERE act = 'suspend'".to_owned(), "agreement_act.act", "internal"),
                (format!("UPDATE agreement_act SET party = '{AUDITOR}' WHERE act = 'suspend'"), "agreement_act.party", "internal"),
                // What was said once before is not said again behind what took it back.
                (format!("{copied}, act, signature, {last} + 1 FROM agreement_act WHERE act = 'resume'"), "agreement_act.idx", "internal"),
                (format!("UPDATE agreement_act SET idx = {last} + 1 WHERE act = 'resume'"), "agreement_act.idx", "internal"),
            ],
        ),
    ] {
        if table == "agreement_act" {
            // One of several that would have to resume it has said so.
            story.say(AgreementAct::Suspend).await.unwrap();
            story.say(AgreementAct::Resume).await.unwrap();
        }
        assert_eq!(read(referral).await, Err(refused.to_owned()));
        server.stop().await;
        admin.keep(table).await;
        for (sql, column, code) in forged {
            admin.run(sql.clone()).await;
            assert!(inspected(&sandbox).contains(&("stored_differs".to_owned(), column.to_owned())), "{sql}: {:?}", inspected(&sandbox));
            let server = sandbox.serve().await;
            assert_eq!(read(referral).await, Err(code.to_owned()), "{sql}");
            server.stop().await;
            if table == "consent" {
                put_back(&mut *admin, table).await;
            } else {
                // Its own number is the database's to give.
                admin.run("DELETE FROM agreement_act".to_owned()).await;
                let columns = "agreement, party, act, signature, idx";
                admin.run(format!("INSERT INTO agreement_act ({columns}) SELECT {columns} FROM kept_agreement_act ORDER BY seq")).await;
            }
        }
        assert_eq!(inspected(&sandbox), []);
        server = sandbox.serve().await;
        assert_eq!(read(referral).await, Err(refused.to_owned()), "as it was");
    }
    server.stop().await;
}

/// What an inspection finds, each with where; that each names its entry.
fn inspected(sandbox: &Sandbox) -> Vec<(String, String)> {
    let said = inspection(sandbox);
    assert!(said["problems"].as_array().unwrap().iter().all(|problem| problem["index"].is_u64() != of_schema(problem)), "{said}");
    told(&said, "problems", "finding")
}

/// What `audit inspect` says; it holds where it names no problem.
pub(crate) fn inspection(sandbox: &Sandbox) -> Value {
    let said: Value = serde_json::from_slice(&tsunagi(&["--json", "audit", "inspect"], sandbox).stdout).unwrap();
    assert_eq!(said["holds"], json!(said["problems"].as_array().unwrap().is_empty()));
    said
}

/// Whether a problem is one of the schema. The administrator of these tests takes away what is in his way.
pub(crate) fn of_schema(problem: &Value) -> bool {
    problem["finding"].as_str().is_some_and(|finding| finding.starts_with("schema_") || finding == "database_damaged")
}

/// The names of a list of it with where, sorted; without those of the schema.
pub(crate) fn told(inspection: &Value, list: &str, name: &str) -> Vec<(String, String)> {
    let told = |one: &Value| (one[name].as_str().unwrap().to_owned(), one["path"].as_str().unwrap().to_owned());
    let mut told: Vec<(String, String)> = inspection[list].as_array().unwrap().iter().filter(|one| !of_schema(one)).map(told).collect();
    told.sort_unstable();
    told
}

/// A connection with every right on the database of a sandbox.
pub(crate) async fn superuser(sandbox: &Sandbox) -> Box<dyn Superuser> {
    match sandbox.postgres() {
        Some(database) => Box::new(PostgresAdmin::open(&database.superuser()).await),
        None => Box::new(SqliteAdmin::open(&sandbox.database()).await),
    }
}
