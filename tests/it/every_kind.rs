//! Every kind of message as a newcomer sends it: `tsunagi message send` with the published example, in a state in which it is possible, and in one in
//! which it is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Map, Value, json};
use tsunagi::{
    client::SignedConsent,
    domain::{codes::MessageKind, ids::Jti},
};

use crate::{
    exchange_stage::BINARY,
    story_stage::{CAST, Cast, Letter, every_class, item, named_rows, party},
};

use MessageKind as M;

/// The walk through three cases and four exchanges: kind, sender, recipient, and the word of a message that decides.
const WALK: &[(MessageKind, &str, &str, &str)] = &[
    (M::Referral, "centre", "city", ""),
    (M::ReferralAck, "city", "centre", ""),
    (M::Supplement, "centre", "city", ""),
    (M::ReferralDecision, "city", "centre", "accepted"),
    (M::ResourceInfo, "city", "centre", ""),
    (M::Enquiry, "city", "home1", ""),
    (M::EnquiryReply, "home1", "city", "possible"),
    (M::PlacementRequest, "city", "home1", ""),
    (M::PlacementDecision, "home1", "city", "accepted"),
    (M::PlanRequest, "city", "office", ""),
    (M::PlanNotice, "office", "city", ""),
    (M::BenefitNotice, "city", "home1", ""),
    (M::ServiceHandoff, "city", "home1", ""),
    (M::InterviewEvidence, "office", "city", ""),
    (M::StatusNotice, "home1", "city", "started"),
    (M::MeetingNotice, "core", "centre", ""),
    (M::MeetingRecord, "core", "centre", ""),
    (M::VisitRecord, "city", "home1", ""),
    (M::ConsultationRequest, "home1", "city", ""),
    (M::ConsultationReply, "city", "home1", ""),
    (M::MunicipalAdviceRequest, "city", "centre", ""),
    (M::MunicipalAdviceReply, "centre", "city", ""),
    (M::CenterShare, "city", "centre", ""),
    (M::CenterTransfer, "centre", "centre2", ""),
    (M::Correction, "city", "home1", ""),
    (M::CoordinationCertificate, "centre", "city", ""),
    (M::CertificateRevocation, "centre", "city", ""),
    (M::HandoverProposal, "centre", "city", ""),
    (M::HandoverAgreed, "city", "centre", "agreed"),
    (M::ConsentEvent, "city", "home1", ""),
    (M::ErasureRequest, "city", "home1", ""),
    (M::ErasureReport, "home1", "city", ""),
    (M::IncidentNotice, "home1", "city", ""),
    (M::ClosingNotice, "city", "home1", ""),
    // Each of these opens something of its own.
    (M::ThirdPartyReferral, "bar", "city", ""),
    (M::ProviderConsultation, "home1", "city", ""),
    (M::TrainingNotice, "centre", "city", ""),
    (M::PeriodicConsultation, "centre", "city", ""),
    (M::CouncilNotice, "city", "home1", ""),
    (M::ProviderNotice, "home1", "city", ""),
];

/// What is still due when a case is over; it is refused before anything passed between the two.
const TOO_EARLY: &[(MessageKind, &str, &str, &str)] = &[
    (M::ConsentEvent, "city", "office", ""),
    (M::ErasureRequest, "city", "office", ""),
    (M::ErasureReport, "city", "office", ""),
    (M::IncidentNotice, "city", "home1", ""),
    (M::CertificateRevocation, "city", "home1", ""),
    (M::ClosingNotice, "city", "home1", ""),
    // And some of the work itself, while nobody has taken the case on.
    (M::Enquiry, "city", "home1", ""),
    (M::PlanRequest, "city", "office", ""),
    (M::HandoverAgreed, "city", "centre", "agreed"),
    (M::MeetingRecord, "core", "centre", ""),
];

/// The row in which a message says what it decides.
const DECIDES: &[(MessageKind, &str)] = &[
    (M::ReferralDecision, "decision"),
    (M::PlacementDecision, "decision"),
    (M::EnquiryReply, "reply"),
    (M::HandoverAgreed, "handover_reply"),
    (M::StatusNotice, "status"),
];

