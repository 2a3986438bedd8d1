//! Several gateways on one PostgreSQL database: none of them leads, each answers for what another accepted, and one after the other can be restarted
//! under load.

use bytes::Bytes;
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use serde_json::Value;
use tsunagi::tls::client::Response;

use crate::{
    exchange_stage::{
        Sandbox, Settings,
        aftermath::{Aftermath, repeat},
        load::{Load, cycles},
        party::{ACTOR, Party, Problem, value},
        story::{PLACEMENT, Story},
        told::Told,
    },
    postgres_stage::{self, Pooler},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_accepted_the_other_answers_for_and_nothing_is_taken_twice() {
    let Some(database) = postgres_stage::database() else { return };
    let sandbox = Sandbox::on(Settings::default(), Some(&database));
    let first = sandbox.serve().await;
    let (second, address) = sandbox.serve_another().await;
    let (there, here) = (Story::open(&sandbox).await, Story::open(&sandbox).await.at(address));
    let mut told = Told::default();

    // A message, repeated at the other: the same answer. Its case is read there, and its receipts are.
    let sent = here.refer_under(here.sign_consent(&here.consent())).await;
    told.message(&sent.message, &sent.accepted);
    told.message(&sent.message, &there.submit(&sent.message).await.unwrap());
    told.shown(&there.read(&sent.referral.case, PLACEMENT).await.unwrap());
    told.shown(&here.read(&sent.referral.case, PLACEMENT).await.unwrap());
    let receipts = format!("/v1/cases/{}/receipts", sent.accepted.subject["case"].as_str().unwrap());
    let shown: Value = there.centre.json(&receipts, PLACEMENT).await.unwrap();
    assert!(!shown["receipts"].as_array().unwrap().is_empty(), "{shown}");

    // Another content under the same id, and the same actor token, at the other.
    let mut changed = here.draft(&sent.referral.consent);
    changed.claims.jti = sent.message.jti;
    let conflict = there.submit(&there.sign(&changed)).await.unwrap_err().problem();
    assert_eq!(conflict.code, "replay_conflict", "{}", conflict.text);
    let consent = here.sign_consent(&here.consent());
    let target = "/v1/consents";
    let actor = here.centre.actor(&Method::POST, target, PLACEMENT, Some(consent.token.as_bytes()), None);
    assert!(post(&here.centre, target, &actor, &consent.token).await.status.is_success());
    let replayed = post(&there.centre, target, &actor, &consent.token).await;
    assert_eq!(Problem::read(&replayed).code, "actor_replayed");

    // A right that ends at one of them ends at the other with the same entry.
    let end = here.sign_end(&sent.referral.consent, None);
    told.accepted(&here.register_end(&sent.referral.consent, &end).await.unwrap());
    assert_eq!(there.read(&sent.referral.case, PLACEMENT).await.unwrap_err().code(), "consent_ended");

    // The one that accepted goes; the other has everything.
    second.stop().await;
    repeat(&there, &told).await;
    Aftermath::of(&sandbox, &there, &told, &[]).await;
    first.stop().await;
}

/// `TSUNAGI_RESTARTS` sets how often each gateway is restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_are_restarted_one_after_the_other_and_no_request_fails() {
    let restarts = cycles("TSUNAGI_RESTARTS", 2);
    let Some(database) = postgres_stage::database() else { return };
    let sandbox = Sandbox::on(Settings { log: "warn", ..Settings::default() }, Some(&database));
    let mut first = sandbox.serve().await;
    let (mut second, address) = sandbox.serve_another().await;
    let load = Load::new(vec![Story::open(&sandbox).await, Story::open(&sandbox).await.at(address)]);
    let workers = load.start();
    for _ in 0..restarts {
        load.progress(20).await;
        first.stop().await;
        load.progress(5).await;
        first = sandbox.serve().await;
        load.progress(20).await;
        second.stop().await;
        load.progress(5).await;
        second = sandbox.resume_another().await;
    }
    load.progress(20).await;
    // What is sent while a gateway is away is refused a connection, and is tried again. What a gateway took before it closed is answered; what it did not
    // take any more it says so of (RFC 9113 section 6.8), and the client sends that again. So no request fails, acknowledged or not.
    assert_eq!(load.hits(), (0, 0), "requests that broke, and those that were told to come again");
    load.settle(&sandbox, workers, &format!("{restarts} restarts of each gateway")).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exchange_runs_through_a_pooler() {
    let Some(database) = postgres_stage::database() else { return };
    // Far fewer connections than the gateways open: each transaction gets whichever is free.
    let Some(pooler) = Pooler::before(database.port, 4) else { return };
    let mut sandbox = Sandbox::on(Settings { log: "warn", ..Settings::default() }, Some(&database));
    sandbox.use_postgres(&database, &[pooler.port], true);
    let first = sandbox.serve().await;
    let (second, address) = sandbox.serve_another().await;
    let load = Load::new(vec![Story::open(&sandbox).await, Story::open(&sandbox).await.at(address)]);
    let workers = load.start();
    load.progress(80).await;
    assert_eq!(load.hits(), (0, 0), "{}", pooler.log());
    load.settle(&sandbox, workers, "through a pooler").await;
    assert!(pooler.transactions(&database) > 100, "the pooler was passed by");
    first.stop().await;
    second.stop().await;
}

async fn post(party: &Party, target: &str, actor: &str, token: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(ACTOR, value(actor));
    headers.insert(CONTENT_TYPE, value("application/jwt"));
    party.send(Method::POST, target, headers, Bytes::from(token.to_owned())).await.unwrap()
}
