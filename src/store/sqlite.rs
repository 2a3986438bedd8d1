//! SQLite: WAL, `synchronous = FULL`, one connection that writes, several that only read.
//!
//! Promises: a database is created by [`create`] and never by opening; its file belongs to its owner alone (mode 0600, the WAL takes it over);
//! what is deleted is overwritten (`secure_delete`; the WAL holds the old page until its next checkpoint).

use std::{
    path::Path,
    str::FromStr as _,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions as _, Connection as _, Pool, SqlSafeStr as _, Sqlite, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Append, Appender, Store, StoreError, read, sql, sqlite_append::SqliteAppend};
use crate::domain::digest::Digest;

/// The database this build speaks. Reads and writes name it through this alias only.
pub(super) type Db = Sqlite;
/// A connection of it.
pub(super) type DbConnection = SqliteConnection;

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub(super) struct SqlStore {
    /// Connections that only read.
    pub(super) reads: Pool<Db>,
    writer: Pool<Db>,
}

pub(super) async fn open(url: &str) -> Result<SqlStore, StoreError> {
    let options = options(url)?;
    if !tokio::fs::try_exists(options.get_filename()).await.map_err(|error| StoreError::Database(sqlx::Error::Io(error)))? {
        return Err(StoreError::Missing);
    }
    let mut connection = options.connect().await.map_err(StoreError::Database)?;
    check_schema(&mut connection).await?;
    connection.close().await.map_err(StoreError::Database)?;
    pools(&options).await
}

pub(super) async fn create(url: &str, origin: &str, policy: Digest) -> Result<SqlStore, StoreError> {
    let options = options(url)?.page_size(PAGE_SIZE);
    let path = options.get_filename().to_owned();
    new_file(&path).await?;
    match fill(&options, origin, policy).await {
        Ok(()) => pools(&options).await,
        Err(error) => {
            // Half a database would be refused by `open` and by the next `create`.
            tokio::fs::remove_file(&path).await.map_err(|e| StoreError::File(e.kind()))?;
            Err(error)
        }
    }
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
    MIGRATIONS.run(&mut connection).await.map_err(|error| StoreError::Schema(error.to_string()))?;
    sqlx::query(sql::INSERT_HEAD)
        .bind(origin)
        .bind(EMPTY_ROOT.as_slice())
        .bind([].as_slice())
        .bind(policy.0.as_slice())
        .execute(&mut connection)
        .await
        .map_err(StoreError::Database)?;
    connection.close().await.map_err(StoreError::Database)
}

/// Every migration of this build is applied, unchanged, and no other.
async fn check_schema(connection: &mut DbConnection) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar(HAS_MIGRATIONS).fetch_optional(&mut *connection).await.map_err(StoreError::Database)?;
    if known.is_none() {
        return Err(StoreError::Schema("not a database of this program".to_owned()));
    }
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(APPLIED_MIGRATIONS).fetch_all(connection).await.map_err(StoreError::Database)?;
    for migration in MIGRATIONS.iter() {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => return Err(StoreError::Schema(format!("migration {} is pending", migration.version))),
            Some((version, checksum)) if *checksum != *migration.checksum => {
                return Err(StoreError::Schema(format!("migration {version} was changed after it was applied")));
            }
            Some(_) => {}
        }
    }
    match applied.iter().find(|(version, _)| !MIGRATIONS.version_exists(*version)) {
        Some((version, _)) => Err(StoreError::Schema(format!("migration {version} is of a newer version"))),
        None => Ok(()),
    }
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
        .disable_statement_logging())
}

async fn pools(options: &SqliteConnectOptions) -> Result<SqlStore, StoreError> {
    let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE).idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    let writer = options.clone().pragma("cache_size", "-65536");
    let reader = options.clone().pragma("cache_size", "-8192").pragma("query_only", "ON");
    Ok(SqlStore {
        writer: pool().max_connections(1).connect_with(writer).await.map_err(StoreError::Database)?,
        reads: pool().max_connections(READERS).connect_with(reader).await.map_err(StoreError::Database)?,
    })
}

#[async_trait]
impl Appender for SqlStore {
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
        let head = read::head(&mut transaction).await?;
        Ok(Box::new(SqliteAppend::new(transaction, head)))
    }
}

#[async_trait]
impl Store for SqlStore {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::new(self.clone())
    }

    async fn close(&self) {
        self.reads.close().await;
        self.writer.close().await;
    }
}

/// The migrations of this build, in order. Listed here, because sqlx's macro for it would be half of what has to be built.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![migration(1, "init", include_str!("migrations/sqlite/0001_init.sql"))])
});
const HAS_MIGRATIONS: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
const APPLIED_MIGRATIONS: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
/// SHA-256 of nothing: the root of the empty tree (RFC 6962 section 2.1).
const EMPTY_ROOT: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
    0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
const BEGIN: &str = "BEGIN IMMEDIATE";
const PAGE_SIZE: u32 = 16 * 1024;
const READERS: u32 = 8;
/// How long a lock or a connection is waited for: a caller behind it has given up by then.
const PATIENCE: Duration = Duration::from_secs(5);
