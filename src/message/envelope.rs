//! The envelope: compact JWE, ECDH-ES+A256KW with P-256 and A256GCM only (RFC 7516, RFC 7518 section 4.6; protocol sections 2 and 6).
//!
//! Promises: five canonical base64url parts and exactly six header members reach the library, an ephemeral point on the curve, an encrypted
//! key of 40 bytes, an initialisation vector of 12 and a tag of 16; so nothing is inflated, no `crit` is passed over, no tag is cut, and
//! there is no length on which the library panics. The library sees values this gate has parsed, never the text. Everything wrong beyond
//! the five parts is the one error [`EnvelopeError::DecryptFailed`]. This is the only file that names josekit.
//! Not here: who sealed an envelope. Only the signature inside says that.

use josekit::jwe::{
    JweContentEncryption as _, JweDecrypter as _, JweEncrypter as _, JweHeader,
    alg::ecdh_es::{EcdhEsJweAlgorithm, EcdhEsJweDecrypter, EcdhEsJweEncrypter},
    enc::aesgcm::AesgcmJweEncryption,
};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    base64url, json,
    keys::{OpeningKey, PublicKey},
    profile::{ENVELOPE_TYP, MAX_ENVELOPE, MAX_HEADER},
};
use crate::domain::{digest::Digest, refusal::RefusalCode};

/// Why an envelope was not opened or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not five canonical base64url parts.
    #[error("not five base64url parts")]
    BadEnvelope,
    /// Not opened: one error for every reason, so that an answer tells a prober nothing.
    #[error("the envelope could not be opened")]
    DecryptFailed,
    /// Larger than allowed.
    #[error("the envelope is too large")]
    TooLarge,
    /// The key could not be used, or sealing failed: our own fault, never the peer's.
    #[error("the envelope could not be made")]
    Failed,
}

impl EnvelopeError {
    /// The code of the refusal. `Failed` is no fault of the peer and stands for "try again later".
    #[must_use]
    pub const fn code(self) -> RefusalCode {
        match self {
            Self::BadEnvelope => RefusalCode::BadEnvelope,
            Self::DecryptFailed => RefusalCode::DecryptFailed,
            Self::TooLarge => RefusalCode::TooLarge,
            Self::Failed => RefusalCode::Overloaded,
        }
    }
}

/// Opens envelopes to one key. Building it parses the key, so it is built once and kept.
pub struct Opener {
    public: PublicKey,
    decrypter: EcdhEsJweDecrypter,
}

impl Opener {
    /// For a private key.
    pub fn new(key: &OpeningKey) -> Result<Self, EnvelopeError> {
        let pkcs8 = key.pkcs8().map_err(|_| EnvelopeError::Failed)?;
        let decrypter = ALGORITHM.decrypter_from_der(pkcs8.as_slice()).map_err(|_| EnvelopeError::Failed)?;
        Ok(Self { public: key.public().clone(), decrypter })
    }

    /// The key it opens for.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.public.thumbprint()
    }

    /// Its public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Opens an envelope whose content must be of the type `cty`.
    pub fn open(&self, envelope: &[u8], cty: &str) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let parts = Parts::read(envelope)?;
        let epk = self.read_header(&parts.header, cty).ok_or(EnvelopeError::DecryptFailed)?;
        self.decrypt(&parts, &epk).ok_or(EnvelopeError::DecryptFailed)
    }

    /// The ephemeral key, when the header is exactly ours.
    fn read_header(&self, bytes: &[u8], cty: &str) -> Option<PublicKey> {
        if bytes.len() > MAX_HEADER {
            return None;
        }
        let Ok(Value::Object(header)) = json::parse(bytes) else { return None };
        let kid = self.kid().to_string();
        let expected = [("alg", "ECDH-ES+A256KW"), ("enc", "A256GCM"), ("typ", ENVELOPE_TYP), ("cty", cty), ("kid", kid.as_str())];
        let exact = header.len() == 6 && expected.iter().all(|(name, value)| header.get(*name).and_then(Value::as_str) == Some(value));
        if exact { PublicKey::from_ephemeral(header.get("epk")?).ok() } else { None }
    }

    fn decrypt(&self, parts: &Parts<'_>, epk: &PublicKey) -> Option<Zeroizing<Vec<u8>>> {
        let sized = parts.encrypted_key.len() == 40 && parts.iv.len() == 12 && parts.tag.len() == 16 && !parts.ciphertext.is_empty();
        if !sized {
            return None;
        }
        let mut header = JweHeader::new();
        header.set_claim("epk", Some(epk.jwk())).ok()?;
        let mut key = self.decrypter.decrypt(Some(&parts.encrypted_key), &CONTENT, &header).ok()?.into_owned();
        let plaintext = CONTENT.decrypt(&key, Some(&parts.iv), &parts.ciphertext, parts.protected.as_bytes(), Some(&parts.tag));
        key.zeroize();
        plaintext.ok().map(Zeroizing::new)
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("kid", &self.kid().to_string()).finish_non_exhaustive()
    }
}

