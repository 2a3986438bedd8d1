//! A message as its sender signed it (protocol sections 2 and 3): from the SD-JWT's bytes to a verified [`Message`].
//!
//! Promises: the steps come in the order of protocol section 3, one method each; the claims are exactly the protocol's; the signature stands
//! over everything. Not here: who may send, which schema, what the body means. Disclosures are opened in [`super::disclosed`].

use serde_json::{Map, Value};

use super::{
    Verified,
    jws::{TokenError, Unverified},
    keys::{KeyUse, PublicKey},
    members::{Members, Object},
    profile::{MAX_AGE_SECS, MAX_AHEAD_SECS, MAX_DISCLOSURE, MAX_DISCLOSURES, MESSAGE_TYP, PADDED_SIZES},
    sd_jwt::{self, ALGORITHM, DIGESTS, ELEMENT},
    sha256_of,
};
use crate::domain::{
    codes::{LegalBasis, MessageKind, Purpose},
    digest::Digest,
    ids::{AgreementId, Jti},
    party::PartyId,
    refusal::{Refusal, RefusalCode},
    time::Timestamp,
};

/// A schema version and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct SchemaRef {
    /// Its `$id`.
    pub id: String,
    /// Its version.
    pub ver: String,
    /// SHA-256 of the exact bytes.
    pub sha256: Digest,
}

/// An agreement version and the digest of its document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct AgreementRef {
    /// `AG-13-0001`.
    pub id: AgreementId,
    /// Version, from 1.
    pub ver: u32,
    /// SHA-256 of the exact document bytes.
    pub sha256: Digest,
}

impl AgreementRef {
    pub(super) fn read(mut members: Members) -> Result<Self, Refusal> {
        let read = Self { id: members.take("id")?, ver: members.take("ver")?, sha256: members.take("sha256")? };
        members.end()?;
        Ok(read)
    }
}

/// A message of a sender: `{iss, jti}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct MessageRef {
    /// Its sender.
    pub iss: PartyId,
    /// Its id.
    pub jti: Jti,
}

impl MessageRef {
    pub(super) fn read(mut members: Members) -> Result<Self, Refusal> {
        let read = Self { iss: members.take("iss")?, jti: members.take("jti")? };
        members.end()?;
        Ok(read)
    }
}

/// What a legal basis other than consent rests on.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct BasisRef {
    /// The article.
    pub article: String,
    /// Why it applies.
    pub reason: String,
}

impl std::fmt::Debug for BasisRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasisRef").field("article", &self.article).finish_non_exhaustive()
    }
}

/// The plain claims of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Sender.
    pub iss: PartyId,
    /// Recipient.
    pub aud: PartyId,
    /// Message id.
    pub jti: Jti,
    /// Issued at; may be truncated to the hour.
    pub iat: Timestamp,
    /// Message kind.
    pub kind: MessageKind,
    /// Schema of the body.
    pub sch: SchemaRef,
    /// Agreement it is sent under.
    pub agr: AgreementRef,
    /// Purposes it is sent for.
    pub pur: Vec<Purpose>,
    /// Legal basis.
    pub bas: LegalBasis,
    /// What the basis rests on.
    pub bref: Option<BasisRef>,
    /// The gateway's key-binding key: the gateway is the Holder (RFC 9901 section 4.1.2).
    pub cnf: PublicKey,
}

