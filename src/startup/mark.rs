//! The gateway's high-water mark on the way up: made with the first entry, missed loudly, adopted only when an operator says so (`ledger.md` section 5).

use std::path::Path;

use super::StartupError;
use crate::{
    ledger::{HighWater, HighWaterError},
    store::HeadRow,
    tlog::{Checkpoint, Hash, NoteSigner},
};

/// Takes hold of the mark at `path`. An empty ledger has shown nothing, so its mark is made; with entries in the ledger a missing mark is an error:
/// nobody could tell whether the database went back.
pub(super) fn hold(path: &Path, signer: &NoteSigner, head: &HeadRow) -> Result<HighWater, StartupError> {
    let mark = match HighWater::open(path, signer.verifier()) {
        Err(HighWaterError::Missing(_)) if head.size == 0 => return make(path, signer, head),
        opened => opened?,
    };
    let shown = mark.head().size();
    if shown > head.size {
        return Err(StartupError::Behind { shown, stored: head.size });
    }
    Ok(mark)
}

/// Makes the mark with the head that is stored.
pub(super) fn make(path: &Path, signer: &NoteSigner, head: &HeadRow) -> Result<HighWater, StartupError> {
    let note = Checkpoint::new(&head.origin, head.size, Hash(head.root))?.sign(signer)?;
    Ok(HighWater::create(path, &note, signer.verifier())?)
}
