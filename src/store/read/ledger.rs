//! The ledger: entries, leaf hashes, tiles, used ids, data keys.

use async_trait::async_trait;

use crate::{
    domain::{ids::Jti, party::PartyId},
    store::{
        DataKeyId, Found, HeadRow, LedgerFilter, LedgerRead, LedgerRow, OnceKind, OnceRow, StoreError, decode, find,
        reads::{Database, SqlStore},
        sql,
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> LedgerRead for SqlStore<D> {
    async fn head(&self) -> Result<HeadRow, StoreError> {
        super::head(self.one(Statement::new(sql::HEAD)).await?)
    }

    async fn entry(&self, idx: u64) -> Result<Option<LedgerRow>, StoreError> {
        let query = Statement::new(sql::ENTRY).int(decode::integer(idx));
        let row: Option<find::EntryColumns> = self.one(query).await?;
        row.map(find::ledger_row).transpose()
    }

    async fn entries(&self, from: u64, to: u64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        let query = Statement::new(sql::ENTRIES).int(decode::integer(from)).int(decode::integer(to)).int(i64::from(limit));
        let rows: Vec<find::EntryColumns> = self.all(query).await?;
        rows.into_iter().map(find::ledger_row).collect()
    }

    async fn registrations(&self, from: u64, to: u64, limit: u32) -> Result<Vec<LedgerRow>, StoreError> {
        let query = Statement::new(sql::REGISTRATIONS).int(decode::integer(from)).int(decode::integer(to)).int(i64::from(limit));
        let rows: Vec<find::EntryColumns> = self.all(query).await?;
        rows.into_iter().map(find::ledger_row).collect()
    }

    async fn find(&self, filter: &LedgerFilter, after: Option<u64>, size: u64, limit: u32) -> Result<Found, StoreError> {
        find::find(self, filter, after, size, limit).await
    }

    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let query = Statement::new(sql::LEAF_HASHES).int(decode::integer(from)).int(decode::integer(to));
        let rows: Vec<Vec<u8>> = self.column(query).await?;
        rows.iter().map(|hash| decode::hash("ledger_leaf.leaf_hash", hash)).collect()
    }

    async fn tile(&self, level: u8, n: u64) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
        let query = Statement::new(sql::TILE).int(i64::from(level)).int(decode::integer(n));
        let row: Option<Vec<u8>> = self.cell(query).await?;
        let Some(bytes) = row else { return Ok(None) };
        match bytes.as_chunks() {
            (hashes, []) if hashes.len() == 256 => Ok(Some(hashes.to_vec())),
            _ => Err(StoreError::Corrupt("ledger_tile.hashes")),
        }
    }

    async fn tile_roots(&self, level: u8, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let query = Statement::new(sql::TILE_ROOTS).int(i64::from(level)).int(decode::integer(from)).int(decode::integer(to));
        let rows: Vec<Vec<u8>> = self.column(query).await?;
        rows.iter().map(|hash| decode::hash("ledger_tile.root", hash)).collect()
    }

    async fn once(&self, kind: OnceKind, iss: &PartyId, jti: &Jti) -> Result<Option<OnceRow>, StoreError> {
        let query = Statement::new(sql::ONCE).text(kind.as_str()).text(iss.to_string()).blob(jti.uuid().as_bytes());
        let row: Option<(Vec<u8>, Option<i64>, Vec<u8>)> = self.one(query).await?;
        row.map(decode::once).transpose()
    }

    async fn data_key(&self, id: &DataKeyId) -> Result<Option<Vec<u8>>, StoreError> {
        let query = Statement::new(sql::DATA_KEY).blob(id.0.as_bytes());
        let row: Option<Option<Vec<u8>>> = self.cell(query).await?;
        Ok(row.flatten())
    }
}
