//! What is refused because of the gateway's own state: too many requests, a stale revocation list, another policy in force, a ledger that cannot be
//! written.

use std::{fs, process::Command, time::Duration};

use http::Method;
use sqlx::Connection as _;
use tokio::time::{sleep, timeout};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::{digest::Digest, refusal::RefusalCode},
    tls::authority::{SandboxAuthority, Validity},
};

use crate::{
    exchange_stage::{SOON, ledger::connect, story::PLACEMENT},
    refusal_stage::{
        Ask, Asking, Case, audit, provoke, send,
        world::{HOME, OFFICE, World},
    },
};

/// Every state, each with a world of its own.
pub(crate) fn cases() -> Vec<Case> {
    [rate_limited(), overloaded(), policy_mismatch(), stale(), unwritable()].into_iter().flatten().collect()
}

fn known_reads() -> [(&'static str, &'static str); 2] {
    [("GET /.well-known/tsunagi", "/.well-known/tsunagi"), ("GET /v1/parties", "/v1/parties")]
}

fn rate_limited() -> Vec<Case> {
    let case = |(route, target): (&'static str, &'static str)| {
        Case::new(route, RefusalCode::RateLimited, "more than its rate", move |world| {
            Box::pin(async move {
                // One request a second: whatever came before, a second one at once is too many.
                let ask = || Ask::of(world.party(OFFICE), Method::GET, target);
                let (status, _, _) = send(world, ask(), tsunagi::text::Lang::En).await;
                if status == 429 {
                    world.expect(OFFICE, "unknown", "rate_limited");
                }
                ask()
            })
        })
    };
    known_reads().map(case).into()
}

fn overloaded() -> Vec<Case> {
    let case = |(route, target): (&'static str, &'static str)| {
        Case::new(route, RefusalCode::Overloaded, "everybody together", move |world| {
            Ask::of(world.party(OFFICE), Method::GET, target).ready()
        })
    };
    known_reads().map(case).into()
}

fn policy_mismatch() -> Vec<Case> {
    vec![
        Case::new("POST /v1/referrals", RefusalCode::PolicyMismatch, "another set is in force", |world| submission(world, "/v1/referrals")),
        Case::new("POST /v1/explain", RefusalCode::PolicyMismatch, "another set is in force", |world| submission(world, "/v1/explain")),
        Case::new("GET /v1/cases/{id}", RefusalCode::PolicyMismatch, "another set is in force", |world| {
            Ask::get(world.municipality(), &format!("/v1/cases/{}", world.referral.at_municipality), PLACEMENT).ready()
        }),
    ]
}

fn submission<'a>(world: &'a World, target: &str) -> Asking<'a> {
    let message = world.story.sign(&world.draft());
    Ask::post(world.centre(), target, PLACEMENT, "application/jose", world.centre().seal(&message.sd_jwt)).ready()
}

fn stale() -> Vec<Case> {
    let case = |(route, target): (&'static str, &'static str)| {
        Case::new(route, RefusalCode::CrlStale, "past its nextUpdate", move |world| Ask::of(world.party(HOME), Method::GET, target).ready())
    };
    known_reads().map(case).into()
}

fn unwritable() -> Vec<Case> {
    vec![
        Case::new("POST /v1/referrals", RefusalCode::LedgerUnavailable, "the database is locked", |world| {
            submission(world, "/v1/referrals")
        }),
        Case::new("POST /v1/explain", RefusalCode::LedgerUnavailable, "the database is locked", |world| submission(world, "/v1/explain")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_asks_too_often_is_told_to_wait() {
    let rate = |config: &str, rate: &str| {
        let limited = |line: &str| {
            line.split_once(" = ").is_some_and(|(name, _)| name == "per_party_requests_per_second" || name == "per_party_burst")
        };
        let line = |line: &str| if limited(line) { format!("{} = {rate}\n", line.split(' ').next().unwrap()) } else { format!("{line}\n") };
        config.lines().map(line).collect::<String>()
    };
    let world = World::open().await.reconfigured(|config| rate(config, "1")).await;
    provoke(&world, &rate_limited()).await;
    let world = world.reconfigured(|config| rate(config, "1000000")).await;
    audit(&world).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_too_much_in_work_says_so() {
    let world = World::open_with("concurrency = 1").await;
    let (_, cursor) = world.story.cases(None).await.unwrap();
    // Waits for a change that does not come, and takes the only place.
    let target = format!("/v1/cases?wait=8&cursor={}", cursor.unwrap());
    let waiting = world.municipality().json(&target, PLACEMENT);
    let asking = async {
        sleep(Duration::from_secs(1)).await;
        provoke(&world, &overloaded()).await;
    };
    let (waited, ()) = tokio::join!(waiting, asking);
    assert_eq!(waited.unwrap()["cases"].as_array().unwrap().len(), 0);
    audit(&world).await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_another_policy_than_the_one_in_force_decides_nothing() {
    let world = World::open().await;
    let mut connection = connect(&world.sandbox.database()).await;
    let (own,): (Vec<u8>,) = sqlx::query_as("SELECT policy FROM ledger_head").fetch_one(&mut connection).await.unwrap();
    set_policy(&world, &Digest::of(b"another set").0).await;
    provoke(&world, &policy_mismatch()).await;
    set_policy(&world, &own).await;
    audit(&world).await;
    world.server.stop().await;
}

async fn set_policy(world: &World, digest: &[u8]) {
    let mut connection = connect(&world.sandbox.database()).await;
    sqlx::query("UPDATE ledger_head SET policy = ?").bind(digest.to_vec()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_stale_revocation_list_nobody_is_served() {
    let world = World::open().await;
    world.party(HOME).open_data("/v1/parties").await.unwrap();
    let authority = SandboxAuthority::load(&world.sandbox.path().join("ca")).unwrap();
    let now = SystemClock.now();
    let list = |until| authority.crl(&[], Validity { from: now.plus_secs(-300), until }).unwrap();
    let file = world.sandbox.path().join("ca/crl.pem");
    fs::write(&file, list(now.plus_secs(3))).unwrap();
    read_again(&world);
    let stale_now = async {
        while world.server.admin("/readyz").await.is_none_or(|(_, said)| said != "crl_stale\n") {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, stale_now).await.expect("the list gets stale");
    provoke(&world, &stale()).await;
    fs::write(&file, list(now.plus_secs(86_400))).unwrap();
    read_again(&world);
    let ready = async {
        while world.server.admin("/readyz").await.is_none_or(|(status, _)| status != 200) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, ready).await.expect("a new list opens the door again");
    audit(&world).await;
    world.server.stop().await;
}

/// Tells the gateway to read certificates and lists again.
fn read_again(world: &World) {
    assert!(Command::new("kill").args(["-HUP", &world.server.id().to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_does_not_happen() {
    let world = World::open().await;
    let mut lock = connect(&world.sandbox.database()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    provoke(&world, &unwritable()).await;
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    let ready = async {
        while world.server.admin("/readyz").await.is_none_or(|(status, _)| status != 200) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, ready).await.expect("ready again");
    audit(&world).await;
    world.server.stop().await;
}
