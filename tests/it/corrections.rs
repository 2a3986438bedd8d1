//! What was wrong is corrected wherever it was collected (Act art. 65): a correction names what it corrects, and who has still to be told is known.

use serde_json::{Value, json};
use tsunagi::{
    domain::{codes::MessageKind, ids::Jti},
    message::submission::MessageRef,
};

use crate::{
    exchange_stage::{CENTRE, MUNICIPALITY as CITY},
    life_stage::{DAY, HOME, Letter, Life, PLACEMENT, letter},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_goes_to_all_who_collected_and_to_whom_it_was_passed_on() {
    let mut life = Life::accepted().await;
    let referral = life.first(CITY).await;
    life.read(CITY, CENTRE, &referral, PLACEMENT).await.unwrap();
    let source = MessageRef { iss: life.party(CENTRE).id.clone(), jti: referral };
    let mut request = letter(MessageKind::PlacementRequest, CITY, HOME);
    request.source = Some(source.clone());
    let passed = life.goes(request).await;
    let mut other = letter(MessageKind::PlacementRequest, CITY, DAY);
    other.source = Some(source);
    let unread = life.goes(other).await;
    life.read(HOME, CITY, &passed, PLACEMENT).await.unwrap();

    // What the recipient was never sent cannot be corrected there.
    let problem = life.refused(correction(CENTRE, CITY, passed)).await;
    assert_eq!((problem.status, problem.code.as_str()), (409, "state_conflict"), "{}", problem.text);
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    assert_eq!(document["violations"], json!([{"field": "corrects", "rule": "not_sent_to_recipient"}]));

    life.goes(correction(CENTRE, CITY, referral)).await;
    assert!(life.entry(CENTRE).await.get("correct").is_none(), "it told everybody whom it told anything");
    let case = life.entry(CITY).await;
    assert_eq!(
        case["correct"],
        json!([{"message": passed, "to": HOME, "because": referral}]),
        "what nobody collected is wrong nowhere: {case}"
    );
    assert!(life.entry(HOME).await.get("correct").is_none());

    // Collected since: now it is wrong there too.
    life.read(DAY, CITY, &unread, PLACEMENT).await.unwrap();
    assert_eq!(life.entry(CITY).await["correct"].as_array().unwrap().len(), 2);
    life.goes(correction(CITY, HOME, passed)).await;
    let case = life.entry(CITY).await;
    assert_eq!(case["correct"], json!([{"message": unread, "to": DAY, "because": referral}]), "{case}");
    assert!(life.case_command(CITY).contains(&format!("to correct too: {unread} to {DAY}")));
    life.goes(correction(CITY, DAY, unread)).await;
    assert!(life.entry(CITY).await.get("correct").is_none());
    life.server.stop().await;
}

fn correction(from: &'static str, to: &'static str, message: Jti) -> Letter {
    letter(MessageKind::Correction, from, to).with("corrects", message.to_string()).with("age_band", "50s")
}
