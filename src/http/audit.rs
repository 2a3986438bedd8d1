//! `/v1/audit/events`.

use axum::{Extension, response::Response};
use http::StatusCode;

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::{domain::entry::Operation, gateway::AuditQuery};

/// `GET /v1/audit/events`.
pub(super) async fn events(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::AuditEvents);
    let page = exchange
        .recorded(&call, Operation::AuditEvents, "application/json", async {
            let values = query.values(&[
                "from",
                "to",
                "actor",
                "recipient",
                "case",
                "staff",
                "class",
                "operation",
                "type",
                "decision",
                "reason",
                "agreement",
                "consent",
                "limit",
                "cursor",
            ])?;
            let query = AuditQuery {
                from: values.get("from")?,
                to: values.get("to")?,
                actor: values.get("actor")?,
                recipient: values.get("recipient")?,
                case: values.get("case")?,
                staff: values.get("staff")?,
                class: values.get("class")?,
                operation: values.get("operation")?,
                entry_type: values.get("type")?,
                decision: values.get("decision")?,
                reason: values.get("reason")?,
                agreement: values.get("agreement")?,
                consent: values.get("consent")?,
                limit: values.get("limit")?,
                cursor: values.get("cursor")?,
            };
            exchange.gateway().audit_events(&exchange.caller, &call, &query).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &page)
}

/// `GET /v1/audit/events/{idx}`.
pub(super) async fn event(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::AuditEvent);
    let event = exchange
        .recorded(&call, Operation::AuditEvent, "application/json", async {
            exchange.gateway().audit_event(&exchange.caller, &call, path.get("idx")?).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &event)
}

/// `GET /v1/audit/events/{idx}/proof`.
pub(super) async fn proof(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let call = exchange.call(Operation::AuditProof);
    let proof = exchange
        .recorded(&call, Operation::AuditProof, "text/plain", async {
            exchange.gateway().audit_proof(&exchange.caller, &call, path.get("idx")?).await
        })
        .await?;
    Ok(reply::bytes_of(StatusCode::OK, "text/plain; charset=utf-8", "no-store", proof))
}
