//! `POST /v1/explain`: what it says is what a submission and the reads behind it do, and nothing of it stays but an entry.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::Purpose,
        entry::{EntryType, Operation, Outcome},
        field::FieldClass,
        refusal::RefusalCode,
    },
    message::compose::{Draft, Padding},
    text::{self, Lang},
};

use crate::{
    exchange_stage::{
        CENTRE, MUNICIPALITY,
        ledger::{Ledger, Record},
        party::{Released, new_jti, now},
        story::{BENEFIT, Consent, PLACEMENT},
    },
    refusal_messages::{FORM, Posted, RIGHTS, Wrong, operation_case},
    refusal_stage::{
        Ask, Case,
        kept::Kept,
        run,
        world::{CORE, World, conclude},
    },
};

const EXPLAIN: &str = "/v1/explain";

/// The refusals of the call itself that only this route and the submission share.
pub(crate) fn cases() -> Vec<Case> {
    let ask = operation_case().ask;
    vec![Case::new("POST /v1/explain", RefusalCode::OperationNotAllowed, "an auditor", move |world| {
        let asking = ask(world);
        Box::pin(async move {
            let sent = asking.await;
            Ask::post(&sent.by, EXPLAIN, Purpose::AuditReview, "application/jose", sent.body)
        })
    })]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_send_gets_no_explanation() {
    let world = World::open().await;
    run(&world, &cases()).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_explained_is_what_the_submission_and_the_reads_do() {
    let world = World::open().await;
    for variant in variants() {
        let consent = world.story.sign_consent(&variant.consent(&world));
        world.story.register(&consent).await.unwrap();
        let draft = variant.draft(&world, &consent);
        let message = world.story.sign(&draft);
        let first = explain(&world, &message.sd_jwt).await;
        assert_eq!((&first["outcome"], &first["repeated"]), (&"accepted".into(), &false.into()), "{}: {first:#}", variant.name);
        let second = explain(&world, &message.sd_jwt).await;
        assert_eq!(without_ledger(&first), without_ledger(&second), "{}: asking changes nothing", variant.name);

        let accepted = world.story.submit(&message).await.unwrap();
        let at_centre = accepted.subject["case"].as_str().unwrap();
        let (cases, _) = world.story.cases(None).await.unwrap();
        let at_municipality = cases.last().unwrap();
        for purpose in draft.claims.pur.iter().copied() {
            let read = world.story.read(at_municipality, purpose).await.unwrap();
            let view = view(&first, MUNICIPALITY, purpose);
            assert_eq!(fields(&view["shown"]), shown(&read), "{} {purpose}", variant.name);
            assert_eq!(view["consent_detail"], read.release.binding.tsn.con.is_some(), "{}", variant.name);
            let all: BTreeSet<String> = draft.body.iter().map(|(key, _)| key.to_string()).collect();
            let told: BTreeSet<String> = fields(&view["shown"]).union(&fields(&view["withheld"])).cloned().collect();
            assert_eq!(told, all, "every row is explained");
            reasons_are_told(&first, view);
        }
        let target = format!("/v1/cases/{at_centre}/messages/{}", message.jti);
        let own = world.centre().read(&target, PLACEMENT, world.centre().signing.public()).await.unwrap();
        assert_eq!(fields(&view(&first, CENTRE, PLACEMENT)["shown"]), shown(&own));

        let again = explain(&world, &message.sd_jwt).await;
        assert_eq!((&again["outcome"], &again["repeated"]), (&"accepted".into(), &true.into()));
        assert_eq!(again["readers"], first["readers"], "{}: the message still shows the same", variant.name);
    }
    world.server.stop().await;
}

/// A message and its consent, each variant with another view.
struct Variant {
    name: &'static str,
    purposes: &'static [Purpose],
    /// Classes that the person did not consent to; the message leaves their rows out.
    without: &'static [FieldClass],
}

fn variants() -> [Variant; 4] {
    [
        Variant { name: "one purpose", purposes: &[PLACEMENT], without: &[] },
        Variant {
            name: "without medical facts and money",
            purposes: &[BENEFIT, PLACEMENT],
            without: &[FieldClass::Medical, FieldClass::Finance],
        },
        Variant { name: "without consent detail", purposes: &[PLACEMENT, BENEFIT], without: &[FieldClass::ConsentDetail] },
        Variant { name: "whole", purposes: &[PLACEMENT, BENEFIT], without: &[] },
    ]
}

impl Variant {
    fn consent(&self, world: &World) -> tsunagi::message::objects::ConsentGiven {
        let mut given = world.story.consent();
        for item in &mut given.items {
            item.cls.retain(|class| !self.without.contains(class));
            item.tick.retain(|class| !self.without.contains(class));
        }
        given
    }

    fn draft(&self, world: &World, consent: &Consent) -> Draft {
        let mut draft = world.story.draft(consent);
        draft.claims.pur = self.purposes.to_vec();
        draft.body.retain(|(key, _)| !self.without.contains(&world.story.classes[key]));
        assert!(draft.body.len() > 10);
        draft
    }
}

fn reasons_are_told(explanation: &Value, view: &Value) {
    for row in view["shown"].as_array().unwrap().iter().chain(view["withheld"].as_array().unwrap()) {
        let rules = row["rules"].as_array().unwrap();
        assert!(!rules.is_empty(), "{row}");
        for rule in rules {
            let told = &explanation["rules"][rule.as_str().unwrap()];
            assert!(told["ja"].as_str().is_some_and(|ja| !ja.is_ascii()) && told["en"].as_str().is_some_and(|en| !en.is_empty()), "{rule}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_form_is_explained_with_the_code_a_submission_gets() {
    same_codes(FORM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_explained_with_the_code_a_submission_gets() {
    same_codes(RIGHTS).await;
}

async fn same_codes(table: &[Wrong]) {
    let world = World::open().await;
    let mut expected = Vec::new();
    for wrong in table {
        let posted = (wrong.make)(&world).await;
        let before = Kept::read(&world.sandbox.database()).await;
        let explained = post(posted).await;
        assert_eq!(before.changed(&Kept::read(&world.sandbox.database()).await), Vec::<String>::new(), "{}", wrong.how);
        assert_eq!(explained["outcome"], "refused", "{} {}", wrong.code, wrong.how);
        let fault = &explained["refusals"][0];
        let words = text::refusal(wrong.code);
        assert_eq!((&fault["code"], &fault["status"]), (&wrong.code.as_str().into(), &wrong.code.status().into()), "{}", wrong.how);
        for (lang, name) in [(Lang::Ja, "ja"), (Lang::En, "en")] {
            assert_eq!((&fault["title"][name], &fault["detail"][name]), (&words.title(lang).into(), &words.detail(lang).into()));
        }
        expected.push((wrong.code.as_str().to_owned(), explained["ledger"]["index"].as_u64().unwrap()));
    }
    let entries: Vec<_> = explanations(&world).await.iter().map(|r| (r.entry.reason.clone().unwrap(), r.index)).collect();
    assert_eq!(entries, expected, "one entry each, with the code");
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_is_told_at_once_and_no_value_is_repeated() {
    let world = World::open().await;
    let mut given = world.story.consent();
    given.items[0].tick.clear();
    given.items[0].cls.retain(|class| *class != FieldClass::Medical);
    let consent = world.story.sign_consent(&given);
    world.story.register(&consent).await.unwrap();
    let mut draft = world.story.draft(&consent);
    draft.claims.iat = now().plus_secs(-25 * 3600);
    draft.hidden.case = Some(world.referral.at_centre.parse().unwrap());
    let text = world.story.sign(&draft).sd_jwt;
    let explained = explain(&world, &text).await;
    let codes: Vec<&str> = explained["refusals"].as_array().unwrap().iter().map(|fault| fault["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["message_too_old", "state_conflict", "over_disclosure"]);
    let rows = explained["refusals"][2]["violations"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let told = &explained["rules"][row["rule"].as_str().unwrap()];
        assert!(told["ja"].is_string() && told["en"].is_string(), "{row}");
    }
    let records = explanations(&world).await;
    let [record] = records.as_slice() else { panic!("one entry: {}", records.len()) };
    let told: BTreeSet<&str> = rows.iter().map(|row| row["rule"].as_str().unwrap()).filter(|rule| *rule != "necessity").collect();
    let entered: BTreeSet<&str> = record.entry.rules.iter().map(String::as_str).collect();
    assert_eq!(told, BTreeSet::from(["C-06"]));
    assert_eq!(entered, BTreeSet::from(["C-06", "F-03"]), "every policy that refuses, and none that would permit");
    let whole = explained.to_string();
    assert!(world.personal.iter().all(|value| !whole.contains(value.as_str())), "a value of the message");
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_provider_without_padding_is_told_so_in_both_languages_and_the_padded_one_is_not() {
    let world = World::open().await;
    let before = Kept::read(&world.sandbox.database()).await;
    let mut draft = world.draft();
    draft.claims.aud = "group_home:1320100017".parse().unwrap();
    let mut told = Vec::new();
    for padding in [Padding::None, Padding::Ladder] {
        draft.padding = padding;
        draft.claims.jti = new_jti();
        let explained = explain(&world, &world.story.sign(&draft).sd_jwt).await;
        told.push(explained["refusals"].as_array().unwrap().iter().find(|fault| fault["code"] == "padding_required").cloned());
    }
    let [Some(fault), None] = told.as_slice() else { panic!("{told:?}") };
    for lang in [Lang::En, Lang::Ja] {
        let words = text::refusal(RefusalCode::PaddingRequired);
        assert!(fault.to_string().contains(words.title(lang)), "{fault}");
    }
    assert_eq!(before.changed(&Kept::read(&world.sandbox.database()).await), Vec::<String>::new());
    assert_eq!(explanations(&world).await.len(), 2);
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_leaves_an_entry_and_nothing_else() {
    let world = World::open().await;
    let message = world.story.sign(&world.draft());
    let before = Kept::read(&world.sandbox.database()).await;
    let explained = explain(&world, &message.sd_jwt).await;
    assert_eq!(before.changed(&Kept::read(&world.sandbox.database()).await), Vec::<String>::new());
    let records = explanations(&world).await;
    let [Record { index, leaf, entry, opening }] = records.as_slice() else { panic!("one entry: {}", records.len()) };
    assert_eq!(explained["ledger"]["index"], *index);
    assert_eq!(entry.operation, Operation::Explain);
    assert_eq!((entry.decision, entry.reason.as_deref()), (Outcome::Permit, None));
    assert_eq!(entry.actor.as_ref().unwrap().party, world.centre().id);
    assert_eq!((entry.shown, entry.sd_hash), (None, None), "nothing was shown to anybody");
    let opening = opening.as_ref().unwrap();
    assert_eq!(opening.message.as_ref().unwrap().jti, message.jti);
    assert_eq!((opening.consent, opening.case), (Some(world.spare.jti), None));
    assert!(opening.disclosed.is_empty() && opening.withheld.is_empty());
    let (proven, _) =
        tsunagi::tlog::verify_proof(leaf, explained["ledger"]["proof"].as_str().unwrap(), &world.centre().pinned.ledger).unwrap();
    assert_eq!(proven, *index);
    // Neither the message id nor the consent was used up.
    world.story.submit(&message).await.unwrap();
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_acts_for_the_recipient_is_a_reader_too() {
    let world = World::open().await;
    let (municipality, core) = (world.municipality(), world.party(CORE));
    let delegations = json!([{
        "from": MUNICIPALITY, "to": CORE, "qualification": "主任相談支援専門員を配置する基幹相談支援センター",
        "until": now().plus_secs(86_400),
    }]);
    let agreement = conclude(&world.story, &[municipality, core], "AG-13-0088", &delegations).await;
    let mut draft = world.draft();
    draft.claims.agr = agreement;
    let message = world.story.sign(&draft);
    let explained = explain(&world, &message.sd_jwt).await;
    let readers: Vec<(&str, Option<&str>)> = explained["readers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|view| (view["reader"].as_str().unwrap(), view.get("for").and_then(Value::as_str)))
        .collect();
    assert_eq!(readers, [(MUNICIPALITY, None), (CORE, Some(MUNICIPALITY)), (CENTRE, None)]);
    world.story.submit(&message).await.unwrap();
    let page = core.json("/v1/cases", PLACEMENT).await.unwrap();
    let target = format!("/v1/cases/{}", page["cases"][0]["case"].as_str().unwrap());
    let read = core.read(&target, PLACEMENT, world.centre().signing.public()).await.unwrap();
    let view = view(&explained, CORE, PLACEMENT);
    assert_eq!(fields(&view["shown"]), shown(&read));
    reasons_are_told(&explained, view);
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_an_explanation_of_anothers_message() {
    let world = World::open().await;
    let text = world.story.sign(&world.draft()).sd_jwt;
    let municipality = world.municipality();
    let posted = Posted { by: std::sync::Arc::clone(municipality), purpose: PLACEMENT, envelope: municipality.seal(&text) };
    let explained = post(posted).await;
    assert_eq!(explained["refusals"].as_array().unwrap().len(), 1);
    assert_eq!(explained["refusals"][0]["code"], "issuer_mismatch");
    assert_eq!((explained["readers"].as_array().unwrap().len(), explained.get("message")), (0, None));
    world.server.stop().await;
}

async fn explain(world: &World, text: &str) -> Value {
    let by = std::sync::Arc::clone(world.centre());
    let envelope = by.seal(text);
    post(Posted { by, purpose: PLACEMENT, envelope }).await
}

async fn post(posted: Posted) -> Value {
    let ask = posted.ask(EXPLAIN);
    let answer = ask.by.send(ask.method, &ask.target, ask.headers, ask.body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

async fn explanations(world: &World) -> Vec<Record> {
    let ledger = Ledger::read(&world.story.auditor).await;
    ledger.records.into_iter().filter(|record| record.entry.entry_type == EntryType::Explain).collect()
}

fn without_ledger(explained: &Value) -> Value {
    let mut explained = explained.clone();
    explained.as_object_mut().unwrap().remove("ledger").unwrap();
    explained
}

fn view<'a>(explained: &'a Value, reader: &str, purpose: Purpose) -> &'a Value {
    let reader = explained["readers"].as_array().unwrap().iter().find(|view| view["reader"] == reader).unwrap();
    reader["purposes"].as_array().unwrap().iter().find(|view| view["purpose"] == purpose.as_str()).unwrap()
}

fn fields(rows: &Value) -> BTreeSet<String> {
    rows.as_array().unwrap().iter().map(|row| row["field"].as_str().unwrap().to_owned()).collect()
}

fn shown(read: &Released) -> BTreeSet<String> {
    read.release.disclosed.rows.iter().map(|row| row.key.to_string()).collect()
}
