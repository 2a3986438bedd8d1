//! Proofs for what was just appended, out of memory (ledger section 4): the old frontier gives what lies to the left, the batch the rest.
//! Building costs one hash per new inner node and each proof one look-up per level, whatever the size of the tree.

use super::TlogError;
use super::frontier::Frontier;
use super::hash::{Hash, node_hash};
use super::node::Node;
use super::plan::ProofPlan;

/// A tree with the leaves of one batch appended, able to prove exactly these.
#[derive(Debug, Clone)]
pub struct BatchTree {
    old: Frontier,
    new: Frontier,
    root: Hash,
    /// For each level the hashes of the nodes that the batch completed, from node `old size >> level` on.
    levels: Vec<Vec<Hash>>,
}

impl BatchTree {
    /// Appends the leaf hashes to the tree that `old` is the frontier of.
    pub fn new(old: Frontier, leaves: Vec<Hash>) -> Result<Self, TlogError> {
        let added = u64::try_from(leaves.len()).map_err(|_| TlogError::TreeFull)?;
        let size = old.size().checked_add(added).ok_or(TlogError::TreeFull)?;
        let mut levels = Vec::new();
        let mut row = leaves;
        for level in 0_u8.. {
            if row.is_empty() {
                break;
            }
            let first = old.size().checked_shr(u32::from(level)).unwrap_or(0);
            // After an odd number of old nodes, the last of them is the left half of the first node above.
            let left = first.checked_sub(1).and_then(|index| old.node(Node { level, index }));
            let above = left.iter().chain(&row).copied().collect::<Vec<_>>();
            let above = above.as_chunks().0.iter().map(|[left, right]| node_hash(left, right)).collect();
            levels.push(std::mem::replace(&mut row, above));
        }
        let new = Frontier::from_nodes(size, |node| find(&old, &levels, node))?;
        Ok(Self { root: new.root(), old, new, levels })
    }

    /// The frontier after the batch.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.new
    }

    /// The root after the batch.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The number of leaves after the batch.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.new.size()
    }

    /// The inclusion of a leaf of this batch in the tree after the batch. `None`: not a leaf of this batch.
    #[must_use]
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Hash>> {
        if index < self.old.size() {
            return None;
        }
        ProofPlan::inclusion(index, self.size()).ok()?.build(|node| self.node(node)).ok()
    }

    /// The consistency of the tree before the batch with the one after it. `None`: the tree before was empty, nothing is to be proven.
    #[must_use]
    pub fn consistency_proof(&self) -> Option<Vec<Hash>> {
        ProofPlan::consistency(self.old.size(), self.size()).ok()?.build(|node| self.node(node)).ok()
    }

    /// A hash of this tree that is known here: of the old frontier or completed by the batch.
    #[must_use]
    pub fn node(&self, node: Node) -> Option<Hash> {
        find(&self.old, &self.levels, node)
    }
}

fn find(old: &Frontier, levels: &[Vec<Hash>], node: Node) -> Option<Hash> {
    let first = old.size().checked_shr(u32::from(node.level))?;
    match node.index.checked_sub(first) {
        Some(offset) => levels.get(usize::from(node.level))?.get(usize::try_from(offset).ok()?).copied(),
        None => old.node(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{leaf_hash, verify_consistency, verify_inclusion};

    fn leaves(range: std::ops::Range<u64>) -> Vec<Hash> {
        range.map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn pushed(size: u64) -> Frontier {
        let mut frontier = Frontier::new();
        for leaf in leaves(0..size) {
            frontier.push(leaf).unwrap();
        }
        frontier
    }

    #[test]
    fn every_leaf_of_every_small_batch_is_proven() {
        for old in 0..40 {
            for new in old..old + 20 {
                let batch = BatchTree::new(pushed(old), leaves(old..new)).unwrap();
                assert_eq!(batch.frontier(), &pushed(new), "{old}..{new}");
                assert_eq!((batch.size(), batch.root()), (new, pushed(new).root()));
                for index in old..new {
                    let proof = batch.inclusion_proof(index).unwrap();
                    let leaf = leaf_hash(&index.to_be_bytes());
                    assert_eq!(verify_inclusion(index, new, &leaf, &proof, &batch.root()), Ok(()), "{index} of {old}..{new}");
                }
                match batch.consistency_proof() {
                    Some(proof) => assert_eq!(verify_consistency(old, new, &pushed(old).root(), &batch.root(), &proof), Ok(())),
                    None => assert_eq!(old, 0),
                }
            }
        }
    }

    #[test]
    fn leaves_outside_the_batch_are_not_proven() {
        let batch = BatchTree::new(pushed(5), leaves(5..8)).unwrap();
        assert_eq!(batch.inclusion_proof(4), None);
        assert_eq!(batch.inclusion_proof(8), None);
        assert_eq!(batch.inclusion_proof(u64::MAX), None);
    }

    #[test]
    fn the_largest_tree_is_reached_and_not_passed() {
        let size = u64::MAX - 2;
        let old = Frontier::from_parts(size, &vec![9; size.count_ones() as usize * Hash::LEN]).unwrap();
        let batch = BatchTree::new(old.clone(), leaves(0..2)).unwrap();
        assert_eq!(batch.size(), u64::MAX);
        for index in [size, size + 1] {
            let proof = batch.inclusion_proof(index).unwrap();
            assert_eq!(verify_inclusion(index, u64::MAX, &leaves(0..2)[usize::from(index != size)], &proof, &batch.root()), Ok(()));
        }
        assert_eq!(BatchTree::new(old, leaves(0..3)).unwrap_err(), TlogError::TreeFull);
    }

    #[test]
    fn a_batch_may_complete_the_highest_level() {
        let size = (1 << 63) - 1;
        let old = Frontier::from_parts(size, &[3; 63 * Hash::LEN]).unwrap();
        let batch = BatchTree::new(old, leaves(0..2)).unwrap();
        for index in [size, size + 1] {
            let proof = batch.inclusion_proof(index).unwrap();
            assert_eq!(verify_inclusion(index, size + 2, &leaves(0..2)[usize::from(index != size)], &proof, &batch.root()), Ok(()));
        }
    }
}
