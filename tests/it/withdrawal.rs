//! What a withdrawal or a narrowing does to those who hold what was sent under the consent: nobody collects any more, everybody whom it concerns is told,
//! and who has not reported is known (`domain.md` section 10.3, rule 3).

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::MessageKind,
        consent::{EndedBy, Exception, Item},
        field::FieldClass,
        ids::Jti,
    },
    message::objects::{ConsentEnd, SignedObject as _},
};

use crate::{
    erasure_stage::in_both,
    exchange_stage::{
        CENTRE, MUNICIPALITY as CITY, Sandbox,
        agreement::CORE,
        party::{Accepted, Setback},
    },
    life_stage::{DAY, HOME, Life, PLACEMENT, PROVISION, letter},
};

in_both!("warn"; what_nobody_collected_is_withheld_and_who_did_reports, a_narrowing_concerns_only_those_from_whom_it_takes);

/// A case with a referral that the city read, a request that the home read, and one to the day service that nobody read.
async fn with_holders(sandbox: Sandbox) -> (Life, Jti) {
    let mut life = Life::accepted_on(sandbox).await;
    let referral = life.first(CITY).await;
    life.read(CITY, CENTRE, &referral, PLACEMENT).await.unwrap();
    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.read(HOME, CITY, &request, PLACEMENT).await.unwrap();
    let waiting = life.goes(letter(MessageKind::PlacementRequest, CITY, DAY)).await;
    (life, waiting)
}

async fn what_nobody_collected_is_withheld_and_who_did_reports(sandbox: Sandbox) {
    let (mut life, waiting) = with_holders(sandbox).await;
    for party in [CENTRE, CITY, HOME, DAY] {
        let case = life.entry(party).await;
        assert!(case.get("consent").is_none() && case.get("quarantined").is_none(), "{party}: {case}");
    }
    assert_eq!(reports(&life.holders().await), [(CITY, None), (HOME, None)]);
    let cursors = life.cursors(&[CENTRE, CITY, HOME, DAY, CORE]).await;

    // Recorded by a body that did not collect it.
    life.ends(CITY, None).await.unwrap();
    for (party, cursor) in [CENTRE, CITY, HOME, DAY].into_iter().zip(&cursors) {
        let changed = life.behind(party, cursor).await;
        assert_eq!(changed.len(), 1, "{party} is shown the change");
    }
    let refused = life.read(DAY, CITY, &waiting, PLACEMENT).await.map(|_| ()).unwrap_err().problem();
    assert_eq!((refused.status, refused.code.as_str()), (403, "consent_ended"));
    let case = life.entry(CITY).await;
    assert_eq!((&case["quarantined"][0]["message"], &case["quarantined"][0]["to"]), (&json!(waiting), &json!(DAY)), "{case}");
    assert_eq!(case["quarantined"].as_array().unwrap().len(), 1, "what was collected is not withheld: {case}");
    assert!(case.get("asked").is_none(), "nobody can answer what nobody can read: {case}");
    assert_eq!(case["unreported"].as_array().unwrap().iter().map(|holder| &holder["party"]).collect::<Vec<_>>(), [HOME]);
    assert_eq!((&case["consent"]["state"], &case["consent"]["report"]), (&json!("ended"), &json!("due")));
    assert_eq!(life.entry(HOME).await["consent"]["report"], "due");
    let case = life.entry(DAY).await;
    assert_eq!(case["consent"]["state"], "ended");
    assert!(case["consent"].get("report").is_none(), "who collected nothing holds nothing: {case}");
    assert!(case.get("unreported").is_none() && case.get("quarantined").is_none(), "{case}");
    assert_eq!(reports(&life.holders().await), [(CITY, Some("due")), (HOME, Some("due"))]);

    life.goes(letter(MessageKind::ConsentEvent, CITY, HOME).with("consent_change", "withdrawn")).await;
    let kept = json!({"result": "kept_by_statute", "kept_until": "2031-03-31"});
    life.goes(letter(MessageKind::ErasureReport, HOME, CITY).with("erasure_outcome", kept)).await;
    assert_eq!(life.entry(HOME).await["consent"]["report"], "done");
    assert!(life.entry(CITY).await.get("unreported").is_none());
    assert_eq!(reports(&life.holders().await), [(CITY, Some("due")), (HOME, Some("done"))]);
    let erased = json!({"result": "erased", "erased_on": "2026-11-21"});
    life.goes(letter(MessageKind::ErasureReport, CITY, CENTRE).with("erasure_outcome", erased)).await;
    assert_eq!(reports(&life.holders().await), [(CITY, Some("done")), (HOME, Some("done"))]);

    // A consent that the person gives later opens nothing that was withheld: it is another.
    let refused = life.supersede().await.unwrap_err().problem();
    assert_eq!((refused.status, refused.code.as_str()), (409, "state_conflict"), "{}", refused.text);
    life.read(DAY, CITY, &waiting, PLACEMENT).await.map(|_| ()).unwrap_err();
    life.server.stop().await;
}

