//! What every registered party may read: the gateway's own document, the directory, agreements, schemas.

use serde::Deserialize;
use serde_json::Value;

use super::{
    connection::{Client, JSON, query, read_json},
    error::{ClientError, Doubt},
    pinned::WellKnown,
};
use crate::{
    domain::{
        agreement::{Agreement, AgreementStanding},
        codes::Purpose,
        digest::Digest,
        ids::AgreementId,
        party::{Name, PartyId, PartyState},
        time::Timestamp,
    },
    message::{
        base64url, json,
        keys::{KeyUse, PublicKey},
        sha256,
        submission::{AgreementRef, SchemaRef},
    },
};

/// A party of the directory.
#[derive(Debug, Clone, Deserialize)]
pub struct Party {
    /// The party.
    pub party: PartyId,
    /// Its names.
    pub name: Name,
    /// Whether it may act.
    pub state: PartyState,
    /// Purposes it works for.
    pub purposes: Vec<Purpose>,
    /// Its public keys.
    pub keys: Vec<DirectoryKey>,
}

/// A public key in the directory, as its gateway shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct DirectoryKey {
    /// `sig` or `enc`.
    #[serde(rename = "use")]
    pub usage: String,
    /// RFC 7638 thumbprint.
    pub kid: Digest,
    /// The key.
    pub jwk: Value,
    /// `active`, `retiring`, `retired` or `compromised`.
    pub state: String,
    /// Not before.
    pub nbf: Timestamp,
    /// Not after.
    pub naf: Timestamp,
    /// Since when others may have it; with `compromised`.
    #[serde(default)]
    pub compromised_at: Option<Timestamp>,
}

impl Party {
    /// The signature key of this name.
    pub fn signature_key(&self, kid: &Digest) -> Result<&DirectoryKey, Doubt> {
        self.keys.iter().find(|key| key.usage == "sig" && key.kid == *kid).ok_or(Doubt::SenderKey)
    }
}

impl DirectoryKey {
    /// The key itself; it must have the name under which it is listed.
    pub fn public(&self) -> Result<PublicKey, Doubt> {
        let key = PublicKey::from_jwk(&self.jwk, KeyUse::Sig)?;
        if key.thumbprint() == self.kid { Ok(key) } else { Err(Doubt::SenderKey) }
    }

    /// Whether it vouches for something signed at `iat`: a compromised key for what was signed before. A thief writes any time, so that this was entered
    /// before is the gateway's word, who releases nothing else.
    pub fn vouches_at(&self, iat: Timestamp) -> Result<(), Doubt> {
        let untouched = self.state != "compromised" || self.compromised_at.is_some_and(|since| iat < since);
        // `iat` may be truncated to the hour, so a key may look an hour too young.
        let stands = untouched && iat.plus_secs(3600) >= self.nbf && iat < self.naf;
        if stands { Ok(()) } else { Err(Doubt::SenderKey) }
    }
}

/// An agreement version in the list.
#[derive(Debug, Clone, Deserialize)]
pub struct AgreementHead {
    /// Id.
    pub id: AgreementId,
    /// Version.
    pub ver: u32,
    /// Digest of the document.
    pub sha256: Digest,
    /// State now.
    pub state: AgreementStanding,
    /// Named parties.
    pub parties: Vec<PartyId>,
    /// In force from.
    pub from: Timestamp,
    /// In force until (exclusive).
    pub until: Timestamp,
}

impl AgreementHead {
    /// How a message names it.
    #[must_use]
    pub fn reference(&self) -> AgreementRef {
        AgreementRef { id: self.id.clone(), ver: self.ver, sha256: self.sha256 }
    }
}

/// The published bytes of a schema.
#[derive(Debug, Clone)]
pub struct PublishedSchema {
    /// How a message names it.
    pub reference: SchemaRef,
    /// The exact bytes; their digest was compared.
    pub bytes: Vec<u8>,
}

impl Client {
    /// The gateway's document. Refused when its keys or its name are not the pinned ones.
    pub async fn well_known(&self) -> Result<WellKnown, ClientError> {
        let shown = WellKnown::read(&self.open("/.well-known/tsunagi", JSON).await?.body)?;
        self.identity.pinned.agree(&shown)?;
        Ok(shown)
    }

    /// A party of the directory.
    pub async fn party_of(&self, party: &PartyId) -> Result<Party, ClientError> {
        let found: Party = read_json(&self.open(&format!("/v1/parties/{party}"), JSON).await?.body, "party")?;
        if found.party == *party { Ok(found) } else { Err(Doubt::Form("party").into()) }
    }

    /// The whole directory.
    pub async fn parties(&self) -> Result<Vec<Party>, ClientError> {
        let mut found: Vec<Party> = Vec::new();
        loop {
            let after = found.last().map(|party| party.party.to_string());
            let target = format!("/v1/parties{}", query(&[("cursor", after)]));
            let page: Parties = read_json(&self.open(&target, JSON).await?.body, "parties")?;
            if page.parties.is_empty() {
                return Ok(found);
            }
            found.extend(page.parties);
        }
    }

