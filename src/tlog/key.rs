//! Ed25519 keys of signed notes (C2SP signed-note, Signatures and Verifier keys).

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::TlogError;
use super::note::NoteSignature;

/// The name of a note's signer: not empty, without Unicode spaces, plus signs and control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The public half of a signer, for one type of signatures. Its text form is the "vkey".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedKey<const TYPE: u8> {
    name: KeyName,
    id: u32,
    public: [u8; PUBLIC_LEN],
}

/// The key of a log, and what verifiers pin.
pub type VerifierKey = TypedKey<ED25519_TYPE>;

/// A signing key. It is made from a seed that its owner wipes; the library wipes its own copy when the signer is dropped.
pub struct NoteSigner {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for KeyName {
    type Err = TlogError;

    fn from_str(text: &str) -> Result<Self, TlogError> {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(TlogError::KeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<const TYPE: u8> TypedKey<TYPE> {
    /// What is said about a key that is none.
    const WRONG: TlogError = if TYPE == COSIGNATURE_TYPE { TlogError::CosignerKey } else { TlogError::VerifierKey };

    /// A key by its name and its 32 bytes (RFC 8032 section 5.1.5).
    pub fn new(name: KeyName, public: [u8; PUBLIC_LEN]) -> Result<Self, TlogError> {
        if has_small_order(&public) || ParsedPublicKey::new(&ED25519, public).is_err() {
            return Err(Self::WRONG);
        }
        let mut context = digest::Context::new(&SHA256);
        context.update(name.0.as_bytes());
        context.update(&[b'\n', TYPE]);
        context.update(&public);
        let id = context.finish().as_ref().first_chunk().copied().map(u32::from_be_bytes).ok_or(Self::WRONG)?;
        Ok(Self { name, id, public })
    }

    /// Whose key it is.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key id: the first four bytes of SHA-256(name ‖ `0x0A` ‖ type ‖ key).
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; PUBLIC_LEN] {
        &self.public
    }

    /// Does the signature verify over these bytes?
    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> Result<(), TlogError> {
        let key = ParsedPublicKey::new(&ED25519, self.public).map_err(|_| Self::WRONG)?;
        key.verify_sig(text, signature).map_err(|_| TlogError::BadSignature)
    }
}

impl<const TYPE: u8> fmt::Display for TypedKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[TYPE][..], &self.public].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl<const TYPE: u8> std::str::FromStr for TypedKey<TYPE> {
    type Err = TlogError;

    fn from_str(text: &str) -> Result<Self, TlogError> {
        let read = || {
            let (name, rest) = text.split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let key = STANDARD.decode(key).ok()?;
            let (_, public) = key.split_first().filter(|(of, _)| **of == TYPE)?;
            Self::new(name.parse().ok()?, public.try_into().ok()?).ok()
        };
        // One key has one text, so that a pinned key can be compared as text; this also checks the key id.
        read().filter(|key| key.to_string() == text).ok_or(Self::WRONG)
    }
}

impl NoteSigner {
    /// The signer of this name with the private key that the 32-byte seed stands for (RFC 8032 section 5.1.5).
    pub fn from_seed(name: KeyName, seed: &Zeroizing<[u8; 32]>) -> Result<Self, TlogError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| TlogError::SigningKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| TlogError::SigningKey)?;
        Ok(Self { pair, verifier: VerifierKey::new(name, public)? })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note text.
    pub(super) fn sign(&self, text: &str) -> Result<NoteSignature, TlogError> {
        let signature = self.pair.try_sign(text.as_bytes()).map_err(|_| TlogError::SigningKey)?;
        Ok(NoteSignature::new(self.verifier.name.clone(), self.verifier.id, signature.as_ref().to_vec()))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("verifier", &self.verifier).field("pair", &"[redacted]").finish()
    }
}

/// Under a key of small order anybody can sign. The y-coordinates of the eight points of small order on edwards25519 with their non-canonical
/// spellings, sign bit aside: 0, 1, p - 1, p, p + 1 and the two of order 8.
fn has_small_order(public: &[u8; 32]) -> bool {
    let mut y = *public;
    y[31] &= 0x7f;
    let near_p = |low: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes[31] = 0x7f;
        bytes
    };
    let small = |low: u8| {
        let mut bytes = [0; 32];
        bytes[0] = low;
        bytes
    };
    [small(0), small(1), near_p(0xec), near_p(0xed), near_p(0xee), ORDER_8, ORDER_8_NEGATED].contains(&y)
}

pub(super) const ORDER_8: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
    0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];
pub(super) const ORDER_8_NEGATED: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
    0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];
const PUBLIC_LEN: usize = 32;
/// The signature type of Ed25519 (signed-note, Signature types).
const ED25519_TYPE: u8 = 0x01;
/// The signature type of Ed25519 cosignatures (tlog-cosignature, Format).
pub(super) const COSIGNATURE_TYPE: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_key_of_the_specification_is_read_and_written() {
        let key: VerifierKey = EXAMPLE.parse().unwrap();
        assert_eq!(key.name().as_str(), "example.com/foo");
        assert_eq!(key.id(), 0x530d_903a);
        assert_eq!(key.to_string(), EXAMPLE);
        assert_eq!(VerifierKey::new(key.name().clone(), *key.public_key()), Ok(key));
    }

    #[test]
    fn any_other_text_is_refused() {
        for text in [
            "",
            "example.com/foo",
            "example.com/foo+530d903a",
            "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
            "example.com/foo+530d903a+AQ==",
            "example.com/foo+530d903a+",
        ] {
            assert_eq!(text.parse::<VerifierKey>(), Err(TlogError::VerifierKey), "{text}");
        }
    }

    #[test]
    fn names_follow_the_rules() {
        for good in ["example.com/log42", "x", "つなぎ.example/台帳"] {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a+b", "a\nb", "a\tb", "a\u{3000}b", "a\u{a0}b", "a\u{85}", "a\0", "a\u{7f}", "a\u{2028}b"] {
            assert_eq!(bad.parse::<KeyName>(), Err(TlogError::KeyName), "{bad:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_key_of_rfc_8032() {
        // RFC 8032 section 7.1, test 1.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b,
            0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let public = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda,
            0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ];
        let signer = NoteSigner::from_seed("log".parse().unwrap(), &Zeroizing::new(seed)).unwrap();
        assert_eq!(signer.verifier().public_key(), &public);
    }

    #[test]
    fn debug_output_holds_no_private_key() {
        let signer = NoteSigner::from_seed("log".parse().unwrap(), &Zeroizing::new([0x5a; 32])).unwrap();
        let text = format!("{signer:?}");
        assert!(text.contains("[redacted]"), "{text}");
        assert!(!text.contains("5a5a") && !text.contains("90, 90"), "{text}");
    }
}
