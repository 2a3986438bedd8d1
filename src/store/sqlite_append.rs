//! The append on SQLite: everything of a batch in few multi-row statements, because each statement costs more than its rows.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Transaction};

use super::{
    Append, EntryRow, HeadRow, OnceKey, OnceRow, StoreError, TileRow, Write,
    apply::{At, script},
    decode::{self, integer},
    gone::Gone,
    sql,
    sqlite::Db,
    sqlite_script::execute,
    statement::Statement,
};
use crate::domain::{
    ids::{AgreementId, CaseKey, Jti},
    time::Timestamp,
};

/// An open `BEGIN IMMEDIATE` transaction. Dropped, sqlx rolls it back before the connection is used again.
pub(super) struct SqliteAppend {
    transaction: Transaction<'static, Db>,
    head: HeadRow,
    /// Ids used by this batch, written with the commit.
    used: HashMap<OnceKey, (OnceRow, Option<Timestamp>)>,
    /// Whether the savepoint is set.
    savepoint: bool,
}

impl SqliteAppend {
    pub(super) fn new(transaction: Transaction<'static, Db>, head: HeadRow) -> Self {
        Self { transaction, head, used: HashMap::new(), savepoint: false }
    }
}

#[async_trait]
impl Append for SqliteAppend {
    fn head(&self) -> &HeadRow {
        &self.head
    }

    async fn once(&mut self, keys: &[OnceKey]) -> Result<Vec<Option<OnceRow>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in chunks(keys) {
            let rows = look_up(&mut self.transaction, chunk).await?;
            let mut stored: HashMap<usize, OnceRow> = rows.into_iter().collect();
            for (n, key) in chunk.iter().enumerate() {
                found.push(self.used.get(key).map(|(row, _)| row.clone()).or_else(|| stored.remove(&n)));
            }
        }
        Ok(found)
    }

    fn use_once(&mut self, key: OnceKey, row: OnceRow, expires: Option<Timestamp>) {
        self.used.insert(key, (row, expires));
    }

    async fn forget_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let done = sqlx::query(sql::FORGET_EXPIRED).bind(now.micros()).bind(i64::from(limit)).execute(&mut *self.transaction).await;
        Ok(done.map_err(StoreError::Database)?.rows_affected())
    }

    async fn leaf_hashes(&mut self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let query = sqlx::query_scalar(sql::LEAF_HASHES).bind(integer(from)).bind(integer(to));
        let rows: Vec<Vec<u8>> = query.fetch_all(&mut *self.transaction).await.map_err(StoreError::Database)?;
        rows.iter().map(|hash| decode::hash("ledger_leaf.leaf_hash", hash)).collect()
    }

    async fn case_revision(&mut self, case: &CaseKey) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query_scalar(sql::CASE_REVISION).bind(case.uuid().as_bytes().as_slice());
        let found: Option<i64> = query.fetch_optional(&mut *self.transaction).await.map_err(StoreError::Database)?;
        found.map(|revision| decode::count("case_.revision", revision)).transpose()
    }

    async fn consent_case(&mut self, consent: &Jti) -> Result<Option<CaseKey>, StoreError> {
        let query = sqlx::query_scalar(sql::CONSENT_CASE).bind(consent.uuid().as_bytes().as_slice());
        let found: Option<Option<Vec<u8>>> = query.fetch_optional(&mut *self.transaction).await.map_err(StoreError::Database)?;
        found.flatten().map(|case| decode::case_key("consent.case_", &case)).transpose()
    }

    async fn write(&mut self, rows: &[Write], idx: u64, time: Timestamp) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (gone, rows) = Gone::take(rows);
        let mut script = script(rows, At::new(idx, time))?.into_iter().peekable();
        // An erasure may have more values than one call takes.
        let mut calls: Vec<Vec<Statement>> = gone.statements().into_iter().map(|statement| vec![statement]).collect();
        while script.peek().is_some() {
            calls.push(script.by_ref().take(AT_ONCE).collect());
        }
        // One savepoint, moved from draft to draft. The commit ends it.
        let mut first = if self.savepoint { MOVE_SAVEPOINT } else { SAVEPOINT };
        self.savepoint = true;
        let mut written = Ok(());
        for call in calls {
            written = execute(first, call, &mut self.transaction).await;
            if written.is_err() {
                break;
            }
            first = NOTHING;
        }
        if matches!(written, Err(StoreError::RowConflict)) {
            sqlx::query(ROLLBACK_TO_SAVEPOINT).execute(&mut *self.transaction).await.map_err(StoreError::Database)?;
        }
        written
    }

    async fn commit(mut self: Box<Self>, entries: Vec<EntryRow>, tiles: Vec<TileRow>, head: HeadRow) -> Result<(), StoreError> {
        self.insert(&entries, &tiles).await.map_err(StoreError::Database)?;
        let moved = sqlx::query(sql::MOVE_HEAD)
            .bind(integer(head.size))
            .bind(head.root.as_slice())
            .bind(head.frontier.as_slice())
            .bind(head.last_time.micros())
            .bind(integer(head.rights_epoch))
            .bind(head.policy.0.as_slice())
            .bind(head.origin.as_str())
            .bind(integer(self.head.size))
            .execute(&mut *self.transaction)
            .await
            .map_err(StoreError::Database)?;
        if moved.rows_affected() != 1 {
            return Err(StoreError::HeadMoved);
        }
        self.transaction.commit().await.map_err(StoreError::CommitUnknown)
    }
}

