//! The ledger: entries, leaf hashes, tiles, used ids, data keys.

use async_trait::async_trait;

use crate::{
    domain::{ids::Jti, party::PartyId},
    store::{
        DataKeyId, Found, HeadRow, LedgerFilter, LedgerRead, LedgerRow, OnceKind, OnceRow, StoreError, decode, find, sql, sqlite::SqlStore,
    },
};

#[async_trait]
impl LedgerRead for SqlStore {
    async fn head(&self) -> Result<HeadRow, StoreError> {
        let mut connection = self.reads.acquire().await.map_err(StoreError::Database)?;
        super::head(&mut connection).await
    }

    async fn entry(&self, idx: u64) -> Result<Option<LedgerRow>, StoreError> {
        let query = sqlx::query_as(sql::ENTRY).bind(decode::integer(idx));
        let row: Option<find::EntryColumns> = query.fetch_optional(&self.reads).await.map_err(StoreError::Database)?;
        row.map(find::ledger_row).transpose()
    }

    async fn entries(&self, from: u64, to: u64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        let query = sqlx::query_as(sql::ENTRIES).bind(decode::integer(from)).bind(decode::integer(to)).bind(i64::from(limit));
        let rows: Vec<find::EntryColumns> = query.fetch_all(&self.reads).await.map_err(StoreError::Database)?;
        rows.into_iter().map(find::ledger_row).collect()
    }

    async fn find(&self, filter: &LedgerFilter, after: Option<u64>, size: u64, limit: u32) -> Result<Found, StoreError> {
        let mut connection = self.reads.acquire().await.map_err(StoreError::Database)?;
        find::find(&mut connection, filter, after, size, limit).await
    }

    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let query = sqlx::query_scalar(sql::LEAF_HASHES).bind(decode::integer(from)).bind(decode::integer(to));
        let rows: Vec<Vec<u8>> = query.fetch_all(&self.reads).await.map_err(StoreError::Database)?;
        rows.iter().map(|hash| decode::hash("ledger_leaf.leaf_hash", hash)).collect()
    }

    async fn tile(&self, level: u8, n: u64) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
        let query = sqlx::query_scalar(sql::TILE).bind(i64::from(level)).bind(decode::integer(n));
        let row: Option<Vec<u8>> = query.fetch_optional(&self.reads).await.map_err(StoreError::Database)?;
        let Some(bytes) = row else { return Ok(None) };
        match bytes.as_chunks() {
            (hashes, []) if hashes.len() == 256 => Ok(Some(hashes.to_vec())),
            _ => Err(StoreError::Corrupt("ledger_tile.hashes")),
        }
    }

    async fn tile_roots(&self, level: u8, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let query = sqlx::query_scalar(sql::TILE_ROOTS).bind(i64::from(level)).bind(decode::integer(from)).bind(decode::integer(to));
        let rows: Vec<Vec<u8>> = query.fetch_all(&self.reads).await.map_err(StoreError::Database)?;
        rows.iter().map(|hash| decode::hash("ledger_tile.root", hash)).collect()
    }

    async fn once(&self, kind: OnceKind, iss: &PartyId, jti: &Jti) -> Result<Option<OnceRow>, StoreError> {
        let query = sqlx::query_as(sql::ONCE).bind(kind.as_str()).bind(iss.to_string()).bind(jti.uuid().as_bytes().as_slice());
        let row: Option<(Vec<u8>, Option<i64>, Vec<u8>)> = query.fetch_optional(&self.reads).await.map_err(StoreError::Database)?;
        row.map(decode::once).transpose()
    }

    async fn data_key(&self, id: &DataKeyId) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query_scalar(sql::DATA_KEY).bind(id.0.as_bytes().as_slice());
        let row: Option<Option<Vec<u8>>> = query.fetch_optional(&self.reads).await.map_err(StoreError::Database)?;
        Ok(row.flatten())
    }
}
