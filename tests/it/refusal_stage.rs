//! Refusals through the real listener: a case says what is asked and which code must come, one check says everything that goes with it: document in
//! both languages, ledger entry, and that nothing was stored.

pub(crate) mod kept;
pub(crate) mod routes;
pub(crate) mod world;

use std::{collections::BTreeSet, fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request,
    header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::Value;
use tsunagi::{
    domain::{
        entry::{EntryType, Outcome},
        refusal::RefusalCode,
    },
    text::{self, Lang},
};

use crate::exchange_stage::{
    ledger::Ledger,
    party::{ACTOR, Party, value},
    raw::{self, Drip, Version},
};
use kept::Kept;
use routes::{Route, Security};
use world::World;

/// One way to provoke a code at a route.
pub(crate) struct Case {
    /// `POST /v1/referrals`, as the published document names it; none for paths that are no route.
    pub(crate) route: &'static str,
    pub(crate) code: RefusalCode,
    pub(crate) how: String,
    pub(crate) ask: Provoke,
}

/// Makes a fresh request each time: actor tokens are used once.
pub(crate) type Provoke = Box<dyn for<'a> Fn(&'a World) -> Asking<'a>>;
pub(crate) type Asking<'a> = Pin<Box<dyn Future<Output = Ask> + 'a>>;

/// A request.
pub(crate) struct Ask {
    pub(crate) by: Arc<Party>,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Says nothing of the length of its body.
    pub(crate) chunked: bool,
}

/// What the ledger must say of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) party: String,
    pub(crate) operation: String,
    pub(crate) reason: String,
}

/// Which trace a refusal leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// An entry under this operation.
    Entry(&'static str),
    /// None: the route is open to every registered party.
    Open,
    /// Counted, because no party is known; a summary goes into the ledger once a minute.
    Counted,
    /// None is possible: the ledger itself cannot be written.
    Impossible,
}

impl Case {
    pub(crate) fn new<F>(route: &'static str, code: RefusalCode, how: impl Into<String>, ask: F) -> Self
    where
        F: for<'a> Fn(&'a World) -> Asking<'a> + 'static,
    {
        Self { route, code, how: how.into(), ask: Box::new(ask) }
    }

    fn trace(&self) -> Trace {
        use RefusalCode as C;
        match self.code {
            C::UnknownParty | C::BadIdentity | C::CrlStale => Trace::Counted,
            C::LedgerUnavailable => Trace::Impossible,
            C::PartySuspended | C::RateLimited | C::Overloaded | C::HeadersTooLarge | C::MethodNotAllowed => Trace::Entry("unknown"),
            _ => match Route::find(self.route) {
                None => Trace::Entry("unknown"),
                Some(route) if route.security == Security::Open => Trace::Open,
                // One path, two resources: hashes are open, entries are not.
                Some(route) if route.security == Security::Both && self.code == C::NotFound => Trace::Open,
                Some(route) => Trace::Entry(route.operation),
            },
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.route, self.code, self.how)
    }
}

/// Runs every case in both languages and reads the ledger behind them as an auditor does. Says everything that is wrong, not the first of it.
pub(crate) async fn run(world: &World, cases: &[Case]) {
    provoke(world, cases).await;
    audit(world).await;
}

/// The ledger holds exactly the refusals that were told, in their order.
pub(crate) async fn audit(world: &World) {
    assert_eq!(refusals(world).await, world.expected(), "what the auditor reads");
}

