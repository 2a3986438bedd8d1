//! Inspection of the database behind the ledger, at the gateway's machine and with its keys: for who cannot rule out that an administrator of the
//! database changed what no export shows (`ledger.md` section 5, "rows edited, deleted, swapped by a database superuser").
//!
//! Promises: reads only, while gateways may go on appending; memory does not grow with the number of entries but for rights that were taken away.
//! Every row of every ledger table is compared with the leaf it belongs to, and what differs is named by its first index, table and column.
//!
//! Checked: each leaf hash, tile, frontier and root, recomputed from the bodies; each searchable column against its leaf; canonical form and order of
//! time; each opening, opened with the vault, against its commitment; the search index, recomputed from leaves and openings; rights epoch, policy, last
//! time and origin of the head; stored checkpoints; the order of rights as far as entries and openings tell; with a checkpoint that a stranger kept,
//! that this ledger continues it.
//!
//! Not checked: whether a whole history was rewritten, openings, index and head with it, by somebody who has the gateway's keys or before any checkpoint
//! was kept elsewhere; whether the ids of entries are unique (an export's verification does); tables of cases, consents and parties. An opening that
//! is gone counts as erased when an erasure behind its entry names it.

mod checkpoints;
mod columns;
mod head;
mod index;
mod tree;

use std::{collections::BTreeMap, pin::Pin};

use async_trait::async_trait;

use self::{checkpoints::Checkpoints, head::Course, index::Index, tree::Tree};
use super::{
    Entry, LedgerError, Opening, SaltedOpening,
    verify::{
        Break, OpeningCount, Report, entry,
        erasure::Erasures,
        order::Order,
        report::{Problem, Problems},
    },
};
use crate::{
    domain::{codes::LegalBasis, digest::Digest, entry::EntryType},
    store::{LedgerTable, Sealed, Store, StoreError, Tag},
    text::audit::Finding,
    tlog::{Checkpoint, CosignerKey, Hash, VerifierKey, leaf_hash, open_checkpoint},
};

/// What the inspection trusts.
#[derive(Debug, Clone)]
pub struct Anchors<'a> {
    /// The ledger's key; its name is the origin.
    pub key: &'a VerifierKey,
    /// A checkpoint note that was kept elsewhere.
    pub kept: Option<&'a str>,
    /// Witnesses of the configuration. Those the database names are known besides.
    pub witnesses: &'a [CosignerKey],
    /// Bases that rest on a consent.
    pub consent_bases: &'a [LegalBasis],
    /// The policy set of the configuration: in force where no entry says otherwise.
    pub policy: Digest,
}

/// What became of a sealed opening.
#[derive(Debug)]
pub enum Opened {
    /// It opens.
    Opening(Box<SaltedOpening>),
    /// Its key was destroyed.
    Gone,
    /// It does not open under its key, or its key was never there.
    Closed,
}

/// Opens what stands beside the leaves. The gateway does, who has the vault.
#[async_trait]
pub trait Openings: Send + Sync {
    /// Opens the opening of an entry.
    async fn open(&self, entry: &Entry, sealed: Sealed) -> Result<Opened, LedgerError>;
    /// The search tags of an entry with this opening. None: they cannot be told.
    async fn tags(&self, entry: &Entry, opening: Option<&Opening>) -> Result<Option<Vec<Tag>>, LedgerError>;
}

/// Inspects the database.
///
/// # Errors
/// When the database or the vault fails. Everything that is wrong with what they hold is in the report.
pub async fn inspect(store: &dyn Store, openings: &dyn Openings, anchors: &Anchors<'_>) -> Result<Report, LedgerError> {
    let mut problems = Problems::default();
    let head = match store.head().await {
        Ok(head) => head,
        Err(StoreError::Corrupt(column)) => {
            problems.file(Finding::RowUnreadable, column);
            return Ok(report(None, None, problems, Walk::default()));
        }
        Err(error) => return Err(failed(&error)),
    };
    if store.head_rows().await.map_err(|error| failed(&error))? != 1 {
        problems.file(Finding::RowBeyond, "ledger_head");
    }
    let kept = anchors.kept.and_then(|note| kept(note, anchors.key, head.size, &mut problems));
    let mut inspection = Inspection {
        store,
        openings,
        problems,
        tree: Tree::new(store, kept.as_ref().map(Checkpoint::size)),
        index: Index::new(head.size)?,
        checkpoints: Checkpoints::new(store, anchors).await?,
        order: Order::new(anchors.consent_bases),
        course: Course::default(),
        walk: Walk::default(),
    };
    let mut first = 0;
    while first < head.size {
        let to = first.saturating_add(CHUNK).min(head.size);
        inspection.chunk(first, to).await?;
        first = to;
    }
    inspection.finish(&head, anchors, kept.as_ref()).await
}

/// What is counted on the way.
#[derive(Default)]
struct Walk {
    types: BTreeMap<EntryType, u64>,
    span: Option<(crate::domain::time::Timestamp, crate::domain::time::Timestamp)>,
    count: OpeningCount,
    order: super::verify::OrderCount,
    /// Openings that are gone.
    erasures: Erasures,
    /// Entries whose search tags cannot be told.
    untold: u64,
    /// Breaks that entries record.
    breaks: Vec<Break>,
}

