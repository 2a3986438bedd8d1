//! The end or narrowing of a consent (protocol section 2).

use serde_json::Value;

use super::{Issued, SignedObject, consent::read_exception};
use crate::{
    domain::{
        consent::{EndedBy, Exception},
        ids::Jti,
        refusal::Refusal,
        time::Timestamp,
    },
    message::{jws::TokenError, members::Members},
};

/// Claims of a consent's end.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentEnd {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// `jti` of the consent.
    pub con: Jti,
    /// Who ended it.
    pub by: EndedBy,
    /// Why, in free words.
    pub why: String,
    /// Products taken out; absent: the whole consent ends. Never empty.
    pub narrow: Option<Vec<Exception>>,
    /// From when the person wished it. Informative: the end is effective from its ledger entry.
    pub from: Option<Timestamp>,
}

impl SignedObject for ConsentEnd {
    const TYP: &'static str = "tsunagi-consent-end+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            con: members.take("con")?,
            by: members.take("by")?,
            why: members.text("why", 2048)?,
            narrow: members.objects_opt("narrow", read_exception)?,
            from: members.date_opt("from")?,
        };
        // An empty list would be a withdrawal that takes nothing away.
        if read.narrow.as_ref().is_some_and(Vec::is_empty) {
            return Err(members.refusal("narrow", "empty"));
        }
        members.end()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = self.issued.write().with("con", &self.con).with("by", &self.by).with("why", &self.why);
        claims.with_opt("narrow", self.narrow.as_ref()).date_opt("from", self.from).build()
    }
}

impl std::fmt::Debug for ConsentEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentEnd").field("con", &self.con).finish_non_exhaustive()
    }
}