impl Claims {
    /// Reads the payload without its digests.
    fn read(payload: Value) -> Result<Self, Refusal> {
        let mut members = Members::of(payload, "payload", RefusalCode::BadToken)?;
        let body: Value = members.take("body")?;
        if !body.is_object() {
            return Err(members.refusal("body", "object"));
        }
        if members.take::<String>(ALGORITHM)? != "sha-256" {
            return Err(members.refusal(ALGORITHM, "sha-256"));
        }
        let claims = Self {
            iss: members.take("iss")?,
            aud: members.take("aud")?,
            jti: members.take("jti")?,
            iat: members.date("iat")?,
            kind: members.take("kind")?,
            sch: members.object("sch", |mut sch| {
                let read = SchemaRef { id: sch.machine_text("id", 256)?, ver: sch.machine_text("ver", 32)?, sha256: sch.take("sha256")? };
                sch.end()?;
                Ok(read)
            })?,
            agr: members.object("agr", AgreementRef::read)?,
            pur: members.set("pur")?,
            bas: members.take("bas")?,
            bref: members.object_opt("bref", |mut bref| {
                let read = BasisRef { article: bref.text("article", 256)?, reason: bref.text("reason", 2048)? };
                bref.end()?;
                Ok(read)
            })?,
            cnf: members.object("cnf", |mut cnf| {
                let jwk: Value = cnf.take("jwk")?;
                cnf.end()?;
                PublicKey::from_jwk(&jwk, KeyUse::Sig).map_err(|_| Refusal::claim(RefusalCode::BadToken, "cnf", "form"))
            })?,
        };
        members.end()?;
        Ok(claims)
    }

    /// The plain claims, without `body`.
    pub(super) fn to_members(&self) -> Result<Map<String, Value>, TokenError> {
        Object::default()
            .with("iss", &self.iss)
            .with("aud", &self.aud)
            .with("jti", &self.jti)
            .date("iat", self.iat)
            .with("kind", &self.kind)
            .with("sch", &self.sch)
            .with("agr", &self.agr)
            .with("pur", &self.pur)
            .with("bas", &self.bas)
            .with_opt("bref", self.bref.as_ref())
            .with("cnf", &serde_json::json!({"jwk": self.cnf.jwk()}))
            .members()
    }
}

/// An SD-JWT that was read but not verified.
pub struct Submission {
    jwt: Unverified,
    claims: Claims,
    disclosures: Vec<String>,
}

impl Submission {
    /// Splits, reads header and payload (protocol section 3: "SD split → header → payload read strictly").
    pub fn read(sd_jwt: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(sd_jwt).map_err(|_| Refusal::new(RefusalCode::BadToken))?;
        let parts = sd_jwt::split(text).map_err(|error| Refusal::new(error.code()))?;
        if parts.key_binding.is_some() {
            return Err(Refusal::claim(RefusalCode::BadToken, "kb", "not_allowed"));
        }
        Self::from_parts(&parts)
    }

    /// The same for the parts of a release, whose key binding is judged apart.
    pub(super) fn from_parts(parts: &sd_jwt::Parts<'_>) -> Result<Self, Refusal> {
        if parts.disclosures.len() > MAX_DISCLOSURES || parts.disclosures.iter().any(|text| text.len() > MAX_DISCLOSURE) {
            return Err(RefusalCode::LimitExceeded.into());
        }
        let jwt = Unverified::read(parts.jwt.as_bytes(), MESSAGE_TYP).map_err(|error| Refusal::new(error.code()))?;
        let payload = without_digests(jwt.claims());
        if let Some(name) = HIDDEN.iter().find(|name| payload.get(**name).is_some()) {
            return Err(Refusal::claim(RefusalCode::BadDisclosure, name, "plain"));
        }
        let claims = Claims::read(payload)?;
        Ok(Self { jwt, claims, disclosures: parts.disclosures.iter().map(|text| (*text).to_owned()).collect() })
    }

    /// Who says to have sent it. Unproven.
    #[must_use]
    pub const fn iss(&self) -> &PartyId {
        &self.claims.iss
    }

    /// The key it names. Unproven.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.jwt.kid()
    }

    /// Checks the signature with the key that is registered for `iss` and `kid`.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<Message>, Refusal> {
        self.jwt.check(key).map_err(|error| Refusal::new(error.code()))?;
        Ok(self.trusted())
    }

    fn trusted(self) -> Verified<Message> {
        let digest = message_digest(self.jwt.signing_input(), &self.disclosures);
        Verified::new(Message { jwt: self.jwt, claims: self.claims, disclosures: self.disclosures, digest })
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission").field("jwt", &self.jwt).finish_non_exhaustive()
    }
}

