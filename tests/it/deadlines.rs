//! What is to be answered until when, and what nobody collected: told to the one who has to, and to the one who waits. The days pass by the manual clock.

use http::Method;
use serde_json::{Value, json};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::{
        codes::{MessageKind, Purpose},
        day::Day,
        digest::Digest,
        entry::Operation,
        time::Timestamp,
    },
    gateway::{Call, CaseQuery},
};
use uuid::Uuid;

use crate::{
    erasure_stage::in_both,
    exchange_stage::{CENTRE, MUNICIPALITY as CITY, Sandbox, agreement::CORE, inside::Inside, party::Party},
    life_stage::{DAY, HOME, Life, OFFICE, PLACEMENT, letter},
};

in_both!("warn"; a_reply_is_due_until_it_is_given_and_late_behind_its_day, what_nobody_collects_is_told_to_its_sender_and_written_down_once);

async fn a_reply_is_due_until_it_is_given_and_late_behind_its_day(sandbox: Sandbox) {
    let mut life = Life::accepted_on(sandbox).await;
    for party in [CENTRE, CITY] {
        let case = life.entry(party).await;
        assert!(case.get("due").is_none() && case.get("asked").is_none(), "a decision answered the referral: {case}");
    }
    let enquiry = life.goes(letter(MessageKind::Enquiry, CITY, HOME).with("desired_reply_by", in_days(3))).await;
    life.goes(letter(MessageKind::Enquiry, CITY, DAY)).await;
    let case = life.entry(HOME).await;
    assert_eq!((&case["reply_by"], &case["overdue"]), (&json!(in_days(3)), &json!(false)), "{case}");
    assert_eq!(case["due"], json!([{"message": enquiry, "kind": "enquiry", "reply_by": in_days(3), "overdue": false}]));
    let case = life.entry(CITY).await;
    assert!(case.get("reply_by").is_none(), "it has nothing to answer: {case}");
    let asked: Vec<&Value> = case["asked"].as_array().unwrap().iter().map(|question| &question["to"]).collect();
    assert_eq!(asked, [HOME, DAY]);
    let case = life.entry(DAY).await;
    assert!(case.get("reply_by").is_none() && case["due"].as_array().unwrap().len() == 1, "no day was wished: {case}");

    // The day is not over before it ends in Japan; then nothing has happened and the answer is late.
    let mut later = Later::open(&life).await;
    for (days, overdue) in [(3, false), (4, true)] {
        later.days(days);
        let case = later.entry(&life, HOME).await;
        assert_eq!(case["overdue"], overdue, "on day {days}: {case}");
        let case = later.entry(&life, CITY).await;
        assert_eq!(case["asked"][0]["overdue"], overdue, "on day {days}: {case}");
    }
    later.close().await;
    life.goes(letter(MessageKind::EnquiryReply, HOME, CITY).with("reply", "possible")).await;
    let case = life.entry(HOME).await;
    assert!(case.get("due").is_none() && case.get("reply_by").is_none(), "{case}");
    assert_eq!(life.entry(CITY).await["asked"].as_array().unwrap().len(), 1);
    life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    for party in [CITY, HOME, DAY] {
        let case = life.entry(party).await;
        assert!(case.get("due").is_none() && case.get("asked").is_none(), "nothing is due in a closed case: {case}");
    }
    life.server.stop().await;
}

