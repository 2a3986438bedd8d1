//! Consents: signing and registering one, ending or narrowing one.

use super::{
    answer::{Accepted, Sent, identity_of},
    connection::{Body, Client},
    error::ClientError,
    proven::Proven,
};
use crate::{
    domain::{
        codes::Purpose,
        consent::{ConsentMethod, EndedBy, Exception, Item},
        entry::Operation,
        ids::Jti,
        time::Timestamp,
    },
    message::{
        disclosed::{ConsentRef, Pseudonym},
        objects::{ConsentEnd, ConsentGiven, Explanation, PaperForm, SignedObject as _},
        sha256,
    },
};

/// A consent as it was given, before the collector signs it.
#[derive(Clone)]
pub struct ConsentDraft {
    /// Pseudonym of the person, random per case.
    pub sub: Pseudonym,
    /// Valid from.
    pub from: Timestamp,
    /// Valid until.
    pub until: Timestamp,
    /// What is consented to.
    pub items: Vec<Item>,
    /// What is expressly refused.
    pub refused: Vec<Exception>,
    /// How it was given.
    pub how: ConsentMethod,
    /// The paper.
    pub form: PaperForm,
    /// The explanation.
    pub expl: Explanation,
}

impl std::fmt::Debug for ConsentDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentDraft").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

/// A signed consent: what is sent, as often as needed, and what messages refer to.
#[derive(Clone)]
pub struct SignedConsent {
    token: String,
    jti: Jti,
    sub: Pseudonym,
}

impl SignedConsent {
    /// Its id.
    #[must_use]
    pub const fn jti(&self) -> Jti {
        self.jti
    }

    /// The person's pseudonym.
    #[must_use]
    pub const fn sub(&self) -> &Pseudonym {
        &self.sub
    }

    /// How a message refers to it.
    #[must_use]
    pub fn reference(&self) -> ConsentRef {
        ConsentRef { jti: self.jti, sha256: sha256(self.token.as_bytes()) }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl std::fmt::Debug for SignedConsent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedConsent").field("jti", &self.jti).finish_non_exhaustive()
    }
}

impl Client {
    /// Signs a consent that this party collected.
    pub fn sign_consent(&self, draft: ConsentDraft) -> Result<SignedConsent, ClientError> {
        let issued = self.issued()?;
        let (jti, sub) = (issued.jti, draft.sub.clone());
        let given = ConsentGiven {
            issued,
            nbf: draft.from,
            exp: draft.until,
            sub: draft.sub,
            items: draft.items,
            refused: draft.refused,
            sup: None,
            how: draft.how,
            form: draft.form,
            expl: draft.expl,
            place: None,
            witness: None,
            rep: None,
        };
        Ok(SignedConsent { token: given.sign(&self.identity.signing)?, jti, sub })
    }

    /// Registers a consent. The same signed consent again gets the same answer.
    pub async fn register_consent(&self, consent: &SignedConsent, purpose: Purpose) -> Result<Proven<Accepted>, ClientError> {
        self.post_object("/v1/consents", Operation::ConsentRegister, consent.jti, &consent.token, purpose).await
    }

    /// Ends a consent, or takes products out of it when `narrow` is given. Effective from its ledger entry.
    pub async fn end_consent(
        &self,
        consent: Jti,
        by: EndedBy,
        why: &str,
        narrow: Option<Vec<Exception>>,
        purpose: Purpose,
    ) -> Result<Proven<Accepted>, ClientError> {
        let end = ConsentEnd { issued: self.issued()?, con: consent, by, why: why.to_owned(), narrow, from: None };
        let (jti, token) = (end.issued.jti, end.sign(&self.identity.signing)?);
        self.post_object(&format!("/v1/consents/{consent}/end"), Operation::ConsentEnd, jti, &token, purpose).await
    }

    /// Sends a signed object and checks what comes back.
    pub(super) async fn post_object(
        &self,
        target: &str,
        operation: Operation,
        jti: Jti,
        token: &str,
        purpose: Purpose,
    ) -> Result<Proven<Accepted>, ClientError> {
        let answer = self.post(target, purpose, Body::jwt(token)).await?;
        let sent = Sent { party: self.party(), operation, jti, digest: identity_of(token) };
        Ok(sent.accept(&answer.body, &self.identity.pinned)?)
    }
}
