//! The signed objects other than messages (protocol section 2, "Other signed objects"): typed claims, exactly those of the table.
//!
//! Promises: unknown, missing or malformed claims are refused by name; a token of one type is never read as another; `jti` is a UUIDv4.
//! Not here: single use of `jti`, registered keys, and every rule that needs the register or the ledger.

mod acknowledgement;
mod actor;
mod agreement_signature;
mod consent;
mod consent_end;
mod consent_terms;
mod coordination;
mod key;
mod party;
mod receipt;

use serde_json::Value;

pub use self::{
    acknowledgement::{AckStatus, Acknowledgement},
    actor::{Actor, ActorFacts},
    agreement_signature::AgreementSignature,
    consent::{ConsentGiven, Explanation, PaperForm, Representative, Understood, Ways},
    consent_end::ConsentEnd,
    coordination::{Certificate, CertificateNumber, CertificateRef, Countersignature, Countersigned, ObjectRef, Revocation},
    key::{KeyAct, KeyStatement},
    party::{FirstKey, PartyAct, PartyRequest, PartyStatement},
    receipt::{LogPosition, Receipt, ReceiptStatus, ReceivedMessage},
};
use super::{
    Verified,
    compose::ComposeError,
    jws::{self, TokenError, Unverified},
    keys::{PublicKey, SigningKey},
    members::{Members, Object},
    profile::MAX_AHEAD_SECS,
};
use crate::domain::{
    codes::UnknownCode,
    digest::Digest,
    ids::Jti,
    party::PartyId,
    refusal::{Refusal, RefusalCode},
    time::Timestamp,
};

/// A signed object of the table.
pub trait SignedObject: Sized {
    /// Its `typ`.
    const TYP: &'static str;
    /// The code of a refusal of its form.
    const CODE: RefusalCode = RefusalCode::BadToken;

    /// Reads the claims; unknown ones are refused.
    fn from_claims(claims: &Value) -> Result<Self, Refusal>;

    /// Writes the claims.
    fn to_claims(&self) -> Result<Value, TokenError>;

    /// Signs the object. What its own reader would refuse is not signed.
    fn sign(&self, key: &SigningKey) -> Result<String, ComposeError> {
        let claims = self.to_claims()?;
        Self::from_claims(&claims).map_err(ComposeError::Refused)?;
        Ok(jws::sign(key, Self::TYP, &claims)?)
    }
}

/// An object that was read but not verified.
#[derive(Debug)]
pub struct Signed<T> {
    token: Unverified,
    object: T,
}

impl<T: SignedObject> Signed<T> {
    /// Reads a compact token.
    pub fn read(token: &[u8]) -> Result<Self, Refusal> {
        let token = Unverified::read(token, T::TYP).map_err(|error| Refusal::new(Self::code(error)))?;
        let object = T::from_claims(token.claims())?;
        Ok(Self { token, object })
    }

    /// The claims, unproven: only for finding the key.
    #[must_use]
    pub const fn unproven(&self) -> &T {
        &self.object
    }

    /// The key it names.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.token.kid()
    }

    /// SHA-256 of the compact token: how a message refers to a consent.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.token.digest()
    }

    /// SHA-256 of what is signed: how a certificate is named, whichever of the two valid signatures it carries.
    #[must_use]
    pub fn signed_digest(&self) -> Digest {
        crate::message::sha256(self.token.signing_input().as_bytes())
    }

    /// The compact token: what is stored.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.token()
    }

    /// Checks the signature.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<T>, Refusal> {
        self.token.check(key).map_err(|error| Refusal::new(Self::code(error)))?;
        Ok(Verified::new(self.object))
    }

    fn code(error: TokenError) -> RefusalCode {
        if T::CODE == RefusalCode::BadToken { error.code() } else { T::CODE }
    }
}

/// The gateway's own name, its `gateway` value: `https://host` or `https://host:port`, nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct GatewayUrl(String);

impl GatewayUrl {
    /// As it stands in a claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for GatewayUrl {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = text.strip_prefix("https://").filter(|host| (1..=255).contains(&host.len()));
        let form = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        if host.is_some_and(form) { Ok(Self(text.to_owned())) } else { Err(UnknownCode("GatewayUrl")) }
    }
}

impl<'de> serde::Deserialize<'de> for GatewayUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What every object of a party says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Who signed it.
    pub iss: PartyId,
    /// The gateway it is for.
    pub aud: GatewayUrl,
    /// Its id, single use per `iss`.
    pub jti: Jti,
    /// When it was signed.
    pub iat: Timestamp,
}

impl Issued {
    fn read(members: &mut Members) -> Result<Self, Refusal> {
        Ok(Self { iss: members.take("iss")?, aud: members.take("aud")?, jti: members.take("jti")?, iat: members.date("iat")? })
    }

    fn write(&self) -> Object {
        Object::default().with("iss", &self.iss).with("aud", &self.aud).with("jti", &self.jti).date("iat", self.iat)
    }

    /// That the object is for this gateway and not from the future.
    pub fn check(&self, gateway: &GatewayUrl, now: Timestamp) -> Result<(), Refusal> {
        if self.aud != *gateway {
            return Err(Refusal::claim(RefusalCode::BadToken, "aud", "gateway"));
        }
        if self.iat > now.plus_secs(MAX_AHEAD_SECS) {
            return Err(Refusal::claim(RefusalCode::BadToken, "iat", "future"));
        }
        Ok(())
    }
}
