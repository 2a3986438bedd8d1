//! Lists without content: cases, and the messages of a case.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    call::{Call, Caller},
    delegates::{Delegated, standing},
    failure::Failure,
    outlook::{Outlook, Viewer},
    record::{With, recorded},
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        ids::{CaseId, Jti},
        life::told,
        party::{PartyId, PartyKind},
        refusal::{Refusal, RefusalCode},
        tasks::CaseTasks,
    },
    store::{CaseRow, MessageHead, Passage},
};

/// What a list of cases may ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct CaseQuery {
    /// Only cases in this state.
    pub state: Option<CaseState>,
    /// Only changes behind this ledger index.
    pub after: Option<u64>,
    /// At most this many; 1 to 200.
    pub limit: u32,
    /// Waits up to this many seconds (at most 30) for a change behind the cursor.
    pub wait: u32,
}

impl Gateway {
    /// `GET /v1/cases`. A page that names a case is an entry; an empty one is not.
    pub async fn list_cases(&self, caller: &Caller, call: &Call, query: &CaseQuery) -> Result<Value, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        if !(1..=MOST).contains(&query.limit) || query.wait > LONGEST {
            return Err(Refusal::claim(RefusalCode::BadRequest, "limit", "range").into());
        }
        let mut page = self.page(caller, query, caller.seen.rights_epoch).await?;
        let mut waited = 0;
        while page.is_empty() && waited < u64::from(query.wait) * 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(POLL)).await;
            waited += POLL;
            page = self.page(caller, query, self.store.head().await?.rights_epoch).await?;
        }
        if !page.is_empty() {
            // What a delegate is told of rests on rights that may have moved since.
            let decide = |epoch| async move {
                let mut page = self.page(caller, query, epoch).await?;
                let mut with = With::on(caller, epoch);
                rests_on(&mut with, page.iter().filter_map(|listed| listed.delegation.as_ref()));
                let delegations: Vec<_> = page.iter().map(|listed| listed.delegation.as_ref()).collect();
                call.note(|t| t.acting_for = for_one(&delegations).cloned());
                call.note(|t| t.cases = page.iter().map(|listed| listed.case.case).collect());
                self.look_ahead(caller, &mut page).await?;
                Ok((self.permit(caller, &call.trail(), with).await?, page))
            };
            let (answer, decided) = self.commit(caller, call, decide).await?;
            recorded(answer)?;
            page = decided;
        }
        let cursor = page.last().map(|listed| listed.case.updated_idx).or(query.after);
        let cases: Vec<Value> = page.iter().map(Listed::to_json).collect();
        Ok(json!({"cases": cases, "cursor": cursor.map(|c| c.to_string())}))
    }

    /// Adds what is to be done in each case.
    async fn look_ahead(&self, caller: &Caller, page: &mut [Listed]) -> Result<(), Failure> {
        let cases: Vec<_> = page.iter().map(|listed| listed.case.case).collect();
        let outlook = self.outlook(&cases).await?;
        for listed in page {
            let seat = listed.delegation.as_ref().map_or_else(|| caller.party(), |delegation| &delegation.by);
            listed.tasks = outlook.view(&listed.case.case, listed.case.state, Viewer { party: caller.party(), seat });
        }
        Ok(())
    }

    /// The caller's own cases and those of the parties it acts for, in the order of their last change.
    async fn page(&self, caller: &Caller, query: &CaseQuery, epoch: u64) -> Result<Vec<Listed>, Failure> {
        let rows = self.own_page(caller, query).await?;
        let own = rows.into_iter().filter(|row| row.relation != Relation::None);
        let mut page: Vec<Listed> = own.map(|case| Listed { case, delegation: None, tasks: CaseTasks::default() }).collect();
        if caller.kind() == PartyKind::CoreCenter {
            page.extend(self.delegated_page(caller, query, epoch).await?);
            page.sort_by_key(|listed| listed.case.updated_idx);
            page.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        }
        Ok(page)
    }

    /// The caller's own cases. The store knows the state of a case, and not as what a provider is told of it: for those it is asked for all of them.
    async fn own_page(&self, caller: &Caller, query: &CaseQuery) -> Result<Vec<CaseRow>, Failure> {
        let Some(state) = query.state.filter(|_| caller.kind().is_provider()) else {
            return Ok(self.store.cases(caller.party(), query.state, query.after, query.limit).await?);
        };
        let (mut page, mut after) = (Vec::new(), query.after);
        loop {
            let rows = self.store.cases(caller.party(), None, after, query.limit).await?;
            let Some(last) = rows.last().map(|row| row.updated_idx) else { return Ok(page) };
            after = Some(last);
            page.extend(rows.into_iter().filter(|row| told(row.state, caller.kind(), row.relation) == state));
            let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
            if page.len() >= limit {
                page.truncate(limit);
                return Ok(page);
            }
        }
    }

    async fn delegated_page(&self, caller: &Caller, query: &CaseQuery, epoch: u64) -> Result<Vec<Listed>, Failure> {
        let (mut page, mut after) = (Vec::new(), query.after);
        loop {
            let rows = self.store.foreign_cases(caller.party(), query.state, after, query.limit).await?;
            let Some(last) = rows.last().map(|row| row.updated_idx) else { return Ok(page) };
            after = Some(last);
            for row in rows {
                if let Some((case, delegation)) = self.delegated_case(caller.party(), epoch, row).await? {
                    page.push(Listed { case, delegation: Some(delegation), tasks: CaseTasks::default() });
                }
            }
            if u32::try_from(page.len()).is_ok_and(|found| found >= query.limit) {
                return Ok(page);
            }
        }
    }

    /// `GET /v1/cases/{id}/messages`: what the caller sent and received in the case.
    pub async fn list_messages(&self, caller: &Caller, call: &Call, id: &CaseId, after: Option<u64>, limit: u32) -> Result<Value, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::claim(RefusalCode::BadRequest, "limit", "range").into());
        }
        let mut rows = self.heads(caller, call, id, (after, limit), caller.seen.rights_epoch).await?;
        if !rows.is_empty() {
            let decide = |epoch| async move {
                let rows = self.heads(caller, call, id, (after, limit), epoch).await?;
                let mut with = With::on(caller, epoch);
                rests_on(&mut with, rows.iter().filter_map(|(_, delegation)| delegation.as_ref()));
                let delegations: Vec<_> = rows.iter().map(|(_, delegation)| delegation.as_ref()).collect();
                call.note(|t| t.acting_for = for_one(&delegations).cloned());
                Ok((self.permit(caller, &call.trail(), with).await?, rows))
            };
            let (answer, decided) = self.commit(caller, call, decide).await?;
            recorded(answer)?;
            rows = decided;
        }
        let cursor = rows.last().map(|(row, _)| row.idx).or(after);
        let cases: Vec<_> = rows.first().map(|(row, _)| row.case).into_iter().collect();
        let outlook = self.outlook(&cases).await?;
        let passages = cases.iter().flat_map(|case| outlook.passages(case));
        let passages: HashMap<Jti, &Passage> = passages.map(|passage| (passage.head.jti, passage)).collect();
        let numbers = self.numbers(caller, &outlook, &rows).await?;
        let told = |row: &MessageHead| {
            let mut told = message(caller.party(), row, passages.get(&row.jti).copied(), &outlook);
            if let (Some(number), Some(members)) = (numbers.get(&row.jti), told.as_object_mut()) {
                members.insert("consent".to_owned(), json!(number));
            }
            told
        };
        let messages: Vec<Value> = rows.iter().map(|(row, _)| told(row)).collect();
        Ok(json!({"messages": messages, "cursor": cursor.map(|c| c.to_string())}))
    }

    /// The caller's messages in the case, and those of the parties it acts for.
    async fn heads(
        &self,
        caller: &Caller,
        call: &Call,
        id: &CaseId,
        (after, limit): (Option<u64>, u32),
        epoch: u64,
    ) -> Result<Vec<(MessageHead, Option<Delegated>)>, Failure> {
        let case = self.store.case(caller.party(), id).await?.ok_or(RefusalCode::NotFound)?;
        standing(&case)?;
        let delegated = self.delegated_messages(caller, epoch, &case, (after, limit)).await?;
        let mut rows: Vec<_> = delegated.into_iter().map(|(row, delegation)| (row, Some(delegation))).collect();
        if case.relation == Relation::None {
            // A delegate of nobody in this case: for it, the case is not there.
            if rows.is_empty() && self.delegated_case(caller.party(), epoch, case.clone()).await?.is_none() {
                return Err(RefusalCode::NotFound.into());
            }
        } else {
            let own = self.store.messages(&case.case, caller.party(), after, limit).await?;
            rows.extend(own.into_iter().map(|row| (row, None)));
        }
        rows.sort_by_key(|(row, _)| row.idx);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        call.note(|t| t.case = Some(case.case));
        let shred = self.store.case_key(&case.case).await?;
        call.note(|t| t.shred = shred);
        Ok(rows)
    }
}

