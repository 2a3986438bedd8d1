//! Hashes of the stored tree: leaf hashes and full tiles are what is kept, everything else is folded from them.
//!
//! Promises: a proof reads at most two rows or ranges of 256 hashes for each level of tiles, and of the newest tree nothing but full tiles, where this process made its last batch. Nothing read here is trusted: a proof from wrong hashes fails.

use std::collections::{BTreeSet, HashMap};

use super::LedgerError;
use crate::{
    store::{LedgerRead, StoreError},
    tlog::{Frontier, Hash, Node, NodeSource, ProofPlan, RightEdge, TILE_WIDTH, perfect_root},
};

/// Where hashes of the tree are read.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) reads: &'a dyn LedgerRead,
    /// What would be read row by row, where it is at hand: it is used for the tree that it belongs to and for no other.
    pub(super) edge: Option<&'a RightEdge>,
}

/// The inclusion of an entry in the tree of `size` leaves, from stored hashes.
pub(super) async fn inclusion(stored: Stored<'_>, idx: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
    let plan = ProofPlan::inclusion(idx, size).map_err(|_| LedgerError::NotInLedger)?;
    prove(stored, size, &plan).await
}

/// The consistency of two sizes of the tree, from stored hashes.
pub(super) async fn consistency(stored: Stored<'_>, from: u64, to: u64) -> Result<Vec<Hash>, LedgerError> {
    let plan = ProofPlan::consistency(from, to).map_err(|_| LedgerError::NotInLedger)?;
    prove(stored, to, &plan).await
}

/// The root of the tree of the first `size` leaves, from stored hashes.
pub(super) async fn root(reads: &dyn LedgerRead, size: u64) -> Result<Hash, LedgerError> {
    let hashes = fetch(Stored { reads, edge: None }, size, Frontier::nodes(size)).await?;
    Ok(Frontier::from_nodes(size, |node| hashes.get(&node).copied()).map_err(|_| BROKEN)?.root())
}

/// The right edge of the stored tree, checked against the frontier of the head.
pub(super) async fn edge(reads: &dyn LedgerRead, frontier: &Frontier) -> Result<RightEdge, LedgerError> {
    let size = frontier.size();
    let hashes = fetch(Stored { reads, edge: None }, size, RightEdge::nodes(size).chain(Frontier::nodes(size))).await?;
    let stored = Frontier::from_nodes(size, |node| hashes.get(&node).copied()).map_err(|_| BROKEN)?;
    if stored != *frontier {
        return Err(BROKEN);
    }
    RightEdge::from_nodes(size, |node| hashes.get(&node).copied()).map_err(|_| BROKEN)
}

/// The right edge after the leaves that others appended behind it, checked against the frontier of the head.
pub(super) fn catch_up(
    mut edge: RightEdge,
    mut before: Frontier,
    leaves: impl IntoIterator<Item = Hash>,
    frontier: &Frontier,
) -> Result<RightEdge, LedgerError> {
    for leaf in leaves {
        edge.push(leaf).map_err(|_| BROKEN)?;
        before.push(leaf).map_err(|_| BROKEN)?;
    }
    if before == *frontier { Ok(edge) } else { Err(BROKEN) }
}

async fn prove(stored: Stored<'_>, size: u64, plan: &ProofPlan) -> Result<Vec<Hash>, LedgerError> {
    let hashes = fetch(stored, size, plan.nodes()).await?;
    plan.build(|node| hashes.get(&node).copied()).map_err(|_| BROKEN)
}

/// What is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Row {
    /// The leaves behind the last full tile.
    Leaves,
    /// A full tile.
    Tile(u8, u64),
    /// The roots of the full tiles of a level that stand behind the last full tile of the level above.
    Roots(u8),
}

async fn fetch(stored: Stored<'_>, size: u64, nodes: impl Iterator<Item = Node>) -> Result<HashMap<Node, Hash>, LedgerError> {
    let wanted: Vec<(Node, Row, usize, usize)> =
        nodes.map(|node| place(node, size).ok_or(LedgerError::NotInLedger)).collect::<Result<_, _>>()?;
    let mut rows = HashMap::new();
    for row in wanted.iter().map(|(_, row, _, _)| *row).collect::<BTreeSet<_>>() {
        rows.insert(row, read(stored, size, row).await?);
    }
    wanted
        .into_iter()
        .map(|(node, row, first, len)| {
            let hashes = rows.get(&row).and_then(|hashes| hashes.get(first..first + len)).ok_or(BROKEN)?;
            Ok((node, perfect_root(hashes).map_err(|_| BROKEN)?))
        })
        .collect()
}

/// The row that holds what a node is folded from, and where in it.
fn place(node: Node, size: u64) -> Option<(Node, Row, usize, usize)> {
    let offset = |first: u64| usize::try_from(first % u64::from(TILE_WIDTH)).ok();
    Some(match node.source(size)? {
        NodeSource::Leaves { first, len } => (node, Row::Leaves, offset(first)?, len.into()),
        NodeSource::InTile { level, index, first, len } => (node, Row::Tile(level, index), first.into(), len.into()),
        NodeSource::TileRoots { level, first, len } => (node, Row::Roots(level), offset(first)?, len.into()),
    })
}

async fn read(Stored { reads, edge }: Stored<'_>, size: u64, row: Row) -> Result<Vec<Hash>, LedgerError> {
    if let Some(edge) = edge.filter(|edge| edge.size() == size) {
        match row {
            Row::Leaves => return Ok(edge.hashes(0).to_vec()),
            Row::Roots(level) => return Ok(edge.hashes(level.saturating_add(1)).to_vec()),
            Row::Tile(..) => {}
        }
    }
    let hashes = match row {
        Row::Leaves => reads.leaf_hashes(last_full(size), size).await,
        Row::Tile(level, n) => reads.tile(level, n).await.map(Option::unwrap_or_default),
        Row::Roots(level) => {
            let tiles = size.checked_shr((u32::from(level) + 1) * TILE_HEIGHT).unwrap_or(0);
            reads.tile_roots(level, last_full(tiles), tiles).await
        }
    };
    Ok(hashes.map_err(|error| unavailable(&error))?.into_iter().map(Hash).collect())
}

/// The start of what does not fill a tile.
const fn last_full(count: u64) -> u64 {
    count - count % TILE_WIDTH as u64
}

/// Says in the log what the store said, and to the caller only that it cannot be done now.
pub(super) fn unavailable(error: &StoreError) -> LedgerError {
    tracing::error!(%error, cause = std::error::Error::source(error).map(ToString::to_string), "the store failed");
    LedgerError::Unavailable
}

const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();
const BROKEN: LedgerError = LedgerError::Broken("leaf hashes, tiles and frontier");
