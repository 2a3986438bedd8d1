//! A ledger's storage as the tables have it (ledger section 3): leaf hashes and full tiles, nothing of the right edge.

use std::collections::BTreeMap;

use tsunagi::tlog::{
    Frontier, FullTile, Hash, Node, NodeSource, ProofPlan, RightEdge, TileId, TileRow, TlogError, leaf_hash, perfect_root,
};

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) leaves: Vec<Hash>,
    pub(crate) tiles: BTreeMap<TileId, Vec<Hash>>,
    edge: RightEdge,
}

impl Store {
    pub(crate) fn with_leaves(size: u64) -> Self {
        let mut store = Self::default();
        for n in 0..size {
            let leaf = leaf_hash(&entry(n));
            store.leaves.push(leaf);
            for FullTile { id, hashes } in store.edge.push(leaf).expect("not full") {
                assert_eq!(store.tiles.insert(id, hashes), None, "a tile is written once");
            }
        }
        store
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn leaf(&self, index: u64) -> Hash {
        self.leaves[usize::try_from(index).expect("small")]
    }

    /// The hash of a node, from storage alone.
    pub(crate) fn node(&self, node: Node) -> Option<Hash> {
        let read = match node.source(self.size())? {
            NodeSource::Leaves { first, len } => range(&self.leaves, first, len),
            NodeSource::InTile { level, index, first, len } => range(self.tile(level, index), first.into(), len),
            NodeSource::TileRoots { level, first, len } => {
                (first..first + u64::from(len)).map(|index| perfect_root(self.tile(level, index)).expect("full")).collect()
            }
        };
        perfect_root(&read).ok()
    }

    pub(crate) fn frontier(&self, size: u64) -> Frontier {
        Frontier::from_nodes(size, |node| self.node(node)).expect("stored")
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.frontier(size).root()
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TlogError> {
        ProofPlan::inclusion(index, size)?.build(|node| self.node(node))
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TlogError> {
        ProofPlan::consistency(old, new)?.build(|node| self.node(node))
    }

    fn tile(&self, level: u8, index: u64) -> &[Hash] {
        &self.tiles[&TileId::full(TileRow::Hashes(level), index).expect("level")]
    }
}

/// The bytes of the n-th entry.
pub(crate) fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn range(hashes: &[Hash], first: u64, len: u16) -> Vec<Hash> {
    let first = usize::try_from(first).expect("small");
    hashes[first..first + usize::from(len)].to_vec()
}
