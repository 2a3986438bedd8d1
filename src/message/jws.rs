//! Compact JWS with ES256 and a header of exactly `alg`, `kid`, `typ` (RFC 7515; protocol section 2 "Other signed objects").
//!
//! Promises: the algorithm is the key's, the `kid` is the key's thumbprint, the `typ` is the one the caller expects, the payload was read strictly.
//! Claims of an [`Unverified`] token are unproven: use them to find the key and for nothing else.

use serde_json::Value;

use super::{
    Verified, base64url,
    json::{self, JsonError},
    keys::{KeyError, PublicKey, SigningKey},
    profile::{MAX_HEADER, MAX_PAYLOAD},
    sha256,
};
use crate::domain::{digest::Digest, refusal::RefusalCode};

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three canonical base64url parts.
    #[error("not a compact JWS")]
    Form,
    /// The header is not exactly `alg` ES256, `kid` a thumbprint and the expected `typ`.
    #[error("not the header of this token")]
    Header,
    /// The payload is not an object the strict reader takes.
    #[error("payload: {0}")]
    Payload(JsonError),
    /// Longer than allowed.
    #[error("longer than allowed")]
    Limit,
    /// The key is not the one named, or the signature is not its signature.
    #[error("not signed by this key")]
    Signature,
    /// The token could not be signed.
    #[error("signing failed: {0}")]
    Signing(#[from] KeyError),
}

impl TokenError {
    /// The code of the refusal.
    #[must_use]
    pub const fn code(self) -> RefusalCode {
        match self {
            Self::Limit | Self::Payload(JsonError::Limit) => RefusalCode::LimitExceeded,
            _ => RefusalCode::BadToken,
        }
    }
}

/// Signs claims (an object) as a token of a type.
pub fn sign(key: &SigningKey, typ: &str, claims: &Value) -> Result<String, TokenError> {
    let header = serde_json::json!({"alg": "ES256", "kid": key.public().thumbprint(), "typ": typ});
    let payload = json::canonical(claims).map_err(TokenError::Payload)?;
    // What the strict reader would not take back is not signed.
    read_payload(&payload)?;
    let header = json::canonical(&header).map_err(|_| TokenError::Header)?;
    let mut token = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// A token that was read but not verified.
#[derive(Clone)]
pub struct Unverified {
    token: String,
    kid: Digest,
    claims: Value,
}

impl Unverified {
    /// Reads a token of a type.
    pub fn read(token: &[u8], typ: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Limit);
        }
        let token = std::str::from_utf8(token).map_err(|_| TokenError::Form)?;
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TokenError::Form);
        };
        base64url::decode_exact::<64>(signature).map_err(|_| TokenError::Form)?;
        let kid = read_header(&base64url::decode(header).map_err(|_| TokenError::Form)?, typ)?;
        let claims = read_payload(&base64url::decode(payload).map_err(|_| TokenError::Form)?)?;
        Ok(Self { token: token.to_owned(), kid, claims })
    }

    /// The key the token names.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.kid
    }

    /// The claims, unproven. Only for finding the key.
    #[must_use]
    pub const fn claims(&self) -> &Value {
        &self.claims
    }

    /// The token as it came.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// SHA-256 of the token as it came. Never a replay key: an ECDSA signature has two valid forms.
    #[must_use]
    pub fn digest(&self) -> Digest {
        sha256(self.token.as_bytes())
    }

    /// What is signed (RFC 7515 section 5.1): header and payload as they came.
    #[must_use]
    pub fn signing_input(&self) -> &str {
        self.token.rsplit_once('.').map_or("", |(signed, _)| signed)
    }

    /// Checks the signature and gives the claims out as proven.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<Value>, TokenError> {
        self.check(key)?;
        Ok(Verified::new(self.claims))
    }

    /// Whether the key is the one named and the signature its own.
    pub(super) fn check(&self, key: &PublicKey) -> Result<(), TokenError> {
        let (signed, signature) = self.token.rsplit_once('.').ok_or(TokenError::Form)?;
        if self.kid == key.thumbprint() && key.verifies(signed.as_bytes(), signature) { Ok(()) } else { Err(TokenError::Signature) }
    }
}

impl std::fmt::Debug for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("kid", &self.kid.to_string()).finish_non_exhaustive()
    }
}

fn read_header(bytes: &[u8], typ: &str) -> Result<Digest, TokenError> {
    if bytes.len() > MAX_HEADER {
        return Err(TokenError::Limit);
    }
    let Ok(Value::Object(header)) = json::parse(bytes) else { return Err(TokenError::Header) };
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if header.len() != 3 || text("alg") != Some("ES256") || text("typ") != Some(typ) {
        return Err(TokenError::Header);
    }
    text("kid").and_then(|kid| kid.parse().ok()).ok_or(TokenError::Header)
}

fn read_payload(bytes: &[u8]) -> Result<Value, TokenError> {
    if bytes.len() > MAX_PAYLOAD {
        return Err(TokenError::Limit);
    }
    match json::parse(bytes) {
        Ok(claims @ Value::Object(_)) => Ok(claims),
        Ok(_) => Err(TokenError::Payload(JsonError::Syntax)),
        Err(fault) => Err(TokenError::Payload(fault)),
    }
}

