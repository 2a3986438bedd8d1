//! Published heads, witnesses, the publisher's lease.

use async_trait::async_trait;
use sqlx::sqlite::SqliteQueryResult;

use crate::{
    domain::time::Timestamp,
    store::{CheckpointRow, Checkpoints, StoreError, WitnessRow, decode, sqlite::SqlStore},
};

#[async_trait]
impl Checkpoints for SqlStore {
    async fn published(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let query = sqlx::query_as(PUBLISHED).bind(decode::integer(size));
        query.fetch_optional(&self.reads).await.map_err(StoreError::Database)?.map(row).transpose()
    }

    async fn published_after(&self, size: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        let query = sqlx::query_as(PUBLISHED_AFTER).bind(size.map_or(-1, decode::integer)).bind(i64::from(limit));
        query.fetch_all(&self.reads).await.map_err(StoreError::Database)?.into_iter().map(row).collect()
    }

    async fn newest_published(&self) -> Result<Option<CheckpointRow>, StoreError> {
        sqlx::query_as(NEWEST_PUBLISHED).fetch_optional(&self.reads).await.map_err(StoreError::Database)?.map(row).transpose()
    }

    async fn newest_cosigned(&self, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        let query = sqlx::query_as(NEWEST_COSIGNED).bind(i64::from(limit));
        query.fetch_all(&self.reads).await.map_err(StoreError::Database)?.into_iter().map(row).collect()
    }

    async fn keep_checkpoint(&self, row: &CheckpointRow, before: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(KEEP_CHECKPOINT).bind(decode::integer(row.size)).bind(row.root.as_slice()).bind(&row.note);
        let done: SqliteQueryResult =
            query.bind(&row.cosignatures).bind(before).execute(&self.writer).await.map_err(StoreError::Database)?;
        Ok(done.rows_affected() == 1)
    }

    async fn witnesses(&self) -> Result<Vec<WitnessRow>, StoreError> {
        let rows: Vec<(String, i64, Option<String>)> =
            sqlx::query_as(WITNESSES).fetch_all(&self.reads).await.map_err(StoreError::Database)?;
        rows.into_iter()
            .map(|(vkey, size, dispute)| Ok(WitnessRow { vkey, size: decode::count("ledger_witness.size", size)?, dispute }))
            .collect()
    }

    async fn keep_witness(&self, row: &WitnessRow) -> Result<(), StoreError> {
        let query = sqlx::query(KEEP_WITNESS).bind(&row.vkey).bind(decode::integer(row.size)).bind(&row.dispute);
        query.execute(&self.writer).await.map_err(StoreError::Database)?;
        Ok(())
    }

    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let query = sqlx::query(LEASE).bind(holder).bind(until.micros()).bind(now.micros());
        let done: SqliteQueryResult = query.execute(&self.writer).await.map_err(StoreError::Database)?;
        Ok(done.rows_affected() == 1)
    }
}

type Columns = (i64, Vec<u8>, String, String);

fn row((size, root, note, cosignatures): Columns) -> Result<CheckpointRow, StoreError> {
    Ok(CheckpointRow {
        size: decode::count("ledger_checkpoint.size", size)?,
        root: decode::hash("ledger_checkpoint.root", &root)?,
        note,
        cosignatures,
    })
}

const PUBLISHED: &str = "SELECT size, root, note, cosignatures FROM ledger_checkpoint WHERE size = $1";
const PUBLISHED_AFTER: &str = "SELECT size, root, note, cosignatures FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT $2";
const NEWEST_PUBLISHED: &str = "SELECT size, root, note, cosignatures FROM ledger_checkpoint ORDER BY size DESC LIMIT 1";
const NEWEST_COSIGNED: &str =
    "SELECT size, root, note, cosignatures FROM ledger_checkpoint WHERE cosignatures <> '' ORDER BY size DESC LIMIT $1";
const KEEP_CHECKPOINT: &str = "INSERT INTO ledger_checkpoint (size, root, note, cosignatures) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (size) DO UPDATE SET cosignatures = excluded.cosignatures \
     WHERE ledger_checkpoint.root = excluded.root AND ledger_checkpoint.cosignatures = $5";
const WITNESSES: &str = "SELECT vkey, size, dispute FROM ledger_witness ORDER BY vkey";
const KEEP_WITNESS: &str = "INSERT INTO ledger_witness (vkey, size, dispute) VALUES ($1, $2, $3) \
     ON CONFLICT (vkey) DO UPDATE SET size = excluded.size, dispute = excluded.dispute";
const LEASE: &str = "UPDATE ledger_publisher SET holder = $1, expires = $2 WHERE one = 1 AND (holder = $1 OR expires <= $3)";
