//! What a server says beside its answer. The driver gives it to the log and to nobody else, so it is listened to where the driver logs.
//!
//! Promises: a warning that comes while a step is under way is seen, whatever the process logs and where; other steps on the same thread are not mixed up
//! with it. Not here: notices that are no warnings.

use std::{cell::RefCell, fmt, pin::pin, sync::LazyLock};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
    subscriber::Interest,
};

/// The outcome of a step, and the last warning that came with it.
pub(super) async fn with_warning<T>(step: impl Future<Output = T>) -> (T, Option<String>) {
    let mut step = pin!(step);
    let mut warning = None;
    let outcome = std::future::poll_fn(|context| {
        // Only while the step itself runs: what else this thread does is not listened to.
        let polled = tracing::dispatcher::with_default(&LISTENERS.0, || step.as_mut().poll(context));
        if let Some(said) = HEARD.take() {
            warning = Some(said);
        }
        polled
    })
    .await;
    (outcome, warning)
}

/// Hears warnings of servers and nothing else.
struct Listener;

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        if self.enabled(event.metadata()) {
            let mut message = Message::default();
            event.record(&mut message);
            HEARD.set(Some(message.0));
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }
}

/// For the whole process: each one more is asked about every place that logs. Two, and only the first ever listens: of one alone tracing thinks that it is the
/// default everywhere, asks the thread at hand instead of it whether a place that logs is of interest, and keeps the answer (tracing-core, callsite.rs).
static LISTENERS: LazyLock<(Dispatch, Dispatch)> = LazyLock::new(|| (Dispatch::new(Listener), Dispatch::new(Listener)));
/// Where sqlx logs notices (sqlx-postgres, connection/stream.rs).
const TARGET: &str = "sqlx::postgres::notice";

thread_local! {
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn says(target: bool, level: bool) -> u8 {
        tokio::task::yield_now().await;
        match (target, level) {
            (true, true) => tracing::warn!(target: "sqlx::postgres::notice", message = "a warning"),
            (true, false) => tracing::info!(target: "sqlx::postgres::notice", message = "a notice"),
            (false, _) => tracing::warn!("a warning of somebody else"),
        }
        tokio::task::yield_now().await;
        7
    }

    #[tokio::test]
    async fn only_a_warning_of_the_server_and_only_that_of_the_step_is_heard() {
        assert_eq!(with_warning(says(true, true)).await, (7, Some("a warning".to_owned())));
        assert_eq!(with_warning(says(true, false)).await, (7, None));
        assert_eq!(with_warning(says(false, true)).await, (7, None));
        let (beside, (_, heard)) = tokio::join!(says(true, true), with_warning(says(true, false)));
        assert_eq!((beside, heard), (7, None));
    }

    #[tokio::test]
    async fn a_warning_is_heard_from_where_one_was_logged_before_to_nobody() {
        assert_eq!(says(true, true).await, 7);
        assert_eq!(with_warning(says(true, true)).await.1.as_deref(), Some("a warning"));
        assert_eq!(says(true, true).await, 7);
        assert_eq!(with_warning(says(true, true)).await.1.as_deref(), Some("a warning"));
    }

    #[tokio::test]
    async fn a_warning_is_heard_where_the_process_logs_errors_only() {
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::ERROR).with_writer(std::io::sink).finish();
        let _quiet = tracing::subscriber::set_default(subscriber);
        assert_eq!(with_warning(says(true, true)).await.1.as_deref(), Some("a warning"));
    }
}
