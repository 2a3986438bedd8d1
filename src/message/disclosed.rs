//! The disclosures of a message: hidden claims, rows of the body, and presentations of some of them (RFC 9901 sections 4.2 and 7; protocol section 2).
//!
//! Promises: every disclosure is either one hidden claim or one whole row of the body, with a salt of its own; nothing else was disclosed
//! and nothing of the body is plain. A presentation holds only the disclosures that were chosen, in the message's order.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    jws::TokenError,
    members::{Members, Object},
    profile::MIN_SALT,
    sd_jwt::{self, Disclosure, SdJwtError},
    sha256,
    submission::{Message, MessageRef},
};
use crate::domain::{
    codes::UnknownCode,
    digest::Digest,
    field::FieldKey,
    free_text,
    ids::{CaseId, Jti},
    refusal::{Refusal, RefusalCode},
};

/// An identifier a party made up: the pseudonym of a person, a thread. 1 to 128 ASCII letters, digits and `-._:~`, and no My Number. Never
/// printed.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// As it stands in the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::str::FromStr for Pseudonym {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~".contains(&b));
        // A number in disguise is refused; a random identifier that happens to hold such digits among letters is not.
        let number = !text.bytes().any(|b| b.is_ascii_alphabetic()) && free_text::holds_my_number(text);
        if form && !number { Ok(Self(text.to_owned())) } else { Err(UnknownCode("Pseudonym")) }
    }
}

impl<'de> serde::Deserialize<'de> for Pseudonym {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A consent: its id and the SHA-256 of its compact form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct ConsentRef {
    /// Its id.
    pub jti: Jti,
    /// SHA-256 of the compact token.
    pub sha256: Digest,
}

impl ConsentRef {
    pub(super) fn read(mut members: Members) -> Result<Self, Refusal> {
        let read = Self { jti: members.take("jti")?, sha256: members.take("sha256")? };
        members.end()?;
        Ok(read)
    }
}

/// The claims that are always concealed. Which of them a message needs is decided by its basis and its place in the case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// The consent's pseudonym of the person.
    pub sub: Option<Pseudonym>,
    /// The consent.
    pub con: Option<ConsentRef>,
    /// The case as the sender knows it; absent on a case's first message.
    pub case: Option<CaseId>,
    /// The sender's thread.
    pub thr: Option<Pseudonym>,
    /// The source message this one was made from.
    pub drv: Option<MessageRef>,
}

impl Hidden {
    fn read(claims: Map<String, Value>) -> Result<Self, Refusal> {
        let mut members = Members::of(Value::Object(claims), "payload", RefusalCode::BadDisclosure)?;
        let hidden = Self {
            sub: members.take_opt("sub")?,
            con: members.object_opt("con", ConsentRef::read)?,
            case: members.take_opt("case")?,
            thr: members.take_opt("thr")?,
            drv: members.object_opt("drv", MessageRef::read)?,
        };
        members.end()?;
        // A consent without its pseudonym could not be compared with the registered one.
        if hidden.con.is_some() && hidden.sub.is_none() {
            return Err(Refusal::claim(RefusalCode::BadDisclosure, "sub", "missing"));
        }
        Ok(hidden)
    }

    pub(super) fn to_members(&self) -> Result<Map<String, Value>, TokenError> {
        Object::default()
            .with_opt("sub", self.sub.as_ref())
            .with_opt("con", self.con.as_ref())
            .with_opt("case", self.case.as_ref())
            .with_opt("thr", self.thr.as_ref())
            .with_opt("drv", self.drv.as_ref())
            .members()
    }
}

/// One row of the field catalogue, as disclosed.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// Its catalogue key.
    pub key: FieldKey,
    /// Position of its disclosure in the message.
    pub disclosure: usize,
    /// Its value, whole.
    pub value: Value,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What the disclosures of a message say.
#[derive(Debug, Clone, PartialEq)]
pub struct Disclosed {
    /// Hidden claims.
    pub hidden: Hidden,
    /// Rows of the body, in the order of their disclosures.
    pub rows: Vec<Row>,
    consent: Vec<usize>,
}

impl Disclosed {
    /// The rows as one object, for the schema.
    #[must_use]
    pub fn body(&self) -> Value {
        Value::Object(self.rows.iter().map(|row| (row.key.to_string(), row.value.clone())).collect::<Map<_, _>>())
    }

    /// The value of a row.
    #[must_use]
    pub fn row(&self, key: &str) -> Option<&Value> {
        self.rows.iter().find(|row| row.key.as_str() == key).map(|row| &row.value)
    }

    /// Positions of the disclosures of `sub` and `con`: released as class `consent_detail`. The other hidden claims are released to nobody.
    #[must_use]
    pub fn consent_disclosures(&self) -> &[usize] {
        &self.consent
    }
}

