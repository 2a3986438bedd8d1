//! Whether another consent took the place of one whose row says that it stands.
//!
//! A pseudonym of one collector has one chain of consents, each with a data key of its own that is listed under the person, and each naming in its signed
//! form the one whose place it took. So the chain back from the last one holds exactly the keys that are listed: a key beyond them belongs to a consent
//! that was registered behind it.
//!
//! Promises: a row that was set back (`ended`, `superseded_by`) gives nothing back while the key of the successor is listed; in each rights
//! epoch one look-up for a consent and one for each before it. Not here: which consent took its place, and rows that are gone; an inspection names both.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use super::{Gateway, failure::Failure, rights::StandingConsent};
use crate::{domain::ids::Jti, store::DataKeyId};

impl Gateway {
    /// That a consent which its row says to stand is the last of its chain. One that ended, or whose successor its row names, is not asked.
    pub(super) async fn stands_last(&self, consent: &StandingConsent) -> Result<(), Failure> {
        let jti = consent.row.jti;
        if !consent.is_said_to_stand() {
            return Ok(());
        }
        // Read before the rows: a consent that takes its place meanwhile ends this epoch, and with it what is remembered.
        let place = (self.kept_in.load(Ordering::Acquire), jti);
        if self.rights.was_last(&place) {
            return Ok(());
        }
        let of_chain = self.keys_back_from(consent).await?;
        let person = self.vault.tag("subject", &consent.open.person());
        let listed: BTreeSet<DataKeyId> = self.store.person_keys(&person).await?.into_iter().collect();
        if of_chain == Some(listed) {
            self.rights.keep_last(place);
            return Ok(());
        }
        // Its row says so with the same commit that lists another key, or takes them all: then the epoch ended since it was read, and what rests on it is
        // decided again.
        if !self.consent(&jti).await?.is_some_and(|now| now.is_said_to_stand()) {
            return Ok(());
        }
        tracing::error!(consent = %jti, "a consent that is said to stand is not the last of its person: nothing rests on it. Look with `tsunagi audit inspect`");
        Err(Failure::Corrupt("consent.superseded_by"))
    }

    /// The data keys of a consent and of all whose place it took, one after the other. None: one of those is gone.
    async fn keys_back_from(&self, consent: &StandingConsent) -> Result<Option<BTreeSet<DataKeyId>>, Failure> {
        let (mut keys, mut before): (_, Option<Jti>) = (BTreeSet::from([consent.row.sealed.key]), consent.open.before());
        while let Some(jti) = before {
            let Some(consent) = self.consent(&jti).await? else { return Ok(None) };
            // What each names was registered before it: the chain has an end.
            keys.insert(consent.row.sealed.key);
            before = consent.open.before();
        }
        Ok(Some(keys))
    }
}
