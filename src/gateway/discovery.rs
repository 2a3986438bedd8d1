//! What everybody may know: keys, origin, limits, schemas. And whether the gateway can work.

use serde_json::{Value, json};

use super::{Gateway, failure::Failure};
use crate::message::profile;

impl Gateway {
    /// `/.well-known/tsunagi`.
    #[must_use]
    pub fn well_known(&self) -> Value {
        let schemas: Vec<Value> = self
            .schemas
            .published()
            .map(|schema| json!({"kind": schema.kind, "id": schema.id, "ver": schema.ver, "sha256": schema.sha256}))
            .collect();
        json!({
            "protocol": "tsunagi/1",
            "gateway": self.url,
            "keys": {
                "enc": with_use(&self.keys.enc_public.jwk(), "enc", &self.keys.enc_public.thumbprint().to_string()),
                "kb": with_use(&self.keys.kb.public().jwk(), "sig", &self.keys.kb.public().thumbprint().to_string()),
                "receipt": with_use(&self.keys.receipt.public().jwk(), "sig", &self.keys.receipt.public().thumbprint().to_string()),
            },
            "retired": self.retired(),
            "ledger": {"origin": self.origin, "vkey": self.keys.vkey},
            "limits": {
                "body": profile::MAX_ENVELOPE,
                "envelope": profile::MAX_ENVELOPE,
                "header": profile::MAX_HEADER,
                "payload": profile::MAX_PAYLOAD,
                "disclosures": profile::MAX_DISCLOSURES,
                "disclosure": profile::MAX_DISCLOSURE,
                "age_seconds": profile::MAX_AGE_SECS,
                "actor_seconds": profile::MAX_ACTOR_SECS,
                "wait_seconds": 30,
            },
            "schemas": schemas,
            "policy": {"sha256": self.policy.digest()},
        })
    }

    /// Earlier keys. When they were in use is the configuration's business, so no dates are known here.
    fn retired(&self) -> Vec<Value> {
        let enc = self.keys.enc_retired.iter().map(|opener| ("enc", opener.public().jwk()));
        let kb = self.keys.kb_retired.iter().map(|key| ("kb", key.public().jwk()));
        enc.chain(kb).map(|(usage, jwk)| json!({"use": usage, "jwk": jwk, "nbf": null, "naf": null})).collect()
    }

    /// The published bytes of a schema.
    #[must_use]
    pub fn schema(&self, kind: &str, ver: &str) -> Option<&'static [u8]> {
        self.schemas.bytes(kind, ver)
    }

    /// Whether the ledger answers and the policy in force is the one that is loaded.
    pub async fn ready(&self) -> Result<(), Failure> {
        if !self.decides_by(&self.seen().await?) {
            return Err(crate::domain::refusal::RefusalCode::PolicyMismatch.into());
        }
        Ok(self.ledger.writable().await?)
    }
}

/// A public JWK that says what it is for (RFC 7517 sections 4.2 and 4.5).
fn with_use(jwk: &Value, usage: &str, kid: &str) -> Value {
    let mut jwk = jwk.clone();
    if let Some(members) = jwk.as_object_mut() {
        members.insert("use".to_owned(), usage.into());
        members.insert("kid".to_owned(), kid.into());
    }
    jwk
}