/// Header, payload and signature in base64url, and two dots.
const MAX_TOKEN: usize = (MAX_HEADER + MAX_PAYLOAD).div_ceil(3) * 4 + 96;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TYP: &str = "tsunagi-test+jwt";

    fn raw(header: &str, payload: &str, key: &SigningKey) -> String {
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        format!("{signed}.{}", key.sign(signed.as_bytes()).unwrap())
    }

    #[test]
    fn a_token_is_verified_with_its_own_key_only() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let token = sign(&key, TYP, &json!({"iss": "auditor:tokyo"})).unwrap();
        let read = Unverified::read(token.as_bytes(), TYP).unwrap();
        assert_eq!(read.kid(), key.public().thumbprint());
        assert_eq!(read.signing_input(), token.rsplit_once('.').unwrap().0);
        assert_eq!(read.clone().verify(other.public()).err(), Some(TokenError::Signature));
        assert_eq!(read.verify(key.public()).unwrap().get(), &json!({"iss": "auditor:tokyo"}));
    }

    #[test]
    fn the_header_is_exactly_three_members() {
        let key = SigningKey::generate().unwrap();
        let kid = key.public().thumbprint();
        assert!(Unverified::read(raw(&format!(r#"{{"typ":"{TYP}","kid":"{kid}","alg":"ES256"}}"#), "{}", &key).as_bytes(), TYP).is_ok());
        for bad in [
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"es256","kid":"{kid}","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"application/{TYP}"}}"#),
            format!(r#"{{"alg":"ES256","kid":"key-1","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"ES256","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"{TYP}","crit":["b64"],"b64":false}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"{TYP}","jwk":{}}}"#, key.public().jwk()),
            format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"{TYP}"}}"#),
            "[]".to_owned(),
        ] {
            assert_eq!(Unverified::read(raw(&bad, "{}", &key).as_bytes(), TYP).err(), Some(TokenError::Header), "{bad}");
        }
        let long = format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"{TYP}","x":"{}"}}"#, "x".repeat(1024));
        assert_eq!(Unverified::read(raw(&long, "{}", &key).as_bytes(), TYP).err(), Some(TokenError::Limit));
    }

    #[test]
    fn the_form_is_three_canonical_parts() {
        let key = SigningKey::generate().unwrap();
        let token = sign(&key, TYP, &json!({})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        for bad in [
            String::new(),
            signed.to_owned(),
            format!("{token}."),
            format!("{token}.x"),
            format!("{signed}."),
            format!("{signed}.{}", &signature[..80]),
            format!("{signed}.{signature}="),
            format!(" {token}"),
            format!("{token}\n"),
            token.replacen('.', "=.", 1),
        ] {
            assert_eq!(Unverified::read(bad.as_bytes(), TYP).err(), Some(TokenError::Form), "{bad}");
        }
        assert_eq!(Unverified::read(b"\xff.\xff.\xff", TYP).err(), Some(TokenError::Form));
    }

    #[test]
    fn the_payload_is_an_object_within_limits() {
        let key = SigningKey::generate().unwrap();
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"{TYP}"}}"#, key.public().thumbprint());
        for (payload, fault) in
            [("[]", JsonError::Syntax), (r#"{"a":1,"a":2}"#, JsonError::Duplicate), (r#"{"iat":1.5}"#, JsonError::Number)]
        {
            assert_eq!(Unverified::read(raw(&header, payload, &key).as_bytes(), TYP).err(), Some(TokenError::Payload(fault)), "{payload}");
        }
        let long = format!("{{{}}}", " ".repeat(MAX_PAYLOAD));
        assert_eq!(Unverified::read(raw(&header, &long, &key).as_bytes(), TYP).err(), Some(TokenError::Limit));
        assert_eq!(Unverified::read(&vec![b'a'; MAX_TOKEN + 1], TYP).err(), Some(TokenError::Limit));
        assert_eq!(sign(&key, TYP, &json!({"a": 0.5})).err(), Some(TokenError::Payload(JsonError::Number)));
    }

    #[test]
    fn the_other_form_of_a_signature_verifies_too_and_is_the_same_signed_input() {
        // (r, n - s) is as good as (r, s): this is why no token hash may serve as a replay key.
        let key = SigningKey::generate().unwrap();
        let token = sign(&key, TYP, &json!({"a": 1})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut bytes: [u8; 64] = base64url::decode_exact(signature).unwrap();
        let order: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e,
            0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ];
        let mut borrow = 0i16;
        for (s, n) in bytes[32..].iter_mut().zip(order).rev() {
            let difference = i16::from(n) - i16::from(*s) - borrow;
            borrow = i16::from(difference < 0);
            *s = u8::try_from(difference.rem_euclid(256)).unwrap();
        }
        let twin = format!("{signed}.{}", base64url::encode(bytes));
        let (one, two) = (Unverified::read(token.as_bytes(), TYP).unwrap(), Unverified::read(twin.as_bytes(), TYP).unwrap());
        assert_ne!(one.digest(), two.digest());
        assert_eq!(one.signing_input(), two.signing_input());
        assert!(one.verify(key.public()).is_ok() && two.verify(key.public()).is_ok());
    }
}
