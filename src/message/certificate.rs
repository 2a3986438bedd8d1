//! A coordination certificate as it is handed over and kept: one JSON file that is verified years later without the case and without a connection.
//!
//! Promises: a [`ProvenCertificate`] was signed by the key its countersignature vouches for, countersigned by a gateway the caller trusts, and is about
//! the person it is shown with; what was revoked says so. The only anchor is the gateway's receipt key.
//! Not here: whether a revocation was left out of the file, and whether what the issuer says is true.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    json,
    keys::{KeyUse, PublicKey},
    objects::{Certificate, Countersignature, GatewayUrl, Issued, ObjectRef, Revocation, Signed},
    profile::{MAX_AGE_SECS, MAX_AHEAD_SECS, MIN_SALT},
    schema::holds_my_number,
    sha256,
};
use crate::domain::{addon::Days, day::Day, digest::Digest};

/// Who a certificate is about: what the salted digest in it was made of.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Random, so that nobody finds the person by trying names: base64url of 128 bits at least.
    pub salt: String,
    /// Family name.
    pub family_name: String,
    /// Given name.
    pub given_name: String,
    /// Date of birth.
    pub birth_date: Day,
    /// 受給者証番号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_cert_number: Option<String>,
}

impl Person {
    /// The digest that stands in a certificate: SHA-256 of the canonical JSON (RFC 8785) of all members.
    ///
    /// # Errors
    /// When a member is not what it should be.
    pub fn digest(&self) -> Result<Digest, CertificateError> {
        let wrong = CertificateError::Form("person");
        let name = |text: &str| (1..=50).contains(&text.chars().count()) && !text.trim().is_empty();
        let number = self.recipient_cert_number.as_ref().is_none_or(|no| no.len() == 10 && no.bytes().all(|b| b.is_ascii_digit()));
        let salt =
            (MIN_SALT..=128).contains(&self.salt.len()) && self.salt.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let value = serde_json::to_value(self).map_err(|_| wrong)?;
        let written = [&self.family_name, &self.given_name].map(|text| Value::String(text.clone()));
        if !name(&self.family_name) || !name(&self.given_name) || !number || !salt || written.iter().any(holds_my_number) {
            return Err(wrong);
        }
        Ok(sha256(&json::canonical(&value).map_err(|_| wrong)?))
    }

    /// The rows of the message that carries a certificate about this person.
    #[must_use]
    pub fn rows(&self, certificate: &str) -> Vec<(&'static str, Value)> {
        let mut rows = vec![
            ("certificate", certificate.into()),
            ("certificate_salt", self.salt.clone().into()),
            ("family_name", self.family_name.clone().into()),
            ("given_name", self.given_name.clone().into()),
            ("birth_date", self.birth_date.to_string().into()),
        ];
        rows.extend(self.recipient_cert_number.clone().map(|number| ("recipient_cert_number", number.into())));
        rows
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person([redacted])")
    }
}

/// A revocation with its countersignature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationFile {
    /// `tsunagi-coordination-revocation+jwt`.
    pub revocation: String,
    /// `tsunagi-countersignature+jwt`.
    pub countersignature: String,
    /// The issuer's key then, which may be a later one than the certificate's.
    pub issuer_key: Value,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFile {
    /// `tsunagi-coordination+jwt`.
    pub certificate: String,
    /// `tsunagi-countersignature+jwt`.
    pub countersignature: String,
    /// The issuer's public key, as a JWK; the countersignature vouches for it.
    pub issuer_key: Value,
    /// Whom it is about; absent where only the proof is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Revocations that are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<RevocationFile>,
}

/// Whom a verifier trusts: a gateway, by its name and its receipt keys.
pub struct Anchor<'a> {
    /// The gateway.
    pub gateway: &'a GatewayUrl,
    /// Its receipt key of a thumbprint, also an earlier one.
    pub receipt_key: &'a dyn Fn(&Digest) -> Option<PublicKey>,
}

/// A certificate that verified.
#[derive(Debug, Clone)]
pub struct ProvenCertificate {
    certificate: Certificate,
    countersignature: Countersignature,
    person: Option<Person>,
    revoked: Option<Revocation>,
    digest: Digest,
}

