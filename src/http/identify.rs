//! From a connection's verified certificate to a caller, before any route is looked at.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, header, request::Parts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{exchange::Exchange, problem::Problem};
use crate::{
    clock::Stopwatch,
    domain::{entry::Operation, party::PartyId, refusal::RefusalCode},
    gateway::{Failure, Gateway},
    telemetry::Metrics,
    text::Lang,
    tls::Peer,
};

/// Bounds of one public listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a body may take to arrive.
    pub body: Duration,
    /// Requests a party may make per second, sustained.
    pub per_second: std::num::NonZeroU32,
    /// Requests a party may make at once on top.
    pub burst: std::num::NonZeroU32,
    /// Requests of a party that may be in work at one time.
    pub concurrency: usize,
    /// Requests of all parties together that may be in work at one time.
    pub together: usize,
}

/// What every handler of the public listener shares.
pub struct Public {
    pub(super) gateway: Arc<Gateway>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    rates: DefaultKeyedRateLimiter<PartyId>,
    places: Mutex<HashMap<PartyId, Arc<Semaphore>>>,
    everyone: Arc<Semaphore>,
    /// Calls and connections that failed before a party was known, since the last summary.
    pub(super) unauthenticated: AtomicU64,
}

impl Public {
    /// Puts the shared parts together.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, metrics: Arc<Metrics>, limits: Limits) -> Self {
        let rates = RateLimiter::keyed(Quota::per_second(limits.per_second).allow_burst(limits.burst));
        let everyone = Arc::new(Semaphore::new(limits.together.min(Semaphore::MAX_PERMITS)));
        Self { gateway, metrics, limits, rates, places: Mutex::new(HashMap::new()), everyone, unauthenticated: AtomicU64::new(0) }
    }

    /// Places for one more request of the party, its own and one of everybody's, held until it is answered.
    fn place(&self, party: &PartyId, within_rate: bool) -> Result<[OwnedSemaphorePermit; 2], RefusalCode> {
        let own = self.own_place(party).filter(|_| within_rate).ok_or(RefusalCode::RateLimited)?;
        let shared = Arc::clone(&self.everyone).try_acquire_owned().map_err(|_| RefusalCode::Overloaded)?;
        Ok([own, shared])
    }

    fn own_place(&self, party: &PartyId) -> Option<OwnedSemaphorePermit> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let own = places.entry(party.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.limits.concurrency)));
        Arc::clone(own).try_acquire_owned().ok()
    }

    /// Counts a connection that failed before a party was known.
    pub fn count_unauthenticated(&self) {
        self.unauthenticated.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts back a count whose summary could not be recorded.
    pub fn give_back_unauthenticated(&self, count: u64) {
        self.unauthenticated.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes the count for a summary entry.
    #[must_use]
    pub fn take_unauthenticated(&self) -> u64 {
        self.unauthenticated.swap(0, Ordering::Relaxed)
    }
}

/// Finds the caller, or answers why there is none. What fails before a party is known is counted, not recorded one by one.
pub(super) async fn identify(State(public): State<Arc<Public>>, request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    // The body stays out of what is held while the caller is looked up.
    let (mut parts, body) = request.into_parts();
    let lang = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).map_or(Lang::En, Lang::from_accept_language);
    match find(&public, &parts, id, lang).await {
        Ok((exchange, _places)) => {
            parts.extensions.insert(exchange);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn find(public: &Arc<Public>, request: &Parts, id: Uuid, lang: Lang) -> Result<(Exchange, [OwnedSemaphorePermit; 2]), Problem> {
    let refuse = |code: RefusalCode| {
        public.unauthenticated.fetch_add(1, Ordering::Relaxed);
        public.metrics.request(Operation::Unknown, Err(code), Duration::ZERO);
        Problem::refused(id, lang, code.into())
    };
    let peer = request.extensions.get::<Arc<Peer>>().ok_or_else(|| refuse(RefusalCode::BadIdentity))?;
    let now = public.gateway.now();
    let party = peer.party(now).map_err(refuse)?;
    // Before anything is read for it.
    let within_rate = public.rates.check_key(party).is_ok();
    let (caller, suspended) = match public.gateway.caller(party, peer.certificate(), peer.spki(), peer.not_after()).await {
        Ok(Ok(caller)) => (caller, None),
        Ok(Err((caller, refusal))) => (caller, Some(refusal)),
        Err(Failure::Refused(refusal)) => return Err(refuse(refusal.code)),
        Err(failure) => return Err(Problem::failed(id, lang, failure)),
    };
    let exchange = Exchange {
        public: Arc::clone(public),
        caller,
        request: id,
        method: request.method.as_str().to_owned(),
        target: request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
        actor: actor(&request.headers),
        lang,
        headers: Arc::new(request.headers.clone()),
        watch: Stopwatch::start(),
    };
    let refusal = match (suspended, public.place(exchange.caller.party(), within_rate)) {
        (Some(refusal), _) => refusal,
        (None, Err(code)) => code.into(),
        (None, Ok(_)) if head_size(request) > MOST_HEAD => RefusalCode::HeadersTooLarge.into(),
        (None, Ok(places)) => return Ok((exchange, places)),
    };
    Err(exchange.refuse(&exchange.call(Operation::Unknown), Operation::Unknown, refusal.into()).await)
}

/// The actor token. Of several none counts: who reads another of them than the caller meant would record another purpose.
fn actor(headers: &HeaderMap) -> Option<String> {
    let mut tokens = headers.get_all("tsunagi-actor").iter();
    let first = tokens.next()?.to_str().unwrap_or_default();
    Some(if tokens.next().is_some() { String::new() } else { first.to_owned() })
}

/// Size of a request's head as HTTP/1.1 writes it: line, names, values and what stands between them.
fn head_size(request: &Parts) -> usize {
    let target = request.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let fields = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    request.method.as_str().len() + target + REST_OF_LINE + fields.sum::<usize>()
}

/// Two spaces, the version and the end of a request line, and the empty line.
const REST_OF_LINE: usize = 14;
/// HTTP headers in all (protocol section 6).
const MOST_HEAD: usize = 16 * 1024;