/// Seals envelopes to one key.
pub struct Sealer {
    kid: Digest,
    encrypter: EcdhEsJweEncrypter,
}

impl Sealer {
    /// To a public key.
    pub fn new(to: &PublicKey) -> Result<Self, EnvelopeError> {
        let mut info = SPKI_P256.to_vec();
        info.extend_from_slice(&to.point());
        let encrypter = ALGORITHM.encrypter_from_der(&info).map_err(|_| EnvelopeError::Failed)?;
        Ok(Self { kid: to.thumbprint(), encrypter })
    }

    /// Seals content of the type `cty`.
    pub fn seal(&self, cty: &str, plaintext: &[u8]) -> Result<String, EnvelopeError> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; 12];
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| EnvelopeError::Failed)?;
        aws_lc_rs::rand::fill(&mut iv).map_err(|_| EnvelopeError::Failed)?;

        // The library makes the ephemeral key and hands it back in the header it is given.
        let mut made = JweHeader::new();
        let wrapped = self.encrypter.encrypt(key.as_slice(), &JweHeader::new(), &mut made).map_err(|_| EnvelopeError::Failed)?;
        let (Some(wrapped), Some(epk)) = (wrapped, made.claim("epk")) else { return Err(EnvelopeError::Failed) };
        let header = serde_json::json!({
            "alg": "ECDH-ES+A256KW", "enc": "A256GCM", "typ": ENVELOPE_TYP, "cty": cty, "kid": self.kid, "epk": epk
        });
        let header = base64url::encode(json::canonical(&header).map_err(|_| EnvelopeError::Failed)?);
        let (ciphertext, tag) =
            CONTENT.encrypt(key.as_slice(), Some(&iv), plaintext, header.as_bytes()).map_err(|_| EnvelopeError::Failed)?;
        let tag = tag.ok_or(EnvelopeError::Failed)?;
        let envelope =
            [header, base64url::encode(wrapped), base64url::encode(iv), base64url::encode(ciphertext), base64url::encode(tag)].join(".");
        if envelope.len() > MAX_ENVELOPE { Err(EnvelopeError::TooLarge) } else { Ok(envelope) }
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("kid", &self.kid.to_string()).finish_non_exhaustive()
    }
}

/// Seals content of the type `cty` to a key.
pub fn seal(to: &PublicKey, cty: &str, plaintext: &[u8]) -> Result<String, EnvelopeError> {
    Sealer::new(to)?.seal(cty, plaintext)
}

struct Parts<'a> {
    /// The header as it came: the additional authenticated data (RFC 7516 section 5.1 step 14).
    protected: &'a str,
    header: Vec<u8>,
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn read(envelope: &'a [u8]) -> Result<Self, EnvelopeError> {
        if envelope.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge);
        }
        let text = std::str::from_utf8(envelope).map_err(|_| EnvelopeError::BadEnvelope)?;
        let mut parts = text.split('.');
        let (Some(protected), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(EnvelopeError::BadEnvelope);
        };
        // Without a header there is no envelope; what else is empty is a matter of opening it.
        if protected.is_empty() {
            return Err(EnvelopeError::BadEnvelope);
        }
        let decode = |part: &str| base64url::decode(part).map_err(|_| EnvelopeError::BadEnvelope);
        Ok(Self {
            protected,
            header: decode(protected)?,
            encrypted_key: decode(encrypted_key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        })
    }
}

const ALGORITHM: EcdhEsJweAlgorithm = EcdhEsJweAlgorithm::EcdhEsA256kw;
const CONTENT: AesgcmJweEncryption = AesgcmJweEncryption::A256gcm;
/// SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480 section 2).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

/// Openers and sealers are shared between tasks; this does not compile when they cannot be.
const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Opener>();
    shared::<Sealer>();
};
