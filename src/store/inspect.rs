//! The ledger's rows as they lie there, for who checks the database against the ledger.
//!
//! Promises: nothing is left out, joined or repaired: rows without their neighbours come as they are, and so do values that no gateway would write.
//! A value of another type than its column names the table ([`StoreError::Corrupt`]). Not here: what the rows should be.

use async_trait::async_trait;

use super::{
    DataKeyId, KeyRow, PartyRow, SchemaFault, Sealed, StoreError, decode,
    read::directory::{self, KeyColumns},
    reads::{Columns, Database, SqlStore},
    rows::LedgerTable,
    sql,
    statement::Statement,
};

/// A row of `ledger_entry`, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryColumns {
    /// `id`.
    pub id: Vec<u8>,
    /// `time`, microseconds.
    pub time: i64,
    /// `type`.
    pub entry_type: String,
    /// `operation`.
    pub operation: String,
    /// `actor`.
    pub actor: Option<String>,
    /// `actor_place`.
    pub actor_place: Option<String>,
    /// `recipient`.
    pub recipient: Option<String>,
    /// `recipient_place`.
    pub recipient_place: Option<String>,
    /// `decision`.
    pub decision: String,
    /// `reason`.
    pub reason: Option<String>,
    /// `agreement`.
    pub agreement: Option<String>,
    /// `body`.
    pub body: Vec<u8>,
}

/// A row of `ledger_tile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileColumns {
    /// `root`.
    pub root: Vec<u8>,
    /// `hashes`.
    pub hashes: Vec<u8>,
}

/// A row of `ledger_checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointColumns {
    /// `size`.
    pub size: i64,
    /// `root`.
    pub root: Vec<u8>,
    /// `note`.
    pub note: String,
    /// `cosignatures`.
    pub cosignatures: String,
}

/// A row of `ledger_index`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexColumns {
    /// `tag`.
    pub tag: Vec<u8>,
    /// `idx`.
    pub idx: i64,
}

/// Reads the rows of the ledger's tables.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// How many rows `ledger_head` has.
    async fn head_rows(&self) -> Result<i64, StoreError>;
    /// How many rows `ledger_leaf` has, or `ledger_entry` where those are more.
    async fn most_rows(&self) -> Result<i64, StoreError>;
    /// `ledger_leaf` with `from <= idx < to`, in order.
    async fn leaf_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;
    /// `ledger_entry` with `from <= idx < to`, in order.
    async fn entry_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, EntryColumns)>, StoreError>;
    /// `ledger_opening` with `from <= idx < to`, in order.
    async fn opening_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, Sealed)>, StoreError>;
    /// A row of `ledger_tile`.
    async fn tile_row(&self, level: u8, n: u64) -> Result<Option<TileColumns>, StoreError>;
    /// The lowest `n` of a level of `ledger_tile` that is negative or not below `count`.
    async fn tile_beyond(&self, level: u8, count: u64) -> Result<Option<i64>, StoreError>;
    /// A level of `ledger_tile` that is negative or not below `levels`.
    async fn tile_level_beyond(&self, levels: u8) -> Result<Option<i64>, StoreError>;
    /// `ledger_checkpoint` behind a size, in order, at most `limit` rows.
    async fn checkpoint_rows(&self, after: Option<i64>, limit: u32) -> Result<Vec<CheckpointColumns>, StoreError>;
    /// `ledger_index` behind a row, in its own order, at most `limit` rows.
    async fn index_rows(&self, after: Option<&IndexColumns>, limit: u32) -> Result<Vec<IndexColumns>, StoreError>;
    /// A row of `data_key`: the wrapped key, which is gone after erasure.
    async fn key_row(&self, id: &DataKeyId) -> Result<Option<Option<Vec<u8>>>, StoreError>;
    /// `party` behind an id, in order, at most `limit` rows: each id with what the row says.
    async fn party_rows(&self, after: &str, limit: u32) -> Result<Vec<(String, Result<PartyRow, StoreError>)>, StoreError>;
    /// `party_key` behind a thumbprint, in order, at most `limit` rows: each thumbprint with what the row says. Where its entry is not there, `leaf` is
    /// the thumbprint.
    async fn key_rows(&self, after: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Result<KeyRow, StoreError>)>, StoreError>;
    /// The lowest `idx` of a table that the head does not cover, as one moment sees both: entries may be appended meanwhile.
    async fn row_beyond(&self, table: LedgerTable) -> Result<Option<i64>, StoreError>;
    /// What of the schema is not as the migrations of this build make it, and, on SQLite, what the database's own check finds damaged. None: the catalogs
    /// of the database cannot be looked at.
    async fn schema_faults(&self) -> Result<Option<Vec<SchemaFault>>, StoreError>;
}

type EntryTuple = (
    i64,
    Vec<u8>,
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Vec<u8>,
);

#[async_trait]
impl<D: Database> Inspect for SqlStore<D> {
    async fn head_rows(&self) -> Result<i64, StoreError> {
        self.cell(Statement::new(sql::HEAD_ROWS)).await?.ok_or(StoreError::Corrupt("ledger_head"))
    }

    async fn most_rows(&self) -> Result<i64, StoreError> {
        self.cell(Statement::new(sql::MOST_ROWS)).await?.ok_or(StoreError::Corrupt("ledger_leaf"))
    }

