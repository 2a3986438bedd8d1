//! The open side of the ledger: signed checkpoints, consistency between them, tiles.

use serde::Deserialize;

use super::{
    connection::{Client, JSON, read_json},
    error::{ClientError, Doubt},
    tree::TreeView,
};
use crate::{
    domain::codes::Purpose,
    tlog::{Checkpoint, Hash, TileId, decode_bundle, decode_tile, open_checkpoint, verify_consistency},
};

/// A tree head whose signature was checked with the pinned key, and the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The signed note, verbatim.
    pub note: String,
    /// What it says.
    pub head: Checkpoint,
}

impl Client {
    /// The newest tree head.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, ClientError> {
        let response = self.open("/v1/ledger/checkpoint", "text/plain").await?;
        let note = String::from_utf8(response.body.to_vec()).map_err(|_| Doubt::Form("checkpoint"))?;
        let head = open_checkpoint(&note, &self.identity.pinned.document().vkey)?;
        Ok(SignedCheckpoint { note, head })
    }

    /// The newest tree head that enough witnesses cosigned, as the gateway counts them; none: nobody cosigns. The cosignatures are not checked here.
    pub async fn cosigned_checkpoint(&self) -> Result<Option<SignedCheckpoint>, ClientError> {
        let response = match self.open("/v1/ledger/checkpoint/cosigned", "text/plain").await {
            Err(ClientError::Refused(problem)) if problem.code == "not_found" => return Ok(None),
            answer => answer?,
        };
        let note = String::from_utf8(response.body.to_vec()).map_err(|_| Doubt::Form("checkpoint"))?;
        let head = open_checkpoint(&note, &self.identity.pinned.document().vkey)?;
        Ok(Some(SignedCheckpoint { note, head }))
    }

    /// Proves that a later tree only added to an earlier one. Gives the number of hashes the proof needed.
    pub async fn consistency(&self, old: &Checkpoint, new: &Checkpoint) -> Result<usize, ClientError> {
        let target = format!("/v1/ledger/consistency?from={}&to={}", old.size(), new.size());
        let proof: Consistency = read_json(&self.open(&target, JSON).await?.body, "consistency proof")?;
        if (proof.from, proof.to) != (old.size(), new.size()) {
            return Err(Doubt::Form("consistency proof").into());
        }
        let hashes = proof.hashes.iter().map(|hash| hash.parse()).collect::<Result<Vec<Hash>, _>>()?;
        verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &hashes)?;
        Ok(hashes.len())
    }

    /// A hash tile. Its hashes are not proven by themselves.
    pub async fn tile(&self, tile: &TileId) -> Result<Vec<Hash>, ClientError> {
        let response = self.open(&format!("/v1/ledger/{tile}"), BINARY).await?;
        Ok(decode_tile(&response.body, tile.width())?)
    }

    /// An entry bundle: leaves, for auditors of everything. Not proven by themselves.
    pub async fn entries(&self, tile: &TileId) -> Result<Vec<Vec<u8>>, ClientError> {
        let (response, _) = self.read(&format!("/v1/ledger/{tile}"), BINARY, Purpose::AuditReview).await?;
        Ok(decode_bundle(&response.body, tile.width())?.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The tree under a checkpoint, for proving what stands in it.
    #[must_use]
    pub fn tree(&self, head: &Checkpoint) -> TreeView<'_> {
        TreeView::new(self, head.clone())
    }
}

#[derive(Deserialize)]
struct Consistency {
    from: u64,
    to: u64,
    hashes: Vec<String>,
}

const BINARY: &str = "application/octet-stream";
