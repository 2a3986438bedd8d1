//! `POST /v1/parties/self/keys`: every key after the first is signed for by an active signature key, and itself signs that it belongs here.

use serde_json::json;

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    record::With,
    registered::of_key,
};
use crate::{
    domain::{
        codes::Purpose,
        digest::Digest,
        entry::Act,
        party::PartyId,
        refusal::{Refusal, RefusalCode},
    },
    ledger::Ground,
    message::{
        keys::KeyUse,
        objects::{KeyAct, KeyStatement},
        profile::MAX_AHEAD_SECS,
    },
    store::{KeyRow, KeyState, PartyKeyUse, Write},
};

impl Gateway {
    /// Adds, retires or declares compromised a key of the caller.
    pub async fn register_key(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::Only(Purpose::Administration)).await?;
        let object = self.read_object::<KeyStatement>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        call.note(|t| {
            t.act = Some(match claims.act {
                KeyAct::Add => Act::Add,
                KeyAct::Retire => Act::Retire,
                KeyAct::Compromised => Act::Compromised,
            });
        });
        let registered = self.register(caller, call, object.identity(), |epoch| async move {
            let kid = claims.jwk.thumbprint();
            let known = self.registered_key(epoch, &kid).await?;
            let conflict = |rule| Failure::from(Refusal::claim(RefusalCode::StateConflict, "jwk", rule));
            let incomplete = || Failure::from(Refusal::claim(RefusalCode::BadToken, "jwk", "dates"));
            let own = |known: Option<KeyRow>| known.filter(|k| k.party == *caller.party()).ok_or_else(|| conflict("not_registered"));
            let (write, narrows, stands) = match claims.act {
                KeyAct::Add => {
                    if known.is_some() {
                        return Err(conflict("already_registered"));
                    }
                    let row = KeyRow {
                        kid,
                        party: caller.party().clone(),
                        usage: if claims.purpose == KeyUse::Enc { PartyKeyUse::Enc } else { PartyKeyUse::Sig },
                        jwk: claims.jwk.jwk().to_string(),
                        state: KeyState::Active,
                        nbf: claims.nbf.ok_or_else(incomplete)?,
                        naf: claims.naf.ok_or_else(incomplete)?,
                        compromised_at: None,
                        idx: 0,
                        leaf: kid,
                    };
                    let stands = of_key(&row)?;
                    (Write::Key(row), false, stands)
                }
                KeyAct::Retire => {
                    let row = own(known)?;
                    if !matches!(row.state, KeyState::Active | KeyState::Retiring) {
                        return Err(conflict("not_active"));
                    }
                    self.keeps_a_signature_key(caller, epoch, &row).await?;
                    let stands = of_key(&KeyRow { state: KeyState::Retired, compromised_at: None, ..row })?;
                    (Write::KeyState { kid, state: KeyState::Retired, compromised_at: None }, true, stands)
                }
                KeyAct::Compromised => {
                    let row = own(known)?;
                    let since = claims.compromised_at.ok_or_else(incomplete)?;
                    // A time that is to come would leave valid what a thief signs until then.
                    if since > self.clock.now().plus_secs(MAX_AHEAD_SECS) {
                        return Err(Refusal::claim(RefusalCode::BadToken, "compromised_at", "future").into());
                    }
                    // Told twice, the earlier time counts: nothing becomes valid again.
                    let since = row.compromised_at.map_or(since, |told| told.min(since));
                    let stands = of_key(&KeyRow { state: KeyState::Compromised, compromised_at: Some(since), ..row })?;
                    (Write::KeyState { kid, state: KeyState::Compromised, compromised_at: Some(since) }, true, stands)
                }
            };
            call.note(|t| t.registered = vec![stands]);
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: None, consent: None };
            Ok((With { writes: vec![write], ground: Some(ground), narrows, ..With::default() }, json!({"key": kid})))
        });
        Box::pin(registered).await
    }

    /// Retiring the last active signature key would lock the party out. A compromised one may always be declared.
    async fn keeps_a_signature_key(&self, caller: &Caller, epoch: u64, leaving: &KeyRow) -> Result<(), Failure> {
        if leaving.usage == PartyKeyUse::Enc || self.has_a_signature_key(epoch, caller.party(), Some(&leaving.kid)).await? {
            Ok(())
        } else {
            Err(Refusal::claim(RefusalCode::StateConflict, "jwk", "last_signature_key").into())
        }
    }

    /// Whether a party has a signature key that is good now, besides one.
    pub(super) async fn has_a_signature_key(&self, epoch: u64, party: &PartyId, besides: Option<&Digest>) -> Result<bool, Failure> {
        let now = self.clock.now();
        let keys = self.registered_keys(epoch, party).await?;
        let good = |k: &KeyRow| k.usage == PartyKeyUse::Sig && k.state == KeyState::Active && now >= k.nbf && now < k.naf;
        Ok(keys.iter().any(|k| besides != Some(&k.kid) && good(k)))
    }
}
