//! Keys of parties and of the gateway: P-256 only, parsed once (protocol section 1; RFC 7517, RFC 7518 section 6.2, RFC 7638).
//!
//! Promises: a [`PublicKey`] is a point on the curve, its `kid` is its own thumbprint, and its algorithm follows from its kind, never from a token.
//! Private keys print as `[redacted]` and are wiped when dropped. Not here: whether a key is registered, active or revoked.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::{base64url, json, sha256};
use crate::domain::{codes::closed_list, digest::Digest};

closed_list! {
    /// What a key is for.
    KeyUse {
        /// Signs, ES256.
        Sig = "sig",
        /// Opens envelopes, ECDH-ES on P-256.
        Enc = "enc",
    }
}

impl KeyUse {
    /// The one algorithm of this kind of key.
    #[must_use]
    pub const fn algorithm(self) -> &'static str {
        match self {
            Self::Sig => "ES256",
            Self::Enc => "ECDH-ES+A256KW",
        }
    }
}

/// Why a key was not taken. Never quotes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a JWK of kty EC and crv P-256 with the members of its kind and no others.
    #[error("not a P-256 JWK of this kind")]
    Form,
    /// The point is not on the curve, or does not belong to the private key.
    #[error("not a point of the curve or not the point of the key")]
    Point,
    /// `kid`, `use` or `alg` is there and says something else.
    #[error("kid, use or alg disagrees with the key")]
    Disagrees,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Failed,
}

/// A public key. Equal when the point is equal.
#[derive(Clone)]
pub struct PublicKey {
    x: [u8; 32],
    y: [u8; 32],
    thumbprint: Digest,
    decoding: DecodingKey,
}

impl PublicKey {
    /// From a public JWK: `kty`, `crv`, `x`, `y`; `kid`, `use`, `alg` may be there and must agree; nothing else may.
    pub fn from_jwk(jwk: &Value, purpose: KeyUse) -> Result<Self, KeyError> {
        let members = jwk.as_object().ok_or(KeyError::Form)?;
        if members.keys().any(|name| !PUBLIC_MEMBERS.contains(&name.as_str())) {
            return Err(KeyError::Form);
        }
        Self::from_members(members, Some(purpose))
    }

    /// From the bytes of a public JWK, read strictly.
    pub fn from_jwk_bytes(jwk: &[u8], purpose: KeyUse) -> Result<Self, KeyError> {
        Self::from_jwk(&json::parse(jwk).map_err(|_| KeyError::Form)?, purpose)
    }

    /// From an ephemeral key (RFC 7518 section 4.6.1.1): exactly `kty`, `crv`, `x`, `y`.
    pub(super) fn from_ephemeral(jwk: &Value) -> Result<Self, KeyError> {
        let members = jwk.as_object().filter(|members| members.len() == 4).ok_or(KeyError::Form)?;
        Self::from_members(members, None)
    }

    fn from_members(members: &Map<String, Value>, purpose: Option<KeyUse>) -> Result<Self, KeyError> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if text("kty") != Some("EC") || text("crv") != Some("P-256") {
            return Err(KeyError::Form);
        }
        let coordinate = |name: &str| text(name).and_then(|value| base64url::decode_exact(value).ok()).ok_or(KeyError::Form);
        let key = Self::from_point(coordinate("x")?, coordinate("y")?)?;
        let agrees = |name: &str, expected: &str| members.get(name).is_none_or(|value| value.as_str() == Some(expected));
        let fits = purpose.is_none_or(|purpose| agrees("use", purpose.as_str()) && agrees("alg", purpose.algorithm()));
        if fits && agrees("kid", &key.thumbprint.to_string()) { Ok(key) } else { Err(KeyError::Disagrees) }
    }

    fn from_point(x: [u8; 32], y: [u8; 32]) -> Result<Self, KeyError> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(&x, &y)).map_err(|_| KeyError::Point)?;
        let (x64, y64) = (base64url::encode(x), base64url::encode(y));
        let decoding = DecodingKey::from_ec_components(&x64, &y64).map_err(|_| KeyError::Point)?;
        let thumbprint = sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x64}","y":"{y64}"}}"#).as_bytes());
        Ok(Self { x, y, thumbprint, decoding })
    }

    /// The public JWK: `kty`, `crv`, `x`, `y`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        serde_json::json!({"kty": "EC", "crv": "P-256", "x": base64url::encode(self.x), "y": base64url::encode(self.y)})
    }

    /// RFC 7638 thumbprint with SHA-256: the `kid`.
    #[must_use]
    pub const fn thumbprint(&self) -> Digest {
        self.thumbprint
    }

    /// The point in uncompressed form (SEC 1 section 2.3.3).
    #[must_use]
    pub fn point(&self) -> [u8; 65] {
        uncompressed(&self.x, &self.y)
    }

    /// Whether an ES256 signature in base64url (RFC 7518 section 3.4) is this key's over the message.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        // The length is fixed first, so that only the form of RFC 7518 section 3.4 reaches the library.
        base64url::decode_exact::<64>(signature).is_ok()
            && jsonwebtoken::crypto::verify(signature, message, &self.decoding, Algorithm::ES256).unwrap_or(false)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.x == other.x && self.y == other.y
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.thumbprint.to_string()).finish_non_exhaustive()
    }
}

