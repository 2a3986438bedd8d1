//! What a party says about one of its keys (protocol section 1): added by an active `sig` key and, where the new key can sign, by the new key itself.

use serde_json::Value;

use super::{Issued, SignedObject};
use crate::{
    domain::{
        codes::closed_list,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    message::{
        compose::ComposeError,
        jws::{self, TokenError, Unverified},
        keys::{KeyUse, PublicKey, SigningKey},
        members::{Members, Object},
    },
};

closed_list! {
    /// What is said about the key.
    KeyAct {
        Add = "add",
        Retire = "retire",
        Compromised = "compromised",
    }
}

/// Claims of a statement about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatement {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// What is said.
    pub act: KeyAct,
    /// What the key is for (`use`).
    pub purpose: KeyUse,
    /// The key.
    pub jwk: PublicKey,
    /// Valid from; with `add`.
    pub nbf: Option<Timestamp>,
    /// Valid until; with `add`.
    pub naf: Option<Timestamp>,
    /// Proof that the party holds a new `sig` key: a token of this same type over the same claims without `pop`, signed by the new key.
    pub pop: Option<String>,
    /// Since when it is no longer the party's alone; with `compromised`.
    pub compromised_at: Option<Timestamp>,
}

impl KeyStatement {
    /// Signs the statement: with the new key first, as proof of possession, where `new` is given.
    pub fn sign_with_proof(mut self, key: &SigningKey, new: &SigningKey) -> Result<String, ComposeError> {
        self.pop = None;
        self.pop = Some(jws::sign(new, Self::TYP, &self.to_claims()?)?);
        self.sign(key)
    }

    /// Checks the proof of possession.
    fn check_proof(&self) -> Result<(), Refusal> {
        let wrong = || Refusal::claim(RefusalCode::BadToken, "pop", "proof");
        let Some(pop) = &self.pop else { return Ok(()) };
        let proof = Unverified::read(pop.as_bytes(), Self::TYP).map_err(|_| wrong())?;
        let expected = Self { pop: None, ..self.clone() }.to_claims().map_err(|_| wrong())?;
        let proven = proof.verify(&self.jwk).map_err(|_| wrong())?;
        // The JWK in the proof may carry `use` and `kid`; what it means is what counts.
        let proven = read_claims(&proven).and_then(|read| read.to_claims().map_err(|_| wrong())).map_err(|_| wrong())?;
        if proven == expected { Ok(()) } else { Err(wrong()) }
    }

    fn obeys(&self) -> Result<(), Refusal> {
        let wrong = |claim, rule| Err(Refusal::claim(RefusalCode::BadToken, claim, rule));
        let adds = self.act == KeyAct::Add;
        match (self.nbf, self.naf) {
            (Some(from), Some(until)) if until <= from => return wrong("naf", "order"),
            (None, _) if adds => return wrong("nbf", "missing"),
            (_, None) if adds => return wrong("naf", "missing"),
            _ => {}
        }
        if self.compromised_at.is_some() != (self.act == KeyAct::Compromised) {
            return wrong("compromised_at", "act");
        }
        // A key that only opens envelopes cannot sign; the sig key vouches for it.
        if self.pop.is_some() != (adds && self.purpose == KeyUse::Sig) {
            return wrong("pop", "act");
        }
        Ok(())
    }
}

impl SignedObject for KeyStatement {
    const TYP: &'static str = "tsunagi-key+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let read = read_claims(claims)?;
        read.obeys()?;
        read.check_proof()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims: Object = self.issued.write().with("act", &self.act).with("use", &self.purpose).with("jwk", &self.jwk.jwk());
        claims
            .date_opt("nbf", self.nbf)
            .date_opt("naf", self.naf)
            .with_opt("pop", self.pop.as_ref())
            .date_opt("compromised_at", self.compromised_at)
            .build()
    }
}

fn read_claims(claims: &Value) -> Result<KeyStatement, Refusal> {
    let mut members = Members::of(claims.clone(), "payload", RefusalCode::BadToken)?;
    let issued = Issued::read(&mut members)?;
    let act = members.take("act")?;
    let purpose = members.take("use")?;
    let jwk: Value = members.take("jwk")?;
    let read = KeyStatement {
        issued,
        act,
        purpose,
        jwk: PublicKey::from_jwk(&jwk, purpose).map_err(|_| members.refusal("jwk", "form"))?,
        nbf: members.date_opt("nbf")?,
        naf: members.date_opt("naf")?,
        pop: members.machine_text_opt("pop", 8192)?,
        compromised_at: members.date_opt("compromised_at")?,
    };
    members.end()?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::objects::Signed;

    fn statement(act: KeyAct, purpose: KeyUse, jwk: &PublicKey) -> KeyStatement {
        let at = Timestamp::from_secs(1_790_812_800);
        KeyStatement {
            issued: Issued {
                iss: "municipality:131016-1".parse().unwrap(),
                aud: "https://gateway.example".parse().unwrap(),
                jti: "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
                iat: at,
            },
            act,
            purpose,
            jwk: jwk.clone(),
            nbf: Some(at),
            naf: Some(at.plus_secs(86400)),
            pop: None,
            compromised_at: None,
        }
    }

    #[test]
    fn a_new_signing_key_proves_itself() {
        let (old, new, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let add = statement(KeyAct::Add, KeyUse::Sig, new.public());
        let token = add.clone().sign_with_proof(&old, &new).unwrap();
        let read = Signed::<KeyStatement>::read(token.as_bytes()).unwrap().verify(old.public()).unwrap();
        assert_eq!(&read.jwk, new.public());
        assert!(add.clone().sign_with_proof(&old, &stranger).is_err(), "another key's proof");
        assert!(add.sign(&old).is_err(), "no proof");
    }

    #[test]
    fn a_proof_made_for_another_statement_is_refused() {
        let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let add = statement(KeyAct::Add, KeyUse::Sig, new.public());
        let token = add.clone().sign_with_proof(&old, &new).unwrap();
        let mut stolen = Signed::<KeyStatement>::read(token.as_bytes()).unwrap().verify(old.public()).unwrap().into_inner();
        stolen.issued.iss = "municipality:131016-2".parse().unwrap();
        let refusal = KeyStatement::from_claims(&stolen.to_claims().unwrap()).unwrap_err();
        assert_eq!(refusal.violations[0].field, "pop");
    }

    #[test]
    fn an_opening_key_needs_no_proof_and_dates_go_with_their_act() {
        let old = SigningKey::generate().unwrap();
        let add = statement(KeyAct::Add, KeyUse::Enc, old.public());
        assert!(add.sign(&old).is_ok());
        let undated = KeyStatement { nbf: None, ..add.clone() };
        assert!(undated.sign(&old).is_err());
        let backwards = KeyStatement { naf: add.nbf, ..add.clone() };
        assert!(backwards.sign(&old).is_err());
        let gone = KeyStatement { act: KeyAct::Compromised, nbf: None, naf: None, ..add.clone() };
        assert!(gone.sign(&old).is_err());
        assert!(KeyStatement { compromised_at: add.nbf, ..gone }.sign(&old).is_ok());
        let retired = KeyStatement { act: KeyAct::Retire, nbf: None, naf: None, ..add };
        assert!(retired.sign(&old).is_ok());
    }
}
