//! Consents: signing and registering one, ending or narrowing one.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Accepted, Sent, identity_of},
    connection::{Body, Client, JSON, read_json},
    directory::Party,
    error::{ClientError, Doubt},
    proven::Proven,
};
use crate::{
    domain::{
        codes::Purpose,
        consent::{ConsentMethod, EndedBy, Exception, Item},
        digest::Digest,
        entry::Operation,
        ids::Jti,
        party::PartyId,
        tasks::ConsentHolder,
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
    /// Who holds what was sent under it; told to its collector.
    #[serde(default)]
    pub holders: Option<Vec<ConsentHolder>>,
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

impl ConsentShown {
    /// That it is the consent that was asked for, signed by its collector, and that what is told beside the signed object is what the object says.
    fn check(&self, asked: &Jti, signed: Signed<ConsentGiven>, collector: &Party) -> Result<(), Doubt> {
        let key = collector.signature_key(&signed.kid())?;
        let given = signed.verify(&key.public()?).map_err(Doubt::Consent)?;
        key.vouches_at(given.issued.iat)?;
        let told = given.to_claims().map_err(|_| Doubt::Form("consent"))?;
        let same = self.consent == *asked && given.issued.jti == *asked && given.issued.iss == collector.party && told == self.claims;
        if same { Ok(()) } else { Err(Doubt::Form("consent")) }
    }
}

/// A consent as a body is told of it that takes part in its case: what concerns itself. The gateway's word: nothing of it is signed.
#[derive(Debug, Clone, Deserialize)]
pub struct ConsentPart {
    /// Its id.
    pub consent: Jti,
    /// `in_force`, `ended` or `not_in_force`, for this body.
    pub state: String,
    /// Valid from.
    pub from: Timestamp,
    /// Until when it stands towards this body.
    pub until: Timestamp,
    /// The body in whose place this one asks, as a delegate.
    #[serde(rename = "for", default)]
    pub acting_for: Option<PartyId>,
    /// What it covers for this body, purpose by purpose, without what was refused and taken out.
    pub items: Vec<Item>,
    /// The consent that stands in its place now.
    #[serde(default)]
    pub superseded_by: Option<Jti>,
    /// The person's pseudonym, where this body may see `consent_detail`: a message names the consent by it and by the digest.
    #[serde(default)]
    pub sub: Option<Pseudonym>,
    /// The digest of the signed consent, likewise.
    #[serde(default)]
    pub sha256: Option<Digest>,
}

/// What a party is shown of a consent.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ConsentSeen {
    /// Its collector, and public bodies that may see `consent_detail`: all of it.
    Whole(Box<ConsentShown>),
    /// Another body that it concerns: its own part.
    Part(ConsentPart),
}

impl ConsentSeen {
    /// The whole consent, where it was shown.
    #[must_use]
    pub fn whole(self) -> Option<ConsentShown> {
        match self {
            Self::Whole(shown) => Some(*shown),
            Self::Part(_) => None,
        }
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

    /// A consent as the gateway shows it to this party now. Of a whole one the claims are the collector's own: its signature over them is verified with
    /// the key that the directory has of it.
    pub async fn read_consent(&self, consent: &Jti, purpose: Purpose) -> Result<ConsentSeen, ClientError> {
        let seen: ConsentSeen = read_json(&self.read(&format!("/v1/consents/{consent}"), JSON, purpose).await?.0.body, "consent")?;
        match &seen {
            ConsentSeen::Whole(shown) => {
                let signed = Signed::<ConsentGiven>::read(shown.signed.as_bytes()).map_err(|_| Doubt::Form("consent"))?;
                let collector = self.party_of(&signed.unproven().issued.iss).await?;
                shown.check(consent, signed, &collector)?;
            }
            ConsentSeen::Part(part) if part.consent == *consent => {}
            ConsentSeen::Part(_) => return Err(Doubt::Form("consent").into()),
        }
        Ok(seen)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::keys::SigningKey;

    const JTI: &str = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";

    fn claims() -> Value {
        json!({
            "iss": "settlement_center:13-1", "aud": "https://gateway.example:8443", "jti": JTI,
            "iat": 1_790_812_800, "nbf": 1_790_812_800, "exp": 1_822_348_800, "sub": "urn:uuid:6e1f",
            "items": [{"rcp": ["municipality"], "pur": ["placement_coordination"], "cls": ["identity"], "tick": []}],
            "refused": [], "how": "paper_signed", "form": {"ver": "2026-04", "sha256": sha256(b"scan")},
            "expl": {"by": "staff", "how": "easy_japanese", "understood": true},
        })
    }

    /// The collector as the directory has it, with one key.
    fn collector(key: &SigningKey, state: &str) -> Party {
        serde_json::from_value(json!({
            "party": "settlement_center:13-1", "name": {"ja": "センター", "en": "Centre"}, "state": "active", "purposes": [],
            "keys": [{
                "use": "sig", "kid": key.public().thumbprint(), "jwk": key.public().jwk(), "state": state,
                "nbf": "2026-01-01T00:00:00Z", "naf": "2027-12-31T00:00:00Z",
            }],
        }))
        .unwrap()
    }

    fn check(key: &SigningKey, change: impl Fn(&mut ConsentShown), collector: &Party) -> Result<(), Doubt> {
        let given = ConsentGiven::from_claims(&claims()).unwrap();
        let signed = given.sign(key).unwrap();
        let (consent, state) = (JTI.parse().unwrap(), "in_force".to_owned());
        let mut shown = ConsentShown {
            consent,
            state,
            narrowed: Vec::new(),
            superseded_by: None,
            holders: None,
            claims: given.to_claims().unwrap(),
            signed,
        };
        change(&mut shown);
        let signed = Signed::<ConsentGiven>::read(shown.signed.as_bytes()).map_err(|_| Doubt::Form("consent"))?;
        shown.check(&JTI.parse().unwrap(), signed, collector)
    }

    #[test]
    fn a_whole_consent_and_a_part_of_one_are_told_apart() {
        let part = json!({"consent": JTI, "state": "ended", "from": "2026-10-01T00:00:00Z", "until": "2027-10-01T00:00:00Z", "items": [
            {"rcp": ["group_home:1320100017"], "pur": ["placement_coordination"], "cls": ["identity"], "tick": []}]});
        let seen: ConsentSeen = serde_json::from_value(part).unwrap();
        assert!(matches!(&seen, ConsentSeen::Part(part) if part.state == "ended" && part.items.len() == 1 && part.acting_for.is_none()));
        assert!(seen.whole().is_none());
        let whole = json!({"consent": JTI, "state": "in_force", "narrowed": [], "claims": {}, "signed": "a.b.c"});
        assert!(serde_json::from_value::<ConsentSeen>(whole).unwrap().whole().is_some());
        let neither = json!({"consent": JTI, "state": "in_force", "narrowed": [], "claims": {}});
        serde_json::from_value::<ConsentSeen>(neither).unwrap_err();
    }

    #[test]
    fn a_consent_is_believed_by_the_signature_of_its_collector_alone() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let centre = collector(&key, "active");
        check(&key, |_| {}, &centre).unwrap();
        check(&key, |_| {}, &collector(&key, "retired")).unwrap();
        assert!(matches!(check(&other, |_| {}, &centre), Err(Doubt::SenderKey)));
        assert!(matches!(check(&key, |_| {}, &collector(&key, "compromised")), Err(Doubt::SenderKey)));
        let forged = |shown: &mut ConsentShown| {
            let given = ConsentGiven::from_claims(&claims()).unwrap();
            let theirs = given.sign(&other).unwrap();
            let (signed, _) = shown.signed.rsplit_once('.').unwrap();
            shown.signed = format!("{signed}.{}", theirs.rsplit_once('.').unwrap().1);
        };
        assert!(matches!(check(&key, forged, &centre), Err(Doubt::Consent(_))));
        let told = |shown: &mut ConsentShown| shown.claims["items"] = json!([]);
        assert!(matches!(check(&key, told, &centre), Err(Doubt::Form(_))));
        let elsewhere = |shown: &mut ConsentShown| shown.consent = "1b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap();
        assert!(matches!(check(&key, elsewhere, &centre), Err(Doubt::Form(_))));
    }
}
