//! The administrator of a database, who goes past triggers, constraints and unique indexes and changes what he likes.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Database, PgConnection, Row, SqliteConnection, TypeInfo as _,
    ValueRef as _,
    postgres::PgRow,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// A column as the schema names it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) nullable: bool,
    pub(crate) key: bool,
}

/// Values by column.
pub(crate) type Cells = BTreeMap<String, Value>;

/// A connection with every right.
#[async_trait]
pub(crate) trait Superuser: Send {
    /// The tables of the ledger, as the schema names them.
    async fn tables(&mut self) -> Vec<String>;
    /// The columns of a table, as the schema names them.
    async fn columns(&mut self, table: &str) -> Vec<Column>;
    /// All rows of a table, in the order of its key.
    async fn rows(&mut self, table: &str) -> Vec<Cells>;
    /// Runs a statement.
    async fn run(&mut self, sql: String);
    /// How a value is written in a statement.
    fn literal(&self, value: &Value) -> String;

    /// Keeps a copy of a table.
    async fn keep(&mut self, table: &str) {
        self.run(format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }

    /// Makes a table what it was when it was kept.
    async fn restore(&mut self, table: &str) {
        self.run(format!("DELETE FROM {table}")).await;
        self.run(format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
}

/// The administrator of a SQLite file.
pub(crate) struct SqliteAdmin(SqliteConnection);

impl SqliteAdmin {
    pub(crate) async fn open(file: &Path) -> Self {
        // What he writes need not be durable.
        let options = SqliteConnectOptions::new().filename(file).foreign_keys(false).synchronous(sqlx::sqlite::SqliteSynchronous::Off);
        let mut admin = Self(options.connect().await.unwrap());
        admin.run("PRAGMA ignore_check_constraints = ON".to_owned()).await;
        let guards = "SELECT type || ' ' || name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL";
        let guards: Vec<String> = sqlx::query_scalar(guards).fetch_all(&mut admin.0).await.unwrap();
        for guard in guards {
            admin.run(format!("DROP {guard}")).await;
        }
        admin
    }
}

#[async_trait]
impl Superuser for SqliteAdmin {
    async fn tables(&mut self) -> Vec<String> {
        let query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ledger#_%' ESCAPE '#' ORDER BY name";
        sqlx::query_scalar(query).fetch_all(&mut self.0).await.unwrap()
    }

    async fn columns(&mut self, table: &str) -> Vec<Column> {
        let rows = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})"))).fetch_all(&mut self.0).await.unwrap();
        let column = |row: &SqliteRow| {
            let key = row.get::<i64, _>("pk") > 0;
            Column { name: row.get("name"), nullable: row.get::<i64, _>("notnull") == 0 && !key, key }
        };
        rows.iter().map(column).collect()
    }

    async fn rows(&mut self, table: &str) -> Vec<Cells> {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2"))).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(cells).collect()
    }

    async fn run(&mut self, sql: String) {
        let said = format!("{sql:.200}");
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut self.0).await;
        assert!(done.is_ok(), "{said}: {done:?}");
    }

    fn literal(&self, value: &Value) -> String {
        literal(value, |bytes| format!("x'{bytes}'"))
    }
}

/// The superuser of PostgreSQL.
pub(crate) struct PostgresAdmin(PgConnection);

impl PostgresAdmin {
    pub(crate) async fn open(url: &str) -> Self {
        let mut admin = Self(PgConnection::connect(url).await.unwrap());
        // For what fires unless it is replicated; the ledger's own triggers fire always and are disabled one by one.
        admin.run("SET session_replication_role = replica".to_owned()).await;
        for table in admin.tables().await {
            admin.run(format!("ALTER TABLE {table} DISABLE TRIGGER ALL")).await;
        }
        let checks = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint \
                      WHERE contype = 'c' AND conrelid::regclass::text LIKE 'ledger%'";
        let indexes = "SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index \
                       WHERE indrelid::regclass::text LIKE 'ledger%' AND NOT indisprimary";
        for guards in [checks, indexes] {
            let guards: Vec<String> = sqlx::query_scalar(guards).fetch_all(&mut admin.0).await.unwrap();
            for guard in guards {
                admin.run(guard).await;
            }
        }
        admin
    }
}

#[async_trait]
impl Superuser for PostgresAdmin {
    async fn tables(&mut self) -> Vec<String> {
        let query = "SELECT table_name::text FROM information_schema.tables \
                     WHERE table_schema = current_schema() AND table_name LIKE 'ledger\\_%' ORDER BY table_name COLLATE \"C\"";
        sqlx::query_scalar(query).fetch_all(&mut self.0).await.unwrap()
    }

    async fn columns(&mut self, table: &str) -> Vec<Column> {
        let query = "SELECT c.column_name::text, c.is_nullable = 'YES', EXISTS (SELECT 1 FROM pg_index i \
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
                     WHERE i.indrelid = c.table_name::regclass AND i.indisprimary AND a.attname = c.column_name) \
                     FROM information_schema.columns c WHERE c.table_schema = current_schema() AND c.table_name = $1 ORDER BY c.ordinal_position";
        let rows: Vec<(String, bool, bool)> = sqlx::query_as(query).bind(table).fetch_all(&mut self.0).await.unwrap();
        rows.into_iter().map(|(name, nullable, key)| Column { name, nullable, key }).collect()
    }

    async fn rows(&mut self, table: &str) -> Vec<Cells> {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2"))).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(pg_cells).collect()
    }

    async fn run(&mut self, sql: String) {
        let said = format!("{sql:.200}");
        let done = sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(&mut self.0).await;
        assert!(done.is_ok(), "{said}: {done:?}");
    }

    fn literal(&self, value: &Value) -> String {
        literal(value, |bytes| format!("'\\x{bytes}'::bytea"))
    }

    /// Rows that are deleted stay in the way of every later look at the table until they are vacuumed.
    async fn restore(&mut self, table: &str) {
        self.run(format!("TRUNCATE {table}")).await;
        self.run(format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
        self.run(format!("ANALYZE {table}")).await;
    }
}

fn cells(row: &SqliteRow) -> Cells {
    named(row, |at| match kind(row, at).as_str() {
        "NULL" => Value::Null,
        "INTEGER" => Value::Int(row.get(at)),
        "TEXT" => Value::Text(row.get(at)),
        "BLOB" => Value::Blob(row.get(at)),
        other => panic!("a column of type {other}"),
    })
}

fn pg_cells(row: &PgRow) -> Cells {
    named(row, |at| match kind(row, at).as_str() {
        "NULL" => Value::Null,
        "INT8" => Value::Int(row.get(at)),
        "TEXT" => Value::Text(row.get(at)),
        "BYTEA" => Value::Blob(row.get(at)),
        other => panic!("a column of type {other}"),
    })
}

fn named<R: Row>(row: &R, value: impl Fn(usize) -> Value) -> Cells {
    row.columns().iter().map(|column| (column.name().to_owned(), value(column.ordinal()))).collect()
}

/// The type of the value that stands there.
fn kind<R: Row>(row: &R, at: usize) -> String
where
    usize: sqlx::ColumnIndex<R>,
{
    let raw = row.try_get_raw(at).unwrap();
    if raw.is_null() { "NULL".to_owned() } else { type_name::<R::Database>(&raw.type_info()) }
}

fn type_name<DB: Database>(info: &DB::TypeInfo) -> String {
    info.name().to_owned()
}

fn literal(value: &Value, blob: impl Fn(&str) -> String) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(n) => n.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => blob(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}
