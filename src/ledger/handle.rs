//! How the rest of the house reaches the ledger: append, hold the lock for one decision, read checkpoints and proofs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Answer, Draft, LedgerError, Standing,
    batch::Prepared,
    heads::Heads,
    sequencer::{Grant, Order, Waiting},
    tree::{self, Stored},
};
use crate::{
    domain::{digest::Digest, time::Timestamp},
    store::{HeadRow, LedgerRead, LedgerRow},
    tlog::{Hash, RightEdge, VerifierKey},
};

/// The newest signed head this process knows.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) note: Arc<str>,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) rights_epoch: u64,
    pub(super) policy: Digest,
    /// The unfinished tiles of its tree, where this process has them.
    pub(super) edge: Option<RightEdge>,
}

impl Published {
    fn stored<'a>(&'a self, reads: &'a dyn LedgerRead) -> Stored<'a> {
        Stored { reads, edge: self.edge.as_ref() }
    }
}

/// Reaches the sequencer. Cheap to clone.
#[derive(Clone)]
pub struct SequencerHandle {
    pub(super) queue: mpsc::Sender<Order>,
    pub(super) published: watch::Receiver<Arc<Published>>,
    pub(super) failing: Arc<AtomicBool>,
    pub(super) standing: Standing,
    pub(super) reads: Arc<dyn LedgerRead>,
    pub(super) heads: Arc<Heads>,
}

impl std::fmt::Debug for SequencerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SequencerHandle").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// The head of the stored ledger, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The signed note.
    pub note: Arc<str>,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

/// A stored entry with its proof in the tree of a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The entry and its sealed opening.
    pub row: LedgerRow,
    /// Inclusion proof, RFC 6962 order.
    pub proof: Vec<[u8; 32]>,
    /// The signed checkpoint that covers it.
    pub checkpoint: Arc<str>,
}

impl SequencerHandle {
    /// Appends a draft and waits until it is durable, answered or handed back.
    pub async fn append(&self, draft: Draft) -> Result<Answer, LedgerError> {
        let draft = Prepared::new(draft)?;
        let (reply, answer) = oneshot::channel();
        self.queue.send(Order::Append(Box::new(Waiting { draft, reply }))).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Waits for the head lock, to decide under it: for a draft that was handed back twice. Nobody else appends until the turn is used, dropped or
    /// two seconds old, so the caller reads, decides and appends at once.
    pub async fn exclusive(&self) -> Result<Turn, LedgerError> {
        let (reply, granted) = oneshot::channel();
        self.queue.send(Order::Turn(reply)).await.map_err(|_| LedgerError::Closed)?;
        Ok(Turn(granted.await.map_err(|_| LedgerError::Closed)??))
    }

    /// The newest signed checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<str> {
        Arc::clone(&self.published.borrow().note)
    }

