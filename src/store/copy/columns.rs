//! Columns and values in a form that both databases share: that of PostgreSQL's binary COPY.

use crate::{
    domain::digest::Digest,
    store::{StoreError, statement::Value},
};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Blob,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Column {
    /// A column by its name and by the type that a database calls it.
    pub(super) fn new(name: String, kind: &str) -> Result<Self, StoreError> {
        let kind = match kind {
            "INTEGER" | "bigint" => Kind::Int,
            "TEXT" | "text" => Kind::Text,
            "BLOB" | "bytea" => Kind::Blob,
            other => return Err(StoreError::Schema(format!("column {name} has the unknown type {other}"))),
        };
        Ok(Self { name, kind })
    }
}

/// The values of a row.
pub(super) type Row = Vec<Value>;

/// Appends a row in the binary format of COPY: the number of values, and each with its length (PostgreSQL 15, COPY, "Tuples").
pub(super) fn encode(row: &[Value], into: &mut Vec<u8>) -> Result<(), StoreError> {
    let too_large = || StoreError::Schema("a value is too large to be copied".to_owned());
    into.extend(i16::try_from(row.len()).map_err(|_| too_large())?.to_be_bytes());
    for value in row {
        let number;
        let bytes = match value {
            Value::Int(value) => {
                number = value.map(i64::to_be_bytes);
                number.as_ref().map(<[u8; 8]>::as_slice)
            }
            Value::Text(value) => value.as_ref().map(String::as_bytes),
            Value::Blob(value) => value.as_deref(),
        };
        match bytes {
            None => into.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                into.extend(i32::try_from(bytes.len()).map_err(|_| too_large())?.to_be_bytes());
                into.extend(bytes);
            }
        }
    }
    Ok(())
}

/// What the rows of a table come to, in whatever order they are read. It finds accidents, not forgeries: those are the tree's to find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rows: u64,
    digests: [u8; 32],
}

impl Tally {
    pub(super) fn add(&mut self, row: &[Value]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        encode(row, &mut bytes)?;
        for (sum, byte) in self.digests.iter_mut().zip(Digest::of(&bytes).0) {
            *sum ^= byte;
        }
        self.rows += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_written_as_copy_reads_it() {
        let mut bytes = Vec::new();
        encode(&[Value::Int(Some(1)), Value::Text(Some("あ".to_owned())), Value::Blob(None)], &mut bytes).unwrap();
        assert_eq!(bytes, [0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0xe3, 0x81, 0x82, 255, 255, 255, 255]);
    }

    #[test]
    fn a_tally_sees_every_change_and_no_order() {
        let rows = [vec![Value::Int(Some(1)), Value::Blob(None)], vec![Value::Int(Some(2)), Value::Blob(Some(Vec::new()))]];
        let tally = |rows: &[&Row]| {
            let mut tally = Tally::default();
            for row in rows {
                tally.add(row).unwrap();
            }
            tally
        };
        let whole = tally(&[&rows[0], &rows[1]]);
        assert_eq!(whole, tally(&[&rows[1], &rows[0]]));
        let changed = vec![Value::Int(Some(2)), Value::Blob(None)];
        for other in [tally(&[&rows[0]]), tally(&[&rows[0], &changed]), tally(&[&rows[0], &rows[0], &rows[1]])] {
            assert_ne!(whole, other);
        }
    }
}
