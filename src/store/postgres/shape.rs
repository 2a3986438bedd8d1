//! The schema in PostgreSQL, compared with what the migrations make, which is written down in `schema.txt`; a test compares that with a database that was
//! made just now. Everybody may look at the catalogs, unless the administrator forbade it.

use super::{PostgresDatabase, connections::is_forbidden};
use crate::store::{
    StoreError,
    reads::Database as _,
    shape::{Object, SchemaFault, compare},
    statement::Statement,
};

/// What is not as the migrations make it. None: the catalogs cannot be looked at.
pub(super) async fn faults(database: &PostgresDatabase) -> Result<Option<Vec<SchemaFault>>, StoreError> {
    let rows: Vec<Columns> = match database.all(Statement::new(OBJECTS)).await {
        Err(error) if is_forbidden(&error) => return Ok(None),
        rows => rows?,
    };
    let expected = expected();
    let found: Vec<Object> = rows.into_iter().map(object).filter(|object| bears(object, &expected)).collect();
    Ok(Some(compare(&expected, &found)))
}

/// Whether something bears on the tables of this program.
fn bears(object: &Object, expected: &[Object]) -> bool {
    let ours = expected.iter().any(|one| one.kind == "table" && one.name == object.table);
    ours || object.table.is_empty()
}

fn expected() -> Vec<Object> {
    let line = |line: &str| {
        let mut parts = line.splitn(4, '\t').map(str::to_owned);
        Some(object((parts.next()?, parts.next()?, parts.next()?, parts.next()?)))
    };
    EXPECTED.lines().filter_map(line).collect()
}

/// Kind, table, name and definition.
type Columns = (String, String, String, String);

fn object((kind, table, name, definition): Columns) -> Object {
    Object { kind, table, name, definition }
}

const EXPECTED: &str = include_str!("schema.txt");
/// What the schema of the tables holds, without what belongs to an extension. A view bears on no table but is named all the same; so is what another schema
/// of the search path puts in front of a table or a function, and a table that feeds its rows into one of these. What the server keeps about a `NOT NULL`
/// differs between its versions and is told with the column.
const OBJECTS: &str = include_str!("shape.sql");
