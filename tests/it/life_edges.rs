//! The edges of a case's life over HTTP: ids that meet, answers that were lost, limits, and what is held back in the outbox.

use serde_json::json;
use tsunagi::{
    domain::{
        agreement::AgreementAct,
        codes::{MessageKind, Purpose},
    },
    message::objects::{AgreementSignature, SignedObject as _},
};

use crate::{
    exchange_stage::{BINARY, CENTRE, MUNICIPALITY as CITY, agreement::CORE},
    life_stage::{HOME, Life, PLACEMENT, PROVISION, letter},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_under_the_id_of_one_of_another_sender_is_a_replay() {
    let mut life = Life::referred().await;
    let decision = life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    let mut draft = life.draft(&letter(MessageKind::Supplement, CENTRE, CITY).with("wishes_life", "静かに暮らしたい"));
    draft.claims.jti = decision;
    let signed = life.sign_draft(CENTRE, &draft);
    let problem = life.post(CENTRE, &signed).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "replay_conflict"), "{}", problem.text);
    assert!(life.shown(CENTRE, CITY, &decision, PLACEMENT).await.contains(&"decision".to_owned()), "what was there stays");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_whose_answer_was_lost_gets_it_again_after_its_delegation_ended() {
    let mut life = Life::referred_with(true).await;
    life.learn(CORE).await;
    let ack = life.sign(&letter(MessageKind::ReferralAck, CORE, CENTRE));
    let first = life.post(CORE, &ack).await.unwrap();
    life.suspend_agreement().await;
    let again = life.post(CORE, &ack).await.unwrap();
    assert_eq!((again.index, &again.leaf, again.receipt.jti), (first.index, &first.leaf, first.receipt.jti));
    let fresh = life.refused(letter(MessageKind::ReferralAck, CORE, CENTRE)).await;
    assert_eq!(fresh.status, 404, "only what was said before: {}", fresh.text);
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_64_replies_asks_no_more_until_one_came() {
    let mut life = Life::in_use().await;
    for _ in 0..64 {
        life.goes(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
    }
    let problem = life.refused(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
    assert_eq!(problem.code, "limit_exceeded", "{}", problem.text);
    assert!(problem.text.contains("open_questions"), "{}", problem.text);
    life.goes(letter(MessageKind::ConsultationReply, CITY, HOME)).await;
    life.goes(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_of_erasure_is_not_told_to_a_provider() {
    let mut life = Life::in_use().await;
    let closing = life.goes(letter(MessageKind::ClosingNotice, CITY, HOME)).await;
    let read = life.read(HOME, CITY, &closing, PROVISION).await.unwrap();
    assert!(read.headers.get("tsunagi-erase-by").is_none(), "it would tell the state of the case");
    let closing = life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    let read = life.read(CENTRE, CITY, &closing, PLACEMENT).await.unwrap();
    assert!(read.headers.get("tsunagi-erase-by").is_some());
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_held_or_did_not_arrive_is_delivered_by_a_command() {
    let life = Life::referred().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    std::fs::write(&file, json!({"decision": "accepted"}).to_string()).unwrap();
    let case = life.case(CITY);
    let road = ["send", "--case", case, "--to", CENTRE, "--body", file.to_str().unwrap(), "--basis", "consent_27"];
    let send = |more: &[&str]| life.command(CITY, &[&road[..], more].concat());

    let held = send(&["--kind", "referral_decision", "--hold"]).unwrap();
    assert_eq!((&held[0]["held"], &held[0]["index"]), (&json!(true), &json!(null)), "{held}");
    let message = held[0]["message"].as_str().unwrap().to_owned();
    let heads = life.command(CITY, &["list", "--case", case]).unwrap();
    assert_eq!(heads.as_array().unwrap().len(), 1, "nothing was sent yet");
    let told = life.tsunagi(CITY, &["consent", "send", &message]).unwrap_err();
    assert_eq!(told.0, 2, "a message is no consent: {}", told.1);
    let done = life.command(CITY, &["deliver"]).unwrap();
    assert_eq!((&done[0]["message"], &done[0]["case"]), (&json!(message), &json!(case)), "{done}");
    let again = life.command(CITY, &["deliver", &message]).unwrap();
    assert_eq!(again[0]["index"], done[0]["index"], "its stored answer");
    assert_eq!(life.command(CITY, &["deliver"]).unwrap(), json!([]), "nothing waits");

    // The gateway is away: what was signed waits, and the error names the command that sends it.
    std::fs::write(&file, json!({"wishes_life": "静かに暮らしたい"}).to_string()).unwrap();
    let held = send(&["--kind", "supplement", "--hold"]).unwrap();
    let message = held[0]["message"].as_str().unwrap().to_owned();
    let Life { server, sandbox, .. } = life;
    server.stop().await;
    let mut command = std::process::Command::new(BINARY);
    let identity = sandbox.identity(&CITY.parse().unwrap());
    let away = command.args(["--lang", "en", "message", "deliver", &message, "--as"]).arg(identity).output().unwrap();
    let said = String::from_utf8(away.stderr).unwrap();
    assert_eq!(away.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("tsunagi message deliver {message}")), "{said}");
}

impl Life {
    /// The city suspends the agreement that everything rests on.
    pub(crate) async fn suspend_agreement(&self) {
        let city = self.party(CITY);
        let end = AgreementSignature { issued: city.issued(), agr: self.agreement().clone(), act: AgreementAct::Suspend };
        let target = format!("/v1/agreements/{}/{}/signatures", self.agreement().id, self.agreement().ver);
        city.post_object(&target, Purpose::Administration, &end.sign(&city.signing).unwrap()).await.unwrap();
    }
}
