//! Selective disclosure (RFC 9901): disclosures, concealing, processing. The general mechanism; what a message may be is in `submission`.
//!
//! Promises: every disclosure is referenced by exactly one digest and every digest stands once; `_sd`, `...` and `_sd_alg` never name a claim;
//! a disclosed claim never replaces a plain one; digests without a disclosure are decoys or withheld claims and leave no trace in the result.
//! Only `sha-256` and the compact form. Not here: the signature of the JWT, and salts' length and uniqueness, which are the profile's.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    base64url,
    json::{self, JsonError, Limits},
    sha256,
};
use crate::domain::{digest::Digest, refusal::RefusalCode};

/// Why an SD-JWT was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdJwtError {
    /// Not a JWT, disclosures and an optional key binding, joined by `~` (RFC 9901 section 4).
    #[error("not an SD-JWT")]
    Form,
    /// A disclosure is not the base64url of an array of a salt, a name and a value, or of a salt and a value.
    #[error("not a disclosure")]
    Disclosure,
    /// A disclosure or what it makes of the payload is beyond the limits.
    #[error("beyond the limits")]
    Limit,
    /// The same disclosure came twice.
    #[error("a disclosure came twice")]
    Repeated,
    /// A disclosure that no digest refers to.
    #[error("a disclosure is not referenced")]
    Unreferenced,
    /// A digest stands twice.
    #[error("a digest stands twice")]
    DuplicateDigest,
    /// `_sd` is not a list of digests, or an array element with `...` has other members or no digest.
    #[error("not a list of digests")]
    Digest,
    /// A disclosure of a claim stands for an array element or the other way round.
    #[error("a disclosure stands in the wrong place")]
    Place,
    /// `_sd`, `...` or `_sd_alg` as the name of a claim.
    #[error("a reserved name")]
    Reserved,
    /// A disclosed claim is there already.
    #[error("a claim is there twice")]
    Collision,
    /// `_sd_alg` is not `sha-256`.
    #[error("another digest algorithm")]
    Algorithm,
    /// No randomness.
    #[error("no random salt")]
    Random,
}

impl SdJwtError {
    /// The code of the refusal.
    #[must_use]
    pub const fn code(self) -> RefusalCode {
        match self {
            Self::Limit => RefusalCode::LimitExceeded,
            Self::Form | Self::Algorithm => RefusalCode::BadToken,
            _ => RefusalCode::BadDisclosure,
        }
    }
}

/// The parts of an SD-JWT or SD-JWT+KB (RFC 9901 section 4).
#[derive(Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The issuer's JWT.
    pub jwt: &'a str,
    /// The disclosures as they came.
    pub disclosures: Vec<&'a str>,
    /// The key binding JWT, when there is one.
    pub key_binding: Option<&'a str>,
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("disclosures", &self.disclosures.len()).finish_non_exhaustive()
    }
}

/// Splits at `~`. The text after the last one is the key binding; without any `~` it is no SD-JWT.
pub fn split(text: &str) -> Result<Parts<'_>, SdJwtError> {
    let (head, last) = text.rsplit_once('~').ok_or(SdJwtError::Form)?;
    let mut parts = head.split('~');
    let jwt = parts.next().filter(|jwt| !jwt.is_empty()).ok_or(SdJwtError::Form)?;
    let disclosures: Vec<&str> = parts.collect();
    if disclosures.iter().any(|text| text.is_empty()) {
        return Err(SdJwtError::Disclosure);
    }
    Ok(Parts { jwt, disclosures, key_binding: Some(last).filter(|text| !text.is_empty()) })
}

/// Joins a JWT and disclosures: `<jwt>~<d>~...~<d>~`.
pub fn join<'a>(jwt: &str, disclosures: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!("{jwt}~");
    for disclosure in disclosures {
        text.push_str(disclosure);
        text.push('~');
    }
    text
}

/// One disclosure (RFC 9901 section 4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Hash input and wire form.
    text: String,
    digest: Digest,
    salt: String,
    name: Option<String>,
    value: Value,
}

impl Disclosure {
    /// Reads one as it came.
    pub fn read(text: &str) -> Result<Self, SdJwtError> {
        let bytes = base64url::decode(text).map_err(|_| SdJwtError::Disclosure)?;
        let value = json::parse(&bytes).map_err(|fault| match fault {
            JsonError::Limit => SdJwtError::Limit,
            _ => SdJwtError::Disclosure,
        })?;
        let Value::Array(list) = value else { return Err(SdJwtError::Disclosure) };
        let mut list = list.into_iter();
        let (salt, name, value) = match (list.next(), list.next(), list.next(), list.next()) {
            (Some(Value::String(salt)), Some(value), None, None) => (salt, None, value),
            (Some(Value::String(salt)), Some(Value::String(name)), Some(value), None) => (salt, Some(name), value),
            _ => return Err(SdJwtError::Disclosure),
        };
        if name.as_deref().is_some_and(|name| RESERVED.contains(&name)) {
            return Err(SdJwtError::Reserved);
        }
        Ok(Self { digest: sha256(text.as_bytes()), text: text.to_owned(), salt, name, value })
    }

