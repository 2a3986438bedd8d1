//! Stored checkpoints: each is signed by the ledger's key for the very tree that its size names.

use std::collections::VecDeque;

use super::{Anchors, failed, problem, tree::Tree};
use crate::{
    ledger::{LedgerError, verify::report::Problems},
    store::{CheckpointColumns, Store, StoreError},
    text::audit::Finding,
    tlog::{CosignerKey, Hash, Note, VerifierKey, open_under_any_name},
};

/// Reads stored checkpoints along the growing tree.
pub(super) struct Checkpoints<'a> {
    store: &'a dyn Store,
    key: &'a VerifierKey,
    /// All that were ever asked.
    witnesses: Vec<CosignerKey>,
    page: VecDeque<CheckpointColumns>,
    /// The last one that was read.
    after: Option<i64>,
    ended: bool,
}

impl<'a> Checkpoints<'a> {
    pub(super) async fn new(store: &'a dyn Store, anchors: &Anchors<'a>) -> Result<Self, LedgerError> {
        let asked = store.witnesses().await.map_err(|error| failed(&error))?;
        let named = asked.iter().filter_map(|witness| witness.vkey.parse().ok());
        let witnesses = anchors.witnesses.iter().cloned().chain(named).collect();
        Ok(Self { store, key: anchors.key, witnesses, page: VecDeque::new(), after: None, ended: false })
    }

    /// The tree has this size now.
    pub(super) async fn at(&mut self, size: u64, tree: &Tree<'_>, problems: &mut Problems) -> Result<(), LedgerError> {
        loop {
            self.fill(problems).await?;
            let Some(next) = self.page.front().filter(|row| u64::try_from(row.size).map_or(true, |of| of <= size)) else { return Ok(()) };
            if u64::try_from(next.size) == Ok(size) {
                // Where the tree cannot be placed, the row that is missing was named.
                if let Some(root) = tree.root() {
                    self.compare(next, size, root, problems);
                }
            } else {
                problems.add(problem(Finding::RowBeyond, None, "ledger_checkpoint.size"));
            }
            self.page.pop_front();
        }
    }

    /// Says what stands behind the last entry. A gateway may have stored more since.
    pub(super) async fn finish(mut self, size: u64, problems: &mut Problems) -> Result<(), LedgerError> {
        self.fill(problems).await?;
        let Some(next) = self.page.pop_front() else { return Ok(()) };
        let now = self.store.head().await.map_err(|error| failed(&error))?.size;
        let beyond = u64::try_from(next.size).map_or(true, |of| of > now);
        if beyond || now == size {
            problems.add(problem(Finding::RowBeyond, u64::try_from(next.size).ok(), "ledger_checkpoint.size"));
        }
        Ok(())
    }

    fn compare(&self, row: &CheckpointColumns, size: u64, root: Hash, problems: &mut Problems) {
        let mut wrong = |column| problems.add(problem(Finding::ColumnDiffers, size.checked_sub(1), column));
        if row.root != root.0 {
            wrong("ledger_checkpoint.root");
        }
        if !open_under_any_name(&row.note, self.key).is_ok_and(|signed| signed.size() == size && signed.root() == root) {
            wrong("ledger_checkpoint.note");
        }
        if !self.cosigned(&row.note, &row.cosignatures) {
            wrong("ledger_checkpoint.cosignatures");
        }
    }

    /// Whether each of these lines is the cosignature of a known witness on this note.
    fn cosigned(&self, note: &str, lines: &str) -> bool {
        let (Ok(plain), Ok(whole)) = (Note::parse(note), Note::parse(&format!("{note}{lines}"))) else { return false };
        whole.signatures().iter().skip(plain.signatures().len()).all(|line| {
            let of = self.witnesses.iter().find(|witness| witness.owns(line));
            of.is_some_and(|witness| witness.cosigned(&whole).is_ok_and(|time| time.is_some()))
        })
    }

    async fn fill(&mut self, problems: &mut Problems) -> Result<(), LedgerError> {
        if self.ended || !self.page.is_empty() {
            return Ok(());
        }
        match self.store.checkpoint_rows(self.after, PAGE).await {
            Ok(rows) => self.page = rows.into(),
            Err(StoreError::Corrupt(column)) => problems.file(Finding::RowUnreadable, column),
            Err(error) => return Err(failed(&error)),
        }
        self.after = self.page.back().map(|row| row.size);
        self.ended = self.page.is_empty();
        Ok(())
    }
}

const PAGE: u32 = 256;
