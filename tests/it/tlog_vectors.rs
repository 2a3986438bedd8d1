//! The published inclusion and consistency vectors of transparency-dev/merkle: 12 proofs that hold and 184 that must be refused.
//! `tests/data/merkle_vectors.ndjson` is that project's `testdata/inclusion` and `testdata/consistency` (Apache-2.0), a file a line.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use tsunagi::tlog::{Hash, TlogError, leaf_hash, verify_consistency, verify_inclusion};

#[derive(Deserialize)]
struct Line {
    file: String,
    vector: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Base64,
    leaf_hash: Base64,
    proof: Option<Vec<Base64>>,
    #[serde(rename = "desc")]
    _desc: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Base64,
    root2: Base64,
    proof: Option<Vec<Base64>>,
    #[serde(rename = "desc")]
    _desc: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Base64(Vec<u8>);

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl Base64 {
    /// A leaf hash or a proof hash of another length cannot even be handed over: that is the refusal.
    fn hash(&self) -> Result<Hash, TlogError> {
        Hash::try_from(self.0.as_slice())
    }

    /// Some vectors have a text such as "WrongRoot" where a root belongs. It stays different from every other value as a hash, so that
    /// what is tested is the verification and not the length of its arguments.
    fn stand_in(&self) -> Hash {
        self.hash().unwrap_or_else(|_| leaf_hash(&self.0))
    }
}

fn hashes(proof: Option<&[Base64]>) -> Result<Vec<Hash>, TlogError> {
    proof.unwrap_or_default().iter().map(Base64::hash).collect()
}

#[test]
fn the_published_vectors_are_judged_as_published() {
    let mut counts = (0, 0);
    for line in include_str!("../data/merkle_vectors.ndjson").lines() {
        let Line { file, vector } = serde_json::from_str(line).unwrap();
        let (refused, result) = if file.starts_with("inclusion/") { inclusion(vector) } else { consistency(vector) };
        assert_eq!(result.is_err(), refused, "{file}: {result:?}");
        count(&mut counts, refused);
    }
    assert_eq!(counts, (12, 184), "accepted and refused vectors");
}

/// Whether a vector is to be refused, and what became of it.
fn inclusion(vector: Value) -> (bool, Result<(), TlogError>) {
    let vector: Inclusion = serde_json::from_value(vector).unwrap();
    let arguments = hashes(vector.proof.as_deref()).and_then(|proof| Ok((proof, vector.leaf_hash.hash()?)));
    let result =
        arguments.and_then(|(proof, leaf)| verify_inclusion(vector.leaf_idx, vector.tree_size, &leaf, &proof, &vector.root.stand_in()));
    (vector.want_err, result)
}

fn consistency(vector: Value) -> (bool, Result<(), TlogError>) {
    let vector: Consistency = serde_json::from_value(vector).unwrap();
    let result = hashes(vector.proof.as_deref())
        .and_then(|proof| verify_consistency(vector.size1, vector.size2, &vector.root1.stand_in(), &vector.root2.stand_in(), &proof));
    (vector.want_err, result)
}

fn count(counts: &mut (u32, u32), refused: bool) {
    if refused {
        counts.1 += 1;
    } else {
        counts.0 += 1;
    }
}