/// Runs every case in both languages, and nothing behind them.
pub(crate) async fn provoke(world: &World, cases: &[Case]) {
    assert!(!cases.is_empty());
    let mut wrong = Vec::new();
    for case in cases {
        for lang in [Lang::Ja, Lang::En] {
            let ask = (case.ask)(world).await;
            let party = ask.by.id.to_string();
            let (before, counted) = (Kept::read(&world.sandbox.database()).await, world.unauthenticated(case.code).await);
            let (status, headers, body) = send(world, ask, lang).await;
            let mut found = judge(case.code, lang, status, &headers, &body, world);
            let changed = before.changed(&Kept::read(&world.sandbox.database()).await);
            if !changed.is_empty() {
                found.push(format!("stored something: {changed:?}"));
            }
            match case.trace() {
                Trace::Entry(operation) => world.expect(&party, operation, case.code.as_str()),
                Trace::Counted if world.unauthenticated(case.code).await != counted + 1 => found.push("not counted".to_owned()),
                Trace::Counted | Trace::Open | Trace::Impossible => {}
            }
            wrong.extend(found.iter().map(|found| format!("{case}: {found}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The refusals in the ledger since the world was made.
async fn refusals(world: &World) -> Vec<Noted> {
    let ledger = Ledger::read(&world.story.auditor).await;
    let refusals = ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::Refusal);
    refusals
        .map(|record| {
            assert_eq!(record.entry.decision, Outcome::Deny);
            Noted {
                party: record.entry.actor.as_ref().unwrap().party.to_string(),
                operation: record.entry.operation.to_string(),
                reason: record.entry.reason.clone().unwrap(),
            }
        })
        .collect()
}

/// Sends a request in one language.
pub(crate) async fn send(world: &World, mut ask: Ask, lang: Lang) -> (u16, HeaderMap, Bytes) {
    ask.headers.insert(ACCEPT_LANGUAGE, value(lang.of("en", "ja")));
    if ask.chunked {
        let mut request = Request::builder().method(ask.method).uri(&ask.target).body(Drip::whole(ask.body)).unwrap();
        *request.headers_mut() = ask.headers;
        let answer = raw::send(&world.sandbox, &ask.by.id.to_string(), Version::Http2, request).await;
        return (answer.status().as_u16(), answer.headers().clone(), answer.into_body());
    }
    let answer = ask.by.send(ask.method, &ask.target, ask.headers, ask.body).await.unwrap();
    (answer.status.as_u16(), answer.headers, answer.body)
}

/// What is wrong with a problem document (RFC 9457): it must have the code's own status and texts, in the language asked for, and nothing of what
/// was sent.
fn judge(code: RefusalCode, lang: Lang, status: u16, headers: &HeaderMap, body: &Bytes, world: &World) -> Vec<String> {
    let told = String::from_utf8_lossy(body);
    let Ok(document) = serde_json::from_str::<Value>(&told) else { return vec![format!("{status} {told:.300}")] };
    if document["code"] != code.as_str() {
        return vec![format!("{status} {told:.500}")];
    }
    let text = text::refusal(code);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let members: BTreeSet<&str> = document.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let violations = document["violations"].as_array();
    let facts = [
        ("status", status == code.status() && document["status"] == status),
        ("media type", header(CONTENT_TYPE) == "application/problem+json"),
        ("language", header(CONTENT_LANGUAGE) == lang.of("en", "ja")),
        ("cache", header(CACHE_CONTROL) == "no-store"),
        ("Retry-After", headers.contains_key(RETRY_AFTER) == matches!(status, 429 | 503)),
        ("members", members == BTreeSet::from(["type", "title", "status", "detail", "instance", "code", "violations"])),
        ("type", document["type"] == format!("urn:tsunagi:problem:{code}")),
        ("title", document["title"] == text.title(lang)),
        ("detail", document["detail"] == text.detail(lang)),
        ("instance", document["instance"].as_str().is_some_and(|id| id.starts_with("urn:uuid:"))),
        ("violations", violations.is_some_and(|rows| rows.iter().all(|row| row["field"].is_string() && row["rule"].is_string()))),
        ("values", !world.personal.iter().any(|value| told.contains(value.as_str()))),
    ];
    facts.into_iter().filter(|(_, stands)| !stands).map(|(what, _)| format!("{what}: {told:.500}")).collect()
}

impl Ask {
    /// A read with a sound actor token.
    pub(crate) fn get(by: &Arc<Party>, target: &str, purpose: tsunagi::domain::codes::Purpose) -> Self {
        let nonce = world::nonce();
        let token = by.actor(&Method::GET, target, purpose, None, Some(&nonce));
        Self::of(by, Method::GET, target).with(ACTOR, &token)
    }

    /// Something sent with a sound actor token.
    pub(crate) fn post(
        by: &Arc<Party>,
        target: &str,
        purpose: tsunagi::domain::codes::Purpose,
        media: &str,
        body: impl Into<Bytes>,
    ) -> Self {
        let body = body.into();
        let token = by.actor(&Method::POST, target, purpose, Some(&body), None);
        let mut ask = Self::of(by, Method::POST, target).with(ACTOR, &token).with("content-type", media);
        ask.body = body;
        ask
    }

    /// A request with nothing but its line.
    pub(crate) fn of(by: &Arc<Party>, method: Method, target: &str) -> Self {
        Self { by: Arc::clone(by), method, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new(), chunked: false }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, text: &str) -> Self {
        self.headers.insert(name, value(text));
        self
    }

    /// The same without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Ready, for a case that prepares nothing at the gateway.
    pub(crate) fn ready<'a>(self) -> Asking<'a> {
        Box::pin(std::future::ready(self))
    }
}
