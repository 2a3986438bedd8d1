//! The append on PostgreSQL: the head row is the lock, and everything of a batch that goes into the ledger is one statement.
//!
//! A batch takes four round trips: BEGIN with the head, the used ids, everything that goes into the ledger, COMMIT; one more for what the grounds of its
//! drafts rest on, and one for every eight drafts that change other rows.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Arguments as _, postgres::PgArguments};

use super::{
    connections::{Connections, Lease, durable, plain},
    erase::{ROLLBACK_TO_SAVEPOINT, SAVEPOINT, delete},
    fault,
    script::{arguments, run},
};
use crate::{
    domain::{
        ids::{AgreementId, CaseKey, Jti},
        time::Timestamp,
    },
    store::{
        Append, DraftRows, EntryRow, HeadRow, OnceKey, OnceRow, StoreError, TileRow, Write,
        apply::{At, script},
        decode::{self, integer},
        gone::Gone,
        read, sql,
        statement::Statement,
    },
};

/// An open transaction that holds the row lock of the head. Dropped, it is rolled back at once.
pub(super) struct PostgresAppend {
    /// None once it is committed or dropped.
    lease: Option<Lease>,
    head: HeadRow,
    /// Ids used by this batch, written with the commit.
    used: HashMap<OnceKey, (OnceRow, Option<Timestamp>)>,
    /// What was asked for at once, as of this transaction; what a draft changed is not in here any more.
    revisions: HashMap<CaseKey, Option<u64>>,
    bindings: HashMap<Jti, Option<CaseKey>>,
}

type LockedHead = (String, i64, Vec<u8>, Vec<u8>, i64, i64, Vec<u8>, String, String, String);

impl PostgresAppend {
    /// Takes the head lock. Whoever waits behind it sees what the one before committed: each statement of READ COMMITTED looks anew.
    pub(super) async fn begin(writer: &Connections) -> Result<Self, StoreError> {
        let mut lease = writer.lease().await?;
        let row: Option<LockedHead> = lease.simple_rows(BEGIN).await.map_err(StoreError::Database)?.pop();
        let (origin, size, root, frontier, last_time, epoch, policy, fsync, pages, commit) =
            row.ok_or(StoreError::Corrupt("ledger_head"))?;
        durable(&fsync, &pages, &commit)?;
        let head = read::head(Some((origin, size, root, frontier, last_time, epoch, policy)))?;
        Ok(Self { lease: Some(lease), head, used: HashMap::new(), revisions: HashMap::new(), bindings: HashMap::new() })
    }

    fn lease(&mut self) -> Result<&mut Lease, StoreError> {
        self.lease.as_mut().ok_or(StoreError::Database(sqlx::Error::PoolClosed))
    }

    async fn one<T>(&mut self, statement: Statement) -> Result<Option<T>, StoreError>
    where
        (T,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let rows: Vec<(T,)> = self.lease()?.rows(statement).await.map_err(fault)?;
        Ok(rows.into_iter().next().map(|(value,)| value))
    }

    /// Whether every statement changed exactly one row. If not, nothing was changed.
    async fn run(&mut self, script: Vec<Statement>) -> Result<bool, StoreError> {
        if script.is_empty() {
            return Ok(true);
        }
        let arguments = arguments(script)?;
        run(self.lease()?, arguments).await
    }

    /// Forgets what rows change of what was asked for.
    fn forget(&mut self, rows: &[Write]) {
        for row in rows {
            match row {
                Write::Case { case, .. } | Write::CaseState(case, _) | Write::CaseParty { case, .. } | Write::EraseCase(case) => {
                    self.revisions.remove(case);
                }
                Write::ConsentBound(consent, _) | Write::Consent { jti: consent, .. } | Write::EraseConsent { consent, .. } => {
                    self.bindings.remove(consent);
                }
                // Named one by one: what comes to the list of writes is thought of here.
                Write::Party(_)
                | Write::PartyState(..)
                | Write::Key(_)
                | Write::KeyState { .. }
                | Write::KeyRecorded(_)
                | Write::Agreement { .. }
                | Write::AgreementAct { .. }
                | Write::AgreementSuperseded(..)
                | Write::DataKey(..)
                | Write::Person(_)
                | Write::PersonKey(..)
                | Write::ConsentEnd { .. }
                | Write::ConsentSuperseded { .. }
                | Write::ConsentUnbound(_)
                | Write::CaseTouched(..)
                | Write::Message(_)
                | Write::Term(..)
                | Write::Evidence(_)
                | Write::Uncollected(_)
                | Write::EraseKey(_)
                | Write::EraseMessage(..)
                | Write::EraseTerm(..)
                | Write::ErasePerson(..)
                | Write::EraseOpening(_)
                | Write::EraseTag(..) => {}
            }
        }
    }
}

