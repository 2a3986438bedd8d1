//! Two worlds in which a case goes on differently behind the back of one of its parties, and the same answers to that party: lists, counts, cursors,
//! errors and sizes, byte for byte but for ids, times and ciphertext (see `worlds_alike`).

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use serde_json::json;
use tsunagi::{
    client::SignedConsent,
    domain::{
        codes::MessageKind,
        consent::{EndedBy, Exception},
        field::{FieldClass, FieldKey},
        ids::{CaseId, Jti},
    },
};

use crate::{
    exchange_stage::{Sandbox, Settings, story::Story},
    story_stage::{Cast, Letter, PLACEMENT, PROVISION, every_class, first_purpose, item, party},
    worlds_alike::{
        Hidden, Own, World, fill_up_to,
        probes::{Seen, ask_everything},
    },
};

use MessageKind as M;

/// A case, as far as it came.
#[derive(Clone)]
struct Past {
    consent: SignedConsent,
    cases: BTreeMap<&'static str, CaseId>,
    first: Jti,
}

/// One of the worlds while things happen in it.
struct Stage<'a> {
    cast: &'a Cast,
    story: &'a Story,
    past: Past,
    wanted: i64,
    /// The last message.
    last: Jti,
}

type Happens = for<'a, 'b> fn(&'a mut Stage<'b>) -> Pin<Box<dyn Future<Output = Hidden> + 'a>>;

impl Stage<'_> {
    async fn send(&mut self, letter: (MessageKind, &'static str, &'static str), rows: &[(&str, &str)], without: &[&str]) -> Jti {
        let mut body = self.cast.example(letter.0);
        if letter.0 == M::Correction {
            body.insert("corrects".parse().unwrap(), json!(self.last));
        }
        for (key, value) in rows {
            body.entry(key.parse::<FieldKey>().unwrap()).and_modify(|row| *row = json!(value));
        }
        body.retain(|key, _| !without.contains(&key.as_str()));
        let bare = letter.0.may_name_no_consent();
        for again in [true, false] {
            let what = self.letter(letter, bare);
            let signed = self.cast.sign(&what, &body);
            match self.cast.post(&what, &signed).await {
                Ok(accepted) => {
                    self.past.cases.insert(letter.1, accepted.subject.case.unwrap());
                    self.finds(letter.2).await;
                    self.last = signed.jti();
                    return self.last;
                }
                Err(error) => {
                    let (code, rows) = crate::story_stage::named_rows(error);
                    assert!(again && code == "over_disclosure", "{letter:?}: {code} {rows:?}");
                    body.retain(|key, _| !rows.contains(&key.to_string()));
                }
            }
        }
        unreachable!("the second attempt returns or panics")
    }

    fn letter(&self, (kind, from, to): (MessageKind, &'static str, &'static str), bare: bool) -> Letter<'_> {
        let case = self.past.cases.get(from).copied();
        let consent = (!bare).then_some(&self.past.consent);
        Letter { kind, from, to, case, consent, purposes: Cast::purposes(from, to), source: None }
    }

    async fn finds(&mut self, name: &'static str) {
        if !self.past.cases.contains_key(name) {
            let page = self.cast.client(name).list_cases(first_purpose(name), None, 0).await.unwrap();
            let [head] = page.cases.as_slice() else { panic!("{name} knows {} cases", page.cases.len()) };
            self.past.cases.insert(name, head.case);
        }
    }

    /// From here on both worlds have the same indices again.
    async fn even(&mut self) {
        self.wanted += 24;
        fill_up_to(&self.cast.sandbox, self.story, self.wanted).await;
    }

    /// A message that its sender has yet to send.
    fn signed(&self, letter: (MessageKind, &'static str, &'static str)) -> String {
        let draft = self.cast.draft(&self.letter(letter, letter.0.may_name_no_consent()), &self.cast.example(letter.0));
        draft.sign(&self.cast.sandbox.party(&party(letter.1).to_string()).signing).unwrap()
    }

    fn case(&self, name: &str) -> String {
        self.past.cases[name].to_string()
    }

    /// The person takes a class back from a party.
    async fn takes_back(&self, name: &str, class: FieldClass) {
        let taken = Exception { rcp: vec![party(name).to_string().parse().unwrap()], pur: None, cls: Some(vec![class]) };
        let centre = self.cast.client("centre");
        centre.end_consent(self.past.consent.jti(), EndedBy::Self_, "the person said so", Some(vec![taken]), PLACEMENT).await.unwrap();
    }
}

/// What happens in one of two worlds shows to nobody who observes it.
async fn alike(observer: &'static str, worlds: [Happens; 2]) {
    let differing = differing(observer, worlds).await;
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
}

