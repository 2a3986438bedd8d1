//! The admin listener (loopback or unix socket): liveness, readiness, metrics. It never serves data.

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::get};
use http::StatusCode;

use super::reply;
use crate::{gateway::Gateway, telemetry::Metrics, tls::TlsState};

/// What the admin listener looks at.
pub struct Admin {
    /// Gateway.
    pub gateway: Arc<Gateway>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// TLS state: a stale revocation list makes the gateway not ready.
    pub tls: Arc<TlsState>,
}

/// The router of the admin listener.
pub fn admin_router(admin: Arc<Admin>) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(metrics)).with_state(admin)
}

async fn livez() -> Response {
    reply::bytes_of(StatusCode::OK, TEXT, "no-store", "ok\n")
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    if let Err(code) = admin.tls.ready(admin.gateway.now()) {
        admin.metrics.set_ready(false);
        return reply::bytes_of(StatusCode::SERVICE_UNAVAILABLE, TEXT, "no-store", format!("{code}\n"));
    }
    let ready = admin.gateway.ready().await;
    admin.metrics.set_ready(ready.is_ok());
    match ready {
        Ok(()) => reply::bytes_of(StatusCode::OK, TEXT, "no-store", format!("ready\n{}", admin.gateway.standing().lines())),
        Err(failure) => {
            tracing::warn!(error = %failure, "not ready");
            let body = format!("ledger_unavailable\n{}", admin.gateway.standing().lines());
            reply::bytes_of(StatusCode::SERVICE_UNAVAILABLE, TEXT, "no-store", body)
        }
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    admin.metrics.set_ledger_size(admin.gateway.ledger_size());
    let stand = admin.gateway.standing();
    admin.metrics.set_cosigned(stand.cosigned.map_or(0, |cosigned| cosigned.size), stand.uncosigned_since, stand.dispute.is_some());
    admin.metrics.set_dates(admin.tls.crl_next_update(), admin.tls.certificate_not_after());
    match admin.metrics.exposition() {
        Ok(text) => reply::bytes_of(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", "no-store", text),
        Err(_) => reply::bytes_of(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "no-store", "metrics\n"),
    }
}

/// Serves the admin router on a loopback address until `stop` is ready.
pub async fn serve_admin_tcp(listener: tokio::net::TcpListener, router: Router, stop: impl Future<Output = ()> + Send + 'static) {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin listener ended");
    }
}

/// Serves the admin router on a unix socket until `stop` is ready.
pub async fn serve_admin_unix(listener: tokio::net::UnixListener, router: Router, stop: impl Future<Output = ()> + Send + 'static) {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin listener ended");
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