impl Drop for PostgresAppend {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        if lease.is_spoilt() {
            // Closed here and now: the server rolls back when it notices, and nobody waits for an answer that does not come.
            return;
        }
        // Without a runtime the connection is closed, and the server rolls back when it notices.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                match lease.simple("ROLLBACK").await {
                    Ok(()) => lease.give_back(),
                    Err(error) => tracing::debug!(error = %plain(error), "a database connection was gone before it was rolled back"),
                }
            });
        }
    }
}

#[async_trait]
impl Append for PostgresAppend {
    fn head(&self) -> &HeadRow {
        &self.head
    }

    async fn once(&mut self, keys: &[OnceKey]) -> Result<Vec<Option<OnceRow>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = Columns::default();
        arguments.add(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>())?;
        arguments.add(keys.iter().map(|key| key.iss.to_string()).collect::<Vec<_>>())?;
        arguments.add(keys.iter().map(|key| key.jti.uuid().as_bytes().to_vec()).collect::<Vec<_>>())?;
        let rows: Vec<(i64, Vec<u8>, Option<i64>, Vec<u8>)> = self.lease()?.rows_with(LOOK_UP.into(), arguments.0).await.map_err(fault)?;
        let mut stored = HashMap::with_capacity(rows.len());
        for (n, digest, idx, result) in rows {
            stored.insert(n, decode::once((digest, idx, result))?);
        }
        let answer = |(n, key)| self.used.get(key).map(|(row, _)| row.clone()).or_else(|| stored.remove(&n));
        Ok((1..).zip(keys).map(answer).collect())
    }

    fn use_once(&mut self, key: OnceKey, row: OnceRow, expires: Option<Timestamp>) {
        self.used.insert(key, (row, expires));
    }

    async fn forget_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut arguments = Columns::default();
        arguments.add(now.micros())?;
        arguments.add(i64::from(limit))?;
        self.lease()?.execute(sql::FORGET_EXPIRED, arguments.0).await.map_err(fault)
    }

    async fn leaf_hashes(&mut self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let statement = Statement::new(sql::LEAF_HASHES).int(integer(from)).int(integer(to));
        let rows: Vec<(Vec<u8>,)> = self.lease()?.rows(statement).await.map_err(fault)?;
        rows.iter().map(|(hash,)| decode::hash("ledger_leaf.leaf_hash", hash)).collect()
    }

    async fn foresee(&mut self, cases: &[CaseKey], consents: &[Jti]) -> Result<(), StoreError> {
        if !cases.is_empty() {
            let mut arguments = Columns::default();
            arguments.column(cases, |case| case.uuid().as_bytes().to_vec())?;
            let rows: Vec<(Vec<u8>, i64)> = self.lease()?.rows_with(REVISIONS.into(), arguments.0).await.map_err(fault)?;
            self.revisions.extend(cases.iter().map(|case| (*case, None)));
            for (case, revision) in rows {
                self.revisions.insert(decode::case_key("case_.id", &case)?, Some(decode::count("case_.revision", revision)?));
            }
        }
        if !consents.is_empty() {
            let mut arguments = Columns::default();
            arguments.column(consents, |consent| consent.uuid().as_bytes().to_vec())?;
            let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = self.lease()?.rows_with(BINDINGS.into(), arguments.0).await.map_err(fault)?;
            self.bindings.extend(consents.iter().map(|consent| (*consent, None)));
            for (consent, case) in rows {
                let case = case.map(|case| decode::case_key("consent.case_", &case)).transpose()?;
                self.bindings.insert(decode::jti("consent.jti", &consent)?, case);
            }
        }
        Ok(())
    }

    async fn case_revision(&mut self, case: &CaseKey) -> Result<Option<u64>, StoreError> {
        if let Some(known) = self.revisions.get(case) {
            return Ok(*known);
        }
        let found: Option<i64> = self.one(Statement::new(sql::CASE_REVISION).blob(case.uuid().as_bytes())).await?;
        found.map(|revision| decode::count("case_.revision", revision)).transpose()
    }

    async fn consent_case(&mut self, consent: &Jti) -> Result<Option<CaseKey>, StoreError> {
        if let Some(known) = self.bindings.get(consent) {
            return Ok(*known);
        }
        let found: Option<Option<Vec<u8>>> = self.one(Statement::new(sql::CONSENT_CASE).blob(consent.uuid().as_bytes())).await?;
        found.flatten().map(|case| decode::case_key("consent.case_", &case)).transpose()
    }

    async fn write(&mut self, rows: &[Write], idx: u64, time: Timestamp) -> Result<(), StoreError> {
        self.forget(rows);
        let (gone, rows) = Gone::take(rows);
        let script = script(rows, At::new(idx, time))?;
        if gone.is_empty() {
            return if self.run(script).await? { Ok(()) } else { Err(StoreError::RowConflict) };
        }
        self.lease()?.simple(SAVEPOINT).await.map_err(fault)?;
        if delete(gone, self.lease()?).await.map_err(fault)? && self.run(script).await? {
            return Ok(());
        }
        self.lease()?.simple(ROLLBACK_TO_SAVEPOINT).await.map_err(fault)?;
        Err(StoreError::RowConflict)
    }

    async fn write_all(&mut self, drafts: &[DraftRows<'_>]) -> Result<usize, StoreError> {
        let mut taken = 0;
        for group in drafts.chunks(GROUP) {
            let mut together = Some(Vec::new());
            for draft in group {
                self.forget(draft.rows);
                let (gone, rows) = Gone::take(draft.rows);
                let script = script(rows, At::new(draft.idx, draft.time))?;
                // What deletes in statements of its own goes one by one.
                together = together.filter(|_| gone.is_empty()).map(|mut all: Vec<_>| {
                    all.extend(script);
                    all
                });
            }
            if let Some(together) = together
                && self.run(together).await?
            {
                taken += group.len();
                continue;
            }
            // The function is a savepoint: nothing of the group is there.
            for draft in group {
                match self.write(draft.rows, draft.idx, draft.time).await {
                    Ok(()) => taken += 1,
                    Err(StoreError::RowConflict) => return Ok(taken),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(taken)
    }

    async fn commit(mut self: Box<Self>, entries: Vec<EntryRow>, tiles: Vec<TileRow>, head: HeadRow) -> Result<(), StoreError> {
        let used: Vec<_> = self.used.drain().collect();
        let arguments = everything(&entries, &tiles, &used, &head, self.head.size)?;
        match self.lease()?.execute(WRITE_BATCH, arguments).await.map_err(fault)? {
            1 => {}
            _ => return Err(StoreError::HeadMoved),
        }
        // From here on the server may have committed although we do not hear of it, so the connection is not rolled back but closed.
        let mut lease = self.lease.take().ok_or(StoreError::Database(sqlx::Error::PoolClosed))?;
        lease.commit().await.map_err(|error| StoreError::CommitUnknown(plain(error)))?;
        lease.give_back();
        Ok(())
    }
}

/// Arguments of the driver.
#[derive(Default)]
struct Columns(PgArguments);

impl Columns {
    fn add<'t, T: sqlx::Encode<'t, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(&mut self, value: T) -> Result<(), StoreError> {
        self.0.add(value).map_err(|error| StoreError::Database(sqlx::Error::Encode(error)))
    }

    /// One array, a value for each row.
    fn column<'t, R, T>(&mut self, rows: &'t [R], value: impl Fn(&'t R) -> T) -> Result<(), StoreError>
    where
        Vec<T>: sqlx::Encode<'t, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        self.add(rows.iter().map(value).collect::<Vec<T>>())
    }
}

type Used = (OnceKey, (OnceRow, Option<Timestamp>));

/// The arguments of [`WRITE_BATCH`].
fn everything(entries: &[EntryRow], tiles: &[TileRow], used: &[Used], head: &HeadRow, before: u64) -> Result<PgArguments, StoreError> {
    let mut all = Columns::default();
    all.column(entries, |entry| integer(entry.idx))?;
    all.column(entries, |entry| entry.leaf_hash.as_slice())?;
    all.column(entries, |entry| entry.id.as_bytes().as_slice())?;
    all.column(entries, |entry| entry.time.micros())?;
    all.column(entries, |entry| entry.entry_type)?;
    all.column(entries, |entry| entry.operation)?;
    all.column(entries, |entry| entry.actor.as_ref().map(ToString::to_string))?;
    all.column(entries, |entry| entry.actor.as_ref().and_then(|party| party.place()))?;
    all.column(entries, |entry| entry.recipient.as_ref().map(ToString::to_string))?;
    all.column(entries, |entry| entry.recipient.as_ref().and_then(|party| party.place()))?;
    all.column(entries, |entry| entry.decision)?;
    all.column(entries, |entry| entry.reason.as_deref())?;
    all.column(entries, |entry| entry.agreement.as_ref().map(AgreementId::as_str))?;
    all.column(entries, |entry| entry.body.as_slice())?;
    let openings: Vec<_> = entries.iter().filter_map(|entry| Some((entry.idx, entry.opening.as_ref()?))).collect();
    all.column(&openings, |(idx, _)| integer(*idx))?;
    all.column(&openings, |(_, sealed)| sealed.key.0.as_bytes().as_slice())?;
    all.column(&openings, |(_, sealed)| sealed.bytes.as_slice())?;
    let mut tags: Vec<_> = entries.iter().flat_map(|entry| entry.tags.iter().map(|tag| (*tag, entry.idx))).collect();
    // A tag given twice is one row.
    tags.sort_unstable();
    tags.dedup();
    all.column(&tags, |(tag, _)| tag.0.as_slice())?;
    all.column(&tags, |(_, idx)| integer(*idx))?;
    all.column(used, |(key, _)| key.kind.as_str())?;
    all.column(used, |(key, _)| key.iss.to_string())?;
    all.column(used, |(key, _)| key.jti.uuid().as_bytes().to_vec())?;
    all.column(used, |(_, (row, _))| row.digest.0.as_slice())?;
    all.column(used, |(_, (row, _))| row.idx.map(integer))?;
    all.column(used, |(_, (row, _))| row.result.as_slice())?;
    all.column(used, |(_, (_, expires))| expires.map(Timestamp::micros))?;
    all.column(tiles, |tile| i64::from(tile.level))?;
    all.column(tiles, |tile| integer(tile.n))?;
    all.column(tiles, |tile| tile.root.as_slice())?;
    all.column(tiles, |tile| tile.hashes.as_slice())?;
    all.add(integer(head.size))?;
    all.add(head.root.as_slice())?;
    all.add(head.frontier.as_slice())?;
    all.add(head.last_time.micros())?;
    all.add(integer(head.rights_epoch))?;
    all.add(head.policy.0.as_slice())?;
    all.add(head.origin.as_str())?;
    all.add(integer(before))?;
    Ok(all.0)
}

/// Begins, and takes the head lock. A gateway that stops in the middle must not hold it for the others, and a server that waits must not hold the gateway.
/// With every batch the server says again whether it keeps what it confirms. Everything in it is looked up by an index: a plan that was made for a table
/// of a few rows would otherwise be kept, and read the whole of it for every batch until the server counts its rows again.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '10s'; \
     SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
     SELECT origin, size, root, frontier, last_time, rights_epoch, policy, current_setting('fsync'), current_setting('full_page_writes'), \
     current_setting('synchronous_commit') FROM ledger_head WHERE one = 1 FOR UPDATE";
/// Drafts whose rows are written in one call. The server looks for a value by stepping over those before it.
const GROUP: usize = 8;
const REVISIONS: &str = "SELECT id, revision FROM case_ WHERE id = ANY ($1::bytea[])";
const BINDINGS: &str = "SELECT jti, case_ FROM consent WHERE jti = ANY ($1::bytea[])";
const LOOK_UP: &str = "SELECT k.n, u.digest, u.idx, u.result FROM UNNEST($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS k (kind, iss, jti, n) \
     JOIN used_once u ON u.kind = k.kind AND u.iss = k.iss AND u.jti = k.jti";
/// Changes one row, the head, when all went well. The limit for statements ends here: a COMMIT that waits for a synchronous standby and is cut off by it
/// would be reported as done.
const WRITE_BATCH: &str = "WITH \
     leaf AS (INSERT INTO ledger_leaf (idx, leaf_hash) SELECT * FROM UNNEST($1::bigint[], $2::bytea[])), \
     entry AS (INSERT INTO ledger_entry (idx, id, time, type, operation, actor, actor_place, recipient, recipient_place, decision, reason, \
       agreement, body) SELECT * FROM UNNEST($1::bigint[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], \
       $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[])), \
     opening AS (INSERT INTO ledger_opening (idx, key, sealed) SELECT * FROM UNNEST($15::bigint[], $16::bytea[], $17::bytea[])), \
     tag AS (INSERT INTO ledger_index (tag, idx) SELECT * FROM UNNEST($18::bytea[], $19::bigint[])), \
     used AS (INSERT INTO used_once (kind, iss, jti, digest, idx, result, expires) SELECT * FROM UNNEST($20::text[], $21::text[], $22::bytea[], \
       $23::bytea[], $24::bigint[], $25::bytea[], $26::bigint[])), \
     tile AS (INSERT INTO ledger_tile (level, n, root, hashes) SELECT * FROM UNNEST($27::bigint[], $28::bigint[], $29::bytea[], $30::bytea[])) \
     UPDATE ledger_head SET size = $31, root = $32, frontier = $33, last_time = $34, rights_epoch = $35, policy = $36, \
     origin = $37 WHERE one = 1 AND size = $38 AND set_config('statement_timeout', '0', true) = '0'";
