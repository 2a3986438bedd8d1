//! Erasing what is past its time, at the gateway's machine, while gateways of the same ledger may serve.

use std::sync::Arc;

use super::{StartupError, erase::at_the_machine};
use crate::{
    clock::Clock,
    config::Config,
    gateway::{Keeping, RetentionRun},
    message::disclosed::Pseudonym,
    store::Leftover,
};

/// The cases that are over and not erased, with their periods.
///
/// # Errors
/// As [`super::open`]; [`StartupError::Erasure`] when the store fails.
pub async fn retention_plan(config: &Config, clock: Arc<dyn Clock>) -> Result<Vec<Keeping>, StartupError> {
    at_the_machine(config, clock, async |gateway| gateway.retention_plan().await).await?.map_err(StartupError::Erasure)
}

/// Erases what is past its time; with what is left of it in files of the database, or why that could not be cut. Nothing of that where nothing was erased.
///
/// # Errors
/// As [`retention_plan`].
pub async fn retention_run(
    config: &Config,
    clock: Arc<dyn Clock>,
    by: Option<&Pseudonym>,
) -> Result<(RetentionRun, Option<Result<Leftover, StartupError>>), StartupError> {
    let act = async |gateway: &crate::gateway::Gateway| {
        let run = gateway.retention_run(by).await?;
        let left = if run.erased.is_empty() { None } else { Some(gateway.scrub().await.map_err(StartupError::Erasure)) };
        Ok((run, left))
    };
    at_the_machine(config, clock, act).await?.map_err(StartupError::Erasure)
}
