//! Registered parties and keys beside the entries that registered them: the entry's opening commits to what was stored, so that whoever changes a row
//! in the database changes who is who for nobody.
//!
//! Promises: nothing is decided, sealed or published by a row that the entry it names does not say. An entry is read once; rows are compared whenever
//! they are read. Entries of earlier versions commit to nothing: their rows are taken as they are until `tsunagi ledger record` records them.
//! Not here: how a key stands (retired, stolen), and a row that was put back to an earlier state of its own together with the entry it names.
//! `tsunagi audit inspect` finds those.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use super::{
    Gateway,
    failure::Failure,
    record::{GATEWAY_KEY, opening_context},
};
use crate::{
    domain::{
        digest::Digest,
        entry::{EntryType, Outcome},
        party::{PartyId, PartyState, Registration},
        time::Timestamp,
    },
    ledger::{Entry, LedgerError, Opening, Registered, SaltedOpening},
    store::{KeyRow, LedgerRow, PartyKeyUse, PartyRow},
    vault,
};

/// What a party is, as its entry commits to it.
pub(super) fn of_party(registration: &Registration, state: PartyState) -> Result<Registered, LedgerError> {
    Ok(Registered::Party { party: registration.party.clone(), sha256: canonical(registration)?, state })
}

/// What a key is, as its entry commits to it.
pub(super) fn of_key(row: &KeyRow) -> Result<Registered, LedgerError> {
    let form = KeyForm { kid: &row.kid, party: &row.party, usage: row.usage, jwk: &row.jwk, nbf: row.nbf, naf: row.naf };
    Ok(Registered::Key {
        key: row.kid,
        party: row.party.clone(),
        sha256: canonical(&form)?,
        state: row.state,
        compromised_at: row.compromised_at,
    })
}

/// What of a key never changes.
#[derive(Serialize)]
struct KeyForm<'a> {
    kid: &'a Digest,
    party: &'a PartyId,
    #[serde(rename = "use")]
    usage: PartyKeyUse,
    jwk: &'a str,
    nbf: Timestamp,
    naf: Timestamp,
}

fn canonical(form: &impl Serialize) -> Result<Digest, LedgerError> {
    Ok(Digest::of(&serde_json_canonicalizer::to_vec(form).map_err(|_| LedgerError::Canonical)?))
}

/// What an entry says of registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// These are registered, or stand so from now on.
    These(Vec<Registered>),
    /// Something of this party: an earlier version wrote the entry, which commits to nothing.
    Earlier(PartyId),
    /// Nothing.
    Nothing,
}

/// What an entry says with this opening, which is the one it commits to.
pub(super) fn said(entry: &Entry, opening: Option<&Opening>) -> Said {
    if entry.decision != Outcome::Permit {
        return Said::Nothing;
    }
    let of = match entry.entry_type {
        EntryType::Party => entry.recipient.as_ref(),
        EntryType::Key => entry.actor.as_ref().map(|actor| &actor.party),
        _ => return Said::Nothing,
    };
    match opening.filter(|opening| !opening.registered.is_empty()) {
        Some(opening) => Said::These(opening.registered.clone()),
        None => of.cloned().map_or(Said::Nothing, Said::Earlier),
    }
}

/// The opening that a row of the ledger carries, opened with the gateway's own key.
pub(super) enum Beside {
    /// The entry commits to none.
    None,
    /// It is the one that the entry commits to.
    Opening(Box<Opening>),
    /// It is gone, does not open, or is another.
    Wrong,
}

/// Reads a row of the ledger with its opening.
pub(super) fn read(row: LedgerRow, key: &vault::DataKey) -> Option<(Entry, Beside)> {
    let entry: Entry = serde_json::from_slice(&row.body).ok()?;
    let beside = match (row.opening, entry.open_c) {
        (None, None) => Beside::None,
        (Some(sealed), Some(commitment)) => {
            let opened = vault::open(key, &opening_context(entry.id), &sealed).ok();
            let salted = opened.and_then(|bytes| SaltedOpening::from_bytes(&bytes).ok()).filter(|salted| salted.opens(&commitment));
            salted.map_or(Beside::Wrong, |salted| Beside::Opening(Box::new(salted.opening)))
        }
        _ => Beside::Wrong,
    };
    Some((entry, beside))
}

/// How a row stands beside the entry it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The entry says so.
    Says,
    /// An earlier version registered it, and nothing commits to it.
    Earlier,
    /// The entry says otherwise, or nothing.
    Differs,
}

/// What entries said that were read: entries never change.
#[derive(Default)]
pub(super) struct SaidBy(Mutex<HashMap<u64, Arc<Said>>>);

impl Gateway {
    /// A party, if its entry says what its row says.
    pub(super) async fn registered_party(&self, id: &PartyId) -> Result<Option<PartyRow>, Failure> {
        let Some(row) = self.store.party(id).await? else { return Ok(None) };
        self.told_party(id, &row).await?;
        Ok(Some(row))
    }

    /// A key, if its entry says what its row says.
    pub(super) async fn registered_key(&self, kid: &Digest) -> Result<Option<KeyRow>, Failure> {
        let Some(row) = self.store.key(kid).await? else { return Ok(None) };
        self.told_key(&row).await?;
        Ok(Some(row))
    }

