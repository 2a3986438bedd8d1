//! Building proofs from stored hashes (RFC 6962 sections 2.1.1 and 2.1.2), in two steps so that storage may be asynchronous:
//! a plan says which nodes are needed, the caller fetches them, the plan puts the proof together.

use super::TlogError;
use super::hash::Hash;
use super::node::{Node, fold_from_right, perfect_nodes};

/// The recipe of one proof: for each of its hashes the range of leaves it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    /// First leaf and the one after the last; in the order of the proof.
    ranges: Vec<(u64, u64)>,
}

impl ProofPlan {
    /// Inclusion of leaf `index` in the tree of `size` leaves: PATH of RFC 6962 section 2.1.1.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, TlogError> {
        if index >= size {
            return Err(TlogError::IndexOutside);
        }
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                ranges.push((middle, end));
                end = middle;
            } else {
                ranges.push((start, middle));
                start = middle;
            }
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// Consistency of the trees of `old` and `new` leaves: PROOF of RFC 6962 section 2.1.2. Of two equal trees it is empty.
    pub fn consistency(old: u64, new: u64) -> Result<Self, TlogError> {
        if old == 0 || old > new {
            return Err(TlogError::SizeOrder);
        }
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, new);
        while old < end {
            let middle = start + split(end - start);
            if old <= middle {
                ranges.push((middle, end));
                end = middle;
            } else {
                ranges.push((start, middle));
                start = middle;
            }
        }
        // When the old tree is itself a node of the new one, the verifier knows its hash: it is the old root.
        if start > 0 {
            ranges.push((start, end));
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// The nodes whose hashes [`Self::build`] asks for.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.ranges.iter().flat_map(|&(start, end)| perfect_nodes(start, end))
    }

    /// Puts the proof together. The first missing hash is an error.
    pub fn build(&self, mut hash: impl FnMut(Node) -> Option<Hash>) -> Result<Vec<Hash>, TlogError> {
        self.ranges
            .iter()
            .map(|&(start, end)| {
                let roots = perfect_nodes(start, end)
                    .map(|node| hash(node).ok_or(TlogError::MissingNode { level: node.level, index: node.index }))
                    .collect::<Result<Vec<_>, _>>()?;
                fold_from_right(roots.into_iter().rev()).ok_or(TlogError::ProofLength)
            })
            .collect()
    }
}

/// The largest power of two below `len`, which is at least 2.
const fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::empty_root;

    fn nodes(plan: Result<ProofPlan, TlogError>) -> Vec<(u8, u64)> {
        plan.unwrap().nodes().map(|node| (node.level, node.index)).collect()
    }

    // RFC 6962 section 2.1.3 draws the tree of seven leaves: a, b, c, d, e, f, j are leaves, g..k its nodes.
    #[test]
    fn the_audit_paths_of_the_rfc() {
        assert_eq!(nodes(ProofPlan::inclusion(0, 7)), [(0, 1), (1, 1), (1, 2), (0, 6)]); // b, h, l = (i, j)
        assert_eq!(nodes(ProofPlan::inclusion(3, 7)), [(0, 2), (1, 0), (1, 2), (0, 6)]); // c, g, l
        assert_eq!(nodes(ProofPlan::inclusion(4, 7)), [(0, 5), (0, 6), (2, 0)]); // f, j, k
        assert_eq!(nodes(ProofPlan::inclusion(6, 7)), [(1, 2), (2, 0)]); // i, k
    }

    #[test]
    fn the_consistency_proofs_of_the_rfc() {
        assert_eq!(nodes(ProofPlan::consistency(3, 7)), [(0, 2), (0, 3), (1, 0), (1, 2), (0, 6)]); // c, d, g, l
        assert_eq!(nodes(ProofPlan::consistency(4, 7)), [(1, 2), (0, 6)]); // l
        assert_eq!(nodes(ProofPlan::consistency(6, 7)), [(1, 2), (0, 6), (2, 0)]); // i, j, k
        assert_eq!(nodes(ProofPlan::consistency(7, 7)), []);
    }

    #[test]
    fn what_cannot_be_proven_has_no_plan() {
        assert_eq!(ProofPlan::inclusion(0, 0), Err(TlogError::IndexOutside));
        assert_eq!(ProofPlan::inclusion(7, 7), Err(TlogError::IndexOutside));
        assert_eq!(ProofPlan::inclusion(u64::MAX, u64::MAX), Err(TlogError::IndexOutside));
        assert_eq!(ProofPlan::consistency(0, 7), Err(TlogError::SizeOrder));
        assert_eq!(ProofPlan::consistency(8, 7), Err(TlogError::SizeOrder));
    }

    #[test]
    fn the_largest_tree_has_proofs() {
        for index in [0, 1, u64::MAX / 2, u64::MAX - 1] {
            let plan = ProofPlan::inclusion(index, u64::MAX).unwrap();
            assert!(plan.build(|_| Some(empty_root())).unwrap().len() <= 64);
            assert!(plan.nodes().all(|node| node.source(u64::MAX).is_some()));
        }
        for old in [1, 2, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1] {
            let plan = ProofPlan::consistency(old, u64::MAX).unwrap();
            assert!(plan.build(|_| Some(empty_root())).unwrap().len() <= 65);
            assert!(plan.nodes().all(|node| node.source(u64::MAX).is_some()));
        }
    }

    #[test]
    fn a_missing_node_is_named() {
        let plan = ProofPlan::inclusion(0, 7).unwrap();
        let result = plan.build(|node| if node.level == 0 { Some(empty_root()) } else { None });
        assert_eq!(result, Err(TlogError::MissingNode { level: 1, index: 1 }));
    }
}
