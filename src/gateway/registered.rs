//! Registered parties and keys beside the entries that registered them: the entry's opening commits to what was stored, so that whoever changes a row
//! in the database changes who is who for nobody.
//!
//! Promises: nothing is decided, sealed or published by a row that the newest entry about it does not say: neither what a party or key is nor how it
//! stands (suspended, retired, stolen), nor by keys of which one is gone. Each entry is read once, in the order of the ledger; rows are compared whenever
//! they are read. Entries of earlier versions commit to nothing: their rows are taken as they are until `tsunagi ledger record` records them.
//! Not here: that the entries are those of the ledger. Who rewrites them is found by `tsunagi audit inspect` and by whoever kept a checkpoint.

use serde::Serialize;
use tokio::sync::MutexGuard;

use super::{
    Gateway,
    failure::Failure,
    record::{GATEWAY_KEY, opening_context},
    registry::{Fit, Name, Registry},
};
use crate::{
    domain::{
        digest::Digest,
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

/// What the entries said, as far as they were read.
#[derive(Default)]
pub(super) struct Followed {
    registry: Registry,
    /// Every entry before this one was read.
    size: u64,
    /// A rights epoch in which nothing is missing here; none before the first look.
    epoch: Option<u64>,
    /// The leaf before `size`: where another stands there, what was read is gone.
    last: Option<[u8; 32]>,
}

/// Asks for what the entries say now, whatever epoch that is.
pub(super) const NOW: u64 = u64::MAX;

impl Gateway {
    /// A party, if its newest entry says what its row says. At least as new as the epoch.
    pub(super) async fn registered_party(&self, epoch: u64, id: &PartyId) -> Result<Option<PartyRow>, Failure> {
        for epoch in tries(epoch) {
            let Some(row) = self.store.party(id).await? else {
                let known = self.followed(epoch).await?.registry.knows(&Name::Party(id.clone()));
                if known {
                    continue;
                }
                return Ok(None);
            };
            if row.registration.party == *id && self.stands(epoch, &of_party(&row.registration, row.state)?, row.idx).await? {
                return Ok(Some(row));
            }
        }
        tracing::error!(party = %id, "the row of the party is not what its newest entry says: nothing is done by it. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("party"))
    }

    /// A key, if its newest entry says what its row says. At least as new as the epoch.
    pub(super) async fn registered_key(&self, epoch: u64, kid: &Digest) -> Result<Option<KeyRow>, Failure> {
        for epoch in tries(epoch) {
            let Some(row) = self.store.key(kid).await? else {
                let known = self.followed(epoch).await?.registry.knows(&Name::Key(*kid));
                if known {
                    continue;
                }
                return Ok(None);
            };
            if row.kid == *kid && self.stands(epoch, &of_key(&row)?, row.idx).await? {
                return Ok(Some(row));
            }
        }
        tracing::error!(key = %kid, "the row of the key is not what its newest entry says: nothing is done by it. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("party_key"))
    }

    /// All keys of a party, oldest first, if their newest entries say what their rows say and none is gone. At least as new as the epoch.
    pub(super) async fn registered_keys(&self, epoch: u64, party: &PartyId) -> Result<Vec<KeyRow>, Failure> {
        for epoch in tries(epoch) {
            let rows = self.store.keys(party).await?;
            if self.all_stand(epoch, party, &rows).await? {
                return Ok(rows);
            }
        }
        tracing::error!(%party, "the rows of the party's keys are not what their newest entries say: nothing is done by them. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("party_key"))
    }

    async fn all_stand(&self, epoch: u64, party: &PartyId, rows: &[KeyRow]) -> Result<bool, Failure> {
        for row in rows {
            if row.party != *party || !self.stands(epoch, &of_key(row)?, row.idx).await? {
                return Ok(false);
            }
        }
        let followed = self.followed(epoch).await?;
        Ok(followed.registry.keys_of(party).all(|kid| rows.iter().any(|row| row.kid == *kid)))
    }

    /// Whether something may be done by a row: its newest entry says what it says, or an earlier version registered it.
    async fn stands(&self, epoch: u64, is: &Registered, idx: u64) -> Result<bool, Failure> {
        Ok(matches!(self.fit(epoch, is, idx).await?, Fit::Says | Fit::Earlier))
    }

    /// How a row stands beside the newest entry about what it says. A row may be newer than what was read in an epoch.
    pub(super) async fn fit(&self, epoch: u64, is: &Registered, idx: u64) -> Result<Fit, Failure> {
        Ok(self.followed(epoch).await?.registry.fit(is, idx))
    }

    /// What the entries say, read as far as an epoch needs.
    pub(super) async fn followed(&self, epoch: u64) -> Result<MutexGuard<'_, Followed>, Failure> {
        let mut followed = self.followed.lock().await;
        if followed.epoch.is_some_and(|read| epoch <= read) {
            return Ok(followed);
        }
        // Boxed: it happens once in an epoch.
        Box::pin(self.follow(&mut followed)).await?;
        Ok(followed)
    }

    async fn follow(&self, followed: &mut Followed) -> Result<(), Failure> {
        let head = self.ledger.stored_head().await?;
        if head.size < followed.size || self.leaf_before(followed.size).await? != followed.last {
            // What was read never became safe and is gone: others stand there. What this process showed is not: see `SequencerHandle::stored_head`.
            *followed = Followed::default();
        }
        while followed.size < head.size {
            let rows = self.store.registrations(followed.size, head.size, PAGE).await?;
            let full = u32::try_from(rows.len()).is_ok_and(|found| found >= PAGE);
            let size = rows.last().filter(|_| full).map_or(head.size, |last| last.idx.saturating_add(1));
            // Everything that may fail or be broken off comes before the first of them is taken.
            let mut opened = Vec::with_capacity(rows.len());
            if !rows.is_empty() {
                let key = self.data_key(GATEWAY_KEY).await?;
                for row in rows {
                    opened.push((row.idx, read(row, &key).ok_or(Failure::Corrupt("entry"))?));
                }
            }
            followed.size = size;
            for (idx, (entry, beside)) in opened {
                match beside {
                    Beside::None => drop(followed.registry.next(idx, &entry, None)),
                    Beside::Opening(opening) => drop(followed.registry.next(idx, &entry, Some(&opening))),
                    Beside::Wrong => followed.registry.doubt(&entry),
                }
            }
        }
        (followed.last, followed.epoch) = (self.leaf_before(followed.size).await?, Some(head.rights_epoch));
        Ok(())
    }

    async fn leaf_before(&self, size: u64) -> Result<Option<[u8; 32]>, Failure> {
        let Some(idx) = size.checked_sub(1) else { return Ok(None) };
        Ok(self.store.leaf_hashes(idx, size).await?.first().copied())
    }
}

/// Entries read at once.
const PAGE: u32 = 256;
/// What is asked for each time a row is read that did not fit: it may have changed behind what was read of the entries, or they behind it.
const fn tries(epoch: u64) -> [u64; 3] {
    [epoch, NOW, NOW]
}

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
