//! What of the published heads is kept, and from where on the ledger has its present name.
//!
//! Of all heads under one name that the same witnesses cosigned, the newest stays. So whatever the quorum, and whoever is configured as a witness, the
//! newest head that satisfies it is there; so is the newest head of all, and for each name that the ledger had before it was opened again the same, which
//! is the evidence of what was signed then. What does not verify stays, for the inspection to name. A crash between two rows leaves one more.

use std::collections::HashMap;

use super::{WitnessError, kept::is_of};
use crate::{
    ledger::SequencerHandle,
    store::{CheckpointRow, LedgerFilter, Store},
    tlog::{CosignerKey, Hash, Note, open_under_any_name},
};

/// Drops published heads that a newer one makes needless, at most [`MOST_AT_ONCE`]; says how many.
pub(super) async fn prune(store: &dyn Store, ledger: &SequencerHandle, configured: &[CosignerKey]) -> Result<usize, WitnessError> {
    let asked = store.witnesses().await?;
    let known: Vec<CosignerKey> = asked.iter().filter_map(|row| row.vkey.parse().ok()).chain(configured.iter().cloned()).collect();
    let size = ledger.head().await?.size;
    let mut newest: HashMap<Kind, CheckpointRow> = HashMap::new();
    let (mut dropped, mut after) = (0, None);
    loop {
        let rows = store.published_after(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(dropped) };
        after = Some(last.size);
        for row in rows {
            let Some(kind) = kind(&row, ledger, &known) else { continue };
            if row.size > size || ledger.root_at(row.size).await? != Hash(row.root) {
                continue;
            }
            let Some(older) = newest.insert(kind, row) else { continue };
            // Whoever cosigned it meanwhile made it another one.
            dropped += usize::from(store.drop_checkpoint(older.size, &older.cosignatures).await?);
            if dropped == MOST_AT_ONCE {
                return Ok(dropped);
            }
        }
    }
}

/// Name of the ledger, and the keys that cosigned: in order, each once.
type Kind = (String, Vec<[u8; 32]>);

/// What a head counts as. None: something of it does not verify.
fn kind(row: &CheckpointRow, ledger: &SequencerHandle, known: &[CosignerKey]) -> Option<Kind> {
    let head = open_under_any_name(&row.note, ledger.verifier()).ok()?;
    let plain = Note::parse(&row.note).ok()?;
    let whole = Note::parse(&format!("{}{}", row.note, row.cosignatures)).ok()?;
    let mut keys = Vec::new();
    for line in whole.signatures().iter().skip(plain.signatures().len()) {
        let witness = known.iter().find(|witness| witness.owns(line))?;
        witness.cosigned(&whole).ok()??;
        keys.push(*witness.public_key());
    }
    keys.sort_unstable();
    keys.dedup();
    ((head.size(), head.root()) == (row.size, Hash(row.root))).then(|| (head.origin().to_owned(), keys))
}

/// The index of the entry that gave the ledger its present name, as far as published heads under an earlier one lead there; else none.
pub(super) async fn renamed(store: &dyn Store, ledger: &SequencerHandle) -> Result<Option<u64>, WitnessError> {
    let Some(before) = last_of_another_name(store, ledger).await? else { return Ok(None) };
    let size = ledger.head().await?.size;
    let filter = LedgerFilter { entry_type: Some("ledger_opened".to_owned()), ..LedgerFilter::default() };
    let mut after = before.size.checked_sub(1);
    loop {
        let found = store.find(&filter, after, size, PAGE).await?;
        let named = |body: &[u8]| {
            let entry: Option<crate::ledger::Entry> = serde_json::from_slice(body).ok();
            entry.and_then(|entry| entry.reopens).is_some_and(|reopening| reopening.origin == ledger.verifier().name().as_str())
        };
        if let Some(row) = found.rows.iter().find(|row| named(&row.body)) {
            return Ok(Some(row.idx));
        }
        after = found.next;
        if after.is_none() {
            return Ok(None);
        }
    }
}

async fn last_of_another_name(store: &dyn Store, ledger: &SequencerHandle) -> Result<Option<CheckpointRow>, WitnessError> {
    let (mut after, mut last) = (None, None);
    loop {
        let rows = store.published_after(after, PAGE).await?;
        let Some(end) = rows.last() else { return Ok(last) };
        after = Some(end.size);
        let reached = rows.iter().any(|row| is_of(row, ledger.verifier()));
        last = rows.into_iter().take_while(|row| !is_of(row, ledger.verifier())).last().or(last);
        // Heads of the present name are larger than all from before.
        if reached {
            return Ok(last);
        }
    }
}

const PAGE: u32 = 256;
/// Each is a commit of its own. What is left over is dropped in the next rounds.
const MOST_AT_ONCE: usize = 256;
