//! A SQLite file as source and as target.

use std::{
    ops::DerefMut,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions as _, Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection, Transaction,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow},
};

use super::{Column, Hold, LEAVES, Leaf, Pages, Row, Source, Table, Target, columns::Kind, key_of, page_of};
use crate::store::{
    HeadRow, StoreError,
    migrations::SQLITE,
    read, sql, sqlite,
    statement::{Value, bind},
};

/// A file that is read, over a connection or a transaction on one.
pub(super) struct SqliteReader<C>(C);

/// Opens a file as a source.
pub(super) async fn open(url: &str, hold: Hold) -> Result<SqliteReader<Box<SqliteConnection>>, StoreError> {
    let options = sqlite::existing(url).await?;
    let options = match hold {
        // Said before anything is read, it takes the file's lock, which every other connection shares as long as it is open.
        Hold::Alone => options.locking_mode(SqliteLockingMode::Exclusive),
        Hold::Shared => options,
    };
    begin(&options, hold).await.map_err(sqlite::in_use)
}

async fn begin(options: &SqliteConnectOptions, hold: Hold) -> Result<SqliteReader<Box<SqliteConnection>>, StoreError> {
    let mut connection = options.connect().await.map_err(StoreError::Database)?;
    sqlite::check_schema(&mut connection).await?;
    let begin = if hold == Hold::Alone { "BEGIN EXCLUSIVE" } else { "BEGIN" };
    sqlx::query(begin).execute(&mut connection).await.map_err(StoreError::Database)?;
    Ok(SqliteReader(Box::new(connection)))
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Source for SqliteReader<C> {
    async fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(TABLES).fetch_all(&mut *self.0).await.map_err(StoreError::Database)
    }

    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError> {
        let query = sqlx::query_as(COLUMNS).bind(table);
        let columns: Vec<(String, String)> = query.fetch_all(&mut *self.0).await.map_err(StoreError::Database)?;
        columns.into_iter().map(|(name, kind)| Column::new(name, &kind)).collect()
    }

    async fn page(&mut self, table: &Table, columns: &[Column], after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let mut arguments = SqliteArguments::default();
        if let Some(after) = after {
            bind::<Sqlite>(&mut arguments, key_of(table, columns, after)).map_err(StoreError::Database)?;
        }
        let mut query = QueryBuilder::<Sqlite>::with_arguments(page_of(table, columns, after.is_some()), arguments);
        let rows = query.build().fetch_all(&mut *self.0).await.map_err(StoreError::Database)?;
        rows.iter().map(|row| columns.iter().enumerate().map(|(n, column)| value(row, n, column.kind)).collect()).collect()
    }

    async fn head(&mut self) -> Result<HeadRow, StoreError> {
        read::head(sqlx::query_as(sql::HEAD).fetch_optional(&mut *self.0).await.map_err(StoreError::Database)?)
    }

    async fn leaves(&mut self, from: i64, limit: i64) -> Result<Vec<Leaf>, StoreError> {
        sqlx::query_as(LEAVES).bind(from).bind(limit).fetch_all(&mut *self.0).await.map_err(StoreError::Database)
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(&mut *self.0).await.map(drop).map_err(StoreError::Database)
    }
}

fn value(row: &SqliteRow, n: usize, kind: Kind) -> Result<Value, StoreError> {
    match kind {
        Kind::Int => row.try_get(n).map(Value::Int),
        Kind::Text => row.try_get(n).map(Value::Text),
        Kind::Blob => row.try_get(n).map(Value::Blob),
    }
    .map_err(StoreError::Database)
}

/// A file that was not there.
pub(super) struct NewFile {
    connection: SqliteConnection,
    path: PathBuf,
}

impl NewFile {
    pub(super) async fn create(url: &str) -> Result<Self, StoreError> {
        // One transaction writes the whole file: a write-ahead log would hold it a second time.
        let options = sqlite::options(url)?.page_size(sqlite::PAGE_SIZE).journal_mode(SqliteJournalMode::Delete);
        let path = options.get_filename().to_owned();
        sqlite::new_file(&path).await?;
        match options.connect().await {
            Ok(connection) => Ok(Self { connection, path }),
            Err(error) => {
                remove(&path).await?;
                Err(StoreError::Database(error))
            }
        }
    }

    /// Begins the one transaction in which everything is written.
    pub(super) async fn begin(&mut self) -> Result<SqliteTarget<'_>, StoreError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::Database)?;
        // References are checked when everything is there.
        sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *transaction).await.map_err(StoreError::Database)?;
        SQLITE.run(&mut *transaction).await.map_err(|error| StoreError::Schema(error.to_string()))?;
        Ok(SqliteTarget(SqliteReader(transaction)))
    }

    /// Keeps the file, or leaves nothing behind.
    pub(super) async fn close(self, keep: bool) -> Result<(), StoreError> {
        let closed = self.connection.close().await.map_err(StoreError::Database);
        if keep { closed } else { remove(&self.path).await }
    }
}

async fn remove(path: &Path) -> Result<(), StoreError> {
    tokio::fs::remove_file(path).await.map_err(|error| StoreError::File(error.kind()))
}

/// A new file while it is written.
pub(super) struct SqliteTarget<'c>(SqliteReader<Transaction<'c, Sqlite>>);

#[async_trait]
impl Target for SqliteTarget<'_> {
    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError> {
        self.0.columns(table).await
    }

    async fn write(&mut self, pages: &mut Pages<'_>) -> Result<(), StoreError> {
        let names: Vec<String> = pages.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let into = format!("INSERT INTO {} ({}) ", pages.table.name, names.join(", "));
        while let Some(rows) = pages.next().await? {
            for some in rows.chunks(AT_ONCE) {
                let mut query = QueryBuilder::<Sqlite>::new(into.as_str());
                query.push_values(some, |mut values, row| {
                    for value in row {
                        match value {
                            Value::Int(value) => values.push_bind(*value),
                            Value::Text(value) => values.push_bind(value.as_deref()),
                            Value::Blob(value) => values.push_bind(value.as_deref()),
                        };
                    }
                });
                query.build().execute(&mut *self.0.0).await.map_err(StoreError::Database)?;
            }
        }
        Ok(())
    }

    fn reads(&mut self) -> &mut dyn Source {
        &mut self.0
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.0.0.commit().await.map_err(StoreError::CommitUnknown)
    }
}

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND name <> '_sqlx_migrations' ORDER BY name";
const COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
/// Rows of one statement: far below SQLite's limit of 32,766 values.
const AT_ONCE: usize = 32;
