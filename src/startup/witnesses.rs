//! From the configuration to a publisher of checkpoints.

use std::{sync::Arc, time::Duration};

use super::{Opened, StartupError, keys::signer};
use crate::{
    clock::{Clock, Ids},
    config::{self, Checkpoints, Config, WitnessesAway},
    ledger::LedgerError,
    store::Store,
    tlog::Quorum,
    witness::{Cover, Publisher, Settings, Witness, cover},
};

/// The configured witnesses. Not asked yet.
///
/// # Errors
/// A key, URL or authority that cannot be used.
pub(super) fn witnesses(config: &Config, clock: &Arc<dyn Clock>) -> Result<Vec<Witness>, StartupError> {
    let read = |witness: &config::Witness| {
        let ca = witness.ca.as_deref().map(config::read_file).transpose()?;
        Witness::new(&witness.vkey, &witness.url, ca.as_deref(), Arc::clone(clock))
            .map_err(|error| StartupError::Witness(witness.url.clone(), error))
    };
    config.witness.iter().map(read).collect()
}

/// How many witnesses are enough: more than half of them, unless the configuration says.
fn quorum(config: &Config) -> usize {
    let given = config.checkpoints.as_ref().and_then(|checkpoints| checkpoints.quorum);
    match (given, config.witness.len()) {
        (_, 0) => 0,
        (Some(given), _) => usize::try_from(given.get()).unwrap_or(usize::MAX),
        (None, count) => count / 2 + 1,
    }
}

/// Who must cosign, and how far they have, as far as configuration and database tell. Nobody is asked.
///
/// # Errors
/// A witness that cannot be used; what keeps the key or the database from being read.
pub async fn look(config: &Config, store: &dyn Store, clock: &Arc<dyn Clock>) -> Result<(Quorum, Cover), StartupError> {
    let keys = witnesses(config, clock)?.iter().map(|witness| witness.key().clone()).collect();
    let quorum = Quorum::new(keys, quorum(config)).map_err(|error| StartupError::Witness("checkpoints".to_owned(), error.into()))?;
    let cover = cover(store, signer(config, &config.origin)?.verifier(), &quorum).await?;
    Ok((quorum, cover))
}

/// The publisher, after the ledger was compared with what the witnesses hold; none where the configuration asks for nothing of it.
pub(super) async fn publisher(
    config: &Config,
    opened: &Opened,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Option<Publisher>, StartupError> {
    if config.checkpoints.is_none() && config.witness.is_empty() {
        return Ok(None);
    }
    let Checkpoints { interval_seconds, patience_minutes, away, .. } = config.checkpoints.clone().unwrap_or_default();
    let settings = Settings {
        quorum: quorum(config),
        interval: Duration::from_secs(interval_seconds.get().into()),
        patience: Duration::from_mins(patience_minutes.get().into()),
        stop: away == WitnessesAway::Stop,
    };
    // Its own name for each start: what an earlier run of this node may still hold runs out by itself.
    let holder = format!("{} {}", config.node, Ids::new(Arc::clone(&clock)).v7().map_err(|_| LedgerError::NoEntropy)?);
    let failed = |error| StartupError::Witness("checkpoints".to_owned(), error);
    let witnesses = witnesses(config, &clock)?;
    let publisher = Publisher::new(opened.gateway.ledger().clone(), store, witnesses, settings, clock, holder).map_err(failed)?;
    publisher.start().await.map_err(failed)?;
    Ok(Some(publisher))
}
