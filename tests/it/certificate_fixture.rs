//! A centre, a gateway, and a certificate between them.

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        addon::{AddOn, Days, Eligibility, RevocationReason, Statement},
        digest::Digest,
        ids::Jti,
        time::Timestamp,
    },
    message::{
        certificate::{Anchor, CertificateError, CertificateFile, Person, ProvenCertificate, RevocationFile},
        keys::SigningKey,
        objects::{Certificate, CertificateRef, Countersignature, Issued, LogPosition, ObjectRef, Revocation, Signed, SignedObject as _},
    },
    tlog::NoteSigner,
};
use zeroize::Zeroizing;

pub(crate) const CENTRE: &str = "settlement_center:13-1";
pub(crate) const GATEWAY: &str = "https://gateway.example:8443";
pub(crate) const IAT: i64 = 1_790_812_800;

/// Who signs.
pub(crate) struct Signers {
    pub(crate) centre: SigningKey,
    pub(crate) receipt: SigningKey,
}

impl Signers {
    pub(crate) fn new() -> Self {
        Self { centre: SigningKey::generate().unwrap(), receipt: SigningKey::generate().unwrap() }
    }

    /// A countersignature on what is named so, with something changed.
    pub(crate) fn countersign(&self, obj: ObjectRef, iat: Timestamp, change: impl FnOnce(&mut Countersignature)) -> String {
        let mut made = Countersignature {
            iss: GATEWAY.parse().unwrap(),
            aud: obj.iss.clone(),
            jti: jti(9),
            iat: iat.plus_secs(1),
            obj,
            ent: vec![3, 8],
            log: LogPosition { origin: "gateway.example/ledger".to_owned(), idx: 21, leaf: Digest([7; 32]) },
        };
        change(&mut made);
        made.sign(&self.receipt).unwrap()
    }

    /// The file of a certificate.
    pub(crate) fn file(&self, certificate: &Certificate) -> CertificateFile {
        let token = certificate.sign(&self.centre).unwrap();
        let named = Signed::<Certificate>::read(token.as_bytes()).unwrap().named();
        CertificateFile {
            countersignature: self.countersign(named, certificate.issued.iat, |_| ()),
            certificate: token,
            issuer_key: self.centre.public().jwk(),
            person: Some(person()),
            revocations: Vec::new(),
        }
    }

    /// A revocation of the certificate in a file.
    pub(crate) fn revoke(&self, file: &CertificateFile, from: Option<&str>) -> RevocationFile {
        let certificate = Signed::<Certificate>::read(file.certificate.as_bytes()).unwrap();
        let revocation = Revocation {
            issued: Issued { jti: jti(5), iat: Timestamp::from_secs(IAT + 86_400), ..certificate.unproven().issued.clone() },
            crt: CertificateRef { jti: certificate.unproven().issued.jti, sha256: certificate.signed_digest() },
            why: RevocationReason::FactsChanged,
            from: from.map(|day| day.parse().unwrap()),
        };
        let token = revocation.sign(&self.centre).unwrap();
        let named = Signed::<Revocation>::read(token.as_bytes()).unwrap().named();
        let countersignature = self.countersign(named, revocation.issued.iat, |_| ());
        RevocationFile { revocation: token, countersignature, issuer_key: self.centre.public().jwk() }
    }

    pub(crate) fn verify(&self, file: &CertificateFile) -> Result<ProvenCertificate, CertificateError> {
        let gateway = GATEWAY.parse().unwrap();
        let receipt = self.receipt.public();
        file.verify(&Anchor { gateway: &gateway, receipt_key: &|kid| (receipt.thumbprint() == *kid).then(|| receipt.clone()) })
    }

    /// The gateway's document, as it is pinned.
    pub(crate) fn well_known(&self) -> Value {
        let other = SigningKey::generate().unwrap().public().jwk();
        let enc = json!({"kty": "EC", "crv": "P-256", "x": other["x"], "y": other["y"]});
        json!({
            "protocol": "tsunagi/1", "gateway": GATEWAY, "keys": {"enc": enc, "kb": other, "receipt": self.receipt.public().jwk()}, "retired": [],
            "ledger": {"origin": "gateway.example/ledger", "vkey": vkey()}, "policy": {"sha256": Digest([1; 32])}
        })
    }
}

pub(crate) fn jti(number: u8) -> Jti {
    format!("0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a{number:x}").parse().unwrap()
}

pub(crate) fn person() -> Person {
    Person {
        salt: "p3Zk2oQ1bW8xJ5dS7mT4cA".to_owned(),
        family_name: "小波".to_owned(),
        given_name: "健太".to_owned(),
        birth_date: "1984-05-17".parse().unwrap(),
        recipient_cert_number: Some("0131001232".to_owned()),
    }
}

pub(crate) fn certificate() -> Certificate {
    Certificate {
        issued: Issued { iss: CENTRE.parse().unwrap(), aud: GATEWAY.parse().unwrap(), jti: jti(1), iat: Timestamp::from_secs(IAT) },
        no: "TC13-0001".parse().unwrap(),
        person: person().digest().unwrap(),
        provider: "1320100017".to_owned(),
        addons: vec![AddOn::CommunityLifeTransition],
        eligibility: Eligibility::CorrectionalRelease,
        statement: Statement::CoordinatedByCenter,
        window: Days { from: "2026-09-01".parse().unwrap(), until: "2029-08-31".parse().unwrap() },
        pol: Digest([2; 32]),
    }
}

/// The verifier key of the gateway's ledger.
fn vkey() -> String {
    NoteSigner::from_seed("gateway.example/ledger".parse().unwrap(), &Zeroizing::new([7; 32])).unwrap().verifier().to_string()
}