impl SqliteAppend {
    async fn insert(&mut self, entries: &[EntryRow], tiles: &[TileRow]) -> Result<(), sqlx::Error> {
        for chunk in chunks(entries) {
            self.insert_entries(chunk).await?;
        }
        let openings: Vec<_> = entries.iter().filter_map(|entry| Some((entry.idx, entry.opening.as_ref()?))).collect();
        for chunk in chunks(&openings) {
            let mut query = QueryBuilder::<Db>::new("INSERT INTO ledger_opening (idx, key, sealed) ");
            query.push_values(chunk, |mut values, (idx, sealed)| {
                values.push_bind(integer(*idx)).push_bind(sealed.key.0.as_bytes().as_slice()).push_bind(sealed.bytes.as_slice());
            });
            query.build().execute(&mut *self.transaction).await?;
        }
        let mut tags: Vec<_> = entries.iter().flat_map(|entry| entry.tags.iter().map(|tag| (*tag, entry.idx))).collect();
        // Sorted, so that the rows of one tag are neighbours; a tag given twice is one row.
        tags.sort_unstable();
        tags.dedup();
        for chunk in chunks(&tags) {
            let mut query = QueryBuilder::<Db>::new("INSERT INTO ledger_index (tag, idx) ");
            query.push_values(chunk, |mut values, (tag, idx)| {
                values.push_bind(tag.0.as_slice()).push_bind(integer(*idx));
            });
            query.build().execute(&mut *self.transaction).await?;
        }
        let used: Vec<_> = self.used.drain().collect();
        for chunk in chunks(&used) {
            let mut query = QueryBuilder::<Db>::new("INSERT INTO used_once (kind, iss, jti, digest, idx, result, expires) ");
            query.push_values(chunk, |mut values, (key, (row, expires))| {
                values
                    .push_bind(key.kind.as_str())
                    .push_bind(key.iss.to_string())
                    .push_bind(key.jti.uuid().as_bytes().as_slice())
                    .push_bind(row.digest.0.as_slice())
                    .push_bind(row.idx.map(integer))
                    .push_bind(row.result.as_slice())
                    .push_bind(expires.map(Timestamp::micros));
            });
            query.build().execute(&mut *self.transaction).await?;
        }
        for tile in tiles {
            sqlx::query(sql::INSERT_TILE)
                .bind(i64::from(tile.level))
                .bind(integer(tile.n))
                .bind(tile.root.as_slice())
                .bind(tile.hashes.as_slice())
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }

    async fn insert_entries(&mut self, entries: &[EntryRow]) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::<Db>::new("INSERT INTO ledger_leaf (idx, leaf_hash) ");
        query.push_values(entries, |mut values, entry| {
            values.push_bind(integer(entry.idx)).push_bind(entry.leaf_hash.as_slice());
        });
        query.build().execute(&mut *self.transaction).await?;
        let mut query = QueryBuilder::<Db>::new(
            "INSERT INTO ledger_entry (idx, id, time, type, operation, actor, actor_place, recipient, recipient_place, decision, reason, \
             agreement, body) ",
        );
        query.push_values(entries, |mut values, entry| {
            values
                .push_bind(integer(entry.idx))
                .push_bind(entry.id.as_bytes().as_slice())
                .push_bind(entry.time.micros())
                .push_bind(entry.entry_type)
                .push_bind(entry.operation)
                .push_bind(entry.actor.as_ref().map(ToString::to_string))
                .push_bind(entry.actor.as_ref().and_then(|party| party.place()))
                .push_bind(entry.recipient.as_ref().map(ToString::to_string))
                .push_bind(entry.recipient.as_ref().and_then(|party| party.place()))
                .push_bind(entry.decision)
                .push_bind(entry.reason.as_deref())
                .push_bind(entry.agreement.as_ref().map(AgreementId::as_str))
                .push_bind(entry.body.as_slice());
        });
        query.build().execute(&mut *self.transaction).await.map(|_| ())
    }
}

