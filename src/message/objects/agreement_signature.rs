//! What a party says about an agreement version, over the digest of the exact document bytes (protocol section 2).

use serde_json::Value;

use super::{Issued, SignedObject};
use crate::{
    domain::{agreement::AgreementAct, refusal::Refusal},
    message::{jws::TokenError, members::Members, submission::AgreementRef},
};

/// Claims of an agreement signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementSignature {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// The version and the digest of its document.
    pub agr: AgreementRef,
    /// What is said.
    pub act: AgreementAct,
}

impl SignedObject for AgreementSignature {
    const TYP: &'static str = "tsunagi-agreement-sig+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self { issued: Issued::read(&mut members)?, agr: members.object("agr", AgreementRef::read)?, act: members.take("act")? };
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        self.issued.write().with("agr", &self.agr).with("act", &self.act).build()
    }
}
