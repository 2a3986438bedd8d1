//! The rows of one draft in one call of the function that the schema has for them. Each round trip holds the head lock, so what a draft changes must not take
//! one for each row.

use std::fmt::Write as _;

use sqlx::{Arguments as _, postgres::PgArguments};

use super::{connections::Lease, fault};
use crate::store::{
    StoreError,
    statement::{Statement, Value},
};

/// Calls the function; says whether every statement changed exactly one row. If not, nothing was changed.
pub(super) async fn run(lease: &mut Lease, arguments: PgArguments) -> Result<bool, StoreError> {
    let done: Vec<(bool,)> = lease.rows_with(RUN.into(), arguments).await.map_err(fault)?;
    Ok(matches!(done.as_slice(), [(true,)]))
}

const RUN: &str = "SELECT tsunagi_write($1::text[], $2::bigint[], $3::text[], $4::bytea[])";

/// The arguments of [`RUN`]: the statements and their values by type.
pub(super) fn arguments(script: Vec<Statement>) -> Result<PgArguments, StoreError> {
    let mut statements = Vec::with_capacity(script.len());
    let mut all = Values::default();
    for statement in script {
        statements.push(all.take(statement)?);
    }
    let mut arguments = PgArguments::default();
    let failed = |error| StoreError::Database(sqlx::Error::Encode(error));
    arguments.add(statements).map_err(failed)?;
    arguments.add(all.numbers).map_err(failed)?;
    arguments.add(all.texts).map_err(failed)?;
    arguments.add(all.bytes).map_err(failed)?;
    Ok(arguments)
}

/// Values by type. A NULL has a place too, so it has a type.
#[derive(Default)]
struct Values {
    numbers: Vec<Option<i64>>,
    texts: Vec<Option<String>>,
    bytes: Vec<Option<Vec<u8>>>,
}

impl Values {
    /// Takes the values of a statement; gives its text, in which each value is named by its place.
    fn take(&mut self, statement: Statement) -> Result<String, StoreError> {
        let (sql, values) = statement.into_parts();
        let places: Vec<(u8, usize)> = values.into_iter().map(|value| self.place(value)).collect();
        let mut pieces = sql.split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at_checked(digits).unwrap_or_default();
            let wrong = || StoreError::Corrupt("statement");
            let number: usize = number.parse().map_err(|_| wrong())?;
            let (array, place) = number.checked_sub(1).and_then(|n| places.get(n)).ok_or_else(wrong)?;
            write!(text, "${array}[{place}]{rest}").map_err(|_| wrong())?;
        }
        Ok(text)
    }

    /// The array and the place in it, both counted from 1.
    fn place(&mut self, value: Value) -> (u8, usize) {
        match value {
            Value::Int(value) => {
                self.numbers.push(value);
                (1, self.numbers.len())
            }
            Value::Text(value) => {
                self.texts.push(value);
                (2, self.texts.len())
            }
            Value::Blob(value) => {
                self.bytes.push(value);
                (3, self.bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_named_by_its_type_and_place() {
        let mut all = Values::default();
        let first = Statement::new("UPDATE t SET a = $2, b = $3 WHERE c = $1 OR d = $2").blob(&[1]).int(7).some_text(None);
        assert_eq!(all.take(first).unwrap(), "UPDATE t SET a = $1[1], b = $2[1] WHERE c = $3[1] OR d = $1[1]");
        assert_eq!(
            all.take(Statement::new("INSERT INTO t VALUES ($1, $2)").int(8).blob(&[2])).unwrap(),
            "INSERT INTO t VALUES ($1[2], $3[2])"
        );
        assert_eq!((all.numbers, all.texts, all.bytes), (vec![Some(7), Some(8)], vec![None], vec![Some(vec![1]), Some(vec![2])]));
        assert!(Values::default().take(Statement::new("DELETE FROM t WHERE a = $2").int(1)).is_err());
    }
}
