//! The life of a case over HTTP: every step is taken by who may take it, a wrong one is told what is possible, and what ends, ends at once.

use serde_json::json;
use tsunagi::domain::codes::MessageKind;

use crate::{
    exchange_stage::{BINARY, CENTRE, MUNICIPALITY as CITY, agreement::CORE, ledger::Ledger},
    life_stage::{BACKUP, DAY, HOME, Letter, Life, OFFICE, PLACEMENT, PLANNING, PROVISION, letter, possible},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_goes_its_way_from_the_referral_to_the_end() {
    let mut life = Life::referred().await;
    assert_eq!(life.told(CITY).await, tell("open", "assigned", "referral"));
    let ack = life.goes(letter(MessageKind::ReferralAck, CITY, CENTRE)).await;
    assert_eq!(life.shown(CENTRE, CITY, &ack, PLACEMENT).await, ["contact_desk"]);
    let decision = life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    assert!(life.shown(CENTRE, CITY, &decision, PLACEMENT).await.contains(&"decision".to_owned()));
    assert_eq!((life.told(CITY).await.0, life.told(CENTRE).await.0), ("accepted".to_owned(), "accepted".to_owned()));

    for home in [HOME, DAY] {
        let enquiry = life.goes(letter(MessageKind::Enquiry, CITY, home)).await;
        let shown = life.shown(home, CITY, &enquiry, PLACEMENT).await;
        assert!(shown.contains(&"age_band".to_owned()), "{shown:?}");
        assert_eq!(life.told(home).await, tell("open", "prospective", "enquiry"), "a provider is told of no referral");
    }
    let ids: Vec<&str> = [CENTRE, CITY, HOME, DAY].iter().map(|party| life.case(party)).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "everybody knows the case by an id of its own");
    let no = letter(MessageKind::EnquiryReply, DAY, CITY).with("reply", "impossible").with("decline_reason", "no_resource");
    life.goes(no).await;
    assert_eq!(life.told(DAY).await, tell("closed", "closed", "enquiry"));
    life.goes(letter(MessageKind::EnquiryReply, HOME, CITY).with("reply", "possible")).await;

    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    assert_eq!(life.told(HOME).await, tell("open", "considering", "enquiry"));
    assert!(life.shown(HOME, CITY, &request, PLACEMENT).await.contains(&"family_name".to_owned()));
    life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    assert_eq!(life.told(HOME).await, tell("accepted", "accepted", "enquiry"));

    let plan = life.goes(letter(MessageKind::PlanRequest, CITY, OFFICE)).await;
    assert!(life.shown(OFFICE, CITY, &plan, PLANNING).await.contains(&"assessment_summary".to_owned()));
    let hand_off = life.goes(letter(MessageKind::ServiceHandoff, CITY, HOME)).await;
    assert!(life.shown(HOME, CITY, &hand_off, PROVISION).await.contains(&"birth_date".to_owned()));
    let status = life.goes(letter(MessageKind::StatusNotice, HOME, CITY).with("status", "started")).await;
    assert!(life.shown(CITY, HOME, &status, PLACEMENT).await.contains(&"status".to_owned()));

    let supplement = life.goes(letter(MessageKind::Supplement, CITY, CENTRE).with("wishes_life", "静かに暮らしたい")).await;
    assert_eq!(life.shown(CENTRE, CITY, &supplement, PLACEMENT).await, ["wishes_life"]);
    life.goes(letter(MessageKind::HandoverProposal, CENTRE, CITY)).await;
    assert_eq!(life.told(CENTRE).await.0, "accepted", "one side alone hands nothing over");
    let agreed = letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", soon());
    life.goes(agreed).await;
    assert_eq!(life.told(CENTRE).await, tell("handed_over", "origin", "referral"));
    assert!(life.shown(CENTRE, CITY, &supplement, PLACEMENT).await.is_empty(), "the hand-over ended what the centre was shown");
    assert_eq!(life.told(HOME).await.0, "accepted", "a provider does not learn that there was a centre");

    let question = life.goes(letter(MessageKind::ConsultationRequest, HOME, CITY)).await;
    assert!(life.shown(CITY, HOME, &question, BACKUP).await.contains(&"consultation_question".to_owned()));
    life.goes(letter(MessageKind::ConsultationReply, CITY, HOME)).await;
    let closing = life.goes(letter(MessageKind::ClosingNotice, CITY, HOME)).await;
    for party in [CENTRE, CITY, HOME, DAY, OFFICE] {
        let (state, relation, _) = life.told(party).await;
        assert_eq!((state.as_str(), relation.as_str()), ("closed", "closed"), "{party}");
    }
    assert!(life.shown(HOME, CITY, &closing, PROVISION).await.contains(&"closed_on".to_owned()));
    assert!(life.shown(HOME, CITY, &hand_off, PROVISION).await.iter().all(|row| row == "closed_on"), "nothing is left to read");
    life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    let records = Ledger::read(&life.story.auditor).await.records;
    let later = records.iter().filter(|record| record.entry.kind.is_some() && record.opening.as_ref().is_some_and(|o| o.case.is_some()));
    assert!(later.count() > 20, "an auditor reads what stands beside every step");
    life.server.stop().await;
}

