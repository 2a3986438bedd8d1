//! Delegates (protocol section 2, "Readers"): a body that reads what is addressed to another, under a delegation in force.
//!
//! Promises: a delegate knows a case by an id of its own, which opens nothing by itself. Whether it may look is asked of the agreement that each message
//! names, and of the version in its place, every time.

use super::{Gateway, call::Caller, failure::Failure, read_case::open_message};
use crate::{
    domain::{
        agreement::Agreement,
        case::{CaseState, Relation},
        ids::{CaseId, CaseKey, Jti},
        life::reads_as,
        party::{PartyId, PartyKind},
        refusal::RefusalCode,
        time::Timestamp,
    },
    store::{Addressed, CaseRow, MessageHead, MessageRow, Term, Write},
};

/// A message that the caller may look at, and in whose place it does.
pub(super) struct Seat {
    pub case: CaseKey,
    pub state: CaseState,
    pub message: MessageRow,
    /// The message's data key, where it was read along.
    pub wrapped: Option<Vec<u8>>,
    /// As what the addressee is shown it.
    pub relation: Relation,
    /// Whether the caller sent it, or another did in its place.
    pub own: bool,
    pub delegation: Option<Delegated>,
}

/// For whom a delegate acts, and until when it may.
#[derive(Clone)]
pub(super) struct Delegated {
    pub by: PartyId,
    pub until: Timestamp,
}

impl Gateway {
    /// A message that the caller sent or that is addressed to it, or to whom it is a delegate of; the first addressed one when none is named.
    /// Everything else is not there.
    pub(super) async fn seat(&self, caller: &Caller, epoch: u64, id: &CaseId, jti: Option<&Jti>) -> Result<Seat, Failure> {
        if jti.is_none()
            && let Some(Addressed { relation, state, message, wrapped }) = self.store.addressed(caller.party(), id).await?
            && relation != Relation::None
            && wrapped.is_some()
        {
            let relation = reads_as(state, caller.kind(), relation, message.kind);
            return Ok(Seat { case: message.case, state, relation, message, own: false, wrapped, delegation: None });
        }
        let case = self.store.case(caller.party(), id).await?.ok_or(RefusalCode::NotFound)?;
        standing(&case)?;
        if let Some(jti) = jti
            && case.relation != Relation::None
            && let Some(message) = self.store.message(&case.case, jti).await?
        {
            let (sent, got) = (message.iss == *caller.party(), message.aud == *caller.party());
            // What a delegate sent or got in its place is its own, whatever became of the delegation.
            let term = if sent || got { Term::default() } else { self.store.term(&case.case, jti).await?.unwrap_or_default() };
            let is_it = |party: Option<PartyId>| party.as_ref() == Some(caller.party());
            let (sent_for, sent_to) = (is_it(term.sent_for), is_it(term.sent_to));
            if sent || got || sent_for || sent_to {
                let relation = reads_as(case.state, caller.kind(), case.relation, message.kind);
                let (case, state, own) = (case.case, case.state, sent || sent_for);
                return Ok(Seat { case, state, relation, message, own, wrapped: None, delegation: None });
            }
        }
        for other in self.others(caller.party(), &case).await? {
            let row = match jti {
                Some(jti) => self.store.message(&case.case, jti).await?.filter(|row| row.aud == other.party),
                None => self.store.first_message(&case.case, &other.party).await?,
            };
            let Some(message) = row else { continue };
            if let Some(until) = self.delegated_until(caller.party(), epoch, &message).await? {
                let relation = reads_as(other.state, other.party.kind(), other.relation, message.kind);
                let delegation = Some(Delegated { by: other.party, until });
                return Ok(Seat { case: case.case, state: case.state, relation, message, own: false, wrapped: None, delegation });
            }
        }
        // What it sent in another's place, or got as an answer to that.
        if let Some(jti) = jti
            && case.relation == Relation::None
            && let Some(message) = self.store.message(&case.case, jti).await?
            && (message.aud == *caller.party() || message.iss == *caller.party())
            && let Some((case, delegation)) = self.delegated_case(caller.party(), epoch, case).await?
        {
            let relation = reads_as(case.state, delegation.by.kind(), case.relation, message.kind);
            let (case, state, own) = (case.case, case.state, message.iss == *caller.party());
            return Ok(Seat { case, state, relation, message, own, wrapped: None, delegation: Some(delegation) });
        }
        Err(RefusalCode::NotFound.into())
    }

