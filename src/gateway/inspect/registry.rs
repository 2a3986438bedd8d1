//! Registered parties and keys, compared with the newest entry about each: rows that no entry registered, entries whose rows are gone, and rows that
//! say otherwise.
//!
//! Promises: what is remembered is one digest for each party and key. What is registered while the rows are read is taken for what it is.

use std::{collections::BTreeSet, sync::PoisonError};

use super::{Found, Insight, unavailable};
use crate::{
    domain::{digest::Digest, entry::EntryType},
    gateway::{
        record::GATEWAY_KEY,
        registered::{self, Beside, of_key, of_party},
        registry::{Fit, Name, Registry},
    },
    ledger::{Entry, LedgerError, Opening, Registered, verify::Problem},
    store::{KeyRow, PartyRow, StoreError},
    text::audit::Finding,
    vault::DataKey,
};

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
                note(party(registry, &id, row)?);
            }
        }
        let mut after = Vec::new();
        loop {
            let rows = self.store.key_rows(&after, PAGE).await.map_err(|error| unavailable(&error))?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (kid, row) in rows {
                note(key(registry, &kid, row)?);
            }
        }
        let gone = registry.all().filter(|(name, _)| !seen.contains(name));
        problems.extend(gone.map(|(name, newest)| problem(Finding::RegistrationMissing, Some(newest), name)));
        Ok(problems)
    }
}

/// What is wrong with a row; nothing where it is what its newest entry says.
fn judge(registry: &Registry, name: &Name, is: &Registered, idx: u64) -> Option<Problem> {
    match registry.fit(is, idx) {
        Fit::Says => None,
        Fit::Earlier | Fit::Unrecorded => Some(problem(Finding::RegistrationUnrecorded, None, name)),
        Fit::Differs(newest) => Some(problem(Finding::RegistrationDiffers, newest, name)),
    }
}

fn party(registry: &Registry, id: &str, row: Result<PartyRow, StoreError>) -> Result<(Option<Name>, Option<Problem>), LedgerError> {
    let beyond = |finding| Problem { finding, index: None, path: Some(format!("party {id}")) };
    let Some(name) = id.parse().map(Name::Party).ok() else { return Ok((None, Some(beyond(Finding::RowBeyond)))) };
    match row {
        Ok(row) => {
            let found = judge(registry, &name, &of_party(&row.registration, row.state)?, row.idx);
            Ok((Some(name), found))
        }
        Err(StoreError::Corrupt(_)) => Ok((Some(name), Some(beyond(Finding::RowUnreadable)))),
        Err(error) => Err(unavailable(&error)),
    }
}

fn key(registry: &Registry, kid: &[u8], row: Result<KeyRow, StoreError>) -> Result<(Option<Name>, Option<Problem>), LedgerError> {
    let name = kid.try_into().map(|kid| Name::Key(Digest(kid))).ok();
    match row {
        Ok(row) => {
            let name = Name::Key(row.kid);
            let found = judge(registry, &name, &of_key(&row)?, row.idx);
            Ok((Some(name), found))
        }
        Err(StoreError::Corrupt(_)) => {
            let path = name.as_ref().map_or_else(|| "party_key".to_owned(), Name::path);
            Ok((name, Some(Problem { finding: Finding::RowUnreadable, index: None, path: Some(path) })))
        }
        Err(error) => Err(unavailable(&error)),
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
