//! `GET /v1/cases/{id}/receipts`: evidence of submission, release, acknowledgement and non-collection, for the sender.
//!
//! Promises: that nobody collected a message in time is written down once, with the entry of the call that found it, and only while nobody has: a release
//! that comes first wins. A later release is evidence of its own.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Evidence,
    call::{Call, Caller},
    failure::Failure,
    record::{With, recorded},
};
use crate::{
    domain::{
        ids::{CaseId, CaseKey},
        time::Timestamp,
    },
    store::{EvidenceRow, EvidenceState, Passage, Write},
};

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
        let mut rows = self.store.evidence(&case.case, caller.party()).await?;
        if !rows.is_empty() {
            let decide = |epoch| async move {
                let late = if case.erased { Vec::new() } else { self.uncollected(caller, case.case).await? };
                let writes = late.iter().cloned().map(Write::Uncollected).collect();
                let with = With { writes, ..With::on(caller, epoch) };
                Ok((self.permit(caller, &call.trail(), with).await?, late))
            };
            let (answer, late) = self.commit(caller, call, decide).await?;
            let committed = recorded(answer)?;
            let (idx, time, leaf) = (committed.idx(), committed.time(), committed.leaf_hash());
            rows.extend(late.into_iter().map(|row| EvidenceRow { idx, leaf, time, ..row }));
        }
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
        Ok(json!({"receipts": receipts?}))
    }

    /// What is to be written down about messages of the caller that nobody collected in time.
    async fn uncollected(&self, caller: &Caller, case: CaseKey) -> Result<Vec<EvidenceRow>, Failure> {
        let outlook = self.outlook(&[case]).await?;
        let late = |passage: &&Passage| {
            passage.head.iss == *caller.party() && passage.uncollected.is_none() && outlook.uncollected(passage).is_some()
        };
        let evidence = |passage: &Passage| {
            Ok(EvidenceRow {
                case,
                iss: passage.head.iss.clone(),
                jti: passage.head.jti,
                digest: passage.head.digest,
                state: EvidenceState::Uncollected,
                receipt: self.ids.jti()?,
                idx: 0,
                leaf: passage.head.digest,
                time: Timestamp::default(),
            })
        };
        outlook.passages(&case).iter().filter(late).map(evidence).collect()
    }
}