async fn look_up(transaction: &mut Transaction<'static, Db>, keys: &[OnceKey]) -> Result<Vec<(usize, OnceRow)>, StoreError> {
    let mut query = QueryBuilder::<Db>::new("WITH k (n, kind, iss, jti) AS (");
    query.push_values(keys.iter().enumerate(), |mut values, (n, key)| {
        values
            .push_bind(i64::try_from(n).unwrap_or(i64::MAX))
            .push_bind(key.kind.as_str())
            .push_bind(key.iss.to_string())
            .push_bind(key.jti.uuid().as_bytes().as_slice());
    });
    // CROSS JOIN: SQLite keeps this order of loops, one seek in the primary key for each id.
    query.push(
        ") SELECT k.n, u.digest, u.idx, u.result FROM k CROSS JOIN used_once u WHERE u.kind = k.kind AND u.iss = k.iss AND u.jti = k.jti",
    );
    let rows: Vec<NumberedOnce> = query.build_query_as().fetch_all(&mut **transaction).await.map_err(StoreError::Database)?;
    rows.into_iter()
        .map(|(n, digest, idx, result)| {
            let n = usize::try_from(n).map_err(|_| StoreError::Corrupt("n"))?;
            Ok((n, decode::once((digest, idx, result))?))
        })
        .collect()
}

type NumberedOnce = (i64, Vec<u8>, Option<i64>, Vec<u8>);

/// Rows in chunks of few different sizes, so that few statement texts exist and each stays prepared. 128 rows of 13 columns are far below SQLite's
/// limit of 32,766 variables.
fn chunks<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len())?;
        let (chunk, behind) = rest.split_at_checked(size)?;
        rest = behind;
        Some(chunk)
    })
}

const CHUNKS: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];
/// Statements of a draft in one call: with up to 13 values each they stay below SQLite's limit of 32,766 variables.
const AT_ONCE: usize = 2048;
/// Changes nothing and gives no row.
const NOTHING: &str = "SELECT 1 WHERE FALSE";
const SAVEPOINT: &str = "SAVEPOINT draft";
const MOVE_SAVEPOINT: &str = "RELEASE draft; SAVEPOINT draft";
const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO draft";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_row_once_and_come_in_few_sizes() {
        for len in [0, 1, 7, 8, 31, 33, 127, 128, 129, 1024, 1023] {
            let rows: Vec<usize> = (0..len).collect();
            let seen: Vec<usize> = chunks(&rows).flatten().copied().collect();
            assert_eq!(seen, rows);
            assert!(chunks(&rows).all(|chunk| CHUNKS.contains(&chunk.len())));
        }
    }
}
