//! Certificates of a coordination: signed by whoever issues them, read with what the gateway countersigned and what was revoked.
//!
//! Promises: what is read was verified with the pinned receipt keys, exactly as it will be years later from the file alone, and its entry in the ledger
//! was proven. Not here: sending. A certificate travels in a message like any other.

use serde::Deserialize;

use super::{
    connection::{Client, JSON, query, read_json},
    entry::Entry,
    error::{ClientError, Doubt},
    proven::{LedgerPart, Proven},
};
use crate::{
    domain::{
        addon::{AddOn, Days, Eligibility, RevocationReason, Statement},
        codes::Purpose,
        day::Day,
        digest::Digest,
        entry::{Operation, Outcome},
        ids::CaseId,
        party::PartyId,
    },
    message::{
        certificate::{Anchor, CertificateFile, ProvenCertificate},
        objects::{Certificate, CertificateNumber, CertificateRef, Revocation, Signed, SignedObject as _},
    },
};

/// What is to be certified.
#[derive(Debug, Clone)]
pub struct CertificateDraft {
    /// Its number.
    pub no: CertificateNumber,
    /// Digest of the person.
    pub person: Digest,
    /// 事業所番号 of the provider.
    pub provider: String,
    /// The add-ons.
    pub addons: Vec<AddOn>,
    /// The ground.
    pub eligibility: Eligibility,
    /// Who coordinated.
    pub statement: Statement,
    /// The days.
    pub window: Days,
}

/// A certificate that was read and verified.
#[derive(Debug, Clone)]
pub struct HeldCertificate {
    /// The file: what is kept and handed over.
    pub file: CertificateFile,
    /// What it proves.
    pub proven: ProvenCertificate,
    /// How a revocation names it.
    pub reference: CertificateRef,
}

/// A page of certificates.
#[derive(Debug)]
pub struct CertificatePage {
    /// The certificate of this page, with the entry that records its disclosure.
    pub certificate: Option<Proven<HeldCertificate>>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

impl Client {
    /// A signed certificate, judged by the rules that are in force at the gateway now.
    pub async fn certify(&self, draft: &CertificateDraft) -> Result<String, ClientError> {
        let certificate = Certificate {
            issued: self.issued()?,
            no: draft.no.clone(),
            person: draft.person,
            provider: draft.provider.clone(),
            addons: draft.addons.clone(),
            eligibility: draft.eligibility,
            statement: draft.statement,
            window: draft.window,
            pol: self.well_known().await?.policy,
        };
        Ok(certificate.sign(&self.identity.signing)?)
    }

    /// A signed revocation; from a day on, or as a whole.
    pub fn revoke(&self, certificate: &CertificateRef, why: RevocationReason, from: Option<Day>) -> Result<String, ClientError> {
        let revocation = Revocation { issued: self.issued()?, crt: certificate.clone(), why, from };
        Ok(revocation.sign(&self.identity.signing)?)
    }

    /// A page of the certificates of a case, beyond a cursor. Reading is recorded.
    pub async fn certificates(&self, case: &CaseId, cursor: Option<&str>) -> Result<CertificatePage, ClientError> {
        let target = format!("/v1/cases/{case}/certificates{}", query(&[("cursor", cursor.map(str::to_owned))]));
        let (response, _) = self.read(&target, JSON, Purpose::AddonCertification).await?;
        let Page { certificates, cursor, ledger } = read_json(&response.body, "certificates")?;
        let certificate = match (certificates.as_slice(), ledger) {
            ([], None) => None,
            ([file], Some(ledger)) => Some(self.held(file, &ledger)?),
            _ => return Err(Doubt::Form("certificates").into()),
        };
        Ok(CertificatePage { certificate, cursor })
    }

    fn held(&self, file: &CertificateFile, ledger: &LedgerPart) -> Result<Proven<HeldCertificate>, Doubt> {
        let pinned = &self.identity.pinned;
        let (entry, place) = ledger.verify(pinned)?;
        about_a_certificate(&entry, self.party())?;
        let anchor = Anchor { gateway: &pinned.document().gateway, receipt_key: &|kid| pinned.receipt_key(kid).cloned() };
        let proven = file.verify(&anchor).map_err(Doubt::Coordination)?;
        let signed = Signed::<Certificate>::read(file.certificate.as_bytes()).map_err(|_| Doubt::Form("certificate"))?;
        let reference = CertificateRef { jti: signed.unproven().issued.jti, sha256: signed.signed_digest() };
        Ok(Proven::new(HeldCertificate { file: file.clone(), proven, reference }, place))
    }
}

/// That an entry records that this party read certificates.
fn about_a_certificate(entry: &Entry, reader: &PartyId) -> Result<(), Doubt> {
    for (same, what) in [
        (entry.operation == Operation::CertificateList, "operation"),
        (entry.decision == Outcome::Permit, "decision"),
        (entry.party() == Some(reader), "party"),
        (entry.purpose == Some(Purpose::AddonCertification), "purpose"),
    ] {
        if !same {
            return Err(Doubt::Entry(what));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    certificates: Vec<CertificateFile>,
    cursor: Option<String>,
    ledger: Option<LedgerPart>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::proven::tests::leaf;

    #[test]
    fn an_entry_about_something_else_is_refused_by_name() {
        let reader = "group_home:1320100017".parse().unwrap();
        let entry = |change: serde_json::Value| {
            let mut members = json!({"type": "release", "operation": "certificate.list", "purpose": "addon_certification",
                                     "actor": {"party": reader, "cert": Digest([5; 32])}});
            for (name, value) in change.as_object().unwrap() {
                members[name] = value.clone();
            }
            about_a_certificate(&Entry::read(&leaf(&members)).unwrap(), &reader)
        };
        assert!(entry(json!({})).is_ok());
        for (change, what) in [
            (json!({"operation": "message.read"}), "operation"),
            (json!({"decision": "deny"}), "decision"),
            (json!({"actor": {"party": "day_service:1310100019", "cert": Digest([5; 32])}}), "party"),
            (json!({"purpose": "service_provision"}), "purpose"),
        ] {
            assert!(matches!(entry(change), Err(Doubt::Entry(name)) if name == what), "{what}");
        }
    }
}
