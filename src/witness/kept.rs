//! What is kept of published heads. Nothing of it is believed: a head counts with the ledger's signature, over the root that the stored tree gives,
//! and with cosignatures that verify.

use super::WitnessError;
use crate::{
    ledger::{Cosigned, Dispute, LedgerError, SequencerHandle},
    store::{CheckpointRow, Checkpoints, StoreError, WitnessRow},
    tlog::{CosignerKey, Hash, Note, NoteSignature, Quorum, TlogError, VerifierKey, open_checkpoint},
};

/// The newest kept head with a quorum. Rows that do not verify are told of and passed over.
pub(super) async fn newest(store: &dyn Checkpoints, ledger: &SequencerHandle, quorum: &Quorum) -> Result<Option<Cosigned>, WitnessError> {
    for row in store.newest_cosigned(LOOK_BACK).await? {
        if !is_of(&row, ledger.verifier()) {
            continue;
        }
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
    let note = noted(row, quorum)?;
    Ok((quorum.count(&note)? >= quorum.needed()).then_some(note))
}

/// The note with the lines of the witnesses of the quorum. Nothing is verified.
fn noted(row: &CheckpointRow, quorum: &Quorum) -> Result<Note, TlogError> {
    let mut lines = NoteSignature::parse_lines(&row.cosignatures)?;
    lines.retain(|line| quorum.keys().iter().any(|key| key.owns(line)));
    Note::parse(&row.note)?.with_signatures(&lines)
}

/// Whether the row is of the ledger's present name. A ledger that was opened again keeps the heads from before.
pub(super) fn is_of(row: &CheckpointRow, log: &VerifierKey) -> bool {
    row.note.lines().next() == Some(log.name().as_str())
}

/// Whether the row is of the ledger's present name and has a line of every witness. Nothing is verified.
pub(super) fn has_all(row: &CheckpointRow, log: &VerifierKey, mut witnesses: impl Iterator<Item = CosignerKey>) -> bool {
    let lines = NoteSignature::parse_lines(&row.cosignatures).unwrap_or_default();
    is_of(row, log) && witnesses.all(|witness| lines.iter().any(|line| witness.owns(line)))
}

/// A dispute as it is stored for other processes: of a ledger by its name.
pub(super) fn dispute_text(dispute: Dispute, log: &VerifierKey) -> String {
    format!("{dispute} {}", log.name())
}

/// Reads it back; none: there is none, or it is of a name that the ledger no longer has.
pub(super) fn dispute_of(row: &WitnessRow, log: &VerifierKey) -> Option<Dispute> {
    let (dispute, name) = row.dispute.as_deref()?.rsplit_once(' ')?;
    (name == log.name().as_str()).then(|| dispute.parse().ok()).flatten()
}

/// Whether the row is what the ledger's key signed.
fn signed(row: &CheckpointRow, ledger: &SequencerHandle) -> Result<(), TlogError> {
    let head = open_checkpoint(&row.note, ledger.verifier())?;
    if (head.size(), head.root()) == (row.size, Hash(row.root)) { Ok(()) } else { Err(TlogError::RootMismatch) }
}

/// What a head that was signed and kept says against the stored tree: it is larger, or has another root.
pub(super) async fn against(row: &CheckpointRow, ledger: &SequencerHandle, stored: u64) -> Result<Option<Dispute>, LedgerError> {
    if !is_of(row, ledger.verifier()) {
        return Ok(None);
    }
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

/// Adds a cosignature to a kept head, in place of an older one by the same witness. Whoever else adds one at the same time is not overwritten. Says
/// whether it is kept.
pub(super) async fn add(store: &dyn Checkpoints, row: &CheckpointRow, key: &CosignerKey, line: &NoteSignature) -> Result<bool, StoreError> {
    for _ in 0..ADD_TRIES {
        let before = store.published(row.size).await?.map(|kept| kept.cosignatures).unwrap_or_default();
        let mut cosignatures = String::new();
        let others = NoteSignature::parse_lines(&before).unwrap_or_default();
        for line in others.iter().filter(|line| !key.owns(line)).chain([line]) {
            cosignatures.push_str(&line.to_string());
            cosignatures.push('\n');
        }
        if store.keep_checkpoint(&CheckpointRow { cosignatures, ..row.clone() }, &before).await? {
            return Ok(true);
        }
    }
    tracing::warn!(size = row.size, "a cosignature could not be kept: others write the same checkpoint");
    Ok(false)
}

/// How far the ledger is cosigned, as far as the database tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cover {
    /// Entries of the newest kept head with a quorum.
    pub newest: Option<u64>,
    /// Disputes with these witnesses, by their names.
    pub disputes: Vec<(String, Dispute)>,
}

/// Reads how far the ledger is cosigned, without asking anybody. Signatures are verified; the tree is not looked at.
pub async fn cover(store: &dyn Checkpoints, log: &VerifierKey, quorum: &Quorum) -> Result<Cover, StoreError> {
    let mut cover = Cover::default();
    for row in store.newest_cosigned(LOOK_BACK).await? {
        let Ok(note) = noted(&row, quorum) else { continue };
        if quorum.open(&note.to_string(), log).is_ok_and(|head| head.size() == row.size) {
            cover.newest = Some(row.size);
            break;
        }
    }
    for row in store.witnesses().await? {
        let name = quorum.keys().iter().find(|key| key.to_string() == row.vkey).map(|key| key.name().to_string());
        cover.disputes.extend(name.zip(dispute_of(&row, log)));
    }
    Ok(cover)
}

/// Newest cosigned heads among which one with a quorum is looked for.
const LOOK_BACK: u32 = 64;
/// Writers of one row at the same time are at most a few gateways that start together.
const ADD_TRIES: u8 = 8;
