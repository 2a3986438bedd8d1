//! The append on SQLite: everything of a batch in few multi-row statements, because each statement costs more than its rows.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Transaction, query_builder::Separated};

use super::{
    Append, DraftRows, EntryRow, HeadRow, OnceKey, OnceRow, StoreError, TileRow, Write,
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
        for chunk in keys.chunks(ROWS) {
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
        self.run(statements(rows, At::new(idx, time))?).await
    }

    async fn write_all(&mut self, drafts: &[DraftRows<'_>]) -> Result<usize, StoreError> {
        let scripts = drafts.iter().map(|draft| statements(draft.rows, At::new(draft.idx, draft.time)));
        let mut scripts = scripts.collect::<Result<Vec<_>, _>>()?;
        let mut taken = 0;
        while !scripts.is_empty() {
            let group = alike(&scripts);
            match self.run(scripts.drain(..group).flatten().collect()).await {
                Ok(()) => taken += group,
                // One of them: which one is found out one by one.
                Err(StoreError::RowConflict) => {
                    for draft in drafts.iter().skip(taken).take(group) {
                        match self.write(draft.rows, draft.idx, draft.time).await {
                            Ok(()) => taken += 1,
                            Err(StoreError::RowConflict) => return Ok(taken),
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    async fn commit(mut self: Box<Self>, entries: Vec<EntryRow>, tiles: Vec<TileRow>, head: HeadRow) -> Result<(), StoreError> {
        let mut parts = entries.chunks(ROWS).peekable();
        // The drafts are written: from here on everything goes in, or nothing. A savepoint that is left open costs a copy of every page that is changed.
        let mut begin = if self.savepoint { RELEASE_SAVEPOINT } else { "" };
        // More than one batch of the ledger is only written where a ledger is copied or filled.
        while parts.len() > 1 {
            if let Some(part) = parts.next() {
                let mut query = QueryBuilder::<Db>::new(std::mem::take(&mut begin));
                push_entries(&mut query, part);
                query.build().execute(&mut *self.transaction).await.map_err(StoreError::Database)?;
            }
        }
        let mut query = QueryBuilder::<Db>::new(begin);
        push_entries(&mut query, parts.next().unwrap_or_default());
        let used: Vec<_> = self.used.drain().collect();
        push_rows(&mut query, "used_once (kind, iss, jti, digest, idx, result, expires)", 7, &used, |values, (key, (row, expires))| {
            values
                .push_bind(key.kind.as_str())
                .push_bind(key.iss.to_string())
                .push_bind(key.jti.uuid().as_bytes().as_slice())
                .push_bind(row.digest.0.as_slice())
                .push_bind(row.idx.map(integer))
                .push_bind(row.result.as_slice())
                .push_bind(expires.map(Timestamp::micros));
        });
        push_rows(&mut query, "ledger_tile (level, n, root, hashes)", 4, &tiles, |values, tile| {
            values
                .push_bind(i64::from(tile.level))
                .push_bind(integer(tile.n))
                .push_bind(tile.root.as_slice())
                .push_bind(tile.hashes.as_slice());
        });
        self.move_head(query, &head).await?;
        self.transaction.commit().await.map_err(StoreError::CommitUnknown)
    }
}

impl SqliteAppend {
    /// Runs statements that must change as many rows as each says: all of them, or none.
    async fn run(&mut self, script: Vec<Statement>) -> Result<(), StoreError> {
        if script.is_empty() {
            return Ok(());
        }
        // One savepoint, moved from script to script.
        let mut first = if self.savepoint { MOVE_SAVEPOINT } else { SAVEPOINT };
        self.savepoint = true;
        let mut written = Ok(());
        let mut script = script.into_iter().peekable();
        while written.is_ok()
            && let Some(statement) = script.next()
        {
            // An erasure may have more values than one call takes.
            let mut values = statement.values();
            let mut call = vec![statement];
            while let Some(next) = script.next_if(|next| values + next.values() <= VALUES) {
                values += next.values();
                call.push(next);
            }
            written = execute(first, call, &mut self.transaction).await;
            first = NOTHING;
        }
        if matches!(written, Err(StoreError::RowConflict)) {
            sqlx::query(ROLLBACK_TO_SAVEPOINT).execute(&mut *self.transaction).await.map_err(StoreError::Database)?;
        }
        written
    }

    /// Ends the script with the head, of which exactly one row must change, and runs it.
    async fn move_head(&mut self, mut query: QueryBuilder<Db>, head: &HeadRow) -> Result<(), StoreError> {
        let before = integer(self.head.size);
        query.push("UPDATE ledger_head SET size = ").push_bind(integer(head.size));
        query.push(", root = ").push_bind(head.root.as_slice());
        query.push(", frontier = ").push_bind(head.frontier.as_slice());
        query.push(", last_time = ").push_bind(head.last_time.micros());
        query.push(", rights_epoch = ").push_bind(integer(head.rights_epoch));
        query.push(", policy = ").push_bind(head.policy.0.as_slice());
        query.push(", origin = ").push_bind(head.origin.as_str());
        query.push(" WHERE one = 1 AND size = ").push_bind(before).push(" RETURNING 1");
        let moved = query.build().fetch_all(&mut *self.transaction).await.map_err(StoreError::Database)?;
        if moved.len() == 1 { Ok(()) } else { Err(StoreError::HeadMoved) }
    }
}

/// What the rows of a draft are written by.
fn statements(rows: &[Write], at: At) -> Result<Vec<Statement>, StoreError> {
    let (gone, rows) = Gone::take(rows);
    let mut statements = gone.statements();
    statements.extend(script(rows, at)?);
    Ok(statements)
}

/// How many of the first drafts have the same statements: a power of two, so that few texts exist and each stays prepared.
fn alike(scripts: &[Vec<Statement>]) -> usize {
    let Some(first) = scripts.first() else { return 0 };
    let same = |other: &&Vec<Statement>| other.len() == first.len() && other.iter().zip(first).all(|(one, other)| one.sql() == other.sql());
    let run = scripts.iter().take(GROUP).take_while(same).count();
    1 << run.ilog2()
}

/// Leaves, entries, openings and tags, a statement each.
fn push_entries(query: &mut QueryBuilder<Db>, entries: &[EntryRow]) {
    push_rows(query, "ledger_leaf (idx, leaf_hash)", 2, entries, |values, entry| {
        values.push_bind(integer(entry.idx)).push_bind(entry.leaf_hash.as_slice());
    });
    let into = "ledger_entry (idx, id, time, type, operation, actor, actor_place, recipient, recipient_place, decision, reason, \
         agreement, body)";
    push_rows(query, into, 13, entries, |values, entry| {
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
    let openings: Vec<_> = entries.iter().filter_map(|entry| Some((entry.idx, entry.opening.as_ref()?))).collect();
    push_rows(query, "ledger_opening (idx, key, sealed)", 3, &openings, |values, (idx, sealed)| {
        values.push_bind(integer(*idx)).push_bind(sealed.key.0.as_bytes().as_slice()).push_bind(sealed.bytes.as_slice());
    });
    let mut tags: Vec<_> = entries.iter().flat_map(|entry| entry.tags.iter().map(|tag| (*tag, entry.idx))).collect();
    // Sorted, so that the rows of one tag are neighbours; a tag given twice is one row.
    tags.sort_unstable();
    tags.dedup();
    push_rows(query, "ledger_index (tag, idx)", 2, &tags, |values, (tag, idx)| {
        values.push_bind(tag.0.as_slice()).push_bind(integer(*idx));
    });
}

/// Inserts rows, whose first column is never NULL, and goes on with the next statement. Rows of NULL fill up to the next power of two and are left out
/// again: so few statement texts exist, and each stays prepared.
fn push_rows<'a, R>(
    query: &mut QueryBuilder<Db>,
    into: &str,
    columns: usize,
    rows: &'a [R],
    bind: impl Fn(&mut Separated<'_, Db, &'static str>, &'a R),
) {
    for chunk in rows.chunks(ROWS) {
        // What fails takes the whole transaction with it, so the statement need not be able to take itself back: that costs copies of pages too.
        query.push("INSERT OR FAIL INTO ").push(into).push(" SELECT * FROM (");
        query.push_values(padded(chunk), |mut values, row| match row {
            Some(row) => bind(&mut values, row),
            None => (0..columns).for_each(|_| {
                values.push_bind(None::<i64>);
            }),
        });
        query.push(") WHERE column1 IS NOT NULL;");
    }
}

/// The rows and nothings behind them, up to the next power of two.
fn padded<R>(rows: &[R]) -> impl Iterator<Item = Option<&R>> {
    let nothing = rows.len().next_power_of_two().saturating_sub(rows.len());
    rows.iter().map(Some).chain((0..nothing).map(|_| None))
}

async fn look_up(transaction: &mut Transaction<'static, Db>, keys: &[OnceKey]) -> Result<Vec<(usize, OnceRow)>, StoreError> {
    let mut query = QueryBuilder::<Db>::new("WITH k (n, kind, iss, jti) AS (");
    query.push_values(padded(keys).enumerate(), |mut values, (n, key)| {
        values
            .push_bind(i64::try_from(n).unwrap_or(i64::MAX))
            .push_bind(key.map(|key| key.kind.as_str()))
            .push_bind(key.map(|key| key.iss.to_string()))
            .push_bind(key.map(|key| key.jti.uuid().as_bytes().as_slice()));
    });
    // CROSS JOIN: SQLite keeps this order of loops, one seek in the primary key for each id. What fills up has no kind and finds nothing.
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

/// Drafts whose rows are written in one call.
const GROUP: usize = 32;
/// Rows of one statement: with up to 13 columns they stay below SQLite's limit of 32,766 variables.
const ROWS: usize = 1024;
/// Values of the statements in one call: SQLite's limit is 32,766 variables.
const VALUES: usize = 30_000;
/// Changes nothing and gives no row.
const NOTHING: &str = "SELECT 1 WHERE FALSE";
const SAVEPOINT: &str = "SAVEPOINT draft";
const MOVE_SAVEPOINT: &str = "RELEASE draft; SAVEPOINT draft";
const RELEASE_SAVEPOINT: &str = "RELEASE draft;";
const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO draft";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_up_to_few_numbers_and_none_is_lost() {
        for len in [0, 1, 7, 8, 31, 33, 128, 129, ROWS] {
            let rows: Vec<usize> = (0..len).collect();
            let all: Vec<_> = padded(&rows).collect();
            assert_eq!(all.iter().flatten().map(|row| **row).collect::<Vec<_>>(), rows);
            assert!(all.len().is_power_of_two() && all.len() < 2 * len.max(1), "{len}");
        }
    }
}
