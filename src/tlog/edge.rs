//! The unfinished tiles of a growing tree: leaf hashes go in, each tile comes out when it becomes full. For exporting a log as files, for
//! rebuilding tiles from leaf hashes, and for checking stored tiles against them, in one pass and with at most 255 hashes per level.

use super::TlogError;
use super::hash::Hash;
use super::node::{Node, perfect_root};
use super::tile::{TILE_WIDTH, TileId, TileRow, partial_tiles};

/// A tile with all its 256 hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// Which tile.
    pub id: TileId,
    /// Its hashes.
    pub hashes: Vec<Hash>,
}

/// The partial tiles of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RightEdge {
    size: u64,
    /// The hashes of the partial tile of each level, from level 0.
    rows: Vec<Vec<Hash>>,
}

impl RightEdge {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, rows: Vec::new() }
    }

    /// The nodes that [`Self::from_nodes`] asks for, at most 255 of each tile level.
    pub fn nodes(size: u64) -> impl Iterator<Item = Node> {
        partial_tiles(size).flat_map(TileId::nodes)
    }

    /// Goes on from stored hashes.
    pub fn from_nodes(size: u64, mut hash: impl FnMut(Node) -> Option<Hash>) -> Result<Self, TlogError> {
        let mut rows = Vec::new();
        for row in (0_u8..).map(TileRow::Hashes).take_while(|row| row.len(size) > 0) {
            let partial = partial_tiles(size).filter(|tile| tile.row() == row).flat_map(TileId::nodes);
            let hashes = partial.map(|node| hash(node).ok_or(TlogError::MissingNode { level: node.level, index: node.index }));
            rows.push(hashes.collect::<Result<_, _>>()?);
        }
        Ok(Self { size, rows })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash. The tiles that became full, the lowest level first.
    pub fn push(&mut self, leaf: Hash) -> Result<Vec<FullTile>, TlogError> {
        let size = self.size.checked_add(1).ok_or(TlogError::TreeFull)?;
        let mut completed = Vec::new();
        let mut hash = leaf;
        for level in 0_u8.. {
            let place = usize::from(level);
            if place == self.rows.len() {
                self.rows.push(Vec::new());
            }
            let row = self.rows.get_mut(place).ok_or(TlogError::TileLength)?;
            row.push(hash);
            if row.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let hashes = std::mem::take(row);
            hash = perfect_root(&hashes)?;
            let row = TileRow::Hashes(level);
            let id = TileId::full(row, row.len(size) / u64::from(TILE_WIDTH) - 1).ok_or(TlogError::TreeFull)?;
            completed.push(FullTile { id, hashes });
        }
        self.size = size;
        Ok(completed)
    }

    /// The hashes of the partial tile of a level; none where the last tile is full.
    #[must_use]
    pub fn hashes(&self, level: u8) -> &[Hash] {
        self.rows.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The partial tiles, the lowest level first.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        (0_u8..).zip(&self.rows).filter_map(|(level, hashes)| {
            let row = TileRow::Hashes(level);
            let id = TileId::new(row, row.len(self.size) / u64::from(TILE_WIDTH), u16::try_from(hashes.len()).ok()?)?;
            Some((id, hashes.as_slice()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{completed_tiles, leaf_hash, partial_tiles};

    #[test]
    fn each_tile_comes_out_once_and_when_it_is_full() {
        let mut edge = RightEdge::new();
        let mut leaves = Vec::new();
        let mut lowest = Vec::new();
        for n in 0..70_000_u64 {
            let leaf = leaf_hash(&n.to_be_bytes());
            leaves.push(leaf);
            let out = edge.push(leaf).unwrap();
            assert!(out.iter().map(|tile| tile.id).eq(completed_tiles(n, n + 1)));
            for tile in out {
                let first = usize::try_from(tile.id.index()).unwrap() * 256;
                match tile.id.row() {
                    TileRow::Hashes(0) => {
                        assert_eq!(tile.hashes, leaves[first..first + 256]);
                        lowest.push(perfect_root(&tile.hashes).unwrap());
                    }
                    TileRow::Hashes(1) => assert_eq!(tile.hashes, lowest[first..first + 256]),
                    other => panic!("no tile of {other:?} is full"),
                }
            }
        }
        assert!(edge.partial().map(|(id, _)| id).eq(partial_tiles(70_000)));
        let partial: Vec<_> = edge.partial().collect();
        assert_eq!(partial[0].1, &leaves[69_888..]);
        assert_eq!(partial[1].1, &lowest[256..]);
        assert_eq!(partial[2].1, [perfect_root(&lowest[..256]).unwrap()]);
    }
}
