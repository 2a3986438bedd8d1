//! Many statements in one call. Each call to a SQLite connection wakes its thread and waits for it, which costs more than a small statement does.

use std::fmt::Write as _;

use sqlx::{QueryBuilder, sqlite::SqliteArguments};

use super::{
    StoreError,
    sqlite::{Db, DbConnection},
    statement::{Statement, bind, is_constraint},
};

/// Runs statements that must change exactly as many rows as each says, behind one that changes none. What a refused script did before it was refused remains: the
/// caller rolls it back.
pub(super) async fn execute(first: &'static str, script: Vec<Statement>, connection: &mut DbConnection) -> Result<(), StoreError> {
    let rows: usize = script.iter().map(Statement::rows).sum();
    let (sql, arguments) = joined(first, script)?;
    match QueryBuilder::<Db>::with_arguments(sql, arguments).build().fetch_all(connection).await {
        // Each gives a row for each that it changed. The driver's own count is not of a statement but of the last one that changed anything.
        Ok(changed) if changed.len() == rows => Ok(()),
        Ok(_) => Err(StoreError::RowConflict),
        Err(error) if is_constraint(&error) => Err(StoreError::RowConflict),
        Err(error) => Err(StoreError::Database(error)),
    }
}

fn joined(first: &'static str, script: Vec<Statement>) -> Result<(String, SqliteArguments), StoreError> {
    let (mut text, mut arguments, mut before) = (first.to_owned(), SqliteArguments::default(), 0);
    for statement in script {
        let (sql, values) = statement.into_parts();
        text.push(';');
        // `$1` of each statement is the first of its own arguments.
        let mut pieces = sql.split('$');
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at_checked(digits).unwrap_or_default();
            let number: usize = number.parse().map_err(|_| StoreError::Corrupt("statement"))?;
            write!(text, "${}{rest}", before + number).map_err(|_| StoreError::Corrupt("statement"))?;
        }
        text.push_str(" RETURNING 1");
        before += values.len();
        bind::<Db>(&mut arguments, values).map_err(StoreError::Database)?;
    }
    Ok((text, arguments))
}

#[cfg(test)]
mod tests {
    use sqlx::Arguments as _;

    use super::*;

    #[test]
    fn each_statement_counts_its_own_arguments() {
        let script = vec![
            Statement::new("UPDATE t SET a = $2 WHERE b = $1 OR b = $2").int(1).text("x"),
            Statement::new("DELETE FROM t"),
            Statement::new("INSERT INTO t VALUES ($1, $10)").blob(&[1]),
        ];
        let (sql, arguments) = joined("SAVEPOINT s", script).unwrap();
        let expected = "SAVEPOINT s;UPDATE t SET a = $2 WHERE b = $1 OR b = $2 RETURNING 1;DELETE FROM t RETURNING 1;\
            INSERT INTO t VALUES ($3, $12) RETURNING 1";
        assert_eq!(sql, expected);
        assert_eq!(arguments.len(), 3);
    }
}