impl Message {
    /// Opens all disclosures and judges them (protocol section 3, "disclosures").
    pub fn disclose(&self) -> Result<Disclosed, Refusal> {
        let read = |text: &String| Disclosure::read(text);
        let disclosures = self.disclosures().iter().map(read).collect::<Result<Vec<_>, _>>().map_err(refusal)?;
        let mut salts = HashSet::with_capacity(disclosures.len());
        for disclosure in &disclosures {
            if disclosure.salt().chars().count() < MIN_SALT {
                return Err(Refusal::claim(RefusalCode::BadDisclosure, "salt", "short"));
            }
            if !salts.insert(disclosure.salt()) {
                return Err(Refusal::claim(RefusalCode::BadDisclosure, "salt", "repeated"));
            }
        }
        if self.payload().get("body").and_then(Value::as_object).is_none_or(|body| body.keys().any(|name| name != sd_jwt::DIGESTS)) {
            return Err(Refusal::claim(RefusalCode::BadDisclosure, "body", "plain"));
        }
        let processed = sd_jwt::process(self.payload(), disclosures).map_err(refusal)?;
        sort_out(processed)
    }

    /// A presentation of the disclosures at the chosen positions.
    #[must_use]
    pub fn present(&self, keep: impl Fn(usize) -> bool) -> Presentation {
        let kept = self.disclosures().iter().enumerate().filter(|(position, _)| keep(*position)).map(|(_, text)| text.as_str());
        Presentation::new(sd_jwt::join(self.jwt(), kept), self.claims().cnf.thumbprint())
    }

    /// A presentation of the chosen rows, with the consent's claims when `consent_detail`.
    #[must_use]
    pub fn present_rows(&self, disclosed: &Disclosed, keep: impl Fn(&Row) -> bool, consent_detail: bool) -> Presentation {
        let mut chosen: HashSet<usize> = disclosed.rows.iter().filter(|row| keep(row)).map(|row| row.disclosure).collect();
        if consent_detail {
            chosen.extend(disclosed.consent_disclosures());
        }
        self.present(|position| chosen.contains(&position))
    }
}

/// An SD-JWT with some of its disclosures, without key binding: `<jwt>~<d>~...~`.
#[derive(Clone, PartialEq, Eq)]
pub struct Presentation {
    sd_jwt: String,
    sd_hash: Digest,
    holder: Digest,
}

impl Presentation {
    pub(super) fn new(sd_jwt: String, holder: Digest) -> Self {
        Self { sd_hash: sha256(sd_jwt.as_bytes()), sd_jwt, holder }
    }

    /// Thumbprint of the key the message is bound to: the only one that may bind the presentation.
    #[must_use]
    pub const fn holder(&self) -> Digest {
        self.holder
    }

    /// The text.
    #[must_use]
    pub fn sd_jwt(&self) -> &str {
        &self.sd_jwt
    }

    /// Its `sd_hash` (RFC 9901 section 4.3.1).
    #[must_use]
    pub const fn sd_hash(&self) -> Digest {
        self.sd_hash
    }
}

impl std::fmt::Debug for Presentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presentation").field("sd_hash", &self.sd_hash.to_string()).finish_non_exhaustive()
    }
}

fn sort_out(processed: sd_jwt::Processed) -> Result<Disclosed, Refusal> {
    let wrong = |claim, rule| Refusal::claim(RefusalCode::BadDisclosure, claim, rule);
    let sd_jwt::Processed { claims: mut payload, places } = processed;
    // Each value has one place, so it is taken from there and not copied.
    let mut body = payload.get_mut("body").map(Value::take);
    let (mut hidden, mut rows, mut consent) = (Map::new(), Vec::with_capacity(places.len()), Vec::new());
    for (disclosure, place) in places.iter().enumerate() {
        match place.as_slice() {
            [top, name] if top == "body" => {
                let key: FieldKey = name.parse().map_err(|_| wrong("body", "key"))?;
                let value = body.as_mut().and_then(|body| body.get_mut(name)).map(Value::take);
                rows.push(Row { key, disclosure, value: value.ok_or_else(|| wrong("body", "key"))? });
            }
            [name] => {
                let value = payload.get_mut(name).map(Value::take).ok_or_else(|| wrong("payload", "place"))?;
                if matches!(name.as_str(), "sub" | "con") {
                    consent.push(disclosure);
                }
                hidden.insert(name.clone(), value);
            }
            // A part of a row, or of a plain claim: rows are disclosed whole.
            _ => return Err(wrong("body", "part")),
        }
    }
    Ok(Disclosed { hidden: Hidden::read(hidden)?, rows, consent })
}

fn refusal(error: SdJwtError) -> Refusal {
    Refusal::new(error.code())
}
