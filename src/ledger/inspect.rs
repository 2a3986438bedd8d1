//! Inspection of the database behind the ledger, at the gateway's machine and with its keys: for who cannot rule out that an administrator of the
//! database changed what no export shows (`ledger.md` section 5, "rows edited, deleted, swapped by a database superuser").
//!
//! Promises: reads only, while gateways may go on appending; memory does not grow with the number of entries but for rights that were taken away and
//! for each registered party and key. Every row of every ledger table is compared with the leaf it belongs to, and what differs is named by its first
//! index, table and column.
//!
//! Checked: each leaf hash, tile, frontier and root, recomputed from the bodies; each searchable column against its leaf; canonical form and order of
//! time; each opening, opened with the vault, against its commitment; the search index, recomputed from leaves and openings; rights epoch, policy, last
//! time and origin of the head; stored checkpoints; what entries put into other tables (messages with what is kept beside them,
//! consents, their ends and successors, what parties signed about agreements), opened and compared; states and relations of cases, worked out from their messages; registered parties and keys, both
//! ways, with the newest entry about each; the order of rights as far as entries and openings tell; with a checkpoint that a stranger kept, that this
//! ledger continues it; records of entries that were lost, against the entries before them, the names and the kept checkpoint.
//!
//! Not checked: whether a whole history was rewritten, openings, index and head with it, by somebody who has the gateway's keys or before any checkpoint
//! was kept elsewhere; whether the ids of entries are unique (an export's verification does); rows that no leaf commits to: to which case a
//! consent belongs, under which id a party knows a case, used ids, receipts, deadlines; the schema of the database, which the store compares. An opening
//! that is gone counts as erased when an erasure behind its entry names it.

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
        reopened::{self, Named},
        report::{Problem, Problems},
    },
};
use crate::{
    domain::{
        codes::LegalBasis,
        digest::Digest,
        entry::{EntryType, Outcome},
    },
    store::{LedgerFilter, LedgerTable, Sealed, Store, StoreError, Tag},
    text::audit::{Finding, Remark},
    tlog::{Checkpoint, CosignerKey, Hash, VerifierKey, leaf_hash},
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

/// What is told at the end.
#[derive(Debug, Clone, Default)]
pub struct Rest {
    /// Where the registered parties and keys are not what the entries say of them.
    pub problems: Vec<Problem>,
    /// Cases whose state and relations could not be worked out.
    pub untold_cases: u64,
}

/// Opens what stands beside the leaves. The gateway does, who has the vault.
#[async_trait]
pub trait Openings: Send + Sync {
    /// Opens the opening of an entry.
    async fn open(&self, entry: &Entry, sealed: Sealed) -> Result<Opened, LedgerError>;
    /// What an entry put beside the ledger, and where it is not what it was: the table with the column.
    async fn stored(&self, idx: u64, entry: &Entry, opening: &Opening) -> Result<Vec<(Finding, &'static str)>, LedgerError>;
    /// What can be told only behind the last entry. Every entry up to this size whose opening is there was given to [`Self::stored`].
    async fn rest(&self, size: u64) -> Result<Rest, LedgerError>;
    /// The search tags of an entry with this opening. None: they cannot be told.
    async fn tags(&self, entry: &Entry, opening: Option<&Opening>) -> Result<Option<Vec<Tag>>, LedgerError>;
}

/// Inspects the database.
///
/// # Errors
/// When the database or the vault fails. Everything that is wrong with what they hold is in the report.
pub async fn inspect(store: &dyn Store, openings: &dyn Openings, anchors: &Anchors<'_>) -> Result<Report, LedgerError> {
    for _ in 1..TRIES {
        let report = inspect_once(store, openings, anchors).await?;
        if report.holds() || !erased_behind(store, report.checkpoint.as_ref().map_or(0, Checkpoint::size)).await? {
            return Ok(report);
        }
    }
    inspect_once(store, openings, anchors).await
}

/// Whether something was erased while the entries up to this size were looked at: then openings and index rows are gone that were there, or were counted on,
/// before, and the entry that says so stands behind.
async fn erased_behind(store: &dyn Store, size: u64) -> Result<bool, LedgerError> {
    let filter = LedgerFilter { entry_type: Some(EntryType::Erasure.as_str().to_owned()), ..LedgerFilter::default() };
    // What does not read back is in the report, and no erasure is the cause of it.
    let Some(head) = legible(store.head().await)? else { return Ok(false) };
    let mut after = size.checked_sub(1);
    loop {
        let Some(found) = legible(store.find(&filter, after, head.size, 1).await)? else { return Ok(false) };
        if !found.rows.is_empty() {
            return Ok(true);
        }
        after = found.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}

async fn inspect_once(store: &dyn Store, openings: &dyn Openings, anchors: &Anchors<'_>) -> Result<Report, LedgerError> {
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
    // A head that claims more than there can be must not keep the inspection busy for ever.
    let rows = u64::try_from(store.most_rows().await.map_err(|error| failed(&error))?).unwrap_or(0);
    let size = head.size.min(rows);
    if size < head.size {
        problems.add(problem(Finding::ColumnDiffers, Some(size), "ledger_head.size"));
    }
    let kept = anchors.kept.and_then(|note| reopened::kept(note, anchors.key, head.size, &mut problems));
    let mut inspection = Inspection {
        store,
        openings,
        problems,
        tree: Tree::new(store, kept.as_ref().map(Checkpoint::size)),
        index: Index::new(size)?,
        checkpoints: Checkpoints::new(store, anchors).await?,
        order: Order::new(anchors.consent_bases),
        course: Course::default(),
        walk: Walk::default(),
        size,
    };
    let mut first = 0;
    while first < size {
        let to = first.saturating_add(CHUNK).min(size);
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
    /// Cases whose state and relations cannot be worked out.
    untold_cases: u64,
    /// Names of the ledger, as entries record them.
    named: Named,
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
    /// Number of entries that are looked at.
    size: u64,
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
            let told = columns.as_ref().map(|columns| entry::read(&columns.body));
            if let Some(Ok(entry)) = &told {
                self.broke(idx, entry);
            }
            self.tree.push(idx, body, stored, &mut self.problems).await?;
            self.checkpoints.at(idx.saturating_add(1), &self.tree, &mut self.problems).await?;
            let sealed = openings.remove(&idx).flatten();
            match columns.zip(told) {
                Some((columns, Ok(entry))) => {
                    columns::compare(idx, &columns, &entry, &mut self.problems);
                    self.entry(idx, &entry, sealed).await?;
                }
                Some((_, Err(finding))) => {
                    self.index.skip(idx);
                    self.problems.add(problem(finding, Some(idx), "ledger_entry.body"));
                }
                None => self.index.skip(idx),
            }
        }
        Ok(())
    }

    /// A break that this entry records is compared with the entries before it: those that the tree holds now.
    fn broke(&mut self, idx: u64, entry: &Entry) {
        if let Some(reopening) = &entry.reopens {
            let rooted = self.tree.had(reopening.survived.root.0);
            self.walk.named.next(idx, (**reopening).clone(), rooted, &mut self.problems);
        }
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
        self.course.next(idx, entry);
        let beside = beside(self.openings, entry, sealed).await?;
        match &beside {
            Beside::None => self.walk.count.none += 1,
            Beside::Opening(_) => self.walk.count.opened += 1,
            Beside::Gone => self.walk.erasures.gone(idx, entry),
            Beside::Wrong(finding, column) => self.problems.add(problem(*finding, Some(idx), column)),
        }
        let nothing = Opening::default();
        let told = match &beside {
            Beside::Opening(opening) => Some(&**opening),
            Beside::None => Some(&nothing),
            Beside::Gone | Beside::Wrong(..) => None,
        };
        if let Some(opening) = told.filter(|_| entry.decision == Outcome::Permit) {
            for (finding, column) in self.openings.stored(idx, entry, opening).await? {
                self.problems.add(problem(finding, Some(idx), column));
            }
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
        self.walk.breaks = std::mem::take(&mut self.walk.named).finish(anchors.key.name().as_str(), kept, problems);
        let last = self.walk.span.map(|(_, last)| last);
        self.course.compare(head, last, anchors, problems);
        let continued = kept.filter(|kept| reopened::continues(kept, &self.walk.breaks));
        self.tree.finish(head, continued, problems).await?;
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
        let rest = self.openings.rest(self.size).await?;
        for problem in rest.problems {
            problems.add(problem);
        }
        self.walk.untold_cases = rest.untold_cases;
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

fn problem(finding: Finding, index: Option<u64>, path: &str) -> Problem {
    Problem { finding, index, path: Some(path.to_owned()) }
}

fn report(head: Option<Checkpoint>, kept: Option<&Checkpoint>, problems: Problems, walk: Walk) -> Report {
    let (problems, further) = problems.finish();
    let continues = kept.filter(|kept| problems.is_empty() && reopened::continues(kept, &walk.breaks)).map(Checkpoint::size);
    let untold = [(Remark::IndexUntold, walk.untold), (Remark::CaseUntold, walk.untold_cases)];
    let untold = untold.into_iter().filter(|(_, count)| *count > 0).map(|(remark, count)| (remark, Some(count.to_string())));
    let remarks = reopened::remarks(&walk.breaks, kept, untold.collect());
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

/// What was read; none where what is stored does not read back.
fn legible<T>(read: Result<T, StoreError>) -> Result<Option<T>, LedgerError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// Says in the log what the store said.
fn failed(error: &StoreError) -> LedgerError {
    super::tree::unavailable(error)
}

/// How often it is looked at anew because something was erased meanwhile.
const TRIES: u8 = 5;
/// Entries that are read at once: a tile's.
const CHUNK: u64 = crate::tlog::TILE_WIDTH as u64;