struct Inspection<'a> {
    store: &'a dyn Store,
    openings: &'a dyn Openings,
    problems: Problems,
    tree: Tree<'a>,
    index: Index,
    checkpoints: Checkpoints<'a>,
    order: Order<'a>,
    course: Course,
    walk: Walk,
}

impl Inspection<'_> {
    /// The rows of some entries.
    async fn chunk(&mut self, first: u64, to: u64) -> Result<(), LedgerError> {
        let mut leaves = self.rows(first, to, |store, from, to| store.leaf_rows(from, to)).await?;
        let mut entries = self.rows(first, to, |store, from, to| store.entry_rows(from, to)).await?;
        let mut openings = self.rows(first, to, |store, from, to| store.opening_rows(from, to)).await?;
        for idx in first..to {
            let leaf = leaves.remove(&idx).unwrap_or_else(|| self.missing(idx, LedgerTable::Leaf));
            let columns = entries.remove(&idx).unwrap_or_else(|| self.missing(idx, LedgerTable::Entry));
            let body = columns.as_ref().map(|columns| leaf_hash(&columns.body));
            let stored = leaf.and_then(|leaf| {
                let hash = Hash::try_from(leaf.as_slice()).ok();
                if hash.is_none() {
                    self.problems.add(problem(Finding::ColumnDiffers, Some(idx), "ledger_leaf.leaf_hash"));
                }
                hash
            });
            self.tree.push(idx, body, stored, &mut self.problems).await?;
            self.checkpoints.at(idx.saturating_add(1), &self.tree, &mut self.problems).await?;
            let sealed = openings.remove(&idx).flatten();
            let Some(columns) = columns else {
                self.index.skip(idx);
                continue;
            };
            match entry::read(&columns.body) {
                Ok(entry) => {
                    columns::compare(idx, &columns, &entry, &mut self.problems);
                    self.entry(idx, &entry, sealed).await?;
                }
                Err(finding) => {
                    self.index.skip(idx);
                    self.problems.add(problem(finding, Some(idx), "ledger_entry.body"));
                }
            }
        }
        Ok(())
    }

    /// An entry with its opening.
    async fn entry(&mut self, idx: u64, entry: &Entry, sealed: Option<Sealed>) -> Result<(), LedgerError> {
        *self.walk.types.entry(entry.entry_type).or_default() += 1;
        if idx == 0 && entry.entry_type != EntryType::LedgerOpened {
            self.problems.at(Finding::FirstEntry, idx);
        }
        match &mut self.walk.span {
            None => self.walk.span = Some((entry.time, entry.time)),
            Some((_, last)) if entry.time > *last => *last = entry.time,
            Some(_) => self.problems.at(Finding::EntryTimeOrder, idx),
        }
        if let Some(reopening) = entry.reopens.clone() {
            self.walk.breaks.push(Break { index: idx, reopening: *reopening });
        }
        self.course.next(idx, entry);
        let beside = beside(self.openings, entry, sealed).await?;
        match &beside {
            Beside::None => self.walk.count.none += 1,
            Beside::Opening(_) => self.walk.count.opened += 1,
            Beside::Gone => self.walk.erasures.gone(idx, entry),
            Beside::Wrong(finding, column) => self.problems.add(problem(*finding, Some(idx), column)),
        }
        let erased = beside.opening().map(|opening| opening.erased.as_slice());
        self.walk.erasures.next(idx, entry, erased, &mut self.problems);
        if let Some(tags) = tags(self.openings, entry, &beside).await? {
            self.index.expect(idx, &tags);
        } else {
            self.walk.untold += 1;
            self.index.skip(idx);
        }
        let members = beside.opening().map(consent_member);
        self.order.next(idx, entry, members.as_ref(), &mut self.problems);
        Ok(())
    }

    async fn finish(
        mut self,
        head: &crate::store::HeadRow,
        anchors: &Anchors<'_>,
        kept: Option<&Checkpoint>,
    ) -> Result<Report, LedgerError> {
        let problems = &mut self.problems;
        self.walk.count.erased = std::mem::take(&mut self.walk.erasures).finish(problems);
        let last = self.walk.span.map(|(_, last)| last);
        self.course.compare(head, last, anchors, problems);
        self.tree.finish(head, kept, problems).await?;
        self.checkpoints.finish(head.size, problems).await?;
        for table in [LedgerTable::Leaf, LedgerTable::Entry, LedgerTable::Opening, LedgerTable::Index] {
            match self.store.row_beyond(table).await {
                Ok(None) => {}
                Ok(Some(idx)) => problems.add(problem(Finding::RowBeyond, u64::try_from(idx).ok(), table.as_str())),
                Err(StoreError::Corrupt(column)) => problems.file(Finding::RowUnreadable, column),
                Err(error) => return Err(failed(&error)),
            }
        }
        self.index.compare(self.store, self.openings, problems).await?;
        self.walk.order = self.order.finish();
        let signed = Checkpoint::new(&head.origin, head.size, Hash(head.root)).ok();
        if signed.is_none() {
            problems.file(Finding::ColumnDiffers, "ledger_head.origin");
        }
        Ok(report(signed, kept, self.problems, self.walk))
    }

    fn missing<T>(&mut self, idx: u64, table: LedgerTable) -> Option<T> {
        self.problems.add(problem(Finding::RowMissing, Some(idx), table.as_str()));
        None
    }

    /// Rows by index. A row that cannot be read is searched for and named; it stands there as none.
    async fn rows<T>(
        &mut self,
        first: u64,
        to: u64,
        read: for<'s> fn(&'s dyn Store, u64, u64) -> Reading<'s, T>,
    ) -> Result<BTreeMap<u64, Option<T>>, LedgerError> {
        let mut found = BTreeMap::new();
        let mut ranges = vec![(first, to)];
        while let Some((from, to)) = ranges.pop() {
            match read(self.store, from, to).await {
                Ok(rows) => found.extend(rows.into_iter().map(|(idx, row)| (idx, Some(row)))),
                Err(StoreError::Corrupt(column)) if to - from <= 1 => {
                    self.problems.add(problem(Finding::RowUnreadable, Some(from), column));
                    found.insert(from, None);
                }
                Err(StoreError::Corrupt(_)) => {
                    let middle = from + (to - from) / 2;
                    ranges.extend([(middle, to), (from, middle)]);
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(found)
    }
}

/// Rows that are being read, each with its index.
type Reading<'s, T> = Pin<Box<dyn Future<Output = Result<Vec<(u64, T)>, StoreError>> + Send + 's>>;

/// What stands beside an entry.
enum Beside {
    None,
    Opening(Box<Opening>),
    Gone,
    Wrong(Finding, &'static str),
}

impl Beside {
    fn opening(&self) -> Option<&Opening> {
        match self {
            Self::Opening(opening) => Some(opening),
            _ => None,
        }
    }
}

async fn beside(openings: &dyn Openings, entry: &Entry, sealed: Option<Sealed>) -> Result<Beside, LedgerError> {
    Ok(match (sealed, entry.open_c) {
        (None, None) => Beside::None,
        (None, Some(_)) => Beside::Gone,
        (Some(_), None) => Beside::Wrong(Finding::OpeningUncommitted, "ledger_opening"),
        (Some(sealed), Some(commitment)) => match openings.open(entry, sealed).await? {
            Opened::Opening(salted) if salted.opens(&commitment) => Beside::Opening(Box::new(salted.opening)),
            Opened::Opening(_) => Beside::Wrong(Finding::OpeningMismatch, "ledger_opening.sealed"),
            Opened::Gone => Beside::Gone,
            Opened::Closed => Beside::Wrong(Finding::OpeningClosed, "ledger_opening.sealed"),
        },
    })
}

/// The search tags that an entry must have; none: they cannot be told. Of what was erased nothing may be found any more.
async fn tags(openings: &dyn Openings, entry: &Entry, beside: &Beside) -> Result<Option<Vec<Tag>>, LedgerError> {
    match beside {
        Beside::None => openings.tags(entry, None).await,
        Beside::Opening(opening) => openings.tags(entry, Some(opening)).await,
        Beside::Gone => Ok(Some(Vec::new())),
        Beside::Wrong(..) => Ok(None),
    }
}

/// What the order of rights needs of an opening.
fn consent_member(opening: &Opening) -> serde_json::Map<String, serde_json::Value> {
    opening.consent.iter().map(|consent| ("consent".to_owned(), consent.to_string().into())).collect()
}

/// The kept checkpoint, if the ledger can be compared with it.
fn kept(note: &str, key: &VerifierKey, size: u64, problems: &mut Problems) -> Option<Checkpoint> {
    let Ok(kept) = open_checkpoint(note, key) else {
        problems.whole(Finding::KeptNote);
        return None;
    };
    if kept.size() > size {
        problems.add(Problem { finding: Finding::KeptNewer, index: Some(size), path: None });
        return None;
    }
    Some(kept)
}

fn problem(finding: Finding, index: Option<u64>, path: &str) -> Problem {
    Problem { finding, index, path: Some(path.to_owned()) }
}

fn report(head: Option<Checkpoint>, kept: Option<&Checkpoint>, problems: Problems, walk: Walk) -> Report {
    let (problems, further) = problems.finish();
    let continues = kept.map(Checkpoint::size).filter(|_| problems.is_empty());
    let remarks = match walk.untold {
        0 => Vec::new(),
        untold => vec![(crate::text::audit::Remark::IndexUntold, Some(untold.to_string()))],
    };
    Report {
        breaks: walk.breaks,
        checkpoint: head,
        types: walk.types,
        span: walk.span,
        openings: walk.count,
        order: walk.order,
        continues,
        cosignatures: None,
        problems,
        further,
        remarks,
    }
}

/// Says in the log what the store said.
fn failed(error: &StoreError) -> LedgerError {
    super::tree::unavailable(error)
}

/// Entries that are read at once: a tile's.
const CHUNK: u64 = crate::tlog::TILE_WIDTH as u64;
