//! Policies change over at one entry of the ledger: wrong ones never get so far, and no gateway decides by others than those in force.

use std::collections::BTreeSet;

use serde_json::Value;
use tsunagi::{
    domain::{agreement::AgreementAct, codes::Purpose},
    message::objects::PartyAct,
};

use crate::exchange_stage::{
    AUDITOR, Settings,
    party::{Party, Setback},
    policies::{activate, change, logged, narrow, policies, reread, sandbox, tsunagi},
    story::{BENEFIT, Consent, PLACEMENT, Story},
};

/// The rows a purpose is shown.
async fn rows(story: &Story, case: &str, purpose: Purpose) -> BTreeSet<String> {
    story.read(case, purpose).await.unwrap().release.disclosed.rows.iter().map(|row| row.key.to_string()).collect()
}

/// That a gateway neither permits nor refuses anything by policies that are no longer in force.
async fn decides_nothing(elsewhere: &Story, used: Consent) {
    let fresh = elsewhere.sign_consent(&elsewhere.consent());
    let message = elsewhere.sign(&elsewhere.draft(&fresh));
    let end = elsewhere.sign_end(&used, None);
    let municipality = &elsewhere.municipality.id;
    let outcomes = [
        ("submission", elsewhere.submit(&message).await.map(|_| ())),
        ("consent", elsewhere.register(&fresh).await.map(|_| ())),
        ("end of a consent", elsewhere.register_end(&used, &end).await.map(|_| ())),
        ("agreement", elsewhere.say(AgreementAct::Suspend).await.map(|_| ())),
        ("party", elsewhere.operate(PartyAct::Suspend, municipality).await.map(|_| ())),
        ("audit", elsewhere.auditor.json("/v1/audit/events", Purpose::AuditReview).await.map(|_| ())),
        ("explanation", explained(&elsewhere.centre, &message.sd_jwt).await.map(drop)),
        // What the old policies forbid is not told by them either.
        ("explanation to an auditor", explained(&elsewhere.auditor, &message.sd_jwt).await.map(drop)),
    ];
    for (what, outcome) in outcomes {
        let refused = outcome.expect_err(what).problem();
        assert_eq!((refused.status, refused.code.as_str()), (503, "policy_mismatch"), "{what}");
    }
}

async fn explained(by: &Party, text: &str) -> Result<Value, Setback> {
    by.post("/v1/explain", PLACEMENT, "application/jose", by.seal(text)).await.map(|answer| serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_come_into_force_at_one_entry_and_a_gateway_that_lacks_them_decides_nothing() {
    let sandbox = sandbox(Settings::default());
    let server = sandbox.serve().await;
    let (another, address) = sandbox.serve_another().await;
    let story = Story::open(&sandbox).await;
    let mut elsewhere = Story::open(&sandbox).await;
    elsewhere.municipality = elsewhere.municipality.at(address);
    elsewhere.centre = elsewhere.centre.at(address);
    elsewhere.operator = elsewhere.operator.at(address);
    elsewhere.auditor = elsewhere.auditor.at(address);
    let referral = story.refer().await;
    let before = rows(&story, &referral.case, BENEFIT).await;

    // Read again and not in force yet: everybody goes on as before.
    narrow(&policies(&sandbox));
    reread(&server);
    logged(&sandbox, "they are used once they are put in force", 1).await;
    let meanwhile = rows(&story, &referral.case, BENEFIT).await;
    assert_eq!(meanwhile, before);
    assert!(before.contains("support_category"));

    let entry = activate(&sandbox);
    let after = rows(&story, &referral.case, BENEFIT).await;
    assert!(!after.contains("support_category") && after.contains("family_name"));
    assert!(rows(&story, &referral.case, PLACEMENT).await.contains("support_category"));
    let refused = elsewhere.read(&referral.case, BENEFIT).await.unwrap_err().problem();
    assert_eq!((refused.status, refused.code.as_str()), (503, "policy_mismatch"));
    decides_nothing(&elsewhere, referral.consent).await;
    assert_eq!(another.admin("/readyz").await.unwrap().0, 503);

    reread(&another);
    logged(&sandbox, "they are used once they are put in force", 2).await;
    assert_eq!(rows(&elsewhere, &referral.case, BENEFIT).await, after);
    assert_eq!(another.admin("/readyz").await.unwrap().0, 200);

    // The entry says what came into force; its opening, who decided it.
    let index = entry["index"].as_u64().unwrap();
    let auditor = sandbox.party(AUDITOR);
    let event = auditor.json(&format!("/v1/audit/events/{index}"), Purpose::AuditReview).await.unwrap();
    assert_eq!(event["entry"]["type"], "policy");
    assert_eq!(event["entry"]["operation"], "policy.activate");
    assert_eq!(event["entry"]["policy"], entry["new"]);
    assert_eq!(event["opened"]["staff"], "decision-2026-11");
    assert_ne!(entry["new"], entry["old"]);
    assert_eq!(activate(&sandbox)["index"], Value::Null, "in force already: no second entry");
    another.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_new_policies_forbid_is_refused_from_their_entry_on_and_what_takes_back_stays_possible() {
    let sandbox = sandbox(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let consent = story.sign_consent(&story.consent());
    story.register(&consent).await.unwrap();
    // The centre opens no cases and enters into no agreements any more.
    for permitted in ["MessageType::\"referral\"", "Record::\"agreement\""] {
        let head = format!("resource == {permitted})\nwhen {{\n  [\n    OrgKind::\"settlement_center\", ");
        change(&policies(&sandbox), "50_operation.cedar", &head, &head.replace("OrgKind::\"settlement_center\", ", ""));
    }
    reread(&server);
    logged(&sandbox, "they are used once they are put in force", 1).await;
    activate(&sandbox);
    let message = story.sign(&story.draft(&consent));
    assert_eq!(story.submit(&message).await.unwrap_err().code(), "operation_not_allowed");
    // It still opens exchanges of other kinds, so it is told what is wrong with this one.
    assert_eq!(explained(&story.centre, &message.sd_jwt).await.unwrap()["refusals"][0]["code"], "operation_not_allowed");
    assert_eq!(story.say(AgreementAct::Accept).await.unwrap_err().code(), "operation_not_allowed");
    story.say(AgreementAct::Suspend).await.unwrap();
    story.say(AgreementAct::Resume).await.unwrap();
    story.say(AgreementAct::Revoke).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_policies_are_not_loaded_again_do_not_start_and_do_not_come_into_force() {
    let sandbox = sandbox(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let before = rows(&story, &referral.case, BENEFIT).await;
    change(&policies(&sandbox), "10_necessity.cedar", "FieldClass::\"wishes\"", "FieldClass::\"wishs\"");
    reread(&server);
    logged(&sandbox, "policies not reloaded", 1).await;
    assert_eq!(rows(&story, &referral.case, BENEFIT).await, before, "the old set stays");

    let refused = tsunagi(&["policy", "activate"], &sandbox);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("tsunagi policy check"));
    assert_eq!(rows(&story, &referral.case, BENEFIT).await, before);
    server.stop().await;
    assert!(sandbox.refuses_to_serve().await.contains("the policies do not load"));

    // Right, but not in force: it does not start either, and says what to do.
    change(&policies(&sandbox), "10_necessity.cedar", "FieldClass::\"wishs\"", "FieldClass::\"wishes\"");
    narrow(&policies(&sandbox));
    assert!(sandbox.refuses_to_serve().await.contains("tsunagi policy activate"));
    activate(&sandbox);
    let server = sandbox.serve().await;
    assert!(!rows(&story, &referral.case, BENEFIT).await.contains("support_category"));
    server.stop().await;
}