/// A person at a command line: whose identity, which files.
struct Desk {
    cast: Cast,
    folder: tempfile::TempDir,
    /// Cases that somebody stands in, by the message that opened them.
    cases: BTreeMap<(&'static str, MessageKind), String>,
    /// The last message of each kind.
    sent: BTreeMap<MessageKind, Value>,
    consents: BTreeMap<MessageKind, PathBuf>,
    /// The consent of the referral.
    consent: Jti,
}

/// How a command ended that did not do it.
#[derive(Debug)]
struct Refused {
    code: String,
    rows: Vec<(String, String)>,
}

impl Desk {
    async fn open() -> Self {
        let cast = Cast::open().await;
        let folder = tempfile::tempdir().unwrap();
        let everybody: Vec<&str> = CAST.iter().map(|(name, ..)| *name).collect();
        let items = json!([item(&everybody, &every_class(), &every_class())]);
        let (mut consents, mut first) = (BTreeMap::new(), None);
        for (opens, collector) in [(M::Referral, "centre"), (M::ThirdPartyReferral, "bar"), (M::ProviderConsultation, "city")] {
            let consent: SignedConsent = cast.consent(collector, &items, None).await;
            let file = folder.path().join(format!("{opens}.jwt"));
            fs::write(&file, consent.token()).unwrap();
            first.get_or_insert(consent.jti());
            consents.insert(opens, file);
        }
        Self { cast, folder, cases: BTreeMap::new(), sent: BTreeMap::new(), consents, consent: first.unwrap() }
    }

