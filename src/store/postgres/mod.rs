//! PostgreSQL 15 or newer: one connection that appends, several that read, any number of gateway processes on one database.
//!
//! Promises: nothing is written unless the server keeps what it confirms (fsync, full_page_writes, synchronous_commit); the schema is made and upgraded
//! by its owner and never by opening; no error repeats a value. Behind a pooler in transaction mode every statement stands in a transaction that
//! sets what it needs, and nothing is prepared beyond it.

mod append;
mod connections;
mod erase;
mod grants;
mod notices;
mod schema;
mod script;
mod shape;

use std::{str::FromStr as _, sync::Arc};

use async_trait::async_trait;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

pub use self::grants::GrantFault;
use self::{
    append::PostgresAppend,
    connections::{Connections, Servers, fault, is_lost},
};
pub(super) use self::{
    connections::plain,
    grants::{check as check_grants, grant},
    schema::{check, create, migrate, refusal},
};
use super::{
    Address, Append, Appender, Leftover, SchemaFault, StoreError,
    reads::{Columns, Database, SqlStore},
    statement::Statement,
};

/// One PostgreSQL database.
#[derive(Debug, Clone)]
pub(super) struct PostgresDatabase {
    reads: Connections,
    writer: Connections,
}

pub(super) async fn open(address: &Address) -> Result<SqlStore<PostgresDatabase>, StoreError> {
    let servers = servers(address)?;
    schema::check(&mut servers.connect().await?).await?;
    let database = PostgresDatabase { reads: Connections::new(Arc::clone(&servers), READERS), writer: Connections::new(servers, 1) };
    Ok(SqlStore { database })
}

/// One connection of one's own, to the server that can be written.
pub(super) async fn connect(address: &Address) -> Result<PgConnection, StoreError> {
    servers(address)?.connect().await
}

fn servers(address: &Address) -> Result<Arc<Servers>, StoreError> {
    let options = address.urls().map(|url| options(url, address)).collect::<Result<_, _>>()?;
    Ok(Servers::new(options, address.pooled()))
}

/// The role that an address names.
pub(super) fn role(address: &Address) -> Result<String, StoreError> {
    let url = address.urls().next().ok_or(StoreError::Address)?;
    Ok(options(url, address)?.get_username().to_owned())
}

fn options(url: &str, address: &Address) -> Result<PgConnectOptions, StoreError> {
    // The parser's error is dropped: it may repeat what stands in the address.
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Address)?;
    let options =
        options.application_name("tsunagi").extra_float_digits(None).statement_cache_capacity(STATEMENTS).disable_statement_logging();
    let options = match address.password() {
        // Otherwise that of the URL, or of the file where the own programs of PostgreSQL look.
        Some(password) => options.password(password),
        _ => options,
    };
    // A pooler refuses what it does not know; behind it every transaction sets its own limits.
    Ok(if address.pooled() { options } else { options.options([("statement_timeout", LIMIT), ("lock_timeout", LIMIT)]) })
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn all<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        match self.read(statement.clone()).await {
            // Reading changes nothing, so it is tried once more: what broke may have been idle since the server went.
            Err(StoreError::Database(error)) if is_lost(&error) => self.read(statement).await,
            outcome => outcome,
        }
        .map_err(StoreError::without_values)
    }

    async fn change<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let mut lease = self.writer.lease().await?;
        let changed = async {
            lease.simple(BEGIN_CHANGE).await?;
            let rows = lease.rows(statement).await?;
            lease.commit().await?;
            Ok(rows)
        };
        let rows = changed.await.map_err(|error| StoreError::Database(error).without_values())?;
        lease.give_back();
        Ok(rows)
    }

    async fn schema_faults(&self) -> Result<Option<Vec<SchemaFault>>, StoreError> {
        shape::faults(self).await
    }

    fn appender(&self) -> Arc<dyn Appender> {
        Arc::new(self.clone())
    }

    async fn scrub(&self) -> Result<Leftover, StoreError> {
        // Only the owner of the tables may vacuum them, and nobody takes anything back out of the write-ahead log.
        Ok(Leftover::Owner)
    }

    async fn close(&self) {
        self.reads.close().await;
        self.writer.close().await;
    }
}

impl PostgresDatabase {
    async fn read<T: Columns>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let mut lease = self.reads.lease().await?;
        if self.reads.pooled() {
            lease.simple(BEGIN_READ).await.map_err(StoreError::Database)?;
        }
        let rows = lease.rows(statement).await.map_err(StoreError::Database)?;
        if self.reads.pooled() {
            lease.simple("COMMIT").await.map_err(StoreError::Database)?;
        }
        lease.give_back();
        Ok(rows)
    }
}

#[async_trait]
impl Appender for PostgresDatabase {
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError> {
        let begun = match PostgresAppend::begin(&self.writer).await {
            // Nothing was written yet, so a connection that broke while it was idle costs nobody a failed append.
            Err(StoreError::Database(error)) if is_lost(&error) => PostgresAppend::begin(&self.writer).await,
            begun => begun,
        };
        Ok(Box::new(begun.map_err(StoreError::without_values)?))
    }
}

/// Behind a pooler there is no session that could hold the limit.
const BEGIN_READ: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'";
const BEGIN_CHANGE: &str = "BEGIN; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '5s'";
/// The server's limit for a statement or a lock: a caller behind it has given up by then.
const LIMIT: &str = "5s";
const READERS: u32 = 16;
/// More statements than the program has.
const STATEMENTS: usize = 256;
