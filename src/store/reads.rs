//! What reading needs of a database: rows for a statement. The reads themselves are written once, for both.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

use super::{Appender, Leftover, SchemaFault, Store, StoreError, statement::Statement};

/// Columns that both drivers can give, by position.
pub(super) trait Columns: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static {}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static> Columns for T {}

/// A database that is open.
#[async_trait]
pub(super) trait Database: Send + Sync + 'static {
    /// All rows of a statement.
    async fn all<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError>;
    /// The first row of a statement.
    async fn one<T: Columns>(&self, statement: Statement) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }
    /// Changes rows by a statement of its own, durably; gives what it returns.
    async fn change<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError>;
    /// What of the schema is not as the migrations make it, and what the database finds damaged. None: it may not be looked at.
    async fn schema_faults(&self) -> Result<Option<Vec<SchemaFault>>, StoreError>;
    /// Opens appends.
    fn appender(&self) -> Arc<dyn Appender>;
    /// Removes what was deleted from the files beside the database, as far as a gateway can.
    async fn scrub(&self) -> Result<Leftover, StoreError>;
    /// Waits for what is open and closes everything.
    async fn close(&self);
}

/// A store in a database.
#[derive(Debug)]
pub(super) struct SqlStore<D> {
    pub(super) database: D,
}

impl<D: Database> SqlStore<D> {
    pub(super) async fn all<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        self.database.all(statement).await
    }

    /// The first row of a statement that gives at most one.
    pub(super) async fn one<T: Columns>(&self, statement: Statement) -> Result<Option<T>, StoreError> {
        self.database.one(statement).await
    }

    /// All rows of a statement with one column.
    pub(super) async fn column<T>(&self, statement: Statement) -> Result<Vec<T>, StoreError>
    where
        (T,): Columns,
    {
        Ok(self.all(statement).await?.into_iter().map(|(value,): (T,)| value).collect())
    }

    /// The first row of a statement with one column.
    pub(super) async fn cell<T>(&self, statement: Statement) -> Result<Option<T>, StoreError>
    where
        (T,): Columns,
    {
        Ok(self.one(statement).await?.map(|(value,): (T,)| value))
    }
}

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    fn appender(&self) -> Arc<dyn Appender> {
        self.database.appender()
    }

    async fn scrub(&self) -> Result<Leftover, StoreError> {
        self.database.scrub().await
    }

    async fn close(&self) {
        self.database.close().await;
    }
}
