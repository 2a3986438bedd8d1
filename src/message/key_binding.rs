//! The key binding of a release (RFC 9901 section 4.3; protocol section 2 "Release"): the gateway's signature over exactly what was shown, to whom and why.
//!
//! Promises: only the key named in the message's `cnf` binds it; the header is exactly `alg`, `kid`, `typ`; the claims are exactly the protocol's.
//! Not here: the ledger commit that must come first, and the envelope around the result.

use serde_json::Value;

use super::{
    disclosed::{ConsentRef, Presentation},
    jws::{self, TokenError},
    keys::{KeyError, SigningKey},
    members::{Members, Object},
    profile::KEY_BINDING_TYP,
    submission::AgreementRef,
};
use crate::domain::{
    codes::UnknownCode,
    digest::Digest,
    ids::Jti,
    party::PartyId,
    refusal::{Refusal, RefusalCode},
    time::Timestamp,
};

/// The reader's challenge: 16 to 64 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// As it stands in the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Nonce {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if form { Ok(Self(text.to_owned())) } else { Err(UnknownCode("Nonce")) }
    }
}

impl<'de> serde::Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why and under what a release was made: the member `tsn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// Origin of the ledger.
    pub origin: String,
    /// Index of the ledger entry.
    pub idx: u64,
    /// Agreement it was released under.
    pub agr: AgreementRef,
    /// Digest of the policy set that decided.
    pub pol: Digest,
    /// The agreement's handling terms (Act art. 70).
    pub terms: Vec<String>,
    /// Whom the reader acts for, `for`.
    pub on_behalf_of: Option<PartyId>,
    /// The consent, for readers of `consent_detail` only.
    pub con: Option<ConsentRef>,
}

/// Claims of a key binding, without the `sd_hash` that the presentation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KbClaims {
    /// When it was released.
    pub iat: Timestamp,
    /// The reader.
    pub aud: PartyId,
    /// The reader's challenge.
    pub nonce: Nonce,
    /// Id of the release.
    pub jti: Jti,
    /// Why and under what.
    pub tsn: Grounds,
}

impl KbClaims {
    /// Reads the claims and the `sd_hash`.
    pub(super) fn read(claims: &Value) -> Result<(Self, Digest), Refusal> {
        let mut members = Members::of(claims.clone(), "kb", RefusalCode::BadToken)?;
        let sd_hash = members.take("sd_hash")?;
        let read = Self {
            iat: members.date("iat")?,
            aud: members.take("aud")?,
            nonce: members.take("nonce")?,
            jti: members.take("jti")?,
            tsn: members.object("tsn", |mut tsn| {
                let read = Grounds {
                    origin: tsn.machine_text("origin", 256)?,
                    idx: tsn.take("idx")?,
                    agr: tsn.object("agr", AgreementRef::read)?,
                    pol: tsn.take("pol")?,
                    terms: tsn.take("terms")?,
                    on_behalf_of: tsn.take_opt("for")?,
                    con: tsn.object_opt("con", ConsentRef::read)?,
                };
                tsn.end()?;
                Ok(read)
            })?,
        };
        members.end()?;
        Ok((read, sd_hash))
    }

    fn to_value(&self, sd_hash: Digest) -> Result<Value, TokenError> {
        let tsn = Object::default()
            .with("origin", &self.tsn.origin)
            .with("idx", &self.tsn.idx)
            .with("agr", &self.tsn.agr)
            .with("pol", &self.tsn.pol)
            .with("terms", &self.tsn.terms)
            .with_opt("for", self.tsn.on_behalf_of.as_ref())
            .with_opt("con", self.tsn.con.as_ref())
            .build()?;
        Object::default()
            .date("iat", self.iat)
            .with("aud", &self.aud)
            .with("nonce", &self.nonce)
            .with("jti", &self.jti)
            .with("sd_hash", &sd_hash)
            .with("tsn", &tsn)
            .build()
    }
}

/// Binds a presentation: `<jwt>~<d>~...~<kb+jwt>`, the content of a release. Any other key than the one in `cnf` is refused.
pub fn bind(presentation: &Presentation, key: &SigningKey, claims: &KbClaims) -> Result<String, TokenError> {
    if key.public().thumbprint() != presentation.holder() {
        return Err(KeyError::Disagrees.into());
    }
    let binding = jws::sign(key, KEY_BINDING_TYP, &claims.to_value(presentation.sd_hash())?)?;
    Ok(format!("{}{binding}", presentation.sd_jwt()))
}
