//! What the message tests share: keys, a draft, a way to sign whatever a forger would sign, and the published vectors.

use std::{fs, path::PathBuf, sync::LazyLock};

use serde_json::{Value, json};
use tsunagi::{
    domain::time::Timestamp,
    message::{
        base64url,
        compose::{Draft, Padding},
        disclosed::{ConsentRef, Hidden},
        keys::{PublicKey, SigningKey},
        profile::MESSAGE_TYP,
        sd_jwt::{self, Disclosure},
        sha256,
        submission::{AgreementRef, Claims, SchemaRef},
    },
};

pub(crate) static SENDER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
pub(crate) static BINDER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_790_812_800);
pub(crate) const JTI: &str = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";

pub(crate) fn claims() -> Claims {
    Claims {
        iss: "settlement_center:13-1".parse().unwrap(),
        aud: "municipality:131016-1".parse().unwrap(),
        jti: JTI.parse().unwrap(),
        iat: NOW,
        kind: "referral".parse().unwrap(),
        sch: SchemaRef { id: "urn:tsunagi:schema:referral".into(), ver: "1.0.0".into(), sha256: sha256(b"schema") },
        agr: AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: sha256(b"agreement") },
        pur: vec!["placement_coordination".parse().unwrap()],
        bas: "consent_69_2_1".parse().unwrap(),
        bref: None,
        cnf: BINDER.public().clone(),
    }
}

pub(crate) fn hidden() -> Hidden {
    Hidden {
        sub: Some("p-5f0c2f6a".parse().unwrap()),
        con: Some(ConsentRef { jti: "3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21".parse().unwrap(), sha256: sha256(b"consent") }),
        case: None,
        thr: Some("thread-1".parse().unwrap()),
        drv: None,
    }
}

pub(crate) fn body() -> Vec<(tsunagi::domain::field::FieldKey, Value)> {
    [
        ("family_name", json!("つなぎ")),
        ("birth_date", json!("1970-01-01")),
        ("disability_kinds", json!(["intellectual", "mental"])),
        ("custody_release", json!({"date": "2026-12-01", "certain": false})),
    ]
    .into_iter()
    .map(|(name, value)| (name.parse().unwrap(), value))
    .collect()
}

pub(crate) fn draft() -> Draft {
    Draft { claims: claims(), hidden: hidden(), body: body(), padding: Padding::None }
}

/// A message in pieces, so that a test can forge each of them before it is signed.
pub(crate) struct Pieces {
    pub(crate) header: Value,
    pub(crate) payload: Value,
    pub(crate) disclosures: Vec<String>,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        let text = draft().sign(&SENDER).unwrap();
        let parts = sd_jwt::split(&text).unwrap();
        let mut jwt = parts.jwt.split('.').map(|part| base64url::decode(part).unwrap());
        Self {
            header: serde_json::from_slice(&jwt.next().unwrap()).unwrap(),
            payload: serde_json::from_slice(&jwt.next().unwrap()).unwrap(),
            disclosures: parts.disclosures.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    /// Adds a disclosure whose digest stands in the list of the object at a pointer.
    pub(crate) fn disclose(&mut self, pointer: &str, text: &str) {
        self.list(pointer, text);
        self.disclosures.push(text.to_owned());
    }

    /// Adds the digest of a disclosure to a list.
    pub(crate) fn list(&mut self, pointer: &str, text: &str) {
        let object = self.payload.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        sd_jwt::add_digests(object, [sha256(text.as_bytes())]);
    }

    /// Position of the disclosure of a claim.
    pub(crate) fn position(&self, name: &str) -> usize {
        self.disclosures.iter().position(|text| Disclosure::read(text).unwrap().name() == Some(name)).unwrap()
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        sd_jwt::join(&token(key, &self.header.to_string(), &self.payload.to_string()), self.disclosures.iter().map(String::as_str))
    }
}

/// A compact JWS over any header and payload.
pub(crate) fn token(key: &SigningKey, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    format!("{signed}.{}", key.sign(signed.as_bytes()).unwrap())
}

pub(crate) fn header(key: &PublicKey) -> Value {
    json!({"alg": "ES256", "kid": key.thumbprint(), "typ": MESSAGE_TYP})
}

/// A disclosure of any JSON text.
pub(crate) fn disclosure(json: &str) -> String {
    base64url::encode(json)
}

/// A folder of the published vectors. None, said on standard error, when they are not there.
pub(crate) fn vectors(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TSUNAGI_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"), PathBuf::from);
    let folder = root.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no published vectors at {}", folder.display());
    None
}

pub(crate) fn read(path: impl AsRef<std::path::Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

pub(crate) fn read_json(path: impl AsRef<std::path::Path>) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}
