//! SQLite: WAL, `synchronous = FULL`, one connection that writes, several that only read.
//!
//! Promises: a database is created by [`create`] and never by opening; its file belongs to its owner alone (mode 0600, the WAL takes it over);
//! what is deleted is overwritten (`secure_delete`; the WAL holds the old page until its next checkpoint).

use std::{borrow::Cow, path::Path, str::FromStr as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions as _, Connection as _, Pool, Sqlite, SqliteConnection,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Append, Appender, Leftover, SchemaFault, StoreError,
    migrations::{APPLIED, SQLITE, applied_are_known},
    read,
    reads::{Columns, Database, SqlStore},
    sql,
    sqlite_append::SqliteAppend,
    sqlite_file::Staged,
    sqlite_readers::{Readers, rows},
    sqlite_shape,
    statement::{Statement, bind},
};
use crate::domain::digest::Digest;

pub(super) type Db = Sqlite;
pub(super) type DbConnection = SqliteConnection;

/// One SQLite file.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile {
    reads: Readers,
    writer: Pool<Db>,
}

pub(super) async fn open(url: &str) -> Result<SqlStore<SqliteFile>, StoreError> {
    let options = existing(url).await?;
    let mut connection = options.connect().await.map_err(StoreError::Database)?;
    check_schema(&mut connection).await?;
    connection.close().await.map_err(StoreError::Database)?;
    pools(&options).await
}

/// How to open a file that is there.
pub(super) async fn existing(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let options = options(url)?;
    if !tokio::fs::try_exists(options.get_filename()).await.map_err(|error| StoreError::Database(sqlx::Error::Io(error)))? {
        return Err(StoreError::Missing);
    }
    Ok(options)
}

pub(super) async fn create(url: &str, origin: &str, policy: Digest) -> Result<SqlStore<SqliteFile>, StoreError> {
    let options = options(url)?.page_size(PAGE_SIZE);
    // It gets its name when it is whole: half a database would be refused by `open` and by the next `create`.
    let staged = Staged::at(options.get_filename()).await?;
    let filled = match staged.url() {
        Ok(url) => fill(&self::options(&url)?.page_size(PAGE_SIZE), origin, policy).await,
        Err(error) => Err(error),
    };
    staged.or_discarded(filled).await?.finish().await?;
    pools(&options).await
}

pub(super) async fn new_file(path: &Path) -> Result<(), StoreError> {
    let made = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await;
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(StoreError::Exists),
        Err(error) => Err(StoreError::File(error.kind())),
    }
}

async fn fill(options: &SqliteConnectOptions, origin: &str, policy: Digest) -> Result<(), StoreError> {
    let mut connection = options.connect().await.map_err(StoreError::Database)?;
    SQLITE.run(&mut connection).await.map_err(|error| StoreError::Schema(error.to_string()))?;
    sqlx::query(sql::INSERT_HEAD)
        .bind(origin)
        .bind(sql::EMPTY_ROOT.as_slice())
        .bind([].as_slice())
        .bind(policy.0.as_slice())
        .execute(&mut connection)
        .await
        .map_err(StoreError::Database)?;
    connection.close().await.map_err(StoreError::Database)
}

/// Every migration of this build is applied, unchanged, and no other.
pub(super) async fn check_schema(connection: &mut DbConnection) -> Result<(), StoreError> {
    is_ours(connection).await?;
    let applied = sqlx::query_as(APPLIED).fetch_all(connection).await.map_err(StoreError::Database)?;
    applied_are_known(&SQLITE, &applied)
}

/// This program made the file.
pub(super) async fn is_ours(connection: &mut DbConnection) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar(HAS_MIGRATIONS).fetch_optional(connection).await.map_err(StoreError::Database)?;
    known.map(drop).ok_or_else(|| StoreError::Schema("not a database of this program".to_owned()))
}

/// Every row that others refer to is there.
pub(super) async fn no_dangling_row(connection: &mut DbConnection) -> Result<(), StoreError> {
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_optional(connection).await.map_err(StoreError::Database)?;
    if dangling.is_none() { Ok(()) } else { Err(StoreError::Damaged("a row refers to one that is not there".to_owned())) }
}

