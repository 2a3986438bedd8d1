//! The directory of parties, and the operator's registrations.

use serde_json::{Value, json};

use super::{
    Gateway,
    actor::Allowed,
    answer::Accepted,
    call::{Call, Caller},
    failure::Failure,
    record::With,
    registered::{of_key, of_party},
};
use crate::{
    domain::{
        codes::Purpose,
        entry::Act,
        party::{PartyId, PartyKind, PartyState, Registration},
        refusal::{Refusal, RefusalCode, Violation},
    },
    ledger::{Ground, LedgerError, Registered},
    message::objects::{FirstKey, PartyAct, PartyStatement},
    policy::Deed,
    store::{KeyRow, KeyState, PartyKeyUse, PartyRow, StoreError, Write},
};

impl Gateway {
    /// `GET /v1/parties/{party}`. Open data: no entry.
    pub async fn party(&self, id: &PartyId) -> Result<Value, Failure> {
        let epoch = self.seen().await?.rights_epoch;
        let row = self.registered_party(epoch, id).await?.ok_or(RefusalCode::NotFound)?;
        self.party_json(epoch, &row).await
    }

    /// `GET /v1/parties`.
    pub async fn parties(&self, after: Option<&PartyId>, limit: u32) -> Result<Value, Failure> {
        let epoch = self.seen().await?.rights_epoch;
        // Where the entries cannot be read, nobody is listed, and that is said.
        drop(self.followed(epoch).await?);
        let after = after.map(ToString::to_string).unwrap_or_default();
        let rows = self.store.party_rows(&after, limit.clamp(1, 200)).await?;
        let mut parties = Vec::with_capacity(rows.len());
        for id in rows.iter().filter_map(|(id, _)| id.parse::<PartyId>().ok()) {
            let told = async || {
                let row = self.registered_party(epoch, &id).await?;
                Ok(match row {
                    Some(row) => Some(self.party_json(epoch, &row).await?),
                    None => None,
                })
            };
            match told().await {
                Ok(party) => parties.extend(party),
                // One row that was changed, or cannot be read, keeps nobody from the others.
                Err(Failure::Corrupt(_) | Failure::Store(StoreError::Corrupt(_))) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(json!({"parties": parties, "cursor": rows.last().map(|(id, _)| id)}))
    }

    async fn party_json(&self, epoch: u64, row: &PartyRow) -> Result<Value, Failure> {
        let keys = self.registered_keys(epoch, &row.registration.party).await?;
        let keys: Result<Vec<Value>, Failure> = keys
            .iter()
            .map(|key| {
                let jwk: Value = serde_json::from_str(&key.jwk).map_err(|_| Failure::Corrupt("key"))?;
                let mut shown = json!({
                    "use": key.usage,
                    "kid": key.kid,
                    "jwk": jwk,
                    "state": key.state,
                    "nbf": key.nbf,
                    "naf": key.naf,
                    "log": {"idx": key.idx, "leaf": key.leaf},
                });
                if let (Value::Object(members), Some(since)) = (&mut shown, key.compromised_at) {
                    members.insert("compromised_at".to_owned(), json!(since));
                }
                Ok(shown)
            })
            .collect();
        Ok(json!({
            "party": row.registration.party,
            "name": row.registration.name,
            "state": row.state,
            "purposes": row.registration.purposes,
            "keys": keys?,
        }))
    }

    /// `POST /v1/parties`: register, update, suspend, readmit.
    pub async fn register_party(&self, caller: &Caller, call: &Call, body: &[u8]) -> Result<Accepted, Failure> {
        self.actor(caller, call, Allowed::Only(Purpose::Administration)).await?;
        self.may_begin(caller, Deed::RegisterParty).await?;
        let object = self.read_object::<PartyStatement>(caller, call, body).await?;
        let (object, claims) = (&object, &object.claims);
        call.note(|t| t.recipient = Some(claims.party.clone()));
        call.note(|t| {
            t.act = Some(match claims.act {
                PartyAct::Register => Act::Register,
                PartyAct::Update => Act::Update,
                PartyAct::Suspend => Act::Suspend,
                PartyAct::Readmit => Act::Readmit,
            });
        });
        let accepted = self.register(caller, call, object.identity(), |epoch| async move {
            self.may(caller, Deed::RegisterParty)?;
            let known = self.registered_party(epoch, &claims.party).await?;
            let conflict = |rule| Failure::from(Refusal::claim(RefusalCode::StateConflict, "party", rule));
            let missing = || Failure::from(Refusal::claim(RefusalCode::BadToken, "party", "registration"));
            let registration = claims.registration.clone().ok_or_else(missing);
            let stands = |registration: &Registration, state| {
                let stands = of_party(registration, state)?;
                call.note(|t| t.registered = vec![stands]);
                Ok::<_, LedgerError>(())
            };
            let (writes, narrows) = match (claims.act, known) {
                (PartyAct::Register, Some(_)) => return Err(conflict("already_registered")),
                (PartyAct::Register, None) => {
                    let key = claims.key.as_ref().ok_or_else(missing)?;
                    if self.registered_key(epoch, &key.jwk.thumbprint()).await?.is_some() {
                        return Err(Refusal::claim(RefusalCode::StateConflict, "key", "already_registered").into());
                    }
                    let (writes, registered) = first_rows(registration?, key)?;
                    call.note(|t| t.registered = registered);
                    (writes, false)
                }
                (_, None) => return Err(conflict("not_registered")),
                // An update may take purposes or certificates away, so it counts as narrowing.
                (PartyAct::Update, Some(row)) => {
                    let registration = registration?;
                    stands(&registration, row.state)?;
                    (vec![Write::Party(registration)], true)
                }
                (PartyAct::Suspend, Some(row)) => {
                    // Whoever says so of another stays itself, and can act: it has just signed.
                    if claims.party == *caller.party() {
                        self.keeps_an_operator(epoch, &claims.party).await?;
                    }
                    stands(&row.registration, PartyState::Suspended)?;
                    (vec![Write::PartyState(claims.party.clone(), PartyState::Suspended)], true)
                }
                (PartyAct::Readmit, Some(row)) => {
                    stands(&row.registration, PartyState::Active)?;
                    (vec![Write::PartyState(claims.party.clone(), PartyState::Active)], false)
                }
            };
            let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after.min(object.key_ends), case: None, consent: None };
            Ok((With { writes, ground: Some(ground), narrows, ..With::default() }, json!({"party": claims.party})))
        });
        let doubtful = claims.registration.is_some() && claims.party.has_doubtful_check_digit();
        let warnings = doubtful.then(|| Violation::of_claim("party", "check_digit")).into_iter().collect();
        Ok(Accepted { warnings, ..accepted.await? })
    }

    /// Nobody could register anybody, nor readmit an operator, once the last of them had suspended itself.
    async fn keeps_an_operator(&self, epoch: u64, leaving: &PartyId) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.store.parties(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Err(Refusal::claim(RefusalCode::StateConflict, "party", "last_operator").into());
            };
            let stays = |row: &PartyRow| {
                let party = &row.registration.party;
                party.kind() == PartyKind::Operator && party != leaving && row.state == PartyState::Active
            };
            for row in page.iter().filter(|row| stays(row)) {
                let party = &row.registration.party;
                // As its entry has it, and with a key that it can say so with.
                let stands = self.registered_party(epoch, party).await?.is_some_and(|row| row.state == PartyState::Active);
                if stands && self.has_a_signature_key(epoch, party, None).await? {
                    return Ok(());
                }
            }
            after = Some(last.registration.party.clone());
        }
    }
}

/// The rows of a new party with its first signature key, and what their entry commits to.
pub(super) fn first_rows(registration: Registration, key: &FirstKey) -> Result<(Vec<Write>, Vec<Registered>), LedgerError> {
    let kid = key.jwk.thumbprint();
    let row = KeyRow {
        kid,
        party: registration.party.clone(),
        usage: PartyKeyUse::Sig,
        jwk: key.jwk.jwk().to_string(),
        state: KeyState::Active,
        nbf: key.nbf,
        naf: key.naf,
        compromised_at: None,
        idx: 0,
        leaf: kid,
    };
    let registered = vec![of_party(&registration, PartyState::Active)?, of_key(&row)?];
    Ok((vec![Write::Party(registration), Write::Key(row)], registered))
}

/// Parties read at once.
const PAGE: u32 = 256;
