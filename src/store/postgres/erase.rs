//! Openings and search tags of erased entries: all of a draft's in one statement each.
//!
//! Promises: exactly the rows that are named go, or it says that they do not fit; undoing what was done by then is for the caller.

use sqlx::{Arguments as _, postgres::PgArguments};

use super::connections::Lease;
use crate::store::gone::Gone;

/// Deletes them. Says whether each of them was there, once.
pub(super) async fn delete(gone: Gone, lease: &mut Lease) -> Result<bool, sqlx::Error> {
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    let (openings, tags) = (count(gone.openings.len()), count(gone.tags.len()));
    let mut arguments = PgArguments::default();
    arguments.add(gone.openings).map_err(sqlx::Error::Encode)?;
    if lease.execute(OPENINGS, arguments).await? != openings {
        return Ok(false);
    }
    let mut arguments = PgArguments::default();
    arguments.add(gone.tags).map_err(sqlx::Error::Encode)?;
    arguments.add(gone.indexes).map_err(sqlx::Error::Encode)?;
    Ok(lease.execute(TAGS, arguments).await? == tags)
}

/// Before the first of a draft's rows.
pub(super) const SAVEPOINT: &str = "SAVEPOINT tsunagi_erase";
/// Undoes the draft's rows alone.
pub(super) const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT tsunagi_erase";
const OPENINGS: &str = "DELETE FROM ledger_opening WHERE idx = ANY($1::bigint[])";
const TAGS: &str =
    "DELETE FROM ledger_index i USING UNNEST($1::bytea[], $2::bigint[]) AS gone (tag, idx) WHERE i.tag = gone.tag AND i.idx = gone.idx";
