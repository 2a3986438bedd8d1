//! Erasing at the gateway's machine, while gateways of the same ledger may serve.

use std::sync::Arc;

use super::{LAST_COMMIT, StartupError, database, open_by, policies};
use crate::{
    clock::Clock,
    config::Config,
    gateway::{Erased, Erasure},
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
    let store = store::open(database(config)?).await?;
    let policy = policies(config)?;
    let in_force = store.head().await?.policy;
    if in_force != policy.digest() {
        return Err(StartupError::PolicyMismatch { loaded: policy.digest(), in_force });
    }
    let opened = open_by(config, Arc::clone(&store), clock, policy, true).await?;
    let outcome = if rehearse { opened.gateway.rehearse_erasure(erasure).await } else { opened.gateway.erase(erasure).await };
    // Of a case that was erased before too: what could not be cut then may be cut now.
    let left = if rehearse || outcome.is_err() { None } else { Some(opened.gateway.scrub().await) };
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    store.close().await;
    let erased = outcome.map_err(StartupError::Erasure)?;
    Ok((erased, left.map(|left| left.map_err(StartupError::Erasure))))
}
