//! `/v1/agreements`.

use axum::{Extension, body::Body, response::Response};
use http::StatusCode;

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::domain::entry::Operation;

/// `POST /v1/agreements`.
pub(super) async fn propose(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::AgreementPropose, "application/json", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::AgreementPropose, "application/json", async {
            Box::pin(exchange.gateway().propose_agreement(&exchange.caller, &call, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}

/// `POST /v1/agreements/{id}/{ver}/signatures`.
pub(super) async fn sign(Extension(exchange): Extension<Exchange>, path: Segments, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::AgreementSign, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::AgreementSign, "application/json", async {
            exchange.gateway().sign_agreement(&exchange.caller, &call, &path.get("id")?, path.get("ver")?, &bytes).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}

/// `GET /v1/agreements`.
pub(super) async fn list(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let page = exchange
        .open("application/json", async {
            let values = query.values(&["cursor", "limit"])?;
            exchange.gateway().agreements(&exchange.caller, values.get("cursor")?, values.get("limit")?.unwrap_or(50)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &page)
}

/// `GET /v1/agreements/{id}/{ver}`.
pub(super) async fn show(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let agreement = exchange
        .open("application/json", async {
            exchange.gateway().agreement_document(&exchange.caller, &path.get("id")?, path.get("ver")?).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &agreement)
}
