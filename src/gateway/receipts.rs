//! `GET /v1/cases/{id}/receipts`: evidence of submission, release and acknowledgement, for the sender.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Evidence,
    call::{Call, Caller},
    failure::Failure,
};
use crate::domain::ids::CaseId;

impl Gateway {
    /// The receipts of what the caller sent in the case. Evidence outlives an erasure; its entry then names the case no more.
    pub async fn receipts(&self, caller: &Caller, call: &Call, id: &CaseId) -> Result<Value, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        let case = self.visible_case(caller, id).await?;
        if !case.erased {
            call.note(|t| t.case = Some(case.case));
            let shred = self.store.case_key(&case.case).await?;
            call.note(|t| t.shred = shred);
        }
        let rows = self.store.evidence(&case.case, caller.party()).await?;
        let receipts: Result<Vec<String>, Failure> = rows
            .iter()
            .map(|row| {
                let evidence = Evidence {
                    iss: &row.iss,
                    jti: row.jti,
                    digest: row.digest,
                    state: row.state,
                    receipt: row.receipt,
                    idx: row.idx,
                    leaf: row.leaf,
                    time: row.time,
                };
                self.receipt(&evidence, caller.party())
            })
            .collect();
        let receipts = receipts?;
        if !receipts.is_empty() {
            self.record(caller, call).await?;
        }
        Ok(json!({"receipts": receipts}))
    }
}
