//! What became of consents since messages were sent under them, and whom it concerns (`domain.md` section 10.3).
//!
//! Promises: what an end, a narrowing or a later consent takes from a party is told for that party alone, with the entry that took it. A consent that was
//! withdrawn never opens again what was sent under it: a later one of the same chain cannot be registered. A narrowed one is replaced as a whole by the
//! next that the person gives, so what that one covers is read again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Gateway, failure::Failure, rights::StandingConsent};
use crate::{
    domain::{
        codes::Purpose,
        consent::{ConsentHistory, ConsentState},
        ids::Jti,
        party::PartyId,
        time::Timestamp,
    },
    store::ConsentFate,
};

/// Consents that messages name, with all that took their place.
#[derive(Default)]
pub(super) struct Fates {
    fates: HashMap<Jti, ConsentFate>,
    /// Those of which something was taken, opened.
    opened: HashMap<Jti, Arc<StandingConsent>>,
}

/// Something that was taken from a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loss {
    /// The entry that took it.
    pub idx: u64,
    pub at: Timestamp,
    /// Whether the consent was withdrawn as a whole.
    pub whole: bool,
}

impl Gateway {
    /// What became of these consents.
    pub(super) async fn fates(&self, named: impl IntoIterator<Item = Jti>) -> Result<Fates, Failure> {
        let mut found = Fates::default();
        let mut asked: BTreeSet<Jti> = named.into_iter().collect();
        while !asked.is_empty() {
            let some: Vec<Jti> = std::mem::take(&mut asked).into_iter().collect();
            for fate in self.store.consent_fates(&some).await? {
                asked.extend(fate.superseded_by.filter(|next| !found.fates.contains_key(next)));
                found.fates.insert(fate.jti, fate);
            }
        }
        let replaced: BTreeSet<Jti> = found.fates.values().filter_map(|fate| fate.superseded_by).collect();
        let changed = |fate: &&ConsentFate| fate.ended || !fate.ends.is_empty() || replaced.contains(&fate.jti);
        let changed: Vec<Jti> = found.fates.values().filter(changed).map(|fate| fate.jti).collect();
        for jti in changed {
            // An erased consent says nothing any more.
            if let Some(consent) = self.consent(&jti).await? {
                found.opened.insert(jti, Arc::new(consent));
            }
        }
        Ok(found)
    }
}

impl Fates {
    /// What was taken from a party since the consent was given, in the order of the ledger.
    pub(super) fn losses(&self, named: &Jti, party: &PartyId) -> Vec<Loss> {
        let mut losses = Vec::new();
        let mut next = self.fates.get(named);
        while let Some(fate) = next {
            next = fate.superseded_by.and_then(|by| self.fates.get(&by));
            let Some(consent) = self.opened.get(&fate.jti) else { continue };
            // From whom nothing was left to take, nothing is taken: what becomes of the consent of others is not told.
            let mut left = consent.open.scope.covered(&ConsentHistory::default(), party);
            let mut history = ConsentHistory::default();
            for ((idx, at), taken) in fate.ends.iter().zip(&consent.narrowings) {
                history.narrowed.extend(taken.iter().flatten().cloned());
                let still = if taken.is_some() { consent.open.scope.covered(&history, party) } else { BTreeSet::new() };
                if still != left {
                    losses.push(Loss { idx: *idx, at: *at, whole: taken.is_none() });
                }
                left = still;
            }
            if let Some(later) = next
                && let Some(replacing) = self.opened.get(&later.jti)
                && !consent.covered(party).is_subset(&replacing.covered(party))
            {
                let (idx, at) = later.registered;
                losses.push(Loss { idx, at, whole: false });
            }
        }
        losses
    }

    /// Whether the consent that stands in the place of this one covers a party for nothing, though one before it did.
    pub(super) fn leaves_out(&self, named: &Jti, party: &PartyId) -> bool {
        let last = self.in_place(named).and_then(|last| self.opened.get(&last));
        last.is_some_and(|last| last.row.collector != *party && !last.concerns(party)) && !self.losses(named, party).is_empty()
    }

    /// The consent that stands in the place of this one.
    pub(super) fn in_place(&self, named: &Jti) -> Option<Jti> {
        let mut fate = self.fates.get(named)?;
        while let Some(next) = fate.superseded_by.and_then(|by| self.fates.get(&by)) {
            fate = next;
        }
        Some(fate.jti)
    }

    /// Whether nothing of what was sent to a party under this consent can be read there any more, because it was taken away.
    pub(super) fn closes(&self, named: &Jti, party: &PartyId, now: Timestamp) -> bool {
        let Some(consent) = self.in_place(named).and_then(|last| self.opened.get(&last)) else { return false };
        matches!(
            consent.open.scope.state_of_recipient(&consent.history, party, Purpose::ALL, now),
            ConsentState::Withdrawn | ConsentState::RecipientOutside | ConsentState::PurposeOutside
        )
    }
}
