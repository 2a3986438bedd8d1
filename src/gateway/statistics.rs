//! `GET /v1/statistics`: the yearly numbers of a municipality, small ones suppressed (see [`crate::domain::statistics`]).
//!
//! Promises: they are counted from what the ledger's entries left in clear: kinds, senders and recipients of messages, their times, the state of cases
//! and who stood where; of content are opened the one deciding row of decisions and status notices (class `task`), from which the gateway derives
//! relations too, and of what brought a case the one row that says the category of the person, where that is still rightful (see `categories`).
//! Of an erased case the decision is told by what followed it; its starts of use and its category are not told. A year can be asked for when it is
//! over, and is counted once (see `published`). Asking is an entry.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Gateway,
    actor::Allowed,
    affair::outcome,
    answer::LedgerProof,
    call::{Call, Caller},
    cases::MOST,
    failure::Failure,
    read_case::open_message,
    record::{With, recorded},
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        codes::MessageKind,
        ids::CaseKey,
        life::{Outcome, ended_by},
        party::{Jurisdiction, PartyId, PartyKind},
        refusal::{Refusal, RefusalCode},
        statistics::{Counted, FiscalYear, MIN_CELL, RowName, Statistics, Subject},
        time::Timestamp,
    },
    ledger::LedgerError,
    policy::Deed,
    store::{CaseRow, MessageHead},
};

/// The numbers with the entry that recorded the question.
#[derive(Debug, Clone, Serialize)]
pub struct StatisticsMade {
    /// The numbers.
    #[serde(flatten)]
    pub statistics: Statistics,
    /// The entry, in a tree that a signed checkpoint covers.
    pub ledger: LedgerProof,
}