/// Why a certificate must not be believed. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the form of a certificate file, or of something in it.
    #[error("not a certificate file of tsunagi: {0}")]
    Form(&'static str),
    /// The issuer's key is not the one the certificate names, or did not sign it.
    #[error("{0}: not signed by the issuer's key")]
    Issuer(&'static str),
    /// The gateway is another than the trusted one.
    #[error("{0}: made for another gateway than the one that is trusted")]
    Gateway(&'static str),
    /// The countersignature is not by a trusted receipt key.
    #[error("{0}: not countersigned with a receipt key of the trusted gateway")]
    Countersigner(&'static str),
    /// The countersignature is about something else.
    #[error("{0}: the countersignature is about something else")]
    About(&'static str),
    /// The times do not fit.
    #[error("{0}: signed too long before, or after, its countersignature")]
    Time(&'static str),
    /// The person shown is not the one certified.
    #[error("the person shown is not the one who is certified")]
    Person,
    /// A revocation is of another certificate.
    #[error("a revocation in the file is of another certificate")]
    Revocation,
}

impl CertificateError {
    /// The same in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        let which = |what: &str| match what {
            CERTIFICATE => "証明書",
            REVOCATION => "取消",
            "countersignature" => "連署",
            "issuer_key" => "発行機関の鍵",
            "person" => "本人の記載",
            _ => "ファイルの形",
        };
        match self {
            Self::Form(what) => format!("つなぎの証明書のファイルではありません（{}）", which(what)),
            Self::Issuer(what) => format!("{}に発行機関の鍵の署名がありません", which(what)),
            Self::Gateway(what) => format!("{}は、信頼するゲートウェイのものではありません", which(what)),
            Self::Countersigner(what) => format!("{}に、信頼するゲートウェイの受領鍵による連署がありません", which(what)),
            Self::About(what) => format!("{}の連署が、別のものについての連署です", which(what)),
            Self::Time(what) => format!("{}の署名の時刻が連署と合いません", which(what)),
            Self::Person => "示された人は、証明された人ではありません".to_owned(),
            Self::Revocation => "別の証明書の取消が入っています".to_owned(),
        }
    }
}

impl CertificateFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it has not the form.
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let value = json::parse(bytes).map_err(|_| CertificateError::Form("json"))?;
        serde_json::from_value(value).map_err(|_| CertificateError::Form("members"))
    }

    /// Verifies it.
    ///
    /// # Errors
    /// At the first thing that does not hold.
    pub fn verify(&self, anchor: &Anchor<'_>) -> Result<ProvenCertificate, CertificateError> {
        let key = issuer_key(&self.issuer_key)?;
        let read = Signed::<Certificate>::read(self.certificate.as_bytes()).map_err(|_| CertificateError::Form(CERTIFICATE))?;
        let named = read.named();
        let certificate = read.verify(&key).map_err(|_| CertificateError::Issuer(CERTIFICATE))?.into_inner();
        let countersignature = anchor.countersigned(CERTIFICATE, &certificate.issued, &named, &self.countersignature)?;
        if let Some(person) = &self.person
            && person.digest()? != certificate.person
        {
            return Err(CertificateError::Person);
        }
        let proven = ProvenCertificate { certificate, countersignature, person: self.person.clone(), revoked: None, digest: named.sha256 };
        self.revocations.iter().try_fold(proven, |proven, revocation| proven.revoked_by(revocation, anchor))
    }
}

impl Anchor<'_> {
    /// That the gateway countersigned exactly this, and when it was young.
    fn countersigned(
        &self,
        what: &'static str,
        issued: &Issued,
        named: &ObjectRef,
        token: &str,
    ) -> Result<Countersignature, CertificateError> {
        let read = Signed::<Countersignature>::read(token.as_bytes()).map_err(|_| CertificateError::Form("countersignature"))?;
        let key = (self.receipt_key)(&read.kid()).ok_or(CertificateError::Countersigner(what))?;
        let made = read.verify(&key).map_err(|_| CertificateError::Countersigner(what))?.into_inner();
        if made.iss != *self.gateway || issued.aud != *self.gateway {
            return Err(CertificateError::Gateway(what));
        }
        if made.obj != *named {
            return Err(CertificateError::About(what));
        }
        if issued.iat > made.iat.plus_secs(MAX_AHEAD_SECS) || made.iat > issued.iat.plus_secs(MAX_AGE_SECS) {
            return Err(CertificateError::Time(what));
        }
        Ok(made)
    }
}

impl ProvenCertificate {
    /// What is certified.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The gateway's countersignature.
    #[must_use]
    pub const fn countersignature(&self) -> &Countersignature {
        &self.countersignature
    }

    /// Whom it is about, where the file says so.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// The revocation that takes most away, where the file holds one.
    #[must_use]
    pub const fn revocation(&self) -> Option<&Revocation> {
        self.revoked.as_ref()
    }

    /// The days for which it holds, after what was revoked; none: it does not hold at all.
    #[must_use]
    pub fn holds(&self) -> Option<Days> {
        let window = self.certificate.window;
        match &self.revoked {
            None => Some(window),
            Some(Revocation { from: Some(from), .. }) if *from > window.from => window.common(window.from, Some(from.previous())),
            Some(_) => None,
        }
    }

    /// The code on paper: the first 80 bits of the certificate's digest, in the letters of Crockford's base 32, which are not mistaken for each other.
    #[must_use]
    pub fn code(&self) -> String {
        let bits = self.digest.as_bytes().iter().take(10).fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let letter = |at: usize| ALPHABET.chars().nth(usize::try_from((bits >> (75 - 5 * at)) & 31).unwrap_or_default());
        let group = |group: usize| (0..4).filter_map(|at| letter(group * 4 + at)).collect::<String>();
        [0, 1, 2, 3].map(group).join("-")
    }

    fn revoked_by(mut self, file: &RevocationFile, anchor: &Anchor<'_>) -> Result<Self, CertificateError> {
        let key = issuer_key(&file.issuer_key)?;
        let read = Signed::<Revocation>::read(file.revocation.as_bytes()).map_err(|_| CertificateError::Form(REVOCATION))?;
        let named = read.named();
        let revocation = read.verify(&key).map_err(|_| CertificateError::Issuer(REVOCATION))?.into_inner();
        anchor.countersigned(REVOCATION, &revocation.issued, &named, &file.countersignature)?;
        let issued = &self.certificate.issued;
        if revocation.issued.iss != issued.iss || revocation.crt.jti != issued.jti || revocation.crt.sha256 != self.digest {
            return Err(CertificateError::Revocation);
        }
        // Of several, the one that takes most away: none that came later gives anything back.
        let takes_more = self.revoked.as_ref().is_none_or(|known| match (known.from, revocation.from) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(known), Some(from)) => from < known,
        });
        if takes_more {
            self.revoked = Some(revocation);
        }
        Ok(self)
    }
}

fn issuer_key(jwk: &Value) -> Result<PublicKey, CertificateError> {
    PublicKey::from_jwk(jwk, KeyUse::Sig).map_err(|_| CertificateError::Form("issuer_key"))
}

const CERTIFICATE: &str = "certificate";
const REVOCATION: &str = "revocation";
const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