async fn what_nobody_collects_is_told_to_its_sender_and_written_down_once(sandbox: Sandbox) {
    let mut life = Life::accepted_on(sandbox).await;
    let early = life.goes(letter(MessageKind::Enquiry, CITY, HOME).with("desired_reply_by", in_days(3))).await;
    let plain = life.goes(letter(MessageKind::Enquiry, CITY, DAY)).await;
    let read = life.goes(letter(MessageKind::StatusNotice, CITY, CENTRE).with("status", "moved")).await;
    life.read(CENTRE, CITY, &read, PLACEMENT).await.unwrap();
    assert!(life.entry(CITY).await.get("uncollected").is_none());
    let before = receipts(&life.party(CITY).json(&receipts_of(&life, CITY), PLACEMENT).await.unwrap());
    assert!(before.iter().all(|(_, state)| state != "uncollected"));

    let mut later = Later::open(&life).await;
    later.days(4);
    let case = later.entry(&life, CITY).await;
    let late: Vec<&Value> = case["uncollected"].as_array().unwrap().iter().map(|late| &late["message"]).collect();
    let decision = life.first_sent(CITY).await;
    assert_eq!(late, [&json!(early)], "the reply to it was wished earlier: {case}");
    assert_eq!(case["uncollected"][0]["since"], in_days(4));
    assert!(later.entry(&life, HOME).await.get("uncollected").is_none(), "it is told to who sent it");
    let told = later.receipts(&life, CITY).await;
    let mine = |told: &[(String, String)]| told.iter().filter(|(_, state)| state == "uncollected").cloned().collect::<Vec<_>>();
    assert_eq!(mine(&receipts(&told)), [(early.to_string(), "uncollected".to_owned())]);
    let again = later.receipts(&life, CITY).await;
    assert_eq!(claims(&again), claims(&told), "the same receipts, with the same place in the ledger");

    later.days(15);
    let case = later.entry(&life, CITY).await;
    let late: Vec<&Value> = case["uncollected"].as_array().unwrap().iter().map(|late| &late["message"]).collect();
    assert_eq!(late, [&json!(decision), &json!(early), &json!(plain)], "{case}");
    assert_eq!(mine(&receipts(&later.receipts(&life, CITY).await)).len(), 3);
    later.close().await;

    // Who collects it in the end ends the notice, and the evidence of both stays.
    life.read(HOME, CITY, &early, PLACEMENT).await.unwrap();
    let mut later = Later::open(&life).await;
    later.days(30);
    let case = later.entry(&life, CITY).await;
    assert!(case["uncollected"].as_array().unwrap().iter().all(|late| late["message"] != json!(early)), "{case}");
    let states: Vec<String> =
        receipts(&later.receipts(&life, CITY).await).into_iter().filter(|(jti, _)| *jti == early.to_string()).map(|(_, st)| st).collect();
    assert_eq!(states, ["accepted", "uncollected", "released"]);
    later.close().await;
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reply_about_a_detained_person_is_wished_while_the_detention_lasts() {
    let mut life = Life::accepted().await;
    life.another().await;
    life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    let request = |by: Option<i64>| {
        let request = letter(MessageKind::PlanRequest, CITY, OFFICE)
            .with("subject_category", "entry")
            .with("support_route", "entry_support")
            .with("detention_deadline", in_days(5));
        by.map_or_else(|| request.clone(), |days| request.clone().with("desired_reply_by", in_days(days)))
    };
    for (by, told) in [(None, true), (Some(6), true), (Some(5), false)] {
        let signed = life.sign(&request(by));
        let accepted = life.post(CITY, &signed).await.unwrap();
        let warnings = accepted.subject.get("warnings").cloned().unwrap_or_else(|| json!([]));
        let late = json!([{"field": "desired_reply_by", "rule": "not_after_detention_deadline", "class": "routing"}]);
        assert_eq!(warnings, if told { late } else { json!([]) }, "{by:?}");
        let again = life.post(CITY, &signed).await.unwrap();
        assert_eq!(again.subject.get("warnings"), accepted.subject.get("warnings"), "it is told again");
    }
    let listed = life.listed(OFFICE).await;
    assert_eq!((listed.len(), &listed[0]["reply_by"]), (1, &json!(in_days(5))), "the first day of the three");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_is_told_what_its_municipality_has_to_answer_and_answers_for_it() {
    let mut life = Life::referred_with(true).await;
    life.learn(CORE).await;
    for party in [CITY, CORE] {
        assert_eq!(life.entry(party).await["due"][0]["kind"], "referral", "{party}");
    }
    assert_eq!(life.entry(CENTRE).await["asked"][0]["to"], CITY);
    life.goes(letter(MessageKind::ReferralAck, CORE, CENTRE)).await;
    assert_eq!(life.entry(CITY).await["due"].as_array().unwrap().len(), 1, "that it came is no answer");
    life.goes(letter(MessageKind::ReferralDecision, CORE, CENTRE).with("decision", "accepted")).await;
    for party in [CITY, CORE, CENTRE] {
        let case = life.entry(party).await;
        assert!(case.get("due").is_none() && case.get("asked").is_none(), "{party}: {case}");
    }
    assert!(life.case_command(CITY).contains("accepted"));

    // What the delegate asked for the city is answered to either, and the city reads it.
    let enquiry = life.goes(letter(MessageKind::Enquiry, CORE, HOME)).await;
    for party in [CITY, CORE] {
        assert_eq!(life.entry(party).await["asked"][0]["message"], json!(enquiry), "{party}");
    }
    let question = letter(MessageKind::EnquiryReply, HOME, CORE).with("reply", "question").with("question_topics", json!(["visit"]));
    let to_core = life.goes(question).await;
    life.goes(letter(MessageKind::EnquiryReply, HOME, CITY).with("reply", "possible")).await;
    let read = life.read(CITY, HOME, &to_core, PLACEMENT).await.unwrap();
    assert!(read.release.binding.tsn.on_behalf_of.is_none(), "in its own name");
    life.read(CITY, CORE, &enquiry, PLACEMENT).await.unwrap();
    let listed = life.party(CITY).json(&format!("/v1/cases/{}/messages", life.case(CITY)), PLACEMENT).await.unwrap();
    let directions: Vec<(&Value, &Value)> =
        listed["messages"].as_array().unwrap().iter().map(|message| (&message["kind"], &message["direction"])).collect();
    assert!(directions.contains(&(&json!("enquiry"), &json!("out"))) && directions.contains(&(&json!("enquiry_reply"), &json!("in"))));
    life.server.stop().await;
}

/// A day in Japan, so many from today.
fn in_days(days: i64) -> String {
    Day::in_japan(SystemClock.now().plus_secs(days * 86_400)).to_string()
}

fn receipts_of(life: &Life, party: &str) -> String {
    format!("/v1/cases/{}/receipts", life.case(party))
}

fn claims(told: &Value) -> Vec<Value> {
    let payload = |token: &Value| {
        let part = token.as_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&tsunagi::message::base64url::decode(part).unwrap()).unwrap()
    };
    told["receipts"].as_array().unwrap().iter().map(payload).collect()
}

/// Of which message each receipt is, and what it says.
fn receipts(told: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    claims(told).iter().map(|claims| (text(&claims["msg"]["jti"]), text(&claims["st"]))).collect()
}

/// A gateway on the ledger of a life whose days pass when the test says so.
struct Later {
    inside: Inside,
    today: Timestamp,
}

impl Later {
    async fn open(life: &Life) -> Self {
        let inside = Inside::open(&life.sandbox).await;
        let today = inside.clock.now();
        Self { inside, today }
    }

    fn days(&mut self, days: i64) {
        self.inside.clock.set(self.today.plus_secs(days * 86_400));
    }

    async fn entry(&self, life: &Life, party: &str) -> Value {
        let (caller, call) = self.call(life.party(party), "/v1/cases".to_owned(), Operation::CaseList).await;
        let query = CaseQuery { limit: 50, ..CaseQuery::default() };
        let page = self.inside.gateway.list_cases(&caller, &call, &query).await.unwrap();
        let listed = page["cases"].as_array().unwrap();
        listed.iter().find(|case| case["case"] == life.case(party)).unwrap().clone()
    }

    async fn receipts(&self, life: &Life, party: &str) -> Value {
        let (caller, call) = self.call(life.party(party), receipts_of(life, party), Operation::ReceiptList).await;
        self.inside.gateway.receipts(&caller, &call, &life.case(party).parse().unwrap()).await.unwrap()
    }

    async fn call(&self, party: &Party, target: String, operation: Operation) -> (tsunagi::gateway::Caller, Call) {
        let at = Timestamp::from_secs(self.inside.clock.now().secs());
        let token = party.actor_at(at, &Method::GET, &target, PLACEMENT, None, None);
        let certificate = party.connector.certificate();
        let caller = self.inside.gateway.caller(&party.id, certificate, Digest([0; 32]), at.plus_secs(86_400)).await.unwrap();
        let call = Call::new(Uuid::new_v4(), "GET".to_owned(), target, Some(token), None, operation);
        (caller.map_err(|(_, refusal)| refusal).unwrap(), call)
    }

    async fn close(self) {
        self.inside.close().await;
    }
}

impl Life {
    /// The first message that a party sent in the case.
    async fn first_sent(&self, party: &str) -> String {
        let target = format!("/v1/cases/{}/messages", self.case(party));
        let page = self.party(party).json(&target, Purpose::PlacementCoordination).await.unwrap();
        let messages = page["messages"].as_array().unwrap();
        messages.iter().find(|message| message["direction"] == "out").unwrap()["message"].as_str().unwrap().to_owned()
    }
}
