//! Parties, keys and agreements, read once in a rights epoch.
//!
//! Promises: every entry that changes one of them advances the epoch in its own transaction, whichever process writes it (`ledger.md` section 4). So
//! one look at the head answers for all of them, and what is kept here is never older than that look. What does not exist is not kept.
//! Not here: consents and cases. They change with the daily work and are read on every call.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Gateway, failure::Failure, register::signing_input_digest};
use crate::{
    domain::{
        agreement::{AgreementRecord, SignedAct},
        digest::Digest,
        entry::Outcome,
        ids::AgreementId,
        party::PartyId,
    },
    ledger::Entry,
    message::objects::{AgreementSignature, Signed},
    store::{AgreementActRow, AgreementRow, KeyRow, PartyKeyUse, PartyRow},
};

/// What was read in the newest epoch.
#[derive(Default)]
pub(super) struct Known {
    parties: Table<PartyId, PartyRow>,
    keys: Table<Digest, KeyRow>,
    keys_of: Table<PartyId, Vec<KeyRow>>,
    agreements: Table<(AgreementId, u32), KnownAgreement>,
}

/// An agreement version with what was done to it.
pub(super) struct KnownAgreement {
    pub row: AgreementRow,
    pub record: AgreementRecord,
}

impl Gateway {
    /// A party.
    pub(super) async fn party_in(&self, epoch: u64, id: &PartyId) -> Result<Option<Arc<PartyRow>>, Failure> {
        if let Some(row) = self.known.parties.get(epoch, id) {
            return Ok(Some(row));
        }
        Ok(self.registered_party(epoch, id).await?.map(|row| self.known.parties.keep(epoch, id.clone(), row)))
    }

    /// A key by its thumbprint.
    pub(super) async fn key_in(&self, epoch: u64, kid: &Digest) -> Result<Option<Arc<KeyRow>>, Failure> {
        if let Some(row) = self.known.keys.get(epoch, kid) {
            return Ok(Some(row));
        }
        Ok(self.registered_key(epoch, kid).await?.map(|row| self.known.keys.keep(epoch, *kid, row)))
    }

    /// All keys of a registered party, oldest first.
    pub(super) async fn keys_in(&self, epoch: u64, party: &PartyId) -> Result<Arc<Vec<KeyRow>>, Failure> {
        match self.known.keys_of.get(epoch, party) {
            Some(rows) => Ok(rows),
            None => Ok(self.known.keys_of.keep(epoch, party.clone(), self.registered_keys(epoch, party).await?)),
        }
    }

    /// An agreement version.
    pub(super) async fn agreement_in(&self, epoch: u64, id: &AgreementId, ver: u32) -> Result<Option<Arc<KnownAgreement>>, Failure> {
        let name = (id.clone(), ver);
        if let Some(known) = self.known.agreements.get(epoch, &name) {
            return Ok(Some(known));
        }
        // Boxed: it happens once in an epoch.
        let known = Box::pin(self.read_agreement(epoch, id, ver)).await?;
        Ok(known.map(|known| self.known.agreements.keep(epoch, name, known)))
    }

    async fn read_agreement(&self, epoch: u64, id: &AgreementId, ver: u32) -> Result<Option<KnownAgreement>, Failure> {
        // A version stands or falls with the others of its id.
        let versions = self.store.versions(id).await?;
        let Some(row) = versions.iter().find(|row| row.ver == ver).cloned() else { return Ok(None) };
        for version in &versions {
            self.all_signed(epoch, version).await?;
        }
        Ok(Some(KnownAgreement { record: record(&row, &versions)?, row }))
    }
}

impl Gateway {
    /// That each act on a version was signed, by the party that it is stored of, with a key of its own, about these very bytes: who writes into the database
    /// puts no agreement in force that was not so. That an act is gone, an inspection tells.
    async fn all_signed(&self, epoch: u64, row: &AgreementRow) -> Result<(), Failure> {
        let document = Digest::of(&row.document) == row.sha256;
        for act in &row.acts {
            let said = self.signed_act(epoch, act).await?;
            let named = (&said.agr.id, said.agr.ver, said.agr.sha256) == (&row.id, row.ver, row.sha256);
            if !document || !named || said.issued.iss != act.party || said.act != act.act {
                tracing::error!(agreement = %row.id, version = row.ver, "an act that is stored is not what its party signed: nothing rests on the agreement. Look with `tsunagi audit inspect`");
                return Err(Failure::Corrupt("agreement_act"));
            }
        }
        Ok(())
    }

