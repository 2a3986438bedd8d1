//! Who at the caller's end acts, and for what: the actor token of a call (protocol section 2, "Other signed objects").

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Gateway,
    call::{Call, Caller},
    failure::Failure,
    register::signing_input_digest,
};
use crate::{
    domain::{
        codes::Purpose,
        digest::Digest,
        ids::Jti,
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::Once,
    message::{
        key_binding::Nonce,
        objects::{Actor, ActorFacts, Signed},
    },
    store::{KeyRow, KeyState, OnceKind, PartyKeyUse},
};

/// Which purposes the actor token may name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed {
    /// Exactly this one.
    Only(Purpose),
    /// Any of the unit's own.
    OfTheUnit,
}

/// An actor token that was verified and belongs to this very request.
#[derive(Debug, Clone)]
pub(super) struct Acting {
    pub purpose: Purpose,
    /// Of reads: goes into the key binding.
    pub nonce: Option<Nonce>,
    /// Not after of the key that signed it.
    pub ends: Timestamp,
}

impl Gateway {
    /// Verifies the actor token and writes what it says on the trail.
    pub(super) async fn actor(&self, caller: &Caller, call: &Call, allowed: Allowed) -> Result<Acting, Failure> {
        let now = self.clock.now();
        let text = call.actor.as_deref().ok_or(RefusalCode::ActorMissing)?;
        let token = Signed::<Actor>::read(text.as_bytes())?;
        if token.unproven().issued.iss != *caller.party() {
            return Err(RefusalCode::ActorBinding.into());
        }
        let key = self.actor_key(caller, caller.seen.rights_epoch, &token.kid(), now).await?;
        let digest = signing_input_digest(token.token());
        let public = self.rights.public_key(&key)?;
        let actor = token.verify(&public)?;
        actor.check(&ActorFacts {
            caller: caller.party(),
            gateway: &self.url,
            method: &call.method,
            path_and_query: &call.target,
            cert_thumbprint: caller.certificate,
            body_digest: call.body,
            now,
        })?;
        let jti = actor.issued.jti;
        let once = Once {
            kind: OnceKind::Actor,
            iss: caller.party().clone(),
            jti,
            digest,
            expires: Some(actor.exp.plus_secs(KEPT_LONGER)),
            result: Vec::new(),
        };
        if !self.actors.take(caller.party(), jti, actor.exp, now) || self.store.once(OnceKind::Actor, caller.party(), &jti).await?.is_some()
        {
            return Err(RefusalCode::ActorReplayed.into());
        }
        call.note(|t| t.staff = Some(actor.sub.as_str().to_owned()));
        call.note(|t| t.actor = Some(once));
        call.note(|t| t.actor_key = Some(key.kid));
        call.note(|t| t.rests_on(key.naf));
        call.note(|t| t.purpose = Some(actor.pur));
        let fits = match allowed {
            Allowed::Only(purpose) => actor.pur == purpose,
            Allowed::OfTheUnit => true,
        };
        if !fits || !caller.row.registration.works_for(actor.pur) {
            return Err(Refusal::claim(RefusalCode::PurposeNotAllowed, "pur", "unit").into());
        }
        Ok(Acting { purpose: actor.pur, nonce: actor.nonce.clone(), ends: key.naf })
    }

    /// The caller's registered key for actor tokens, usable now.
    pub(super) async fn actor_key(&self, caller: &Caller, epoch: u64, kid: &Digest, now: Timestamp) -> Result<Arc<KeyRow>, Failure> {
        let usable = |key: &Arc<KeyRow>| {
            let current = matches!(key.state, KeyState::Active | KeyState::Retiring) && now >= key.nbf && now < key.naf;
            key.party == *caller.party() && key.usage == PartyKeyUse::Sig && current
        };
        Ok(self.key_in(epoch, kid).await?.filter(usable).ok_or(RefusalCode::ActorInvalid)?)
    }
}

/// Clocks differ: a used id is remembered a little longer than its token lives.
const KEPT_LONGER: i64 = 60;

/// Actor tokens used on this process. Calls that make an entry also mark theirs in the store, with the entry, for every other process.
#[derive(Debug, Default)]
pub(super) struct UsedActors(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    ids: BTreeMap<(PartyId, Jti), Timestamp>,
    swept: Timestamp,
}

impl UsedActors {
    /// Marks an id as used; `false` if it was.
    fn take(&self, party: &PartyId, jti: Jti, expires: Timestamp, now: Timestamp) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now > used.swept.plus_secs(KEPT_LONGER) {
            used.ids.retain(|_, until| *until > now);
            used.swept = now;
        }
        used.ids.insert((party.clone(), jti), expires.plus_secs(KEPT_LONGER)).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_once_and_forgotten_only_after_it_expired() {
        let used = UsedActors::default();
        let party: PartyId = "auditor:tokyo".parse().unwrap();
        let jti: Jti = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap();
        let now = Timestamp::from_secs(1_000);
        assert!(used.take(&party, jti, now.plus_secs(300), now));
        assert!(!used.take(&party, jti, now.plus_secs(300), now.plus_secs(299)));
        assert!(used.take(&party, jti, now.plus_secs(800), now.plus_secs(700)));
    }
}
