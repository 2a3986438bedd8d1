//! Columns to values. A column that does not parse is named, its content never.

use uuid::Uuid;

use super::{DataKeyId, OnceRow, Sealed, StoreError, Tag};
use crate::domain::{
    digest::Digest,
    ids::{CaseId, CaseKey, Jti},
    time::Timestamp,
};

/// A closed code, party id or other value with a text form.
pub(super) fn parse<T: std::str::FromStr>(column: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn hash(column: &'static str, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn digest(column: &'static str, bytes: &[u8]) -> Result<Digest, StoreError> {
    hash(column, bytes).map(Digest)
}

pub(super) fn tag(column: &'static str, bytes: &[u8]) -> Result<Tag, StoreError> {
    bytes.try_into().map(Tag).map_err(|_| StoreError::Corrupt(column))
}

fn uuid(column: &'static str, bytes: &[u8]) -> Result<Uuid, StoreError> {
    Uuid::from_slice(bytes).map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn jti(column: &'static str, bytes: &[u8]) -> Result<Jti, StoreError> {
    uuid(column, bytes).map(Jti::from_uuid)
}

pub(super) fn case_key(column: &'static str, bytes: &[u8]) -> Result<CaseKey, StoreError> {
    uuid(column, bytes).map(CaseKey::from_uuid)
}

pub(super) fn case_id(column: &'static str, bytes: &[u8]) -> Result<CaseId, StoreError> {
    uuid(column, bytes).map(CaseId::from_uuid)
}

pub(super) fn data_key_id(column: &'static str, bytes: &[u8]) -> Result<DataKeyId, StoreError> {
    uuid(column, bytes).map(DataKeyId)
}

pub(super) fn sealed(column: &'static str, key: &[u8], bytes: Vec<u8>) -> Result<Sealed, StoreError> {
    Ok(Sealed { key: data_key_id(column, key)?, bytes })
}

pub(super) fn once((digest_, idx, result): (Vec<u8>, Option<i64>, Vec<u8>)) -> Result<OnceRow, StoreError> {
    let idx = idx.map(|idx| count("used_once.idx", idx)).transpose()?;
    Ok(OnceRow { digest: digest("used_once.digest", &digest_)?, idx, result })
}

pub(super) fn count(column: &'static str, value: i64) -> Result<u64, StoreError> {
    value.try_into().map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn version(column: &'static str, value: i64) -> Result<u32, StoreError> {
    value.try_into().map_err(|_| StoreError::Corrupt(column))
}

pub(super) const fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A count as the database counts. What is larger than it can hold stands behind everything it holds.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The position after which reading starts; before the first for none.
pub(super) fn after(position: Option<u64>) -> i64 {
    position.map_or(-1, integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_parse_names_its_column() {
        assert!(matches!(digest("c.d", &[0; 31]), Err(StoreError::Corrupt("c.d"))));
        assert!(matches!(jti("c.j", &[0; 15]), Err(StoreError::Corrupt("c.j"))));
        assert!(matches!(count("c.n", -1), Err(StoreError::Corrupt("c.n"))));
        assert!(matches!(version("c.v", 1 << 40), Err(StoreError::Corrupt("c.v"))));
        assert!(matches!(parse::<Digest>("c.t", "x"), Err(StoreError::Corrupt("c.t"))));
    }

    #[test]
    fn a_position_beyond_the_database_is_behind_everything() {
        assert_eq!(after(None), -1);
        assert_eq!(after(Some(u64::MAX)), i64::MAX);
    }
}
