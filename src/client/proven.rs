//! The proof that something stands in the ledger: made in this room only, from the leaf, its inclusion proof and a checkpoint signed with the pinned key.

use serde::Deserialize;

use super::{entry::Entry, error::Doubt, pinned::Pinned};
use crate::{
    message::base64url,
    tlog::{Checkpoint, Hash, TlogProof, leaf_hash},
};

/// Where an entry stands, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    index: u64,
    leaf: Hash,
    checkpoint: Checkpoint,
}

impl Place {
    /// Index of the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Its leaf hash.
    #[must_use]
    pub const fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The signed tree head that covers it.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

/// A value whose ledger entry was proven and compared with it. There is no other way to make one than the checks of this room.
#[derive(Debug, Clone)]
pub struct Proven<T> {
    value: T,
    place: Place,
}

impl<T> Proven<T> {
    pub(super) const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// Where its entry stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The value, without the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> std::ops::Deref for Proven<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The member `ledger` of an answer (protocol section 4), unproven.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LedgerPart {
    pub(super) origin: String,
    pub(super) index: u64,
    /// base64url of the leaf bytes.
    pub(super) leaf: String,
    /// C2SP tlog-proof.
    pub(super) proof: String,
}

impl LedgerPart {
    /// Checks the proof with the pinned ledger key and reads the entry.
    pub(super) fn verify(&self, pinned: &Pinned) -> Result<(Entry, Place), Doubt> {
        if self.origin != pinned.document().origin() {
            return Err(Doubt::Pinned("ledger origin"));
        }
        let leaf = base64url::decode(&self.leaf).map_err(|_| Doubt::Form("leaf"))?;
        let place = prove(&leaf, &self.proof, pinned)?;
        if place.index != self.index {
            return Err(Doubt::Entry("index"));
        }
        Ok((Entry::read(&leaf)?, place))
    }
}

/// Checks that a leaf is in the pinned ledger.
pub(super) fn prove(leaf: &[u8], proof: &str, pinned: &Pinned) -> Result<Place, Doubt> {
    let proof = TlogProof::parse(proof)?;
    let checkpoint = proof.verify(leaf, &pinned.document().vkey)?;
    Ok(Place { index: proof.index(), leaf: leaf_hash(leaf), checkpoint })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::pinned::tests::Stage,
        message::json as strict,
        tlog::{NoteSigner, ProofPlan, TlogError, node_hash},
    };

    /// An answer's `ledger` part: the leaf as the second of three.
    pub(in crate::client) fn ledger_part(leaf: &[u8], signer: &NoteSigner) -> LedgerPart {
        let leaves = [leaf_hash(b"zero"), leaf_hash(leaf), leaf_hash(b"two")];
        let pair = node_hash(&leaves[0], &leaves[1]);
        let checkpoint = Checkpoint::new(signer.verifier().name().as_str(), 3, node_hash(&pair, &leaves[2])).unwrap();
        let hash =
            |node: crate::tlog::Node| if node.level == 0 { leaves.get(usize::try_from(node.index).ok()?).copied() } else { Some(pair) };
        let hashes = ProofPlan::inclusion(1, 3).unwrap().build(hash).unwrap();
        let proof = TlogProof::new(1, hashes, checkpoint.sign(signer).unwrap()).unwrap().to_string();
        LedgerPart { origin: checkpoint.origin().to_owned(), index: 1, leaf: base64url::encode(leaf), proof }
    }

    /// A leaf of an entry with some members besides the necessary ones.
    pub(in crate::client) fn leaf(members: &Value) -> Vec<u8> {
        let mut entry = json!({"v": 1, "type": "consent", "time": "2026-11-21T00:00:00.000001Z", "operation": "consent.register", "decision": "permit"});
        for (name, value) in members.as_object().unwrap() {
            entry[name] = value.clone();
        }
        strict::canonical(&entry).unwrap()
    }

    #[test]
    fn a_leaf_with_its_proof_is_proven() {
        let stage = Stage::new();
        let leaf = leaf(&json!({}));
        let (entry, place) = ledger_part(&leaf, &stage.signer).verify(&stage.pinned()).unwrap();
        assert_eq!((place.index(), place.checkpoint().size(), place.leaf()), (1, 3, leaf_hash(&leaf)));
        assert_eq!(entry.operation.as_str(), "consent.register");
    }

    #[test]
    fn a_changed_leaf_proof_index_or_origin_is_refused() {
        let stage = Stage::new();
        let good = ledger_part(&leaf(&json!({})), &stage.signer);
        let pinned = stage.pinned();

        let changed = LedgerPart { leaf: base64url::encode(leaf(&json!({"reason": "x"}))), ..good.clone() };
        assert!(matches!(changed.verify(&pinned), Err(Doubt::Proof(TlogError::RootMismatch))));

        let changed = LedgerPart { index: 0, ..good.clone() };
        assert!(matches!(changed.verify(&pinned), Err(Doubt::Entry("index"))));

        let changed = LedgerPart { origin: "elsewhere/ledger".to_owned(), ..good.clone() };
        assert!(matches!(changed.verify(&pinned), Err(Doubt::Pinned(_))));

        let changed = LedgerPart { proof: good.proof.replace("index 1", "index 0"), index: 0, ..good.clone() };
        assert!(matches!(changed.verify(&pinned), Err(Doubt::Proof(_))));

        for at in (0..good.proof.len()).step_by(7) {
            let mut bytes = good.proof.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(proof) = String::from_utf8(bytes) else { continue };
            assert!(LedgerPart { proof, ..good.clone() }.verify(&pinned).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_key_is_refused() {
        let (stage, other) =
            (Stage::new(), NoteSigner::from_seed("localhost:8443/ledger".parse().unwrap(), &zeroize::Zeroizing::new([9; 32])).unwrap());
        let forged = ledger_part(&leaf(&json!({})), &other);
        assert!(matches!(forged.verify(&stage.pinned()), Err(Doubt::Proof(TlogError::NotSigned))));
    }

    #[test]
    fn a_proven_leaf_that_is_no_entry_is_refused() {
        let stage = Stage::new();
        assert!(matches!(ledger_part(b"{}", &stage.signer).verify(&stage.pinned()), Err(Doubt::Form(_))));
    }
}
