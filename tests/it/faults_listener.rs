//! HTTP as an attacker or a broken client sends it, at the running gateway, over both versions.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tsunagi::domain::{
    entry::{EntryType, Outcome},
    party::PartyId,
};

use crate::exchange_stage::{
    CENTRE, MUNICIPALITY, SOON, Sandbox, Settings,
    ledger::Ledger,
    party::{ACTOR, Party, Problem, value},
    raw::{self, Drip, VERSIONS, Version},
    story::{PLACEMENT, Story},
};

const GROUP_HOME: &str = "group_home:1320100017";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_makes_a_caller_somebody_else() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    let target = format!("/v1/cases/{}", referral.case);
    let mut asked = 0;
    for stranger in [sandbox.party(GROUP_HOME), sandbox.party(GROUP_HOME).over_http1()] {
        for headers in claims_to_be(&sandbox, MUNICIPALITY) {
            let problem = ask(&stranger, &target, &stranger, headers.clone()).await;
            assert_eq!((problem.status, problem.code.as_str()), (404, "not_found"), "{headers:?}");
            // The municipality's own token does not help either: it is bound to its signer and to another certificate.
            let problem = ask(&stranger, &target, &story.municipality, headers).await;
            assert_eq!((problem.status, problem.code.as_str()), (401, "actor_binding"));
            asked += 2;
        }
    }
    let ledger = Ledger::read(&story.auditor).await;
    let refusals: Vec<_> = ledger.records.iter().filter(|record| record.entry.decision == Outcome::Deny).collect();
    let stranger: PartyId = GROUP_HOME.parse().unwrap();
    assert_eq!(refusals.len(), asked);
    assert!(refusals.iter().all(|refusal| refusal.entry.actor.as_ref().unwrap().party == stranger));
    assert!(!ledger.records.iter().any(|record| record.entry.entry_type == EntryType::Release));
    server.stop().await;
}

/// Headers by which proxies hand identities on, all claiming to be one party.
fn claims_to_be(sandbox: &Sandbox, party: &str) -> Vec<HeaderMap> {
    let uri = format!("urn:tsunagi:party:{party}");
    let pem = std::fs::read_to_string(sandbox.identity(&party.parse().unwrap()).join("tls.pem")).unwrap();
    let pem = pem.replace('\n', "%0A");
    [
        ("x-forwarded-client-cert", format!("By=spiffe://gateway;Hash=00;Cert=\"{pem}\";URI={uri}")),
        ("x-ssl-client-cert", pem.clone()),
        ("x-client-cert", pem.clone()),
        ("client-cert", format!(":{}:", pem.replace("%0A", ""))),
        ("ssl-client-s-dn", format!("CN={party}")),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("forwarded", format!("for=127.0.0.1;by=\"{uri}\"")),
        ("x-remote-user", party.to_owned()),
        ("tsunagi-party", party.to_owned()),
        ("authorization", format!("Bearer {party}")),
    ]
    .into_iter()
    .map(|(name, text)| HeaderMap::from_iter([(HeaderName::from_static(name), value(&text))]))
    .collect()
}

