//! Commitments of leaves to what stands beside them (`ledger.md` section 2): SHA-256(`tsunagi/opening/v1` ‖ salt ‖ JCS of the opening).
//!
//! Promises: a commitment tells nothing about its opening without the salt, and fits no other opening. AES-GCM does not commit to its key, which is why
//! the leaf commits to salted plaintext and not to ciphertext. Not here: encryption (the vault seals what [`SaltedOpening::to_bytes`] gives).

use aws_lc_rs::{
    digest::{Context, SHA256},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{LedgerError, Opening};
use crate::domain::digest::Digest;

/// The random part of a commitment. Whoever has it can test guesses of the opening, so it is sealed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; SALT_LEN]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt([redacted])")
    }
}

impl Salt {
    /// Base64url, for an auditor who checks the commitment.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An opening with its salt: the plaintext that is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaltedOpening {
    /// The salt.
    pub salt: Salt,
    /// The opening.
    pub opening: Opening,
}

impl SaltedOpening {
    /// Salts an opening freshly.
    pub fn new(opening: Opening) -> Result<Self, LedgerError> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).map_err(|_| LedgerError::NoEntropy)?;
        Ok(Self { salt: Salt(salt), opening })
    }

    /// The commitment that the leaf carries (`open_c`).
    pub fn commitment(&self) -> Result<Digest, LedgerError> {
        commit(&self.salt, &self.opening)
    }

    /// Whether this is what a leaf committed to.
    #[must_use]
    pub fn opens(&self, commitment: &Digest) -> bool {
        self.commitment().is_ok_and(|own| own == *commitment)
    }

    /// The JSON text that is sealed: `{"opening": {...}, "salt": base64url}`.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, LedgerError> {
        let salt = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.salt.0));
        let text = Text { salt: salt.as_str(), opening: &self.opening };
        serde_json::to_vec(&text).map(Zeroizing::new).map_err(|_| LedgerError::Canonical)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        let text: OwnedText = serde_json::from_slice(bytes).map_err(|_| LedgerError::Opening)?;
        let encoded = Zeroizing::new(text.salt);
        let salt = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded.as_bytes()).map_err(|_| LedgerError::Opening)?);
        let salt = salt.as_slice().try_into().map(Salt).map_err(|_| LedgerError::Opening)?;
        Ok(Self { salt, opening: text.opening })
    }
}

/// The commitment to an opening under a salt.
pub fn commit(salt: &Salt, opening: &Opening) -> Result<Digest, LedgerError> {
    let canonical = Zeroizing::new(serde_json_canonicalizer::to_vec(opening).map_err(|_| LedgerError::Canonical)?);
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(&salt.0);
    context.update(&canonical);
    context.finish().as_ref().try_into().map(Digest).map_err(|_| LedgerError::Canonical)
}

#[derive(Serialize)]
struct Text<'a> {
    salt: &'a str,
    opening: &'a Opening,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnedText {
    salt: String,
    opening: Opening,
}

const SALT_LEN: usize = 32;
/// Keeps a commitment from being mistaken for any other hash of this program.
const DOMAIN: &[u8] = b"tsunagi/opening/v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(staff: &str) -> Opening {
        Opening { staff: Some(staff.to_owned()), violations: vec!["x".to_owned()], ..Opening::default() }
    }

    #[test]
    fn the_commitment_is_the_hash_the_design_names() {
        let salted = SaltedOpening { salt: Salt([7; 32]), opening: opening("s-1") };
        let mut input = b"tsunagi/opening/v1".to_vec();
        input.extend_from_slice(&[7; 32]);
        input.extend_from_slice(br#"{"disclosed":[],"staff":"s-1","violations":["x"],"withheld":[]}"#);
        let expected = aws_lc_rs::digest::digest(&SHA256, &input);
        assert_eq!(salted.commitment().unwrap().0.as_slice(), expected.as_ref());
    }

    #[test]
    fn a_commitment_opens_with_its_salt_and_opening_only() {
        let salted = SaltedOpening::new(opening("s-1")).unwrap();
        let commitment = salted.commitment().unwrap();
        assert!(salted.opens(&commitment));
        assert!(!SaltedOpening { opening: opening("s-2"), ..salted.clone() }.opens(&commitment));
        assert!(!SaltedOpening::new(opening("s-1")).unwrap().opens(&commitment), "another salt");
    }

    #[test]
    fn the_sealed_text_reads_back() {
        let salted = SaltedOpening::new(opening("s-1")).unwrap();
        let read = SaltedOpening::from_bytes(&salted.to_bytes().unwrap()).unwrap();
        assert_eq!(read, salted);
        assert!(read.opens(&salted.commitment().unwrap()));
    }

    #[test]
    fn another_text_is_refused() {
        for bad in ["", "{}", r#"{"salt":"AA","opening":{}}"#, r#"{"salt":5,"opening":{}}"#] {
            assert_eq!(SaltedOpening::from_bytes(bad.as_bytes()), Err(LedgerError::Opening), "{bad}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let printed = format!("{:?}", SaltedOpening::new(opening("s-1")).unwrap());
        assert_eq!(printed, "SaltedOpening { salt: Salt([redacted]), opening: Opening([redacted]) }");
    }
}
