//! State and relations of every case follow from its messages: an administrator of the database who changes them is found, and an honest database is
//! not accused, whatever became of its cases.

use tsunagi::domain::codes::MessageKind;

use crate::{
    erasure_stage::{erase, in_both, printed},
    exchange_stage::{CENTRE, MUNICIPALITY as CITY, Sandbox, agreement::CORE},
    inspect_stored::{inspection, superuser, told},
    life_stage::{DAY, HOME, Life, OFFICE, letter},
    tamper_stage::superuser::{Superuser, Value as Cell},
};

in_both!("warn"; the_states_and_relations_of_cases_are_worked_out_from_their_messages);

async fn the_states_and_relations_of_cases_are_worked_out_from_their_messages(sandbox: Sandbox) {
    let mut life = Life::referred_on(sandbox, true).await;
    // The core centre acts for the city, and one of the homes that were asked cannot.
    life.learn(CORE).await;
    life.goes(letter(MessageKind::ReferralDecision, CORE, CENTRE).with("decision", "accepted")).await;
    life.goes(letter(MessageKind::Enquiry, CORE, HOME)).await;
    life.goes(letter(MessageKind::Enquiry, CITY, DAY)).await;
    life.goes(letter(MessageKind::EnquiryReply, HOME, CORE).with("reply", "possible")).await;
    life.goes(letter(MessageKind::EnquiryReply, DAY, CITY).with("reply", "impossible").with("decline_reason", "no_resource")).await;
    life.goes(letter(MessageKind::PlacementRequest, CORE, HOME)).await;
    life.goes(letter(MessageKind::PlacementDecision, HOME, CORE).with("decision", "accepted")).await;
    life.goes(letter(MessageKind::PlanRequest, CITY, OFFICE)).await;
    life.goes(letter(MessageKind::HandoverProposal, CENTRE, CITY)).await;
    let day = tsunagi::domain::day::Day::in_japan(crate::exchange_stage::party::now().plus_secs(14 * 86_400));
    let agreed = letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", day.to_string());
    life.goes(agreed).await;
    // One that was declined, one that was closed, one that nobody answered, one that was erased.
    life.another().await;
    let declined = letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource");
    life.goes(declined.clone()).await;
    life.another().await;
    life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    life.another().await;
    life.another().await;
    life.goes(declined).await;
    let erased = life.case(CENTRE).to_owned();
    let Life { server, sandbox, .. } = life;
    assert!(printed(&erase(&sandbox, &erased, CENTRE, &[]))["index"].is_u64());
    server.stop().await;
    assert_eq!(inspected(&sandbox), (Vec::new(), Vec::new()), "before anybody changed anything");

    let mut admin = superuser(&sandbox).await;
    let whole = "(SELECT id FROM case_ WHERE state = 'handed_over')";
    for table in ["case_", "case_party", "message_term"] {
        admin.keep(table).await;
    }
    for (change, table, finding, path) in [
        // What was handed over, declined or closed is open again.
        ("UPDATE case_ SET state = 'accepted' WHERE state = 'handed_over'".to_owned(), "case_", "stored_differs", "case_.state"),
        ("UPDATE case_ SET state = 'open' WHERE state = 'closed'".to_owned(), "case_", "stored_differs", "case_.state"),
        // Who could not, or was not asked any more, serves; who serves is gone; who never took part does.
        (
            format!("UPDATE case_party SET relation = 'accepted' WHERE party = '{DAY}' AND case_ = {whole}"),
            "case_party",
            "stored_differs",
            "case_party.relation",
        ),
        (
            format!("UPDATE case_party SET relation = 'accepted' WHERE party = '{HOME}' AND relation = 'closed'"),
            "case_party",
            "stored_differs",
            "case_party.relation",
        ),
        (
            format!("UPDATE case_party SET relation = 'none' WHERE party = '{OFFICE}' AND case_ = {whole}"),
            "case_party",
            "stored_differs",
            "case_party.relation",
        ),
        (
            format!("UPDATE case_party SET relation = 'assigned' WHERE party = '{CORE}' AND case_ = {whole}"),
            "case_party",
            "stored_differs",
            "case_party.relation",
        ),
        (format!("DELETE FROM case_party WHERE party = '{HOME}' AND case_ = {whole}"), "case_party", "stored_missing", "case_party"),
        (format!("DELETE FROM case_party WHERE case_ = {whole}"), "case_party", "stored_missing", "case_"),
    ] {
        admin.run(change.clone()).await;
        assert_eq!(inspected(&sandbox), (vec![(finding.to_owned(), path.to_owned())], Vec::new()), "{change}");
        put_back(&mut *admin, table).await;
    }
    // In whose place a newcomer got something cannot be told without what is kept beside the message: such a case is counted, and what hides it is named.
    let of = |kind: &str| format!("jti IN (SELECT jti FROM message WHERE kind = '{kind}' AND case_ = {whole})");
    admin.run(format!("DELETE FROM message_term WHERE {}", of("plan_request"))).await;
    admin.run(format!("UPDATE case_party SET relation = 'accepted' WHERE party = '{DAY}' AND case_ = {whole}")).await;
    let missing = ("stored_missing".to_owned(), "message_term".to_owned());
    let untold = ("case_untold".to_owned(), "1".to_owned());
    assert_eq!(inspected(&sandbox), (vec![missing.clone()], vec![untold]));
    let said = inspection(&sandbox);
    let named = said["problems"].as_array().unwrap().iter().find(|problem| problem["path"] == "message_term").unwrap();
    let Cell::Int(entry) =
        admin.rows("message").await.iter().find(|row| row["kind"] == Cell::Text("plan_request".to_owned())).unwrap()["idx"]
    else {
        panic!("idx");
    };
    assert_eq!(named["index"], entry, "the entry that took the message in");
    for table in ["case_party", "message_term"] {
        put_back(&mut *admin, table).await;
    }
    // That nobody is a newcomer does not make up for it: every row of this ledger is there.
    admin.run("DELETE FROM message_term".to_owned()).await;
    let (found, _) = inspected(&sandbox);
    assert!(found.len() > 10 && found.iter().all(|one| *one == missing), "{found:?}");
    put_back(&mut *admin, "message_term").await;

    // What is kept beside a message says what the message says, and in whose place only who acts for somebody by agreement got it.
    let decision = of("placement_decision");
    for (change, column) in [
        (format!("sent_to = '{DAY}' WHERE {}", of("plan_request")), "sent_to"),
        (format!("sent_to = '{DAY}' WHERE {decision}"), "sent_to"),
        (format!("sent_for = NULL WHERE {}", of("referral_decision")), "sent_for"),
        (format!("sent_for = '{CENTRE}' WHERE {decision}"), "sent_for"),
        (format!("consent = NULL WHERE {}", of("referral")), "consent"),
        (format!("reply_by = '2031-01-01' WHERE {decision}"), "reply_by"),
        (format!("corrects = jti WHERE {decision}"), "corrects"),
        (format!("source = jti WHERE {decision}"), "source"),
    ] {
        admin.run(format!("UPDATE message_term SET {change}")).await;
        let differs = ("stored_differs".to_owned(), format!("message_term.{column}"));
        let (found, _) = inspected(&sandbox);
        assert!(found.contains(&differs), "{change}: {found:?}");
        put_back(&mut *admin, "message_term").await;
    }
    assert_eq!(inspected(&sandbox), (Vec::new(), Vec::new()), "as it was");
}

/// Makes a table what it was when it was kept. Others refer to it, so it is not truncated.
pub(crate) async fn put_back(admin: &mut dyn Superuser, table: &str) {
    admin.run(format!("DELETE FROM {table}")).await;
    admin.run(format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
}

type Named = Vec<(String, String)>;

/// What an inspection finds, and what it remarks.
fn inspected(sandbox: &Sandbox) -> (Named, Named) {
    let said = inspection(sandbox);
    (told(&said, "problems", "finding"), told(&said, "remarks", "remark"))
}
