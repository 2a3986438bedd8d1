//! Registered parties and keys, compared with the newest entry about each: rows that no entry registered, entries whose rows are gone, and rows that
//! say otherwise.
//!
//! Promises: what is remembered is one digest for each party and key. What is registered while the rows are read is taken for what it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use super::{Found, Insight, unavailable};
use crate::{
    domain::{
        digest::Digest,
        entry::{Act, EntryType},
        party::PartyId,
    },
    gateway::{
        record::GATEWAY_KEY,
        registered::{self, Beside, Said, of_key, of_party, said},
    },
    ledger::{Entry, LedgerError, Opening, Registered, verify::Problem},
    store::{KeyRow, PartyRow, StoreError},
    text::audit::Finding,
    vault::DataKey,
};

/// What entries said so far.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeMap<Name, Known>);

/// What is registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Party(PartyId),
    Key(Digest),
}

impl Name {
    /// Where it is said to be: the table with the row.
    fn path(&self) -> String {
        match self {
            Self::Party(party) => format!("party {party}"),
            Self::Key(kid) => format!("party_key {kid}"),
        }
    }
}

/// What the newest entry says.
#[derive(Debug, Clone)]
struct Known {
    said: Registered,
    /// The newest entry.
    newest: u64,
    /// The entry that the row must name; none: an earlier version wrote it.
    named: Option<u64>,
    /// Whether an entry says how it stands now. An earlier version, beside this one for a while, may have changed that.
    settled: bool,
}

