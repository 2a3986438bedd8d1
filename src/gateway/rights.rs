//! Consents as they stand, read from the store on every call, after the rights epoch.
//!
//! What is kept is what cannot change: a parsed key and what seals to it by its thumbprint, an opened consent by the digest of its signed form. Whether a consent
//! was ended or narrowed is read every time.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Gateway, failure::Failure};
use crate::{
    domain::{
        codes::Purpose,
        consent::{Consent, ConsentHistory, Exception},
        digest::Digest,
        field::FieldClass,
        ids::{CaseKey, Jti},
        party::PartyId,
        refusal::RefusalCode,
        time::Timestamp,
    },
    ledger::Entry,
    message::{
        Verified,
        disclosed::Pseudonym,
        envelope::Sealer,
        keys::{KeyUse, PublicKey},
        objects::{AgreementSignature, ConsentEnd, ConsentGiven, Signed},
    },
    store::{ConsentRow, KeyRow, PartyKeyUse},
    vault,
};

/// Things that never change, by what identifies them.
#[derive(Default)]
pub(super) struct RightsCache {
    keys: Shelf<Digest, PublicKey>,
    sealers: Shelf<Digest, Sealer>,
    consents: Shelf<Digest, OpenConsent>,
    acts: Shelf<(Digest, u64), AgreementSignature>,
    /// Consents in whose place none had come, in a rights epoch.
    last: Shelf<(u64, Jti), ()>,
}

/// A consent whose signed form was opened and read.
#[derive(Debug)]
pub(super) struct OpenConsent {
    pub scope: Consent,
    /// The key that signed it.
    pub kid: Digest,
    /// Pseudonym of the person. Never logged, never in an entry.
    pub subject: Pseudonym,
    given: ConsentGiven,
}

/// A consent as it stands.
pub(super) struct StandingConsent {
    pub row: ConsentRow,
    pub open: Arc<OpenConsent>,
    pub history: ConsentHistory,
    /// When the last of its ends or narrowings was signed.
    pub last_end: Option<Timestamp>,
    /// What each of its ends took out, in their order; none: everything.
    pub narrowings: Vec<Option<Vec<Exception>>>,
}

impl StandingConsent {
    /// Whether it neither ended nor names a successor, as far as its rows say.
    pub(super) const fn is_said_to_stand(&self) -> bool {
        !self.history.ended && self.row.superseded_by.is_none()
    }

    /// What it covers for a party, whatever its time and its end.
    pub(super) fn covered(&self, party: &PartyId) -> BTreeSet<(Purpose, FieldClass)> {
        self.open.scope.covered(&self.history, party)
    }

    /// Whether it covers anything for a party, whatever its time and its end.
    pub(super) fn concerns(&self, party: &PartyId) -> bool {
        self.open.scope.covers_something(&self.history, party)
    }

    /// Whether an end that takes out these products, or everything, takes anything from a party that it still had.
    pub(super) fn loses(&self, party: &PartyId, narrow: Option<&Vec<Exception>>) -> bool {
        let before = self.covered(party);
        let Some(narrow) = narrow else { return !before.is_empty() };
        let mut history = self.history.clone();
        history.narrowed.extend(narrow.iter().cloned());
        before != self.open.scope.covered(&history, party)
    }
}

impl OpenConsent {
    /// The person as its collector knows it. Neither of the two holds a space.
    pub(super) fn person(&self) -> String {
        person(&self.given.issued.iss, &self.subject)
    }

    /// The consent whose place it took.
    pub(super) const fn before(&self) -> Option<Jti> {
        self.given.sup
    }

    /// The consent whose place it took, if a representative gave it: behind that, what the person said last.
    pub(super) fn before_representative(&self) -> Option<Jti> {
        self.given.sup.filter(|_| self.given.rep.is_some())
    }
}

impl RightsCache {
    /// The parsed public key of a row.
    pub(super) fn public_key(&self, row: &KeyRow) -> Result<Arc<PublicKey>, Failure> {
        self.keys.get_or(row.kid, || parse(row))
    }

