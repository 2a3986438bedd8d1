//! Opening the ledger: what is stored is checked before anything is written behind it.

use std::sync::{Arc, atomic::AtomicBool};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    Answer, Draft, Entry, HighWater, LedgerError, Node, batch::Batch, handle::SequencerHandle, heads::Heads, sequencer::Sequencer, tree,
    watcher,
};
use crate::{
    clock::{Clock, ClockWatch, Ids},
    domain::{entry::EntryType, time::Timestamp},
    store::{Appender, HeadRow, LedgerRead},
    tlog::{Frontier, Hash, NoteSigner, RightEdge, leaf_hash, perfect_root},
};

/// What the ledger works with.
pub struct Parts {
    /// Opens appends.
    pub appender: Arc<dyn Appender>,
    /// Reads.
    pub reads: Arc<dyn LedgerRead>,
    /// Signs checkpoints; its name is the ledger's origin.
    pub signer: Arc<NoteSigner>,
    /// Tells the time of entries.
    pub clock: Arc<dyn Clock>,
    /// This gateway, as it stands in the entries it writes by itself.
    pub node: Node,
    /// Remembers outside the database what was shown. Without it a database that went back while the process was down is not noticed.
    pub mark: Option<HighWater>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("signer", &self.signer).field("node", &self.node).finish_non_exhaustive()
    }
}

/// Checks what is stored, starts the sequencer, and writes the `ledger_opened` entry of an empty ledger. Refuses a ledger whose parts do not fit or
/// that belongs to another signer. Must be called inside a tokio runtime. The task ends after [`SequencerHandle::close`].
pub async fn open_ledger(parts: Parts) -> Result<(SequencerHandle, JoinHandle<()>), LedgerError> {
    let head = parts.reads.head().await.map_err(|error| tree::unavailable(&error))?;
    let edge = check(&*parts.reads, &head).await?;
    let Parts { appender, reads, signer, clock, node, mark } = parts;
    let heads = Arc::new(Heads::open(signer, mark.map(Arc::new), &*reads, &head).await?);
    if head.size > 0 {
        // Who wrote the last entries may have ended without hearing of it.
        let shown = heads.shown();
        let batch = Batch::new(appender.begin().await.map_err(|error| tree::unavailable(&error))?)?;
        heads.compare(shown, batch.head())?;
        batch.confirm().await?;
    }
    heads.start_flushing();
    let (published, newest) = watch::channel(Arc::new(heads.sign(&head, Some(&edge))?));
    let (queue, orders) = mpsc::channel(QUEUE);
    let failing = Arc::new(AtomicBool::new(false));
    let standing = heads.standing().clone();
    let handle = SequencerHandle {
        queue,
        published: newest,
        failing: Arc::clone(&failing),
        standing: standing.clone(),
        reads: Arc::clone(&reads),
        heads: Arc::clone(&heads),
    };
    let first =
        Entry::of_gateway(Ids::new(Arc::clone(&clock)).v7().map_err(|_| LedgerError::NoEntropy)?, node.clone(), EntryType::LedgerOpened);
    let sequencer = Sequencer {
        appender,
        reads,
        heads,
        watch: ClockWatch::start(Arc::clone(&clock)),
        clock,
        node,
        published,
        edge: Some(edge),
        frontier: None,
        failing,
        standing,
        skewed: false,
        forget_at: Timestamp::default(),
    };
    let task = tokio::spawn(sequencer.run(orders));
    tokio::spawn(watcher::watch(
        handle.queue.downgrade(),
        Arc::clone(&handle.reads),
        handle.published.clone(),
        Arc::downgrade(&handle.heads),
    ));
    if head.size == 0 {
        // Of several processes that open an empty ledger one writes the first entry.
        let turn = handle.exclusive().await?;
        if turn.size() == 0 {
            match turn.append(Draft::of_gateway(first)).await? {
                Answer::Committed(_) => {}
                _ => return Err(LedgerError::Broken("the first entry")),
            }
        } else {
            drop(turn);
            handle.refresh().await?;
        }
    }
    Ok((handle, task))
}

/// Frontier, root, right edge, last tile, last leaf and last entry fit each other.
pub(super) async fn check(reads: &dyn LedgerRead, head: &HeadRow) -> Result<RightEdge, LedgerError> {
    let store = |error| tree::unavailable(&error);
    let frontier = Frontier::from_parts(head.size, &head.frontier).map_err(|_| LedgerError::Broken("frontier and size"))?;
    if frontier.root() != Hash(head.root) {
        return Err(LedgerError::Broken("frontier and root"));
    }
    let edge = tree::edge(reads, &frontier).await?;
    let beyond = head.size.saturating_add(1);
    let leaf_behind = !reads.leaf_hashes(head.size, beyond).await.map_err(store)?.is_empty();
    // Another process may have appended since the head was read. A leaf comes with the head that counts it.
    if leaf_behind && reads.head().await.map_err(store)?.size == head.size {
        return Err(LedgerError::Broken("a leaf behind the head"));
    }
    if let Some(n) = (head.size / TILE).checked_sub(1) {
        let hashes: Vec<Hash> = reads.tile(0, n).await.map_err(store)?.unwrap_or_default().into_iter().map(Hash).collect();
        let stored: Vec<Hash> = reads.leaf_hashes(n * TILE, (n + 1) * TILE).await.map_err(store)?.into_iter().map(Hash).collect();
        let root = reads.tile_roots(0, n, n + 1).await.map_err(store)?;
        if hashes != stored || perfect_root(&hashes).ok().map(|hash| hash.0) != root.first().copied() {
            return Err(LedgerError::Broken("the last full tile"));
        }
    }
    if let Some(last) = head.size.checked_sub(1) {
        let leaf = reads.leaf_hashes(last, head.size).await.map_err(store)?;
        let row = reads.entry(last).await.map_err(store)?.ok_or(LedgerError::Broken("the last entry"))?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| LedgerError::Broken("the last entry"))?;
        if leaf != [leaf_hash(&row.body).0] || entry.time != head.last_time {
            return Err(LedgerError::Broken("the last entry"));
        }
    }
    Ok(edge)
}

/// Requests that may wait; the next ones wait before the queue.
const QUEUE: usize = 4096;
const TILE: u64 = crate::tlog::TILE_WIDTH as u64;
