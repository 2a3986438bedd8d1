//! Registering a signed object: the road that consents, signatures, keys, registrations, acknowledgements and messages share.
//!
//! The same `(iss, jti)` with the same content gets the first answer again, whatever happened since; with other content it is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Gateway,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    record::With,
};
use crate::{
    domain::{digest::Digest, ids::Jti, refusal::RefusalCode, time::Timestamp},
    ledger::{Answer, Once},
    message::{
        Verified,
        objects::{
            Acknowledgement, AgreementSignature, ConsentEnd, ConsentGiven, Issued, KeyStatement, PartyStatement, Signed, SignedObject,
        },
    },
    store::{KeyRow, KeyState, OnceKind, PartyKeyUse},
};

/// A signed object whose signature was verified with an active key of the caller.
pub(super) struct Object<T> {
    pub claims: Verified<T>,
    pub jti: Jti,
    /// SHA-256 of the compact object.
    pub sha256: Digest,
    /// SHA-256 of the signing input: what identifies the object, whatever signature bytes carry it.
    pub digest: Digest,
    /// The compact object as received.
    pub compact: String,
    /// The key that signed it.
    pub kid: Digest,
    /// Not after of the signing key.
    pub key_ends: Timestamp,
}

/// An object that says who issued it, for whom, under which id.
pub(super) trait IssuedObject: SignedObject {
    fn issued(&self) -> &Issued;
}

impl<T> Object<T> {
    pub(super) const fn identity(&self) -> Identity {
        Identity { kind: OnceKind::Object, jti: self.jti, digest: self.digest }
    }
}

/// What identifies the thing that is registered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub kind: OnceKind,
    pub jti: Jti,
    pub digest: Digest,
}

/// What the first answer said, kept for repetitions. No personal values.
#[derive(Serialize, Deserialize)]
struct Stored {
    receipt: Jti,
    subject: Value,
}

impl Gateway {
    /// Reads an object that the caller signed.
    pub(super) async fn read_object<T: IssuedObject>(&self, caller: &Caller, call: &Call, bytes: &[u8]) -> Result<Object<T>, Failure> {
        let now = self.clock.now();
        let signed = Signed::<T>::read(bytes)?;
        if signed.unproven().issued().iss != *caller.party() {
            return Err(RefusalCode::IssuerMismatch.into());
        }
        let key = self.signing_key(caller, caller.seen.rights_epoch, &signed.kid(), now).await?;
        call.note(|t| t.signing_key = Some(key.kid));
        call.note(|t| t.rests_on(key.naf));
        let public = self.rights.public_key(&key)?;
        let (sha256, digest, compact) = (signed.digest(), signing_input_digest(signed.token()), signed.token().to_owned());
        let claims = signed.verify(&public)?;
        claims.issued().check(&self.url, now)?;
        Ok(Object { jti: claims.issued().jti, claims, sha256, digest, compact, kid: key.kid, key_ends: key.naf })
    }

    /// The caller's registered signature key, usable now.
    pub(super) async fn signing_key(&self, caller: &Caller, epoch: u64, kid: &Digest, now: Timestamp) -> Result<Arc<KeyRow>, Failure> {
        let key = self.key_in(epoch, kid).await?.ok_or(RefusalCode::KeyNotAllowed)?;
        if key.party != *caller.party() || key.usage != PartyKeyUse::Sig || now < key.nbf {
            return Err(RefusalCode::KeyNotAllowed.into());
        }
        if matches!(key.state, KeyState::Retired | KeyState::Compromised) || now >= key.naf {
            return Err(RefusalCode::KeyRevoked.into());
        }
        Ok(key)
    }

    /// Registers: answers a repetition, or commits what `plan` decides. `plan` gets the rights epoch and returns what is written and what the
    /// answer names.
    pub(super) async fn register<P>(
        &self,
        caller: &Caller,
        call: &Call,
        identity: Identity,
        mut plan: impl FnMut(u64) -> P,
    ) -> Result<Accepted, Failure>
    where
        P: Future<Output = Result<(With, Value), Failure>> + Send,
    {
        call.note(|t| t.request = Some(identity.digest));
        if let Some(first) = self.first_answer(caller, identity).await? {
            return Ok(first);
        }
        self.spend_change(caller, call)?;
        let decided = self
            .commit(caller, call, |epoch| {
                let planned = plan(epoch);
                async move {
                    let (mut with, subject) = planned.await?;
                    let receipt = self.ids.jti()?;
                    let stored = Stored { receipt, subject: subject.clone() };
                    with.object = Some(Once {
                        kind: identity.kind,
                        iss: caller.party().clone(),
                        jti: identity.jti,
                        digest: identity.digest,
                        expires: None,
                        result: serde_json::to_vec(&stored).map_err(|_| Failure::Corrupt("result"))?,
                    });
                    Ok((self.permit(caller, &call.trail(), with).await?, (receipt, subject)))
                }
            })
            .await;
        let (answer, (receipt, subject)) = match decided {
            // What refuses it may be its own first copy, committed since the look-up: a consent is bound to the case that copy opened.
            Err(Failure::Refused(refusal)) => {
                return self.first_answer(caller, identity).await?.ok_or(Failure::Refused(refusal));
            }
            other => other?,
        };
        match answer {
            Answer::Committed(committed) => {
                let proved = self.proof(&committed)?;
                self.accepted(caller.party(), identity, receipt, proved, subject)
            }
            Answer::Known { idx, result } => self.repeat(caller, identity, idx, &result).await,
            Answer::Conflict => Err(RefusalCode::ReplayConflict.into()),
            Answer::ActorReplayed => Err(RefusalCode::ActorReplayed.into()),
            Answer::Stale => Err(Failure::Ledger(crate::ledger::LedgerError::Unavailable)),
        }
    }

    /// The first answer to the same object, if there is one. Another object under its id is a conflict.
    pub(super) async fn first_answer(&self, caller: &Caller, identity: Identity) -> Result<Option<Accepted>, Failure> {
        let Some(known) = self.store.once(identity.kind, caller.party(), &identity.jti).await? else { return Ok(None) };
        if known.digest != identity.digest {
            return Err(RefusalCode::ReplayConflict.into());
        }
        let idx = known.idx.ok_or(Failure::Corrupt("used id"))?;
        self.repeat(caller, identity, idx, &known.result).await.map(Some)
    }

    async fn repeat(&self, caller: &Caller, identity: Identity, idx: u64, result: &[u8]) -> Result<Accepted, Failure> {
        let stored: Stored = serde_json::from_slice(result).map_err(|_| Failure::Corrupt("result"))?;
        let proved = self.prove(idx).await?;
        self.accepted(caller.party(), identity, stored.receipt, proved, stored.subject)
    }
}

macro_rules! issued {
    ($($object:ty),+) => { $(impl IssuedObject for $object {
        fn issued(&self) -> &Issued {
            &self.issued
        }
    })+ };
}
issued!(Acknowledgement, AgreementSignature, ConsentEnd, ConsentGiven, KeyStatement, PartyStatement);

/// SHA-256 of the signing input of a compact token: what identifies it. An ECDSA signature has two valid forms, so the token's own hash does not.
pub(super) fn signing_input_digest(token: &str) -> Digest {
    Digest::of(token.rsplit_once('.').map_or(token, |(signed, _)| signed).as_bytes())
}
