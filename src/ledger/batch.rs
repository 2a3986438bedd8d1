//! One batch under the head lock: draft after draft is accepted, answered or handed back, then all of it is committed (`ledger.md` section 4).
//!
//! Drafts are decided one after the other, each behind those before it, and the rows of as many as possible are written in one call. When one of
//! them cannot be written, it is handed back, and what was decided behind it is decided again.

use std::collections::{HashMap, VecDeque};

use super::{Answer, Committed, Draft, Entry, Ground, LedgerError, Once, leaf::Leaf, tree::unavailable};
use crate::{
    domain::{
        self,
        digest::Digest,
        entry::EntryType,
        ids::{CaseKey, Jti},
        time::Timestamp,
    },
    store::{Append, DraftRows, EntryRow, HeadRow, OnceKey, OnceKind, OnceRow, StoreError, TileRow, Write},
    tlog::{BatchTree, Frontier, Hash, RightEdge, TileRow as Row, encode_tile, leaf_hash, perfect_root},
};

/// A draft whose leaf is written but for its time.
#[derive(Debug)]
pub(super) struct Prepared {
    draft: Draft,
    leaf: Leaf,
}

impl Prepared {
    /// Writes the leaf: work for the caller's task.
    pub(super) fn new(mut draft: Draft) -> Result<Self, LedgerError> {
        let leaf = Leaf::new(&mut draft.entry)?;
        Ok(Self { draft, leaf })
    }
}

impl Prepared {
    /// Whether its ground is asked for in the database, as earlier drafts of the batch leave it.
    fn looks(&self) -> bool {
        let Some(ground) = &self.draft.ground else { return false };
        ground.case.is_some() || ground.consent.as_ref().is_some_and(|(consent, case)| !binds(&self.draft.writes, consent, case))
    }
}

/// Whether rows bind a consent to a case. Where it is bound to another case, they cannot be written.
fn binds(writes: &[Write], consent: &Jti, case: &CaseKey) -> bool {
    writes.iter().any(|write| matches!(write, Write::ConsentBound(bound, to) if bound == consent && to == case))
}

/// A draft that was decided, before its rows are written.
struct Decided {
    prepared: Prepared,
    outcome: Outcome,
    /// The ids it uses.
    spends: Vec<Spent>,
    before: Before,
}

enum Outcome {
    Answered(Answer),
    Entry { idx: u64, time: Timestamp },
}

/// The use of an id.
struct Spent {
    key: OnceKey,
    row: OnceRow,
    expires: Option<Timestamp>,
}

fn spent(once: &Once, idx: u64) -> Spent {
    let row = OnceRow { digest: once.digest, idx: Some(idx), result: once.result.clone() };
    Spent { key: once.key(), row, expires: once.expires }
}

impl Decided {
    /// The rows of what becomes an entry.
    fn rows(&self) -> Option<DraftRows<'_>> {
        match self.outcome {
            Outcome::Entry { idx, time } => Some(DraftRows { rows: &self.prepared.draft.writes, idx, time }),
            Outcome::Answered(_) => None,
        }
    }
}

/// What a draft moves of the head, before it does.
struct Before {
    size: u64,
    last_time: Timestamp,
    rights_epoch: u64,
    policy: Digest,
}

impl Before {
    const fn of(head: &HeadRow) -> Self {
        Self { size: head.size, last_time: head.last_time, rights_epoch: head.rights_epoch, policy: head.policy }
    }

    const fn put_back(&self, head: &mut HeadRow) {
        (head.size, head.last_time, head.rights_epoch, head.policy) = (self.size, self.last_time, self.rights_epoch, self.policy);
    }
}

/// What a draft came to, before the commit.
pub(super) enum Verdict {
    /// Nothing is appended for it.
    Answered(Answer),
    /// It is an entry: position within the batch.
    Entry(usize),
}

/// An open batch. Dropped, nothing happened.
pub(super) struct Batch {
    append: Box<dyn Append>,
    /// The head as advanced by this batch.
    head: HeadRow,
    /// What the clock says.
    now: Timestamp,
    frontier: Frontier,
    /// Ids used before this batch or in it.
    used: HashMap<OnceKey, OnceRow>,
    rows: Vec<EntryRow>,
    entries: Vec<Committed>,
    /// Whether there is anything to commit.
    touched: bool,
}

/// What a committed batch leaves behind.
pub(super) struct Done {
    pub(super) head: HeadRow,
    pub(super) tree: BatchTree,
    pub(super) edge: RightEdge,
    pub(super) entries: Vec<Committed>,
}

