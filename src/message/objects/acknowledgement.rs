//! A reader's acknowledgement of a release (protocol section 2).

use serde_json::Value;

use super::{Issued, SignedObject};
use crate::{
    domain::{codes::closed_list, digest::Digest, ids::Jti, refusal::Refusal},
    message::{jws::TokenError, members::Members, submission::MessageRef},
};

closed_list! {
    /// What the reader says about what it received.
    AckStatus {
        /// Received and verified.
        Received = "received",
        /// Taken into the reader's own records.
        Accepted = "accepted",
        /// Received, but not usable: the reader could not verify or process it.
        Rejected = "rejected",
    }
}

/// Claims of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// The message.
    pub msg: MessageRef,
    /// `jti` of the key binding of the release.
    pub rel: Jti,
    /// `sd_hash` of the release.
    pub sd_hash: Digest,
    /// What is said.
    pub st: AckStatus,
}

impl SignedObject for Acknowledgement {
    const TYP: &'static str = "tsunagi-ack+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            msg: members.object("msg", MessageRef::read)?,
            rel: members.take("rel")?,
            sd_hash: members.take("sd_hash")?,
            st: members.take("st")?,
        };
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = self.issued.write().with("msg", &self.msg).with("rel", &self.rel);
        claims.with("sd_hash", &self.sd_hash).with("st", &self.st).build()
    }
}
