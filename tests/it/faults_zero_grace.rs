//! Zero grace (`ledger.md` section 1, promise 6): rights end while reads and submissions run, and behind the entry that ended them nothing
//! rests on them. What is checked is the ledger's own order, as an auditor checks it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};
use tsunagi::{
    domain::{
        agreement::{AgreementAct, Side},
        consent::Exception,
        entry::Outcome,
        field::FieldClass,
    },
    message::{
        keys::SigningKey,
        objects::{KeyAct, KeyStatement, PartyAct},
    },
};

use crate::{
    exchange_stage::{
        MUNICIPALITY, Sandbox, Settings,
        ledger::Ledger,
        party::{Accepted, Problem, Released, Setback, now},
        process::Server,
        rights::{Lapse, Right, breaches, resting_on},
        story::{BENEFIT, PLACEMENT, Referral, Story},
    },
    postgres_stage,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_release_follows_a_withdrawal_among_a_thousand_reads() {
    let (sandbox, server, story, referral) = stage().await;
    let consent = &referral.consent;
    let end = story.sign_end(consent, None);
    let (tally, ended) = reads(&story, &referral.case, 1000, async { story.register_end(consent, &end).await.unwrap() }).await;
    tally.assert_fired("consent_ended");
    judge(&story, &tally, Right::Consent { jti: consent.jti, collector: story.centre.id.clone() }, &ended).await;

    // The same across a crash right behind the acknowledgement.
    let referral = story.refer().await;
    let consent = &referral.consent;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    let end = story.sign_end(consent, None);
    let ended = story.register_end(consent, &end).await.unwrap();
    server.kill();
    let server = sandbox.serve().await;
    for purpose in [PLACEMENT, BENEFIT] {
        assert_eq!(story.read(&referral.case, purpose).await.unwrap_err().code(), "consent_ended");
    }
    assert_eq!(story.register_end(consent, &end).await.unwrap().index, ended.index, "it ended once");
    judge(&story, &Tally::default(), Right::Consent { jti: consent.jti, collector: story.centre.id.clone() }, &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_at_one_gateway_has_ended_at_every_other_of_the_ledger() {
    let (sandbox, server, story, referral) = stage().await;
    let (another, address) = sandbox.serve_another().await;
    let mut elsewhere = Story::open(&sandbox).await;
    elsewhere.municipality = elsewhere.municipality.at(address);
    let elsewhere = Arc::new(elsewhere);
    let consent = &referral.consent;
    let end = story.sign_end(consent, None);
    let (tally, ended) = reads(&elsewhere, &referral.case, 200, async { story.register_end(consent, &end).await.unwrap() }).await;
    tally.assert_fired("consent_ended");
    judge(&story, &tally, Right::Consent { jti: consent.jti, collector: story.centre.id.clone() }, &ended).await;

    let referral = story.refer().await;
    let reader = story.municipality.id.clone();
    let (tally, ended) = reads(&elsewhere, &referral.case, 200, async { story.operate(PartyAct::Suspend, &reader).await.unwrap() }).await;
    tally.assert_fired("party_suspended");
    judge(&story, &tally, Right::Party(reader), &ended).await;
    another.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_release_follows_the_suspension_of_its_agreement() {
    let (_sandbox, server, story, referral) = stage().await;
    let (tally, ended) = reads(&story, &referral.case, 200, async { story.say(AgreementAct::Suspend).await.unwrap() }).await;
    tally.assert_fired("agreement_not_in_force");
    judge(&story, &tally, Right::Agreement(story.agreement.id.clone()), &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_submission_follows_the_suspension_of_its_agreement() {
    let (_sandbox, server, story, _) = stage().await;
    let mut messages = Vec::new();
    for _ in 0..80 {
        let consent = story.sign_consent(&story.consent());
        story.register(&consent).await.unwrap();
        messages.push(story.sign(&story.draft(&consent)));
    }
    let submit = |story: Arc<Story>, number: usize| {
        let message = messages[number].clone();
        async move { story.submit(&message).await.map(|accepted| accepted.index) }
    };
    let (tally, ended) = together(&story, messages.len(), submit, async { story.say(AgreementAct::Suspend).await.unwrap() }).await;
    tally.assert_fired("agreement_not_in_force");
    judge(&story, &tally, Right::Agreement(story.agreement.id.clone()), &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_follows_the_suspension_of_a_party() {
    let (_sandbox, server, story, referral) = stage().await;
    let reader = story.municipality.id.clone();
    let (tally, ended) = reads(&story, &referral.case, 200, async { story.operate(PartyAct::Suspend, &reader).await.unwrap() }).await;
    tally.assert_fired("party_suspended");
    judge(&story, &tally, Right::Party(reader.clone()), &ended).await;

    let readmitted = story.operate(PartyAct::Readmit, &reader).await.unwrap();
    assert!(story.read(&referral.case, PLACEMENT).await.unwrap().release.binding.tsn.idx > readmitted.index);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_follows_the_retirement_of_the_key_that_signed_for_it() {
    let (_sandbox, server, story, referral) = stage().await;
    let reader = &story.municipality;
    let new = SigningKey::generate().unwrap();
    reader.add_key(&new).await.unwrap();
    let retire = reader.key_statement(KeyAct::Retire, &reader.signing);
    let retiring = async { reader.say_of_key(&retire, &reader.signing).await.unwrap() };
    let (tally, ended) = reads(&story, &referral.case, 200, retiring).await;
    tally.assert_fired("actor_invalid");
    // Nobody signs with the new key in this test, so the retired one stands behind everything the party does.
    judge(&story, &tally, Right::Party(reader.id.clone()), &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_at_any_gateway_follows_the_end_of_the_key_that_signed_for_it() {
    keys_end(Sandbox::new(Settings { log: "warn", ..Settings::default() })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_at_any_gateway_on_postgresql_follows_the_end_of_the_key_that_signed_for_it() {
    let Some(database) = postgres_stage::database() else { return };
    keys_end(Sandbox::on(Settings { log: "warn", ..Settings::default() }, Some(&database))).await;
}

/// A key is retired, its successor declared stolen, each at one gateway among reads at both.
async fn keys_end(sandbox: Sandbox) {
    let first = sandbox.serve().await;
    let (second, address) = sandbox.serve_another().await;
    let referral = Story::open(&sandbox).await.refer().await;
    let mut key = sandbox.party(MUNICIPALITY).signing;
    for act in [KeyAct::Retire, KeyAct::Compromised] {
        let signing = || SigningKey::from_jwk(&key.to_jwk()).unwrap();
        let (mut here, mut elsewhere) = (Story::open(&sandbox).await, Story::open(&sandbox).await.at(address));
        (here.municipality.signing, elsewhere.municipality.signing) = (signing(), signing());
        let (here, elsewhere) = (Arc::new(here), Arc::new(elsewhere));
        let (reader, new) = (&here.municipality, SigningKey::generate().unwrap());
        reader.add_key(&new).await.unwrap();
        let stolen = (act == KeyAct::Compromised).then(now);
        let end = KeyStatement { compromised_at: stolen, ..reader.key_statement(act, &key) };
        let ending = async { reader.say_of_key(&end, if stolen.is_some() { &new } else { &key }).await.unwrap() };
        let read = |_, number: usize| {
            let story = Arc::clone(if number.is_multiple_of(2) { &here } else { &elsewhere });
            let target = format!("/v1/cases/{}", referral.case);
            async move {
                let (response, _) = story.municipality.get(&target, PLACEMENT).await?;
                Ok(response.headers["tsunagi-ledger-index"].to_str().unwrap().parse().unwrap())
            }
        };
        let (tally, ended) = together(&here, 200, read, ending).await;
        tally.assert_fired("actor_invalid");
        // Nobody signs with the next key meanwhile, so the one that ended stands behind everything the party does.
        judge(&here, &tally, Right::Party(reader.id.clone()), &ended).await;
        key = new;
    }
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_release_shows_a_class_behind_the_narrowing_that_took_it_out() {
    let (_sandbox, server, story, referral) = stage().await;
    let consent = &referral.consent;
    let class = FieldClass::Residence;
    let rows: BTreeSet<_> = story.classes.iter().filter(|(_, of)| **of == class).map(|(row, _)| row.clone()).collect();
    let holds = |released: &Released| released.release.disclosed.rows.iter().any(|row| rows.contains(&row.key));
    assert!(holds(&story.read(&referral.case, PLACEMENT).await.unwrap()));
    let narrow = Exception { rcp: vec![Side::Party(story.municipality.id.clone())], pur: None, cls: Some(vec![class]) };
    let end = story.sign_end(consent, Some(vec![narrow]));
    let (tally, ended) = reads(&story, &referral.case, 200, async { story.register_end(consent, &end).await.unwrap() }).await;
    assert!(tally.refused.keys().all(|code| code == LATE), "{tally:?}");
    let (before, after): (Vec<u64>, Vec<u64>) = tally.done.iter().partition(|index| **index < ended.index);
    assert!(!before.is_empty() && !after.is_empty(), "the narrowing did not come in the middle: {tally:?}");
    assert!(!holds(&story.read(&referral.case, PLACEMENT).await.unwrap()));
    judge(&story, &Tally::default(), Right::Rows { consent: consent.jti, rows }, &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_its_collector_is_shown_a_whole_consent_behind_its_end() {
    let (_sandbox, server, story, referral) = stage().await;
    let consent = &referral.consent;
    let target = format!("/v1/consents/{}", consent.jti);
    let look = |story: Arc<Story>, _| {
        let target = target.clone();
        async move { whole(&story.municipality.json(&target, PLACEMENT).await?) }
    };
    let end = story.sign_end(consent, None);
    let (tally, ended) = together(&story, 150, look, async { story.register_end(consent, &end).await.unwrap() }).await;
    tally.assert_fired(PART);
    assert_eq!(story.centre.json(&target, PLACEMENT).await.unwrap()["state"], "ended");
    judge(&story, &tally, Right::Consent { jti: consent.jti, collector: story.centre.id.clone() }, &ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_its_collector_is_shown_a_whole_consent_behind_the_suspension_of_the_agreement() {
    let (_sandbox, server, story, referral) = stage().await;
    let target = format!("/v1/consents/{}", referral.consent.jti);
    let look = |story: Arc<Story>, _| {
        let target = target.clone();
        async move { whole(&story.municipality.json(&target, PLACEMENT).await?) }
    };
    let (tally, ended) = together(&story, 150, look, async { story.say(AgreementAct::Suspend).await.unwrap() }).await;
    tally.assert_fired(PART);
    judge(&story, &tally, Right::Agreement(story.agreement.id.clone()), &ended).await;
    server.stop().await;
}

/// Whether the whole consent was shown. The answer names no entry; the ledger says where each look stands.
fn whole(shown: &Value) -> Result<u64, Setback> {
    if shown.get("signed").is_some() {
        return Ok(0);
    }
    assert!(shown.get("claims").is_none() && shown.get("items").is_some(), "{shown}");
    Err(Setback::Refused(Problem { status: 200, code: PART.to_owned(), retry_after: None, text: shown.to_string() }))
}

/// What requests ended with: ledger indexes of what was done, and how many were refused with which code.
#[derive(Debug, Default)]
struct Tally {
    done: Vec<u64>,
    refused: BTreeMap<String, usize>,
}

impl Tally {
    /// The right ended in the middle.
    #[track_caller]
    fn assert_fired(&self, code: &str) {
        eprintln!("{} done, refused: {:?}", self.done.len(), self.refused);
        assert!(!self.done.is_empty() && self.refused.contains_key(code), "the end did not come in the middle: {:?}", self.refused);
        assert!(self.refused.keys().all(|refused| refused == code || refused == LATE), "{:?}", self.refused);
    }
}

async fn stage() -> (Sandbox, Server, Arc<Story>, Referral) {
    let sandbox = Sandbox::new(Settings { log: "warn", ..Settings::default() });
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    (sandbox, server, Arc::new(story), referral)
}

/// Reads of one case.
async fn reads(story: &Arc<Story>, case: &str, count: usize, meanwhile: impl Future<Output = Accepted>) -> (Tally, Accepted) {
    let read = |story: Arc<Story>, number: usize| {
        let (target, purpose) = (format!("/v1/cases/{case}"), if number.is_multiple_of(2) { PLACEMENT } else { BENEFIT });
        async move {
            let (response, _) = story.municipality.get(&target, purpose).await?;
            Ok(response.headers["tsunagi-ledger-index"].to_str().unwrap().parse().unwrap())
        }
    };
    together(story, count, read, meanwhile).await
}

/// Requests that are in work together, each on a connection of its own; `meanwhile` happens in the middle of them. The last eighth starts
/// only when it was acknowledged, so that the end comes in the middle however busy the machine is.
async fn together<R>(
    story: &Arc<Story>,
    count: usize,
    request: impl Fn(Arc<Story>, usize) -> R,
    meanwhile: impl Future<Output = Accepted>,
) -> (Tally, Accepted)
where
    R: Future<Output = Result<u64, Setback>> + Send + 'static,
{
    let (places, ended) = (Arc::new(Semaphore::new(TOGETHER.min(count / 5))), Arc::new(AtomicUsize::new(0)));
    let (acknowledge, acknowledged) = watch::channel(false);
    let mut running = JoinSet::new();
    for number in 0..count {
        let mut acknowledged = acknowledged.clone();
        let (request, places, ended) = (request(Arc::clone(story), number), Arc::clone(&places), Arc::clone(&ended));
        running.spawn(async move {
            if number >= count - count / 8 {
                acknowledged.wait_for(|acknowledged| *acknowledged).await.unwrap();
            }
            let _place = places.acquire().await.unwrap();
            let outcome = request.await;
            ended.fetch_add(1, Ordering::Relaxed);
            outcome
        });
    }
    while ended.load(Ordering::Relaxed) < count / 4 {
        sleep(Duration::from_millis(1)).await;
    }
    let accepted = meanwhile.await;
    acknowledge.send_replace(true);
    let mut tally = Tally::default();
    while let Some(outcome) = running.join_next().await {
        match outcome.unwrap() {
            Ok(index) => tally.done.push(index),
            Err(setback) => *tally.refused.entry(setback.code()).or_default() += 1,
        }
    }
    (tally, accepted)
}

/// Something rested on the right before it ended, nothing does behind, and nobody was answered otherwise. A refusal says nothing of a release.
async fn judge(story: &Story, tally: &Tally, right: Right, ended: &Accepted) {
    assert_eq!(tally.done.iter().filter(|index| **index > ended.index).count(), 0, "answered behind the end");
    let ledger = Ledger::read(&story.auditor).await;
    let rests = resting_on(&ledger.records, &right);
    assert!(rests.iter().any(|index| *index < ended.index), "nothing rested on the right before it ended: {right:?}");
    assert_eq!(breaches(&ledger.records, &[Lapse { right, from: ended.index, until: None }]), Vec::<u64>::new());
    for refusal in ledger.records.iter().filter(|record| record.entry.decision == Outcome::Deny) {
        let entry = &refusal.entry;
        assert_eq!((entry.sd_hash, entry.rel, entry.shown), (None, None, None), "{}", refusal.index);
        assert!(refusal.opening.as_ref().is_none_or(|opening| opening.disclosed.is_empty()), "{}", refusal.index);
    }
}

/// What stands for an answer that shows a body what concerns itself alone.
const PART: &str = "part";
/// Requests in work at the same time.
const TOGETHER: usize = 64;
/// A release that could not leave within two seconds of its entry is dropped with this code; that happens on a machine under load.
const LATE: &str = "ledger_unavailable";
