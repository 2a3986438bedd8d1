//! Connections to PostgreSQL: found among several addresses, bounded in number and time, and never reused in doubt.
//!
//! Promises: whatever a server or network does, an answer or an error comes within seconds; a connection whose last use was cut short is closed, which
//! makes the server roll back; after a failover the next use finds the server that can be written. sqlx's own pool asks the server at every return
//! whether it is still there, which would be a second round trip for every read.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection as _, FromRow, PgConnection, Postgres, QueryBuilder, Row as _,
    postgres::{PgArguments, PgConnectOptions, PgRow},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    super::{
        StoreError,
        statement::{Statement, bind},
    },
    notices,
};

/// The servers of one database, one of which can be written at a time.
pub(super) struct Servers {
    addresses: Vec<PgConnectOptions>,
    /// Where the last connection was made.
    last: AtomicUsize,
    /// Counts the times a connection broke: what was opened before is not used again.
    generation: AtomicU64,
    /// Whether a pooler in transaction mode stands between: no session state, no prepared statement outlives its transaction.
    pub(super) pooled: bool,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("addresses", &self.addresses.len()).field("pooled", &self.pooled).finish_non_exhaustive()
    }
}

impl Servers {
    pub(super) fn new(addresses: Vec<PgConnectOptions>, pooled: bool) -> Arc<Self> {
        Arc::new(Self { addresses, last: AtomicUsize::new(0), generation: AtomicU64::new(0), pooled })
    }

    /// Connects to the first server that can be written, beginning with the last one that could.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let count = self.addresses.len();
        let first = self.last.load(Ordering::Relaxed);
        let mut last_error = StoreError::UnknownScheme;
        for position in (first..first + count).map(|position| position % count.max(1)) {
            let Some(options) = self.addresses.get(position) else { continue };
            match connect(options).await {
                Ok(connection) => {
                    self.last.store(position, Ordering::Relaxed);
                    return Ok(connection);
                }
                // What one server lacks another may have; a server that answers says more than one that does not.
                Err(error) if matches!(last_error, StoreError::Unsafe(_)) => drop(error),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Gives up what was opened in this generation.
    fn suspect(&self, generation: u64) {
        // Another caller of the same generation may have done it.
        let _already = self.generation.compare_exchange(generation, generation + 1, Ordering::AcqRel, Ordering::Acquire);
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await.map_err(fault)?;
        let facts = sqlx::raw_sql(FACTS).fetch_one(&mut connection).await.map_err(fault)?;
        writable_and_durable(&facts)?;
        Ok(connection)
    };
    tokio::time::timeout(CONNECT, connecting).await.map_err(|_| timed_out())?
}

fn writable_and_durable(facts: &PgRow) -> Result<(), StoreError> {
    let fact = |column: &'static str| facts.try_get::<String, _>(column).map_err(StoreError::Database);
    if fact("recovery")? != "false" {
        return Err(StoreError::Unsafe("it is a standby and cannot be written"));
    }
    if fact("encoding")? != "UTF8" {
        return Err(StoreError::Unsafe("its encoding is not UTF8"));
    }
    durable(&fact("fsync")?, &fact("pages")?, &fact("commit")?)
}

/// What is confirmed must survive a crash of the server.
pub(super) fn durable(fsync: &str, full_page_writes: &str, synchronous_commit: &str) -> Result<(), StoreError> {
    match (fsync, full_page_writes, synchronous_commit) {
        ("on", "on", "on" | "remote_apply") => Ok(()),
        ("on", "on", _) => Err(StoreError::Unsafe("synchronous_commit is weaker than on")),
        ("on", ..) => Err(StoreError::Unsafe("full_page_writes is off")),
        _ => Err(StoreError::Unsafe("fsync is off")),
    }
}

/// A bounded number of connections to the same servers.
#[derive(Clone)]
pub(super) struct Connections(Arc<Home>);

struct Home {
    servers: Arc<Servers>,
    places: Arc<Semaphore>,
    size: u32,
    idle: Mutex<Vec<(u64, PgConnection)>>,
    closed: AtomicBool,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("size", &self.0.size).finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn new(servers: Arc<Servers>, size: u32) -> Self {
        let places = Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1)));
        Self(Arc::new(Home { servers, places, size, idle: Mutex::default(), closed: AtomicBool::new(false) }))
    }

    /// A connection of its own for the caller, open already or new.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let home = &self.0;
        let closed = || StoreError::Database(sqlx::Error::PoolClosed);
        if home.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let waited = tokio::time::timeout(PATIENCE, Arc::clone(&home.places).acquire_owned()).await;
        let place = waited.map_err(|_| timed_out())?.map_err(|_| closed())?;
        let generation = home.servers.generation();
        while let Some((opened_in, connection)) = home.take_idle() {
            if opened_in == generation {
                return Ok(Lease { connection: Some(connection), generation, spoilt: false, home: Arc::clone(home), _place: place });
            }
        }
        let connection = home.servers.connect().await?;
        Ok(Lease { connection: Some(connection), generation, spoilt: false, home: Arc::clone(home), _place: place })
    }

    /// Whether a pooler stands between.
    pub(super) fn pooled(&self) -> bool {
        self.0.servers.pooled
    }

    /// Waits for what is in use and closes everything.
    pub(super) async fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        if self.0.places.acquire_many(self.0.size).await.is_ok() {
            self.0.places.close();
        }
        while let Some((_, connection)) = self.0.take_idle() {
            // The server ends the session in any case when the connection is gone.
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a database connection was gone before it was closed");
            }
        }
    }
}