    /// All keys of a party, oldest first, if their entries say what their rows say.
    pub(super) async fn registered_keys(&self, party: &PartyId) -> Result<Vec<KeyRow>, Failure> {
        let rows = self.store.keys(party).await?;
        for row in &rows {
            self.told_key(row).await?;
        }
        Ok(rows)
    }

    /// That the entry a row names says what the row says, and that it is the row of this party.
    pub(super) async fn told_party(&self, id: &PartyId, row: &PartyRow) -> Result<(), Failure> {
        if row.registration.party == *id && self.fit_of_party(row).await? != Fit::Differs {
            return Ok(());
        }
        tracing::error!(party = %id, "the row of the party is not what its entry says: nothing is done by it. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("party"))
    }

    async fn told_key(&self, row: &KeyRow) -> Result<(), Failure> {
        if self.fit_of_key(row).await? != Fit::Differs {
            return Ok(());
        }
        tracing::error!(party = %row.party, key = %row.kid, "the row of the key is not what its entry says: nothing is done by it. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("party_key"))
    }

    /// A party's row names the newest entry about it.
    pub(super) async fn fit_of_party(&self, row: &PartyRow) -> Result<Fit, Failure> {
        let is = of_party(&row.registration, row.state)?;
        Ok(match &*self.said_by(row.idx).await? {
            Said::These(registered) if registered.contains(&is) => Fit::Says,
            Said::Earlier(party) if *party == row.registration.party => Fit::Earlier,
            _ => Fit::Differs,
        })
    }

    /// A key's row names the entry that registered it; how it stands may have changed since.
    pub(super) async fn fit_of_key(&self, row: &KeyRow) -> Result<Fit, Failure> {
        let Registered::Key { key, party, sha256, .. } = of_key(row)? else { return Ok(Fit::Differs) };
        let is =
            |said: &Registered| matches!(said, Registered::Key { key: k, party: p, sha256: s, .. } if (k, p, s) == (&key, &party, &sha256));
        Ok(match &*self.said_by(row.idx).await? {
            Said::These(registered) if registered.iter().any(is) => Fit::Says,
            Said::Earlier(of) if *of == party => Fit::Earlier,
            _ => Fit::Differs,
        })
    }

    async fn said_by(&self, idx: u64) -> Result<Arc<Said>, Failure> {
        if let Some(said) = self.said.0.lock().unwrap_or_else(PoisonError::into_inner).get(&idx) {
            return Ok(Arc::clone(said));
        }
        let row = self.store.entry(idx).await?;
        let told = match row {
            None => Said::Nothing,
            Some(row) => match read(row, &self.data_key(GATEWAY_KEY).await?) {
                Some((entry, Beside::None)) => said(&entry, None),
                Some((entry, Beside::Opening(opening))) => said(&entry, Some(&opening)),
                Some((_, Beside::Wrong)) | None => Said::Nothing,
            },
        };
        let told = Arc::new(told);
        if *told != Said::Nothing {
            let mut kept = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(idx, Arc::clone(&told));
        }
        Ok(told)
    }
}

/// Entries whose words are kept: more than a prefecture has parties and keys.
const MOST: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KeyState;

    fn key() -> KeyRow {
        KeyRow {
            kid: Digest([7; 32]),
            party: "auditor:tokyo".parse().unwrap(),
            usage: PartyKeyUse::Enc,
            jwk: "{}".to_owned(),
            state: KeyState::Active,
            nbf: Timestamp::from_secs(1),
            naf: Timestamp::from_secs(2),
            compromised_at: None,
            idx: 3,
            leaf: Digest([0; 32]),
        }
    }

    #[test]
    fn every_part_of_a_key_is_committed_to_and_its_place_is_not() {
        let said = of_key(&key()).unwrap();
        let changes: [fn(&mut KeyRow); 8] = [
            |row| row.kid = Digest([8; 32]),
            |row| row.party = "auditor:kyoto".parse().unwrap(),
            |row| row.usage = PartyKeyUse::Sig,
            |row| row.jwk.push(' '),
            |row| row.nbf = row.nbf.plus_micros(1),
            |row| row.naf = row.naf.plus_micros(1),
            |row| row.state = KeyState::Retired,
            |row| row.compromised_at = Some(Timestamp::from_secs(1)),
        ];
        for change in changes {
            let mut row = key();
            change(&mut row);
            assert_ne!(of_key(&row).unwrap(), said, "{row:?}");
        }
        assert_eq!(of_key(&KeyRow { idx: 9, leaf: Digest([1; 32]), ..key() }).unwrap(), said);
    }

    #[test]
    fn what_is_committed_to_reads_back_from_an_opening() {
        let mut compromised = key();
        (compromised.state, compromised.compromised_at) = (KeyState::Compromised, Some(Timestamp::from_micros(1_795_000_000_000_001)));
        let party = Registered::Party { party: compromised.party.clone(), sha256: Digest([1; 32]), state: PartyState::Suspended };
        let opening = Opening { registered: vec![party, of_key(&key()).unwrap(), of_key(&compromised).unwrap()], ..Opening::default() };
        let text = serde_json::to_string(&opening).unwrap();
        assert_eq!(serde_json::from_str::<Opening>(&text).unwrap(), opening, "{text}");
    }
}