/// Asks as one party with the actor token of another, perhaps the same.
async fn ask(caller: &Party, target: &str, signer: &Party, mut headers: HeaderMap) -> Problem {
    let nonce = "0123456789abcdef".parse().unwrap();
    headers.insert(ACTOR, value(&signer.actor(&Method::GET, target, PLACEMENT, None, Some(&nonce))));
    Problem::read(&caller.send(Method::GET, target, headers, Bytes::new()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_of_the_right_kind_has_a_length_and_is_at_most_512_kib() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let mut expected = Vec::new();
    for sender in [sandbox.party(CENTRE), sandbox.party(CENTRE).over_http1()] {
        let largest = "x".repeat(512 * 1024);
        for (target, media, body, code) in [
            ("/v1/referrals", "application/jose", largest.clone(), "bad_envelope"),
            ("/v1/referrals", "application/jose", format!("{largest}x"), "too_large"),
            ("/v1/consents", "application/jwt", format!("{largest}x"), "too_large"),
            ("/v1/referrals", "application/json", "{}".to_owned(), "bad_media_type"),
            ("/v1/referrals", "application/jwt", "a.b.c".to_owned(), "bad_media_type"),
            ("/v1/consents", "application/jose", "a.b.c".to_owned(), "bad_media_type"),
            ("/v1/consents", "text/plain", "a.b.c".to_owned(), "bad_media_type"),
        ] {
            let problem = sender.post(target, PLACEMENT, media, body).await.unwrap_err().problem();
            assert_eq!(problem.code, code, "{target} {media}");
            expected.push(code);
        }
    }
    for version in VERSIONS {
        for body in ["a.b.c".to_owned(), "x".repeat(600 * 1024)] {
            let problem = post_raw(&sandbox, &story.centre, version, Drip::whole(body), None).await;
            assert_eq!((problem.status, problem.code.as_str()), (411, "length_required"), "{version:?}");
            expected.push("length_required");
        }
    }
    let ledger = Ledger::read(&story.auditor).await;
    let reasons: Vec<_> = ledger.records.iter().filter_map(|record| record.entry.reason.as_deref()).collect();
    assert_eq!(reasons, expected, "each is recorded once");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_takes_longer_than_half_a_minute_is_given_up() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let slow = async |version| {
        // A piece a second: how many were taken says when it was given up.
        let body = Drip::slow(100, Duration::from_secs(1));
        let given = body.given();
        let problem = post_raw(&sandbox, &story.centre, version, body, Some(100)).await;
        (problem.code, given.load(Ordering::Relaxed))
    };
    let (first, second) = tokio::join!(slow(Version::Http1), slow(Version::Http2));
    for (code, given) in [first, second] {
        assert_eq!(code, "bad_request");
        assert!((28..60).contains(&given), "{given} of 100");
    }
    story.refer().await;
    server.stop().await;
}

/// Two lengths, or a length and chunks, are how requests are smuggled past a proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_lengths_is_one_refusal_and_the_end_of_the_connection() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let smuggled = "GET /v1/cases HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for lengths in [
        format!("Content-Length: 5\r\nContent-Length: {}\r\n", smuggled.len()),
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Content-Length: +5\r\n".to_owned(),
        "Content-Length: 5, 5, 7\r\n".to_owned(),
    ] {
        let mut stream = raw::connect(&sandbox, CENTRE, Version::Http1).await;
        let head = format!("POST /v1/referrals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose\r\n{lengths}\r\n");
        stream.write_all(format!("{head}0\r\n\r\n{smuggled}").as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        // The end may come as a reset: what was answered before is what counts.
        let _end = timeout(SOON, stream.read_to_end(&mut answers)).await.expect("the connection ends");
        let answers = String::from_utf8_lossy(&answers);
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert!(matches!(statuses.as_slice(), ["400" | "411"]), "{lengths}: {statuses:?}");
    }
    let ledger = Ledger::read(&story.auditor).await;
    assert!(!ledger.records.iter().any(|record| record.entry.operation.as_str() == "case.list"), "a smuggled request was answered");
    server.stop().await;
}

/// Posts a referral with a body that says nothing of its length, unless a header does.
async fn post_raw(sandbox: &Sandbox, sender: &Party, version: Version, body: Drip, length: Option<usize>) -> Problem {
    let target = "/v1/referrals";
    let mut request = Request::post(target)
        .header(ACTOR, sender.actor(&Method::POST, target, PLACEMENT, Some(b""), None))
        .header(CONTENT_TYPE, "application/jose")
        .body(body)
        .unwrap();
    if let Some(length) = length {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    problem(&raw::send(sandbox, CENTRE, version, request).await)
}

fn problem(response: &Response<Bytes>) -> Problem {
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    Problem { status: response.status().as_u16(), code: document["code"].as_str().unwrap().to_owned(), retry_after: None, text }
}