impl Home {
    fn take_idle(&self) -> Option<(u64, PgConnection)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A connection in the hands of one caller. Dropped, it is closed; [`Lease::give_back`] keeps it for the next.
pub(super) struct Lease {
    connection: Option<PgConnection>,
    generation: u64,
    /// Whether its last use broke, ran out of time or was given up in the middle: nothing more is sent on it.
    spoilt: bool,
    home: Arc<Home>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// The rows of a statement.
    pub(super) async fn rows<T>(&mut self, statement: Statement) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (sql, values) = statement.into_parts();
        let mut arguments = PgArguments::default();
        bind::<Postgres>(&mut arguments, values)?;
        self.rows_with(sql, arguments).await
    }

    /// The rows of a statement with arguments of the driver.
    pub(super) async fn rows_with<T>(&mut self, sql: Cow<'static, str>, arguments: PgArguments) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let keep = !self.home.servers.pooled;
        let connection = self.connection()?;
        let outcome = match sql {
            Cow::Borrowed(sql) => bounded(sqlx::query_as_with(sql, arguments).persistent(keep).fetch_all(connection)).await,
            Cow::Owned(sql) => {
                let mut query = QueryBuilder::<Postgres>::with_arguments(sql, arguments);
                bounded(query.build_query_as().persistent(keep).fetch_all(connection)).await
            }
        };
        self.judged(outcome)
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, sql: &'static str, arguments: PgArguments) -> Result<u64, sqlx::Error> {
        let keep = !self.home.servers.pooled;
        let connection = self.connection()?;
        let outcome = bounded(sqlx::query_with(sql, arguments).persistent(keep).execute(connection)).await;
        self.judged(outcome).map(|done| done.rows_affected())
    }

    /// Statements without values, several in one round trip.
    pub(super) async fn simple(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection()?;
        let outcome = bounded(sqlx::raw_sql(sql).execute(connection)).await;
        self.judged(outcome).map(|_| ())
    }

    /// The rows that statements without values give, several in one round trip.
    pub(super) async fn simple_rows<T>(&mut self, sql: &'static str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        let connection = self.connection()?;
        let outcome = bounded(sqlx::raw_sql(sql).fetch_all(connection)).await;
        self.judged(outcome)?.iter().map(T::from_row).collect()
    }

    /// Commits. A server that warns has not done all that a commit promises: where the wait for a standby was cancelled it says so and nothing else, and
    /// reports the transaction as committed.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let (committed, warning) = notices::with_warning(self.simple("COMMIT")).await;
        committed?;
        match warning {
            None => Ok(()),
            Some(message) => Err(sqlx::Error::AnyDriverError(Box::new(Said { code: WARNING.to_owned(), message }))),
        }
    }

    /// Whether nothing more may be sent on it.
    pub(super) const fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    /// Keeps the connection for the next caller. It must be outside a transaction.
    pub(super) fn give_back(mut self) {
        if !self.spoilt
            && let Some(connection) = self.connection.take()
        {
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push((self.generation, connection));
        }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        // Until the step is through, which a caller who gives up does not wait for.
        self.spoilt = true;
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    fn judged<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.spoilt = outcome.as_ref().is_err_and(is_lost);
        if self.spoilt {
            self.home.servers.suspect(self.generation);
        }
        outcome
    }
}

async fn bounded<T>(step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STEP, step).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether the server or the way to it is gone, or is not the one that can be written: another connection may do better.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection exceptions, operator intervention, and a server that has become a standby.
            code.starts_with("08") || code.starts_with("57P") || code == "25006"
        }),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        _ => false,
    }
}

/// What the server said, without the detail, which repeats values: only code and message.
pub(super) fn fault(error: sqlx::Error) -> StoreError {
    StoreError::Database(plain(error))
}

/// As [`fault`].
pub(in crate::store) fn plain(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default().into_owned();
            sqlx::Error::AnyDriverError(Box::new(Said { code, message: said.message().to_owned() }))
        }
        other => other,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
struct Said {
    code: String,
    message: String,
}

/// Whether the role may not do what was asked of the server.
pub(super) fn is_forbidden(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::AnyDriverError(error)) = error else { return false };
    error.downcast_ref::<Said>().is_some_and(|said| said.code == FORBIDDEN)
}

const fn timed_out() -> StoreError {
    StoreError::Database(sqlx::Error::PoolTimedOut)
}

/// `insufficient_privilege`.
const FORBIDDEN: &str = "42501";
/// The class of warnings (PostgreSQL 15, appendix A).
const WARNING: &str = "01000";
const FACTS: &str = "SELECT pg_is_in_recovery()::text AS recovery, current_setting('server_encoding') AS encoding, \
     current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS commit";
/// How long connecting to one server may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one round trip may take; longer than the server's own limit for a statement, which says more.
const STEP: Duration = Duration::from_secs(8);
