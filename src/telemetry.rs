//! What an administrator sees of a running gateway: log lines on standard error, and counters.
//!
//! Promises: labels are words of closed lists, so neither a party nor a case can be read from a metric; libraries log from `warn` on and
//! the database driver not at all, because it would log statements.
//! Not here: the ledger, which is the record of what happened; these numbers are lost at a restart.

use std::{fmt, io::IsTerminal as _, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    config::{Log, LogFormat},
    domain::{entry::Operation, refusal::RefusalCode, time::Timestamp},
    tls::{HandshakeFailure, Observer},
};

/// Logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something else logs already.
    #[error("logging was already started in this process")]
    AlreadyStarted,
}

/// Starts logging to standard error, once per process.
pub fn start_logging(log: Log) -> Result<(), TelemetryError> {
    let registry = tracing_subscriber::registry().with(filter(log));
    let started = match log.format {
        LogFormat::Text => registry
            .with(tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Json => registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    started.map_err(|_| TelemetryError::AlreadyStarted)
}

/// The numbers of a gateway.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabel, Histogram>,
    handshakes: Family<KindLabel, Counter>,
    ledger_size: Gauge,
    cosigned_size: Gauge,
    uncosigned_since: Gauge,
    disputed: Gauge,
    connections: Gauge,
    ready: Gauge,
    crl_next_update: Gauge,
    certificate_not_after: Gauge,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tsunagi"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            handshakes: Family::default(),
            ledger_size: Gauge::default(),
            cosigned_size: Gauge::default(),
            uncosigned_since: Gauge::default(),
            disputed: Gauge::default(),
            connections: Gauge::default(),
            ready: Gauge::default(),
            crl_next_update: Gauge::default(),
            certificate_not_after: Gauge::default(),
        };
        let all = &mut metrics.registry;
        all.register("requests", "Requests answered, by operation and code", metrics.requests.clone());
        all.register_with_unit("request_duration", "Time to answer a request", Unit::Seconds, metrics.durations.clone());
        all.register("handshake_failures", "Connections that never became requests, by reason", metrics.handshakes.clone());
        all.register("ledger_size", "Entries in the ledger", metrics.ledger_size.clone());
        all.register("cosigned_size", "Entries in the newest head that enough witnesses cosigned", metrics.cosigned_size.clone());
        all.register(
            "uncosigned_since_timestamp",
            "Unix time of the first entry that no cosigned head covers, else 0",
            metrics.uncosigned_since.clone(),
        );
        all.register("ledger_disputed", "1 when others hold another ledger than the one that is stored, else 0", metrics.disputed.clone());
        all.register("connections", "Open connections on the public listener", metrics.connections.clone());
        all.register("ready", "1 when the gateway serves, else 0", metrics.ready.clone());
        all.register("crl_next_update_timestamp", "Unix time when the first revocation list goes stale", metrics.crl_next_update.clone());
        all.register(
            "certificate_not_after_timestamp",
            "Unix time when the gateway's certificate ends",
            metrics.certificate_not_after.clone(),
        );
        metrics
    }

    /// A request was answered.
    pub fn request(&self, operation: Operation, outcome: Result<(), RefusalCode>, took: Duration) {
        let code = outcome.map_or_else(RefusalCode::as_str, |()| "ok");
        let operation = operation.as_str();
        self.requests.get_or_create(&RequestLabels { operation, code }).inc();
        self.durations.get_or_create(&OperationLabel { operation }).observe(took.as_secs_f64());
    }

    /// The ledger is so long.
    pub fn set_ledger_size(&self, size: u64) {
        self.ledger_size.set(i64::try_from(size).unwrap_or(i64::MAX));
    }

    /// How far the ledger is cosigned, since when something is not, and whether it is in dispute.
    pub fn set_cosigned(&self, size: u64, uncosigned_since: Option<Timestamp>, disputed: bool) {
        self.cosigned_size.set(i64::try_from(size).unwrap_or(i64::MAX));
        self.uncosigned_since.set(uncosigned_since.map_or(0, Timestamp::secs));
        self.disputed.set(disputed.into());
    }

    /// Whether the gateway serves.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// The dates that an administrator must not miss.
    pub fn set_dates(&self, crl_next_update: Timestamp, certificate_not_after: Timestamp) {
        self.crl_next_update.set(crl_next_update.secs());
        self.certificate_not_after.set(certificate_not_after.secs());
    }

    /// The numbers in the text form of OpenMetrics 1.0, served as [`Self::MEDIA_TYPE`].
    pub fn exposition(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Media type of the exposition.
    pub const MEDIA_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Observer for Metrics {
    fn handshake_failed(&self, failure: HandshakeFailure) {
        self.handshakes.get_or_create(&KindLabel { kind: failure.as_str() }).inc();
    }

    fn connections_open(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}

/// From what a release costs to what a client waits for at most.
const DURATIONS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

fn filter(log: Log) -> EnvFilter {
    EnvFilter::new(format!("warn,sqlx=off,tsunagi={}", log.level.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_counts_by_closed_codes() {
        let metrics = Metrics::new();
        metrics.request(Operation::ReferralSubmit, Ok(()), Duration::from_millis(1));
        metrics.request(Operation::ReferralSubmit, Err(RefusalCode::OverDisclosure), Duration::from_millis(1));
        metrics.handshake_failed(HandshakeFailure::Revoked);
        metrics.set_ledger_size(42);
        metrics.set_cosigned(40, Some(Timestamp::from_secs(99)), true);
        metrics.connections_open(3);
        metrics.set_ready(true);
        metrics.set_dates(Timestamp::from_secs(100), Timestamp::from_secs(200));
        let text = metrics.exposition().unwrap();
        for line in [
            "tsunagi_requests_total{operation=\"referral.submit\",code=\"ok\"} 1",
            "tsunagi_requests_total{operation=\"referral.submit\",code=\"over_disclosure\"} 1",
            "tsunagi_request_duration_seconds_count{operation=\"referral.submit\"} 2",
            "tsunagi_handshake_failures_total{kind=\"revoked\"} 1",
            "tsunagi_ledger_size 42",
            "tsunagi_cosigned_size 40",
            "tsunagi_uncosigned_since_timestamp 99",
            "tsunagi_ledger_disputed 1",
            "tsunagi_connections 3",
            "tsunagi_ready 1",
            "tsunagi_crl_next_update_timestamp 100",
            "tsunagi_certificate_not_after_timestamp 200",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_database_driver_never_logs() {
        for level in ["info", "trace"] {
            let log: Log = toml::from_str(&format!("level = \"{level}\"")).unwrap();
            let text = filter(log).to_string();
            assert!(text.contains("sqlx=off") && text.contains(&format!("tsunagi={level}")), "{text}");
        }
    }
}
