//! Published heads, witnesses, the publisher's lease.

use async_trait::async_trait;

use crate::{
    domain::time::Timestamp,
    store::{
        CheckpointRow, Checkpoints, StoreError, WitnessRow, decode,
        reads::{Database, SqlStore},
        statement::Statement,
    },
};

#[async_trait]
impl<D: Database> Checkpoints for SqlStore<D> {
    async fn published(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        self.one(Statement::new(PUBLISHED).int(decode::integer(size))).await?.map(row).transpose()
    }

    async fn published_after(&self, size: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        let query = Statement::new(PUBLISHED_AFTER).int(size.map_or(-1, decode::integer)).int(i64::from(limit));
        self.all(query).await?.into_iter().map(row).collect()
    }

    async fn newest_published(&self) -> Result<Option<CheckpointRow>, StoreError> {
        self.one(Statement::new(NEWEST_PUBLISHED)).await?.map(row).transpose()
    }

    async fn newest_cosigned(&self, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        self.all(Statement::new(NEWEST_COSIGNED).int(i64::from(limit))).await?.into_iter().map(row).collect()
    }

    async fn keep_checkpoint(&self, row: &CheckpointRow, before: &str) -> Result<bool, StoreError> {
        let change = Statement::new(KEEP_CHECKPOINT).int(decode::integer(row.size)).blob(&row.root).text(&*row.note);
        self.changed(change.text(&*row.cosignatures).text(before)).await
    }

    async fn drop_checkpoint(&self, size: u64, cosignatures: &str) -> Result<bool, StoreError> {
        self.changed(Statement::new(DROP_CHECKPOINT).int(decode::integer(size)).text(cosignatures)).await
    }

    async fn witnesses(&self) -> Result<Vec<WitnessRow>, StoreError> {
        let rows: Vec<(String, i64, Option<String>)> = self.all(Statement::new(WITNESSES)).await?;
        rows.into_iter()
            .map(|(vkey, size, dispute)| Ok(WitnessRow { vkey, size: decode::count("ledger_witness.size", size)?, dispute }))
            .collect()
    }

    async fn keep_witness(&self, row: &WitnessRow) -> Result<(), StoreError> {
        let change = Statement::new(KEEP_WITNESS).text(&*row.vkey).int(decode::integer(row.size)).some_text(row.dispute.as_deref());
        self.changed(change).await.map(drop)
    }

    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.changed(Statement::new(LEASE).text(holder).int(until.micros()).int(now.micros())).await
    }
}

impl<D: Database> SqlStore<D> {
    /// Whether a statement that returns what it changed changed anything.
    async fn changed(&self, statement: Statement) -> Result<bool, StoreError> {
        let rows: Vec<(i64,)> = self.database.change(statement).await?;
        Ok(!rows.is_empty())
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
     WHERE ledger_checkpoint.root = excluded.root AND ledger_checkpoint.cosignatures = $5 RETURNING size";
const DROP_CHECKPOINT: &str = "DELETE FROM ledger_checkpoint WHERE size = $1 AND cosignatures = $2 RETURNING size";
const WITNESSES: &str = "SELECT vkey, size, dispute FROM ledger_witness ORDER BY vkey";
const KEEP_WITNESS: &str = "INSERT INTO ledger_witness (vkey, size, dispute) VALUES ($1, $2, $3) \
     ON CONFLICT (vkey) DO UPDATE SET size = excluded.size, dispute = excluded.dispute RETURNING size";
const LEASE: &str =
    "UPDATE ledger_publisher SET holder = $1, expires = $2 WHERE one = 1 AND (holder = $1 OR expires <= $3) RETURNING expires";