/// A message in a list. What became of it is told to its sender.
fn message(caller: &PartyId, row: &MessageHead, passage: Option<&Passage>, outlook: &Outlook) -> Value {
    let out = row.iss == *caller || passage.is_some_and(|passage| passage.sender() == caller);
    let direction = if out { "out" } else { "in" };
    let mut told = json!({"message": row.jti, "kind": row.kind, "received": row.received, "direction": direction});
    if let (Some(passage), Some(members)) = (passage, told.as_object_mut()) {
        let mut tell = |member: &str, value: Option<Value>| members.extend(value.map(|value| (member.to_owned(), value)));
        tell("reply_by", passage.term.reply_by.map(|by| json!(by)));
        if out {
            tell("to", Some(json!(row.aud)));
            tell("collected", passage.pulled.map(|(_, at)| json!(at)));
            tell("uncollected", outlook.uncollected(passage).map(|since| json!(since)));
            tell("quarantined", outlook.quarantined(passage).map(|since| json!(since)));
        }
    }
    told
}

/// A page rests on each delegation under which something stands in it.
fn rests_on<'a>(with: &mut With, delegations: impl Iterator<Item = &'a Delegated>) {
    if let (Some(ground), Some(first)) = (&mut with.ground, delegations.map(|delegation| delegation.until).min()) {
        ground.valid_until = ground.valid_until.min(first);
    }
}

