//! The envelope: compact JWE, ECDH-ES+A256KW with P-256 and A256GCM only (RFC 7516, RFC 7518 section 4.6; protocol sections 2 and 6).
//!
//! Promises: five canonical base64url parts and exactly six header members, an ephemeral point on the curve, an encrypted key of 40 bytes, an
//! initialisation vector of 12 and a tag of 16 are looked at, and nothing else; so nothing is inflated, no `crit` is passed over, no tag is cut.
//! There is one algorithm and no choice, so the steps of the RFC stand here, on the primitives of AWS-LC; tests hold them against a JOSE library
//! in both directions. Everything wrong beyond the five parts is the one error [`EnvelopeError::DecryptFailed`].
//! Not here: who sealed an envelope. Only the signature inside says that.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, ParsedPublicKey, PrivateKey, UnparsedPublicKey},
    digest::{Context, SHA256},
    key_wrap::{AES_256, AesKek, KeyWrap as _},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    base64url, json,
    keys::{OpeningKey, PublicKey, ephemeral_jwk, ephemeral_point},
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
    private: PrivateKey,
}

impl Opener {
    /// For a private key.
    pub fn new(key: &OpeningKey) -> Result<Self, EnvelopeError> {
        let private = key.agreeing().map_err(|_| EnvelopeError::Failed)?;
        Ok(Self { public: key.public().clone(), private })
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

    /// The ephemeral point, when the header is exactly ours.
    fn read_header(&self, bytes: &[u8], cty: &str) -> Option<[u8; 65]> {
        if bytes.len() > MAX_HEADER {
            return None;
        }
        let Ok(Value::Object(header)) = json::parse(bytes) else { return None };
        let kid = self.kid().to_string();
        let expected = [("alg", ALGORITHM), ("enc", "A256GCM"), ("typ", ENVELOPE_TYP), ("cty", cty), ("kid", kid.as_str())];
        let exact = header.len() == 6 && expected.iter().all(|(name, value)| header.get(*name).and_then(Value::as_str) == Some(value));
        if exact { ephemeral_point(header.get("epk")?).ok() } else { None }
    }

    fn decrypt(&self, parts: &Parts<'_>, epk: &[u8; 65]) -> Option<Zeroizing<Vec<u8>>> {
        if parts.encrypted_key.len() != WRAPPED || parts.tag.len() != TAG || parts.ciphertext.is_empty() {
            return None;
        }
        let nonce: [u8; NONCE_LEN] = parts.iv.as_slice().try_into().ok()?;
        // The library takes a point of the curve and no other.
        let kek = agreement::agree(&self.private, UnparsedPublicKey::new(&ECDH_P256, epk), (), |secret| Ok(derive(secret))).ok()?;
        let mut key = Zeroizing::new([0; KEY]);
        AesKek::new(&AES_256, kek.as_slice()).ok()?.unwrap(&parts.encrypted_key, key.as_mut_slice()).ok()?;
        let mut plaintext = Zeroizing::new(vec![0; parts.ciphertext.len()]);
        content_key(&key)?
            .open_separate_gather(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(parts.protected),
                &parts.ciphertext,
                &parts.tag,
                plaintext.as_mut_slice(),
            )
            .ok()?;
        Some(plaintext)
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
    to: ParsedPublicKey,
}

impl Sealer {
    /// To a public key.
    pub fn new(to: &PublicKey) -> Result<Self, EnvelopeError> {
        let point = UnparsedPublicKey::new(&ECDH_P256, to.point()).try_into().map_err(|_| EnvelopeError::Failed)?;
        Ok(Self { kid: to.thumbprint(), to: point })
    }

    /// Seals content of the type `cty`.
    pub fn seal(&self, cty: &str, plaintext: &[u8]) -> Result<String, EnvelopeError> {
        let mut key = Zeroizing::new([0; KEY]);
        let mut iv = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| EnvelopeError::Failed)?;
        aws_lc_rs::rand::fill(&mut iv).map_err(|_| EnvelopeError::Failed)?;

        let ephemeral = PrivateKey::generate(&ECDH_P256).map_err(|_| EnvelopeError::Failed)?;
        let point = ephemeral.compute_public_key().map_err(|_| EnvelopeError::Failed)?;
        let epk = ephemeral_jwk(point.as_ref()).map_err(|_| EnvelopeError::Failed)?;
        let kek = agreement::agree(&ephemeral, self.to.clone(), EnvelopeError::Failed, |secret| Ok(derive(secret)))?;
        let mut wrapped = [0; WRAPPED];
        let kek = AesKek::new(&AES_256, kek.as_slice()).map_err(|_| EnvelopeError::Failed)?;
        kek.wrap(key.as_slice(), &mut wrapped).map_err(|_| EnvelopeError::Failed)?;

        let header = serde_json::json!({
            "alg": ALGORITHM, "enc": "A256GCM", "typ": ENVELOPE_TYP, "cty": cty, "kid": self.kid, "epk": epk
        });
        let header = base64url::encode(json::canonical(&header).map_err(|_| EnvelopeError::Failed)?);
        let mut content = plaintext.to_vec();
        let tag = content_key(&key)
            .ok_or(EnvelopeError::Failed)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut content)
            .map_err(|_| EnvelopeError::Failed)?;
        let mut envelope = header;
        envelope.reserve(content.len() / 3 * 4 + ROOM);
        for part in [wrapped.as_slice(), &iv, &content, tag.as_ref()] {
            envelope.push('.');
            base64url::encode_onto(part, &mut envelope);
        }
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

/// The key that wraps, from the agreed secret: one round of Concat KDF with no party's information (RFC 7518 section 4.6.2).
fn derive(secret: &[u8]) -> Zeroizing<[u8; KEY]> {
    let text = |part: &[u8]| u32::try_from(part.len()).unwrap_or_default().to_be_bytes();
    let mut hash = Context::new(&SHA256);
    hash.update(&1_u32.to_be_bytes());
    hash.update(secret);
    hash.update(&text(ALGORITHM.as_bytes()));
    hash.update(ALGORITHM.as_bytes());
    // PartyUInfo and PartyVInfo, both empty.
    hash.update(&text(&[]));
    hash.update(&text(&[]));
    hash.update(&KEY_BITS.to_be_bytes());
    let mut key = Zeroizing::new([0; KEY]);
    for (to, from) in key.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    key
}

fn content_key(key: &[u8; KEY]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

const ALGORITHM: &str = "ECDH-ES+A256KW";
/// A 256-bit key.
const KEY: usize = 32;
const KEY_BITS: u32 = 256;
/// The same wrapped (RFC 3394).
const WRAPPED: usize = 40;
/// Never shorter (RFC 7518 section 5.3).
const TAG: usize = 16;
/// The short parts of an envelope in base64url, and the points between them.
const ROOM: usize = 128;

/// Openers and sealers are shared between tasks; this does not compile when they cannot be.
const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Opener>();
    shared::<Sealer>();
};
