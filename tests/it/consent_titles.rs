//! Who finds the number of a consent in its own case, what it is shown by it, and what it records: the home and the core centre that a consent names as
//! well as the desk that collected it; and nobody whom it does not concern (protocol sections 2 and 9).

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::{MessageKind, Purpose},
        consent::{EndedBy, Exception},
        entry::{EntryType, Operation},
        ids::Jti,
    },
    message::objects::{ConsentEnd, SignedObject as _},
};

use crate::{
    exchange_stage::{
        CENTRE, MUNICIPALITY as CITY,
        agreement::CORE,
        ledger::Ledger,
        party::{Problem, Setback, new_jti},
    },
    life_stage::{DAY, HOME, Life, OFFICE, PLACEMENT, PLANNING, letter},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_finds_the_consent_in_its_case_and_records_what_the_person_takes_back() {
    let mut life = Life::accepted().await;
    let enquiry = life.goes(letter(MessageKind::Enquiry, CITY, HOME)).await;
    assert_eq!(life.numbers(HOME).await, [(enquiry, None)], "who is asked about somebody without a name knows of no consent");
    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    let number = life.consent.jti;
    assert_eq!(life.numbers(HOME).await, [(enquiry, Some(number)), (request, Some(number))]);
    // The same with the commands: from the case to the number, from the number to what concerns this home.
    let listed = life.tool(HOME, &["message", "list", "--case", life.case(HOME)]).unwrap();
    let found = listed.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(found, number.to_string(), "{listed}");
    let part = life.tsunagi(HOME, &["consent", "show", &found]).unwrap();
    assert_eq!(part[0]["state"], "in_force");
    assert!(names_nobody_but(HOME, &part[0]), "{part}");
    assert_eq!(part[0]["items"].as_array().unwrap().len(), 5, "one for each purpose: {part}");
    let spoken = life.tool(HOME, &["consent", "show", &found]).unwrap();
    assert!(spoken.contains("this unit alone") && spoken.contains("ticked: ") && !spoken.contains(CITY), "{spoken}");
    let whole = life.party(CITY).json(&format!("/v1/consents/{number}"), PLACEMENT).await.unwrap();
    assert!(whole["claims"]["items"].to_string().contains(DAY), "who decides with the person is shown the whole of it");

    // What it took out is not in its part any more, and what it withdrew is over for everybody.
    let narrow = ["consent", "narrow", &found, "--recipient", HOME, "--class", "criminal_summary", "--why", "the person said so"];
    life.tool(HOME, &narrow).unwrap();
    let part = life.part(HOME).await;
    assert!(!part["items"].to_string().contains("criminal_summary"), "{part}");
    life.tool(HOME, &["consent", "withdraw", &found, "--why", "the person said so"]).unwrap();
    assert_eq!(life.part(HOME).await["state"], "ended");
    assert_eq!(life.entry(CITY).await["consent"]["state"], "ended");
    let again = life.tool(HOME, &["consent", "withdraw", &found, "--why", "once more"]).unwrap_err();
    assert!(again.contains("state_conflict"), "{again}");

    // Its looks are lists without content, and no release.
    let ledger = Ledger::read(&life.story.auditor).await;
    let looks = |party: &str| {
        let by = |actor: &tsunagi::ledger::Actor| actor.party.to_string() == party;
        let looks = ledger.records.iter().filter(|r| r.entry.operation == Operation::ConsentRead && r.entry.actor.as_ref().is_some_and(by));
        looks.map(|record| record.entry.entry_type).collect::<Vec<_>>()
    };
    assert!(looks(HOME).len() == 4 && looks(HOME).iter().all(|entry_type| *entry_type == EntryType::List));
    assert_eq!(looks(CITY), [EntryType::Release]);
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_the_person_uses_is_not_shown_which_others_the_consent_names() {
    let mut life = Life::in_use().await;
    let handoff = life.goes(letter(MessageKind::ServiceHandoff, CITY, HOME)).await;
    life.goes(letter(MessageKind::PlanRequest, CITY, OFFICE)).await;
    let number = life.consent.jti;
    for (party, purpose) in [(HOME, Purpose::ServiceProvision), (OFFICE, PLANNING)] {
        let part = life.party(party).json(&format!("/v1/consents/{number}"), purpose).await.unwrap();
        assert!(names_nobody_but(party, &part) && part.get("signed").is_none(), "{part}");
        // By what the messages that it is shown tell as well, it names the consent in its own.
        assert_eq!(part["sub"], life.consent.sub.as_str());
        assert_eq!(part["sha256"], json!(tsunagi::domain::digest::Digest::of(life.consent.token.as_bytes())));
    }
    let hidden = life.read(HOME, CITY, &handoff, Purpose::ServiceProvision).await.unwrap().release.disclosed.hidden;
    assert_eq!((hidden.con.unwrap().jti, hidden.sub.unwrap()), (number, life.consent.sub.clone()));
    let part = life.looks_up(HOME, &number).await.unwrap();
    assert!(part.get("sub").is_none(), "for a purpose that shows no detail of the consent: {part}");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_centre_that_took_the_case_on_records_a_withdrawal_by_what_its_case_says() {
    let mut life = Life::referred().await;
    life.another_person(CENTRE).await;
    let referral = life.goes(letter(MessageKind::Referral, CENTRE, CORE)).await;
    let number = life.consent.jti;
    assert_eq!(life.numbers(CORE).await, [(referral, Some(number))]);
    assert_eq!(life.part(CORE).await["state"], "in_force");
    life.tool(CORE, &["consent", "withdraw", &number.to_string(), "--why", "the person said so"]).unwrap();
    assert_eq!(life.part(CORE).await["state"], "ended");
    assert_eq!(life.read(CORE, CENTRE, &referral, PLACEMENT).await.map(|_| ()).unwrap_err().problem().code, "consent_ended");
    assert_eq!(life.numbers(CENTRE).await, [(referral, Some(number))], "its collector finds it there too");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_in_charge_records_what_the_person_takes_back_where_the_consent_leaves_nothing_to_itself() {
    let mut life = Life::accepted().await;
    life.goes(letter(MessageKind::Enquiry, CITY, HOME)).await;
    let out = Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls: None };
    life.ends(CENTRE, Some(vec![out])).await.unwrap();
    let number = life.consent.jti;
    assert!(life.numbers(CITY).await.iter().any(|(_, found)| *found == Some(number)));
    let part = life.part(CITY).await;
    assert_eq!((&part["state"], &part["items"]), (&json!("in_force"), &json!([])), "{part}");
    life.tool(CITY, &["consent", "withdraw", &number.to_string(), "--why", "the person said so"]).unwrap();
    assert_eq!(life.part(CITY).await["state"], "ended");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_looks_a_consent_up_for_the_body_that_it_acts_for() {
    let mut life = Life::referred_with(true).await;
    life.learn(CORE).await;
    let number = life.consent.jti;
    assert_eq!(life.numbers(CORE).await.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [Some(number)]);
    let part = life.part(CORE).await;
    assert_eq!(part["for"], CITY);
    assert!(names_nobody_but(CITY, &part), "{part}");
    life.tool(CORE, &["consent", "withdraw", &number.to_string(), "--why", "the person said so"]).unwrap();
    let part = life.part(CORE).await;
    assert_eq!((&part["state"], &part["for"]), (&json!("ended"), &json!(CITY)));
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_consent_does_not_concern_is_told_of_it_as_of_one_that_is_not_there() {
    let mut life = Life::accepted().await;
    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.goes(letter(MessageKind::PlanRequest, CITY, OFFICE)).await;
    let (first, unknown) = (life.consent.jti, new_jti());
    life.looks_up(HOME, &first).await.unwrap();
    life.looks_up(OFFICE, &first).await.unwrap();
    // A later consent leaves out the home and the office.
    let second = life.supersede_without(&[HOME, OFFICE]).await;
    assert_eq!(life.numbers(HOME).await, [(request, None)]);
    for (party, purpose) in [(HOME, PLACEMENT), (OFFICE, PLANNING), (DAY, PLACEMENT), (CORE, PLACEMENT)] {
        let nothing = life.tries(party, &unknown, purpose).await;
        assert_eq!(nothing.len(), 3);
        assert!(nothing.iter().all(|problem| problem.contains("not_found")), "{nothing:?}");
        for number in [first, second] {
            assert_eq!(life.tries(party, &number, purpose).await, nothing, "{party}");
        }
    }
    assert_eq!(life.entry(CITY).await.get("consent"), None, "nothing was taken from the city, and nobody ended anything");
    // And with a third the home is back: the second stays another's.
    let nothing = life.tries(HOME, &unknown, PLACEMENT).await;
    life.consent.jti = second;
    let third = life.supersede_with(HOME).await;
    assert_eq!(life.numbers(HOME).await, [(request, Some(third))]);
    let part = life.looks_up(HOME, &first).await.unwrap();
    assert_eq!((&part["state"], &part["superseded_by"]), (&json!("ended"), &json!(third)), "{part}");
    assert_eq!(life.tries(HOME, &second, PLACEMENT).await, nothing);
    assert!(names_nobody_but(HOME, &part) && names_nobody_but(HOME, &life.looks_up(HOME, &third).await.unwrap()));
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_later_consent_left_out_is_not_shown_its_end() {
    for ends_alone in [true, false] {
        let mut life = Life::accepted().await;
        let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
        life.read(HOME, CITY, &request, PLACEMENT).await.unwrap();
        let asked = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
        life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
        // A question of its own that was collected, and one that nobody collected.
        let own = life.goes(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
        life.read(CITY, HOME, &own, Purpose::BackupConsultation).await.unwrap();
        life.goes(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
        if ends_alone {
            // The same when everything was taken from it out of a consent that others go on with.
            let out = Exception { rcp: vec![HOME.parse().unwrap()], pur: None, cls: None };
            life.ends(CENTRE, Some(vec![out])).await.unwrap();
        } else {
            life.consent.jti = life.supersede_without(&[HOME]).await;
        }
        let before = (life.entry(HOME).await, life.messages(HOME).await, life.refusals(HOME, &[request, asked, own]).await);
        assert_eq!(before.0["consent"]["state"], "narrowed", "it is told what was taken from it");
        life.ends(CENTRE, None).await.unwrap();
        assert_eq!(life.entry(CITY).await["consent"]["state"], "ended", "whom it concerns is told");
        let after = (life.entry(HOME).await, life.messages(HOME).await, life.refusals(HOME, &[request, asked, own]).await);
        assert_eq!(before, after, "its list, its messages and its refusals say nothing of the end");
        life.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_hand_over_the_centre_is_told_of_no_holder_that_the_city_brought_in() {
    let mut life = Life::accepted().await;
    let referral = life.first(CITY).await;
    life.read(CITY, CENTRE, &referral, PLACEMENT).await.unwrap();
    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.read(HOME, CITY, &request, PLACEMENT).await.unwrap();
    assert_eq!(life.holders_told(CENTRE).await, [CITY, HOME]);
    life.goes(letter(MessageKind::HandoverProposal, CENTRE, CITY)).await;
    let soon = tsunagi::domain::day::Day::in_japan(crate::exchange_stage::party::now().plus_secs(14 * 86_400)).to_string();
    life.goes(letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", soon)).await;
    assert_eq!(life.holders_told(CENTRE).await, [CITY]);
    // Neither by what the home does with a consent that the centre collected.
    life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    let number = format!("/v1/consents/{}", life.consent.jti);
    let looked = life.party(HOME).json(&number, Purpose::ServiceProvision).await.unwrap();
    assert!(looked.get("sub").is_some(), "a look that is in the list: {looked}");
    let listed = life.tool(CENTRE, &["consent", "holders", &life.consent.jti.to_string()]).unwrap();
    assert!(listed.contains(CITY) && !listed.contains(HOME), "{listed}");
    // The list of disclosures names the same bodies.
    let target = format!("/v1/cases/{}/disclosures", life.case(CENTRE));
    let made = life.party(CENTRE).json(&target, PLACEMENT).await.unwrap();
    assert!(!made["disclosures"].to_string().contains(HOME), "{made}");
    // What is taken back later does not bring them back.
    life.ends(CENTRE, None).await.unwrap();
    assert_eq!(life.holders_told(CENTRE).await, [CITY]);
    life.server.stop().await;
}

/// Whether the parties that a part names are this one alone.
fn names_nobody_but(party: &str, part: &Value) -> bool {
    let items = part["items"].as_array().unwrap();
    part.get("claims").is_none() && part.get("holders").is_none() && items.iter().all(|item| item["rcp"] == json!([party]))
}

impl Life {
    /// The messages that a party lists, and the consent under each.
    async fn numbers(&self, party: &str) -> Vec<(Jti, Option<Jti>)> {
        let of = |message: &Value, member: &str| message.get(member).map(|jti| jti.as_str().unwrap().parse().unwrap());
        self.messages(party).await.iter().map(|message| (of(message, "message").unwrap(), of(message, "consent"))).collect()
    }

    async fn messages(&self, party: &str) -> Vec<Value> {
        let page = self.party(party).json(&format!("/v1/cases/{}/messages", self.case(party)), purpose(party)).await.unwrap();
        page["messages"].as_array().unwrap().clone()
    }

    async fn looks_up(&self, party: &str, number: &Jti) -> Result<Value, Problem> {
        let shown = self.party(party).json(&format!("/v1/consents/{number}"), purpose(party)).await;
        shown.map_err(Setback::problem)
    }

    async fn part(&self, party: &str) -> Value {
        self.looks_up(party, &self.consent.jti).await.unwrap()
    }

    /// What a party is told that looks a consent up, ends it and narrows it, but for the id of the request.
    async fn tries(&self, party: &str, number: &Jti, purpose: Purpose) -> Vec<String> {
        let looked = self.party(party).json(&format!("/v1/consents/{number}"), purpose).await.map(|_| ()).unwrap_err().problem();
        let mut told = vec![looked];
        for narrow in [None, Some(vec![Exception { rcp: vec![CITY.parse().unwrap()], pur: None, cls: None }])] {
            let (issued, con) = (self.party(party).issued(), *number);
            let end = ConsentEnd { issued, con, by: EndedBy::Self_, why: "heard of".to_owned(), narrow, from: None };
            let signed = end.sign(&self.party(party).signing).unwrap();
            let ended = self.party(party).post_object(&format!("/v1/consents/{number}/end"), purpose, &signed).await;
            told.push(ended.map(|_| ()).unwrap_err().problem());
        }
        told.iter().map(without_instance).collect()
    }

    /// What a party is told that reads messages which it may not read any more.
    async fn refusals(&self, party: &str, messages: &[Jti]) -> Vec<String> {
        let mut told = Vec::new();
        for message in messages {
            for purpose in [PLACEMENT, Purpose::ServiceProvision] {
                told.push(without_instance(&self.read(party, CITY, message, purpose).await.map(|_| ()).unwrap_err().problem()));
            }
        }
        told
    }

    async fn holders_told(&self, party: &str) -> Vec<String> {
        let shown = self.part(party).await;
        shown["holders"].as_array().unwrap().iter().map(|holder| holder["party"].as_str().unwrap().to_owned()).collect()
    }
}

fn purpose(party: &str) -> Purpose {
    if party == OFFICE { PLANNING } else { PLACEMENT }
}

fn without_instance(problem: &Problem) -> String {
    let mut document: Value = serde_json::from_str(&problem.text).unwrap();
    document.as_object_mut().unwrap().remove("instance").unwrap();
    format!("{} {document}", problem.status)
}
