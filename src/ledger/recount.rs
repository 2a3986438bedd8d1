//! The tree over stored leaves, from nothing: what a copy of a ledger is measured against.

use crate::{
    store::Recount,
    tlog::{Frontier, Hash, leaf_hash},
};

/// Takes leaves in order.
#[derive(Debug, Default)]
pub struct TreeRecount {
    frontier: Frontier,
}

impl Recount for TreeRecount {
    fn leaf(&mut self, hash: &[u8; 32], body: Option<&[u8]>) -> bool {
        let hash = Hash(*hash);
        body.is_none_or(|body| leaf_hash(body) == hash) && self.frontier.push(hash).is_ok()
    }

    fn root(&self) -> [u8; 32] {
        self.frontier.root().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_its_leaf_does_not_stand_for_is_refused() {
        let mut tree = TreeRecount::default();
        assert!(tree.leaf(&leaf_hash(b"a").0, Some(b"a")));
        assert_eq!(tree.root(), leaf_hash(b"a").0);
        assert!(tree.leaf(&leaf_hash(b"b").0, None));
        assert!(!tree.leaf(&leaf_hash(b"c").0, Some(b"d")));
    }
}
