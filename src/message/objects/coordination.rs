//! The coordination certificate, its revocation, and the gateway's countersignature on either (protocol section 2; `domain.md` section 9).
//!
//! A certificate says who coordinated, for which provider and add-ons, on which coarse ground and in which days. It has no member for an offence, a
//! sentence, a facility or a release, and an unknown member is refused. The person stands in it as a salted digest only.

use serde_json::Value;

use super::{GatewayUrl, Issued, LogPosition, Signed, SignedObject};
use crate::{
    domain::{
        addon::{AddOn, Days, Eligibility, RevocationReason, Statement},
        codes::{UnknownCode, closed_list},
        day::Day,
        digest::Digest,
        identifiers,
        ids::Jti,
        party::{PartyId, PartyKind},
        refusal::Refusal,
        time::Timestamp,
    },
    message::{
        jws::TokenError,
        members::{Members, Object},
    },
};

/// Number of a certificate: two letters of the issuer, 2 to 10 digits, a serial number of 4 to 10 digits (`XX13-0001`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct CertificateNumber(String);

impl std::fmt::Display for CertificateNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for CertificateNumber {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |part: &str, least: usize| (least..=10).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let fits = text.split_once('-').is_some_and(|(issuer, serial)| {
            let letters = issuer.get(..2).is_some_and(|letters| letters.bytes().all(|b| b.is_ascii_uppercase()));
            letters && issuer.get(2..).is_some_and(|place| digits(place, 2)) && digits(serial, 4)
        });
        if fits { Ok(Self(text.to_owned())) } else { Err(UnknownCode("CertificateNumber")) }
    }
}

impl<'de> serde::Deserialize<'de> for CertificateNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Claims of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// Its number.
    pub no: CertificateNumber,
    /// Digest of the [`Person`](crate::message::certificate::Person).
    pub person: Digest,
    /// 事業所番号 of the provider.
    pub provider: String,
    /// The add-ons.
    pub addons: Vec<AddOn>,
    /// On what ground, as coarse as this.
    pub eligibility: Eligibility,
    /// Who coordinated.
    pub statement: Statement,
    /// The days.
    pub window: Days,
    /// The policy set by whose rules of add-ons it was judged.
    pub pol: Digest,
}

impl Certificate {
    /// Who may say what: the centre and the probation office of themselves, the municipality and its core centre of what they did with the centre.
    fn issuer_fits(&self) -> bool {
        match self.issued.iss.kind() {
            PartyKind::SettlementCenter => self.statement == Statement::CoordinatedByCenter,
            PartyKind::ProbationOffice => self.statement == Statement::CoordinatedByProbationOffice,
            PartyKind::Municipality | PartyKind::CoreCenter => self.statement == Statement::CoordinatedByMunicipalityWithCenter,
            _ => false,
        }
    }

    /// The last day that a window may have: three years from its start, and where a court can extend the period, two more.
    fn latest(&self) -> Day {
        let years = if self.eligibility == Eligibility::OutpatientObservation { WINDOW_YEARS + EXTENSION_YEARS } else { WINDOW_YEARS };
        self.window.from.last_of_years(years)
    }
}

impl SignedObject for Certificate {
    const TYP: &'static str = "tsunagi-coordination+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            no: members.take("no")?,
            person: members.take("person")?,
            provider: members.machine_text("provider", 10)?,
            addons: members.set("addons")?,
            eligibility: members.take("eligibility")?,
            statement: members.take("statement")?,
            window: members.object("window", |mut window| {
                let read = Days { from: window.take("from")?, until: window.take("until")? };
                window.end()?;
                Ok(read)
            })?,
            pol: members.take("pol")?,
        };
        if !identifiers::is_provider_number(&read.provider) {
            return Err(members.refusal("provider", "form"));
        }
        if !read.issuer_fits() {
            return Err(members.refusal("statement", "issuer"));
        }
        if read.window.until < read.window.from {
            return Err(members.refusal("window", "window_in_order"));
        }
        if read.window.until > read.latest() {
            return Err(members.refusal("window", "within_three_years"));
        }
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = self.issued.write().with("no", &self.no).with("person", &self.person).with("provider", &self.provider);
        let claims = claims.with("addons", &self.addons).with("eligibility", &self.eligibility).with("statement", &self.statement);
        claims.with("window", &self.window).with("pol", &self.pol).build()
    }
}

/// A certificate, as a revocation names it: the issuer is the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CertificateRef {
    /// Its id.
    pub jti: Jti,
    /// SHA-256 of its signing input.
    pub sha256: Digest,
}

