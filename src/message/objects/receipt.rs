//! The gateway's receipt for a message (protocol section 2): proof for its sender, with the place in the ledger.

use serde_json::Value;

use super::{GatewayUrl, SignedObject};
use crate::{
    domain::{
        codes::closed_list,
        digest::Digest,
        ids::Jti,
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    message::{jws::TokenError, members::Members},
};

closed_list! {
    /// What became of the message.
    ReceiptStatus {
        /// The message was accepted.
        Accepted = "accepted",
        /// It was released to its reader.
        Released = "released",
        /// Its reader acknowledged a release.
        Acknowledged = "acknowledged",
        /// Nobody had collected it when its time was over.
        Uncollected = "uncollected",
        /// It was refused.
        Refused = "refused",
    }
}

/// A message and the digest that identifies it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ReceivedMessage {
    /// Its sender.
    pub iss: PartyId,
    /// Its id.
    pub jti: Jti,
    /// [`message_digest`](crate::message::submission::message_digest).
    pub sha256: Digest,
}

/// A place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LogPosition {
    /// Origin of the ledger.
    pub origin: String,
    /// Index of the entry.
    pub idx: u64,
    /// Leaf hash.
    pub leaf: Digest,
}

impl LogPosition {
    pub(super) fn read(mut log: Members) -> Result<Self, Refusal> {
        let read = Self { origin: log.machine_text("origin", 256)?, idx: log.take("idx")?, leaf: log.take("leaf")? };
        log.end()?;
        Ok(read)
    }
}

/// Claims of a receipt. Its issuer is the gateway and its audience the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The gateway.
    pub iss: GatewayUrl,
    /// The sender.
    pub aud: PartyId,
    /// Its id.
    pub jti: Jti,
    /// When.
    pub iat: Timestamp,
    /// The message.
    pub msg: ReceivedMessage,
    /// What became of it.
    pub st: ReceiptStatus,
    /// Why it was refused; with `refused` only.
    pub code: Option<RefusalCode>,
    /// Where that is written.
    pub log: LogPosition,
}

impl SignedObject for Receipt {
    const TYP: &'static str = "tsunagi-receipt+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            iss: members.take("iss")?,
            aud: members.take("aud")?,
            jti: members.take("jti")?,
            iat: members.date("iat")?,
            msg: members.object("msg", |mut msg| {
                let read = ReceivedMessage { iss: msg.take("iss")?, jti: msg.take("jti")?, sha256: msg.take("sha256")? };
                msg.end()?;
                Ok(read)
            })?,
            st: members.take("st")?,
            code: members.take_opt("code")?,
            log: members.object("log", LogPosition::read)?,
        };
        if read.code.is_some() != (read.st == ReceiptStatus::Refused) {
            return Err(members.refusal("code", "st"));
        }
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        crate::message::members::Object::default()
            .with("iss", &self.iss)
            .with("aud", &self.aud)
            .with("jti", &self.jti)
            .date("iat", self.iat)
            .with("msg", &self.msg)
            .with("st", &self.st)
            .with_opt("code", self.code.as_ref())
            .with("log", &self.log)
            .build()
    }
}