/// Several things about one case after another, at one gateway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_judged_by_the_case_its_consent_and_its_path() {
    let mut life = Life::referred().await;
    a_wrong_step_is_told_what_is_possible(&mut life).await;
    an_explanation_of_a_later_message_says_what_a_submission_does(&mut life).await;
    a_message_belongs_to_the_case_of_its_path(&mut life).await;
    a_request_goes_only_to_a_provider_that_the_consent_names(&mut life).await;
    life.another().await;
    who_declines_reads_no_more_and_a_stranger_is_told_the_same_as_before(&mut life).await;
    life.server.stop().await;
}

async fn a_wrong_step_is_told_what_is_possible(life: &mut Life) {
    let problem = life.refused(letter(MessageKind::HandoverProposal, CITY, CENTRE)).await;
    let told = possible(&problem);
    assert!(told.contains(&"referral_decision".to_owned()) && !told.contains(&"handover_proposal".to_owned()), "{told:?}");
    let problem = life.refused(letter(MessageKind::Enquiry, CITY, HOME)).await;
    assert_eq!(possible(&problem), ["nothing_possible"]);
    assert!(life.listed(HOME).await.is_empty(), "what was refused lets nobody in");
    life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    let again = letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource");
    let told = possible(&life.refused(again).await);
    assert!(told.contains(&"supplement".to_owned()) && !told.contains(&"referral_decision".to_owned()), "{told:?}");
    assert_eq!(life.told(CITY).await.0, "accepted");
}

