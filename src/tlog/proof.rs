//! Checking proofs, strictly (RFC 9162 sections 2.1.3.2 and 2.1.4.2): the number of hashes must be exactly the one the sizes ask for.

use super::TlogError;
use super::hash::{Hash, node_hash};

/// Is `leaf` the leaf hash at `index` of the tree with `size` leaves and this root?
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), TlogError> {
    if index >= size {
        return Err(TlogError::IndexOutside);
    }
    let (inner, border) = path_lengths(index, size);
    let (inner, border) = parts(proof, inner, border)?;
    let hash = climb_border(climb_inner(*leaf, inner, index), border);
    if hash == *root { Ok(()) } else { Err(TlogError::RootMismatch) }
}

/// Is the tree with `old` leaves a prefix of the one with `new` leaves? Of an empty tree nothing can be proven.
pub fn verify_consistency(old: u64, new: u64, old_root: &Hash, new_root: &Hash, proof: &[Hash]) -> Result<(), TlogError> {
    if old == 0 || old > new {
        return Err(TlogError::SizeOrder);
    }
    if old == new {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(TlogError::RootMismatch),
            _ => Err(TlogError::ProofLength),
        };
    }
    // The walk starts at the last perfect subtree of the old tree, `level` levels up; if that is all of the old tree, its hash is the old root.
    let level = old.trailing_zeros();
    let (start, rest) = if old.is_power_of_two() { (old_root, proof) } else { proof.split_first().ok_or(TlogError::ProofLength)? };
    let last = old - 1;
    let (inner, border) = path_lengths(last, new);
    // The new tree is larger, so the two paths part above `level`.
    let (inner, border) = parts(rest, inner - level, border)?;
    let index = last >> level;
    let from_old = climb_border(climb_inner_left(*start, inner, index), border);
    let from_new = climb_border(climb_inner(*start, inner, index), border);
    if from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(TlogError::RootMismatch) }
}

/// How many siblings a leaf's path has below the point where it joins the right edge of the tree, and how many left ones above.
const fn path_lengths(index: u64, size: u64) -> (u32, u32) {
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = match index.checked_shr(inner) {
        Some(rest) => rest.count_ones(),
        None => 0,
    };
    (inner, border)
}

fn parts(proof: &[Hash], inner: u32, border: u32) -> Result<(&[Hash], &[Hash]), TlogError> {
    let (inner, border) = (inner as usize, border as usize);
    if proof.len() != inner + border {
        return Err(TlogError::ProofLength);
    }
    proof.split_at_checked(inner).ok_or(TlogError::ProofLength)
}

fn climb_inner(start: Hash, siblings: &[Hash], index: u64) -> Hash {
    siblings.iter().enumerate().fold(
        start,
        |hash, (level, sibling)| {
            if (index >> level) & 1 == 0 { node_hash(&hash, sibling) } else { node_hash(sibling, &hash) }
        },
    )
}

/// The same path in the older tree, which has nothing to the right of it.
fn climb_inner_left(start: Hash, siblings: &[Hash], index: u64) -> Hash {
    siblings.iter().enumerate().filter(|(level, _)| (index >> level) & 1 == 1).fold(start, |hash, (_, sibling)| node_hash(sibling, &hash))
}

fn climb_border(start: Hash, siblings: &[Hash]) -> Hash {
    siblings.iter().fold(start, |hash, sibling| node_hash(sibling, &hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Frontier, empty_root, leaf_hash};

    #[test]
    fn a_tree_of_one_leaf_is_its_leaf() {
        let leaf = leaf_hash(b"only");
        assert_eq!(verify_inclusion(0, 1, &leaf, &[], &leaf), Ok(()));
        assert_eq!(verify_inclusion(0, 1, &leaf, &[leaf], &leaf), Err(TlogError::ProofLength));
        assert_eq!(verify_inclusion(1, 1, &leaf, &[], &leaf), Err(TlogError::IndexOutside));
        assert_eq!(verify_inclusion(0, 0, &leaf, &[], &empty_root()), Err(TlogError::IndexOutside));
        assert_eq!(verify_inclusion(0, 1, &leaf, &[], &empty_root()), Err(TlogError::RootMismatch));
    }

    #[test]
    fn sizes_out_of_order_are_refused() {
        let root = leaf_hash(b"root");
        assert_eq!(verify_consistency(0, 0, &empty_root(), &empty_root(), &[]), Err(TlogError::SizeOrder));
        assert_eq!(verify_consistency(0, 1, &empty_root(), &root, &[]), Err(TlogError::SizeOrder));
        assert_eq!(verify_consistency(2, 1, &root, &root, &[]), Err(TlogError::SizeOrder));
        assert_eq!(verify_consistency(2, 2, &root, &root, &[]), Ok(()));
        assert_eq!(verify_consistency(2, 2, &root, &root, &[root]), Err(TlogError::ProofLength));
        assert_eq!(verify_consistency(2, 2, &root, &empty_root(), &[]), Err(TlogError::RootMismatch));
    }

    #[test]
    fn a_proof_for_the_new_tree_alone_is_not_consistency() {
        let mut frontier = Frontier::new();
        let leaves: Vec<_> = (0_u8..3).map(|n| leaf_hash(&[n])).collect();
        for leaf in &leaves {
            frontier.push(*leaf).unwrap();
        }
        let new_root = frontier.root();
        let proof = [leaves[2]];
        let old_root = node_hash(&leaves[0], &leaves[1]);
        assert_eq!(verify_consistency(2, 3, &old_root, &new_root, &proof), Ok(()));
        let forked = node_hash(&leaves[1], &leaves[0]);
        assert_eq!(verify_consistency(2, 3, &forked, &new_root, &proof), Err(TlogError::RootMismatch));
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let hash = empty_root();
        for proof in [&[hash; 0][..], &[hash; 63], &[hash; 64], &[hash; 65]] {
            assert!(verify_inclusion(u64::MAX - 1, u64::MAX, &hash, proof, &hash).is_err());
            assert!(verify_inclusion(0, u64::MAX, &hash, proof, &hash).is_err());
            assert!(verify_consistency(1, u64::MAX, &hash, &hash, proof).is_err());
            assert!(verify_consistency(1 << 63, u64::MAX, &hash, &hash, proof).is_err());
            assert!(verify_consistency(u64::MAX - 1, u64::MAX, &hash, &hash, proof).is_err());
        }
    }
}