/// A message whose sender's signature was checked.
pub struct Message {
    jwt: Unverified,
    claims: Claims,
    disclosures: Vec<String>,
    digest: Digest,
}

impl Message {
    /// Takes a message back from this gateway's own store, where it was kept encrypted and authenticated after it had been verified at
    /// submission. Nothing else may be read this way: the signature is not checked again.
    pub fn reopen(sd_jwt: &[u8]) -> Result<Verified<Self>, Refusal> {
        Submission::read(sd_jwt).map(Submission::trusted)
    }

    /// The key that signed it.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.jwt.kid()
    }

    /// The plain claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What identifies the message, whatever envelope or signature bytes carry it (protocol section 2, `msg.sha256`); see [`message_digest`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The SD-JWT with all disclosures as they came: what is stored.
    #[must_use]
    pub fn to_sd_jwt(&self) -> String {
        sd_jwt::join(self.jwt.token(), self.disclosures.iter().map(String::as_str))
    }

    /// At most 24 hours old, at most 10 seconds in the future.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.claims.iat > now.plus_secs(MAX_AHEAD_SECS) {
            Err(Refusal::claim(RefusalCode::BadToken, "iat", "future"))
        } else if self.claims.iat < now.plus_secs(-MAX_AGE_SECS) {
            Err(Refusal::claim(RefusalCode::MessageTooOld, "iat", "age"))
        } else {
            Ok(())
        }
    }

    /// `cnf` is the gateway's key-binding key, by thumbprint.
    pub fn check_binding(&self, key_binding: &Digest) -> Result<(), Refusal> {
        if self.claims.cnf.thumbprint() == *key_binding { Ok(()) } else { Err(Refusal::claim(RefusalCode::BindingMismatch, "cnf", "key")) }
    }

    /// How many digests the body lists, decoys included.
    #[must_use]
    pub fn body_digest_count(&self) -> usize {
        let digests = self.payload().get("body").and_then(|body| body.get(DIGESTS));
        digests.and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Whether the body's list has one of the lengths that messages to providers must have (`padding_required` otherwise).
    #[must_use]
    pub fn is_padded(&self) -> bool {
        PADDED_SIZES.contains(&self.body_digest_count())
    }

    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }

    pub(super) const fn payload(&self) -> &Value {
        self.jwt.claims()
    }

    pub(super) fn jwt(&self) -> &str {
        self.jwt.token()
    }

    pub(super) fn disclosures(&self) -> &[String] {
        &self.disclosures
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("digest", &self.digest.to_string()).finish_non_exhaustive()
    }
}

/// SHA-256 over the signing input of the issuer's JWT (`<header>.<payload>`, ASCII), then for every disclosure in bytewise order one `~` and
/// the disclosure as it came. Neither the order of the disclosures nor the signature's bytes change it; base64url holds no `~`, so the parts
/// cannot run into each other.
#[must_use]
pub fn message_digest<T: AsRef<str>>(signing_input: &str, disclosures: &[T]) -> Digest {
    let mut sorted: Vec<&[u8]> = disclosures.iter().map(|text| text.as_ref().as_bytes()).collect();
    sorted.sort_unstable();
    let tail = sorted.into_iter().flat_map(|text| [b"~".as_slice(), text]);
    sha256_of(std::iter::once(signing_input.as_bytes()).chain(tail))
}

/// The payload as it would be with every digest a decoy, so that the plain claims can be read before disclosures are judged. Digests
/// themselves are judged when the disclosures are.
fn without_digests(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != DIGESTS);
            Value::Object(kept.map(|(name, value)| (name.clone(), without_digests(value))).collect())
        }
        Value::Array(list) => {
            let kept = list.iter().filter(|element| element.get(ELEMENT).is_none());
            Value::Array(kept.map(without_digests).collect())
        }
        other => other.clone(),
    }
}

/// Claims that are always concealed.
pub(super) const HIDDEN: [&str; 5] = ["sub", "con", "case", "thr", "drv"];
