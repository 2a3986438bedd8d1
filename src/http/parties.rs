//! `/v1/parties`.

use axum::{Extension, body::Body, response::Response};
use http::StatusCode;

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::domain::entry::Operation;

/// `GET /v1/parties`.
pub(super) async fn list(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let page = exchange
        .open("application/json", async {
            let values = query.values(&["cursor", "limit"])?;
            let after = values.get("cursor")?;
            exchange.gateway().parties(after.as_ref(), values.get("limit")?.unwrap_or(50)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &page)
}

/// `GET /v1/parties/{party}`.
pub(super) async fn show(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let party = exchange.open("application/json", async { exchange.gateway().party(&path.get("party")?).await }).await?;
    reply::json(&exchange, StatusCode::OK, &party)
}

/// `POST /v1/parties`.
pub(super) async fn register(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::PartyRegister, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::PartyRegister, "application/json", async {
            Box::pin(exchange.gateway().register_party(&exchange.caller, &call, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}

/// `POST /v1/parties/self/keys`.
pub(super) async fn register_key(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::KeyRegister, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::KeyRegister, "application/json", async {
            exchange.gateway().register_key(&exchange.caller, &call, &bytes).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}
