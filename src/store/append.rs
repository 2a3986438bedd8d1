//! Writing: one append at a time, whole or not at all.

use std::sync::Arc;

use async_trait::async_trait;

use super::{OnceKind, OnceRow, Sealed, StoreError, Tag, Write, rows::HeadRow};
use crate::domain::{
    ids::{AgreementId, CaseKey, Jti},
    party::PartyId,
    time::Timestamp,
};

/// Opens one append at a time.
#[async_trait]
pub trait Appender: Send + Sync {
    /// Takes the head lock (SQLite: `BEGIN IMMEDIATE`; PostgreSQL: row lock) and reads the head.
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError>;
}

#[async_trait]
impl<T: Appender + ?Sized> Appender for Arc<T> {
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError> {
        (**self).begin().await
    }
}

/// The rows of one entry, complete.
#[derive(Debug, Clone)]
pub struct EntryRow {
    /// Index.
    pub idx: u64,
    /// Id of the entry.
    pub id: uuid::Uuid,
    /// Leaf hash.
    pub leaf_hash: [u8; 32],
    /// Exact leaf bytes.
    pub body: Vec<u8>,
    /// Time.
    pub time: Timestamp,
    /// Type code.
    pub entry_type: &'static str,
    /// Operation code.
    pub operation: &'static str,
    /// Acting party.
    pub actor: Option<PartyId>,
    /// Receiving party.
    pub recipient: Option<PartyId>,
    /// Outcome code.
    pub decision: &'static str,
    /// Refusal code.
    pub reason: Option<String>,
    /// Agreement id.
    pub agreement: Option<AgreementId>,
    /// Sealed opening.
    pub opening: Option<Sealed>,
    /// Search tags.
    pub tags: Vec<Tag>,
}

/// A tile that became full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileRow {
    /// Level.
    pub level: u8,
    /// Number within the level.
    pub n: u64,
    /// Hash of the whole tile.
    pub root: [u8; 32],
    /// Its 256 hashes, one after the other.
    pub hashes: Vec<u8>,
}

/// Names an id that may be used once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnceKey {
    /// Name space.
    pub kind: OnceKind,
    /// Issuer.
    pub iss: PartyId,
    /// Id.
    pub jti: Jti,
}

/// Business rows of one draft, for the entry that it becomes.
#[derive(Debug, Clone, Copy)]
pub struct DraftRows<'a> {
    /// The rows.
    pub rows: &'a [Write],
    /// Index of the entry.
    pub idx: u64,
    /// Time of the entry.
    pub time: Timestamp,
}

/// An open append: a linear value that holds the head lock until it is committed or dropped. Dropped, nothing happened.
#[async_trait]
pub trait Append: Send {
    /// The head under the lock.
    fn head(&self) -> &HeadRow;
    /// Used ids, as of this transaction (earlier drafts of the batch included): one answer for each key, in order.
    async fn once(&mut self, keys: &[OnceKey]) -> Result<Vec<Option<OnceRow>>, StoreError>;
    /// Marks an id as used, from now on in this transaction. The caller asked [`Append::once`] before: an id that the database holds already fails
    /// the commit.
    fn use_once(&mut self, key: OnceKey, row: OnceRow, expires: Option<Timestamp>);
    /// Forgets ids that expired before `now`, at most `limit`; says how many.
    async fn forget_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
    /// Leaf hashes `from..to`, as of this transaction: on its own connection, so that who holds the lock never waits for another one.
    async fn leaf_hashes(&mut self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError>;
    /// Reads at once what [`Append::case_revision`] and [`Append::consent_case`] will be asked for. Only for speed.
    async fn foresee(&mut self, _cases: &[CaseKey], _consents: &[Jti]) -> Result<(), StoreError> {
        Ok(())
    }
    /// Revision of a case, as of this transaction.
    async fn case_revision(&mut self, case: &CaseKey) -> Result<Option<u64>, StoreError>;
    /// The case a consent is bound to, as of this transaction.
    async fn consent_case(&mut self, consent: &Jti) -> Result<Option<CaseKey>, StoreError>;
    /// Applies business rows for the entry at `idx` with `time`: all of them, or after a [`StoreError::RowConflict`] none. After any other error the
    /// append can only be dropped.
    async fn write(&mut self, rows: &[Write], idx: u64, time: Timestamp) -> Result<(), StoreError>;
    /// Applies the rows of several drafts as [`Append::write`] does, in order; says how many it took. The one behind those was a
    /// [`StoreError::RowConflict`] and left nothing, and what comes behind it was not tried.
    async fn write_all(&mut self, drafts: &[DraftRows<'_>]) -> Result<usize, StoreError> {
        for (taken, draft) in drafts.iter().enumerate() {
            match self.write(draft.rows, draft.idx, draft.time).await {
                Ok(()) => {}
                Err(StoreError::RowConflict) => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
        Ok(drafts.len())
    }
    /// Writes all entries of the batch (multi-row), the tiles that became full and the new head (only if its size is still the old one), and
    /// commits durably.
    async fn commit(self: Box<Self>, entries: Vec<EntryRow>, tiles: Vec<TileRow>, head: HeadRow) -> Result<(), StoreError>;
}
