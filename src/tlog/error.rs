//! What can be wrong with a tree, a proof or one of its text forms. No variant carries the offending bytes.

/// A fault found by this room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlogError {
    /// A hash is not 32 bytes, or not the canonical standard base64 of 32 bytes.
    #[error("not a hash: 32 bytes in canonical base64 are needed")]
    Hash,
    /// The tree holds 2^64 - 1 leaves.
    #[error("the tree is full")]
    TreeFull,
    /// The number of stored subtree roots does not fit the tree size.
    #[error("the frontier does not fit its tree size")]
    Frontier,
    /// The index lies outside the tree.
    #[error("the index is not inside the tree")]
    IndexOutside,
    /// A consistency proof starts at an empty tree or goes from a larger to a smaller one.
    #[error("a consistency proof goes from a tree with leaves to one of the same size or larger")]
    SizeOrder,
    /// A hash that the proof needs was not there.
    #[error("the hash of node {index} of level {level} is missing")]
    MissingNode {
        /// Level above the leaves.
        level: u8,
        /// Position within the level.
        index: u64,
    },
    /// The proof has too few or too many hashes for these sizes.
    #[error("the proof has the wrong number of hashes")]
    ProofLength,
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
    /// Not a canonical C2SP tile path.
    #[error("not a tile path")]
    TilePath,
    /// Tile bytes do not match the width of the tile.
    #[error("the tile has the wrong length")]
    TileLength,
    /// An entry bundle does not hold exactly the entries it should, or an entry is over 65,535 bytes.
    #[error("not an entry bundle of that width")]
    Bundle,
    /// A key name is empty or contains a space, a plus sign or a control character.
    #[error("not a key name")]
    KeyName,
    /// Not a verifier key, or its key id does not belong to its name and key.
    #[error("not an Ed25519 verifier key")]
    VerifierKey,
    /// The signing key cannot be used.
    #[error("the signing key was refused")]
    SigningKey,
    /// Not a signed note.
    #[error("not a signed note")]
    Note,
    /// The note or proof is longer, or has more signatures, than is read here.
    #[error("longer than is accepted")]
    TooLong,
    /// A trusted key appears twice among the signatures.
    #[error("the note is signed twice by the same key")]
    DuplicateSignature,
    /// The signature of a trusted key does not verify.
    #[error("a signature of a trusted key does not verify")]
    BadSignature,
    /// No trusted key signed the note.
    #[error("the note is not signed by a trusted key")]
    NotSigned,
    /// The note text is not a checkpoint.
    #[error("not a checkpoint")]
    Checkpoint,
    /// The checkpoint's origin is not the name of the key that is trusted.
    #[error("the checkpoint belongs to another log")]
    Origin,
    /// Not an Ed25519 cosigner key, its key id does not belong to its name and key, or anybody could sign under it.
    #[error("not a cosigner key")]
    CosignerKey,
    /// A quorum asks for more witnesses than it names, or names a key twice.
    #[error("a quorum names each witness once and asks for no more than it names")]
    Quorum,
    /// Fewer witnesses than the quorum asks for have cosigned.
    #[error("not enough witnesses have cosigned")]
    TooFewCosignatures,
    /// Not a proof in the `tlog-proof` format.
    #[error("not a tlog-proof")]
    ProofText,
}