async fn differing(observer: &'static str, worlds: [Happens; 2]) -> Vec<String> {
    let (sandbox, past, size) = common_past().await;
    let mut seen: Vec<Vec<Seen>> = Vec::new();
    for (twin, happens) in [(sandbox.twin(), worlds[0]), (sandbox.twin(), worlds[1])] {
        let cast = Cast::on(twin).await;
        let story = Story::open(&cast.sandbox).await;
        let mut stage = Stage { cast: &cast, story: &story, past: past.clone(), wanted: size, last: past.first };
        let hidden = happens(&mut stage).await;
        stage.even().await;
        let own = Own { at_probation: String::new(), at_core: String::new(), message: past.first, consent: past.consent.jti() };
        let Cast { sandbox, server, .. } = cast;
        let world = World { sandbox, story, own };
        let observing = Arc::new(world.sandbox.party(&party(observer).to_string()));
        seen.push(ask_everything(&world, &observing, &hidden).await);
        server.stop().await;
    }
    let (one, other) = (&seen[0], &seen[1]);
    assert!(one.len() == other.len() && one.len() >= 25, "not every route was asked: {} and {}", one.len(), other.len());
    let pairs = one.iter().zip(other).filter(|(one, other)| one != other);
    pairs.map(|(one, other)| format!("{}\n  {}\n  {}", one.question, one.answer, other.answer)).collect()
}

/// A case that the municipality took on, and in which it asked the first home.
async fn common_past() -> (Sandbox, Past, i64) {
    let cast = Cast::on(Sandbox::new(Settings::default())).await;
    let story = Story::open(&cast.sandbox).await;
    let everybody = ["centre", "city", "core", "office", "home1", "home2", "day"];
    let consent = cast.consent("centre", &json!([item(&everybody, &every_class(), &every_class())]), None).await;
    let past = Past { first: consent.jti(), consent, cases: BTreeMap::new() };
    let mut stage = Stage { cast: &cast, story: &story, last: past.first, past, wanted: 0 };
    stage.send((M::Referral, "centre", "city"), &[], &[]).await;
    stage.send((M::ReferralDecision, "city", "centre"), &[("decision", "accepted")], &[]).await;
    stage.past.first = stage.send((M::Enquiry, "city", "home1"), &[], &[]).await;
    let (past, size) = (stage.past, 96);
    fill_up_to(&cast.sandbox, &story, size).await;
    let Cast { sandbox, server, .. } = cast;
    server.stop().await;
    (sandbox, past, size)
}

/// Others are asked: one refuses, another is taken into consideration; a plan is asked for, and the centre is told more.
fn others_are_asked<'a>(stage: &'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Hidden> + 'a>> {
    Box::pin(async move {
        let theirs = stage.send((M::Enquiry, "city", "home2"), &[], &[]).await;
        stage.send((M::EnquiryReply, "home2", "city"), &[("reply", "impossible")], &[]).await;
        stage.send((M::PlacementRequest, "city", "day"), &[], &[]).await;
        stage.send((M::PlanRequest, "city", "office"), &[], &[]).await;
        stage.send((M::Supplement, "city", "centre"), &[], &[]).await;
        let heard = vec![stage.case("city"), stage.case("home2")];
        is_asked(stage, heard, theirs).await
    })
}

fn nobody_else_is_asked<'a>(stage: &'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Hidden> + 'a>> {
    Box::pin(async move {
        let heard = vec![stage.case("city"), uuid::Uuid::new_v4().to_string()];
        is_asked(stage, heard, uuid::Uuid::new_v4().to_string().parse().unwrap()).await
    })
}