impl Batch {
    /// Begins a batch. The stored frontier must be that of the stored root.
    pub(super) fn new(append: Box<dyn Append>) -> Result<Self, LedgerError> {
        let head = append.head().clone();
        let frontier = Frontier::from_parts(head.size, &head.frontier).map_err(|_| LedgerError::Broken("frontier and size"))?;
        if frontier.root() != Hash(head.root) {
            return Err(LedgerError::Broken("frontier and root"));
        }
        let now = head.last_time;
        Ok(Self { append, head, now, frontier, used: HashMap::new(), rows: Vec::new(), entries: Vec::new(), touched: false })
    }

    /// Sets the clock's time for the drafts that follow.
    pub(super) const fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The head as advanced by this batch.
    pub(super) const fn head(&self) -> &HeadRow {
        &self.head
    }

    /// From this batch on the ledger has another name. The store takes it only with the entry that says so.
    pub(super) fn rename(&mut self, origin: String) {
        self.head.origin = origin;
    }

    /// The frontier of the tree before this batch.
    pub(super) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The leaves behind the first `from` ones, before this batch.
    pub(super) async fn leaves(&mut self, from: u64) -> Result<impl Iterator<Item = Hash> + use<>, LedgerError> {
        let hashes = self.append.leaf_hashes(from, self.frontier.size()).await.map_err(|error| unavailable(&error))?;
        Ok(hashes.into_iter().map(Hash))
    }

    /// Whether there is anything to commit.
    pub(super) const fn touched(&self) -> bool {
        self.touched
    }

    /// Forgets expired ids; says whether there may be more.
    pub(super) async fn forget_expired(&mut self, limit: u32) -> Result<bool, LedgerError> {
        let gone = self.append.forget_expired(self.now, limit).await.map_err(|error| unavailable(&error))?;
        self.touched |= gone > 0;
        Ok(gone >= u64::from(limit))
    }

    /// Looks up at once which ids of these drafts were used before the batch, and what their grounds rest on.
    pub(super) async fn look_up(&mut self, drafts: &[Prepared]) -> Result<(), LedgerError> {
        let keys: Vec<OnceKey> = drafts.iter().flat_map(|p| [&p.draft.object, &p.draft.actor]).flatten().map(Once::key).collect();
        let found = self.append.once(&keys).await.map_err(|error| unavailable(&error))?;
        self.used.extend(keys.into_iter().zip(found).filter_map(|(key, row)| Some((key, row?))));
        let grounds = || drafts.iter().filter_map(|prepared| prepared.draft.ground.as_ref());
        let cases: Vec<_> = grounds().filter_map(|ground| Some(ground.case.as_ref()?.0)).collect();
        let consents: Vec<_> = grounds().filter_map(|ground| Some(ground.consent.as_ref()?.0)).collect();
        self.append.foresee(&cases, &consents).await.map_err(|error| unavailable(&error))
    }

    /// Takes drafts whose ids were looked up.
    pub(super) async fn take(&mut self, drafts: Vec<Prepared>) -> Result<Vec<Verdict>, LedgerError> {
        let mut verdicts = Vec::with_capacity(drafts.len());
        let mut waiting = VecDeque::from(drafts);
        while !waiting.is_empty() {
            let decided = self.decide(&mut waiting).await?;
            let rows: Vec<DraftRows<'_>> = decided.iter().filter_map(Decided::rows).collect();
            let written = self.append.write_all(&rows).await.map_err(|error| unavailable(&error))?;
            self.settle(decided, written, &mut verdicts, &mut waiting)?;
        }
        Ok(verdicts)
    }

    /// Decides drafts until one must be looked at behind what the others write.
    async fn decide(&mut self, waiting: &mut VecDeque<Prepared>) -> Result<Vec<Decided>, LedgerError> {
        let (mut decided, mut writes) = (Vec::with_capacity(waiting.len()), false);
        while let Some(next) = waiting.pop_front() {
            if writes && next.looks() {
                waiting.push_front(next);
                break;
            }
            let draft = self.decide_one(next).await?;
            writes |= draft.rows().is_some_and(|rows| !rows.rows.is_empty());
            decided.push(draft);
        }
        Ok(decided)
    }