/// Claims of a revocation: by whoever issued the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// What is revoked.
    pub crt: CertificateRef,
    /// Why.
    pub why: RevocationReason,
    /// First day on which it no longer holds; none: it never held.
    pub from: Option<Day>,
}

impl SignedObject for Revocation {
    const TYP: &'static str = "tsunagi-coordination-revocation+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            crt: members.object("crt", |mut crt| {
                let read = CertificateRef { jti: crt.take("jti")?, sha256: crt.take("sha256")? };
                crt.end()?;
                Ok(read)
            })?,
            why: members.take("why")?,
            from: members.take_opt("from")?,
        };
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        self.issued.write().with("crt", &self.crt).with("why", &self.why).with_opt("from", self.from.as_ref()).build()
    }
}

closed_list! {
    /// What a gateway countersigns, by its `typ`.
    Countersigned {
        Certificate = "tsunagi-coordination+jwt",
        Revocation = "tsunagi-coordination-revocation+jwt",
    }
}

/// What was countersigned. The digest is over the signing input, whose header names the issuer's key: so the gateway vouches for that key too.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ObjectRef {
    /// Its type.
    pub typ: Countersigned,
    /// Its issuer.
    pub iss: PartyId,
    /// Its id.
    pub jti: Jti,
    /// SHA-256 of its signing input: an ECDSA signature has two valid forms.
    pub sha256: Digest,
}

impl Signed<Certificate> {
    /// How a countersignature names it.
    #[must_use]
    pub fn named(&self) -> ObjectRef {
        ObjectRef::of(Countersigned::Certificate, &self.unproven().issued, self.signed_digest())
    }
}

impl Signed<Revocation> {
    /// How a countersignature names it.
    #[must_use]
    pub fn named(&self) -> ObjectRef {
        ObjectRef::of(Countersigned::Revocation, &self.unproven().issued, self.signed_digest())
    }
}

impl ObjectRef {
    fn of(typ: Countersigned, issued: &Issued, sha256: Digest) -> Self {
        Self { typ, iss: issued.iss.clone(), jti: issued.jti, sha256 }
    }
}

/// Claims of the gateway's countersignature: it took the object, the issuer's key was in force, and the case's own ledger bears it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersignature {
    /// The gateway.
    pub iss: GatewayUrl,
    /// The issuer of the object.
    pub aud: PartyId,
    /// Its id.
    pub jti: Jti,
    /// When.
    pub iat: Timestamp,
    /// The object.
    pub obj: ObjectRef,
    /// Entries of the case on which it rests.
    pub ent: Vec<u64>,
    /// Where the object stands in the ledger.
    pub log: LogPosition,
}

impl SignedObject for Countersignature {
    const TYP: &'static str = "tsunagi-countersignature+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            iss: members.take("iss")?,
            aud: members.take("aud")?,
            jti: members.take("jti")?,
            iat: members.date("iat")?,
            obj: members.object("obj", |mut obj| {
                let read = ObjectRef { typ: obj.take("typ")?, iss: obj.take("iss")?, jti: obj.take("jti")?, sha256: obj.take("sha256")? };
                obj.end()?;
                Ok(read)
            })?,
            ent: members.set("ent")?,
            log: members.object("log", LogPosition::read)?,
        };
        if read.aud != read.obj.iss {
            return Err(members.refusal("aud", "obj"));
        }
        // What it rests on was there before it.
        if read.ent.len() > MOST_ENTRIES || read.ent.iter().any(|entry| *entry >= read.log.idx) {
            return Err(members.refusal("ent", "log"));
        }
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = Object::default().with("iss", &self.iss).with("aud", &self.aud).with("jti", &self.jti).date("iat", self.iat);
        claims.with("obj", &self.obj).with("ent", &self.ent).with("log", &self.log).build()
    }
}

/// What a window may span whatever the rules of a time say: a signed object is read without them.
const WINDOW_YEARS: i32 = 3;
const EXTENSION_YEARS: i32 = 2;
const MOST_ENTRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_its_issuer_and_a_serial() {
        for good in ["TC13-0001", "TC131016-0000000001", "AB12-1234"] {
            assert_eq!(good.parse::<CertificateNumber>().map(|no| no.to_string()).as_deref(), Ok(good));
        }
        for bad in
            ["", "TC-0001", "TC1-0001", "tc13-0001", "T13-0001", "TC13-001", "TC13-00000000001", "TC13_0001", "TC13-0001 ", "東13-0001"]
        {
            assert!(bad.parse::<CertificateNumber>().is_err(), "{bad}");
        }
    }
}
