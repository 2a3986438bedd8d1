//! Witnesses: others who sign the heads of this ledger after they have checked that each one continues the last (C2SP tlog-witness).
//!
//! Promises: a cosignature is kept only after it was verified with the configured key, over the very head that was sent; answers are bounded in
//! bytes and time, and no witness can delay another; what a witness can show only when this ledger was rolled back or forked latches a
//! [`crate::ledger::Dispute`]. Nothing personal goes to a witness: a head is an origin, a number and a hash.
//!
//! Not here: what a gateway does in dispute ([`crate::ledger::Standing`]), who is trusted as a witness (the configuration).

mod dialogue;
mod kept;
mod past;
mod post;
mod publisher;
mod wire;

use std::{sync::Arc, time::Duration};

pub use self::{
    dialogue::{Away, Outcome, ask},
    kept::{Cover, cover},
    post::Prefix,
    publisher::{Publisher, Settings},
};
use crate::{
    clock::Clock,
    ledger::LedgerError,
    store::StoreError,
    tlog::{CosignerKey, TlogError},
    tls::{client::ClientError, outbound::Outbound},
};

/// One witness: its key, and where it is asked.
#[derive(Debug, Clone)]
pub struct Witness {
    key: CosignerKey,
    prefix: Prefix,
    outbound: Outbound,
    deadline: Duration,
}

impl Witness {
    /// A witness by its verifier key (C2SP vkey), its submission prefix and, for `https`, the authorities of its certificate.
    pub fn new(vkey: &str, url: &str, ca_pem: Option<&[u8]>, clock: Arc<dyn Clock>) -> Result<Self, WitnessError> {
        let key = vkey.parse()?;
        let prefix: Prefix = url.parse()?;
        let outbound = match (prefix.is_encrypted(), ca_pem) {
            (true, Some(pem)) => Outbound::https(prefix.host(), prefix.port(), pem, clock)?,
            (true, None) => return Err(WitnessError::NoAuthority),
            (false, _) => Outbound::loopback(prefix.host(), prefix.port())?,
        };
        Ok(Self { key, prefix, outbound, deadline: DEADLINE })
    }

    /// The same, with another time for one request: from connecting to the last byte of the answer.
    #[must_use]
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &CosignerKey {
        &self.key
    }
}

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What keeps witnesses from being asked at all.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The key, or the quorum.
    #[error(transparent)]
    Tlog(#[from] TlogError),
    /// The submission prefix is not usable.
    #[error("a witness is named https://host[:port][/path]; http:// only on a loopback address")]
    Url,
    /// Nobody is trusted to vouch for the witness's certificate.
    #[error("a witness behind https needs the authorities of its certificate")]
    NoAuthority,
    /// The connection cannot be prepared.
    #[error(transparent)]
    Connection(#[from] ClientError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
