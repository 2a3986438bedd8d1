//! Openings and search tags of erased entries: all of a draft's in one statement each. A case may have ten thousands of them, and the head lock is held
//! meanwhile.
//!
//! Promises: exactly the rows that are named go, or it says that they do not fit; undoing what was done by then is for the caller.

use sqlx::{Arguments as _, postgres::PgArguments};

use super::connections::Lease;
use crate::store::{Write, decode::integer};

/// What goes.
#[derive(Debug, Default)]
pub(super) struct Gone {
    openings: Vec<i64>,
    tags: Vec<Vec<u8>>,
    /// Of the tags, in their order.
    indexes: Vec<i64>,
}

impl Gone {
    /// Takes these writes out of a draft's; gives the others.
    pub(super) fn take(rows: &[Write]) -> (Self, Vec<&Write>) {
        let (mut gone, mut others) = (Self::default(), Vec::new());
        for row in rows {
            match row {
                Write::EraseOpening(idx) => gone.openings.push(integer(*idx)),
                Write::EraseTag(tag, idx) => {
                    gone.tags.push(tag.0.to_vec());
                    gone.indexes.push(integer(*idx));
                }
                other => others.push(other),
            }
        }
        (gone, others)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.openings.is_empty() && self.tags.is_empty()
    }

    /// Deletes them. Says whether each of them was there, once.
    pub(super) async fn delete(self, lease: &mut Lease) -> Result<bool, sqlx::Error> {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let (openings, tags) = (count(self.openings.len()), count(self.tags.len()));
        let mut arguments = PgArguments::default();
        arguments.add(self.openings).map_err(sqlx::Error::Encode)?;
        if lease.execute(OPENINGS, arguments).await? != openings {
            return Ok(false);
        }
        let mut arguments = PgArguments::default();
        arguments.add(self.tags).map_err(sqlx::Error::Encode)?;
        arguments.add(self.indexes).map_err(sqlx::Error::Encode)?;
        Ok(lease.execute(TAGS, arguments).await? == tags)
    }
}

/// Before the first of a draft's rows.
pub(super) const SAVEPOINT: &str = "SAVEPOINT tsunagi_erase";
/// Undoes the draft's rows alone.
pub(super) const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT tsunagi_erase";
const OPENINGS: &str = "DELETE FROM ledger_opening WHERE idx = ANY($1::bigint[])";
const TAGS: &str =
    "DELETE FROM ledger_index i USING UNNEST($1::bytea[], $2::bigint[]) AS gone (tag, idx) WHERE i.tag = gone.tag AND i.idx = gone.idx";
