//! `POST /v1/cases/{id}/acknowledgements`: the reader says, signed, that it holds a release and what became of it.

use serde_json::json;

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    delegates::Seat,
    failure::Failure,
    record::With,
};
use crate::{
    domain::{
        digest::Digest,
        entry::{EntryType, Outcome},
        ids::CaseId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{Entry, Ground, MessageRef},
    message::objects::Acknowledgement,
    store::{EvidenceRow, EvidenceState, LedgerFilter, Write},
};

impl Gateway {
    /// Registers an acknowledgement. It must name a release of this message that the ledger shows went to the caller.
    pub async fn acknowledge(&self, caller: &Caller, call: &Call, id: &CaseId, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::OfTheUnit).await?;
        let object = self.read_object::<Acknowledgement>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        self.register(caller, call, object.identity(), |epoch| async move {
            let Seat { case, message, own, delegation, .. } = self.seat(caller, epoch, id, Some(&claims.msg.jti)).await?;
            if message.iss != claims.msg.iss || (own && delegation.is_none()) {
                return Err(RefusalCode::NotFound.into());
            }
            call.note(|t| t.acting_for = delegation.as_ref().map(|d| d.by.clone()));
            self.check_release(caller, claims, &message.digest).await?;
            call.note(|t| t.case = Some(case));
            call.note(|t| t.shred = Some(message.sealed.key));
            call.note(|t| t.kind = Some(message.kind));
            call.note(|t| t.message = Some(MessageRef { iss: message.iss.clone(), jti: message.jti }));
            call.note(|t| t.recipient = Some(message.iss.clone()));
            call.note(|t| t.rel = Some(claims.rel));
            call.note(|t| t.sd_hash = Some(claims.sd_hash));
            let evidence = Write::Evidence(EvidenceRow {
                case,
                iss: message.iss.clone(),
                jti: message.jti,
                digest: message.digest,
                state: EvidenceState::Acknowledged,
                receipt: self.ids.jti()?,
                idx: 0,
                leaf: message.digest,
                time: Timestamp::default(),
            });
            let writes = vec![evidence, Write::CaseTouched(case, message.iss.clone())];
            let ends = caller.not_after.min(object.key_ends);
            let valid_until = delegation.map_or(ends, |d| ends.min(d.until));
            let ground = Ground { rights_epoch: epoch, valid_until, case: None, consent: None };
            Ok((With { writes, ground: Some(ground), ..With::default() }, json!({"case": id, "message": message.jti})))
        })
        .await
    }

    async fn check_release(&self, caller: &Caller, claims: &Acknowledgement, message: &Digest) -> Result<(), Failure> {
        let filter = LedgerFilter {
            actor: Some(caller.party().clone()),
            tags: vec![self.vault.tag("rel", &claims.rel.to_string())],
            ..LedgerFilter::default()
        };
        let size = self.store.head().await?.size;
        for row in self.store.find(&filter, None, size, 8).await?.rows {
            let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
            let released = entry.entry_type == EntryType::Release && entry.decision == Outcome::Permit;
            let this = entry.rel == Some(claims.rel) && entry.sd_hash == Some(claims.sd_hash) && entry.request == Some(*message);
            if released && this {
                return Ok(());
            }
        }
        Err(Refusal::claim(RefusalCode::StateConflict, "rel", "no_such_release").into())
    }
}
