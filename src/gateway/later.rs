//! `POST /v1/cases/{id}/messages`: every message behind the one that opened the case.
//!
//! Promises: what a message changes, it changes with its entry or not at all, and on the case as it was decided on: of two at the same time the second is
//! decided again. Who loses its access by it loses it with that entry.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::{Acting, Allowed},
    affair::{Affair, Step},
    answer::Accepted,
    call::{Call, Caller},
    certify::COUNTERSIGNATURE,
    failure::Failure,
    record::With,
    rights::StandingConsent,
    submit::{Destination, Sent, message_context},
};
use crate::{
    decision::Permitted,
    domain::{agreement::Agreement, entry::Act, ids::CaseId, party::PartyId, refusal::RefusalCode},
    ledger::Ground,
    message::{Verified, submission::Message},
    store::{Term, Write},
    vault,
};

impl Gateway {
    /// `POST /v1/cases/{id}/messages`.
    pub async fn submit_message(&self, caller: &Caller, call: &Call, id: &CaseId, body: &[u8]) -> Result<Accepted, Failure> {
        let acting = self.actor(caller, call, Allowed::OfTheUnit).await?;
        // Before anything is said about the message: a stranger to the case is told the same whatever it sends.
        if let Err(failure) = self.place_in(caller, caller.seen.rights_epoch, id).await {
            return match failure {
                Failure::Refused(refusal) if refusal.code == RefusalCode::NotFound => {
                    self.said_before(caller, call, &acting, body).await?.ok_or_else(|| refusal.into())
                }
                other => Err(other),
            };
        }
        let accepted = self.take_in(caller, call, &acting, body, Destination::Case(id)).await?;
        self.with_countersignature(accepted).await
    }

    /// The first answer to a message that was accepted before its sender's part in the case ended: a lost answer is given again, whatever happened since.
    async fn said_before(&self, caller: &Caller, call: &Call, acting: &Acting, body: &[u8]) -> Result<Option<Accepted>, Failure> {
        let received = match self.receive(caller, call, acting, body).await {
            Ok(received) => received,
            Err(Failure::Refused(_)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        match self.first_answer(caller, received.identity).await {
            Ok(Some(first)) => Ok(Some(self.with_countersignature(first).await?)),
            Ok(None) | Err(Failure::Refused(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The rows of a message that comes into a case, under the case's data key.
    pub(super) async fn go_on(
        &self,
        sent: Sent<'_>,
        permitted: &Permitted<&Verified<Message>>,
        (affair, step, term): (&Affair, Step, Term),
        (agreement, consent): (&Agreement, Option<&StandingConsent>),
        epoch: u64,
    ) -> Result<(With, Value), Failure> {
        let Sent { caller, call, sd_jwt, .. } = sent;
        let (message, case) = (permitted.what(), affair.row.case);
        // What was accepted belongs to the case; a refusal that names the consent belonged to the consent.
        call.note(|t| t.shred = Some(affair.key));
        let claims = message.claims();
        // Ids are each issuer's own, and one case keeps one message under each: the store would find the conflict only behind the head's lock.
        if affair.passages.iter().any(|passage| passage.head.jti == claims.jti) {
            return Err(RefusalCode::ReplayConflict.into());
        }
        let key = self.data_key(affair.key).await?;
        let sealed = vault::seal(&key, affair.key, &message_context(&claims.iss, &claims.jti, &claims.aud, &case), sd_jwt)?;
        let narrows = step.change.narrows();
        // Who recomputes the rights epoch from the leaves sees that this entry moved it.
        call.note(|t| t.act = narrows.then_some(Act::End));
        // With or without another state: whatever else was decided on the case before is decided again.
        let mut writes = vec![Write::CaseState(case, step.change.state.unwrap_or(affair.standing.state))];
        writes.extend(self.moved(affair, &step, caller.party(), &claims.aud)?);
        for write in self.delegate_ids(agreement, case, &claims.aud, caller.party())? {
            let known = |party: &PartyId| affair.parties.iter().any(|row| row.party == *party);
            if !matches!(&write, Write::CaseParty { party, .. } if known(party)) {
                writes.push(write);
            }
        }
        writes.extend(self.stored(message, case, sealed, term)?);
        let named = consent.map(|consent| consent.row.jti);
        if let Some(consent) = consent.filter(|consent| consent.row.case.is_none()) {
            writes.push(Write::ConsentBound(consent.row.jti, case));
        }
        let ends = permitted.valid_until();
        let ground = Ground {
            rights_epoch: epoch,
            valid_until: affair.until.map_or(ends, |until| ends.min(until)),
            case: Some((case, affair.row.revision)),
            consent: named.map(|jti| (jti, case)),
        };
        let mut subject = json!({"case": affair.row.id, "message": claims.jti});
        if let (Some(vouched), Some(members)) = (step.vouched, subject.as_object_mut()) {
            members.insert(COUNTERSIGNATURE.to_owned(), json!(vouched));
        }
        Ok((With { writes, ground: Some(ground), narrows, key: Some(key), ..With::default() }, subject))
    }

    /// Who stands otherwise now, and who of the others is told of a change: the two, and in whose place they are.
    fn moved(&self, affair: &Affair, step: &Step, sender: &PartyId, recipient: &PartyId) -> Result<Vec<Write>, Failure> {
        let case = affair.row.case;
        let mut writes = Vec::new();
        for (party, relation) in &step.change.relations {
            writes.push(Write::CaseParty { case, party: party.clone(), id: self.ids.case_id()?, relation: *relation });
        }
        let seats = [sender, recipient].map(|party| affair.standing.seat(party));
        let mut told = vec![sender, recipient];
        told.extend(seats);
        told.sort_unstable();
        told.dedup();
        told.retain(|party| !step.change.relations.iter().any(|(changed, _)| changed == *party));
        writes.extend(told.into_iter().map(|party| Write::CaseTouched(case, party.clone())));
        Ok(writes)
    }
}
