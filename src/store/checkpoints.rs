//! What is kept beside the ledger about its signed heads: the heads that were published, who cosigned them, how each witness stands, and who
//! publishes. Nothing here is part of the tree: it can be lost and made again.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::time::Timestamp;

/// A published head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Entries of its tree.
    pub size: u64,
    /// Root of its tree.
    pub root: [u8; 32],
    /// The note that the ledger's key signed.
    pub note: String,
    /// Signature lines of witnesses, each ending with a newline.
    pub cosignatures: String,
}

/// How a witness stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRow {
    /// Its key.
    pub vkey: String,
    /// Entries of the newest head that it cosigned.
    pub size: u64,
    /// Why the ledger is in dispute with it, for the other processes.
    pub dispute: Option<String>,
}

/// Published heads, witnesses and the publisher's lease.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// The head that was published at this size.
    async fn published(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError>;
    /// Published heads after this size, ascending.
    async fn published_after(&self, size: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError>;
    /// The newest published head.
    async fn newest_published(&self) -> Result<Option<CheckpointRow>, StoreError>;
    /// The newest heads that anybody cosigned, newest first.
    async fn newest_cosigned(&self, limit: u32) -> Result<Vec<CheckpointRow>, StoreError>;
    /// Keeps a head, or its cosignatures where it is kept with the same root and with exactly the cosignatures `before`. Says whether it did.
    async fn keep_checkpoint(&self, row: &CheckpointRow, before: &str) -> Result<bool, StoreError>;
    /// Drops a published head that has exactly these cosignatures. Says whether it did.
    async fn drop_checkpoint(&self, size: u64, cosignatures: &str) -> Result<bool, StoreError>;
    /// All witnesses that were ever asked.
    async fn witnesses(&self) -> Result<Vec<WitnessRow>, StoreError>;
    /// Keeps how a witness stands.
    async fn keep_witness(&self, row: &WitnessRow) -> Result<(), StoreError>;
    /// Makes `holder` the one publisher until a time, unless another one is it now. Says whether it is.
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;
}
