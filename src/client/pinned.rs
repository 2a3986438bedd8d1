//! The gateway's well-known document: as it is fetched, and as it was pinned when the party was set up.
//!
//! Promises: what is verified is verified with the pinned keys only. A gateway that shows others is refused until somebody pins again, on purpose.

use serde::Deserialize;
use serde_json::Value;

use super::error::Doubt;
use crate::{
    domain::digest::Digest,
    message::{
        json,
        keys::{KeyUse, PublicKey},
        objects::GatewayUrl,
    },
    tlog::VerifierKey,
};

/// `/.well-known/tsunagi`, parsed.
#[derive(Debug, Clone)]
pub struct WellKnown {
    /// The gateway's own name.
    pub gateway: GatewayUrl,
    /// Opens requests.
    pub enc: PublicKey,
    /// Binds releases.
    pub kb: PublicKey,
    /// Signs receipts.
    pub receipt: PublicKey,
    /// Signs the ledger's checkpoints.
    pub vkey: VerifierKey,
    /// Earlier keys, with what they were for.
    pub retired: Vec<(String, PublicKey)>,
    /// Published schemas.
    pub schemas: Vec<SchemaName>,
    /// Digest of the policies in force.
    pub policy: Digest,
}

/// The well-known document a party trusts.
#[derive(Debug, Clone)]
pub struct Pinned(WellKnown);

/// A published schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SchemaName {
    /// Kind.
    pub kind: String,
    /// `urn:tsunagi:schema:<kind>`.
    pub id: String,
    /// Version.
    pub ver: String,
    /// SHA-256 of the exact bytes.
    pub sha256: Digest,
}

impl WellKnown {
    /// Reads the document.
    pub fn read(bytes: &[u8]) -> Result<Self, Doubt> {
        let wrong = || Doubt::Form("well-known document");
        let value = json::parse(bytes).map_err(|_| wrong())?;
        let document: Document = serde_json::from_value(value).map_err(|_| wrong())?;
        if document.protocol != PROTOCOL {
            return Err(wrong());
        }
        let vkey: VerifierKey = document.ledger.vkey.parse()?;
        if document.ledger.origin != vkey.name().as_str() {
            return Err(wrong());
        }
        let retired = document.retired.iter().filter_map(|key| {
            let purpose = if key.usage == "enc" { KeyUse::Enc } else { KeyUse::Sig };
            Some((key.usage.clone(), PublicKey::from_jwk(&key.jwk, purpose).ok()?))
        });
        Ok(Self {
            gateway: document.gateway,
            enc: PublicKey::from_jwk(&document.keys.enc, KeyUse::Enc)?,
            kb: PublicKey::from_jwk(&document.keys.kb, KeyUse::Sig)?,
            receipt: PublicKey::from_jwk(&document.keys.receipt, KeyUse::Sig)?,
            vkey,
            retired: retired.collect(),
            schemas: document.schemas,
            policy: document.policy.sha256,
        })
    }

    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.vkey.name().as_str()
    }

    /// The newest listed schema of a kind.
    #[must_use]
    pub fn schema(&self, kind: &str) -> Option<&SchemaName> {
        self.schemas.iter().rfind(|schema| schema.kind == kind)
    }

    fn keys_of<'a>(&'a self, now: &'a PublicKey, usage: &'a str) -> impl Iterator<Item = &'a PublicKey> {
        std::iter::once(now).chain(self.retired.iter().filter(move |(of, _)| of == usage).map(|(_, key)| key))
    }
}

impl Pinned {
    /// Reads the pinned document.
    pub fn read(bytes: &[u8]) -> Result<Self, Doubt> {
        WellKnown::read(bytes).map(Self)
    }

    /// What was pinned.
    #[must_use]
    pub const fn document(&self) -> &WellKnown {
        &self.0
    }

    /// Keys that may have bound a release, the current one first.
    #[must_use]
    pub fn binding_keys(&self) -> Vec<PublicKey> {
        self.0.keys_of(&self.0.kb, "kb").cloned().collect()
    }

    /// The pinned receipt key of this thumbprint.
    #[must_use]
    pub fn receipt_key(&self, kid: &Digest) -> Option<&PublicKey> {
        self.0.keys_of(&self.0.receipt, "receipt").find(|key| key.thumbprint() == *kid)
    }

