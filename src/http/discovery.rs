//! `/.well-known/tsunagi`, `/v1/schemas`, `/v1/openapi.json`: what a client needs to know before its first message.

use axum::{Extension, response::Response};
use http::StatusCode;

use super::{exchange::Exchange, problem::Problem, query::Segments, reply};
use crate::domain::refusal::RefusalCode;

/// `GET /.well-known/tsunagi`.
pub(super) async fn well_known(Extension(exchange): Extension<Exchange>) -> Result<Response, Problem> {
    let document = exchange.open("application/json", async { Ok(exchange.gateway().well_known()) }).await?;
    reply::json(&exchange, StatusCode::OK, &document)
}

/// `GET /v1/schemas/{kind}/{ver}`: the published bytes, which never change.
pub(super) async fn schema(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let bytes = exchange
        .open("application/json", async {
            Ok(exchange.gateway().schema(path.text("kind")?, path.text("ver")?).ok_or(RefusalCode::NotFound)?)
        })
        .await?;
    Ok(reply::bytes_of(StatusCode::OK, "application/json", "public, max-age=31536000, immutable", bytes))
}

/// `GET /v1/openapi.json`: OpenAPI 3.1 of exactly these routes.
pub(super) async fn openapi(Extension(exchange): Extension<Exchange>) -> Result<Response, Problem> {
    let document = exchange.open("application/json", async { Ok(OPENAPI) }).await?;
    Ok(reply::bytes_of(StatusCode::OK, "application/json", "no-cache", document))
}

const OPENAPI: &str = include_str!("openapi.json");
