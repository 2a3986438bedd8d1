//! Coordinates of hashes in the tree, and where a store that keeps leaf hashes and full tiles finds them (ledger section 3).
//!
//! A node is the root of a *perfect* subtree. The right edge of a tree, which changes with every leaf, is never a node: it is folded from nodes.

use super::TlogError;
use super::hash::{Hash, node_hash};
use super::tile::{TILE_HEIGHT, TILE_WIDTH};

/// The root of the perfect subtree over leaves `index * 2^level .. (index + 1) * 2^level`; level 0 is a leaf hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Levels above the leaves.
    pub level: u8,
    /// Position within the level.
    pub index: u64,
}

/// What to read to know a node's hash. [`perfect_root`] folds what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeSource {
    /// Leaf hashes `first .. first + len`.
    Leaves {
        /// First leaf.
        first: u64,
        /// A power of two below 256.
        len: u16,
    },
    /// Hashes `first .. first + len` of one full tile.
    InTile {
        /// Level of the tile.
        level: u8,
        /// Number of the tile within its level.
        index: u64,
        /// First hash within the tile.
        first: u16,
        /// A power of two below 256.
        len: u16,
    },
    /// The roots of full tiles `first .. first + len`: their own tile is not full yet.
    TileRoots {
        /// Level of those tiles.
        level: u8,
        /// First tile.
        first: u64,
        /// A power of two below 256.
        len: u16,
    },
}

impl Node {
    /// A leaf's coordinates.
    #[must_use]
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// Where the hash comes from when the tree has `size` leaves and exactly its leaf hashes and full tiles are stored.
    /// `None`: the tree does not hold this node.
    #[must_use]
    pub fn source(self, size: u64) -> Option<NodeSource> {
        if self.index >= size.checked_shr(u32::from(self.level))? {
            return None;
        }
        let tile_level = self.level / TILE_HEIGHT;
        let within = self.level % TILE_HEIGHT;
        // No overflow: the node ends inside the tree, and so does every node below it.
        let first = self.index << within;
        let len = 1_u16 << within;
        let index = first / u64::from(TILE_WIDTH);
        let full_tiles = size.checked_shr(u32::from(tile_level + 1) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        if index < full_tiles {
            let first = u16::try_from(first % u64::from(TILE_WIDTH)).ok()?;
            return Some(NodeSource::InTile { level: tile_level, index, first, len });
        }
        Some(match tile_level.checked_sub(1) {
            None => NodeSource::Leaves { first, len },
            Some(level) => NodeSource::TileRoots { level, first, len },
        })
    }
}

/// The root of the perfect subtree over these hashes, which must be 1, 2, 4, 8 ... in number: of a full tile, its hash in the level above.
pub fn perfect_root(hashes: &[Hash]) -> Result<Hash, TlogError> {
    if !hashes.len().is_power_of_two() {
        return Err(TlogError::TileLength);
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().ok_or(TlogError::TileLength)
}

/// The perfect subtrees, largest first, that make up leaves `start .. end`, where `start` is a multiple of the smallest power of two that
/// holds the range. Such is every range whose hash RFC 6962 section 2.1 defines.
pub(super) fn perfect_nodes(start: u64, end: u64) -> impl DoubleEndedIterator<Item = Node> {
    let len = end.saturating_sub(start);
    (0..u64::BITS).rev().filter(move |level| (len >> level) & 1 == 1).map(move |level| {
        // The larger subtrees before this one are the higher bits of the length.
        let before = ((len >> level) & !1) << level;
        Node { level: u8::try_from(level).unwrap_or(u8::MAX), index: start.saturating_add(before) >> level }
    })
}

/// Folds the roots of perfect subtrees, given from the right-most (smallest) to the largest, into the hash of the range they make up.
pub(super) fn fold_from_right(roots: impl Iterator<Item = Hash>) -> Option<Hash> {
    roots.reduce(|right, left| node_hash(&left, &right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn node(level: u8, index: u64) -> Node {
        Node { level, index }
    }

    #[test]
    fn a_range_is_made_of_its_perfect_subtrees() {
        let found: Vec<_> = perfect_nodes(0, 7).collect();
        assert_eq!(found, [node(2, 0), node(1, 2), node(0, 6)]);
        assert_eq!(perfect_nodes(8, 11).collect::<Vec<_>>(), [node(1, 4), node(0, 10)]);
        assert_eq!(perfect_nodes(5, 5).count(), 0);
        assert_eq!(perfect_nodes(0, u64::MAX).count(), 64);
        assert_eq!(perfect_nodes(0, u64::MAX).last(), Some(node(0, u64::MAX - 1)));
    }

    #[test]
    fn only_a_power_of_two_has_a_perfect_root() {
        let hashes: Vec<_> = (0_u8..4).map(|n| leaf_hash(&[n])).collect();
        let expected = node_hash(&node_hash(&hashes[0], &hashes[1]), &node_hash(&hashes[2], &hashes[3]));
        assert_eq!(perfect_root(&hashes), Ok(expected));
        assert_eq!(perfect_root(&hashes[..1]), Ok(hashes[0]));
        assert_eq!(perfect_root(&hashes[..3]), Err(TlogError::TileLength));
        assert_eq!(perfect_root(&[]), Err(TlogError::TileLength));
    }

    #[test]
    fn a_node_is_found_in_a_full_tile_before_anything_else() {
        // 70,000 leaves: 273 full tiles of level 0 and 112 leaves; one full tile of level 1 and 17 of its hashes (tlog-tiles, Partial Tiles).
        let size = 70_000;
        let from = |level, index| node(level, index).source(size);
        assert_eq!(from(0, 0), Some(NodeSource::InTile { level: 0, index: 0, first: 0, len: 1 }));
        assert_eq!(from(3, 33), Some(NodeSource::InTile { level: 0, index: 1, first: 8, len: 8 }));
        assert_eq!(from(0, 69_999), Some(NodeSource::Leaves { first: 69_999, len: 1 }));
        assert_eq!(from(6, 1_092), Some(NodeSource::Leaves { first: 69_888, len: 64 }));
        assert_eq!(from(8, 255), Some(NodeSource::InTile { level: 1, index: 0, first: 255, len: 1 }));
        assert_eq!(from(8, 272), Some(NodeSource::TileRoots { level: 0, first: 272, len: 1 }));
        assert_eq!(from(12, 16), Some(NodeSource::TileRoots { level: 0, first: 256, len: 16 }));
        assert_eq!(from(16, 0), Some(NodeSource::TileRoots { level: 1, first: 0, len: 1 }));
    }

    #[test]
    fn a_node_beyond_the_tree_has_no_source() {
        assert_eq!(node(0, 5).source(5), None);
        assert_eq!(node(2, 1).source(7), None);
        assert_eq!(node(64, 0).source(u64::MAX), None);
        assert_eq!(node(255, u64::MAX).source(u64::MAX), None);
        assert_eq!(node(63, 0).source(u64::MAX), Some(NodeSource::TileRoots { level: 6, first: 0, len: 128 }));
    }
}
