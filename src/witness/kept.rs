//! What is kept of published heads. Nothing of it is believed: a head counts with the ledger's signature, over the root that the stored tree gives,
//! and with cosignatures that verify.

use std::sync::Arc;

use super::WitnessError;
use crate::{
    ledger::{Cosigned, Dispute, LedgerError, SequencerHandle},
    store::{CheckpointRow, Checkpoints, StoreError},
    tlog::{CosignerKey, Hash, Note, NoteSignature, Quorum, TlogError, open_checkpoint},
};

/// The newest kept head with a quorum. Rows that do not verify are told of and passed over.
pub(super) async fn newest(store: &dyn Checkpoints, ledger: &SequencerHandle, quorum: &Quorum) -> Result<Option<Cosigned>, WitnessError> {
    for row in store.newest_cosigned(LOOK_BACK).await? {
        match cosigned(&row, ledger, quorum) {
            Ok(Some(note)) if ledger.root_at(row.size).await? == Hash(row.root) => {
                return Ok(Some(Cosigned { note: note.to_string().into(), size: row.size }));
            }
            Ok(None) => {}
            Ok(Some(_)) => tracing::error!(size = row.size, "a kept checkpoint does not belong to the stored tree"),
            Err(error) => tracing::error!(size = row.size, %error, "a kept checkpoint does not verify"),
        }
    }
    Ok(None)
}

/// The note with the cosignatures of the witnesses of the quorum, if they are enough.
fn cosigned(row: &CheckpointRow, ledger: &SequencerHandle, quorum: &Quorum) -> Result<Option<Note>, TlogError> {
    signed(row, ledger)?;
    let mut lines = NoteSignature::parse_lines(&row.cosignatures)?;
    lines.retain(|line| quorum.keys().iter().any(|key| key.owns(line)));
    let note = Note::parse(&row.note)?.with_signatures(&lines)?;
    Ok((quorum.count(&note)? >= quorum.needed()).then_some(note))
}

/// Whether the row is what the ledger's key signed.
fn signed(row: &CheckpointRow, ledger: &SequencerHandle) -> Result<(), TlogError> {
    let head = open_checkpoint(&row.note, ledger.verifier())?;
    if (head.size(), head.root()) == (row.size, Hash(row.root)) { Ok(()) } else { Err(TlogError::RootMismatch) }
}

/// What a head that was signed and kept says against the stored tree: it is larger, or has another root.
pub(super) async fn against(row: &CheckpointRow, ledger: &SequencerHandle, stored: u64) -> Result<Option<Dispute>, LedgerError> {
    if signed(row, ledger).is_err() {
        // Anybody who writes the database could have written it.
        tracing::error!(size = row.size, "a kept checkpoint does not verify");
        return Ok(None);
    }
    if row.size > stored {
        return Ok(Some(Dispute::RolledBack { held: row.size, stored }));
    }
    Ok((ledger.root_at(row.size).await? != Hash(row.root)).then_some(Dispute::Forked { held: row.size }))
}

/// Adds a cosignature to a kept head, in place of an older one by the same witness. Whoever else adds one at the same time is not overwritten.
pub(super) async fn add(store: &dyn Checkpoints, row: &CheckpointRow, key: &CosignerKey, line: &NoteSignature) -> Result<(), StoreError> {
    for _ in 0..ADD_TRIES {
        let before = store.published(row.size).await?.map(|kept| kept.cosignatures).unwrap_or_default();
        let mut cosignatures = String::new();
        let others = NoteSignature::parse_lines(&before).unwrap_or_default();
        for line in others.iter().filter(|line| !key.owns(line)).chain([line]) {
            cosignatures.push_str(&line.to_string());
            cosignatures.push('\n');
        }
        if store.keep_checkpoint(&CheckpointRow { cosignatures, ..row.clone() }, &before).await? {
            return Ok(());
        }
    }
    tracing::warn!(size = row.size, "a cosignature could not be kept: others write the same checkpoint");
    Ok(())
}

/// What going over all kept heads found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Kept heads.
    pub kept: u64,
    /// Of these, with a quorum.
    pub cosigned: u64,
    /// Size of the newest one with a quorum.
    pub newest: Option<u64>,
    /// Sizes of those that do not verify or do not belong to the stored tree; at most a hundred.
    pub wrong: Vec<u64>,
}

/// Goes over all kept heads.
pub async fn audit(store: Arc<dyn Checkpoints>, ledger: &SequencerHandle, quorum: &Quorum) -> Result<Audit, WitnessError> {
    let (mut audit, mut after) = (Audit::default(), None);
    loop {
        let rows = store.published_after(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(audit) };
        after = Some(last.size);
        for row in rows {
            audit.kept += 1;
            let fits = row.size <= ledger.head().await?.size && ledger.root_at(row.size).await? == Hash(row.root);
            match cosigned(&row, ledger, quorum) {
                Ok(note) if fits => {
                    audit.cosigned += u64::from(note.is_some());
                    audit.newest = note.map(|_| row.size).or(audit.newest);
                }
                _ if audit.wrong.len() < MOST_WRONG => audit.wrong.push(row.size),
                _ => {}
            }
        }
    }
}

/// Newest cosigned heads among which one with a quorum is looked for.
const LOOK_BACK: u32 = 64;
/// Writers of one row at the same time are at most a few gateways that start together.
const ADD_TRIES: u8 = 8;
const PAGE: u32 = 500;
const MOST_WRONG: usize = 100;