impl Gateway {
    /// The numbers of a municipality and its core centre in one fiscal year: for itself, and for auditors within whose jurisdiction it lies.
    pub async fn statistics(
        &self,
        caller: &Caller,
        call: &Call,
        year: Option<u16>,
        municipality: Option<&str>,
    ) -> Result<StatisticsMade, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        let own = caller.party().place().filter(|_| caller.kind() == PartyKind::Municipality);
        let place = municipality.or(own).unwrap_or_default();
        let deed = Deed::QueryStatistics { within: lies_within(caller, place) };
        self.may_begin(caller, deed).await?;
        let wrong = |claim, rule| Refusal::claim(RefusalCode::BadRequest, claim, rule);
        let year = year.and_then(FiscalYear::new).ok_or_else(|| wrong("year", "form"))?;
        if year.until() > self.clock.now() {
            return Err(wrong("year", "not_over").into());
        }
        let units = self.units_of(place).await?;
        if units.is_empty() {
            return Err(wrong("municipality", "registered").into());
        }
        let (units, mut tries) = (&units, 0);
        let decide = |epoch| {
            tries += 1;
            let holds_the_ledger = tries > FREE_TRIES;
            async move {
                self.may(caller, deed)?;
                let mut trail = call.trail();
                if self.published(place, year).await?.is_none() {
                    // Counting takes too long to hold everybody else up: whoever asks again counts again.
                    if holds_the_ledger {
                        return Err(LedgerError::Unavailable.into());
                    }
                    trail.statistics = Some(self.counted(epoch, (place, year), units).await?);
                }
                Ok((self.permit(caller, &trail, With::on(caller, epoch)).await?, ()))
            }
        };
        let (answer, ()) = self.commit(caller, call, decide).await?;
        let committed = recorded(answer)?;
        // Also where it has just been counted: what stands in the ledger is what is given.
        let statistics = self.published(place, year).await?.ok_or(Failure::Corrupt("ledger_index"))?;
        Ok(StatisticsMade { statistics, ledger: self.proof(&committed)?.proof })
    }

    /// The numbers as they are now. What takes rights away moves the epoch, and what was counted before it is counted again.
    async fn counted(&self, epoch: u64, (place, year): (&str, FiscalYear), units: &BTreeSet<PartyId>) -> Result<Statistics, Failure> {
        let mut tally = Tally::new(year, units);
        for case in self.cases_of(units, year).await? {
            self.count(epoch, &mut tally, &case).await?;
        }
        Ok(Statistics {
            municipality: place.to_owned(),
            year: year.number(),
            from: year.from(),
            until: year.until(),
            min_cell: MIN_CELL,
            numbers: tally.counted.iter().map(Counted::publish).collect(),
        })
    }

    /// The units that act for a municipality: its own and its core centres.
    async fn units_of(&self, place: &str) -> Result<BTreeSet<PartyId>, Failure> {
        let (mut units, mut after) = (BTreeSet::new(), String::new());
        loop {
            let page = self.store.party_rows(&after, MOST).await?;
            let Some((last, _)) = page.last() else { return Ok(units) };
            after.clone_from(last);
            let parties = page.iter().filter_map(|(id, _)| id.parse::<PartyId>().ok());
            units.extend(parties.filter(|party| party.kind().leads_cases() && party.place() == Some(place)));
        }
    }

    async fn cases_of(&self, units: &BTreeSet<PartyId>, year: FiscalYear) -> Result<BTreeSet<CaseKey>, Failure> {
        let mut cases = BTreeSet::new();
        for unit in units {
            let mut after = None;
            loop {
                let page = self.store.taken_part(unit, year.until(), after.as_ref(), MOST).await?;
                let Some(last) = page.last() else { break };
                after = Some(*last);
                cases.extend(page);
            }
        }
        Ok(cases)
    }

    async fn count(&self, epoch: u64, tally: &mut Tally<'_>, case: &CaseKey) -> Result<(), Failure> {
        let heads = self.store.case_heads(case).await?;
        let parties = self.store.case_parties(case).await?;
        let mut said = BTreeMap::new();
        for head in heads.iter().filter(|head| head.kind == MessageKind::ReferralDecision) {
            said.insert(head.idx, self.said(head).await?);
        }
        let history = History { heads: &heads, parties: &parties, said: &said };
        let Some(first) = tally.first(&history) else { return Ok(()) };
        // Nothing is opened for another year.
        if tally.year.holds(first.received) {
            let category = if tells_category(first.kind) { Some(self.category(epoch, first, &heads).await?) } else { None };
            tally.arrive(first, category);
        }
        let arrival = first.received;
        let taken_on = tally.decide(&history);
        if history.leads(tally.units) {
            tally.close(&history, arrival, taken_on);
            for (provider, began) in self.starts(&heads).await? {
                tally.start(provider.kind(), arrival, began);
            }
        }
        Ok(())
    }

    /// When each provider of a case began to serve the person; nothing of an erased case.
    async fn starts(&self, heads: &[MessageHead]) -> Result<Vec<(PartyId, Timestamp)>, Failure> {
        let mut starts: Vec<(PartyId, Timestamp)> = Vec::new();
        for head in heads.iter().filter(|head| head.kind == MessageKind::StatusNotice) {
            let Some(provider) = [&head.iss, &head.aud].into_iter().find(|party| party.kind().is_provider()) else { continue };
            if starts.iter().any(|(known, _)| known == provider) {
                continue;
            }
            if self.said(head).await? == Some(Outcome::Started) {
                starts.push((provider.clone(), head.received));
            }
        }
        Ok(starts)
    }

    /// What a deciding message says; nothing of an erased one.
    async fn said(&self, head: &MessageHead) -> Result<Option<Outcome>, Failure> {
        let row = self.store.message(&head.case, &head.jti).await?.ok_or(Failure::Corrupt("message"))?;
        let Some(wrapped) = self.store.data_key(&row.sealed.key).await? else { return Ok(None) };
        let (_, disclosed) = open_message(&self.vault.unwrap(row.sealed.key, &wrapped)?, &row)?;
        Ok(outcome(head.kind, &disclosed))
    }
}