    /// Whether a gateway shows exactly the keys and names that were pinned.
    pub fn agree(&self, shown: &WellKnown) -> Result<(), Doubt> {
        let pinned = &self.0;
        for (same, what) in [
            (pinned.gateway == shown.gateway, "name"),
            (pinned.enc == shown.enc, "encryption key"),
            (pinned.kb == shown.kb, "key-binding key"),
            (pinned.receipt == shown.receipt, "receipt key"),
            (pinned.vkey == shown.vkey, "ledger key"),
        ] {
            if !same {
                return Err(Doubt::Pinned(what));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Document {
    protocol: String,
    gateway: GatewayUrl,
    keys: Keys,
    #[serde(default)]
    retired: Vec<Retired>,
    ledger: Ledger,
    #[serde(default)]
    schemas: Vec<SchemaName>,
    policy: Policy,
}

#[derive(Deserialize)]
struct Keys {
    enc: Value,
    kb: Value,
    receipt: Value,
}

#[derive(Deserialize)]
struct Retired {
    #[serde(rename = "use")]
    usage: String,
    jwk: Value,
}

#[derive(Deserialize)]
struct Ledger {
    origin: String,
    vkey: String,
}

#[derive(Deserialize)]
struct Policy {
    sha256: Digest,
}

const PROTOCOL: &str = "tsunagi/1";

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        message::keys::{OpeningKey, SigningKey},
        tlog::NoteSigner,
    };

    /// The private side of a gateway.
    pub(in crate::client) struct Stage {
        pub(in crate::client) enc: OpeningKey,
        pub(in crate::client) kb: SigningKey,
        pub(in crate::client) receipt: SigningKey,
        pub(in crate::client) signer: NoteSigner,
    }

    pub(in crate::client) const GATEWAY: &str = "https://localhost:8443";

    impl Stage {
        pub(in crate::client) fn new() -> Self {
            Self {
                enc: OpeningKey::generate().unwrap(),
                kb: SigningKey::generate().unwrap(),
                receipt: SigningKey::generate().unwrap(),
                signer: NoteSigner::from_seed("localhost:8443/ledger".parse().unwrap(), &Zeroizing::new([7; 32])).unwrap(),
            }
        }

        pub(in crate::client) fn document(&self) -> Value {
            json!({
                "protocol": "tsunagi/1", "gateway": GATEWAY,
                "keys": {"enc": self.enc.public().jwk(), "kb": self.kb.public().jwk(), "receipt": self.receipt.public().jwk()},
                "retired": [],
                "ledger": {"origin": self.signer.verifier().name().as_str(), "vkey": self.signer.verifier().to_string()},
                "limits": {}, "schemas": [], "policy": {"sha256": Digest([1; 32])}
            })
        }

        pub(in crate::client) fn pinned(&self) -> Pinned {
            Pinned::read(self.document().to_string().as_bytes()).unwrap()
        }
    }

    #[test]
    fn the_same_keys_agree_whatever_else_changed() {
        let stage = Stage::new();
        let mut shown = stage.document();
        shown["policy"]["sha256"] = json!(Digest([2; 32]));
        shown["new"] = json!(true);
        let shown = WellKnown::read(shown.to_string().as_bytes()).unwrap();
        assert!(stage.pinned().agree(&shown).is_ok());
    }

    #[test]
    fn each_changed_key_or_name_is_refused_by_name() {
        let (stage, other) = (Stage::new(), Stage::new());
        let signer = NoteSigner::from_seed("localhost:8443/ledger".parse().unwrap(), &Zeroizing::new([8; 32])).unwrap();
        for (pointer, value, what) in [
            ("/gateway", json!("https://localhost:9443"), "name"),
            ("/keys/enc", other.enc.public().jwk(), "encryption key"),
            ("/keys/kb", other.kb.public().jwk(), "key-binding key"),
            ("/keys/receipt", other.receipt.public().jwk(), "receipt key"),
            ("/ledger/vkey", json!(signer.verifier().to_string()), "ledger key"),
        ] {
            let mut shown = stage.document();
            *shown.pointer_mut(pointer).unwrap() = value;
            let shown = WellKnown::read(shown.to_string().as_bytes()).unwrap();
            assert!(matches!(stage.pinned().agree(&shown), Err(Doubt::Pinned(name)) if name == what), "{pointer}");
        }
    }

    #[test]
    fn a_document_of_another_protocol_or_with_a_foreign_origin_is_refused() {
        let stage = Stage::new();
        for (pointer, value) in [
            ("/protocol", json!("tsunagi/2")),
            ("/ledger/origin", json!("elsewhere/ledger")),
            ("/ledger/vkey", json!("localhost:8443/ledger+00000000+AA==")),
            ("/keys/kb", json!({"kty": "EC"})),
            ("/gateway", json!("http://localhost:8443")),
        ] {
            let mut shown = stage.document();
            *shown.pointer_mut(pointer).unwrap() = value;
            assert!(WellKnown::read(shown.to_string().as_bytes()).is_err(), "{pointer}");
        }
    }

    #[test]
    fn a_retired_key_still_vouches_for_what_it_bound() {
        let stage = Stage::new();
        let (old_kb, old_receipt) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let mut document = stage.document();
        document["retired"] = json!([
            {"use": "kb", "jwk": old_kb.public().jwk(), "nbf": "2026-01-01T00:00:00Z", "naf": "2026-06-01T00:00:00Z"},
            {"use": "receipt", "jwk": old_receipt.public().jwk(), "nbf": "2026-01-01T00:00:00Z", "naf": "2026-06-01T00:00:00Z"}
        ]);
        let pinned = Pinned::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(pinned.binding_keys(), [stage.kb.public().clone(), old_kb.public().clone()]);
        assert!(pinned.receipt_key(&old_receipt.public().thumbprint()).is_some());
        assert!(pinned.receipt_key(&old_kb.public().thumbprint()).is_none());
    }
}