    /// Keeps a consent that was opened, or was registered just now: what comes next rests on it, as a rule.
    pub(super) fn keep_consent(&self, sha256: Digest, kid: Digest, given: &ConsentGiven) -> Arc<OpenConsent> {
        let open = Arc::new(OpenConsent { kid, scope: given.scope(), subject: given.sub.clone(), given: given.clone() });
        self.consents.put(sha256, Arc::clone(&open));
        open
    }

    /// What a party said of an agreement, by the digest of its signed form and its entry, where that was checked.
    pub(super) fn act(&self, place: &(Digest, u64)) -> Option<Arc<AgreementSignature>> {
        self.acts.get(place)
    }

    /// Keeps what a party signed of an agreement.
    pub(super) fn keep_act(&self, place: (Digest, u64), said: &Verified<AgreementSignature>) -> Arc<AgreementSignature> {
        let said = Arc::new(AgreementSignature::clone(said));
        self.acts.put(place, Arc::clone(&said));
        said
    }

    /// Whether a consent was found to be the last of its chain in a rights epoch.
    pub(super) fn was_last(&self, place: &(u64, Jti)) -> bool {
        self.last.get(place).is_some()
    }

    /// Keeps that a consent was the last of its chain in a rights epoch.
    pub(super) fn keep_last(&self, place: (u64, Jti)) {
        self.last.put(place, Arc::new(()));
    }

    /// Forgets opened consents: some of them may have been erased by another process.
    pub(super) fn forget_consents(&self) {
        self.consents.clear();
        self.last.clear();
    }

    /// What seals to the key of a row.
    pub(super) fn sealer(&self, row: &KeyRow) -> Result<Arc<Sealer>, Failure> {
        self.sealers.get_or(row.kid, || Sealer::new(&parse(row)?).map_err(|_| Failure::Corrupt("key")))
    }
}

impl Gateway {
    /// A consent as it stands.
    pub(super) async fn consent(&self, jti: &Jti) -> Result<Option<StandingConsent>, Failure> {
        // What was erased is not there, whatever this process still remembers of it.
        let Some(row) = self.store.consent(jti).await?.filter(|row| !row.is_erased()) else { return Ok(None) };
        let open = if let Some(open) = self.rights.consents.get(&row.sha256) {
            open
        } else {
            let key = self.data_key(row.sealed.key).await?;
            let compact = vault::open(&key, &consent_context(jti), &row.sealed)?;
            // It was verified before it was stored, and its ciphertext is authenticated.
            let signed = Signed::<ConsentGiven>::read(&compact).map_err(|_| Failure::Corrupt("consent"))?;
            let (kid, claims) = (signed.kid(), signed.unproven());
            self.rights.keep_consent(row.sha256, kid, claims)
        };
        let providers_until = open.given.providers_until(self.policy.consent_terms());
        let mut history = ConsentHistory { ended: row.ended, narrowed: Vec::new(), providers_until };
        let (mut last_end, mut narrowings) = (None, Vec::new());
        for sealed in &row.ends {
            let key = self.data_key(sealed.key).await?;
            let compact = vault::open(&key, &consent_context(jti), sealed)?;
            let end = Signed::<ConsentEnd>::read(&compact).map_err(|_| Failure::Corrupt("consent end"))?;
            let end = end.unproven();
            history.narrowed.extend(end.narrow.iter().flatten().cloned());
            last_end = last_end.max(Some(end.issued.iat));
            narrowings.push(end.narrow.clone());
        }
        // The signed end counts: a column that an administrator of the database sets back gives nothing back.
        if !history.ended && narrowings.iter().any(Option::is_none) {
            tracing::error!(consent = %jti, "a consent that its end lies beside is said to stand: it is taken as ended. Look with `tsunagi audit inspect`");
            history.ended = true;
        }
        Ok(Some(StandingConsent { row, open, history, last_end, narrowings }))
    }

