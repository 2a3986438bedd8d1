//! A PostgreSQL database as source and as target.

use std::ops::DerefMut;

use async_trait::async_trait;
use sqlx::{
    Connection as _, PgConnection, Postgres, QueryBuilder, Row as _, Transaction,
    postgres::{PgArguments, PgRow},
};

use super::{
    Column, Hold, LEAVES, Leaf, Pages, Row, Source, Table, Target,
    columns::{Kind, encode},
    key_of, page_of,
};
use crate::store::{
    Address, HeadRow, StoreError,
    migrations::POSTGRES,
    postgres::{self, plain},
    read, sql,
    statement::{Value, bind},
};

/// A database that is read, over a connection or a transaction on one.
pub(super) struct PostgresReader<C>(C);

/// Opens a database as a source.
pub(super) async fn open(address: &Address, hold: Hold) -> Result<PostgresReader<Box<PgConnection>>, StoreError> {
    let mut connection = postgres::connect(address).await?;
    postgres::check(&mut connection).await?;
    simple(&mut connection, BEGIN_SNAPSHOT).await?;
    if hold == Hold::Alone {
        // Taken before the snapshot, which the first query takes: the last append is in it, and the next one waits.
        simple(&mut connection, LOCK_HEAD).await?;
    }
    Ok(PostgresReader(Box::new(connection)))
}

async fn simple(connection: &mut PgConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop).map_err(fault)
}

fn fault(error: sqlx::Error) -> StoreError {
    StoreError::Database(plain(error))
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Source for PostgresReader<C> {
    async fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(TABLES).persistent(false).fetch_all(&mut *self.0).await.map_err(fault)
    }

    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError> {
        let query = sqlx::query_as(COLUMNS).bind(table).persistent(false);
        let columns: Vec<(String, String)> = query.fetch_all(&mut *self.0).await.map_err(fault)?;
        columns.into_iter().map(|(name, kind)| Column::new(name, &kind)).collect()
    }

    async fn page(&mut self, table: &Table, columns: &[Column], after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let mut arguments = PgArguments::default();
        if let Some(after) = after {
            bind::<Postgres>(&mut arguments, key_of(table, columns, after)).map_err(fault)?;
        }
        let mut query = QueryBuilder::<Postgres>::with_arguments(page_of(table, columns, after.is_some()), arguments);
        let rows = query.build().persistent(false).fetch_all(&mut *self.0).await.map_err(fault)?;
        rows.iter().map(|row| columns.iter().enumerate().map(|(n, column)| value(row, n, column.kind)).collect()).collect()
    }

    async fn head(&mut self) -> Result<HeadRow, StoreError> {
        read::head(sqlx::query_as(sql::HEAD).persistent(false).fetch_optional(&mut *self.0).await.map_err(fault)?)
    }

    async fn leaves(&mut self, from: i64, limit: i64) -> Result<Vec<Leaf>, StoreError> {
        let query = sqlx::query_as(LEAVES).bind(from).bind(limit).persistent(false);
        query.fetch_all(&mut *self.0).await.map_err(fault)
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        simple(&mut self.0, "COMMIT").await
    }
}

fn value(row: &PgRow, n: usize, kind: Kind) -> Result<Value, StoreError> {
    match kind {
        Kind::Int => row.try_get(n).map(Value::Int),
        Kind::Text => row.try_get(n).map(Value::Text),
        Kind::Blob => row.try_get(n).map(Value::Blob),
    }
    .map_err(fault)
}

/// A database without tables, in the hands of its owner.
pub(super) struct EmptyDatabase {
    connection: PgConnection,
    /// The role that gateways use, where it is not the owner.
    application: Option<String>,
}

impl EmptyDatabase {
    pub(super) async fn connect(address: &Address, owner: Option<&Address>) -> Result<Self, StoreError> {
        let application = owner.is_some().then(|| postgres::role(address)).transpose()?;
        Ok(Self { connection: postgres::connect(owner.unwrap_or(address)).await?, application })
    }

    /// Begins the one transaction in which tables are made and everything is written.
    pub(super) async fn begin(&mut self) -> Result<PostgresTarget<'_>, StoreError> {
        let mut transaction = self.connection.begin().await.map_err(fault)?;
        simple(&mut transaction, NO_LIMITS).await?;
        let empty: bool = sqlx::query_scalar(IS_EMPTY).persistent(false).fetch_one(&mut *transaction).await.map_err(fault)?;
        if !empty {
            return Err(StoreError::Exists);
        }
        POSTGRES.run(&mut *transaction).await.map_err(|error| StoreError::Schema(postgres::refusal(&error)))?;
        if let Some(role) = &self.application {
            postgres::grant(&mut transaction, role).await?;
        }
        Ok(PostgresTarget(PostgresReader(transaction)))
    }

    /// Ends the session. What was not committed the server rolls back.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(error = %plain(error), "the connection was gone before it was closed");
        }
    }
}

/// A new database while it is written.
pub(super) struct PostgresTarget<'c>(PostgresReader<Transaction<'c, Postgres>>);

#[async_trait]
impl Target for PostgresTarget<'_> {
    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError> {
        self.0.columns(table).await
    }

    /// One COPY for a table: its references, to itself too, are checked when it is whole. It takes identities as they are.
    async fn write(&mut self, pages: &mut Pages<'_>) -> Result<(), StoreError> {
        let table = pages.table.name;
        let names: Vec<String> = pages.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", names.join(", "));
        let mut into = self.0.0.copy_in_raw(&statement).await.map_err(fault)?;
        let mut bytes = HEADER.to_vec();
        loop {
            // Without an end the COPY fails and takes the transaction with it.
            let Some(rows) = pages.next().await? else { break };
            for row in rows {
                encode(&row, &mut bytes)?;
            }
            into.send(std::mem::take(&mut bytes)).await.map_err(fault)?;
        }
        bytes.extend(TRAILER);
        into.send(bytes).await.map_err(fault)?;
        into.finish().await.map_err(fault)?;
        if pages.table.key == ["seq"] {
            // The next number of its own comes behind those that were copied.
            let mut query = QueryBuilder::<Postgres>::new("SELECT setval(pg_get_serial_sequence(");
            query.push_bind(table).push(", 'seq'), max(seq)) FROM ").push(table).push(" HAVING max(seq) IS NOT NULL");
            query.build().persistent(false).fetch_optional(&mut *self.0.0).await.map_err(fault)?;
        }
        Ok(())
    }

    fn reads(&mut self) -> &mut dyn Source {
        &mut self.0
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.0.0.commit().await.map_err(|error| StoreError::CommitUnknown(plain(error)))
    }
}

const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
const LOCK_HEAD: &str = "LOCK TABLE ledger_head IN EXCLUSIVE MODE";
const NO_LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
     AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f'))";
const TABLES: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') \
     AND relname <> '_sqlx_migrations' ORDER BY relname";
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute a WHERE a.attrelid = $1::text::regclass \
     AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
/// Signature, flags and no extension (PostgreSQL 15, COPY, "File Header").
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A row of -1 values.
const TRAILER: [u8; 2] = [0xff, 0xff];