/// A private ES256 key.
pub struct SigningKey {
    private: Private,
    encoding: EncodingKey,
}

impl SigningKey {
    /// From the bytes of a private JWK: `kty`, `crv`, `x`, `y`, `d`; `kid`, `use`, `alg` may be there and must agree.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, KeyError> {
        Self::new(Private::from_jwk(jwk, KeyUse::Sig)?)
    }

    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(Private::generate()?)
    }

    fn new(private: Private) -> Result<Self, KeyError> {
        let encoding = EncodingKey::from_ec_der(&private.pkcs8()?);
        Ok(Self { private, encoding })
    }

    /// The private JWK. Wiped when dropped.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<Vec<u8>> {
        self.private.to_jwk(KeyUse::Sig)
    }

    /// Its public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.private.public
    }

    /// The ES256 signature over the message, in base64url.
    pub fn sign(&self, message: &[u8]) -> Result<String, KeyError> {
        jsonwebtoken::crypto::sign(message, &self.encoding, Algorithm::ES256).map_err(|_| KeyError::Failed)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// A private ECDH-ES key on P-256: opens envelopes.
pub struct OpeningKey {
    private: Private,
}

impl OpeningKey {
    /// From the bytes of a private JWK: `kty`, `crv`, `x`, `y`, `d`; `kid`, `use`, `alg` may be there and must agree.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, KeyError> {
        Private::from_jwk(jwk, KeyUse::Enc).map(|private| Self { private })
    }

    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        Private::generate().map(|private| Self { private })
    }

    /// The private JWK. Wiped when dropped.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<Vec<u8>> {
        self.private.to_jwk(KeyUse::Enc)
    }

    /// Its public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.private.public
    }

    /// PKCS#8, for the envelope's library.
    pub(super) fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.private.pkcs8()
    }
}

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpeningKey([redacted])")
    }
}

