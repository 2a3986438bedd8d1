//! `/v1/consents`.

use axum::{Extension, body::Body, response::Response};
use http::StatusCode;

use super::{exchange::Exchange, problem::Problem, query::Segments, reply};
use crate::domain::entry::Operation;

/// `POST /v1/consents`.
pub(super) async fn register(Extension(exchange): Extension<Exchange>, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::ConsentRegister, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::ConsentRegister, "application/json", async {
            Box::pin(exchange.gateway().register_consent(&exchange.caller, &call, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::CREATED, &accepted)
}

/// `POST /v1/consents/{jti}/end`.
pub(super) async fn end(Extension(exchange): Extension<Exchange>, path: Segments, body: Body) -> Result<Response, Problem> {
    let (call, bytes) = exchange.call_with_body(Operation::ConsentEnd, "application/jwt", body).await?;
    let accepted = exchange
        .recorded(&call, Operation::ConsentEnd, "application/json", async {
            Box::pin(exchange.gateway().end_consent(&exchange.caller, &call, &path.get("jti")?, &bytes)).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &accepted)
}

/// `GET /v1/consents/{jti}`.
pub(super) async fn show(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::ConsentRead);
    let consent = exchange
        .recorded(&call, Operation::ConsentRead, "application/json", async {
            exchange.gateway().read_consent(&exchange.caller, &call, &path.get("jti")?).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &consent)
}
