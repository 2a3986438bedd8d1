//! One statement with its values, for either database. `$1` is its first value; every value knows its type, so a NULL has one too.

use std::{borrow::Cow, fmt};

use sqlx::{Arguments, Database, Encode, Type, error::ErrorKind};

use super::rows::Sealed;

/// A value that goes with a statement.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

/// A statement and what stands for `$1`, `$2` and so on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    rows: usize,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("sql", &self.sql).field("values", &self.values.len()).field("rows", &self.rows).finish()
    }
}

impl Statement {
    pub(super) const fn new(sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), values: Vec::new(), rows: 1 }
    }

    /// Goes on with the text of the statement.
    pub(super) fn push(mut self, sql: &str) -> Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Goes on with the number of the value that is added next.
    pub(super) fn next(self) -> Self {
        let number = format!("${}", self.values.len() + 1);
        self.push(&number)
    }

    /// Goes on with a list of values in brackets. An empty one holds nothing.
    pub(super) fn among<'b>(self, values: impl IntoIterator<Item = &'b [u8]>) -> Self {
        let listed = |statement: Self, (n, value): (usize, &[u8])| {
            let statement = if n == 0 { statement } else { statement.push(", ") };
            statement.next().blob(value)
        };
        let listed = values.into_iter().enumerate().fold(self.push("("), listed);
        if listed.values.is_empty() { listed.push("NULL)") } else { listed.push(")") }
    }

    /// How many rows it must change, if that is not one.
    pub(super) const fn changing(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// How many rows it must change, as part of a script.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn text<'a>(self, value: impl Into<Cow<'a, str>>) -> Self {
        self.with(Value::Text(Some(value.into().into_owned())))
    }

    pub(super) fn some_text(self, value: Option<&str>) -> Self {
        self.with(Value::Text(value.map(str::to_owned)))
    }

    pub(super) fn int(self, value: i64) -> Self {
        self.with(Value::Int(Some(value)))
    }

    pub(super) fn some_int(self, value: Option<i64>) -> Self {
        self.with(Value::Int(value))
    }

    pub(super) fn blob(self, value: &[u8]) -> Self {
        self.with(Value::Blob(Some(value.to_vec())))
    }

    pub(super) fn some_blob(self, value: Option<&[u8]>) -> Self {
        self.with(Value::Blob(value.map(<[u8]>::to_vec)))
    }

    /// Key id and content.
    pub(super) fn sealed(self, sealed: &Sealed) -> Self {
        self.blob(sealed.key.0.as_bytes()).blob(&sealed.bytes)
    }

    fn with(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// How many values it is sent with.
    pub(super) const fn values(&self) -> usize {
        self.values.len()
    }

    pub(super) fn into_parts(self) -> (Cow<'static, str>, Vec<Value>) {
        (self.sql, self.values)
    }
}

/// Adds values to the arguments of a driver.
pub(super) fn bind<DB: Database>(arguments: &mut DB::Arguments, values: Vec<Value>) -> Result<(), sqlx::Error>
where
    Option<i64>: for<'q> Encode<'q, DB> + Type<DB>,
    Option<String>: for<'q> Encode<'q, DB> + Type<DB>,
    Option<Vec<u8>>: for<'q> Encode<'q, DB> + Type<DB>,
{
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(())
}

/// Whether the database refused the row itself, which leaves the transaction usable as of its last savepoint.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
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
    fn what_is_bound_is_not_printed() {
        let statement = Statement::new("SELECT 1 WHERE 'a' = ").next().text("hidden").push(" AND 2 = ").next().int(7);
        assert_eq!(statement.sql, "SELECT 1 WHERE 'a' = $1 AND 2 = $2");
        assert_eq!(format!("{statement:?}"), "Statement { sql: \"SELECT 1 WHERE 'a' = $1 AND 2 = $2\", values: 2, rows: 1 }");
    }
}
