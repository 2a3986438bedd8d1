//! Two worlds that differ only in what the caller may not see give it the same answers, byte for byte but for ids, times and ciphertext.
//!
//! Both begin as copies of one sandbox: same keys, same ledger, same address. What happens in the one and not in the other is made up for with
//! entries of somebody else, so that both ledgers have the same size: how large it is, everybody may know.

mod normal;
pub(crate) mod probes;

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::Value;
use tsunagi::{
    domain::{codes::Purpose, consent::Recipient, digest::Digest, ids::Jti},
    message::{
        compose::{Draft, Padding},
        disclosed::ConsentRef,
        objects::SignedObject as _,
        submission::AgreementRef,
    },
};

use crate::{
    exchange_stage::{
        MUNICIPALITY, Sandbox, Settings,
        ledger::connect,
        party::{Party, new_jti},
        story::{BENEFIT, Consent, Message, PLACEMENT, Story},
    },
    refusal_stage::world::{CORE, HOME, PROBATION, conclude},
};
use probes::{Seen, ask_everything};

/// What is hidden from the observer: real in one world, made up in the other.
#[derive(Clone, Default)]
pub(crate) struct Hidden {
    pub(crate) cases: Vec<String>,
    pub(crate) message: Option<Jti>,
    pub(crate) consent: Option<Jti>,
    /// Digest and pseudonym of the consent, as somebody may have heard of them.
    pub(crate) reference: Option<(ConsentRef, String)>,
    pub(crate) agreement: Option<AgreementRef>,
    /// The observer has a part in it, so each world has names of its own.
    pub(crate) shared: bool,
    /// Further messages, as the observer may have heard of them.
    pub(crate) messages: Vec<Jti>,
    /// What the observer reads for, if not what it usually does.
    pub(crate) purpose: Option<Purpose>,
    /// What the observer tries to send: what it is, into which case, and the signed message.
    pub(crate) tries: Vec<(String, String, String)>,
}

/// One of the two worlds.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) story: Story,
    /// The case that the probation office referred to the core centre, as each knows it, and its message and consent.
    pub(crate) own: Own,
}

/// What both worlds have.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) at_probation: String,
    pub(crate) at_core: String,
    pub(crate) message: Jti,
    pub(crate) consent: Jti,
}

type Happens = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Hidden> + 'a>>;

