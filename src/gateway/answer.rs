//! What a use case answers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use super::{Gateway, failure::Failure, register::Identity, retention::KeepFor};
use crate::{
    clock::Stopwatch,
    domain::{digest::Digest, ids::Jti, party::PartyId, refusal::Violation, time::Timestamp},
    ledger::{Committed, Entry},
    message::objects::{LogPosition, Receipt, ReceiptStatus, ReceivedMessage, SignedObject as _},
    store::EvidenceState,
    tlog,
};

/// Where a call stands in the ledger, with the proof (protocol section 4).
#[derive(Debug, Clone, Serialize)]
pub struct LedgerProof {
    /// Origin.
    pub origin: String,
    /// Index of the entry.
    pub index: u64,
    /// The exact leaf bytes, base64url.
    pub leaf: String,
    /// C2SP `tlog-proof` text.
    pub proof: String,
}

/// The answer of what changes something.
#[derive(Debug, Clone, Serialize)]
pub struct Accepted {
    /// `tsunagi-receipt+jwt`.
    pub receipt: String,
    /// Ledger proof.
    pub ledger: LedgerProof,
    /// `case`, `message`, `consent`, `agreement`, `key` or `party`.
    #[serde(flatten)]
    pub subject: Value,
    /// What is only suspicious in an accepted message: rows and rules, no values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Violation>,
}

/// A release: bytes for the reader, with the commit they rest on.
#[derive(Debug, Clone)]
pub struct Release {
    /// The JWE.
    pub body: String,
    /// Runs since the commit: the release is dropped when its first byte has not left 2 s after it.
    pub committed: Stopwatch,
    /// Ledger proof.
    pub ledger: LedgerProof,
    /// How long the reader may keep it.
    pub keep: KeepFor,
}

/// An entry with its proof.
pub(super) struct Proved {
    pub proof: LedgerProof,
    pub leaf: Digest,
    pub time: Timestamp,
}

/// What a receipt is about.
#[derive(Debug, Clone)]
pub(super) struct Evidence<'a> {
    pub iss: &'a PartyId,
    pub jti: Jti,
    pub digest: Digest,
    pub state: EvidenceState,
    pub receipt: Jti,
    pub idx: u64,
    pub leaf: Digest,
    pub time: Timestamp,
}

impl Gateway {
    /// The proof of a fresh commit.
    pub(super) fn proof(&self, committed: &Committed) -> Result<Proved, Failure> {
        let proof = LedgerProof {
            origin: self.origin.clone(),
            index: committed.idx(),
            leaf: URL_SAFE_NO_PAD.encode(committed.leaf()),
            proof: tlog_text(committed.idx(), committed.proof(), committed.checkpoint())?,
        };
        Ok(Proved { proof, leaf: committed.leaf_hash(), time: committed.time() })
    }

    /// The proof of an older entry, in the tree of the latest checkpoint.
    pub(super) async fn prove(&self, idx: u64) -> Result<Proved, Failure> {
        let proven = self.ledger.prove(idx).await?;
        let proof = LedgerProof {
            origin: self.origin.clone(),
            index: idx,
            leaf: URL_SAFE_NO_PAD.encode(&proven.row.body),
            proof: tlog_text(idx, &proven.proof, &proven.checkpoint)?,
        };
        let entry: Entry = serde_json::from_slice(&proven.row.body).map_err(|_| Failure::Corrupt("entry"))?;
        Ok(Proved { proof, leaf: Digest(tlog::leaf_hash(&proven.row.body).0), time: entry.time })
    }

    /// Signs a receipt. Same evidence, same claims: a repetition differs in the signature only.
    pub(super) fn receipt(&self, evidence: &Evidence<'_>, aud: &PartyId) -> Result<String, Failure> {
        let receipt = Receipt {
            iss: self.url.clone(),
            aud: aud.clone(),
            jti: evidence.receipt,
            iat: evidence.time,
            msg: ReceivedMessage { iss: evidence.iss.clone(), jti: evidence.jti, sha256: evidence.digest },
            st: match evidence.state {
                EvidenceState::Accepted => ReceiptStatus::Accepted,
                EvidenceState::Released => ReceiptStatus::Released,
                EvidenceState::Acknowledged => ReceiptStatus::Acknowledged,
                EvidenceState::Uncollected => ReceiptStatus::Uncollected,
            },
            code: None,
            log: LogPosition { origin: self.origin.clone(), idx: evidence.idx, leaf: evidence.leaf },
        };
        Ok(receipt.sign(&self.keys.receipt)?)
    }

    /// The answer to an object that was accepted: fresh, or known from before with the proof in today's tree.
    pub(super) fn accepted(
        &self,
        aud: &PartyId,
        identity: Identity,
        receipt: Jti,
        proved: Proved,
        subject: Value,
    ) -> Result<Accepted, Failure> {
        let state = EvidenceState::Accepted;
        let evidence = Evidence {
            iss: aud,
            jti: identity.jti,
            digest: identity.digest,
            state,
            receipt,
            idx: proved.proof.index,
            leaf: proved.leaf,
            time: proved.time,
        };
        Ok(Accepted { receipt: self.receipt(&evidence, aud)?, ledger: proved.proof, subject, warnings: Vec::new() })
    }
}

fn tlog_text(idx: u64, hashes: &[[u8; 32]], checkpoint: &str) -> Result<String, Failure> {
    let proof = tlog::TlogProof::new(idx, hashes.iter().copied().map(tlog::Hash).collect(), checkpoint.to_owned())
        .map_err(|_| Failure::Corrupt("checkpoint"))?;
    Ok(proof.to_string())
}
