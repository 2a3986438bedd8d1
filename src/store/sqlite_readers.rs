//! The connections to a SQLite file that only read.
//!
//! Promises: each is used by one at a time, the one that was used last first, whose thread and pages are warm; one that failed is closed and opened
//! anew. Not the driver's own pool: that asks a connection after each use whether it lives, which on a file costs as much as the read.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Executor, QueryBuilder,
    sqlite::{SqliteArguments, SqliteConnectOptions},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    reads::Columns,
    sqlite::{Db, DbConnection},
};

/// Connections that only read.
#[derive(Debug, Clone)]
pub(super) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    free: Mutex<Vec<DbConnection>>,
    places: Semaphore,
    most: u32,
    patience: Duration,
}

impl Readers {
    /// Opens the first; the others are opened when they are needed, at most so many. Nobody waits longer than `patience` for one.
    pub(super) async fn open(options: SqliteConnectOptions, most: u32, patience: Duration) -> Result<Self, sqlx::Error> {
        let first = options.connect().await?;
        let places = Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS));
        Ok(Self(Arc::new(Shared { options, free: Mutex::new(vec![first]), places, most, patience })))
    }

    /// All rows of a statement.
    pub(super) async fn all<T: Columns>(&self, sql: Cow<'static, str>, arguments: SqliteArguments) -> Result<Vec<T>, sqlx::Error> {
        let mut lease = self.lease().await?;
        let outcome = rows(lease.connection()?, sql, arguments).await;
        lease.judge(outcome)
    }

    /// The first row of a statement. The connection's thread sends it and nothing behind it, where [`Self::all`] is sent an end as well.
    pub(super) async fn one<T: Columns>(&self, sql: Cow<'static, str>, arguments: SqliteArguments) -> Result<Option<T>, sqlx::Error> {
        let mut lease = self.lease().await?;
        let connection = lease.connection()?;
        let outcome = match sql {
            Cow::Borrowed(sql) => sqlx::query_as_with(sql, arguments).fetch_optional(connection).await,
            Cow::Owned(sql) => QueryBuilder::<Db>::with_arguments(sql, arguments).build_query_as().fetch_optional(connection).await,
        };
        lease.judge(outcome)
    }

    /// Waits for what reads and closes everything.
    pub(super) async fn close(&self) {
        if tokio::time::timeout(self.0.patience, self.0.places.acquire_many(self.0.most)).await.is_err() {
            tracing::debug!("a read is still under way");
        }
        self.0.places.close();
        let idle = std::mem::take(&mut *self.0.free());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a reading connection did not close");
            }
        }
    }

    async fn lease(&self) -> Result<Lease<'_>, sqlx::Error> {
        let place = tokio::time::timeout(self.0.patience, self.0.places.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let warm = self.0.free().pop();
        let connection = match warm {
            Some(connection) => connection,
            None => self.0.options.connect().await?,
        };
        Ok(Lease { shared: &self.0, connection: Some(connection), _place: place })
    }
}

impl Shared {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<DbConnection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows of a statement.
pub(super) async fn rows<'c, T: Columns>(
    connection: impl Executor<'c, Database = Db>,
    sql: Cow<'static, str>,
    arguments: SqliteArguments,
) -> Result<Vec<T>, sqlx::Error> {
    match sql {
        Cow::Borrowed(sql) => sqlx::query_as_with(sql, arguments).fetch_all(connection).await,
        Cow::Owned(sql) => QueryBuilder::<Db>::with_arguments(sql, arguments).build_query_as().fetch_all(connection).await,
    }
}

/// A connection in use. Dropped, it is free again, unless it failed or everything was closed meanwhile.
struct Lease<'a> {
    shared: &'a Shared,
    connection: Option<DbConnection>,
    _place: SemaphorePermit<'a>,
}

impl Lease<'_> {
    fn connection(&mut self) -> Result<&mut DbConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// What a connection that failed is good for is not known, so it is not used again.
    fn judge<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.shared.places.is_closed()
        {
            self.shared.free().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    async fn readers(folder: &tempfile::TempDir, most: u32) -> Readers {
        let options = SqliteConnectOptions::new().filename(folder.path().join("readers.sqlite")).create_if_missing(true);
        Readers::open(options, most, Duration::from_secs(20)).await.unwrap()
    }

    async fn read(readers: &Readers, sql: &'static str) -> Result<Vec<(i64,)>, sqlx::Error> {
        readers.all(Cow::Borrowed(sql), SqliteArguments::default()).await
    }

    #[tokio::test]
    async fn no_more_connections_are_opened_than_may_be_and_each_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 2).await;
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let readers = readers.clone();
            tasks.spawn(async move { read(&readers, "SELECT 7").await.unwrap() });
        }
        for rows in tasks.join_all().await {
            assert_eq!(rows, [(7,)]);
        }
        assert!((1..=2).contains(&readers.0.free().len()));
    }

    #[tokio::test]
    async fn a_connection_that_failed_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1).await;
        assert!(read(&readers, "SELECT nothing").await.is_err());
        assert!(readers.0.free().is_empty());
        assert_eq!(read(&readers, "SELECT 1").await.unwrap(), [(1,)]);
        assert_eq!(readers.0.free().len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_read_after_closing() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 2).await;
        readers.close().await;
        assert!(matches!(read(&readers, "SELECT 1").await, Err(sqlx::Error::PoolClosed)));
    }
}
