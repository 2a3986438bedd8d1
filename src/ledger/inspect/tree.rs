//! The stored tree, recomputed twice in one pass: from the bodies of the entries and from the stored leaf hashes. Where the two differ, the one that
//! leads to the root of the head tells which column was changed.

use super::{failed, problem};
use crate::{
    ledger::{
        LedgerError,
        verify::report::{Problem, Problems},
    },
    store::{HeadRow, Store, StoreError, TileColumns},
    text::audit::Finding,
    tlog::{Checkpoint, Frontier, Hash, Node, RightEdge, TILE_WIDTH, TileRow, decode_tile, perfect_root},
};

/// A tree that grows leaf by leaf.
struct Lane {
    edge: RightEdge,
    frontier: Frontier,
    /// Stored tiles that are not what this lane gives, and how many more there were.
    wrong: Vec<Problem>,
    further: u64,
    kept_root: Option<Hash>,
}

/// The stored tree.
pub(super) struct Tree<'a> {
    store: &'a dyn Store,
    kept: Option<u64>,
    bodies: Lane,
    leaves: Lane,
    /// Where body and leaf hash differ.
    differ: Vec<u64>,
    more_differ: u64,
    /// Neither body nor leaf hash is there: what follows cannot be placed.
    broken: bool,
}

impl<'a> Tree<'a> {
    /// The empty tree; `kept` is the size of an older checkpoint to compare with.
    pub(super) fn new(store: &'a dyn Store, kept: Option<u64>) -> Self {
        let lane = || Lane {
            edge: RightEdge::new(),
            frontier: Frontier::new(),
            wrong: Vec::new(),
            further: 0,
            kept_root: (kept == Some(0)).then(crate::tlog::empty_root),
        };
        Self { store, kept, bodies: lane(), leaves: lane(), differ: Vec::new(), more_differ: 0, broken: false }
    }