/// What happened in a case.
struct History<'a> {
    heads: &'a [MessageHead],
    parties: &'a [CaseRow],
    /// What each decision says that can still be opened, by its index.
    said: &'a BTreeMap<u64, Option<Outcome>>,
}

impl<'a> History<'a> {
    /// What asked a municipality to take the case on, in the order of the ledger.
    fn asked(&self) -> impl Iterator<Item = &'a MessageHead> {
        self.heads.iter().filter(|head| brings(head.kind, head.iss.kind()).is_some())
    }

    /// Whether one of the units is the last that was asked.
    fn leads(&self, units: &BTreeSet<PartyId>) -> bool {
        self.asked().last().is_some_and(|head| units.contains(&head.aud))
    }

    /// What became of a request, and when. Where the decision was erased, by what outlives it: who was asked next, the state of the case, who stands in
    /// it, and whether anybody went on working on it.
    fn decision(&self, asked: &MessageHead) -> Option<(RowName, Timestamp)> {
        let next = self.asked().find(|head| head.idx > asked.idx);
        let before_next = |head: &&MessageHead| next.is_none_or(|next| head.idx < next.idx);
        let decision =
            self.heads.iter().filter(before_next).find(|head| head.kind == MessageKind::ReferralDecision && head.idx > asked.idx)?;
        let own = self.parties.iter().find(|row| row.party == asked.aud);
        let (state, relation) = own.map_or((CaseState::Open, Relation::None), |row| (row.state, row.relation));
        let went_on = || self.heads.iter().any(|head| head.idx > decision.idx && !is_of_an_end(head.kind));
        let outcome = match (self.said.get(&decision.idx).copied().flatten(), next, state, relation) {
            (Some(Outcome::Accepted), ..) => RowName::Accepted,
            (Some(Outcome::Declined), ..) | (None, None, CaseState::Declined, _) => RowName::Declined,
            (Some(Outcome::Redirected), ..) | (None, Some(_), ..) | (None, None, CaseState::Open, Relation::Closed) => RowName::Redirected,
            (_, None, CaseState::Closed, _) if !went_on() => RowName::Declined,
            _ => RowName::Accepted,
        };
        Some((outcome, decision.received))
    }
}

/// The numbers while they are counted.
struct Tally<'a> {
    year: FiscalYear,
    units: &'a BTreeSet<PartyId>,
    counted: Vec<Counted>,
}

impl<'a> Tally<'a> {
    fn new(year: FiscalYear, units: &'a BTreeSet<PartyId>) -> Self {
        Self { year, units, counted: Subject::ALL.iter().map(|subject| Counted::new(*subject)).collect() }
    }

    /// Counts one where it happened in the year.
    fn add(&mut self, subject: Subject, rows: &[RowName], (since, at): (Timestamp, Timestamp)) {
        if self.year.holds(at)
            && let Some(counted) = self.counted.iter_mut().find(|counted| counted.subject == subject)
        {
            counted.add(rows, at.secs().saturating_sub(since.secs()).div_euclid(DAY));
        }
    }

