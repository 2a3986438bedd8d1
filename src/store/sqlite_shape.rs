//! The schema of a SQLite file, compared with that of a database in memory that the same migrations made, and the database's own check of its pages.

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{
    StoreError,
    migrations::SQLITE,
    reads::Database as _,
    shape::{Difference, Object, SchemaFault, compare},
    sqlite::SqliteFile,
    statement::Statement,
};

/// What is not as the migrations make it, and what the database finds damaged.
pub(super) async fn faults(file: &SqliteFile) -> Result<Vec<SchemaFault>, StoreError> {
    let expected = expected().await?;
    let rows: Vec<Columns> = file.all(Statement::new(OBJECTS)).await?;
    let told: Vec<(String,)> = file.all(Statement::new(CHECK)).await?;
    let found = bearing(rows, &expected);
    let mut faults = compare(&expected, &found);
    let mut damaged: Vec<String> = told.iter().filter(|(told,)| told != SOUND).map(|(told,)| named_in(told, &found)).collect();
    damaged.sort_unstable();
    damaged.dedup();
    faults.extend(damaged.into_iter().map(|object| SchemaFault { object, difference: Difference::Damaged }));
    Ok(faults)
}

/// What the migrations make in a database of its own.
async fn expected() -> Result<Vec<Object>, StoreError> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(StoreError::Database)?;
    for migration in SQLITE.iter() {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut connection).await.map_err(StoreError::Database)?;
    }
    let rows: Vec<Columns> = sqlx::query_as(OBJECTS).fetch_all(&mut connection).await.map_err(StoreError::Database)?;
    connection.close().await.map_err(StoreError::Database)?;
    Ok(rows.into_iter().map(object).collect())
}

/// Somebody else's table is nothing to the gateway, nor is the list of migrations; what stands on a table of its own, or a view, is.
fn bearing(rows: Vec<Columns>, expected: &[Object]) -> Vec<Object> {
    let ours = |table: &str| expected.iter().any(|one| one.kind == "table" && one.name == table);
    rows.into_iter().map(object).filter(|object| object.kind == "view" || ours(&object.table)).collect()
}

/// Type, name and table of an object, and the statement that made it; none for an index that a constraint makes.
type Columns = (String, String, String, Option<String>);

fn object((kind, name, table, sql): Columns) -> Object {
    let definition = sql.unwrap_or_default().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    Object { kind, table, name, definition }
}

/// The object that a word of the database's check is about: it names an index, or a table. Nothing else of what it says is repeated.
fn named_in(told: &str, found: &[Object]) -> String {
    let words = || told.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let named = |kind: &str| found.iter().find(|object| object.kind == kind && words().any(|word| word == object.name));
    let object = named("index").or_else(|| named("table"));
    object.map_or_else(|| "database".to_owned(), |object| format!("{} {}", object.kind, object.name))
}

/// Without the statistics that the planner keeps for itself.
const OBJECTS: &str =
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite#_stat%' ESCAPE '#' ORDER BY type, name";
const CHECK: &str = "PRAGMA integrity_check";
const SOUND: &str = "ok";