    /// That something was not signed with a stolen key: what was entered after the time its owner named is void (protocol section 1). The time of the
    /// entry counts, because a thief writes any other.
    pub(super) async fn not_void(&self, epoch: u64, kid: &Digest, idx: u64) -> Result<(), Failure> {
        let Some(since) = self.key_in(epoch, kid).await?.and_then(|key| key.compromised_at) else { return Ok(()) };
        let row = self.store.entry(idx).await?.ok_or(Failure::Corrupt("entry"))?;
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        if entry.time < since { Ok(()) } else { Err(RefusalCode::KeyRevoked.into()) }
    }

    /// The consent that stands in the place of this one: itself, or the last of those that superseded it. A later consent replaces an earlier one
    /// as a whole (`domain.md` section 10.3), so what was sent under the earlier is read under the later.
    pub(super) async fn consent_in_place(&self, jti: &Jti) -> Result<Option<StandingConsent>, Failure> {
        let mut consent = self.consent(jti).await?;
        while let Some((before, next)) = consent.as_ref().and_then(|consent| Some((consent.row.jti, consent.row.superseded_by?))) {
            // A consent supersedes when it is registered, and never again: the chain has an end.
            let later = self.consent(&next).await?.ok_or(Failure::Corrupt("consent"))?;
            // Where the next one lies is stored; that it took this one's place its collector signed.
            if later.open.before() != Some(before) {
                tracing::error!(consent = %before, "the consent that is said to stand in its place does not say so: nothing rests on it. Look with `tsunagi audit inspect`");
                return Err(Failure::Corrupt("consent.superseded_by"));
            }
            consent = Some(later);
        }
        if let Some(last) = &consent {
            self.stands_last(last).await?;
        }
        Ok(consent)
    }

    /// The case a consent is bound to: the first that used it, or the case of the consent whose place it took.
    pub(super) async fn case_of(&self, consent: &StandingConsent) -> Result<Option<CaseKey>, Failure> {
        let (mut case, mut before) = (consent.row.case, consent.open.given.sup);
        while let (None, Some(jti)) = (case, before) {
            let consent = self.consent(&jti).await?.ok_or(Failure::Corrupt("consent"))?;
            (case, before) = (consent.row.case, consent.open.given.sup);
        }
        Ok(case)
    }

    /// The case, unless it was erased: nothing is found by it any more, not even where its consent stays because another case rests on it.
    pub(super) async fn unless_erased(&self, case: Option<CaseKey>) -> Result<Option<CaseKey>, Failure> {
        let Some(case) = case else { return Ok(None) };
        let key = self.store.case_key(&case).await?.ok_or(Failure::Corrupt("case_"))?;
        Ok(self.store.data_key(&key).await?.map(|_| case))
    }
}

/// What the tag of a person is made of. A pseudonym is its collector's own: who made up the same one elsewhere means somebody else.
pub(super) fn person(collector: &PartyId, subject: &Pseudonym) -> String {
    format!("{collector} {}", subject.as_str())
}

/// What the ciphertexts of a consent and its ends are bound to.
pub(super) fn consent_context(jti: &Jti) -> Vec<u8> {
    format!("consent/{jti}").into_bytes()
}

fn parse(row: &KeyRow) -> Result<PublicKey, Failure> {
    let key = PublicKey::from_jwk_bytes(row.jwk.as_bytes(), usage(row)).map_err(|_| Failure::Corrupt("key"))?;
    // The row is named by its thumbprint: a key that was put there instead has another.
    if key.thumbprint() == row.kid { Ok(key) } else { Err(Failure::Corrupt("key")) }
}

const fn usage(row: &KeyRow) -> KeyUse {
    match row.usage {
        PartyKeyUse::Sig => KeyUse::Sig,
        PartyKeyUse::Enc => KeyUse::Enc,
    }
}

/// A bounded map of immutable things. When it is full it starts over: everything in it can be read again.
struct Shelf<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V> Shelf<K, V> {
    fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: Arc<V>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST {
            map.clear();
        }
        map.insert(key, value);
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn get_or(&self, key: K, make: impl FnOnce() -> Result<V, Failure>) -> Result<Arc<V>, Failure> {
        if let Some(found) = self.get(&key) {
            return Ok(found);
        }
        let made = Arc::new(make()?);
        self.put(key, Arc::clone(&made));
        Ok(made)
    }
}

const MOST: usize = 10_000;
