//! Making a message (protocol section 2): the sender's side of [`super::submission`].
//!
//! Promises: every row and every hidden claim is concealed with a random salt of 128 bits; the order of digests and of disclosures says nothing;
//! with padding, neither the number of rows nor which hidden claims there are can be counted. What this makes, the reader of this room takes:
//! it is read back before it is given out.

use serde_json::{Map, Value};

use super::{
    disclosed::Hidden,
    jws::{self, TokenError},
    keys::SigningKey,
    profile::{MESSAGE_TYP, PADDED_SIZES},
    sd_jwt::{self, Disclosure, SdJwtError},
    submission::{Claims, HIDDEN, Submission},
};
use crate::domain::{
    field::FieldKey,
    refusal::{Refusal, RefusalCode},
};

/// How many digests the lists of a message have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// As many as there are claims.
    None,
    /// The body's list has the next of 32, 64, 128 and 256 digests, the top's list eight: required towards providers.
    Ladder,
}

/// Why a message or another object was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A row or a hidden claim could not be concealed: too long, or not within strict JSON.
    #[error("a claim cannot be concealed: {0}")]
    Conceal(#[from] SdJwtError),
    /// More rows than the longest list has digests.
    #[error("too many rows")]
    TooMany,
    /// The token could not be signed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The gateway would refuse the result.
    #[error("the gateway would refuse this: {}", .0.code)]
    Refused(Refusal),
}

/// A message before it is signed.
pub struct Draft {
    /// Plain claims.
    pub claims: Claims,
    /// Claims that are always concealed.
    pub hidden: Hidden,
    /// Rows.
    pub body: Vec<(FieldKey, Value)>,
    /// Padding.
    pub padding: Padding,
}

impl Draft {
    /// Conceals, pads and signs: the SD-JWT with all its disclosures.
    pub fn sign(&self, key: &SigningKey) -> Result<String, ComposeError> {
        let mut body = Map::new();
        for (name, value) in &self.body {
            if body.insert(name.to_string(), value.clone()).is_some() {
                return Err(SdJwtError::Collision.into());
            }
        }
        let mut payload = self.claims.to_members()?;
        payload.extend(self.hidden.to_members()?);
        payload.insert("body".to_owned(), Value::Object(body));
        payload.insert(sd_jwt::ALGORITHM.to_owned(), "sha-256".into());

        let mut payload = Value::Object(payload);
        let mut made = Vec::new();
        sd_jwt::conceal(&mut payload, &is_concealed, &mut made)?;
        if self.padding == Padding::Ladder {
            let rows = PADDED_SIZES.into_iter().find(|size| *size >= self.body.len()).ok_or(ComposeError::TooMany)?;
            pad(payload.get_mut("body"), rows)?;
            pad(Some(&mut payload), HIDDEN_SIZE)?;
        }

        let jwt = jws::sign(key, MESSAGE_TYP, &payload)?;
        made.sort_unstable_by_key(Disclosure::digest);
        let text = sd_jwt::join(&jwt, made.iter().map(Disclosure::text));
        let message = Submission::read(text.as_bytes()).and_then(|read| read.verify(key.public())).map_err(ComposeError::Refused)?;
        message.disclose().map_err(ComposeError::Refused)?;
        Ok(text)
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("claims", &self.claims).field("rows", &self.body.len()).finish_non_exhaustive()
    }
}

impl ComposeError {
    /// The refusal the gateway would answer with, where it is the content's fault.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Conceal(error) => error.code(),
            Self::TooMany => RefusalCode::LimitExceeded,
            Self::Token(error) => error.code(),
            Self::Refused(refusal) => refusal.code,
        }
    }
}

/// The hidden claims, and every row of the body, whole.
fn is_concealed(path: &[String]) -> bool {
    match path {
        [name] => HIDDEN.contains(&name.as_str()),
        [body, _] => body == "body",
        _ => false,
    }
}

/// Fills the list of digests of an object up with decoys.
fn pad(object: Option<&mut Value>, size: usize) -> Result<(), SdJwtError> {
    let object = object.and_then(Value::as_object_mut).ok_or(SdJwtError::Form)?;
    let there = object.get(sd_jwt::DIGESTS).and_then(Value::as_array).map_or(0, Vec::len);
    let decoys = (there..size).map(|_| sd_jwt::decoy()).collect::<Result<Vec<_>, _>>()?;
    sd_jwt::add_digests(object, decoys);
    Ok(())
}

/// Room for the five hidden claims and some decoys.
const HIDDEN_SIZE: usize = 8;