async fn a_narrowing_concerns_only_those_from_whom_it_takes(sandbox: Sandbox) {
    let (mut life, waiting) = with_holders(sandbox).await;
    let cursors = life.cursors(&[HOME, DAY]).await;
    let taken = Exception { rcp: vec![HOME.parse().unwrap()], pur: None, cls: Some(vec![FieldClass::CriminalSummary]) };
    life.ends(CENTRE, Some(vec![taken])).await.unwrap();
    assert_eq!(life.behind(HOME, &cursors[0]).await.len(), 1);
    assert!(life.behind(DAY, &cursors[1]).await.is_empty(), "nothing was taken from it");
    let case = life.entry(HOME).await;
    assert_eq!((&case["consent"]["state"], &case["consent"]["report"]), (&json!("narrowed"), &json!("due")), "{case}");
    assert!(life.entry(DAY).await.get("consent").is_none() && life.entry(CITY).await.get("consent").is_none());
    assert_eq!(reports(&life.holders().await), [(CITY, None), (HOME, Some("due"))]);
    life.read(DAY, CITY, &waiting, PLACEMENT).await.unwrap();

    // Everything is taken from the day service by a consent that takes the place of this one and leaves it out.
    life.supersede_without(&[DAY]).await;
    let case = life.entry(DAY).await;
    assert_eq!((&case["consent"]["state"], &case["consent"]["report"]), (&json!("narrowed"), &json!("due")), "{case}");
    life.goes(letter(MessageKind::ErasureReport, DAY, CITY)).await;
    assert_eq!(life.entry(DAY).await["consent"]["report"], "done", "it reports unasked");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_ends_a_consent_while_it_acts_for_a_body_of_the_case() {
    let mut life = Life::referred_with(true).await;
    life.learn(CORE).await;
    let stranger = life.ends(HOME, None).await.map(|_| ()).unwrap_err().problem();
    assert_eq!(stranger.status, 404, "{}", stranger.text);
    life.ends(CORE, None).await.unwrap();
    let case = life.entry(CITY).await;
    assert_eq!(case["consent"]["state"], "ended", "{case}");
    let event = life.events("consent_end").await.pop().unwrap();
    assert_eq!((&event["actor"]["party"], &event["actor"]["for"]), (&json!(CORE), &json!(CITY)), "both stand in the ledger");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_serves_the_person_ends_its_consent_too() {
    let mut life = Life::in_use().await;
    let handoff = life.goes(letter(MessageKind::ServiceHandoff, CITY, HOME)).await;
    life.read(HOME, CITY, &handoff, PROVISION).await.unwrap();
    life.ends(HOME, None).await.unwrap();
    life.read(HOME, CITY, &handoff, PROVISION).await.map(|_| ()).unwrap_err();
    assert_eq!(life.entry(CITY).await["consent"]["state"], "ended");
    let listed = life.case_command(HOME);
    assert!(listed.contains("the consent was withdrawn") && listed.contains("erasure_report"), "{listed}");
    let unreported = life.tool(CENTRE, &["consent", "holders", &life.consent.jti.to_string(), "--unreported"]).unwrap();
    assert!(unreported.contains(HOME), "{unreported}");
    life.tool(HOME, &["consent", "holders", &life.consent.jti.to_string()]).unwrap_err();
    life.server.stop().await;
}

fn reports(holders: &[Value]) -> Vec<(&str, Option<&str>)> {
    holders.iter().map(|holder| (holder["party"].as_str().unwrap(), holder.get("report").and_then(Value::as_str))).collect()
}

impl Life {
    /// A party ends or narrows the consent.
    pub(crate) async fn ends(&self, party: &str, narrow: Option<Vec<Exception>>) -> Result<Accepted, Setback> {
        let party = self.party(party);
        let (issued, con) = (party.issued(), self.consent.jti);
        let end = ConsentEnd { issued, con, by: EndedBy::Self_, why: "withdrawn".to_owned(), narrow, from: None };
        let target = format!("/v1/consents/{con}/end");
        party.post_object(&target, PLACEMENT, &end.sign(&party.signing).unwrap()).await
    }

    pub(crate) async fn supersede(&self) -> Result<Accepted, Setback> {
        self.consents_anew(|items| items).await.map(|(_, accepted)| accepted)
    }

    /// The person consents anew, to everybody but some; gives the number.
    pub(crate) async fn supersede_without(&self, left_out: &[&str]) -> Jti {
        let stays = |item: &Item| item.rcp.iter().all(|recipient| !left_out.contains(&recipient.to_string().as_str()));
        self.consents_anew(|items| items.into_iter().filter(stays).collect()).await.unwrap().0
    }

    /// The person consents anew, and to one more; gives the number.
    pub(crate) async fn supersede_with(&self, party: &str) -> Jti {
        let more = |items: Vec<Item>| {
            let like = Item { rcp: vec![party.parse().unwrap()], ..items[0].clone() };
            items.into_iter().chain([like]).collect()
        };
        self.consents_anew(more).await.unwrap().0
    }

    /// A consent in the place of the one that stands.
    async fn consents_anew(&self, items: impl FnOnce(Vec<Item>) -> Vec<Item>) -> Result<(Jti, Accepted), Setback> {
        let shown = self.party(CENTRE).json(&format!("/v1/consents/{}", self.consent.jti), PLACEMENT).await.unwrap();
        let mut given = self.story.consent();
        given.sub = self.consent.sub.clone();
        given.sup = Some(self.consent.jti);
        given.items = items(serde_json::from_value(shown["claims"]["items"].clone()).unwrap());
        let accepted = self.story.register(&self.story.sign_consent(&given)).await?;
        Ok((given.issued.jti, accepted))
    }

    /// Who holds what was sent under the consent.
    async fn holders(&self) -> Vec<Value> {
        let shown = self.party(CENTRE).json(&format!("/v1/consents/{}", self.consent.jti), PLACEMENT).await.unwrap();
        shown["holders"].as_array().unwrap().clone()
    }

    /// Where the list of each party ends.
    async fn cursors(&self, parties: &[&str]) -> Vec<String> {
        let mut cursors = Vec::new();
        for party in parties {
            let page = self.party(party).json("/v1/cases", PLACEMENT).await.unwrap();
            cursors.push(page["cursor"].as_str().unwrap_or("0").to_owned());
        }
        cursors
    }

    /// The cases that changed behind a cursor.
    async fn behind(&self, party: &str, cursor: &str) -> Vec<Value> {
        let page = self.party(party).json(&format!("/v1/cases?cursor={cursor}"), PLACEMENT).await.unwrap();
        page["cases"].as_array().unwrap().clone()
    }

    /// What the ledger says of one type of entries.
    async fn events(&self, entry_type: &str) -> Vec<Value> {
        let auditor = self.sandbox.party(crate::exchange_stage::AUDITOR);
        let target = format!("/v1/audit/events?type={entry_type}");
        let page = auditor.json(&target, tsunagi::domain::codes::Purpose::AuditReview).await.unwrap();
        page["events"].as_array().unwrap().iter().map(|event| event["entry"].clone()).collect()
    }
}