/// For whom the caller acts, where it acts for one party in the whole page.
fn for_one<'a>(page: &[Option<&'a Delegated>]) -> Option<&'a PartyId> {
    let first = (*page.first()?)?;
    page.iter().all(|other| other.is_some_and(|other| other.by == first.by)).then_some(&first.by)
}

/// A case in a list, and for whom the caller acts in it.
struct Listed {
    case: CaseRow,
    delegation: Option<Delegated>,
    tasks: CaseTasks,
}

impl Listed {
    fn to_json(&self) -> Value {
        let Self { case, delegation, tasks } = self;
        let mut listed = json!({
            "case": case.id,
            "state": told(case.state, case.party.kind(), case.relation),
            "relation": case.relation,
            "kind": case.kind,
            "received": case.received,
            "updated": case.updated,
        });
        if let Some(members) = listed.as_object_mut() {
            if let Some(Delegated { by, .. }) = delegation {
                members.insert("for".to_owned(), json!(by));
            }
            if let Value::Object(more) = json!(tasks) {
                members.extend(more);
            }
        }
        listed
    }
}

/// Longest page.
pub(super) const MOST: u32 = 200;
/// Longest wait, seconds (protocol section 4).
const LONGEST: u32 = 30;
/// How often a waiting list looks again, milliseconds.
const POLL: u64 = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::time::Timestamp, ledger::Ground};

    fn delegated(by: &str, until: i64) -> Delegated {
        Delegated { by: by.parse().unwrap(), until: Timestamp::from_secs(until) }
    }

    #[test]
    fn a_page_rests_on_the_delegation_that_ends_first() {
        let until = |delegations: &[Delegated]| {
            let ground = Ground { rights_epoch: 1, valid_until: Timestamp::from_secs(50), case: None, consent: None };
            let mut with = With { ground: Some(ground), ..With::default() };
            rests_on(&mut with, delegations.iter());
            with.ground.unwrap().valid_until.secs()
        };
        let (early, late) = (|| delegated(CITY, 20), || delegated(CITY, 90));
        assert_eq!((until(&[]), until(&[late()]), until(&[late(), early()])), (50, 50, 20));
    }

    #[test]
    fn a_page_is_for_one_party_only_if_everything_in_it_is() {
        let (one, same, other) = (delegated(CITY, 20), delegated(CITY, 30), delegated("municipality:131024-1", 20));
        assert_eq!(for_one(&[Some(&one), Some(&same)]).map(ToString::to_string).as_deref(), Some(CITY));
        for page in [&[Some(&one), Some(&other)][..], &[Some(&one), None], &[None, Some(&one)], &[None], &[]] {
            assert_eq!(for_one(page), None);
        }
    }

    const CITY: &str = "municipality:131016-1";
}
