//! Agreements: reading a version with what was said about it, proposing one, saying something about one.

use serde::Deserialize;

use super::{
    connection::{Client, JSON, read_json},
    directory::AgreementHead,
    error::{ClientError, Doubt},
    outbox::Parcel,
};
use crate::{
    domain::{
        agreement::{Agreement, AgreementAct},
        codes::Purpose,
        entry::Operation,
        ids::AgreementId,
        party::PartyId,
        time::Timestamp,
    },
    message::{
        base64url, json,
        objects::{AgreementSignature, Signed, SignedObject as _},
        sha256,
        submission::AgreementRef,
    },
};

/// A registered version.
#[derive(Debug, Clone)]
pub struct AgreementVersion {
    /// Id, version, digest, state.
    pub head: AgreementHead,
    /// The exact bytes that were signed; their digest was compared.
    pub bytes: Vec<u8>,
    /// What they say.
    pub agreement: Agreement,
    signatures: Vec<String>,
}

/// What a party said about a version, with its signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub party: PartyId,
    /// What.
    pub act: AgreementAct,
    /// When it was signed.
    pub signed: Timestamp,
}

impl Client {
    /// A registered version.
    pub async fn agreement_version(&self, id: &AgreementId, ver: u32) -> Result<AgreementVersion, ClientError> {
        let response = self.open(&format!("/v1/agreements/{id}/{ver}"), JSON).await?;
        let shown: Shown = read_json(&response.body, "agreement")?;
        let form = || Doubt::Form("agreement");
        let bytes = base64url::decode(&shown.document).map_err(|_| form())?;
        if sha256(&bytes) != shown.head.sha256 || shown.head.id != *id || shown.head.ver != ver {
            return Err(Doubt::Form("agreement digest").into());
        }
        let agreement = read_agreement(&bytes).ok_or_else(form)?;
        if agreement.id != *id || agreement.ver != ver {
            return Err(form().into());
        }
        Ok(AgreementVersion { head: shown.head, bytes, agreement, signatures: shown.signatures })
    }

    /// What was said about a version. Each signature is checked with the key that the directory lists for its party.
    pub async fn said_about(&self, version: &AgreementVersion) -> Result<Vec<Said>, ClientError> {
        let mut said = Vec::with_capacity(version.signatures.len());
        for token in &version.signatures {
            let signed = Signed::<AgreementSignature>::read(token.as_bytes()).map_err(|_| Doubt::Form("agreement signature"))?;
            let signer = self.party_of(&signed.unproven().issued.iss).await?;
            let key = signer.signature_key(&signed.kid())?.public()?;
            let claims = signed.verify(&key).map_err(|_| Doubt::Form("agreement signature"))?.into_inner();
            if claims.agr != version.head.reference() {
                return Err(Doubt::Form("agreement signature").into());
            }
            said.push(Said { party: claims.issued.iss, act: claims.act, signed: claims.issued.iat });
        }
        Ok(said)
    }

    /// A version to propose: its exact bytes with this party's acceptance.
    pub fn propose(&self, document: &[u8]) -> Result<Parcel, ClientError> {
        let agreement = read_agreement(document).ok_or(Doubt::Form("agreement"))?;
        let reference = AgreementRef { id: agreement.id, ver: agreement.ver, sha256: sha256(document) };
        Parcel::proposal(self, document, self.agreement_signature(reference, AgreementAct::Accept)?)
    }

    /// Something to say about a registered version.
    pub fn say(&self, reference: AgreementRef, act: AgreementAct) -> Result<Parcel, ClientError> {
        let target = format!("/v1/agreements/{}/{}/signatures", reference.id, reference.ver);
        let token = self.agreement_signature(reference, act)?;
        Parcel::object(self, Operation::AgreementSign, &target, Purpose::Administration, token)
    }

    fn agreement_signature(&self, agr: AgreementRef, act: AgreementAct) -> Result<String, ClientError> {
        Ok(AgreementSignature { issued: self.issued()?, agr, act }.sign(&self.identity.signing)?)
    }
}

fn read_agreement(bytes: &[u8]) -> Option<Agreement> {
    serde_json::from_value(json::parse(bytes).ok()?).ok()
}

#[derive(Deserialize)]
struct Shown {
    #[serde(flatten)]
    head: AgreementHead,
    document: String,
    signatures: Vec<String>,
}
