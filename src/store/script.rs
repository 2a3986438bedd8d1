//! Many statements in one call. Each call to a SQLite connection wakes its thread and waits for it, which costs more than a small statement does.
//! PostgreSQL takes one prepared statement a call; its append will run the same statements one by one.

use std::fmt::Write as _;

use sqlx::{Arguments as _, QueryBuilder, error::ErrorKind, sqlite::SqliteArguments};

use super::{
    StoreError,
    rows::Sealed,
    sqlite::{Db, DbConnection},
};

/// Statements that must change exactly one row each.
#[derive(Default)]
pub(super) struct Script {
    sql: String,
    arguments: SqliteArguments,
    statements: u64,
}

impl Script {
    /// Adds a statement; its arguments follow.
    pub(super) fn run(&mut self, sql: &'static str) -> Result<&mut Self, StoreError> {
        if self.statements > 0 {
            self.sql.push(';');
        }
        // `$1` of each statement is the first of its own arguments.
        let before = self.arguments.len();
        let mut pieces = sql.split('$');
        self.sql.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at_checked(digits).unwrap_or_default();
            let number: usize = number.parse().map_err(|_| StoreError::Corrupt("statement"))?;
            write!(self.sql, "${}{rest}", before + number).map_err(|_| StoreError::Corrupt("statement"))?;
        }
        self.statements += 1;
        Ok(self)
    }

    pub(super) fn text<'a>(&mut self, value: impl Into<std::borrow::Cow<'a, str>>) -> Result<&mut Self, StoreError> {
        self.add(value.into().into_owned())
    }

    pub(super) fn int(&mut self, value: i64) -> Result<&mut Self, StoreError> {
        self.add(value)
    }

    pub(super) fn some_int(&mut self, value: Option<i64>) -> Result<&mut Self, StoreError> {
        self.add(value)
    }

    pub(super) fn blob(&mut self, value: &[u8]) -> Result<&mut Self, StoreError> {
        self.add(value.to_vec())
    }

    pub(super) fn some_blob(&mut self, value: Option<&[u8]>) -> Result<&mut Self, StoreError> {
        self.add(value.map(<[u8]>::to_vec))
    }

    /// Key id and content.
    pub(super) fn sealed(&mut self, sealed: &Sealed) -> Result<&mut Self, StoreError> {
        self.blob(sealed.key.0.as_bytes())?.blob(&sealed.bytes)
    }

    fn add<'t, T: sqlx::Encode<'t, Db> + sqlx::Type<Db>>(&mut self, value: T) -> Result<&mut Self, StoreError> {
        self.arguments.add(value).map_err(|error| StoreError::Database(sqlx::Error::Encode(error)))?;
        Ok(self)
    }

    /// Runs everything in one call. What a refused script did before it was refused remains: the caller rolls it back.
    pub(super) async fn execute(self, connection: &mut DbConnection) -> Result<(), StoreError> {
        let query = QueryBuilder::<Db>::with_arguments(self.sql, self.arguments).build().execute(connection).await;
        match query {
            // Of several statements the driver gives the sum.
            Ok(done) if done.rows_affected() == self.statements => Ok(()),
            Ok(_) => Err(StoreError::RowConflict),
            Err(error) if is_constraint(&error) => Err(StoreError::RowConflict),
            Err(error) => Err(StoreError::Database(error)),
        }
    }
}

/// Whether the database refused the row itself, which leaves the transaction usable.
fn is_constraint(error: &sqlx::Error) -> bool {
    let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
    matches!(
        kind,
        Some(ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation | ErrorKind::CheckViolation)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_counts_its_own_arguments() {
        let mut script = Script::default();
        script.run("UPDATE t SET a = $2 WHERE b = $1 OR b = $2").unwrap().int(1).unwrap().text("x").unwrap();
        script.run("DELETE FROM t").unwrap();
        script.run("INSERT INTO t VALUES ($1, $10)").unwrap().blob(&[1]).unwrap();
        assert_eq!(script.sql, "UPDATE t SET a = $2 WHERE b = $1 OR b = $2;DELETE FROM t;INSERT INTO t VALUES ($3, $12)");
        assert_eq!((script.statements, script.arguments.len()), (3, 3));
    }
}