    /// Decides one draft. What it becomes counts for those behind it at once.
    async fn decide_one(&mut self, prepared: Prepared) -> Result<Decided, LedgerError> {
        let before = Before::of(&self.head);
        let draft = &prepared.draft;
        let unused = |used: &HashMap<_, _>, once: &&Once| !used.contains_key(&once.key());
        if let Some(answer) = self.known(draft)? {
            let spent = match &answer {
                Answer::Known { idx, .. } => {
                    let actor = draft.actor.as_ref().filter(|actor| unused(&self.used, actor));
                    actor.map(|actor| spent(actor, *idx)).into_iter().collect()
                }
                _ => Vec::new(),
            };
            return Ok(self.decided(prepared, Outcome::Answered(answer), spent, before));
        }
        if draft.actor.as_ref().is_some_and(|actor| !unused(&self.used, &actor)) {
            return Ok(self.decided(prepared, Outcome::Answered(Answer::ActorReplayed), Vec::new(), before));
        }
        let time = self.head.last_time.plus_micros(1).max(self.now);
        if let Some(ground) = &draft.ground
            && !self.stands(ground, &draft.writes, time).await?
        {
            return Ok(self.decided(prepared, Outcome::Answered(Answer::Stale), Vec::new(), before));
        }
        let idx = self.advance(draft, time)?;
        let uses = draft.object.iter().chain(&draft.actor).map(|once| spent(once, idx)).collect();
        Ok(self.decided(prepared, Outcome::Entry { idx, time }, uses, before))
    }

    fn decided(&mut self, prepared: Prepared, outcome: Outcome, spends: Vec<Spent>, before: Before) -> Decided {
        self.used.extend(spends.iter().map(|spent| (spent.key.clone(), spent.row.clone())));
        Decided { prepared, outcome, spends, before }
    }

    /// Takes over what was decided, as far as it was written; what stands behind a draft that could not be written waits again.
    fn settle(
        &mut self,
        decided: Vec<Decided>,
        mut written: usize,
        verdicts: &mut Vec<Verdict>,
        waiting: &mut VecDeque<Prepared>,
    ) -> Result<(), LedgerError> {
        let mut decided = decided.into_iter();
        let mut refused = None;
        for draft in decided.by_ref() {
            if let Outcome::Entry { .. } = draft.outcome {
                let Some(left) = written.checked_sub(1) else {
                    refused = Some(draft);
                    break;
                };
                written = left;
            }
            verdicts.push(self.enter(draft)?);
        }
        let Some(refused) = refused else { return Ok(()) };
        refused.before.put_back(&mut self.head);
        let behind: Vec<Decided> = decided.collect();
        for spent in refused.spends.iter().chain(behind.iter().flat_map(|draft| &draft.spends)) {
            self.used.remove(&spent.key);
        }
        for draft in behind.into_iter().rev() {
            waiting.push_front(draft.prepared);
        }
        // Somebody was faster with the same row. Deciding again sees it and says so.
        verdicts.push(Verdict::Answered(Answer::Stale));
        Ok(())
    }

    /// The answer to an object that was used before.
    fn known(&self, draft: &Draft) -> Result<Option<Answer>, LedgerError> {
        let Some(object) = &draft.object else { return Ok(None) };
        let Some(row) = self.used.get(&object.key()) else { return Ok(None) };
        if row.digest != object.digest {
            return Ok(Some(Answer::Conflict));
        }
        let idx = row.idx.ok_or(LedgerError::Broken("a used object without its entry"))?;
        Ok(Some(Answer::Known { idx, result: row.result.clone() }))
    }

    /// Whether the ground of a decision still stands for an entry of this time.
    async fn stands(&mut self, ground: &Ground, writes: &[Write], time: Timestamp) -> Result<bool, LedgerError> {
        if ground.rights_epoch != self.head.rights_epoch || ground.valid_until <= time {
            return Ok(false);
        }
        if let Some((case, revision)) = &ground.case
            && self.append.case_revision(case).await.map_err(|error| unavailable(&error))? != Some(*revision)
        {
            return Ok(false);
        }
        if let Some((consent, case)) = &ground.consent
            && !binds(writes, consent, case)
        {
            let bound = self.append.consent_case(consent).await.map_err(|error| unavailable(&error))?;
            return Ok(bound.is_none_or(|bound| bound == *case));
        }
        Ok(true)
    }

    /// Moves the head over a draft that becomes an entry.
    fn advance(&mut self, draft: &Draft, time: Timestamp) -> Result<u64, LedgerError> {
        let (idx, entry) = (self.head.size, &draft.entry);
        self.head.size = idx.checked_add(1).ok_or(LedgerError::Broken("size"))?;
        self.head.last_time = time;
        let activates = entry.entry_type == EntryType::Policy && entry.decision == domain::entry::Outcome::Permit;
        if activates && let Some(policy) = entry.policy {
            self.head.policy = policy;
        }
        if draft.narrows || activates || draft.writes.iter().any(Write::is_registration) {
            self.head.rights_epoch = self.head.rights_epoch.checked_add(1).ok_or(LedgerError::Broken("rights epoch"))?;
        }
        Ok(idx)
    }

