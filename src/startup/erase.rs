//! Erasing at the gateway's machine, while gateways of the same ledger may serve.

use std::sync::Arc;

use super::{LAST_COMMIT, StartupError, database, open_by, policies};
use crate::{
    clock::Clock,
    config::Config,
    gateway::{Erased, Erasure, Gateway},
    store::{self, Leftover},
};

/// Erases a case, or says what that would destroy. With what is left of it in files of the database, or why that could not be cut: the erasure stands
/// all the same. Nothing of that for a rehearsal.
///
/// # Errors
/// As [`super::open`]; [`StartupError::Erasure`] when the party does not stand in such a case or the ledger cannot record it.
pub async fn erase(
    config: &Config,
    clock: Arc<dyn Clock>,
    erasure: &Erasure<'_>,
    rehearse: bool,
) -> Result<(Erased, Option<Result<Leftover, StartupError>>), StartupError> {
    let act = async |gateway: &Gateway| {
        let outcome = if rehearse { gateway.rehearse_erasure(erasure).await } else { gateway.erase(erasure).await };
        // Of a case that was erased before too: what could not be cut then may be cut now.
        let left = if rehearse || outcome.is_err() { None } else { Some(gateway.scrub().await) };
        (outcome, left)
    };
    let (outcome, left) = at_the_machine(config, clock, act).await?;
    let erased = outcome.map_err(StartupError::Erasure)?;
    Ok((erased, left.map(|left| left.map_err(StartupError::Erasure))))
}

/// Does something with a gateway that has no listeners, by the policy set in force, and ends it.
pub(super) async fn at_the_machine<T>(
    config: &Config,
    clock: Arc<dyn Clock>,
    act: impl AsyncFnOnce(&Gateway) -> T,
) -> Result<T, StartupError> {
    let store = store::open(database(config)?).await?;
    let policy = policies(config)?;
    let in_force = store.head().await?.policy;
    if in_force != policy.digest() {
        return Err(StartupError::PolicyMismatch { loaded: policy.digest(), in_force });
    }
    let opened = open_by(config, Arc::clone(&store), clock, policy, true).await?;
    let outcome = act(&opened.gateway).await;
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    store.close().await;
    Ok(outcome)
}