    fn tsunagi(&self, name: &str, words: &[&str]) -> Result<Vec<Value>, Refused> {
        let mut command = Command::new(BINARY);
        command.args(["--lang", "en", "--json"]).args(words).stdin(Stdio::null());
        let output = command.env("TSUNAGI_IDENTITY", self.cast.sandbox.identity(&party(name))).output().unwrap();
        let lines = |bytes: Vec<u8>| -> Vec<Value> {
            String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        if output.status.success() {
            return Ok(lines(output.stdout));
        }
        let told = lines(output.stderr).remove(0);
        assert_eq!((output.status.code(), &told["error"]), (Some(1), &json!("refused")), "{words:?}: {told}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = told["violations"].as_array().unwrap().iter().map(|row| (text(&row["field"]), text(&row["rule"]))).collect();
        Err(Refused { code: text(&told["code"]), rows })
    }

    /// Sends a kind into the case that another opened, or lets it open one.
    fn send(
        &self,
        (kind, from, to): (MessageKind, &str, &str),
        body: &Map<String, Value>,
        (within, opened_by): (Option<&str>, MessageKind),
    ) -> Result<Vec<Value>, Refused> {
        let file = self.folder.path().join("body.json");
        fs::write(&file, Value::Object(body.clone()).to_string()).unwrap();
        let (kind_word, recipient) = (kind.to_string(), party(to).to_string());
        let purposes: Vec<String> = Cast::purposes(from, to).iter().map(ToString::to_string).collect();
        let mut words = vec!["message", "send", "--kind", &kind_word, "--to", &recipient, "--body", file.to_str().unwrap()];
        words.extend(["--agreement", "AG-13-0010", "--basis", "within_purpose"]);
        words.extend(purposes.iter().flat_map(|purpose| ["--for", purpose]));
        if let Some(case) = within {
            words.extend(["--case", case]);
        }
        // Providers do not see the consent before they accepted, and answers need none.
        let answers = matches!(kind, M::EnquiryReply | M::PlacementDecision);
        if let Some(consent) = self.consents.get(&opened_by).filter(|_| !kind.concerns_nobody() && !answers) {
            words.extend(["--consent", consent.to_str().unwrap()]);
        }
        self.tsunagi(from, &words)
    }

    /// Certificates are made before they are sent, and so are their revocations: by commands of their own.
    fn certify(&self, kind: MessageKind, to: &str, case: &str) -> Option<Result<Vec<Value>, Refused>> {
        let person = self.folder.path().join("person.json");
        fs::write(&person, json!({"family_name": "小波", "given_name": "健太", "birth_date": "1984-05-17"}).to_string()).unwrap();
        let (to, consent) = (party(to).to_string(), self.consent.to_string());
        let road = ["--case", case, "--to", &to, "--agreement", "AG-13-0010", "--basis", "within_purpose"];
        let what = match kind {
            M::CoordinationCertificate => {
                let about = ["--no", "TC13-0001", "--provider", "1320100017", "--addon", "community_life_transition"];
                let whose = [
                    "--eligibility",
                    "correctional_release",
                    "--from",
                    "2026-09-01",
                    "--until",
                    "2029-08-31",
                    "--person",
                    person.to_str().unwrap(),
                ];
                [&["certificate", "issue"], &road[..], &about, &whose, &["--consent", &consent]].concat()
            }
            M::CertificateRevocation => [&["certificate", "revoke"], &road[..], &["--why", "facts_changed"]].concat(),
            _ => return None,
        };
        Some(self.tsunagi("centre", &what))
    }

    fn body(&self, kind: MessageKind, word: &str) -> Map<String, Value> {
        let mut body: Map<String, Value> = self.cast.example(kind).into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        if let Some((_, row)) = DECIDES.iter().find(|(deciding, _)| *deciding == kind) {
            body.insert((*row).to_owned(), json!(word));
        }
        if let (M::Correction, Some(corrected)) = (kind, self.sent.get(&M::ServiceHandoff)) {
            body.insert("corrects".to_owned(), corrected.clone());
        }
        body
    }

    /// Sends the example; leaves out what it is told that the recipient may not have, and then it must pass.
    fn goes(&mut self, (kind, from, to, word): (MessageKind, &'static str, &'static str, &str)) {
        let mut body = self.body(kind, word);
        let opens = !self.is_of_the_case(kind);
        let opened_by = if opens { kind } else { M::Referral };
        let within = (!opens).then(|| self.case(from, opened_by));
        let mut sent = match within.as_deref().and_then(|case| self.certify(kind, to, case)) {
            Some(certified) => certified,
            None => self.send((kind, from, to), &body, (within.as_deref(), opened_by)),
        };
        if let Err(refused) = &sent {
            assert_eq!(refused.code, "over_disclosure", "{kind}: {refused:?}");
            let before = body.len();
            body.retain(|key, _| !refused.rows.iter().any(|(field, _)| field == key));
            assert_eq!(body.len() + refused.rows.len(), before, "{kind}: each row once");
            sent = self.send((kind, from, to), &body, (within.as_deref(), opened_by));
        }
        let sent = sent.unwrap_or_else(|refused| panic!("{kind} from {from} to {to}: {refused:?}"));
        let case = sent[0]["case"].as_str().unwrap().to_owned();
        assert!(within.is_none_or(|within| within == case), "{kind} went astray");
        self.cases.insert((from, opened_by), case);
        self.sent.insert(kind, sent[0]["message"].clone());
        self.arrives((kind, to), opened_by);
    }

    /// Openings of their own open a case; everything else belongs to the referral's.
    fn is_of_the_case(&self, kind: MessageKind) -> bool {
        let own = matches!(kind, M::ThirdPartyReferral | M::ProviderConsultation) || (kind.concerns_nobody() && kind != M::ResourceInfo);
        !own && (kind != M::Referral || self.cases.contains_key(&("centre", M::Referral)))
    }

    /// The recipient finds it: by its own list of cases, and in the case.
    fn arrives(&mut self, (kind, to): (MessageKind, &'static str), opened_by: MessageKind) {
        let purpose = Cast::purposes(to, to)[0].to_string();
        if !self.cases.contains_key(&(to, opened_by)) {
            let listed = self.tsunagi(to, &["case", "list", "--purpose", &purpose]).unwrap();
            let known: Vec<&String> = self.cases.iter().filter(|((name, _), _)| *name == to).map(|(_, case)| case).collect();
            let ids: Vec<String> = listed.iter().map(|case| case["case"].as_str().unwrap().to_owned()).collect();
            let fresh: Vec<&String> = ids.iter().filter(|id| !known.contains(id)).collect();
            assert_eq!(fresh.len(), 1, "{kind}: {to} knows {listed:?}");
            self.cases.insert((to, opened_by), fresh[0].clone());
        }
        let case = &self.cases[&(to, opened_by)];
        let listed = self.tsunagi(to, &["message", "list", "--case", case, "--purpose", &purpose]).unwrap();
        let last = listed.last().unwrap();
        assert_eq!((&last["kind"], &last["direction"]), (&json!(kind), &json!("in")), "{to}");
    }

    /// A case as somebody knows it. A delegate finds it in its list.
    fn case(&mut self, name: &'static str, opened_by: MessageKind) -> String {
        if let Some(case) = self.cases.get(&(name, opened_by)) {
            return case.clone();
        }
        let listed = self.tsunagi(name, &["case", "list"]).unwrap();
        let case = listed[0]["case"].as_str().unwrap().to_owned();
        assert_eq!((listed.len(), listed[0]["for"].as_str()), (1, Some("municipality:131016-1")), "{name}: {listed:?}");
        self.cases.insert((name, opened_by), case.clone());
        case
    }

    /// A kind that is not possible now: it is said what is.
    fn is_not_possible(
        &mut self,
        (kind, from, to, word): (MessageKind, &'static str, &'static str, &str),
        within: MessageKind,
    ) -> Vec<String> {
        let (body, case) = (self.body(kind, word), self.case(from, within));
        let refused = self.send((kind, from, to), &body, (Some(&case), within)).unwrap_err();
        assert_eq!(refused.code, "state_conflict", "{kind}: {refused:?}");
        assert!(!refused.rows.is_empty() && refused.rows.iter().all(|(field, _)| field == "kind"), "{kind}: {refused:?}");
        let possible: Vec<String> = refused.rows.into_iter().map(|(_, rule)| rule).collect();
        assert!(!possible.contains(&kind.to_string()), "{kind}: {possible:?}");
        possible
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_is_sent_from_the_command_line_and_refused_in_a_wrong_state() {
    let walked: BTreeSet<MessageKind> = WALK.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!((walked.len(), WALK.len()), (MessageKind::ALL.len(), MessageKind::ALL.len()), "each kind once");
    let mut desk = Desk::open().await;
    let mut refused = BTreeSet::new();

    desk.goes(WALK[0]);
    for early in TOO_EARLY {
        let possible = desk.is_not_possible(*early, M::Referral);
        refused.insert(early.0);
        if (early.1, early.2) == ("city", "centre") {
            assert!(possible.contains(&"referral_decision".to_owned()), "{}: {possible:?}", early.0);
        } else if early.1 == "city" {
            assert_eq!(possible, ["nothing_possible"], "{}", early.0);
        }
    }
    for line in &WALK[1..] {
        desk.goes(*line);
    }

    // The case is closed: what belongs to its life is over for everybody.
    for line in WALK.iter().filter(|(kind, ..)| !TOO_EARLY.iter().any(|(early, ..)| early == kind)) {
        let within = match line.0 {
            M::ThirdPartyReferral | M::ProviderConsultation => line.0,
            _ => M::Referral,
        };
        desk.is_not_possible(*line, within);
        refused.insert(line.0);
    }
    assert_eq!(refused, walked, "each kind was refused once");
    desk.cast.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_what_a_body_provides_it_says_itself_unless_the_consent_does() {
    let mut desk = Desk::open().await;
    desk.goes(WALK[0]);
    let file = desk.folder.path().join("body.json");
    fs::write(&file, Value::Object(desk.body(M::ReferralAck, "")).to_string()).unwrap();
    let (to, case) = (party("centre").to_string(), desk.case("city", M::Referral));
    let mut words = vec!["message", "send", "--kind", "referral_ack", "--to", &to, "--case", &case, "--body", file.to_str().unwrap()];
    let mut command = Command::new(BINARY);
    command.args(&words).env("TSUNAGI_IDENTITY", desk.cast.sandbox.identity(&party("city"))).stdin(Stdio::null());
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--basis") && told.contains("consent_69_2_1"), "{told}");
    words.extend(["--consent", desk.consents[&M::Referral].to_str().unwrap()]);
    let sent = desk.tsunagi("city", &words);
    assert!(sent.is_ok() || sent.as_ref().is_err_and(|refused| refused.code == "over_disclosure"), "{sent:?}");
    desk.cast.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_opens_nothing_asks_for_its_case() {
    let desk = Desk::open().await;
    let file = desk.folder.path().join("body.json");
    fs::write(&file, "{}").unwrap();
    for (lang, said) in [("en", "--case"), ("ja", "--case で指定してください")] {
        let mut command = Command::new(BINARY);
        command.args(["--lang", lang, "message", "send", "--kind", "enquiry", "--to", &party("home1").to_string(), "--body"]).arg(&file);
        let output = command.env("TSUNAGI_IDENTITY", desk.cast.sandbox.identity(&party("city"))).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said) && told.contains("tsunagi case list"), "{told}");
    }
    desk.cast.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_opens_a_consultation_only_with_a_consent_that_names_it_and_that_no_case_rests_on() {
    let cast = Cast::open().await;
    let consent = cast.consent("city", &json!([item(&["city", "home1"], &every_class(), &[])]), None).await;
    let asks = |from: &'static str| {
        let purposes = Cast::purposes(from, "city");
        Letter { kind: M::ProviderConsultation, from, to: "city", case: None, consent: Some(&consent), purposes, source: None }
    };
    let body = cast.example(M::ProviderConsultation);
    for (from, code) in [("home2", "no_consent"), ("home1", ""), ("home1", "no_consent")] {
        let told = cast.post(&asks(from), &cast.sign(&asks(from), &body)).await.map_err(|error| named_rows(error).0);
        assert_eq!(told.map(|_| ()), if code.is_empty() { Ok(()) } else { Err(code.to_owned()) }, "{from}");
    }
    cast.server.stop().await;
}
