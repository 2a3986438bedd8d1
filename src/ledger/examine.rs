//! A whole stored ledger, recomputed from its entries: what a backup and a restored copy must pass.
//!
//! Promises: every entry against its leaf hash, every full tile, the frontier and the root; reads in pieces, so memory does not grow with the ledger.
//! Not here: openings and business rows (`tsunagi audit verify` looks at openings, the database at its own pages).

use super::{LedgerError, Reopening, heads, open, tree};
use crate::{
    store::{HeadRow, LedgerRead},
    tlog::{Checkpoint, Frontier, Hash, RightEdge, TileRow, leaf_hash},
};

/// What was found to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The head.
    pub head: HeadRow,
    /// Full tiles.
    pub tiles: u64,
    /// Breaks that the ledger records, with the index of each entry.
    pub breaks: Vec<(u64, Reopening)>,
}

/// Recomputes everything up to the head as it is stored now.
///
/// # Errors
/// [`LedgerError::BrokenAt`] names the first entry that does not fit.
pub async fn examine(reads: &dyn LedgerRead) -> Result<Examined, LedgerError> {
    let store = |error| tree::unavailable(&error);
    let head = reads.head().await.map_err(store)?;
    let (mut edge, mut frontier) = (RightEdge::new(), Frontier::new());
    let (mut tiles, mut breaks) = (0, Vec::new());
    while frontier.size() < head.size {
        let from = frontier.size();
        let to = head.size.min(from.saturating_add(PIECE.into()));
        let rows = reads.entries(from, to, PIECE).await.map_err(store)?;
        let hashes = reads.leaf_hashes(from, to).await.map_err(store)?;
        let mut stored = rows.iter().zip(hashes);
        for idx in from..to {
            let broken = LedgerError::BrokenAt(idx);
            let (row, hash) = stored.next().ok_or(broken)?;
            if row.idx != idx || leaf_hash(&row.body).0 != hash {
                return Err(broken);
            }
            frontier.push(Hash(hash)).map_err(|_| broken)?;
            for tile in edge.push(Hash(hash)).map_err(|_| broken)? {
                let TileRow::Hashes(level) = tile.id.row() else { continue };
                let kept = reads.tile(level, tile.id.index()).await.map_err(store)?.ok_or(broken)?;
                if !kept.iter().eq(tile.hashes.iter().map(|hash| &hash.0)) {
                    return Err(broken);
                }
                tiles += 1;
            }
            if let Some(reopening) = recorded(&row.body) {
                breaks.push((idx, reopening));
            }
        }
    }
    if frontier.root() != Hash(head.root) || frontier.to_bytes() != head.frontier {
        return Err(LedgerError::Broken("entries and root"));
    }
    open::check(reads, &head).await?;
    Ok(Examined { head, tiles, breaks })
}

/// Whether the right edge of the stored ledger fits its head: quick, and what a gateway checks when it starts.
///
/// # Errors
/// Says what does not fit.
pub async fn fits(reads: &dyn LedgerRead) -> Result<(), LedgerError> {
    let head = reads.head().await.map_err(|error| tree::unavailable(&error))?;
    open::check(reads, &head).await.map(drop)
}

/// Whether the stored ledger contains the tree of a head that somebody holds. Its origin is not compared.
///
/// # Errors
/// [`LedgerError::RolledBack`], [`LedgerError::Forked`], or what kept it from being found out.
pub async fn goes_on_from(reads: &dyn LedgerRead, held: &Checkpoint) -> Result<(), LedgerError> {
    let head = reads.head().await.map_err(|error| tree::unavailable(&error))?;
    heads::continues(held, reads, &head).await
}

/// The break that a leaf records. Few leaves hold the word, so few are parsed.
fn recorded(leaf: &[u8]) -> Option<Reopening> {
    leaf.windows(MEMBER.len()).any(|window| window == MEMBER).then_some(())?;
    serde_json::from_slice::<super::Entry>(leaf).ok()?.reopens.map(|reopening| *reopening)
}

const MEMBER: &[u8] = br#""reopens":"#;
const PIECE: u32 = 1024;
