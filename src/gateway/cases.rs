//! Lists without content: cases, and the messages of a case.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    call::{Call, Caller},
    failure::Failure,
};
use crate::{
    domain::{
        case::{CaseState, Relation},
        ids::CaseId,
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
        let mut page = self.page(caller, query).await?;
        let mut waited = 0;
        while page.is_empty() && waited < u64::from(query.wait) * 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(POLL)).await;
            waited += POLL;
            page = self.page(caller, query).await?;
        }
        if !page.is_empty() {
            for case in &page {
                let tag = self.vault.tag("case", &case.case.to_string());
                call.note(|t| t.tags.push(tag));
            }
            self.record(caller, call).await?;
        }
        let cursor = page.last().map(|case| case.updated_idx).or(query.after);
        let cases: Vec<Value> = page
            .iter()
            .map(|case| {
                json!({
                    "case": case.id,
                    "state": case.state,
                    "relation": case.relation,
                    "kind": case.kind,
                    "received": case.received,
                    "updated": case.updated,
                })
            })
            .collect();
        Ok(json!({"cases": cases, "cursor": cursor.map(|c| c.to_string())}))
    }

    async fn page(&self, caller: &Caller, query: &CaseQuery) -> Result<Vec<CaseRow>, Failure> {
        let rows = self.store.cases(caller.party(), query.state, query.after, query.limit).await?;
        Ok(rows.into_iter().filter(|row| row.relation != Relation::None).collect())
    }

    /// `GET /v1/cases/{id}/messages`: what the caller sent and received in the case.
    pub async fn list_messages(&self, caller: &Caller, call: &Call, id: &CaseId, after: Option<u64>, limit: u32) -> Result<Value, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::claim(RefusalCode::BadRequest, "limit", "range").into());
        }
        let case = self.visible_case(caller, id).await?;
        call.note(|t| t.case = Some(case.case));
        let shred = self.store.case_key(&case.case).await?;
        call.note(|t| t.shred = shred);
        let rows: Vec<MessageHead> = self.store.messages(&case.case, caller.party(), after, limit).await?;
        if !rows.is_empty() {
            self.record(caller, call).await?;
        }
        let cursor = rows.last().map(|row| row.idx).or(after);
        let messages: Vec<Value> = rows
            .iter()
            .map(|row| {
                let direction = if row.aud == *caller.party() { "in" } else { "out" };
                json!({"message": row.jti, "kind": row.kind, "received": row.received, "direction": direction})
            })
            .collect();
        Ok(json!({"messages": messages, "cursor": cursor.map(|c| c.to_string())}))
    }
}

/// Longest page.
pub(super) const MOST: u32 = 200;
/// Longest wait, seconds (protocol section 4).
const LONGEST: u32 = 30;
/// How often a waiting list looks again, milliseconds.
const POLL: u64 = 250;
