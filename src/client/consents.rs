//! Consents: signing and registering one, ending or narrowing one.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Accepted, Sent, identity_of},
    connection::{Body, Client, JSON, read_json},
    error::{ClientError, Doubt},
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
        compose::ComposeError,
        disclosed::{ConsentRef, Pseudonym},
        objects::{ConsentEnd, ConsentGiven, Explanation, PaperForm, Signed, SignedObject as _},
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

/// A consent as the gateway shows it.
#[derive(Clone, Deserialize)]
pub struct ConsentShown {
    /// Its id.
    pub consent: Jti,
    /// `in_force`, `ended` or `not_in_force`.
    pub state: String,
    /// Products taken out.
    pub narrowed: Vec<Exception>,
    /// The consent that took its place.
    #[serde(default)]
    pub superseded_by: Option<Jti>,
    /// The claims.
    pub claims: Value,
    /// The signed object.
    pub signed: String,
}

impl std::fmt::Debug for ConsentShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentShown").field("consent", &self.consent).field("state", &self.state).finish_non_exhaustive()
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

    /// Signs a consent whose claims were drafted elsewhere: all but those that say who signs what for whom and when.
    pub fn sign_drafted_consent(&self, claims: &Value) -> Result<SignedConsent, ClientError> {
        let issued = self.issued()?;
        let mut claims = claims.clone();
        if let Some(members) = claims.as_object_mut() {
            members.insert("iss".to_owned(), json!(issued.iss));
            members.insert("aud".to_owned(), json!(issued.aud));
            members.insert("jti".to_owned(), json!(issued.jti));
            members.insert("iat".to_owned(), json!(issued.iat.secs()));
        }
        let given = ConsentGiven::from_claims(&claims).map_err(ComposeError::Refused)?;
        Ok(SignedConsent { token: given.sign(&self.identity.signing)?, jti: issued.jti, sub: given.sub })
    }

    /// Signs the end of a consent, or the products taken out of it when `narrow` is given.
    pub fn sign_consent_end(
        &self,
        consent: Jti,
        by: EndedBy,
        why: &str,
        narrow: Option<Vec<Exception>>,
    ) -> Result<(Jti, String), ClientError> {
        let end = ConsentEnd { issued: self.issued()?, con: consent, by, why: why.to_owned(), narrow, from: None };
        Ok((end.issued.jti, end.sign(&self.identity.signing)?))
    }

    /// State and claims of a consent, as the gateway shows them now. The signed consent in it is the collector's own.
    pub async fn read_consent(&self, consent: &Jti, purpose: Purpose) -> Result<ConsentShown, ClientError> {
        let shown: ConsentShown = read_json(&self.read(&format!("/v1/consents/{consent}"), JSON, purpose).await?.0.body, "consent")?;
        let signed = Signed::<ConsentGiven>::read(shown.signed.as_bytes()).map_err(|_| Doubt::Form("consent"))?;
        let told = signed.unproven().to_claims().map_err(|_| Doubt::Form("consent"))?;
        // What is told beside the signed object is what the object says.
        if shown.consent == *consent && told == shown.claims { Ok(shown) } else { Err(Doubt::Form("consent").into()) }
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
        let (jti, token) = self.sign_consent_end(consent, by, why, narrow)?;
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
