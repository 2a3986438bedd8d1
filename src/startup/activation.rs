//! Putting a policy set in force, at the machine of a gateway and by an entry of the ledger.

use std::sync::Arc;

use super::{LAST_COMMIT, StartupError, database, open_by, policies};
use crate::{clock::Clock, config::Config, domain::digest::Digest, message::disclosed::Pseudonym, store};

/// The entry that put the configured policies in force, and its index; nothing where they were already.
///
/// # Errors
/// As [`super::open`], except that the policies may be others than those in force; when the ledger cannot record it.
pub async fn activate_policies(config: &Config, clock: Arc<dyn Clock>, by: Option<&Pseudonym>) -> Result<Activation, StartupError> {
    let policy = policies(config)?;
    let store = store::open(database(config)?).await?;
    let (old, new) = (store.head().await?.policy, policy.digest());
    let opened = open_by(config, store, clock, policy, true).await?;
    let outcome = opened.gateway.activate_policies(by).await;
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    Ok(Activation { old, new, index: outcome?.map(|committed| committed.idx()) })
}

/// What putting policies in force did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activation {
    /// Digest of the set that was in force.
    pub old: Digest,
    /// Digest of the set that is in force now.
    pub new: Digest,
    /// Index of the entry; nothing where the set was in force already.
    pub index: Option<u64>,
}