    /// The agreements this party stands in.
    pub async fn agreements(&self) -> Result<Vec<AgreementHead>, ClientError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let target = format!("/v1/agreements{}", query(&[("cursor", cursor)]));
            let page: Agreements = read_json(&self.open(&target, JSON).await?.body, "agreements")?;
            if page.agreements.is_empty() {
                return Ok(found);
            }
            found.extend(page.agreements);
            cursor = page.cursor;
        }
    }

    /// The document of an agreement version; its bytes must have the digest of the reference.
    pub async fn agreement(&self, reference: &AgreementRef) -> Result<Agreement, ClientError> {
        let target = format!("/v1/agreements/{}/{}", reference.id, reference.ver);
        let shown: Document = read_json(&self.open(&target, JSON).await?.body, "agreement")?;
        let bytes = base64url::decode(&shown.document).map_err(|_| Doubt::Form("agreement"))?;
        if sha256(&bytes) != reference.sha256 {
            return Err(Doubt::Form("agreement digest").into());
        }
        let value = json::parse(&bytes).map_err(|_| Doubt::Form("agreement"))?;
        Ok(serde_json::from_value(value).map_err(|_| Doubt::Form("agreement"))?)
    }

    /// The newest published schema of a kind; its bytes must have the digest the gateway lists.
    pub async fn schema(&self, kind: &str) -> Result<PublishedSchema, ClientError> {
        let shown = self.well_known().await?;
        let named = shown.schema(kind).ok_or(Doubt::Form("schema"))?;
        let bytes = self.open(&format!("/v1/schemas/{}/{}", named.kind, named.ver), JSON).await?.body.to_vec();
        if sha256(&bytes) != named.sha256 {
            return Err(Doubt::Form("schema digest").into());
        }
        let reference = SchemaRef { id: named.id.clone(), ver: named.ver.clone(), sha256: named.sha256 };
        Ok(PublishedSchema { reference, bytes })
    }
}

#[derive(Deserialize)]
struct Parties {
    parties: Vec<Party>,
}

#[derive(Deserialize)]
struct Agreements {
    agreements: Vec<AgreementHead>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    document: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::keys::SigningKey;

    fn party(key: &SigningKey, change: impl Fn(&mut Value)) -> Party {
        let mut shown = json!({
            "use": "sig", "kid": key.public().thumbprint(), "jwk": key.public().jwk(), "state": "active",
            "nbf": "2026-11-21T08:30:00Z", "naf": "2027-11-21T00:00:00Z", "log": {"idx": 1, "leaf": key.public().thumbprint()}
        });
        change(&mut shown);
        serde_json::from_value(json!({
            "party": "settlement_center:13-1", "name": {"ja": "定着", "en": "Centre"}, "state": "active", "purposes": [], "keys": [shown]
        }))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_vouches_in_its_time_and_with_an_iat_truncated_to_the_hour() {
        let key = SigningKey::generate().unwrap();
        let party = party(&key, |_| {});
        let listed = party.signature_key(&key.public().thumbprint()).unwrap();
        assert_eq!(listed.public().unwrap(), *key.public());
        for good in ["2026-11-21T08:00:00Z", "2026-11-21T08:30:00Z", "2027-11-20T23:59:59Z"] {
            assert!(listed.vouches_at(at(good)).is_ok(), "{good}");
        }
        for bad in ["2026-11-21T07:29:59Z", "2027-11-21T00:00:00Z"] {
            assert!(matches!(listed.vouches_at(at(bad)), Err(Doubt::SenderKey)), "{bad}");
        }
    }

    #[test]
    fn another_compromised_or_mislabelled_key_vouches_for_nothing() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let (kid, iat) = (key.public().thumbprint(), at("2026-11-22T00:00:00Z"));
        assert!(party(&key, |_| {}).signature_key(&other.public().thumbprint()).is_err());
        assert!(party(&key, |shown| shown["use"] = json!("enc")).signature_key(&kid).is_err());
        assert!(party(&key, |shown| shown["jwk"] = other.public().jwk()).signature_key(&kid).unwrap().public().is_err());
        assert!(party(&key, |shown| shown["state"] = json!("compromised")).signature_key(&kid).unwrap().vouches_at(iat).is_err());
        let since =
            |time: &'static str| party(&key, |shown| (shown["state"], shown["compromised_at"]) = (json!("compromised"), json!(time)));
        assert!(since("2026-11-22T00:00:01Z").signature_key(&kid).unwrap().vouches_at(iat).is_ok());
        assert!(since("2026-11-22T00:00:00Z").signature_key(&kid).unwrap().vouches_at(iat).is_err());
        assert!(party(&key, |shown| shown["state"] = json!("retired")).signature_key(&kid).unwrap().vouches_at(iat).is_ok());
    }
}