    async fn leaf_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> = self.inspected("ledger_leaf", range(sql::INSPECT_LEAVES, from, to)).await?;
        rows.into_iter().map(|(idx, hash)| Ok((decode::count("ledger_leaf.idx", idx)?, hash))).collect()
    }

    async fn entry_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, EntryColumns)>, StoreError> {
        let rows: Vec<EntryTuple> = self.inspected("ledger_entry", range(sql::INSPECT_ENTRIES, from, to)).await?;
        rows.into_iter().map(entry).collect()
    }

    async fn opening_rows(&self, from: u64, to: u64) -> Result<Vec<(u64, Sealed)>, StoreError> {
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = self.inspected("ledger_opening", range(sql::INSPECT_OPENINGS, from, to)).await?;
        let row = |(idx, key, sealed): (i64, Vec<u8>, Vec<u8>)| {
            Ok((decode::count("ledger_opening.idx", idx)?, decode::sealed("ledger_opening.key", &key, sealed)?))
        };
        rows.into_iter().map(row).collect()
    }

    async fn tile_row(&self, level: u8, n: u64) -> Result<Option<TileColumns>, StoreError> {
        let query = Statement::new(sql::INSPECT_TILE).int(i64::from(level)).int(decode::integer(n));
        let rows: Vec<(Vec<u8>, Vec<u8>)> = self.inspected("ledger_tile", query).await?;
        Ok(rows.into_iter().next().map(|(root, hashes)| TileColumns { root, hashes }))
    }

    async fn tile_beyond(&self, level: u8, count: u64) -> Result<Option<i64>, StoreError> {
        self.lowest("ledger_tile", Statement::new(sql::TILE_BEYOND).int(i64::from(level)).int(decode::integer(count))).await
    }

    async fn tile_level_beyond(&self, levels: u8) -> Result<Option<i64>, StoreError> {
        self.lowest("ledger_tile", Statement::new(sql::TILE_LEVEL_BEYOND).int(i64::from(levels))).await
    }

    async fn checkpoint_rows(&self, after: Option<i64>, limit: u32) -> Result<Vec<CheckpointColumns>, StoreError> {
        let query = Statement::new(sql::INSPECT_CHECKPOINTS).int(after.unwrap_or(i64::MIN)).int(i64::from(limit));
        let rows: Vec<(i64, Vec<u8>, String, String)> = self.inspected("ledger_checkpoint", query).await?;
        Ok(rows.into_iter().map(|(size, root, note, cosignatures)| CheckpointColumns { size, root, note, cosignatures }).collect())
    }

    async fn index_rows(&self, after: Option<&IndexColumns>, limit: u32) -> Result<Vec<IndexColumns>, StoreError> {
        let (tag, idx) = after.map_or((&[][..], i64::MIN), |row| (row.tag.as_slice(), row.idx));
        let query = Statement::new(sql::INSPECT_INDEX).blob(tag).int(idx).int(i64::from(limit));
        let rows: Vec<(Vec<u8>, i64)> = self.inspected("ledger_index", query).await?;
        Ok(rows.into_iter().map(|(tag, idx)| IndexColumns { tag, idx }).collect())
    }

    async fn key_row(&self, id: &DataKeyId) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        self.cell(Statement::new(sql::DATA_KEY).blob(id.0.as_bytes())).await
    }

    async fn party_rows(&self, after: &str, limit: u32) -> Result<Vec<(String, Result<PartyRow, StoreError>)>, StoreError> {
        let query = Statement::new(sql::INSPECT_PARTIES).text(after).int(i64::from(limit));
        let rows: Vec<(String, String, String, i64)> = self.inspected("party", query).await?;
        Ok(rows.into_iter().map(|(id, registration, state, idx)| (id, directory::party((registration, state, idx)))).collect())
    }

    async fn key_rows(&self, after: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Result<KeyRow, StoreError>)>, StoreError> {
        let query = Statement::new(sql::INSPECT_KEYS).blob(after).int(i64::from(limit));
        let rows: Vec<KeyColumns> = self.inspected("party_key", query).await?;
        Ok(rows.into_iter().map(|row| (row.0.clone(), directory::key(row))).collect())
    }

    async fn row_beyond(&self, table: LedgerTable) -> Result<Option<i64>, StoreError> {
        let statement = match table {
            LedgerTable::Leaf => sql::LEAF_BEYOND,
            LedgerTable::Entry => sql::ENTRY_BEYOND,
            LedgerTable::Opening => sql::OPENING_BEYOND,
            LedgerTable::Index => sql::INDEX_BEYOND,
        };
        self.lowest(table.as_str(), Statement::new(statement)).await
    }

    async fn schema_faults(&self) -> Result<Option<Vec<SchemaFault>>, StoreError> {
        self.database.schema_faults().await
    }
}

impl<D: Database> SqlStore<D> {
    /// Rows of a table. A value of another type than its column's is a finding about the table; everything else is a failure of the database.
    async fn inspected<T: Columns>(&self, table: &'static str, statement: Statement) -> Result<Vec<T>, StoreError> {
        self.all(statement).await.map_err(|error| match error {
            StoreError::Database(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => StoreError::Corrupt(table),
            other => other,
        })
    }

    async fn lowest(&self, table: &'static str, statement: Statement) -> Result<Option<i64>, StoreError> {
        let rows: Vec<(Option<i64>,)> = self.inspected(table, statement).await?;
        Ok(rows.into_iter().next().and_then(|(lowest,)| lowest))
    }
}

fn range(sql: &'static str, from: u64, to: u64) -> Statement {
    Statement::new(sql).int(decode::integer(from)).int(decode::integer(to))
}

fn entry(row: EntryTuple) -> Result<(u64, EntryColumns), StoreError> {
    let (idx, id, time, entry_type, operation, actor, actor_place, recipient, recipient_place, decision, reason, agreement, body) = row;
    let idx = decode::count("ledger_entry.idx", idx)?;
    let columns =
        EntryColumns { id, time, entry_type, operation, actor, actor_place, recipient, recipient_place, decision, reason, agreement, body };
    Ok((idx, columns))
}
