//! Reading, one file per noun.

mod agreements;
mod cases;
mod checkpoints;
mod consents;
pub(super) mod directory;
mod ledger;
mod passages;

use super::{HeadRow, StoreError, decode};

pub(super) type HeadColumns = (String, i64, Vec<u8>, Vec<u8>, i64, i64, Vec<u8>);

pub(super) fn head(row: Option<HeadColumns>) -> Result<HeadRow, StoreError> {
    let (origin, size, root, frontier, last_time, rights_epoch, policy) = row.ok_or(StoreError::Corrupt("ledger_head"))?;
    Ok(HeadRow {
        origin,
        size: decode::count("ledger_head.size", size)?,
        root: decode::hash("ledger_head.root", &root)?,
        frontier,
        last_time: decode::time(last_time),
        rights_epoch: decode::count("ledger_head.rights_epoch", rights_epoch)?,
        policy: decode::digest("ledger_head.policy", &policy)?,
    })
}
