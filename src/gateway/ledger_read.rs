//! The open side of the ledger: checkpoint, hash tiles, consistency. Hashes only; not recorded.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Gateway, failure::Failure};
use crate::{
    domain::refusal::RefusalCode,
    ledger::{SequencerHandle, Stand},
    tlog::{self, Hash, TILE_WIDTH, TileId, TileRow},
};

impl Gateway {
    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &SequencerHandle {
        &self.ledger
    }

    /// How the ledger stands beside what others hold of it.
    #[must_use]
    pub fn standing(&self) -> Stand {
        self.ledger.standing().now()
    }

    /// `GET /v1/ledger/checkpoint`: as new as anything that any gateway of this ledger answered before; with its cosignatures as soon as it has a quorum of
    /// them.
    pub async fn checkpoint(&self) -> Result<Arc<str>, Failure> {
        self.ledger.refresh().await?;
        let note = self.ledger.checkpoint();
        let cosigned = self.ledger.standing().now().cosigned;
        // The signed text of a head is the same with and without cosignatures.
        Ok(cosigned.filter(|cosigned| cosigned.note.starts_with(&*note)).map_or(note, |cosigned| cosigned.note))
    }

    /// `GET /v1/ledger/checkpoint/cosigned`: the newest head with a quorum of cosignatures.
    pub fn cosigned_checkpoint(&self) -> Result<Arc<str>, Failure> {
        let cosigned = self.ledger.standing().now().cosigned;
        Ok(cosigned.ok_or(RefusalCode::NotFound)?.note)
    }

    /// Number of entries.
    #[must_use]
    pub fn ledger_size(&self) -> u64 {
        self.ledger.size()
    }

    /// `GET /v1/ledger/consistency?from=&to=`.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Value, Failure> {
        // From an empty tree there is nothing to prove (RFC 9162 section 2.1.4).
        if from == 0 || from > to || !self.ledger.reaches(to).await? {
            return Err(RefusalCode::BadRequest.into());
        }
        let (hashes, checkpoint) = self.ledger.consistency(from, to).await?;
        let hashes: Vec<String> = hashes.into_iter().map(|hash| Hash(hash).to_string()).collect();
        Ok(json!({"from": from, "to": to, "hashes": hashes, "checkpoint": &*checkpoint}))
    }

    /// `GET /v1/ledger/tile/<L>/<N>`: a hash tile. Full tiles are immutable.
    pub async fn hash_tile(&self, tile: &TileId) -> Result<Vec<u8>, Failure> {
        let TileRow::Hashes(level) = tile.row() else { return Err(RefusalCode::NotFound.into()) };
        if !tile.is_within(self.ledger.size()) && !tile.is_within(self.ledger.refresh().await?) {
            return Err(RefusalCode::NotFound.into());
        }
        if tile.is_full()
            && let Some(hashes) = self.store.tile(level, tile.index()).await?
        {
            return Ok(tlog::encode_tile(&as_hashes(hashes)));
        }
        let first = tile.index().saturating_mul(u64::from(TILE_WIDTH));
        let last = first.saturating_add(u64::from(tile.width()));
        let hashes = if level == 0 {
            as_hashes(self.store.leaf_hashes(first, last).await?)
        } else {
            let mut roots = Vec::with_capacity(usize::from(tile.width()));
            for n in first..last {
                let below = self.store.tile(level - 1, n).await?.ok_or(Failure::Corrupt("tile"))?;
                roots.push(tlog::perfect_root(&as_hashes(below)).map_err(|_| Failure::Corrupt("tile"))?);
            }
            roots
        };
        Ok(tlog::encode_tile(&hashes))
    }
}

fn as_hashes(bytes: Vec<[u8; 32]>) -> Vec<Hash> {
    bytes.into_iter().map(Hash).collect()
}