/// A lock that somebody else holds is no failure of the database.
pub(super) fn in_use(error: StoreError) -> StoreError {
    let code = match &error {
        StoreError::Database(error) => error.as_database_error().and_then(sqlx::error::DatabaseError::code),
        _ => None,
    };
    // Primary result codes SQLITE_BUSY and SQLITE_LOCKED, in the low byte of an extended one.
    let locked = code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6));
    if locked { StoreError::InUse } else { error }
}

pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(StoreError::Database)?
        .create_if_missing(false)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .pragma("secure_delete", "ON")
        // Without it REPLACE would delete rows past the triggers that refuse deleting.
        .pragma("recursive_triggers", "ON")
        // What a savepoint needs to roll back stays in memory, and so never on disk beside the database.
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging())
}

async fn pools(options: &SqliteConnectOptions) -> Result<SqlStore<SqliteFile>, StoreError> {
    let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE).idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    let writer = options.clone().pragma("cache_size", WRITER_CACHE);
    let reader = options.clone().pragma("cache_size", "-8192").pragma("query_only", "ON");
    let database = SqliteFile {
        writer: pool().max_connections(1).connect_with(writer).await.map_err(StoreError::Database)?,
        reads: Readers::open(reader, READERS, PATIENCE).await.map_err(StoreError::Database)?,
    };
    Ok(SqlStore { database })
}

#[async_trait]
impl Appender for SqliteFile {
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError> {
        let mut transaction = match self.writer.begin_with(BEGIN).await {
            // SQLite ends a transaction by itself when the disk is full or fails. The driver still counts it and would refuse every further one.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                let spoilt = self.writer.acquire().await.map_err(StoreError::Database)?;
                spoilt.close().await.map_err(StoreError::Database)?;
                self.writer.begin_with(BEGIN).await
            }
            begun => begun,
        }
        .map_err(StoreError::Database)?;
        let head = sqlx::query_as(sql::HEAD).fetch_optional(&mut *transaction).await.map_err(StoreError::Database)?;
        let head = read::head(head)?;
        Ok(Box::new(SqliteAppend::new(transaction, head)))
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn all<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let (sql, arguments) = bound(statement)?;
        self.reads.all(sql, arguments).await.map_err(StoreError::Database)
    }

    async fn one<T: Columns>(&self, statement: Statement) -> Result<Option<T>, StoreError> {
        let (sql, arguments) = bound(statement)?;
        self.reads.one(sql, arguments).await.map_err(StoreError::Database)
    }

    async fn change<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let (sql, arguments) = bound(statement)?;
        rows(&self.writer, sql, arguments).await.map_err(StoreError::Database)
    }

    async fn schema_faults(&self) -> Result<Option<Vec<SchemaFault>>, StoreError> {
        sqlite_shape::faults(self).await.map(Some)
    }

    fn appender(&self) -> Arc<dyn Appender> {
        Arc::new(self.clone())
    }

    async fn scrub(&self) -> Result<Leftover, StoreError> {
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await.map_err(StoreError::Database)?;
        Ok(if busy == 0 { Leftover::Nothing } else { Leftover::Log })
    }

    async fn close(&self) {
        self.reads.close().await;
        self.writer.close().await;
    }
}

fn bound(statement: Statement) -> Result<(Cow<'static, str>, SqliteArguments), StoreError> {
    let mut arguments = SqliteArguments::default();
    let (sql, values) = statement.into_parts();
    bind::<Db>(&mut arguments, values).map_err(StoreError::Database)?;
    Ok((sql, arguments))
}

const HAS_MIGRATIONS: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
const BEGIN: &str = "BEGIN IMMEDIATE";
/// Small: what a batch changes lies scattered over the pages of the indexes, and each of them goes into the WAL whole.
pub(super) const PAGE_SIZE: u32 = 4 * 1024;
/// 16 MB: the inner pages of the indexes of ten million entries. SQLite walks through all pages that it holds behind every commit that rebalanced an index,
/// so more of them cost more than they save.
const WRITER_CACHE: &str = "-16384";
/// Pages in the WAL after which they are written into the database: 16 MB, a few batches under load.
const CHECKPOINT: &str = "4096";
const READERS: u32 = 8;
/// More statements than a connection is sent again and again: a batch has a few for each power of two of its rows.
const STATEMENTS: usize = 256;
/// How long a lock or a connection is waited for: a caller behind it has given up by then.
const PATIENCE: Duration = Duration::from_secs(5);