    /// What a party signed, entered where its row says, checked once: a signature and an entry stay what they are, and the key that made it stays its
    /// party's. So an act that was taken back is not said again by a copy of it behind.
    async fn signed_act(&self, epoch: u64, act: &AgreementActRow) -> Result<Arc<AgreementSignature>, Failure> {
        let (corrupt, compact) = (|| Failure::Corrupt("agreement_act"), act.signature.as_str());
        let place = (Digest::of(compact.as_bytes()), act.idx);
        if let Some(said) = self.rights.act(&place) {
            return Ok(said);
        }
        let entry = self.store.entry(act.idx).await?.and_then(|row| serde_json::from_slice::<Entry>(&row.body).ok()).ok_or_else(corrupt)?;
        if entry.request != Some(signing_input_digest(compact))
            || entry.decision != Outcome::Permit
            || !entry.operation.is_about_agreements()
        {
            return Err(corrupt());
        }
        let signed = Signed::<AgreementSignature>::read(compact.as_bytes()).map_err(|_| corrupt())?;
        let key = self.key_in(epoch, &signed.kid()).await?.ok_or_else(corrupt)?;
        if key.usage != PartyKeyUse::Sig || signed.unproven().issued.iss != key.party {
            return Err(corrupt());
        }
        let said = signed.verify(&*self.rights.public_key(&key)?).map_err(|_| corrupt())?;
        Ok(self.rights.keep_act(place, &said))
    }
}

/// What an agreement row says among all versions of its id, which come in the order of their numbers.
pub(super) fn record(row: &AgreementRow, versions: &[AgreementRow]) -> Result<AgreementRecord, Failure> {
    let (mut chain, mut earlier) = (Vec::new(), Vec::new());
    for other in versions {
        match other.ver.cmp(&row.ver) {
            Ordering::Less => earlier.push(alone(other)?),
            Ordering::Equal => {}
            Ordering::Greater => chain.push(alone(other)?),
        }
    }
    let mut record = alone(row)?;
    if let Some(before) = earlier.iter().rfind(|before| before.is_accepted()) {
        let named = &record.agreement.parties;
        record.leaving = before.agreement.parties.iter().filter(|party| !named.contains(party)).cloned().collect();
    }
    record.successor = successor(&record, &chain).map(Arc::new);
    Ok(record)
}

/// The first later version that took the place of this one, with its own successor.
fn successor(record: &AgreementRecord, later: &[AgreementRecord]) -> Option<AgreementRecord> {
    let at = later.iter().position(|next| next.takes_the_place_of(record))?;
    let (first, rest) = later.get(at..)?.split_first()?;
    let mut next = first.clone();
    next.successor = successor(&next, rest).map(Arc::new);
    Some(next)
}

fn alone(row: &AgreementRow) -> Result<AgreementRecord, Failure> {
    let acts = row.acts.iter().map(|a| SignedAct { party: a.party.clone(), act: a.act }).collect();
    let agreement = serde_json::from_slice(&row.document).map_err(|_| Failure::Corrupt("agreement"))?;
    Ok(AgreementRecord { agreement, acts, leaving: Vec::new(), successor: None })
}

/// Rows of one epoch, the newest that was asked for.
struct Table<K, V>(Mutex<(u64, HashMap<K, Arc<V>>)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    /// A row that was read in this epoch.
    fn get(&self, epoch: u64, key: &K) -> Option<Arc<V>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 == epoch { held.1.get(key).cloned() } else { None }
    }

    /// Keeps a row that was read after the epoch was. It may be newer than the epoch, never older: who still decides in an epoch that is over is
    /// handed back by the sequencer.
    fn keep(&self, epoch: u64, key: K, row: V) -> Arc<V> {
        let row = Arc::new(row);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 < epoch || held.1.len() >= MOST {
            *held = (held.0.max(epoch), HashMap::new());
        }
        if held.0 == epoch {
            held.1.insert(key, Arc::clone(&row));
        }
        row
    }
}

/// Rows of one table: more than a prefecture has parties.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_given_only_in_the_epoch_it_was_read_in() {
        let table = Table::default();
        table.keep(3, "a", 1);
        assert_eq!(table.get(3, &"a").as_deref(), Some(&1));
        assert_eq!(table.get(4, &"a"), None, "whatever changed may have changed it");
        assert_eq!(table.get(2, &"a"), None);
        assert_eq!(table.get(3, &"b"), None);
    }

    #[test]
    fn a_new_epoch_forgets_the_old_one_and_an_old_one_leaves_nothing_behind() {
        let table = Table::default();
        table.keep(3, "a", 1);
        table.keep(4, "b", 2);
        assert_eq!((table.get(3, &"a"), table.get(4, &"a")), (None, None));
        assert_eq!(*table.keep(3, "b", 1), 1, "who reads in an old epoch gets what it read");
        assert_eq!(table.get(4, &"b").as_deref(), Some(&2));
    }

    #[test]
    fn a_full_table_starts_over() {
        let table = Table::default();
        for key in 0..=MOST {
            table.keep(1, key, ());
        }
        assert!(table.get(1, &MOST).is_some());
        assert!(table.get(1, &0).is_none());
    }
}