    /// Makes one for a claim, or for an array element when there is no name, with a new salt of 128 bits.
    pub fn make(name: Option<&str>, value: &Value) -> Result<Self, SdJwtError> {
        let salt = base64url::encode(random::<16>()?);
        let list = match name {
            Some(name) => serde_json::json!([salt, name, value]),
            None => serde_json::json!([salt, value]),
        };
        Self::read(&base64url::encode(list.to_string()))
    }

    /// As it travels.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its digest (RFC 9901 section 4.2.3).
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its salt.
    #[must_use]
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// The claim's name; none for an array element.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The value as disclosed; it may hold digests of its own.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosure").field("digest", &self.digest.to_string()).finish_non_exhaustive()
    }
}

/// A digest that refers to nothing (RFC 9901 section 4.2.7).
pub fn decoy() -> Result<Digest, SdJwtError> {
    Ok(sha256(&random::<32>()?))
}

/// Conceals what `hide` says, by path from the top (array elements by position), innermost first; digests of an object are sorted.
/// The disclosures are appended to `made`. A value that uses a reserved name is refused, but for `_sd_alg` at the top.
pub fn conceal(value: &mut Value, hide: &dyn Fn(&[String]) -> bool, made: &mut Vec<Disclosure>) -> Result<(), SdJwtError> {
    conceal_at(value, &mut Vec::new(), hide, made)
}

