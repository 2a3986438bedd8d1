//! A proof that stands alone: index, inclusion proof and signed checkpoint in one text (C2SP tlog-proof).
//!
//! The extra data of the format is read and written, but nothing authenticates it. Cosignatures of witnesses are kept and not judged.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::checkpoint::{Checkpoint, open_checkpoint};
use super::hash::{Hash, leaf_hash};
use super::key::VerifierKey;
use super::note::Note;
use super::proof::verify_inclusion;
use super::{TlogError, decimal};

/// What the text says. Nothing in it is proven before [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    /// The signed note, verbatim.
    checkpoint: String,
}

impl TlogProof {
    /// Puts a proof together. The note must be a signed checkpoint.
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: String) -> Result<Self, TlogError> {
        Checkpoint::parse(Note::parse(&checkpoint)?.unverified_text())?;
        if hashes.len() > MAX_HASHES {
            return Err(TlogError::ProofLength);
        }
        Ok(Self { extra: None, index, hashes, checkpoint })
    }

    /// Reads a proof.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        let (mut current, mut rest) = first_line(text.strip_prefix(FIRST_LINE).ok_or(TlogError::ProofText)?)?;
        let mut extra = None;
        if let Some(data) = current.strip_prefix("extra ") {
            if data.len() > MAX_EXTRA {
                return Err(TlogError::TooLong);
            }
            extra = Some(STANDARD.decode(data).ok().filter(|data| !data.is_empty()).ok_or(TlogError::ProofText)?);
            (current, rest) = first_line(rest)?;
        }
        let index = current.strip_prefix("index ").and_then(decimal::parse).ok_or(TlogError::ProofText)?;
        let mut hashes = Vec::new();
        loop {
            (current, rest) = first_line(rest)?;
            if current.is_empty() {
                break;
            }
            if hashes.len() == MAX_HASHES {
                return Err(TlogError::ProofLength);
            }
            hashes.push(current.parse().map_err(|_| TlogError::ProofText)?);
        }
        Ok(Self { extra, ..Self::new(index, hashes, rest.to_owned())? })
    }

    /// Is `leaf` at this index of the log that the key belongs to? Gives the signed checkpoint, of which the caller may ask more.
    pub fn verify(&self, leaf: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogError> {
        let checkpoint = open_checkpoint(&self.checkpoint, key)?;
        verify_inclusion(self.index, checkpoint.size(), &leaf_hash(leaf), &self.hashes, &checkpoint.root())?;
        Ok(checkpoint)
    }

    /// The position of the leaf, as claimed.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The signed checkpoint, as a note.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Data that came with the proof and that nothing vouches for.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }
}

/// Writes the proof.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIRST_LINE)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Reads and verifies a proof of this leaf: its index and the checkpoint that covers it.
pub fn verify_proof(leaf: &[u8], proof: &str, key: &VerifierKey) -> Result<(u64, Checkpoint), TlogError> {
    let proof = TlogProof::parse(proof)?;
    Ok((proof.index, proof.verify(leaf, key)?))
}