    /// What first brought the case to one of the units, if anything did.
    fn first<'h>(&self, history: &History<'h>) -> Option<&'h MessageHead> {
        history.asked().find(|head| self.units.contains(&head.aud))
    }

    /// Counts what brought a case, a person who was referred by the category.
    fn arrive(&mut self, first: &MessageHead, category: Option<RowName>) {
        let Some((subject, by)) = brings(first.kind, first.iss.kind()) else { return };
        let rows: Vec<RowName> = std::iter::once(by).chain(category).collect();
        self.add(subject, &rows, (first.received, first.received));
    }

    /// Counts the decisions; says whether the units took the case on.
    fn decide(&mut self, history: &History<'_>) -> bool {
        let mut taken_on = false;
        let units = self.units;
        for asked in history.asked().filter(|head| units.contains(&head.aud)) {
            if asked.kind == MessageKind::ProviderConsultation {
                taken_on = true;
            } else if let Some((outcome, at)) = history.decision(asked) {
                taken_on |= outcome == RowName::Accepted;
                self.add(Subject::Decided, &[outcome], (asked.received, at));
            }
        }
        taken_on
    }

    fn close(&mut self, history: &History<'_>, arrival: Timestamp, taken_on: bool) {
        let state = history.parties.first().map(|row| row.state).filter(|state| *state == CaseState::Closed);
        let kinds: Vec<MessageKind> = history.heads.iter().map(|head| head.kind).collect();
        if let Some(closing) = state.and_then(|state| ended_by(state, &kinds)).and_then(|at| history.heads.get(at)) {
            let row = if taken_on { RowName::TakenOn } else { RowName::NotTakenOn };
            self.add(Subject::Closed, &[row], (arrival, closing.received));
        }
    }

    fn start(&mut self, provider: PartyKind, arrival: Timestamp, began: Timestamp) {
        let row = match provider {
            PartyKind::GroupHome => RowName::GroupHome,
            PartyKind::SupportFacility => RowName::SupportFacility,
            PartyKind::LodgingTraining => RowName::LodgingTraining,
            PartyKind::DayService => RowName::DayService,
            // Who plans or houses for a while is not what is counted.
            _ => return,
        };
        self.add(Subject::Started, &[row], (arrival, began));
    }
}

/// Whether a place is the caller's own, or lies within its jurisdiction.
fn lies_within(caller: &Caller, place: &str) -> bool {
    match (caller.kind(), &caller.row.registration.jurisdiction) {
        (PartyKind::Municipality, _) => caller.party().place() == Some(place),
        (_, Some(Jurisdiction::Everything(_))) => true,
        (_, Some(Jurisdiction::Places(places))) => {
            places.iter().any(|within| within == place || (within.len() == 2 && place.starts_with(within)))
        }
        (_, None) => false,
    }
}

/// Kinds that say nothing of work on a case.
const fn is_of_an_end(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::ClosingNotice
            | MessageKind::ConsentEvent
            | MessageKind::ErasureRequest
            | MessageKind::ErasureReport
            | MessageKind::IncidentNotice
    )
}

/// What brings a case to a municipality: as what it is counted, and by whom.
const fn brings(kind: MessageKind, sender: PartyKind) -> Option<(Subject, RowName)> {
    let row = match (kind, sender) {
        (MessageKind::Referral, PartyKind::SettlementCenter) => RowName::SettlementCenter,
        (MessageKind::Referral, PartyKind::ProbationOffice) => RowName::ProbationOffice,
        (MessageKind::Referral, PartyKind::BarAssociation) => RowName::BarAssociation,
        (MessageKind::Referral, PartyKind::Municipality) => RowName::Municipality,
        (MessageKind::Referral, PartyKind::CoreCenter) => RowName::CoreCenter,
        (MessageKind::ThirdPartyReferral, PartyKind::ProbationOffice) => RowName::ProbationOfficeDirect,
        (MessageKind::ThirdPartyReferral, PartyKind::BarAssociation) => RowName::BarAssociationDirect,
        (MessageKind::ProviderConsultation, PartyKind::ConsultationOffice) => RowName::ConsultationOffice,
        (MessageKind::ProviderConsultation, PartyKind::GroupHome) => RowName::GroupHome,
        (MessageKind::ProviderConsultation, PartyKind::SupportFacility) => RowName::SupportFacility,
        (MessageKind::ProviderConsultation, PartyKind::LodgingTraining) => RowName::LodgingTraining,
        (MessageKind::ProviderConsultation, PartyKind::DayService) => RowName::DayService,
        _ => return None,
    };
    Some((if tells_category(kind) { Subject::Received } else { Subject::Consulted }, row))
}

/// Whether it refers a person, and so may say of what category that is.
const fn tells_category(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Referral | MessageKind::ThirdPartyReferral)
}

/// How often a commit decides before it holds the ledger ([`Gateway::commit`]).
const FREE_TRIES: u8 = 2;
/// Seconds.
const DAY: i64 = 86_400;