    /// The next leaf, as its body and as its stored hash tell it.
    pub(super) async fn push(
        &mut self,
        idx: u64,
        body: Option<Hash>,
        leaf: Option<Hash>,
        problems: &mut Problems,
    ) -> Result<(), LedgerError> {
        if self.broken {
            return Ok(());
        }
        let (Some(by_body), Some(by_leaf)) = (body.or(leaf), leaf.or(body)) else {
            self.broken = true;
            return Ok(());
        };
        if by_body != by_leaf {
            if self.differ.len() < MOST {
                self.differ.push(idx);
            } else {
                self.more_differ += 1;
            }
        }
        for (lane, hash) in [(&mut self.bodies, by_body), (&mut self.leaves, by_leaf)] {
            let full = lane.edge.push(hash).map_err(|_| BROKEN)?;
            lane.frontier.push(hash).map_err(|_| BROKEN)?;
            if self.kept == Some(lane.frontier.size()) {
                lane.kept_root = Some(lane.frontier.root());
            }
            for tile in full {
                let TileRow::Hashes(level) = tile.id.row() else { continue };
                let found = match self.store.tile_row(level, tile.id.index()).await {
                    Ok(row) => compare(level, tile.id.index(), row, &tile.hashes),
                    Err(StoreError::Corrupt(column)) => {
                        problems.add(problem(Finding::RowUnreadable, first_leaf(level, tile.id.index(), 0), column));
                        continue;
                    }
                    Err(error) => return Err(failed(&error)),
                };
                for wrong in found {
                    if lane.wrong.len() < MOST {
                        lane.wrong.push(wrong);
                    } else {
                        lane.further += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// The root so far, as the bodies tell it.
    pub(super) fn root(&self) -> Option<Hash> {
        (!self.broken).then(|| self.bodies.frontier.root())
    }

    /// Whether the entries so far have this root, as their bodies or their stored hashes tell it. Where rows are missing, nobody can say that they have not.
    pub(super) fn had(&self, root: [u8; 32]) -> bool {
        self.broken || [&self.bodies, &self.leaves].iter().any(|lane| lane.frontier.root().0 == root)
    }

    /// Compares root and frontier of the head and the kept checkpoint, and says which rows are wrong.
    pub(super) async fn finish(self, head: &HeadRow, kept: Option<&Checkpoint>, problems: &mut Problems) -> Result<(), LedgerError> {
        self.strays(head.size, problems).await?;
        let right = |lane: &Lane| lane.frontier.root() == Hash(head.root);
        let (by_bodies, by_leaves) = (right(&self.bodies), right(&self.leaves));
        let column = if by_leaves && !by_bodies { "ledger_entry.body" } else { "ledger_leaf.leaf_hash" };
        for idx in &self.differ {
            problems.add(problem(Finding::ColumnDiffers, Some(*idx), column));
        }
        problems.more(self.more_differ);
        let lane = if by_leaves && !by_bodies { self.leaves } else { self.bodies };
        problems.more(lane.further);
        for wrong in lane.wrong {
            problems.add(wrong);
        }
        if self.broken {
            // The first row that is missing was named.
            return Ok(());
        }
        compare_head(head, &lane.frontier, problems);
        if let Some(kept) = kept
            && lane.kept_root != Some(kept.root())
        {
            problems.whole(Finding::HistoryForked);
        }
        Ok(())
    }

    /// Tiles that belong to no tree of this size. More may have become full since.
    async fn strays(&self, size: u64, problems: &mut Problems) -> Result<(), LedgerError> {
        let mut stray = |level: Option<u8>, found: Result<Option<i64>, StoreError>| {
            match found {
                Ok(None) => {}
                Ok(Some(n)) => {
                    let index = level.and_then(|level| first_leaf(level, u64::try_from(n).ok()?, 0));
                    problems.add(problem(Finding::RowBeyond, index, "ledger_tile"));
                }
                Err(StoreError::Corrupt(column)) => problems.file(Finding::RowUnreadable, column),
                Err(error) => return Err(failed(&error)),
            }
            Ok(())
        };
        stray(None, self.store.tile_level_beyond(LEVELS).await)?;
        for level in 0..LEVELS {
            let mut count = tiles(level, size);
            let mut found = self.store.tile_beyond(level, count).await;
            if matches!(found, Ok(Some(_))) {
                let now = self.store.head().await.map_err(|error| failed(&error))?.size;
                count = tiles(level, now.max(size));
                found = self.store.tile_beyond(level, count).await;
            }
            stray(Some(level), found)?;
        }
        Ok(())
    }
}

/// What of a stored tile is not what it should be.
fn compare(level: u8, n: u64, row: Option<TileColumns>, hashes: &[Hash]) -> Vec<Problem> {
    let at = |finding, place, column| problem(finding, first_leaf(level, n, place), column);
    let Some(TileColumns { root, hashes: stored }) = row else { return vec![at(Finding::RowMissing, 0, "ledger_tile")] };
    let mut wrong = Vec::new();
    if perfect_root(hashes).map_or(true, |own| own.0.as_slice() != root) {
        wrong.push(at(Finding::ColumnDiffers, 0, "ledger_tile.root"));
    }
    match decode_tile(&stored, TILE_WIDTH) {
        Ok(stored) => {
            if let Some(place) = stored.iter().zip(hashes).position(|(stored, own)| stored != own) {
                wrong.push(at(Finding::ColumnDiffers, u64::try_from(place).unwrap_or_default(), "ledger_tile.hashes"));
            }
        }
        Err(_) => wrong.push(at(Finding::ColumnDiffers, 0, "ledger_tile.hashes")),
    }
    wrong
}

/// Root and frontier: the one that does not fit is named. Where they fit each other and not the entries, so is where the difference begins.
fn compare_head(head: &HeadRow, own: &Frontier, problems: &mut Problems) {
    let root = Hash(head.root) == own.root();
    let frontier = head.frontier == own.to_bytes();
    if root && frontier {
        return;
    }
    let stored = Frontier::from_parts(head.size, &head.frontier).ok();
    if !root && !frontier && stored.as_ref().is_some_and(|stored| stored.root() == Hash(head.root)) {
        let differs = |node: &Node| stored.as_ref().and_then(|stored| stored.node(*node)) != own.node(*node);
        let first = Frontier::nodes(head.size).find(differs).and_then(|node| node.index.checked_shl(u32::from(node.level)));
        problems.add(Problem { finding: Finding::RootMismatch, index: first, path: Some("ledger_head.root".to_owned()) });
        return;
    }
    if !root {
        problems.file(Finding::ColumnDiffers, "ledger_head.root");
    }
    if !frontier {
        problems.file(Finding::ColumnDiffers, "ledger_head.frontier");
    }
}

/// The first entry below a hash of a tile.
fn first_leaf(level: u8, n: u64, place: u64) -> Option<u64> {
    let hash = n.checked_mul(u64::from(TILE_WIDTH))?.checked_add(place)?;
    hash.checked_mul(1_u64.checked_shl(TILE_HEIGHT * u32::from(level))?)
}

/// Full tiles of a level.
fn tiles(level: u8, size: u64) -> u64 {
    size.checked_shr(TILE_HEIGHT * (u32::from(level) + 1)).unwrap_or(0)
}

/// Differences that are named one by one.
const MOST: usize = 100;
const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();
/// 256^8 leaves are all there can be.
const LEVELS: u8 = 8;
const BROKEN: LedgerError = LedgerError::Broken("the tree is full");