    /// How the ledger stands beside what others hold of it.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The key that opens the checkpoints.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        self.heads.verifier()
    }

    /// The head as it is stored now, whichever process appended last, signed.
    pub async fn head(&self) -> Result<SignedHead, LedgerError> {
        self.refresh().await?;
        let newest = Arc::clone(&self.published.borrow());
        Ok(SignedHead { note: Arc::clone(&newest.note), size: newest.size, root: newest.root })
    }

    /// The root of the stored tree when it had `size` entries.
    pub async fn root_at(&self, size: u64) -> Result<Hash, LedgerError> {
        tree::root(&*self.reads, size).await
    }

    /// When an entry was made; none: it is not stored.
    pub async fn time_of(&self, idx: u64) -> Result<Option<Timestamp>, LedgerError> {
        let Some(row) = self.reads.entry(idx).await.map_err(|error| tree::unavailable(&error))? else { return Ok(None) };
        let entry: super::Entry = serde_json::from_slice(&row.body).map_err(|_| LedgerError::Broken("an entry"))?;
        Ok(Some(entry.time))
    }

    /// Size of the tree of the newest checkpoint.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.published.borrow().size
    }

    /// Whether the ledger has at least this many entries. Another process may have appended them, so the store is asked before it is denied.
    pub async fn reaches(&self, size: u64) -> Result<bool, LedgerError> {
        Ok(size <= self.size() || size <= self.refresh().await?)
    }

    /// Looks for what other processes appended and shows it, which takes the lock and a commit where there is any; gives the size of the ledger.
    pub async fn refresh(&self) -> Result<u64, LedgerError> {
        let size = self.stored_head().await?.size;
        if size > self.size() {
            let (reply, shown) = oneshot::channel();
            self.queue.send(Order::Show(size, reply)).await.map_err(|_| LedgerError::Closed)?;
            shown.await.map_err(|_| LedgerError::Closed)??;
        }
        Ok(size)
    }

    /// The rights epoch after the last batch that this process has seen. Read it before the rights that a decision rests on.
    #[must_use]
    pub fn rights_epoch(&self) -> u64 {
        self.published.borrow().rights_epoch
    }

    /// Digest of the policy set in force.
    #[must_use]
    pub fn policy(&self) -> Digest {
        self.published.borrow().policy
    }

    /// Waits until the ledger is larger than `size`; gives its size.
    pub async fn grown(&self, size: u64) -> Result<u64, LedgerError> {
        let mut published = self.published.clone();
        let grown = published.wait_for(|published| published.size > size).await.map_err(|_| LedgerError::Closed)?;
        Ok(grown.size)
    }

    /// The head as it is stored now, if it goes on from what this process showed.
    pub async fn stored_head(&self) -> Result<HeadRow, LedgerError> {
        // In dispute nothing is shown, open data neither: whoever asks must come to know that something is wrong.
        self.standing().undisputed()?;
        let before = self.heads.shown();
        let head = self.reads.head().await.map_err(|error| tree::unavailable(&error))?;
        if let Err(error) = Heads::glance(before, &head) {
            // Readiness looks under the lock, which tells whether entries were lost.
            self.failing.store(true, Ordering::Relaxed);
            return Err(error);
        }
        Ok(head)
    }

    /// An entry with its proof in the newest tree.
    pub async fn prove(&self, idx: u64) -> Result<Proven, LedgerError> {
        let published = self.covering(idx).await?;
        let row = self.reads.entry(idx).await.map_err(|error| tree::unavailable(&error))?.ok_or(LedgerError::NotInLedger)?;
        let proof = bytes(tree::inclusion(published.stored(&*self.reads), idx, published.size).await?);
        Ok(Proven { row, proof, checkpoint: Arc::clone(&published.note) })
    }

    /// The consistency proof of two sizes, with the newest checkpoint, whose tree is at least as large as both.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<(Vec<[u8; 32]>, Arc<str>), LedgerError> {
        let last = to.checked_sub(1).ok_or(LedgerError::NotInLedger)?;
        let published = self.covering(last).await?;
        Ok((bytes(tree::consistency(published.stored(&*self.reads), from, to).await?), Arc::clone(&published.note)))
    }

    /// Whether entries can be made: when the last batch failed, something is written to see whether that has passed.
    pub async fn writable(&self) -> Result<(), LedgerError> {
        if self.queue.is_closed() {
            return Err(LedgerError::Closed);
        }
        self.standing.check()?;
        if !self.failing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (reply, tried) = oneshot::channel();
        self.queue.send(Order::Probe(reply)).await.map_err(|_| LedgerError::Closed)?;
        tried.await.map_err(|_| LedgerError::Closed)?
    }

    /// Tells the sequencer to take nothing more. Its task ends when the queue is empty.
    pub async fn close(&self) {
        if self.queue.send(Order::Close).await.is_err() {
            tracing::debug!("the sequencer has ended already");
        }
    }

    /// A signed head that covers an entry. Another process may have appended it, so the store is asked before it is denied.
    async fn covering(&self, idx: u64) -> Result<Arc<Published>, LedgerError> {
        let newest = Arc::clone(&self.published.borrow());
        if idx < newest.size {
            return Ok(newest);
        }
        if idx >= self.refresh().await? {
            return Err(LedgerError::NotInLedger);
        }
        Ok(Arc::clone(&self.published.borrow()))
    }
}

/// The head lock, held for one caller. Dropped, it is released.
#[must_use]
pub struct Turn(Grant);

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("rights_epoch", &self.0.rights_epoch).finish_non_exhaustive()
    }
}

impl Turn {
    /// The rights epoch under the lock: it cannot advance before the draft is appended.
    #[must_use]
    pub const fn rights_epoch(&self) -> u64 {
        self.0.rights_epoch
    }

    /// Entries under the lock.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.0.size
    }

    /// Appends the draft that was decided under the lock. `Stale` here means that the decision itself is wrong: deciding again would not help.
    pub async fn append(self, draft: Draft) -> Result<Answer, LedgerError> {
        let draft = Prepared::new(draft)?;
        let (reply, answer) = oneshot::channel();
        self.0.draft.send(Box::new(Waiting { draft, reply })).map_err(|_| LedgerError::TurnOver)?;
        // The deadline can pass between sending and receiving: then the draft was never looked at.
        answer.await.map_err(|_| LedgerError::TurnOver)?
    }
}

fn bytes(hashes: Vec<Hash>) -> Vec<[u8; 32]> {
    hashes.into_iter().map(|hash| hash.0).collect()
}