fn conceal_at(
    value: &mut Value,
    path: &mut Vec<String>,
    hide: &dyn Fn(&[String]) -> bool,
    made: &mut Vec<Disclosure>,
) -> Result<(), SdJwtError> {
    match value {
        Value::Object(members) => {
            let mut digests = Vec::new();
            for (name, mut value) in std::mem::take(members) {
                let algorithm = path.is_empty() && name == ALGORITHM;
                if RESERVED.contains(&name.as_str()) && !algorithm {
                    return Err(SdJwtError::Reserved);
                }
                path.push(name);
                conceal_at(&mut value, path, hide, made)?;
                let hidden = hide(path);
                let name = path.pop().unwrap_or_default();
                if hidden {
                    let disclosure = Disclosure::make(Some(&name), &value)?;
                    digests.push(disclosure.digest());
                    made.push(disclosure);
                } else {
                    members.insert(name, value);
                }
            }
            add_digests(members, digests);
        }
        Value::Array(list) => {
            for (position, value) in list.iter_mut().enumerate() {
                path.push(position.to_string());
                conceal_at(value, path, hide, made)?;
                if hide(path) {
                    let disclosure = Disclosure::make(None, value)?;
                    *value = serde_json::json!({ELEMENT: disclosure.digest()});
                    made.push(disclosure);
                }
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

/// Adds digests to the `_sd` list of an object, sorted, so that the order says nothing.
pub fn add_digests(object: &mut Map<String, Value>, more: impl IntoIterator<Item = Digest>) {
    let mut texts: Vec<String> = more.into_iter().map(|digest| digest.to_string()).collect();
    if let Some(Value::Array(list)) = object.get(DIGESTS) {
        texts.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    if !texts.is_empty() {
        texts.sort_unstable();
        object.insert(DIGESTS.to_owned(), texts.into());
    }
}

/// The result of processing (RFC 9901 section 7.1 step 3).
#[derive(Clone, PartialEq)]
pub struct Processed {
    /// The payload with disclosed claims in place, without digests and `_sd_alg`.
    pub claims: Value,
    /// Where each disclosure stands, in their order: names of members and positions of elements from the top down to the claim itself.
    pub places: Vec<Vec<String>>,
}

/// Replaces digests by what was disclosed. The payload must come from a verified JWT.
pub fn process(payload: &Value, disclosures: Vec<Disclosure>) -> Result<Processed, SdJwtError> {
    let members = payload.as_object().ok_or(SdJwtError::Form)?;
    if members.get(ALGORITHM).is_some_and(|name| name.as_str() != Some("sha-256")) {
        return Err(SdJwtError::Algorithm);
    }
    let mut by_digest = HashMap::with_capacity(disclosures.len());
    let places = vec![None; disclosures.len()];
    for (index, disclosure) in disclosures.into_iter().enumerate() {
        if by_digest.insert(disclosure.digest, (index, disclosure)).is_some() {
            return Err(SdJwtError::Repeated);
        }
    }
    let mut walk = Walk { by_digest, seen: HashSet::new(), path: Vec::new(), places };
    let claims = walk.object(members, true)?;
    let places = walk.places.into_iter().collect::<Option<Vec<_>>>().ok_or(SdJwtError::Unreferenced)?;
    Ok(Processed { claims: Value::Object(claims), places })
}

struct Walk {
    /// Those that no digest referred to yet.
    by_digest: HashMap<Digest, (usize, Disclosure)>,
    seen: HashSet<Digest>,
    path: Vec<String>,
    places: Vec<Option<Vec<String>>>,
}

impl Walk {
    fn value(&mut self, value: &Value) -> Result<Value, SdJwtError> {
        match value {
            Value::Object(members) => self.object(members, false).map(Value::Object),
            Value::Array(list) => self.array(list).map(Value::Array),
            other => Ok(other.clone()),
        }
    }

    fn object(&mut self, members: &Map<String, Value>, top: bool) -> Result<Map<String, Value>, SdJwtError> {
        self.enter()?;
        let mut out = Map::new();
        for (name, value) in members {
            match name.as_str() {
                DIGESTS => {}
                ALGORITHM if top => {}
                ELEMENT | ALGORITHM => return Err(SdJwtError::Reserved),
                _ => {
                    let value = self.at(name, |walk| walk.value(value))?;
                    out.insert(name.clone(), value);
                }
            }
        }
        let Some(digests) = members.get(DIGESTS) else { return Ok(out) };
        for digest in digests.as_array().ok_or(SdJwtError::Digest)? {
            let Some((index, disclosure)) = self.refer(digest)? else { continue };
            let name = disclosure.name.ok_or(SdJwtError::Place)?;
            if out.contains_key(&name) {
                return Err(SdJwtError::Collision);
            }
            let value = self.at(&name, |walk| walk.disclosed(index, disclosure.value))?;
            out.insert(name, value);
        }
        Ok(out)
    }

    fn array(&mut self, list: &[Value]) -> Result<Vec<Value>, SdJwtError> {
        self.enter()?;
        let mut out = Vec::with_capacity(list.len());
        for (position, element) in list.iter().enumerate() {
            let position = position.to_string();
            let Some(digest) = element.get(ELEMENT) else {
                out.push(self.at(&position, |walk| walk.value(element))?);
                continue;
            };
            if element.as_object().is_none_or(|members| members.len() != 1) {
                return Err(SdJwtError::Digest);
            }
            let Some((index, disclosure)) = self.refer(digest)? else { continue };
            if disclosure.name.is_some() {
                return Err(SdJwtError::Place);
            }
            out.push(self.at(&position, |walk| walk.disclosed(index, disclosure.value))?);
        }
        Ok(out)
    }

    fn at<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> Result<T, SdJwtError>) -> Result<T, SdJwtError> {
        self.path.push(name.to_owned());
        let result = inside(self);
        self.path.pop();
        result
    }

    /// Disclosures inside disclosures could otherwise nest without end.
    fn enter(&self) -> Result<(), SdJwtError> {
        if self.path.len() < Limits::SIGNED.depth { Ok(()) } else { Err(SdJwtError::Limit) }
    }

    fn refer(&mut self, digest: &Value) -> Result<Option<(usize, Disclosure)>, SdJwtError> {
        let digest: Digest = digest.as_str().and_then(|text| text.parse().ok()).ok_or(SdJwtError::Digest)?;
        if !self.seen.insert(digest) {
            return Err(SdJwtError::DuplicateDigest);
        }
        Ok(self.by_digest.remove(&digest))
    }

    fn disclosed(&mut self, index: usize, value: Value) -> Result<Value, SdJwtError> {
        if let Some(place) = self.places.get_mut(index) {
            *place = Some(self.path.clone());
        }
        // Most values hold no digests: they are what they are.
        let room = Limits::SIGNED.depth.saturating_sub(self.path.len());
        if is_plain(&value, room) { Ok(value) } else { self.value(&value) }
    }
}

/// Whether nothing in a value has a reserved name, and none of it is deeper than there is room for.
fn is_plain(value: &Value, room: usize) -> bool {
    let inside = |value| room > 0 && is_plain(value, room.saturating_sub(1));
    match value {
        Value::Object(members) => room > 0 && members.iter().all(|(name, value)| !RESERVED.contains(&name.as_str()) && inside(value)),
        Value::Array(list) => room > 0 && list.iter().all(inside),
        _ => true,
    }
}

fn random<const N: usize>() -> Result<[u8; N], SdJwtError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SdJwtError::Random)?;
    Ok(bytes)
}

/// The member that lists the digests of an object.
pub const DIGESTS: &str = "_sd";
/// The member that names the digest algorithm, at the top only.
pub const ALGORITHM: &str = "_sd_alg";
/// The only member of an array element that stands for a digest.
pub const ELEMENT: &str = "...";
const RESERVED: [&str; 3] = [DIGESTS, ALGORITHM, ELEMENT];

#[cfg(test)]
mod tests;
