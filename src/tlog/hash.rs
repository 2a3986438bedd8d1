//! SHA-256 with the two prefixes of RFC 6962 section 2.1, which keep a leaf from ever being taken for an inner node.
//!
//! A [`Hash`] is written in standard base64 with padding, as the C2SP formats have it; a `Digest` of the protocol is base64url.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::TlogError;

/// The hash of a leaf, of an inner node or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Bytes in a hash.
    pub const LEN: usize = 32;

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl std::str::FromStr for Hash {
    type Err = TlogError;

    fn from_str(text: &str) -> Result<Self, TlogError> {
        Self::try_from(STANDARD.decode(text).map_err(|_| TlogError::Hash)?.as_slice())
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = TlogError;

    fn try_from(bytes: &[u8]) -> Result<Self, TlogError> {
        bytes.try_into().map(Self).map_err(|_| TlogError::Hash)
    }
}

/// The hash of one leaf: SHA-256(`0x00` ‖ leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut context = digest::Context::new(&SHA256);
    context.update(&[LEAF_PREFIX]);
    context.update(leaf);
    finished(context.finish())
}

/// The hash of an inner node: SHA-256(`0x01` ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut context = digest::Context::new(&SHA256);
    context.update(&[NODE_PREFIX]);
    context.update(&left.0);
    context.update(&right.0);
    finished(context.finish())
}

/// The root of the tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    finished(digest::digest(&SHA256, &[]))
}

fn finished(digest: digest::Digest) -> Hash {
    let mut bytes = [0; Hash::LEN];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    Hash(bytes)
}

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_equal_the_published_ones() {
        // The values of the Certificate Transparency test suite (RFC 6962 trees over the empty string and over one empty leaf).
        assert_eq!(empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(leaf_hash(b"").to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
        let pair = node_hash(&leaf_hash(b""), &leaf_hash(b"\0"));
        assert_eq!(pair.to_string(), "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=");
    }

    #[test]
    fn a_leaf_is_never_an_inner_node() {
        let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
        let forged = [&[NODE_PREFIX][..], left.as_bytes(), right.as_bytes()].concat();
        assert_ne!(leaf_hash(&forged[1..]), node_hash(&left, &right));
        assert_ne!(leaf_hash(&forged), node_hash(&left, &right));
    }

    #[test]
    fn text_has_one_spelling() {
        let text = leaf_hash(b"leaf").to_string();
        assert_eq!(text.parse(), Ok(leaf_hash(b"leaf")));
        let unpadded = text.trim_end_matches('=');
        let mut slack = unpadded.to_owned();
        let last = slack.pop().unwrap();
        slack.push(char::from_u32(last as u32 + 1).unwrap());
        slack.push('=');
        for bad in [unpadded, &slack, &format!(" {text}"), &format!("{text}\n"), "", "AAAA"] {
            assert_eq!(bad.parse::<Hash>(), Err(TlogError::Hash), "{bad}");
        }
    }

    #[test]
    fn bytes_of_another_length_are_refused() {
        assert_eq!(Hash::try_from(&[0_u8; 31][..]), Err(TlogError::Hash));
        assert_eq!(Hash::try_from(&[0_u8; 33][..]), Err(TlogError::Hash));
        assert_eq!(Hash::try_from(&[7_u8; 32][..]), Ok(Hash([7; 32])));
    }
}
