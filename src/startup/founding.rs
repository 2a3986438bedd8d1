//! The beginning of an exchange outside a sandbox: its database, its first entry and its operator, made at the machine of its first gateway.
//!
//! If we crash between the steps, the same call goes on where it stopped: a database that holds no party yet is taken as it is.

use std::sync::Arc;

use serde_json::Value;

use super::{LAST_COMMIT, StartupError, database, erase::at_the_machine, open, policies};
use crate::{
    clock::Clock,
    config::Config,
    domain::{digest::Digest, party::Registration},
    message::objects::FirstKey,
    store::{self, Address, Store, StoreError},
};

/// How an exchange began.
#[derive(Debug)]
pub struct Founded {
    /// What its parties pin: keys, ledger, limits (`/.well-known/tsunagi`).
    pub document: Value,
    /// Whether this operator was its first party already.
    pub already: bool,
}

/// Creates the database that the configuration names and registers the operator in it. `owner`: the role that owns the tables on PostgreSQL, where it is
/// another one than the gateways'.
///
/// # Errors
/// As [`open`]; [`StartupError::Founded`] where the exchange has other parties, [`StartupError::Founding`] when the ledger cannot record it.
pub async fn found(
    config: &Config,
    owner: Option<&Address>,
    (registration, key): (Registration, &FirstKey),
    clock: Arc<dyn Clock>,
) -> Result<Founded, StartupError> {
    let (address, policy) = (database(config)?, policies(config)?.digest());
    let store = match store::open(address.clone()).await {
        Ok(store) => store,
        // Tables that are there are upgraded on purpose, and not because somebody begins an exchange.
        Err(error @ StoreError::Outdated(_)) => return Err(error.into()),
        Err(error) => match made(&address, owner, &config.origin, policy).await {
            Err(StoreError::Exists) => return Err(error.into()),
            made => made?,
        },
    };
    if !store.parties(None, 1).await?.is_empty() {
        let key = store.key(&key.jwk.thumbprint()).await?;
        let already = key.is_some_and(|key| key.party == registration.party);
        // Its gateway may be serving.
        store.close().await;
        let document = if already { public_document(config, clock).await? } else { return Err(StartupError::Founded) };
        return Ok(Founded { document, already });
    }
    let opened = open(config, Arc::clone(&store), clock).await?;
    let registered = opened.gateway.register_first_operator(registration, key).await;
    let document = opened.gateway.well_known();
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    store.close().await;
    registered.map_err(StartupError::Founding)?;
    Ok(Founded { document, already: false })
}

async fn made(address: &Address, owner: Option<&Address>, origin: &str, policy: Digest) -> Result<Arc<dyn Store>, StoreError> {
    match owner {
        Some(owner) => store::create_by_owner(address, owner, origin, policy).await,
        None => store::create(address.clone(), origin, policy).await,
    }
}

/// What the parties of an exchange pin, from the configuration of one of its gateways, which may be serving.
///
/// # Errors
/// As [`open`].
pub async fn public_document(config: &Config, clock: Arc<dyn Clock>) -> Result<Value, StartupError> {
    at_the_machine(config, clock, async |gateway| gateway.well_known()).await
}
