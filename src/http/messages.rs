//! `/v1/referrals`, `/v1/explain`, `/v1/cases/{id}/messages`, `/v1/cases/{id}/acknowledgements`.

use axum::{Extension, body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::domain::entry::Operation;

/// `POST /v1/referrals`.
pub(super) async fn refer(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::ReferralSubmit, "application/jose", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::ReferralSubmit, "application/json", async {
            exchange.gateway().submit_referral(&exchange.caller, &call, &bytes).await
        })
        .await?;
    let location = accepted.subject.get("case").and_then(|case| case.as_str()).map(|case| format!("/v1/cases/{case}"));
    Ok(created(reply::json(&exchange, StatusCode::CREATED, &accepted)?, location))
}

/// Says where what was made is found.
fn created(mut response: Response, location: Option<String>) -> Response {
    if let Some(location) = location.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// `POST /v1/cases/{id}/messages`.
pub(super) async fn submit(Extension(exchange): Extension<Exchange>, path: Segments, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::MessageSubmit, "application/jose", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::MessageSubmit, "application/json", async {
            Box::pin(exchange.gateway().submit_message(&exchange.caller, &call, &path.get("id")?, &bytes)).await
        })
        .await?;
    let named = |member| accepted.subject.get(member).and_then(|id| id.as_str());
    let location = named("case").zip(named("message")).map(|(case, message)| format!("/v1/cases/{case}/messages/{message}"));
    Ok(created(reply::json(&exchange, StatusCode::CREATED, &accepted)?, location))
}

/// `POST /v1/explain`.
pub(super) async fn explain(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::Explain, "application/jose", body).await?;
    let explained = exchange
        .recorded(&call, Operation::Explain, "application/json", async {
            Box::pin(exchange.gateway().explain(&exchange.caller, &call, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &explained)
}

/// `GET /v1/cases/{id}/messages`.
pub(super) async fn list(Extension(exchange): Extension<Exchange>, path: Segments, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::MessageList);
    let page = exchange
        .recorded(&call, Operation::MessageList, "application/json", async {
            let values = query.values(&["cursor", "limit"])?;
            let (after, limit) = (values.get("cursor")?, values.get("limit")?.unwrap_or(50));
            exchange.gateway().list_messages(&exchange.caller, &call, &path.get("id")?, after, limit).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &page)
}

/// `GET /v1/cases/{id}/messages/{jti}`.
pub(super) async fn read(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::MessageRead);
    let release = exchange
        .recorded(&call, Operation::MessageRead, "application/jose", async {
            exchange.gateway().read_message(&exchange.caller, &call, &path.get("id")?, &path.get("jti")?).await
        })
        .await?;
    reply::release(&exchange, release)
}

/// `POST /v1/cases/{id}/acknowledgements`.
pub(super) async fn acknowledge(Extension(exchange): Extension<Exchange>, path: Segments, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::Acknowledge, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::Acknowledge, "application/json", async {
            Box::pin(exchange.gateway().acknowledge(&exchange.caller, &call, &path.get("id")?, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}
