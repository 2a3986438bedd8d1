//! `/v1/cases`, `/v1/cases/{id}`, `/v1/cases/{id}/receipts`, `/v1/cases/{id}/certificates`, `/v1/cases/{id}/disclosures`.

use axum::{Extension, response::Response};
use http::StatusCode;

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::{
    domain::entry::Operation,
    gateway::{CaseQuery, DisclosureQuery},
};

/// `GET /v1/cases`.
pub(super) async fn list(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::CaseList);
    let page = exchange
        .recorded(&call, Operation::CaseList, "application/json", async {
            let values = query.values(&["state", "cursor", "limit", "wait"])?;
            let query = CaseQuery {
                state: values.get("state")?,
                after: values.get("cursor")?,
                limit: values.get("limit")?.unwrap_or(50),
                wait: values.get("wait")?.unwrap_or(0),
            };
            exchange.gateway().list_cases(&exchange.caller, &call, &query).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &page)
}

/// `GET /v1/cases/{id}`.
pub(super) async fn read(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::CaseRead);
    let release = exchange
        .recorded(&call, Operation::CaseRead, "application/jose", async {
            exchange.gateway().read_case(&exchange.caller, &call, &path.get("id")?).await
        })
        .await?;
    reply::release(&exchange, release)
}

/// `GET /v1/cases/{id}/receipts`.
pub(super) async fn receipts(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::ReceiptList);
    let receipts = exchange
        .recorded(&call, Operation::ReceiptList, "application/json", async {
            exchange.gateway().receipts(&exchange.caller, &call, &path.get("id")?).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &receipts)
}

/// `GET /v1/cases/{id}/certificates`.
pub(super) async fn certificates(Extension(exchange): Extension<Exchange>, path: Segments, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::CertificateList);
    let page = exchange
        .recorded(&call, Operation::CertificateList, "application/json", async {
            let after = query.values(&["cursor"])?.get("cursor")?;
            Box::pin(exchange.gateway().certificates(&exchange.caller, &call, &path.get("id")?, after)).await
        })
        .await?;
    match page.committed() {
        Some(committed) => reply::disclosure(&exchange, &page, committed),
        None => reply::json(&exchange, StatusCode::OK, &page),
    }
}

/// `GET /v1/cases/{id}/disclosures`.
pub(super) async fn disclosures(Extension(exchange): Extension<Exchange>, path: Segments, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::DisclosureList);
    let list = exchange
        .recorded(&call, Operation::DisclosureList, "application/json", async {
            let values = query.values(&["class", "cursor", "limit"])?;
            let query =
                DisclosureQuery { class: values.get("class")?, after: values.get("cursor")?, limit: values.get("limit")?.unwrap_or(50) };
            exchange.gateway().disclosures(&exchange.caller, &call, &path.get("id")?, query).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &list)
}