struct Private {
    scalar: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl Private {
    fn from_jwk(jwk: &[u8], purpose: KeyUse) -> Result<Self, KeyError> {
        let Ok(Value::Object(mut members)) = json::parse(jwk) else { return Err(KeyError::Form) };
        let Some(Value::String(mut text)) = members.remove("d") else { return Err(KeyError::Form) };
        let scalar = base64url::decode(&text).map(Zeroizing::new);
        text.zeroize();
        let scalar = scalar.map_err(|_| KeyError::Form)?;
        let scalar: Zeroizing<[u8; 32]> = Zeroizing::new(scalar.as_slice().try_into().map_err(|_| KeyError::Form)?);
        let public = PublicKey::from_jwk(&Value::Object(members), purpose)?;
        let private = Self { scalar, public };
        private.pair()?;
        Ok(private)
    }

    fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Failed)?;
        let point = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else { return Err(KeyError::Failed) };
        let public = PublicKey::from_point(x.try_into().map_err(|_| KeyError::Failed)?, y.try_into().map_err(|_| KeyError::Failed)?)?;
        let scalar = aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&pair.private_key()).map_err(|_| KeyError::Failed)?;
        Ok(Self { scalar: Zeroizing::new(scalar.as_ref().try_into().map_err(|_| KeyError::Failed)?), public })
    }

    /// The library's form. It refuses a scalar that does not belong to the point.
    fn pair(&self) -> Result<EcdsaKeyPair, KeyError> {
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, self.scalar.as_slice(), &self.public.point())
            .map_err(|_| KeyError::Point)
    }

    fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = self.pair()?.to_pkcs8v1().map_err(|_| KeyError::Failed)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    fn to_jwk(&self, purpose: KeyUse) -> Zeroizing<Vec<u8>> {
        let (x, y, kid) = (base64url::encode(self.public.x), base64url::encode(self.public.y), self.public.thumbprint);
        let d = Zeroizing::new(base64url::encode(self.scalar.as_slice()));
        let alg = purpose.algorithm();
        // Room for everything, so that the buffer never moves and leaves a copy behind.
        let mut out = Zeroizing::new(Vec::with_capacity(512));
        for part in [r#"{"kty":"EC","crv":"P-256","x":""#, &x, r#"","y":""#, &y, r#"","d":""#, &d, r#"","use":""#, purpose.as_str()] {
            out.extend_from_slice(part.as_bytes());
        }
        for part in [r#"","alg":""#, alg, r#"","kid":""#, &kid.to_string(), r#""}"#] {
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

fn uncompressed(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *to = *from;
    }
    point
}

const PUBLIC_MEMBERS: [&str; 7] = ["kty", "crv", "x", "y", "kid", "use", "alg"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7515 appendix A.3.
    fn rfc7515() -> Value {
        json!({"kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut jwk = rfc7515();
        jwk[name] = value.into();
        jwk
    }

    #[test]
    fn the_signature_of_rfc_7515_appendix_a_3_is_verified() {
        let key = PublicKey::from_jwk(&rfc7515(), KeyUse::Sig).unwrap();
        let message =
            b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert!(key.verifies(message, signature));
        assert!(!key.verifies(b"eyJhbGciOiJFUzI1NiJ9.e30", signature));
        for bad in ["", "A", "AAAA", &signature[..85], &format!("{signature}AA"), &signature.replace('D', "E")] {
            assert!(!key.verifies(message, bad), "{bad}");
        }
    }

    #[test]
    fn what_is_said_about_a_key_must_be_true() {
        let kid = PublicKey::from_jwk(&rfc7515(), KeyUse::Sig).unwrap().thumbprint().to_string();
        for (name, good) in [("kid", kid.as_str()), ("use", "sig"), ("alg", "ES256")] {
            assert!(PublicKey::from_jwk(&with(name, good), KeyUse::Sig).is_ok(), "{name}");
        }
        for (name, bad) in [("kid", "key-1"), ("use", "enc"), ("alg", "ES384"), ("alg", "none")] {
            assert_eq!(PublicKey::from_jwk(&with(name, bad), KeyUse::Sig), Err(KeyError::Disagrees), "{name} {bad}");
        }
        assert_eq!(PublicKey::from_jwk(&with("use", "sig"), KeyUse::Enc), Err(KeyError::Disagrees));
        assert_eq!(PublicKey::from_jwk(&with("kid", 1), KeyUse::Sig), Err(KeyError::Disagrees));
    }

    #[test]
    fn only_public_p256_keys_are_public_keys() {
        let good = rfc7515();
        let x = good["x"].as_str().unwrap();
        for bad in [
            with("kty", "OKP"),
            with("crv", "P-384"),
            with("crv", "secp256k1"),
            with("d", "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
            with("key_ops", json!(["verify"])),
            with("x", format!("{x}=")),
            with("x", &x[..42]),
            with("x", format!("{}V", &x[..42])),
            with("y", json!(null)),
            json!([]),
            json!({"kty": "oct", "k": "AAAA"}),
        ] {
            assert_eq!(PublicKey::from_jwk(&bad, KeyUse::Sig), Err(KeyError::Form), "{bad}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        for bad in [with("y", rfc7515()["x"].clone()), with("x", base64url::encode([0; 32])), with("x", base64url::encode([0xff; 32]))] {
            assert_eq!(PublicKey::from_jwk(&bad, KeyUse::Enc), Err(KeyError::Point), "{bad}");
        }
    }

    #[test]
    fn a_private_key_is_written_and_read_back_and_signs_for_its_public_key() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(key.public(), again.public());
        assert!(key.public().verifies(b"message", &again.sign(b"message").unwrap()));
        assert!(!SigningKey::generate().unwrap().public().verifies(b"message", &again.sign(b"message").unwrap()));
        let opening = OpeningKey::generate().unwrap();
        assert_eq!(OpeningKey::from_jwk(&opening.to_jwk()).unwrap().public(), opening.public());
        assert_eq!(SigningKey::from_jwk(&opening.to_jwk()).err(), Some(KeyError::Disagrees));
    }

    #[test]
    fn a_private_scalar_of_another_point_is_refused() {
        let mut jwk = rfc7515();
        jwk["d"] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI".into();
        assert!(SigningKey::from_jwk(jwk.to_string().as_bytes()).is_ok());
        for bad in [base64url::encode([1; 32]), base64url::encode([0; 32]), base64url::encode([0xff; 32])] {
            jwk["d"] = bad.into();
            assert_eq!(SigningKey::from_jwk(jwk.to_string().as_bytes()).err(), Some(KeyError::Point));
        }
        jwk["d"] = base64url::encode([1; 31]).into();
        assert_eq!(SigningKey::from_jwk(jwk.to_string().as_bytes()).err(), Some(KeyError::Form));
    }

    #[test]
    fn private_keys_do_not_print() {
        let (signing, opening) = (SigningKey::generate().unwrap(), OpeningKey::generate().unwrap());
        assert_eq!(format!("{signing:?} {opening:?}"), "SigningKey([redacted]) OpeningKey([redacted])");
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        // Computed by hand from the members in lexicographic order without spaces.
        let key = PublicKey::from_jwk(&rfc7515(), KeyUse::Sig).unwrap();
        let canonical = json::canonical(&rfc7515()).unwrap();
        assert_eq!(key.thumbprint(), sha256(&canonical));
    }
}