impl Registry {
    /// Takes the next entry; where it says of a registration what it cannot change, that is named.
    fn next(&mut self, idx: u64, entry: &Entry, opening: Option<&Opening>) -> Vec<&'static str> {
        let list = match said(entry, opening) {
            Said::These(list) => list,
            // It added a key that nobody can tell, or changed how one stands. What a key is never changes.
            Said::Earlier(party) if entry.entry_type == EntryType::Key => {
                for known in self.0.values_mut() {
                    known.settled &= !matches!(&known.said, Registered::Key { party: of, .. } if *of == party);
                }
                return Vec::new();
            }
            // It changed something of the party, and nobody can tell what: it is to be recorded again.
            Said::Earlier(party) => {
                self.0.remove(&Name::Party(party));
                return Vec::new();
            }
            Said::Nothing => return Vec::new(),
        };
        let mut wrong = Vec::new();
        for said in list {
            let (name, table) = match &said {
                Registered::Party { party, .. } => (Name::Party(party.clone()), "party"),
                Registered::Key { key, .. } => (Name::Key(*key), "party_key"),
            };
            let before = self.0.get(&name);
            if !before.is_none_or(|before| leads(before, &said, entry)) {
                wrong.push(table);
            }
            let changes_state = matches!(entry.act, Some(Act::Retire | Act::Compromised));
            let named = if changes_state { before.and_then(|before| before.named) } else { Some(idx) };
            self.0.insert(name, Known { said, newest: idx, named, settled: true });
        }
        wrong
    }

    /// What is wrong with a row; nothing where it is what its newest entry says.
    fn judge(&self, name: &Name, is: &Registered, idx: u64) -> Option<Problem> {
        let Some(known) = self.0.get(name) else { return Some(problem(Finding::RegistrationUnrecorded, None, name)) };
        let same =
            if known.settled { known.said == *is } else { known.said.is_same_thing(is) } && known.named.is_none_or(|named| named == idx);
        (!same).then(|| problem(Finding::RegistrationDiffers, Some(known.newest), name))
    }

    fn party(&self, id: &str, row: Result<PartyRow, StoreError>) -> Result<(Option<Name>, Option<Problem>), LedgerError> {
        let beyond = |finding| Problem { finding, index: None, path: Some(format!("party {id}")) };
        let Some(name) = id.parse().map(Name::Party).ok() else { return Ok((None, Some(beyond(Finding::RowBeyond)))) };
        match row {
            Ok(row) => {
                let found = self.judge(&name, &of_party(&row.registration, row.state)?, row.idx);
                Ok((Some(name), found))
            }
            Err(StoreError::Corrupt(_)) => Ok((Some(name), Some(beyond(Finding::RowUnreadable)))),
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn key(&self, kid: &[u8], row: Result<KeyRow, StoreError>) -> Result<(Option<Name>, Option<Problem>), LedgerError> {
        let name = kid.try_into().map(|kid| Name::Key(Digest(kid))).ok();
        match row {
            Ok(row) => {
                let name = Name::Key(row.kid);
                let found = self.judge(&name, &of_key(&row)?, row.idx);
                Ok((Some(name), found))
            }
            Err(StoreError::Corrupt(_)) => {
                let path = name.as_ref().map_or_else(|| "party_key".to_owned(), Name::path);
                Ok((name, Some(Problem { finding: Finding::RowUnreadable, index: None, path: Some(path) })))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// Whether an entry can make the one of the other: only its own act changes what it changes, and what is recorded again is what it was.
fn leads(before: &Known, now: &Registered, entry: &Entry) -> bool {
    let act = entry.act.filter(|_| entry.actor.is_some());
    if !before.settled {
        return before.said.is_same_thing(now);
    }
    match (&before.said, now) {
        (Registered::Party { sha256, state, .. }, Registered::Party { sha256: s, state: t, .. }) => {
            (sha256 == s || act == Some(Act::Update)) && (state == t || matches!(act, Some(Act::Suspend | Act::Readmit)))
        }
        (Registered::Key { sha256, state, compromised_at, .. }, Registered::Key { sha256: s, state: t, compromised_at: since, .. }) => {
            sha256 == s && ((state, compromised_at) == (t, since) || matches!(act, Some(Act::Retire | Act::Compromised)))
        }
        _ => false,
    }
}

impl Insight {
    /// Takes an entry that registers something.
    pub(super) fn registers(&self, idx: u64, entry: &Entry, opening: &Opening) -> Vec<(Finding, &'static str)> {
        let wrong = self.registry.lock().unwrap_or_else(PoisonError::into_inner).next(idx, entry, Some(opening));
        wrong.into_iter().map(|table| (Finding::RegistrationDiffers, table)).collect()
    }

    /// Compares the rows with the entries up to this size, and with what came since.
    pub(super) async fn compare_registrations(&self, size: u64) -> Result<Vec<Problem>, LedgerError> {
        let mut registry = std::mem::take(&mut *self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        let mut taken = size;
        for _ in 1..TRIES {
            let problems = self.rows(&registry).await?;
            if problems.is_empty() {
                return Ok(problems);
            }
            // What cannot be read of the head is named elsewhere.
            let Ok(head) = self.store.head().await else { return Ok(problems) };
            if !self.take(&mut registry, taken, head.size).await? {
                return Ok(problems);
            }
            taken = head.size;
        }
        self.rows(&registry).await
    }

    /// Takes the entries that came since; whether one of them registers something.
    async fn take(&self, registry: &mut Registry, mut from: u64, to: u64) -> Result<bool, LedgerError> {
        let Found::Key(key) = self.key(GATEWAY_KEY).await? else { return Ok(false) };
        let mut moved = false;
        while from < to {
            let Ok(rows) = self.store.entries(from, to, PAGE).await else { return Ok(moved) };
            let Some(last) = rows.last().map(|row| row.idx) else { return Ok(moved) };
            for row in rows {
                moved |= take_one(registry, row, &key);
            }
            from = last.saturating_add(1);
        }
        Ok(moved)
    }

    /// What is wrong with the rows, beside what the entries said.
    async fn rows(&self, registry: &Registry) -> Result<Vec<Problem>, LedgerError> {
        let (mut seen, mut problems) = (BTreeSet::new(), Vec::new());
        let mut note = |(name, problem): (Option<Name>, Option<Problem>)| {
            seen.extend(name);
            problems.extend(problem);
        };
        let mut after = String::new();
        loop {
            let rows = self.store.party_rows(&after, PAGE).await.map_err(|error| unavailable(&error))?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (id, row) in rows {
                note(registry.party(&id, row)?);
            }
        }
        let mut after = Vec::new();
        loop {
            let rows = self.store.key_rows(&after, PAGE).await.map_err(|error| unavailable(&error))?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (kid, row) in rows {
                note(registry.key(&kid, row)?);
            }
        }
        let gone = registry.0.iter().filter(|(name, _)| !seen.contains(name));
        problems.extend(gone.map(|(name, known)| problem(Finding::RegistrationMissing, Some(known.newest), name)));
        Ok(problems)
    }
}

fn take_one(registry: &mut Registry, row: crate::store::LedgerRow, key: &DataKey) -> bool {
    let idx = row.idx;
    let Some((entry, beside)) = registered::read(row, key) else { return false };
    if !matches!(entry.entry_type, EntryType::Party | EntryType::Key) {
        return false;
    }
    match beside {
        Beside::None => registry.next(idx, &entry, None),
        Beside::Opening(opening) => registry.next(idx, &entry, Some(&opening)),
        Beside::Wrong => return false,
    };
    true
}

fn problem(finding: Finding, index: Option<u64>, name: &Name) -> Problem {
    Problem { finding, index, path: Some(name.path()) }
}

const PAGE: u32 = 256;
/// How often it is looked at anew because something was registered meanwhile.
const TRIES: u8 = 16;