async fn who_declines_reads_no_more_and_a_stranger_is_told_the_same_as_before(life: &mut Life) {
    let stranger = |life: &Life| {
        let signed = life.sign(&letter(MessageKind::ReferralAck, CITY, CENTRE));
        (format!("/v1/cases/{}/messages", life.case(CITY)), life.party(DAY).seal(&signed.sd_jwt))
    };
    let (target, body) = stranger(life);
    let theirs = life.party(DAY).post(&target, PLACEMENT, "application/jose", body).await.unwrap_err().problem();
    let nowhere = format!("/v1/cases/{}/messages", uuid::Uuid::new_v4());
    let none = life.party(DAY).post(&nowhere, PLACEMENT, "application/jose", "no envelope").await.unwrap_err().problem();
    assert_eq!((theirs.status, without_instance(&theirs.text)), (404, without_instance(&none.text)));

    let referral = life.read_first(CITY).await;
    assert!(referral.contains(&"family_name".to_owned()));
    let no = letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource");
    life.goes(no).await;
    assert_eq!((life.told(CITY).await.0, life.told(CITY).await.1), ("declined".to_owned(), "closed".to_owned()));
    assert_eq!(life.told(CENTRE).await, tell("declined", "origin", "referral"));
    assert!(!life.read_first(CITY).await.contains(&"family_name".to_owned()), "a decline ends access at once");
    let told = possible(&life.refused(letter(MessageKind::Supplement, CENTRE, CITY).with("wishes_life", "x")).await);
    assert!(!told.contains(&"supplement".to_owned()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_again_gets_its_first_answer_whatever_came_after() {
    let mut life = Life::in_use().await;
    let proposal = life.sign(&letter(MessageKind::HandoverProposal, CENTRE, CITY));
    let first = life.post(CENTRE, &proposal).await.unwrap();
    let agreed = letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", soon());
    life.goes(agreed).await;
    life.goes(letter(MessageKind::ClosingNotice, CITY, HOME)).await;
    let again = life.post(CENTRE, &proposal).await.unwrap();
    assert_eq!((again.index, &again.leaf, again.receipt.jti), (first.index, &first.leaf, first.receipt.jti));
    assert_eq!((&again.subject["case"], &again.subject["message"]), (&first.subject["case"], &json!(proposal.jti)));
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_decisions_at_once_one_is_taken() {
    let mut life = Life::referred().await;
    for _ in 0..4 {
        let yes = life.sign(&letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted"));
        let no = letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource");
        let no = life.sign(&no);
        let target = life.target(CITY);
        let city = life.party(CITY);
        let (yes, no) = tokio::join!(city.post_message(&target, PLACEMENT, &yes.sd_jwt), city.post_message(&target, PLACEMENT, &no.sd_jwt));
        let state = life.told(CENTRE).await.0;
        match (yes, no) {
            (Ok(_), Err(late)) => assert_eq!((late.code().as_str(), state.as_str()), ("state_conflict", "accepted")),
            (Err(late), Ok(_)) => assert_eq!((late.code().as_str(), state.as_str()), ("state_conflict", "declined")),
            (yes, no) => panic!("both or none: {yes:?} {no:?}"),
        }
        life.another().await;
    }
    life.server.stop().await;
}

async fn a_message_belongs_to_the_case_of_its_path(life: &mut Life) {
    life.goes(letter(MessageKind::Enquiry, CITY, HOME)).await;
    let mut draft = life.draft(&letter(MessageKind::Enquiry, CITY, DAY));
    draft.hidden.case = Some(life.case(HOME).parse().unwrap());
    let signed = life.sign_draft(CITY, &draft);
    let problem = life.post(CITY, &signed).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "state_conflict"));
    assert!(problem.text.contains("another_case"), "{}", problem.text);
    draft.hidden.case = None;
    let signed = life.sign_draft(CITY, &draft);
    assert_eq!(life.post(CITY, &signed).await.unwrap_err().code(), "state_conflict");
    assert!(life.listed(DAY).await.is_empty());
}

async fn a_request_goes_only_to_a_provider_that_the_consent_names(life: &mut Life) {
    let taken = tsunagi::domain::consent::Exception { rcp: vec![HOME.parse().unwrap()], pur: None, cls: None };
    let end = life.story.sign_end(&life.consent, Some(vec![taken]));
    life.story.register_end(&life.consent, &end).await.unwrap();
    let problem = life.refused(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    assert_eq!((problem.status, problem.code.as_str()), (403, "consent_scope"), "{}", problem.text);
    life.goes(letter(MessageKind::PlacementRequest, CITY, DAY)).await;
}

async fn an_explanation_of_a_later_message_says_what_a_submission_does(life: &mut Life) {
    let enquiry = life.sign(&letter(MessageKind::Enquiry, CITY, HOME));
    let explained = explain(life, CITY, &enquiry.sd_jwt).await;
    assert_eq!(explained["outcome"], "accepted", "{explained:#}");
    assert_eq!((&explained["readers"][0]["reader"], &explained["readers"][0]["relation"]), (&json!(HOME), &json!("prospective")));
    assert!(life.listed(HOME).await.is_empty(), "asking lets nobody in");
    life.post(CITY, &enquiry).await.unwrap();
    let early = life.sign(&letter(MessageKind::ServiceHandoff, CITY, HOME));
    let explained = explain(life, CITY, &early.sd_jwt).await;
    let refusals = explained["refusals"].as_array().unwrap();
    assert!(refusals.iter().any(|refusal| refusal["code"] == "state_conflict"), "{explained:#}");

    life.learn(HOME).await;
    // Who has no part in the case for all that a sender knows: whether the consent names it is not told by asking either.
    let asked = life.sign(&Letter { bare: false, ..letter(MessageKind::StatusNotice, HOME, OFFICE) });
    let named = explain(life, HOME, &asked.sd_jwt).await;
    let taken = tsunagi::domain::consent::Exception { rcp: vec![OFFICE.parse().unwrap()], pur: None, cls: None };
    let end = life.story.sign_end(&life.consent, Some(vec![taken]));
    life.story.register_end(&life.consent, &end).await.unwrap();
    let unnamed = explain(life, HOME, &asked.sd_jwt).await;
    assert_eq!(named["refusals"], unnamed["refusals"]);
    assert!(named["refusals"].to_string().contains("nothing_possible") && !named.to_string().contains("consent_scope"), "{named:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_centre_acts_for_its_municipality_while_the_delegation_holds() {
    let mut life = Life::referred_with(true).await;
    life.learn(CORE).await;
    life.goes(letter(MessageKind::ReferralAck, CORE, CENTRE)).await;
    life.goes(letter(MessageKind::ReferralDecision, CORE, CENTRE).with("decision", "accepted")).await;
    assert_eq!(life.told(CITY).await, tell("accepted", "assigned", "referral"), "what its delegate decided, it decided");
    let enquiry = life.goes(letter(MessageKind::Enquiry, CORE, HOME)).await;
    assert!(life.shown(HOME, CORE, &enquiry, PLACEMENT).await.contains(&"age_band".to_owned()));
    let reply = life.goes(letter(MessageKind::EnquiryReply, HOME, CORE).with("reply", "possible")).await;
    let read = life.read(CORE, HOME, &reply, PLACEMENT).await.unwrap();
    assert_eq!(read.release.binding.tsn.on_behalf_of.as_ref().map(ToString::to_string).as_deref(), Some(CITY));
    let entry: serde_json::Value = serde_json::from_slice(&read.leaf).unwrap();
    assert_eq!((&entry["actor"]["party"], &entry["actor"]["for"]), (&json!(CORE), &json!(CITY)), "both stand in the ledger");

    life.suspend_agreement().await;
    let problem = life.refused(letter(MessageKind::Enquiry, CORE, DAY)).await;
    assert_eq!(problem.status, 404, "without the delegation there is no case for it: {}", problem.text);
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_sends_lists_and_shows_messages() {
    let life = Life::referred().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    let body = file.to_str().unwrap();
    let case = life.case(CITY);
    let write = |rows: serde_json::Value| std::fs::write(&file, rows.to_string()).unwrap();
    let send =
        |kind| life.command(CITY, &["send", "--kind", kind, "--case", case, "--to", CENTRE, "--body", body, "--basis", "consent_69_2_1"]);
    write(json!({"decision": "accepted"}));
    let sent = send("referral_decision").unwrap();
    let message = sent[0]["message"].as_str().unwrap();
    assert_eq!((&sent[0]["kind"], &sent[0]["case"]), (&json!("referral_decision"), &json!(case)));
    let (code, told) = send("referral_decision").unwrap_err();
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("state_conflict") && told.contains("supplement"), "it says what is possible: {told}");

    let listed = life.command(CITY, &["list", "--case", case]).unwrap();
    let kinds: Vec<_> = listed.as_array().unwrap().iter().map(|head| (head["kind"].clone(), head["direction"].clone())).collect();
    assert_eq!(kinds, [(json!("referral"), json!("in")), (json!("referral_decision"), json!("out"))]);
    let shown = life.command(CENTRE, &["show", "--case", life.case(CENTRE), message]).unwrap();
    assert_eq!((&shown[0]["body"]["decision"], &shown[0]["from"]), (&json!("accepted"), &json!(CITY)));
    life.server.stop().await;
}

async fn explain(life: &Life, from: &str, sd_jwt: &str) -> serde_json::Value {
    let party = life.party(from);
    let response = party.post("/v1/explain", PLACEMENT, "application/jose", party.seal(sd_jwt)).await.unwrap();
    serde_json::from_slice(&response.body).unwrap()
}

impl Life {
    /// The rows of the referral that the city is shown now.
    async fn read_first(&self, reader: &str) -> Vec<String> {
        let target = format!("/v1/cases/{}", self.case(reader));
        let released = self.party(reader).read(&target, PLACEMENT, self.party(CENTRE).signing.public()).await.unwrap();
        released.release.disclosed.rows.iter().map(|row| row.key.to_string()).collect()
    }
}

fn tell(state: &str, relation: &str, kind: &str) -> (String, String, String) {
    (state.to_owned(), relation.to_owned(), kind.to_owned())
}

fn soon() -> serde_json::Value {
    json!(tsunagi::domain::day::Day::in_japan(crate::exchange_stage::party::now().plus_secs(14 * 86_400)).to_string())
}

/// A problem document without what is of one request.
fn without_instance(text: &str) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
    document.as_object_mut().unwrap().remove("instance").unwrap();
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enquiries_in_other_words_tell_a_provider_no_more_than_one() {
    let mut life = Life::accepted().await;
    let enquiry = |to, needs: &[&str]| letter(MessageKind::Enquiry, CITY, to).with("key_support_needs", json!(needs));
    life.goes(enquiry(HOME, &["medication_prompt", "hospital_visit"])).await;
    let problem = life.refused(enquiry(HOME, &["smoking"])).await;
    assert_eq!((problem.status, problem.code.as_str()), (422, "schema_invalid"), "{}", problem.text);
    assert!(problem.text.contains("too_many_quasi_identifiers:6"), "{}", problem.text);
    life.goes(enquiry(HOME, &["hospital_visit"])).await;
    life.goes(enquiry(DAY, &["smoking"])).await;
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_by_messages_fits_the_database_that_is_inspected() {
    let mut life = Life::in_use().await;
    life.goes(letter(MessageKind::HandoverProposal, CENTRE, CITY)).await;
    life.goes(letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", soon())).await;
    life.goes(letter(MessageKind::StatusNotice, HOME, CITY).with("status", "ended")).await;
    life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    life.another().await;
    life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource")).await;
    let Life { server, sandbox, .. } = life;
    server.stop().await;
    let mut command = std::process::Command::new(BINARY);
    let inspected = command.args(["audit", "inspect", "-c"]).arg(sandbox.config()).output().unwrap();
    assert!(inspected.status.success(), "{}{}", String::from_utf8_lossy(&inspected.stdout), String::from_utf8_lossy(&inspected.stderr));
}