/// Behind all that the home is asked by name and takes the person; it tries to reach everybody else.
async fn is_asked(stage: &mut Stage<'_>, heard: Vec<String>, theirs: Jti) -> Hidden {
    stage.even().await;
    let request = stage.send((M::PlacementRequest, "city", "home1"), &[], &[]).await;
    stage.send((M::PlacementDecision, "home1", "city"), &[("decision", "accepted")], &[]).await;
    let case = stage.case("home1");
    let mut tries = Vec::new();
    for kind in [M::StatusNotice, M::IncidentNotice, M::ErasureRequest, M::ErasureReport, M::Correction, M::EnquiryReply] {
        for to in ["centre", "office", "home2", "day", "city2", "bar", "probation"] {
            tries.push((format!("{kind} to {to}"), case.clone(), stage.signed((kind, "home1", to))));
        }
    }
    for kind in [M::ConsultationRequest, M::PlacementDecision] {
        tries.push((format!("{kind} to city2"), case.clone(), stage.signed((kind, "home1", "city2"))));
    }
    let cases = std::iter::once(case).chain(heard).collect();
    Hidden { cases, message: Some(request), messages: vec![theirs], tries, shared: true, ..Hidden::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_does_not_learn_whom_else_the_municipality_asked() {
    alike("home1", [others_are_asked, nobody_else_is_asked]).await;
}

/// Messages with rows that the observer could be shown, or without them; then the person takes their classes back.
async fn with_rows(stage: &mut Stage<'_>, hidden_rows: bool) -> Hidden {
    // Such as no form demands.
    let without: &[&str] = if hidden_rows { &[] } else { HIDDEN };
    let enquiry = stage.send((M::Enquiry, "city", "home1"), &[], without).await;
    let request = stage.send((M::PlacementRequest, "city", "home1"), &[], without).await;
    stage.send((M::PlacementDecision, "home1", "city"), &[("decision", "accepted")], &[]).await;
    let mut messages = vec![enquiry];
    for kind in [M::ServiceHandoff, M::Correction, M::BenefitNotice, M::VisitRecord] {
        messages.push(stage.send((kind, "city", "home1"), &[], without).await);
    }
    messages.push(stage.send((M::ConsultationRequest, "home1", "city"), &[], &[]).await);
    messages.push(stage.send((M::ConsultationReply, "city", "home1"), &[], without).await);
    for class in TAKEN {
        stage.takes_back("home1", *class).await;
    }
    Hidden { cases: vec![stage.case("home1")], message: Some(request), messages, shared: true, ..Hidden::default() }
}

/// The same rows, and in one world they say something else: without them the list of digests would be shorter by a step.
async fn shared_with_rows(stage: &mut Stage<'_>, as_published: bool) -> Hidden {
    let other: Vec<(&str, &str)> = HIDDEN.iter().map(|row| (*row, "ほかのこと")).collect();
    let rows: &[(&str, &str)] = if as_published { &[] } else { &other };
    let supplement = stage.send((M::Supplement, "city", "centre"), rows, &[]).await;
    let mut messages = Vec::new();
    for kind in [M::CenterShare, M::MunicipalAdviceRequest] {
        messages.push(stage.send((kind, "city", "centre"), rows, &[]).await);
    }
    stage.finds("core").await;
    messages.push(stage.send((M::MeetingRecord, "core", "centre"), rows, &[]).await);
    for class in TAKEN {
        stage.takes_back("centre", *class).await;
    }
    Hidden { cases: vec![stage.case("centre")], message: Some(supplement), messages, shared: true, ..Hidden::default() }
}

const TAKEN: &[FieldClass] = &[FieldClass::RiskEnvironment, FieldClass::CareNeed, FieldClass::Followup];
const HIDDEN: &[&str] = &["trigger_situations", "no_go_area", "allergies_diet", "followup_note"];

/// Compares what an observer reads for a purpose.
macro_rules! hidden_rows {
    ($name:ident, $observer:literal, $happens:ident, $purpose:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            fn happens<'a>(stage: &'a mut Stage<'_>, rows: bool) -> Pin<Box<dyn Future<Output = Hidden> + 'a>> {
                Box::pin(async move { Hidden { purpose: Some($purpose), ..$happens(stage, rows).await } })
            }
            alike($observer, [|stage| happens(stage, true), |stage| happens(stage, false)]).await;
        }
    };
}

hidden_rows!(rows_that_a_provider_may_not_see_show_nowhere_while_it_considers, "home1", with_rows, PLACEMENT);
hidden_rows!(rows_that_a_provider_may_not_see_show_nowhere_while_it_serves, "home1", with_rows, PROVISION);
hidden_rows!(rows_that_the_centre_may_not_see_show_nowhere, "centre", shared_with_rows, PLACEMENT);

/// A later consent leaves out the home that serves the person; perhaps the person then ends it.
async fn left_out(stage: &mut Stage<'_>, ends: bool) -> Hidden {
    let request = stage.send((M::PlacementRequest, "city", "home1"), &[], &[]).await;
    stage.send((M::PlacementDecision, "home1", "city"), &[("decision", "accepted")], &[]).await;
    let question = stage.send((M::ConsultationRequest, "home1", "city"), &[], &[]).await;
    let others = ["centre", "city", "core", "office", "home2", "day"];
    let items = json!([item(&others, &every_class(), &every_class())]);
    let later = stage.cast.consent("centre", &items, Some(&stage.past.consent)).await;
    if ends {
        stage.cast.client("centre").end_consent(later.jti(), EndedBy::Self_, "the person said so", None, PLACEMENT).await.unwrap();
    }
    let (cases, messages) = (vec![stage.case("home1")], vec![question]);
    let reference = Some((later.reference(), later.sub().as_str().to_owned()));
    Hidden { cases, message: Some(request), messages, consent: Some(later.jti()), reference, shared: true, ..Hidden::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_later_consent_left_out_does_not_learn_whether_it_was_ended() {
    alike("home1", [|stage| Box::pin(left_out(stage, true)), |stage| Box::pin(left_out(stage, false))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_may_see_is_found_to_differ() {
    fn told<'a>(stage: &'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Hidden> + 'a>> {
        Box::pin(async move {
            let request = stage.send((M::PlacementRequest, "city", "home1"), &[], &[]).await;
            Hidden { cases: vec![stage.case("home1")], message: Some(request), shared: true, ..Hidden::default() }
        })
    }
    fn told_less<'a>(stage: &'a mut Stage<'_>) -> Pin<Box<dyn Future<Output = Hidden> + 'a>> {
        Box::pin(async move {
            let request = stage.send((M::PlacementRequest, "city", "home1"), &[], HIDDEN).await;
            Hidden { cases: vec![stage.case("home1")], message: Some(request), shared: true, ..Hidden::default() }
        })
    }
    let found = differing("home1", [told, told_less]).await;
    assert!(found.iter().any(|difference| difference.contains("messages/{jti}")), "its own rows: {found:?}");
}
