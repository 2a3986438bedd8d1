//! The edges of an exchange: callers that hang up, paths that are no text, evidence for another message, the gateway's end.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio::{io::AsyncWriteExt as _, time::sleep};
use tsunagi::{
    domain::entry::EntryType,
    message::{
        objects::{AckStatus, Acknowledgement, SignedObject as _},
        submission::MessageRef,
    },
};

use crate::exchange_stage::{
    CENTRE, Sandbox, Settings,
    ledger::{Ledger, connect},
    party::{Problem, Released},
    raw::{self, Version},
    story::{PLACEMENT, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_names_a_release_of_its_own_message() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let (one, other) = (story.refer().await, story.refer().await);
    let (of_one, of_other) = (story.read(&one.case, PLACEMENT).await.unwrap(), story.read(&other.case, PLACEMENT).await.unwrap());
    let sign = |message: &Released, release: &Released| {
        let claims = &message.release.claims;
        let acknowledgement = Acknowledgement {
            issued: story.municipality.issued(),
            msg: MessageRef { iss: claims.iss.clone(), jti: claims.jti },
            rel: release.release.binding.jti,
            sd_hash: release.release.sd_hash,
            st: AckStatus::Received,
        };
        acknowledgement.sign(&story.municipality.signing).unwrap()
    };
    let target = format!("/v1/cases/{}/acknowledgements", one.case);
    let wrong = story.municipality.post_object(&target, PLACEMENT, &sign(&of_one, &of_other)).await.unwrap_err().problem();
    assert_eq!(wrong.code, "state_conflict");
    assert!(wrong.text.contains("no_such_release"), "{}", wrong.text);
    story.municipality.post_object(&target, PLACEMENT, &sign(&of_one, &of_one)).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_no_text_is_not_there_and_recorded() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    for target in ["/v1/cases/%FF", "/v1/cases/%ff/messages", "/v1/consents/%C3%28", "/v1/audit/events/%80"] {
        let problem = story.centre.get(target, PLACEMENT).await.unwrap_err().problem();
        assert_eq!((problem.status, problem.code.as_str()), (404, "not_found"), "{target}");
    }
    let open = story.centre.open_data("/v1/parties/%FF").await.unwrap_err().problem();
    assert_eq!((open.status, open.code.as_str()), (404, "not_found"));
    let refusals: Vec<_> = refusals(&story).await;
    assert_eq!(refusals, ["not_found"; 4], "what is open to every party leaves no entry");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_without_content_and_a_doubled_actor_token_release_nothing() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let reader = &story.municipality;
    let target = format!("/v1/cases/{}", story.refer().await.case);
    let token = |method: &Method, nonce: &str| reader.actor(method, &target, PLACEMENT, None, Some(&nonce.parse().unwrap()));
    let nonces = ["a".repeat(32), "b".repeat(32), "c".repeat(32)];
    let mut headers = HeaderMap::new();
    headers.insert("tsunagi-actor", token(&Method::HEAD, &nonces[0]).parse().unwrap());
    let answer = reader.send(Method::HEAD, &target, headers, Bytes::new()).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::METHOD_NOT_ALLOWED, 0));
    let mut headers = HeaderMap::new();
    for nonce in &nonces[1..] {
        headers.append("tsunagi-actor", token(&Method::GET, nonce).parse().unwrap());
    }
    let answer = reader.send(Method::GET, &target, headers, Bytes::new()).await.unwrap();
    assert_eq!((answer.status, Problem::read(&answer).code.as_str()), (StatusCode::UNAUTHORIZED, "actor_invalid"));
    let ledger = Ledger::read(&story.auditor).await;
    assert!(ledger.records.iter().all(|record| record.entry.entry_type != EntryType::Release));
    assert_eq!(refusals(&story).await, ["method_not_allowed", "actor_invalid"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consistency_from_an_empty_tree_is_a_bad_request() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    for target in ["from=0&to=1", "from=2&to=1", "from=1&to=100000", "from=1"] {
        let problem = story.auditor.open_data(&format!("/v1/ledger/consistency?{target}")).await.unwrap_err().problem();
        assert_eq!((problem.status, problem.code.as_str()), (400, "bad_request"), "{target}");
    }
    story.auditor.open_data("/v1/ledger/consistency?from=1&to=2").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_before_the_answer_has_still_been_refused() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    // While nothing can be written the refusal waits for its entry, and the answer for both.
    let mut lock = connect(&sandbox.database()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let mut connection = raw::connect(&sandbox, CENTRE, Version::Http1).await;
    connection.write_all(b"GET /v1/cases HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    drop(connection);
    sleep(Duration::from_millis(500)).await;
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    let mut recorded = refusals(&story).await;
    for _ in 0..100 {
        if !recorded.is_empty() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        recorded = refusals(&story).await;
    }
    assert_eq!(recorded, ["actor_missing"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_beyond_the_budget_are_summarised_when_the_gateway_ends() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let centre = sandbox.party(CENTRE);
    let mut refused = 0;
    for _ in 0..150 {
        let answer = centre.send(Method::GET, "/v1/cases", HeaderMap::new(), Bytes::new()).await.unwrap();
        assert_eq!((answer.status, Problem::read(&answer).code.as_str()), (StatusCode::UNAUTHORIZED, "actor_missing"));
        refused += 1;
    }
    server.stop().await;
    let server = sandbox.serve().await;
    let ledger = Ledger::read(&sandbox.party(crate::exchange_stage::AUDITOR)).await;
    let singly = ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::Refusal).count();
    let summed: u64 = ledger
        .records
        .iter()
        .filter(|record| record.entry.entry_type == EntryType::RefusalSummary && record.entry.recipient.as_ref() == Some(&centre.id))
        .filter_map(|record| record.entry.count)
        .sum();
    assert!(summed > 0, "nothing was beyond the budget: {singly} entries");
    assert_eq!(singly + usize::try_from(summed).unwrap(), refused, "none is lost");
    server.stop().await;
}

/// Codes of the refusals in the ledger, in order.
async fn refusals(story: &Story) -> Vec<String> {
    let ledger = Ledger::read(&story.auditor).await;
    ledger.records.into_iter().filter_map(|record| record.entry.reason).collect()
}