    /// A case that a party knows only as a delegate, as one stands to it for whom it acts: one that is still in it before one that has left it.
    pub(super) async fn delegated_case(
        &self,
        delegate: &PartyId,
        epoch: u64,
        case: CaseRow,
    ) -> Result<Option<(CaseRow, Delegated)>, Failure> {
        Ok(self.delegated_cases(delegate, epoch, case).await?.into_iter().next())
    }

    /// The same for each of those for whom it acts.
    pub(super) async fn delegated_cases(
        &self,
        delegate: &PartyId,
        epoch: u64,
        case: CaseRow,
    ) -> Result<Vec<(CaseRow, Delegated)>, Failure> {
        let mut found = Vec::new();
        for other in self.others(delegate, &case).await? {
            let Some(message) = self.store.first_message(&case.case, &other.party).await? else { continue };
            if let Some(until) = self.delegated_until(delegate, epoch, &message).await? {
                let delegation = Delegated { by: other.party, until };
                // As the one it acts for is told of it: what it sent itself since is not how the case began.
                found.push((CaseRow { relation: other.relation, state: other.state, kind: other.kind, ..case.clone() }, delegation));
            }
        }
        Ok(found)
    }

    /// Messages of a case that are addressed to those for whom the caller acts, and what passed between it and others in their place.
    pub(super) async fn delegated_messages(
        &self,
        caller: &Caller,
        epoch: u64,
        case: &CaseRow,
        (after, limit): (Option<u64>, u32),
    ) -> Result<Vec<(MessageHead, Delegated)>, Failure> {
        let mut found = Vec::new();
        for other in self.others(caller.party(), case).await? {
            for head in self.store.messages(&case.case, &other.party, after, limit).await? {
                let addressed = if head.aud == other.party { self.store.message(&case.case, &head.jti).await? } else { None };
                let Some(message) = addressed else { continue };
                if let Some(until) = self.delegated_until(caller.party(), epoch, &message).await? {
                    found.push((head, Delegated { by: other.party.clone(), until }));
                }
            }
        }
        if case.relation == Relation::None
            && let Some((_, delegation)) = self.delegated_case(caller.party(), epoch, case.clone()).await?
        {
            let own = self.store.messages(&case.case, caller.party(), after, limit).await?;
            found.extend(own.into_iter().map(|head| (head, delegation.clone())));
        }
        Ok(found)
    }

    /// The other parties of the case, if this one is of a kind that acts for others.
    async fn others(&self, delegate: &PartyId, case: &CaseRow) -> Result<Vec<CaseRow>, Failure> {
        if delegate.kind() != PartyKind::CoreCenter {
            return Ok(Vec::new());
        }
        let mut rows = self.store.case_parties(&case.case).await?;
        rows.retain(|row| row.party != *delegate && row.relation != Relation::None);
        rows.sort_by_key(|row| row.relation == Relation::Closed);
        Ok(rows)
    }

    async fn delegated_until(&self, delegate: &PartyId, epoch: u64, row: &MessageRow) -> Result<Option<Timestamp>, Failure> {
        if self.store.data_key(&row.sealed.key).await?.is_none() {
            // Erased: nobody acts for anybody in it.
            return Ok(None);
        }
        let (message, _) = open_message(&self.data_key(row.sealed.key).await?, row)?;
        let named = &message.claims().agr;
        let agreement = self.agreement_in(epoch, &named.id, named.ver).await?;
        Ok(agreement.and_then(|known| known.record.delegated_until(&row.aud, delegate, self.clock.now())))
    }

    /// Ids under which the delegates of an addressee will know a new case.
    pub(super) fn delegate_ids(
        &self,
        agreement: &Agreement,
        case: crate::domain::ids::CaseKey,
        aud: &PartyId,
        iss: &PartyId,
    ) -> Result<Vec<Write>, Failure> {
        let mut delegates: Vec<&PartyId> =
            agreement.delegations.iter().filter(|d| d.from == *aud && d.fault().is_none()).map(|d| &d.to).collect();
        delegates.sort_unstable();
        delegates.dedup();
        let mut writes = Vec::with_capacity(delegates.len());
        for party in delegates.into_iter().filter(|party| *party != iss) {
            writes.push(Write::CaseParty { case, party: party.clone(), id: self.ids.case_id()?, relation: Relation::None });
        }
        Ok(writes)
    }
}

/// That a case was not erased. Who stood in it is told so; for everybody else it was never there.
pub(super) fn standing(case: &CaseRow) -> Result<(), RefusalCode> {
    match (case.erased, case.relation) {
        (false, _) => Ok(()),
        (true, Relation::None) => Err(RefusalCode::NotFound),
        (true, _) => Err(RefusalCode::Erased),
    }
}