/// What happens in one of two worlds shows to nobody who observes it.
async fn alike(observers: &[&'static str], one: Happens, other: Happens) {
    let differing = differing(observers, one, other).await;
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
}

/// Plays both worlds, and compares what each observer sees in them.
async fn differing(observers: &[&'static str], one: Happens, other: Happens) -> Vec<String> {
    let (sandbox, own) = common_past().await;
    let mut seen: Vec<Vec<Seen>> = Vec::new();
    let mut hidden = Hidden::default();
    for (twin, happens) in [(sandbox.twin(), one), (sandbox.twin(), other)] {
        let server = twin.serve().await;
        let story = Story::open(&twin).await;
        let world = World { sandbox: twin, story, own: own.clone() };
        let happened = happens(&world).await;
        if seen.is_empty() || happened.shared {
            hidden = happened;
        }
        fill_up(&world).await;
        let mut of_world = Vec::new();
        for observer in observers {
            let party = Arc::new(world.sandbox.party(observer));
            of_world.extend(ask_everything(&world, &party, &hidden).await);
        }
        seen.push(of_world);
        server.stop().await;
    }
    let (one, other) = (&seen[0], &seen[1]);
    assert_eq!(one.len(), other.len());
    assert!(one.len() >= 25 * observers.len(), "not every route was asked: {}", one.len());
    one.iter()
        .zip(other)
        .filter(|(one, other)| one != other)
        .map(|(one, other)| format!("{}\n  {}\n  {}", one.question, one.answer, other.answer))
        .collect()
}

/// A sandbox in which the probation office referred somebody to the core centre.
async fn common_past() -> (Sandbox, Own) {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let (probation, core) = (sandbox.party(PROBATION), sandbox.party(CORE));
    let consent = consent(&story, &probation, &core).await;
    let draft = draft(&story, &probation, &core, &consent);
    let (message, at_probation) = refer(&probation, draft).await;
    let page = core.json("/v1/cases", PLACEMENT).await.unwrap();
    let at_core = page["cases"][0]["case"].as_str().unwrap().to_owned();
    server.stop().await;
    (sandbox, Own { at_probation, at_core, message: message.jti, consent: consent.jti })
}

/// A consent that a party collected for another.
async fn consent(story: &Story, by: &Party, to: &Party) -> Consent {
    let mut given = story.consent();
    given.issued = by.issued();
    given.items[0].rcp = vec![Recipient::Party(to.id.clone())];
    let consent = Consent { jti: given.issued.jti, sub: given.sub.clone(), token: given.sign(&by.signing).unwrap() };
    by.post_object("/v1/consents", PLACEMENT, &consent.token).await.unwrap();
    consent
}

fn draft(story: &Story, by: &Party, to: &Party, consent: &Consent) -> Draft {
    let mut draft = story.draft(consent);
    draft.claims.iss = by.id.clone();
    draft.claims.aud = to.id.clone();
    draft.claims.pur = vec![PLACEMENT];
    draft.padding = Padding::Ladder;
    draft
}

/// Refers, and leaves out whatever the recipient may not have. Gives the sender's id of the case.
async fn refer(by: &Party, mut draft: Draft) -> (Message, String) {
    for again in [true, false] {
        let message = Message { jti: draft.claims.jti, sd_jwt: draft.sign(&by.signing).unwrap() };
        match by.post_message("/v1/referrals", PLACEMENT, &message.sd_jwt).await {
            Ok(accepted) => return (message, accepted.subject["case"].as_str().unwrap().to_owned()),
            Err(setback) => {
                let problem = setback.problem();
                assert!(again && problem.code == "over_disclosure", "{}", problem.text);
                let document: Value = serde_json::from_str(&problem.text).unwrap();
                let rows: Vec<&str> = document["violations"].as_array().unwrap().iter().map(|row| row["field"].as_str().unwrap()).collect();
                draft.body.retain(|(key, _)| !rows.contains(&key.as_str()));
                draft.claims.jti = new_jti();
            }
        }
    }
    unreachable!("the second attempt returns or panics")
}

/// Entries of the auditor, until both worlds' ledgers have the same size.
async fn fill_up(world: &World) {
    fill_up_to(&world.sandbox, &world.story, SIZE).await;
}

pub(crate) async fn fill_up_to(sandbox: &Sandbox, story: &Story, wanted: i64) {
    let mut connection = connect(&sandbox.database()).await;
    loop {
        let (size,): (i64,) = sqlx::query_as("SELECT size FROM ledger_head").fetch_one(&mut connection).await.unwrap();
        assert!(size <= wanted, "more happened than is made up for: {size}");
        if size == wanted {
            return;
        }
        story.auditor.json("/v1/audit/events/0", Purpose::AuditReview).await.unwrap();
    }
}

/// Entries of both ledgers when the observers begin to ask.
const SIZE: i64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_others_have_a_case_shows_nowhere() {
    alike(&[CORE, PROBATION, HOME], |world| Box::pin(referred(world)), |_| Box::pin(std::future::ready(Hidden::default()))).await;
}

/// The centre refers somebody to the municipality, which reads it.
async fn referred(world: &World) -> Hidden {
    let referral = world.story.refer().await;
    let released = world.story.read(&referral.case, PLACEMENT).await.unwrap();
    let page = world.story.centre.json("/v1/cases", PLACEMENT).await.unwrap();
    let at_centre = page["cases"][0]["case"].as_str().unwrap().to_owned();
    let reference = ConsentRef { jti: referral.consent.jti, sha256: Digest::of(referral.consent.token.as_bytes()) };
    Hidden {
        cases: vec![referral.case, at_centre],
        message: Some(released.release.claims.jti),
        consent: Some(referral.consent.jti),
        reference: Some((reference, referral.consent.sub.as_str().to_owned())),
        ..Hidden::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_another_collected_a_consent_shows_nowhere() {
    alike(
        &[MUNICIPALITY, PROBATION],
        |world| {
            Box::pin(async move {
                let consent = world.story.sign_consent(&world.story.consent());
                world.story.register(&consent).await.unwrap();
                let reference = ConsentRef { jti: consent.jti, sha256: Digest::of(consent.token.as_bytes()) };
                Hidden { consent: Some(consent.jti), reference: Some((reference, consent.sub.as_str().to_owned())), ..Hidden::default() }
            })
        },
        |_| Box::pin(std::future::ready(Hidden::default())),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_others_have_an_agreement_shows_nowhere() {
    alike(&[CORE, PROBATION, HOME], |world| Box::pin(agree(world)), |_| Box::pin(std::future::ready(Hidden::default()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_observer_may_see_is_found_to_differ() {
    let found = differing(&[MUNICIPALITY], |world| Box::pin(referred(world)), |_| Box::pin(std::future::ready(Hidden::default()))).await;
    assert!(found.iter().any(|difference| difference.contains("GET /v1/cases ")), "its own new case: {found:?}");
}

/// Centre and municipality conclude an agreement of their own, to which nobody may accede.
async fn agree(world: &World) -> Hidden {
    let agreement = conclude(&world.story, &[&world.story.municipality], "AG-13-0077", &serde_json::json!([])).await;
    Hidden { agreement: Some(agreement), ..Hidden::default() }
}

/// The municipality reads for the benefit decision; rows that this purpose never shows are there or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_a_message_has_rows_of_a_hidden_class_shows_nowhere() {
    alike(&[MUNICIPALITY], |world| Box::pin(with_rows(world, true)), |world| Box::pin(with_rows(world, false))).await;
}

async fn with_rows(world: &World, hidden_rows: bool) -> Hidden {
    let Story { centre, municipality, .. } = &world.story;
    let consent = world.story.sign_consent(&world.story.consent());
    world.story.register(&consent).await.unwrap();
    let mut draft = world.story.draft(&consent);
    draft.padding = Padding::Ladder;
    draft.claims.pur = vec![PLACEMENT, BENEFIT];
    let whole = Message { jti: draft.claims.jti, sd_jwt: draft.sign(&centre.signing).unwrap() };
    let envelope = centre.seal(&whole.sd_jwt);
    let explained = centre.post("/v1/explain", PLACEMENT, "application/jose", envelope).await.unwrap();
    let explained: Value = serde_json::from_slice(&explained.body).unwrap();
    let views = explained["readers"].as_array().unwrap().iter().find(|view| view["reader"] == municipality.id.to_string()).unwrap();
    let view = views["purposes"].as_array().unwrap().iter().find(|view| view["purpose"] == BENEFIT.as_str()).unwrap();
    let withheld: Vec<&str> = view["withheld"].as_array().unwrap().iter().map(|row| row["field"].as_str().unwrap()).collect();
    // Rows that no schema requires and that both lists of digests have room for.
    let gone: Vec<&str> = withheld.into_iter().filter(|row| OPTIONAL.contains(row)).collect();
    assert_eq!(gone.len(), OPTIONAL.len(), "the benefit decision is not shown these");
    if !hidden_rows {
        draft.body.retain(|(key, _)| !gone.contains(&key.as_str()));
    }
    let message = Message { jti: draft.claims.jti, sd_jwt: draft.sign(&centre.signing).unwrap() };
    world.story.submit(&message).await.unwrap();
    let (cases, _) = world.story.cases(None).await.unwrap();
    Hidden { cases, message: Some(message.jti), consent: Some(consent.jti), shared: true, ..Hidden::default() }
}

/// Rows of the example that a referral may do without and the benefit decision is not shown.
const OPTIONAL: [&str; 3] = ["offence_name", "offence_outline", "prior_record_count"];