    /// What a draft came to, whose rows are written if it has any.
    fn enter(&mut self, decided: Decided) -> Result<Verdict, LedgerError> {
        let Decided { prepared: Prepared { draft, leaf }, outcome, spends, .. } = decided;
        self.touched |= !spends.is_empty();
        for Spent { key, row, expires } in spends {
            self.append.use_once(key, row, expires);
        }
        let (idx, time) = match outcome {
            Outcome::Answered(answer) => return Ok(Verdict::Answered(answer)),
            Outcome::Entry { idx, time } => (idx, time),
        };
        let Draft { entry, opening, tags, .. } = draft;
        let body = leaf.at(time)?;
        let hash = leaf_hash(&body);
        self.entries.push(Committed {
            idx,
            time,
            entry_id: entry.id,
            sd_hash: entry.sd_hash,
            policy: entry.policy,
            leaf: body.clone(),
            leaf_hash: Digest(hash.0),
            proof: Vec::new(),
            checkpoint: "".into(),
        });
        let Entry { id, entry_type, operation, actor, recipient, decision, reason, agreement, .. } = entry;
        self.rows.push(EntryRow {
            idx,
            id,
            leaf_hash: hash.0,
            body,
            time,
            entry_type: entry_type.as_str(),
            operation: operation.as_str(),
            actor: actor.map(|actor| actor.party),
            recipient,
            decision: decision.as_str(),
            reason,
            agreement: agreement.map(|agreement| agreement.id),
            opening,
            tags,
        });
        self.touched = true;
        Ok(Verdict::Entry(self.rows.len() - 1))
    }

    /// Commits the use of an id that nobody has and that expires at once: whether the store takes it is all that is asked.
    pub(super) async fn probe(mut self, jti: Jti, now: Timestamp) -> Result<(), LedgerError> {
        let iss = PROBE.parse().map_err(|_| LedgerError::Broken("probe"))?;
        let row = OnceRow { digest: Digest::of(&[]), idx: None, result: Vec::new() };
        self.append.use_once(OnceKey { kind: OnceKind::Actor, iss, jti }, row, Some(now));
        self.append.commit(Vec::new(), Vec::new(), self.head).await.map_err(|error| unavailable(&error))
    }

    /// Commits a write that changes nothing. What others committed before it is then as durable as this is: a server makes a commit visible without the
    /// standbys it was to wait for when it has crashed meanwhile, or when somebody cancelled the wait.
    pub(super) async fn confirm(self) -> Result<HeadRow, LedgerError> {
        let head = self.head.clone();
        self.append.commit(Vec::new(), Vec::new(), self.head).await.map_err(|error| unconfirmed(&error))?;
        Ok(head)
    }

    /// Commits. `edge` is the right edge of the tree before this batch.
    pub(super) async fn commit(mut self, mut edge: RightEdge) -> Result<Done, LedgerError> {
        let hashes: Vec<Hash> = self.rows.iter().map(|row| Hash(row.leaf_hash)).collect();
        let mut tiles = Vec::new();
        for hash in &hashes {
            for tile in edge.push(*hash).map_err(|_| LedgerError::Broken("right edge"))? {
                let Row::Hashes(level) = tile.id.row() else { continue };
                let root = perfect_root(&tile.hashes).map_err(|_| LedgerError::Broken("right edge"))?.0;
                tiles.push(TileRow { level, n: tile.id.index(), root, hashes: encode_tile(&tile.hashes) });
            }
        }
        let tree = BatchTree::new(self.frontier, hashes).map_err(|_| LedgerError::Broken("frontier"))?;
        self.head.root = tree.root().0;
        self.head.frontier = tree.frontier().to_bytes();
        let head = self.head.clone();
        self.append.commit(self.rows, tiles, self.head).await.map_err(|error| unconfirmed(&error))?;
        Ok(Done { head, tree, edge, entries: self.entries })
    }
}

/// Logs what the store said about a commit.
fn unconfirmed(error: &StoreError) -> LedgerError {
    let unavailable = unavailable(error);
    if matches!(error, StoreError::CommitUnknown(_)) { LedgerError::OutcomeUnknown } else { unavailable }
}

/// No party has this code: registered operators have a name.
const PROBE: &str = "operator:readiness-probe";
