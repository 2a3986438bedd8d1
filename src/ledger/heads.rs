//! The heads this process shows: each is signed here, after it was remembered outside the database, and only if it goes on from the one before.
//!
//! Promises: nobody is shown a head that the high-water mark does not hold, or behind which this process committed nothing of its own; a database that went back behind a shown head, or went on another way, is
//! found out when its head is next read under the lock, and from then on nothing is served until the process is started again (`ledger.md` section 5).

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Dispute, HighWater, LedgerError, Standing,
    handle::Published,
    high_water,
    tree::{self, Stored},
};
use crate::{
    store::{HeadRow, LedgerRead},
    tlog::{Checkpoint, Hash, NoteSigner, RightEdge, VerifierKey, verify_consistency},
};

/// Signs heads and remembers them.
pub(super) struct Heads {
    signer: Arc<NoteSigner>,
    mark: Option<Arc<HighWater>>,
    shown: Mutex<Shown>,
    standing: Standing,
}

/// Size and root of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    size: u64,
    root: Hash,
}

impl Shown {
    /// Whether it is this tree.
    pub(super) fn is(&self, size: u64, root: Hash) -> bool {
        self.size == size && self.root == root
    }
}

impl Heads {
    /// Checks the stored head against the mark. `None` remembers nothing outside the database.
    pub(super) async fn open(
        signer: Arc<NoteSigner>,
        mark: Option<Arc<HighWater>>,
        reads: &dyn LedgerRead,
        head: &HeadRow,
    ) -> Result<Self, LedgerError> {
        let shown = Shown { size: head.size, root: Hash(head.root) };
        let heads = Self { signer, mark, shown: Mutex::new(shown), standing: Standing::new() };
        if let Some(mark) = &heads.mark {
            let marked = mark.head();
            let marked = Shown { size: marked.size(), root: marked.root() };
            heads.latch(goes_on(marked, reads, head).await)?;
        }
        Ok(heads)
    }

    /// The newest head that was signed. Take it before reading a head that is to be compared with it.
    pub(super) fn shown(&self) -> Shown {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that opens the heads.
    pub(super) fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// Where a dispute latches.
    pub(super) const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// A head that was read under the lock is no smaller than what was shown before it was read. If it is, that stays so. Whether a larger one goes on is
    /// for [`Self::follow`].
    pub(super) fn compare(&self, before: Shown, head: &HeadRow) -> Result<(), LedgerError> {
        if head.origin != self.signer.verifier().name().as_str() {
            return Err(LedgerError::Signer);
        }
        self.latch(no_smaller(before, head).map_err(Broke::Dispute))
    }

    /// A head that was read under the lock must go on from what was shown before it was read. If it does not, that stays so.
    pub(super) async fn follow(&self, before: Shown, reads: &dyn LedgerRead, head: &HeadRow) -> Result<(), LedgerError> {
        self.latch(goes_on(before, reads, head).await)
    }

    fn latch(&self, followed: Result<(), Broke>) -> Result<(), LedgerError> {
        followed.map_err(|broke| {
            if let Broke::Dispute(dispute) = broke {
                self.standing.dispute(dispute);
            }
            broke.error()
        })
    }

    /// A head that was read beside the lock. The reader may stand behind, so a smaller one is no proof; whether a larger one goes on is looked at
    /// under the lock, before it is signed.
    pub(super) fn glance(before: Shown, head: &HeadRow) -> Result<(), LedgerError> {
        no_smaller(before, head).map_err(|_| LedgerError::Unavailable)
    }

    /// Signs a head that goes on from what was shown and that a commit of this process confirmed, and remembers it.
    /// Its right edge goes with it, where it is at hand.
    pub(super) fn sign(&self, head: &HeadRow, edge: Option<&RightEdge>) -> Result<Published, LedgerError> {
        self.standing.undisputed()?;
        let checkpoint = Checkpoint::new(&head.origin, head.size, Hash(head.root)).map_err(|_| LedgerError::Broken("root and size"))?;
        let note = checkpoint.sign(&self.signer).map_err(|_| LedgerError::Signer)?;
        if let Some(mark) = &self.mark {
            mark.remember(&checkpoint, &note).map_err(|error| {
                tracing::error!(%error, "the newest head is not shown");
                LedgerError::Mark
            })?;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if head.size > shown.size {
            *shown = Shown { size: head.size, root: Hash(head.root) };
        }
        drop(shown);
        let edge = edge.filter(|edge| edge.size() == head.size).cloned();
        let (size, root) = (head.size, Hash(head.root));
        Ok(Published { note: note.into(), size, root, rights_epoch: head.rights_epoch, policy: head.policy, edge })
    }

    /// Flushes the mark, once a second as long as this lives, or now.
    pub(super) fn start_flushing(&self) {
        if let Some(mark) = &self.mark {
            tokio::spawn(HighWater::keep_flushed(Arc::downgrade(mark)));
        }
    }

    pub(super) async fn flush(&self) {
        if let Some(mark) = &self.mark {
            high_water::flush(Arc::clone(mark)).await;
        }
    }
}

/// Whether a stored head contains the tree of a signed one.
pub(super) async fn continues(held: &Checkpoint, reads: &dyn LedgerRead, head: &HeadRow) -> Result<(), LedgerError> {
    goes_on(Shown { size: held.size(), root: held.root() }, reads, head).await.map_err(Broke::error)
}

/// Why a head does not go on from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broke {
    Dispute(Dispute),
    /// It could not be found out.
    Read(LedgerError),
}

impl Broke {
    const fn error(self) -> LedgerError {
        match self {
            Self::Dispute(dispute) => dispute.error(),
            Self::Read(error) => error,
        }
    }
}

/// Whether a stored head can contain the tree of another, as far as sizes tell.
fn no_smaller(from: Shown, head: &HeadRow) -> Result<(), Dispute> {
    if head.size < from.size {
        return Err(Dispute::RolledBack { held: from.size, stored: head.size });
    }
    if head.size == from.size && Hash(head.root) != from.root {
        return Err(Dispute::Forked { held: from.size });
    }
    Ok(())
}

/// Whether a stored head contains the tree of another.
async fn goes_on(from: Shown, reads: &dyn LedgerRead, head: &HeadRow) -> Result<(), Broke> {
    no_smaller(from, head).map_err(Broke::Dispute)?;
    if from.size == 0 || from.size == head.size {
        return Ok(());
    }
    let proof = tree::consistency(Stored { reads, edge: None }, from.size, head.size).await.map_err(Broke::Read)?;
    verify_consistency(from.size, head.size, &from.root, &Hash(head.root), &proof)
        .map_err(|_| Broke::Dispute(Dispute::Forked { held: from.size }))
}
