//! The right edge of a tree in at most 64 hashes: enough to append and to know the root, without reading anything else.

use super::TlogError;
use super::hash::{Hash, empty_root, node_hash};
use super::node::{Node, fold_from_right, perfect_nodes};

/// The roots of the perfect subtrees that make up a tree, one for each bit set in its size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// Largest subtree first.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// Reads what [`Self::to_bytes`] wrote: the roots one after the other, largest subtree first.
    pub fn from_parts(size: u64, bytes: &[u8]) -> Result<Self, TlogError> {
        let (chunks, []) = bytes.as_chunks() else { return Err(TlogError::Frontier) };
        if chunks.len() != count(size) {
            return Err(TlogError::Frontier);
        }
        Ok(Self { size, roots: chunks.iter().copied().map(Hash).collect() })
    }

    /// The nodes that [`Self::from_nodes`] asks for.
    #[must_use]
    pub fn nodes(size: u64) -> impl DoubleEndedIterator<Item = Node> {
        perfect_nodes(0, size)
    }

    /// Rebuilds the frontier of a tree from stored hashes.
    pub fn from_nodes(size: u64, mut hash: impl FnMut(Node) -> Option<Hash>) -> Result<Self, TlogError> {
        let roots = Self::nodes(size)
            .map(|node| hash(node).ok_or(TlogError::MissingNode { level: node.level, index: node.index }))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, roots })
    }

    /// The roots one after the other, largest subtree first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|root| root.0).collect()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and returns its index.
    pub fn push(&mut self, leaf: Hash) -> Result<u64, TlogError> {
        let index = self.size;
        self.size = index.checked_add(1).ok_or(TlogError::TreeFull)?;
        let mut hash = leaf;
        // Each trailing one of the old size is a perfect subtree that the new leaf completes to one of twice the size.
        for _ in 0..index.trailing_ones() {
            hash = node_hash(&self.roots.pop().ok_or(TlogError::Frontier)?, &hash);
        }
        self.roots.push(hash);
        Ok(index)
    }

    /// The root of the tree (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_from_right(self.roots.iter().rev().copied()).unwrap_or_else(empty_root)
    }

    /// The hash of a node, if it is one of the roots kept here. Proofs in this very tree need them, and storage has them only in pieces.
    #[must_use]
    pub fn node(&self, node: Node) -> Option<Hash> {
        let nodes = self.size.checked_shr(u32::from(node.level))?;
        // The right-most node of its level, and the left half of one that is not complete.
        if nodes & 1 == 0 || node.index != nodes - 1 {
            return None;
        }
        self.roots.get(count(nodes >> 1)).copied()
    }
}

fn count(size: u64) -> usize {
    Frontier::nodes(size).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// MTH of RFC 6962 section 2.1, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&root_by_definition(&leaves[..k]), &root_by_definition(&leaves[k..]))
            }
        }
    }

    #[test]
    fn every_root_is_the_one_of_the_definition() {
        let all = leaves(300);
        let mut frontier = Frontier::new();
        for (n, leaf) in all.iter().enumerate() {
            assert_eq!(frontier.root(), root_by_definition(&all[..n]));
            assert_eq!(frontier.push(*leaf), Ok(n as u64));
        }
        assert_eq!(frontier.size(), 300);
        assert_eq!(frontier.root(), root_by_definition(&all));
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        let mut frontier = Frontier::new();
        for leaf in leaves(77) {
            let read = Frontier::from_parts(frontier.size(), &frontier.to_bytes()).unwrap();
            assert_eq!(read, frontier);
            frontier.push(leaf).unwrap();
        }
    }

    #[test]
    fn bytes_that_do_not_fit_the_size_are_refused() {
        for (size, len) in [(0, 1), (0, 32), (1, 0), (1, 31), (1, 33), (1, 64), (3, 32), (3, 96), (u64::MAX, 63 * 32)] {
            assert_eq!(Frontier::from_parts(size, &vec![0; len]), Err(TlogError::Frontier), "{size} {len}");
        }
    }

    #[test]
    fn the_largest_tree_takes_no_further_leaf() {
        let mut frontier = Frontier::from_parts(u64::MAX, &[7; 64 * 32]).unwrap();
        let before = frontier.clone();
        assert_eq!(frontier.push(leaf_hash(b"one too many")), Err(TlogError::TreeFull));
        assert_eq!(frontier, before);
        assert_eq!(frontier.to_bytes().len(), 64 * 32);
        assert!(frontier.node(Node { level: 63, index: 0 }).is_some());
        assert_eq!(frontier.node(Node { level: 64, index: 0 }), None);
    }

    #[test]
    fn only_its_own_roots_are_nodes_of_a_frontier() {
        let mut frontier = Frontier::new();
        for leaf in leaves(0b1011) {
            frontier.push(leaf).unwrap();
        }
        let own: Vec<_> = Frontier::nodes(0b1011).collect();
        assert_eq!(
            own.iter().map(|node| frontier.node(*node)).collect::<Vec<_>>(),
            frontier.roots.iter().copied().map(Some).collect::<Vec<_>>()
        );
        for node in (0..6).flat_map(|level| (0..13).map(move |index| Node { level, index })).filter(|node| !own.contains(node)) {
            assert_eq!(frontier.node(node), None, "{node:?}");
        }
    }

    #[test]
    fn a_missing_node_is_named() {
        let result = Frontier::from_nodes(6, |node| if node.level == 2 { Some(empty_root()) } else { None });
        assert_eq!(result, Err(TlogError::MissingNode { level: 1, index: 2 }));
    }
}
