//! Whether a caller still stands as it did when its call began (`ledger.md` section 1, promise 6).
//!
//! Party and keys are looked at before anything else of a call, and rights may move before its entry is made. So every commit asks again when
//! the rights epoch is no longer the one that was read before the party was.

use super::{
    Gateway,
    call::{Call, Caller},
    failure::Failure,
};
use crate::{
    domain::{party::PartyState, refusal::RefusalCode},
    ledger::LedgerError,
};

impl Gateway {
    /// That the caller's party is active and registered as it was, and that the keys which signed for the call are good. `epoch` was read before.
    pub(super) async fn still_stands(&self, caller: &Caller, call: &Call, epoch: u64) -> Result<(), Failure> {
        if epoch == caller.seen.rights_epoch {
            return Ok(());
        }
        let row = self.party_in(epoch, caller.party()).await?.ok_or(RefusalCode::UnknownParty)?;
        if row.state == PartyState::Suspended {
            return Err(RefusalCode::PartySuspended.into());
        }
        if row.registration != caller.row.registration {
            // Other purposes, other certificates: whatever was checked against them is checked anew when the call is repeated.
            return Err(LedgerError::Unavailable.into());
        }
        let (now, trail) = (self.clock.now(), call.trail());
        if let Some(kid) = &trail.actor_key {
            self.actor_key(caller, epoch, kid, now).await?;
        }
        if let Some(kid) = &trail.signing_key {
            self.signing_key(caller, epoch, kid, now).await?;
        }
        Ok(())
    }
}
