//! The beginning of an exchange outside a sandbox: its database, its first entry and its operator, made at the machine of its first gateway.
//!
//! If we crash between the steps, the same call goes on where it stopped: a database that holds no party yet is taken as it is.

use std::sync::Arc;

use serde_json::Value;

use super::{LAST_COMMIT, StartupError, database, erase::at_the_machine, open, policies};
use crate::{
    clock::Clock,
    config::Config,
    domain::party::Registration,
    message::objects::FirstKey,
    store::{self, Address, StoreError},
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
    let created = match owner {
        Some(owner) => store::create_by_owner(&address, owner, &config.origin, policy).await,
        None => store::create(address.clone(), &config.origin, policy).await,
    };
    let store = match created {
        Err(StoreError::Exists) => store::open(address).await?,
        created => created?,
    };
    let already = match store.parties(None, 1).await?.is_empty() {
        true => false,
        false if store.party(&registration.party).await?.is_some() && store.key(&key.jwk.thumbprint()).await?.is_some() => true,
        false => return Err(StartupError::Founded),
    };
    let opened = open(config, Arc::clone(&store), clock).await?;
    let registered = if already { Ok(()) } else { opened.gateway.register_first_operator(registration, key).await };
    let document = opened.gateway.well_known();
    opened.gateway.close().await;
    if tokio::time::timeout(LAST_COMMIT, opened.sequencer).await.is_err() {
        tracing::warn!("the ledger did not end in time; what was acknowledged is durable");
    }
    store.close().await;
    registered.map_err(StartupError::Founding)?;
    Ok(Founded { document, already })
}

/// What the parties of an exchange pin, from the configuration of one of its gateways, which may be serving.
///
/// # Errors
/// As [`open`].
pub async fn public_document(config: &Config, clock: Arc<dyn Clock>) -> Result<Value, StartupError> {
    at_the_machine(config, clock, async |gateway| gateway.well_known()).await
}
