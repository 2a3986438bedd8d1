//! How long what was sent in a case is kept: the months of the agreement it was sent under, from the day on which the case was declined or closed
//! (`domain.md` section 12).
//!
//! Promises: a case is erased when the longest of its agreements' periods is over, and not a day before; a case that is not over has no period. Each erasure
//! is an entry of its own, as if it had been asked for case by case: an interrupted run lost nothing, and the next goes on. Months are calendar months in
//! Japan, the day of the end not counted (Civil Code art. 140 and 143).
//! Not here: who starts a run; the machine's owner does, as often as the organisation has decided.

use serde::Serialize;

use super::{
    Gateway,
    erase::{Erased, Erasure},
    failure::Failure,
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        codes::MessageKind,
        day::Day,
        entry::ErasureReason,
        ids::{CaseId, CaseKey},
        life::ended_by,
        party::{PartyId, PartyKind},
    },
    ledger::{Entry, LedgerError},
    message::disclosed::Pseudonym,
    store::MessageHead,
};

/// How long a case that is over is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keeping {
    /// The party that opened the case.
    pub party: PartyId,
    /// The case, by the id under which that party knows it.
    pub case: CaseId,
    /// The day on which it was declined or closed.
    pub ended: Day,
    /// Months for which it is kept: the most that an agreement says of anything in it.
    pub months: u32,
    /// The last day on which it is kept.
    pub until: Day,
    /// Whether that day is past.
    pub due: bool,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RetentionRun {
    /// What was erased.
    pub erased: Vec<(Keeping, Erased)>,
    /// What was due and could not be erased, and why. The run stops at what may hold for every other case too.
    pub failed: Vec<(Keeping, Failure)>,
}

/// How long a reader may keep what it was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepFor {
    /// Months from the end of the case.
    pub months: u32,
    /// The last day, where the case is over.
    pub until: Option<Day>,
}

impl Gateway {
    /// The cases that are over and not erased, with their periods.
    ///
    /// # Errors
    /// When the store fails or holds what it should not.
    pub async fn retention_plan(&self) -> Result<Vec<Keeping>, Failure> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let cases = self.store.cases_over(after.as_ref(), PAGE).await?;
            let Some(last) = cases.last().copied() else { return Ok(found) };
            for case in cases {
                found.extend(self.keeping(&case).await?);
            }
            after = Some(last);
        }
    }

    /// Erases the cases whose periods are over. Each is looked at again right before.
    ///
    /// # Errors
    /// When what is due cannot be found out. What was erased before stays erased.
    pub async fn retention_run(&self, by: Option<&Pseudonym>) -> Result<RetentionRun, Failure> {
        let (mut run, mut after) = (RetentionRun::default(), None);
        loop {
            let cases = self.store.cases_over(after.as_ref(), PAGE).await?;
            let Some(last) = cases.last().copied() else { return Ok(run) };
            for case in cases {
                let Some(keeping) = self.keeping(&case).await?.filter(|keeping| keeping.due) else { continue };
                let erasure = Erasure { case: &keeping.case, party: &keeping.party, reason: ErasureReason::RetentionOver, by };
                match self.erase(&erasure).await {
                    Ok(erased) if erased.before => {}
                    Ok(erased) => run.erased.push((keeping, erased)),
                    Err(failure) => {
                        // One case of too many entries says nothing about the others.
                        let alone = matches!(failure, Failure::Ledger(LedgerError::TooLarge));
                        run.failed.push((keeping, failure));
                        if !alone {
                            return Ok(run);
                        }
                    }
                }
            }
            after = Some(last);
        }
    }

    /// How long a reader may keep what was sent to it under an agreement of so many months. A provider is not told that a case is over: its own part in it
    /// may have ended at another time.
    pub(super) async fn keep_for(&self, case: &CaseKey, (state, reader): (CaseState, PartyKind), months: u32) -> Result<KeepFor, Failure> {
        if !is_over(state) || reader.is_provider() {
            return Ok(KeepFor { months, until: None });
        }
        let heads = self.store.case_heads(case).await?;
        Ok(KeepFor { months, until: ended(state, &heads).map(|day| day.months_later(months)) })
    }

    /// The period of a case, if it is over.
    async fn keeping(&self, case: &CaseKey) -> Result<Option<Keeping>, Failure> {
        let rows = self.store.case_parties(case).await?;
        let heads = self.store.case_heads(case).await?;
        let opener = heads.first().ok_or(Failure::Corrupt("case"))?;
        let of_opener = |party: &PartyId| *party == opener.iss;
        let stands = rows.iter().filter(|row| row.relation != Relation::None && !row.erased);
        let Some(row) = stands.clone().find(|row| of_opener(&row.party)).or_else(|| stands.clone().next()) else { return Ok(None) };
        let Some(ended) = ended(row.state, &heads) else { return Ok(None) };
        let mut months = 0;
        for head in &heads {
            months = months.max(self.months_of(head).await?);
        }
        let until = ended.months_later(months);
        let due = Day::in_japan(self.clock.now()) > until;
        Ok(Some(Keeping { party: row.party.clone(), case: row.id, ended, months, until, due }))
    }

    /// The months of the agreement that the entry of a message names, or of the version in its place if they are fewer.
    async fn months_of(&self, head: &MessageHead) -> Result<u32, Failure> {
        let row = self.store.entry(head.idx).await?.ok_or(Failure::Corrupt("entry"))?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        let named = entry.agreement.ok_or(Failure::Corrupt("entry"))?;
        let epoch = self.store.head().await?.rights_epoch;
        let known = self.agreement_in(epoch, &named.id, named.ver).await?.ok_or(Failure::Corrupt("agreement"))?;
        Ok(known.record.retention_months(self.clock.now()))
    }
}

const fn is_over(state: CaseState) -> bool {
    matches!(state, CaseState::Declined | CaseState::Closed)
}

/// The day on which the message came that ended the case.
fn ended(state: CaseState, heads: &[MessageHead]) -> Option<Day> {
    let kinds: Vec<MessageKind> = heads.iter().map(|head| head.kind).collect();
    ended_by(state, &kinds).and_then(|at| heads.get(at)).map(|head| Day::in_japan(head.received))
}

/// Cases looked at in one call.
const PAGE: u32 = 200;
