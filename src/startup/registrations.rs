//! Registered parties and keys beside their entries: looked at when a gateway starts, recorded at its machine where an earlier version registered them.

use std::sync::Arc;

use super::{StartupError, erase::at_the_machine};
use crate::{
    clock::Clock,
    config::Config,
    gateway::{Gateway, Survey},
};

/// Records what an earlier version registered, while gateways of the same ledger may serve; how the registrations stood before.
///
/// # Errors
/// As [`super::open`]; [`StartupError::Recording`] when the ledger cannot record it.
pub async fn record_registrations(config: &Config, clock: Arc<dyn Clock>) -> Result<Survey, StartupError> {
    at_the_machine(config, clock, async |gateway| gateway.record_registrations().await).await?.map_err(StartupError::Recording)
}

/// Says in the log how the registrations stand. A row that its entry contradicts is not served, whatever this finds.
pub(super) async fn look(gateway: Arc<Gateway>) {
    match gateway.survey_registrations().await {
        Ok(Survey { committed, earlier, differing }) => {
            for one in &differing {
                let key = one.key.map(tracing::field::display);
                tracing::error!(party = %one.party, key, "registered otherwise than its entry says: look with `tsunagi audit inspect`");
            }
            if earlier.is_empty() {
                tracing::info!(committed, "every party and key was compared with its newest entry");
            } else {
                let count = earlier.len();
                tracing::warn!(count, "parties and keys that no entry commits to: record them with `tsunagi ledger record`");
            }
        }
        Err(error) => tracing::error!(%error, "the registered parties and keys could not be compared with their entries"),
    }
}
