//! The way on after entries were lost for good: the same tree under another name, from one entry that records the break (`ledger.md` section 5).
//!
//! Promises: what survived stays where it is, so old proofs hold; the name changes in the same transaction as the entry that says what broke, or not at
//! all; nothing is signed under the old name any more. Receipts and heads under the old name stay what they are: they verify with the old key name.
//! Not here: deciding that the entries are lost, and telling everybody who pins the ledger's key.

use std::sync::Arc;

use super::{
    Draft, Entry, LedgerError, Node, Reopening, TreeHead,
    batch::{Batch, Done, Prepared, Verdict},
    open, tree,
};
use crate::{
    clock::{Clock, Ids},
    domain::{digest::Digest, entry::EntryType},
    store::{Appender, LedgerRead},
    tlog::{Checkpoint, Hash, NoteSigner},
};

/// What a ledger is opened again with.
pub struct Reopen<'a> {
    /// Opens the append.
    pub appender: &'a dyn Appender,
    /// Reads.
    pub reads: &'a dyn LedgerRead,
    /// Signs under the new name.
    pub signer: &'a NoteSigner,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// This gateway.
    pub node: Node,
    /// The newest head under the old name that anybody brought.
    pub known: Option<&'a Checkpoint>,
}

/// A ledger that was opened again.
#[derive(Debug)]
pub struct Reopened {
    /// Index of the entry that records it.
    pub index: u64,
    /// What it says.
    pub reopening: Reopening,
    /// The first head under the new name, signed.
    pub note: String,
}

/// Appends the record of the break and renames the ledger, in one transaction.
///
/// # Errors
/// When what is stored does not fit together or has this name already; when the store fails.
pub async fn reopen(parts: Reopen<'_>) -> Result<Reopened, LedgerError> {
    let Reopen { appender, reads, signer, clock, node, known } = parts;
    let stored = reads.head().await.map_err(|error| tree::unavailable(&error))?;
    open::check(reads, &stored).await?;
    let mut batch = Batch::new(appender.begin().await.map_err(|error| tree::unavailable(&error))?)?;
    let edge = tree::edge(reads, batch.frontier()).await?;
    let origin = signer.verifier().name().to_string();
    let head = batch.head().clone();
    if head.origin == origin {
        return Err(LedgerError::Signer);
    }
    let reopening = Reopening {
        from: head.origin,
        origin: origin.clone(),
        known: known.map(|known| TreeHead { size: known.size(), root: Digest(known.root().0) }),
        survived: TreeHead { size: head.size, root: Digest(head.root) },
    };
    let id = Ids::new(Arc::clone(&clock)).v7().map_err(|_| LedgerError::NoEntropy)?;
    let mut entry = Entry::of_gateway(id, node, EntryType::LedgerOpened);
    entry.reopens = Some(Box::new(reopening.clone()));
    batch.set_now(clock.now());
    // Rights may have come back with the lost entries: everybody decides again.
    match batch.take(vec![Prepared::new(Draft { narrows: true, ..Draft::of_gateway(entry) })?]).await?.pop() {
        Some(Verdict::Entry(_)) => {}
        Some(Verdict::Answered(_)) | None => return Err(LedgerError::Broken("the first entry")),
    }
    batch.rename(origin);
    let Done { head, .. } = batch.commit(edge).await?;
    let checkpoint = Checkpoint::new(&head.origin, head.size, Hash(head.root)).map_err(|_| LedgerError::Broken("root and size"))?;
    let note = checkpoint.sign(signer).map_err(|_| LedgerError::Signer)?;
    Ok(Reopened { index: reopening.survived.size, reopening, note })
}
