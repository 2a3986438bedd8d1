//! Inclusion proofs out of hash tiles: how a party that gets no proof from the gateway makes its own.
//!
//! Promises: a tile's hashes are only material; what decides is the root that the pinned key signed.

use std::collections::HashMap;

use super::{
    connection::Client,
    error::{ClientError, Doubt},
};
use crate::{
    domain::digest::Digest,
    tlog::{Checkpoint, Hash, Node, ProofPlan, TILE_WIDTH, TileId, TileRow, perfect_root, verify_inclusion},
};

/// The tree of one checkpoint, read tile by tile.
#[derive(Debug)]
pub struct TreeView<'a> {
    client: &'a Client,
    head: Checkpoint,
    tiles: HashMap<TileId, Vec<Hash>>,
}

impl<'a> TreeView<'a> {
    pub(super) fn new(client: &'a Client, head: Checkpoint) -> Self {
        Self { client, head, tiles: HashMap::new() }
    }

    /// The checkpoint.
    #[must_use]
    pub const fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// Proves that this leaf hash stands at this index.
    pub async fn includes(&mut self, index: u64, leaf: &Digest) -> Result<(), ClientError> {
        let size = self.head.size();
        let plan = ProofPlan::inclusion(index, size)?;
        let mut hashes = HashMap::new();
        for node in plan.nodes() {
            hashes.insert(node, self.hash(node).await?);
        }
        let proof = plan.build(|node| hashes.get(&node).copied())?;
        Ok(verify_inclusion(index, size, &Hash(*leaf.as_bytes()), &proof, &self.head.root())?)
    }

    async fn hash(&mut self, node: Node) -> Result<Hash, ClientError> {
        let (tile, from, len) = place(node, self.head.size()).ok_or(Doubt::Form("tile"))?;
        if !self.tiles.contains_key(&tile) {
            let hashes = self.client.tile(&tile).await?;
            self.tiles.insert(tile, hashes);
        }
        let hashes = self.tiles.get(&tile).and_then(|hashes| hashes.get(from..from + len)).ok_or(Doubt::Form("tile"))?;
        Ok(perfect_root(hashes)?)
    }
}

/// The tile that holds what a node is made of, as it is in a tree of `size` leaves, and where in it.
fn place(node: Node, size: u64) -> Option<(TileId, usize, usize)> {
    let row = TileRow::Hashes(node.level / LEVELS);
    let within = node.level % LEVELS;
    let first = node.index.checked_mul(1 << within)?;
    let (index, from) = (first / u64::from(TILE_WIDTH), first % u64::from(TILE_WIDTH));
    let there = row.len(size).checked_sub(index.checked_mul(TILE_WIDTH.into())?)?;
    let tile = TileId::new(row, index, u16::try_from(there).unwrap_or(TILE_WIDTH).min(TILE_WIDTH))?;
    Some((tile, usize::try_from(from).ok()?, 1 << within))
}

/// Levels of the tree between a tile and the one above it (C2SP tlog-tiles).
const LEVELS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{RightEdge, leaf_hash};

    /// Tiles of a log, as a gateway would serve them, and its root.
    fn log(size: u64) -> (HashMap<TileId, Vec<Hash>>, Vec<Hash>) {
        let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let (mut edge, mut tiles) = (RightEdge::new(), HashMap::new());
        for leaf in &leaves {
            for full in edge.push(*leaf).unwrap() {
                tiles.insert(full.id, full.hashes);
            }
        }
        tiles.extend(edge.partial().map(|(id, hashes)| (id, hashes.to_vec())));
        (tiles, leaves)
    }

    fn root(leaves: &[Hash]) -> Hash {
        if leaves.len() == 1 {
            return leaves[0];
        }
        let middle = 1 << (leaves.len() - 1).ilog2();
        crate::tlog::node_hash(&root(&leaves[..middle]), &root(&leaves[middle..]))
    }

    #[test]
    fn every_node_of_a_proof_is_found_in_the_tiles_that_exist() {
        for size in [1, 2, 3, 255, 256, 257, 511, 512, 700, 65_536, 65_537, 66_000] {
            let (tiles, leaves) = log(size);
            let root = root(&leaves);
            for index in [0, size / 3, size / 2, size - 1] {
                let plan = ProofPlan::inclusion(index, size).unwrap();
                let hash = |node: Node| {
                    let (tile, from, len) = place(node, size)?;
                    perfect_root(tiles.get(&tile)?.get(from..from + len)?).ok()
                };
                let proof = plan.build(hash).unwrap();
                let leaf = leaves[usize::try_from(index).unwrap()];
                assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()), "{index} of {size}");
            }
        }
    }

    #[test]
    fn a_node_outside_the_tree_is_in_no_tile() {
        assert_eq!(place(Node { level: 0, index: 256 }, 256), None);
        assert_eq!(place(Node { level: 63, index: u64::MAX }, u64::MAX), None);
    }
}
