//! Rendering of answers.

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    exchange::Exchange,
    leaving::{self, Leaving},
    problem::Problem,
};
use crate::{
    clock::Stopwatch,
    gateway::{Failure, Release},
};

/// JSON that is nobody else's: never cached.
pub(super) fn json<T: Serialize>(exchange: &Exchange, status: StatusCode, value: &T) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|_| Problem::failed(exchange.request, exchange.lang, Failure::Corrupt("answer")))?;
    Ok(bytes_of(status, "application/json", "no-store", bytes))
}

/// Bytes with a media type and a cache rule.
pub(super) fn bytes_of(status: StatusCode, media: &'static str, cache: &'static str, bytes: impl Into<Body>) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// A release.
pub(super) fn release(exchange: &Exchange, release: Release) -> Result<Response, Problem> {
    let mut response = in_time(exchange, "application/jose", release.body, release.committed)?;
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    set("tsunagi-ledger-index", release.ledger.index.to_string());
    set("tsunagi-ledger-leaf", release.ledger.leaf);
    set("tsunagi-ledger-proof", URL_SAFE_NO_PAD.encode(release.ledger.proof));
    set("tsunagi-retention-months", release.keep.months.to_string());
    if let Some(until) = release.keep.until {
        set("tsunagi-erase-by", until.to_string());
    }
    Ok(response)
}

/// JSON that discloses something.
pub(super) fn disclosure<T: Serialize>(exchange: &Exchange, value: &T, committed: Stopwatch) -> Result<Response, Problem> {
    let text = serde_json::to_string(value).map_err(|_| Problem::failed(exchange.request, exchange.lang, Failure::Corrupt("answer")))?;
    in_time(exchange, "application/json", text, committed)
}

/// What was disclosed with an entry. Dropped when its first byte could not leave within 2 s of its commit (`ledger.md` section 1, promise 6).
fn in_time(exchange: &Exchange, media: &'static str, body: String, committed: Stopwatch) -> Result<Response, Problem> {
    if !leaving::in_time(committed) {
        return Err(Problem::failed(exchange.request, exchange.lang, Failure::TooLate));
    }
    Ok(bytes_of(StatusCode::OK, media, "no-store", Body::new(Leaving::new(body.into(), committed))))
}
