//! Lists without content: cases, and the messages of a case.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    call::{Call, Caller},
    failure::Failure,
    record::{With, recorded},
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        ids::CaseId,
        party::{PartyId, PartyKind},
        refusal::{Refusal, RefusalCode},
    },
    store::{CaseRow, MessageHead},
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
                let page = self.page(caller, query, epoch).await?;
                for listed in &page {
                    let tag = self.vault.tag("case", &listed.case.case.to_string());
                    call.note(|t| t.tags.push(tag));
                }
                Ok((self.permit(caller, &call.trail(), With::on(caller, epoch)).await?, page))
            };
            let (answer, decided) = self.commit(caller, call, decide).await?;
            recorded(answer)?;
            page = decided;
        }
        let cursor = page.last().map(|listed| listed.case.updated_idx).or(query.after);
        let cases: Vec<Value> = page.iter().map(Listed::to_json).collect();
        Ok(json!({"cases": cases, "cursor": cursor.map(|c| c.to_string())}))
    }

    /// The caller's own cases and those of the parties it acts for, in the order of their last change.
    async fn page(&self, caller: &Caller, query: &CaseQuery, epoch: u64) -> Result<Vec<Listed>, Failure> {
        let rows = self.store.cases(caller.party(), query.state, query.after, query.limit).await?;
        let own = rows.into_iter().filter(|row| row.relation != Relation::None);
        let mut page: Vec<Listed> = own.map(|case| Listed { case, acting_for: None }).collect();
        if caller.kind() == PartyKind::CoreCenter {
            page.extend(self.delegated_page(caller, query, epoch).await?);
            page.sort_by_key(|listed| listed.case.updated_idx);
            page.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        }
        Ok(page)
    }

    async fn delegated_page(&self, caller: &Caller, query: &CaseQuery, epoch: u64) -> Result<Vec<Listed>, Failure> {
        let (mut page, mut after) = (Vec::new(), query.after);
        loop {
            let rows = self.store.foreign_cases(caller.party(), query.state, after, query.limit).await?;
            let Some(last) = rows.last().map(|row| row.updated_idx) else { return Ok(page) };
            after = Some(last);
            for row in rows {
                if let Some((case, by)) = self.delegated_case(caller, epoch, row).await? {
                    page.push(Listed { case, acting_for: Some(by) });
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
                Ok((self.permit(caller, &call.trail(), With::on(caller, epoch)).await?, rows))
            };
            let (answer, decided) = self.commit(caller, call, decide).await?;
            recorded(answer)?;
            rows = decided;
        }
        let cursor = rows.last().map(|row| row.idx).or(after);
        let messages: Vec<Value> = rows
            .iter()
            .map(|row| {
                let direction = if row.iss == *caller.party() { "out" } else { "in" };
                json!({"message": row.jti, "kind": row.kind, "received": row.received, "direction": direction})
            })
            .collect();
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
    ) -> Result<Vec<MessageHead>, Failure> {
        let case = self.store.case(caller.party(), id).await?.ok_or(RefusalCode::NotFound)?;
        let mut rows = self.delegated_messages(caller, epoch, &case, (after, limit)).await?;
        if case.relation == Relation::None {
            // A delegate of nobody in this case: for it, the case is not there.
            if rows.is_empty() && self.delegated_case(caller, epoch, case.clone()).await?.is_none() {
                return Err(RefusalCode::NotFound.into());
            }
        } else {
            rows.extend(self.store.messages(&case.case, caller.party(), after, limit).await?);
        }
        rows.sort_by_key(|row| row.idx);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        call.note(|t| t.case = Some(case.case));
        let shred = self.store.case_key(&case.case).await?;
        call.note(|t| t.shred = shred);
        Ok(rows)
    }
}

/// A case in a list, and for whom the caller acts in it.
struct Listed {
    case: CaseRow,
    acting_for: Option<PartyId>,
}

impl Listed {
    fn to_json(&self) -> Value {
        let Self { case, acting_for } = self;
        let mut listed = json!({
            "case": case.id,
            "state": case.state,
            "relation": case.relation,
            "kind": case.kind,
            "received": case.received,
            "updated": case.updated,
        });
        if let (Some(by), Some(members)) = (acting_for, listed.as_object_mut()) {
            members.insert("for".to_owned(), json!(by));
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
