//! The search index, recomputed. It has no order by entry, so both sides are summed up under a key of this run, a window of entries at a time, in one
//! pass over each; only where the sums of a window differ are its rows compared one by one.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::{
    digest::{Context, SHA256},
    rand,
};

use super::{Openings, beside, failed, problem, tags};
use crate::{
    ledger::{
        LedgerError,
        verify::{entry, report::Problems},
    },
    store::{IndexColumns, LedgerTable, Store, StoreError, Tag},
    text::audit::Finding,
};

/// What the index should hold.
pub(super) struct Index {
    /// Nobody who wrote rows knows it, so no rows can be found whose sum is that of others.
    key: [u8; 32],
    size: u64,
    /// By window, what it should hold, less what it holds.
    sums: Vec<u128>,
    /// Entries whose tags cannot be told, by window: their rows are not compared.
    skipped: BTreeMap<u64, BTreeSet<u64>>,
}

impl Index {
    pub(super) fn new(size: u64) -> Result<Self, LedgerError> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| LedgerError::NoEntropy)?;
        let windows = usize::try_from(size.div_ceil(WINDOW)).map_err(|_| LedgerError::Broken("size"))?;
        Ok(Self { key, size, sums: vec![0; windows], skipped: BTreeMap::new() })
    }

    /// An entry must have these tags.
    pub(super) fn expect(&mut self, idx: u64, tags: &[Tag]) {
        for tag in tags {
            let value = self.value(&tag.0, idx);
            if let Some(sum) = self.sum(idx) {
                *sum = sum.wrapping_add(value);
            }
        }
    }

    /// Nobody can tell which tags an entry must have.
    pub(super) fn skip(&mut self, idx: u64) {
        self.skipped.entry(idx / WINDOW).or_default().insert(idx);
    }

    /// Compares with the stored index.
    pub(super) async fn compare(mut self, store: &dyn Store, openings: &dyn Openings, problems: &mut Problems) -> Result<(), LedgerError> {
        let mut read = Rows { store, after: None, unreadable: false };
        while let Some(rows) = read.next(problems).await? {
            for row in rows {
                let Some(idx) = u64::try_from(row.idx).ok().filter(|idx| *idx < self.size) else { continue };
                if self.skipped.get(&(idx / WINDOW)).is_some_and(|skipped| skipped.contains(&idx)) {
                    continue;
                }
                let value = self.value(&row.tag, idx);
                if let Some(sum) = self.sum(idx) {
                    *sum = sum.wrapping_sub(value);
                }
            }
        }
        let differ: Vec<u64> = (0..).zip(&self.sums).filter(|(_, sum)| **sum != 0).map(|(window, _)| window).collect();
        let (near, far) = differ.split_at(differ.len().min(NEAR));
        self.rows_of(near, store, openings, problems).await?;
        for window in far {
            problems.add(problem(Finding::IndexDiffers, Some(window * WINDOW), LedgerTable::Index.as_str()));
        }
        Ok(())
    }

    /// Names the rows of windows that are missing or too many.
    async fn rows_of(
        &self,
        windows: &[u64],
        store: &dyn Store,
        openings: &dyn Openings,
        problems: &mut Problems,
    ) -> Result<(), LedgerError> {
        if windows.is_empty() {
            return Ok(());
        }
        let mut stored: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let mut read = Rows { store, after: None, unreadable: true };
        while let Some(rows) = read.next(problems).await? {
            for row in rows {
                if let Some(idx) = u64::try_from(row.idx).ok().filter(|idx| windows.contains(&(idx / WINDOW))) {
                    stored.entry(idx).or_default().insert(row.tag);
                }
            }
        }
        for window in windows {
            let first = window * WINDOW;
            for idx in first..first.saturating_add(WINDOW).min(self.size) {
                let Some(expected) = expected(idx, store, openings).await? else { continue };
                let found = stored.remove(&idx).unwrap_or_default();
                for (one, other, finding) in [(&expected, &found, Finding::IndexMissing), (&found, &expected, Finding::IndexSurplus)] {
                    if one.difference(other).next().is_some() {
                        problems.add(problem(finding, Some(idx), LedgerTable::Index.as_str()));
                    }
                }
            }
        }
        Ok(())
    }

    fn sum(&mut self, idx: u64) -> Option<&mut u128> {
        self.sums.get_mut(usize::try_from(idx / WINDOW).ok()?)
    }

    fn value(&self, tag: &[u8], idx: u64) -> u128 {
        let mut context = Context::new(&SHA256);
        context.update(&self.key);
        context.update(&idx.to_be_bytes());
        context.update(tag);
        context.finish().as_ref().first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
    }
}

/// The tags that an entry must have, read again.
async fn expected(idx: u64, store: &dyn Store, openings: &dyn Openings) -> Result<Option<BTreeSet<Vec<u8>>>, LedgerError> {
    let next = idx.saturating_add(1);
    let (rows, sealed) = match (store.entry_rows(idx, next).await, store.opening_rows(idx, next).await) {
        (Ok(rows), Ok(sealed)) => (rows, sealed),
        // Named when the entries were read.
        (Err(StoreError::Corrupt(_)), _) | (_, Err(StoreError::Corrupt(_))) => return Ok(None),
        (Err(error), _) | (_, Err(error)) => return Err(failed(&error)),
    };
    let Some(entry) = rows.into_iter().next().and_then(|(_, columns)| entry::read(&columns.body).ok()) else { return Ok(None) };
    let beside = beside(openings, &entry, sealed.into_iter().next().map(|(_, sealed)| sealed)).await?;
    let tags = tags(openings, &entry, &beside).await?;
    Ok(tags.map(|tags| tags.into_iter().map(|tag| tag.0.to_vec()).collect()))
}

/// The index, page by page.
struct Rows<'a> {
    store: &'a dyn Store,
    after: Option<IndexColumns>,
    /// It was said already that a row cannot be read.
    unreadable: bool,
}

impl Rows<'_> {
    async fn next(&mut self, problems: &mut Problems) -> Result<Option<Vec<IndexColumns>>, LedgerError> {
        match self.store.index_rows(self.after.as_ref(), PAGE).await {
            Ok(rows) => {
                self.after = rows.last().cloned();
                Ok(self.after.is_some().then_some(rows))
            }
            Err(StoreError::Corrupt(column)) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    problems.file(Finding::RowUnreadable, column);
                }
                Ok(None)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Entries whose rows are summed up together.
const WINDOW: u64 = 4096;
/// Windows that are compared row by row; of those behind them only the first entry is named.
const NEAR: usize = 4;
const PAGE: u32 = 8192;