fn first_line(text: &str) -> Result<(&str, &str), TlogError> {
    text.split_once('\n').ok_or(TlogError::ProofText)
}

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
/// A path in a tree of 64-bit size.
const MAX_HASHES: usize = 64;
const MAX_EXTRA: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{BatchTree, Frontier, NoteSigner};
    use zeroize::Zeroizing;

    const ORIGIN: &str = "gw.example/ledger";

    fn signer() -> NoteSigner {
        NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([1; 32])).unwrap()
    }

    fn proof(size: u8, index: u64) -> TlogProof {
        let batch = BatchTree::new(Frontier::new(), (0..size).map(|n| leaf_hash(&[n])).collect()).unwrap();
        let note = Checkpoint::new(ORIGIN, batch.size(), batch.root()).unwrap().sign(&signer()).unwrap();
        TlogProof::new(index, batch.inclusion_proof(index).unwrap(), note).unwrap()
    }

    #[test]
    fn the_text_is_the_one_of_the_specification() {
        let proof = proof(3, 2);
        let hash = proof.hashes()[0];
        assert_eq!(proof.to_string(), format!("c2sp.org/tlog-proof@v1\nindex 2\n{hash}\n\n{}", proof.checkpoint()));
        let mut with_extra = proof.clone();
        with_extra.extra = Some(b"extra data".to_vec());
        let text = with_extra.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZXh0cmEgZGF0YQ==\nindex 2\n"));
        assert_eq!(TlogProof::parse(&text), Ok(with_extra));
    }

    #[test]
    fn a_leaf_is_proven_and_another_is_not() {
        for size in 1..20_u8 {
            for index in 0..size {
                let text = proof(size, index.into()).to_string();
                let (at, checkpoint) = verify_proof(&[index], &text, signer().verifier()).unwrap();
                assert_eq!((at, checkpoint.size()), (index.into(), size.into()));
                assert_eq!(verify_proof(&[index + 1], &text, signer().verifier()), Err(TlogError::RootMismatch));
            }
        }
    }

    #[test]
    fn the_index_is_part_of_the_proof() {
        let text = proof(8, 5).to_string();
        for (other, error) in [(4, TlogError::RootMismatch), (0, TlogError::RootMismatch), (8, TlogError::IndexOutside)] {
            let moved = text.replace("index 5", &format!("index {other}"));
            assert_eq!(verify_proof(&[5], &moved, signer().verifier()), Err(error));
        }
    }

    #[test]
    fn another_key_is_not_trusted() {
        let other = NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([2; 32])).unwrap();
        assert_eq!(verify_proof(&[0], &proof(1, 0).to_string(), other.verifier()), Err(TlogError::NotSigned));
    }

    #[test]
    fn malformed_texts_are_refused() {
        let text = proof(3, 0).to_string();
        let hash = proof(3, 0).hashes()[0].to_string();
        for bad in [
            String::new(),
            FIRST_LINE.to_owned(),
            text.replace("@v1", "@v2"),
            text.replacen('\n', "\n\n", 1),
            text.replacen('\n', "\r\n", 1),
            format!("\n{text}"),
            text.replace("index 0", "index 00"),
            text.replace("index 0", "index +0"),
            text.replace("index 0", "index"),
            text.replace("index 0", "Index 0"),
            text.replace("index 0", "index 0 "),
            text.replace("index 0", "index 0\nindex 0"),
            text.replace("index 0", "extra \nindex 0"),
            text.replace("index 0", "extra\nindex 0"),
            text.replace("index 0", "extra AA\nindex 0"),
            text.replace("index 0", "extra AA==\nextra AA==\nindex 0"),
            text.replace("index 0", "index 0\nextra AA=="),
            text.replace(&hash, hash.trim_end_matches('=')),
            text.replace(&hash, &format!("{hash} ")),
            text.replace(&hash, "AAAA"),
            text.replacen("\n\n", "\n", 1),
        ] {
            assert_eq!(TlogProof::parse(&bad), Err(TlogError::ProofText), "{bad:?}");
        }
        // A second empty line belongs to the note, and leaves it without an origin.
        assert_eq!(TlogProof::parse(&text.replacen("\n\n", "\n\n\n", 1)), Err(TlogError::Checkpoint));
        assert_eq!(TlogProof::parse(&format!("{text}x")), Err(TlogError::Note));
        let long = text.replace("index 0\n", &format!("index 0\n{}", format!("{hash}\n").repeat(65)));
        assert_eq!(TlogProof::parse(&long), Err(TlogError::ProofLength));
        let long = text.replace("index 0\n", &format!("extra {}\nindex 0\n", "A".repeat(MAX_EXTRA + 4)));
        assert_eq!(TlogProof::parse(&long), Err(TlogError::TooLong));
    }

    #[test]
    fn every_changed_hash_is_refused() {
        let good = proof(11, 6);
        for position in 0..good.hashes().len() {
            let mut bad = good.clone();
            bad.hashes[position].0[31] ^= 1;
            assert_eq!(bad.verify(&[6], signer().verifier()), Err(TlogError::RootMismatch));
            bad.hashes.remove(position);
            assert_eq!(bad.verify(&[6], signer().verifier()), Err(TlogError::ProofLength));
        }
    }
}
