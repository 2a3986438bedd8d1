//! The public listener's routes, inside our own accept loop: one file per resource; a handler parses, makes one call and renders.
//!
//! Promises: who calls is whoever the verified client certificate names, and nothing a header says (protocol section 1); an inside error
//! becomes an outside document in `problem` and nowhere else; bodies, headers and times are bounded.

mod admin;
mod agreements;
mod audit;
mod cases;
mod consents;
mod discovery;
mod exchange;
mod identify;
mod leaving;
mod ledger;
mod messages;
mod parties;
mod problem;
mod query;
mod reply;
mod statistics;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

pub use admin::{Admin, admin_router, serve_admin_tcp, serve_admin_unix};
pub use identify::{Limits, Public};

use exchange::{no_method, no_route};

/// The router of the public listener. Each request must carry the connection's [`crate::tls::Peer`] as an extension.
pub fn public_router(public: Arc<Public>) -> Router {
    Router::new()
        .route("/.well-known/tsunagi", get(discovery::well_known))
        .route("/v1/openapi.json", get(discovery::openapi))
        .route("/v1/schemas/{kind}/{ver}", get(discovery::schema))
        .route("/v1/parties", get(parties::list).post(parties::register))
        .route("/v1/parties/self/keys", post(parties::register_key))
        .route("/v1/parties/{party}", get(parties::show))
        .route("/v1/agreements", get(agreements::list).post(agreements::propose))
        .route("/v1/agreements/{id}/{ver}", get(agreements::show))
        .route("/v1/agreements/{id}/{ver}/signatures", post(agreements::sign))
        .route("/v1/consents", post(consents::register))
        .route("/v1/consents/{jti}", get(consents::show))
        .route("/v1/consents/{jti}/end", post(consents::end))
        .route("/v1/referrals", post(messages::refer))
        .route("/v1/explain", post(messages::explain))
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/{id}", get(cases::read))
        .route("/v1/cases/{id}/messages", get(messages::list).post(messages::submit))
        .route("/v1/cases/{id}/messages/{jti}", get(messages::read))
        .route("/v1/cases/{id}/acknowledgements", post(messages::acknowledge))
        .route("/v1/cases/{id}/receipts", get(cases::receipts))
        .route("/v1/cases/{id}/certificates", get(cases::certificates))
        .route("/v1/cases/{id}/disclosures", get(cases::disclosures))
        .route("/v1/audit/events", get(audit::events))
        .route("/v1/audit/events/{idx}", get(audit::event))
        .route("/v1/audit/events/{idx}/proof", get(audit::proof))
        .route("/v1/statistics", get(statistics::read))
        .route("/v1/ledger/checkpoint", get(ledger::checkpoint))
        .route("/v1/ledger/checkpoint/cosigned", get(ledger::cosigned))
        .route("/v1/ledger/consistency", get(ledger::consistency))
        .route("/v1/ledger/tile/{*path}", get(ledger::tile))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&public), identify::identify))
        .with_state(public)
}
