//! The first party of a new exchange: its operator. Everybody else is registered by the operator, over the ordinary road.

use super::{Caller, Gateway, call::Trail, directory::first_rows, failure::Failure, record::GATEWAY_KEY};
use crate::{
    domain::{
        digest::Digest,
        entry::{Act, EntryType, Operation, Outcome},
        party::{PartyKind, Registration},
        refusal::RefusalCode,
        time::Timestamp,
    },
    ledger::{Answer, LedgerError},
    message::objects::FirstKey,
    store::Write,
};

impl Gateway {
    /// Registers the operator in an exchange that has no party yet. The entry has no actor: the gateway's owner did it at the machine.
    ///
    /// # Errors
    /// `state_conflict` when a party is registered already, `operation_not_allowed` when the party is no operator.
    pub async fn register_first_operator(&self, registration: Registration, key: &FirstKey) -> Result<(), Failure> {
        if registration.party.kind() != PartyKind::Operator {
            return Err(RefusalCode::OperationNotAllowed.into());
        }
        if !self.store.parties(None, 1).await?.is_empty() {
            return Err(RefusalCode::StateConflict.into());
        }
        let mut trail = Trail::new(Operation::PartyRegister);
        trail.recipient = Some(registration.party.clone());
        trail.act = Some(Act::Register);
        let (mut writes, registered) = first_rows(registration, key)?;
        trail.registered = registered;
        let (own, wrapped) = self.vault.data_key_named(GATEWAY_KEY)?;
        let entry = self.entry(None, &trail, EntryType::Party, Outcome::Permit, None)?;
        let mut draft = self.draft(entry, &trail, Vec::new(), GATEWAY_KEY, Some(&own)).await?;
        writes.push(Write::DataKey(GATEWAY_KEY, wrapped));
        draft.writes = writes;
        match self.ledger.append(draft).await? {
            Answer::Committed(_) => Ok(()),
            _ => Err(LedgerError::Unavailable.into()),
        }
    }

    /// A caller at the machine itself, for a sandbox that is being made: the same use cases, without a connection.
    ///
    /// # Errors
    /// As [`Gateway::caller`].
    pub async fn local_caller(
        &self,
        party: &crate::domain::party::PartyId,
        certificate: Digest,
        spki: Digest,
        not_after: Timestamp,
    ) -> Result<Caller, Failure> {
        self.caller(party, certificate, spki, not_after).await?.map_err(|(_, refusal)| Failure::Refused(refusal))
    }
}
