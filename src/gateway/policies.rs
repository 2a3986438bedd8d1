//! The policy set in use: the one in force in the ledger, as long as it is loaded here. Putting another in force is a ledger entry.
//!
//! Promises: a set that was read again waits until the ledger says that it is in force, so all gateways of a ledger change over at the same entry;
//! a decision taken by the old set is never committed behind it, because activation advances the rights epoch. Not here: reading the files.

use std::{
    ops::Deref,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Gateway,
    call::{Caller, Trail},
    failure::Failure,
    record::{GATEWAY_KEY, recorded},
};
use crate::{
    domain::{
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        refusal::{Refusal, RefusalCode},
    },
    ledger::Committed,
    message::disclosed::Pseudonym,
    policy::{Deed, PolicySet},
};

/// The sets that were loaded; behaves as the one in use. A set stays: a decision may still be looking at it, and distinct sets are few.
pub(crate) struct Policies {
    first: Loaded,
    in_use: AtomicUsize,
    /// The rights epoch in which the set in use was found in force: what an older head says comes too late.
    since: Mutex<u64>,
}

struct Loaded {
    set: PolicySet,
    next: OnceLock<Box<Self>>,
}

impl Policies {
    pub(super) fn new(set: PolicySet) -> Self {
        Self { first: Loaded { set, next: OnceLock::new() }, in_use: AtomicUsize::new(0), since: Mutex::new(0) }
    }

    fn loaded(&self) -> impl Iterator<Item = &PolicySet> {
        std::iter::successors(Some(&self.first), |loaded| loaded.next.get().map(Box::as_ref)).map(|loaded| &loaded.set)
    }

    /// Keeps a set for the time when it is in force.
    fn keep(&self, set: PolicySet) {
        if self.loaded().any(|known| known.digest() == set.digest()) {
            return;
        }
        let (mut last, mut new) = (&self.first, Box::new(Loaded { set, next: OnceLock::new() }));
        while let Err(again) = last.next.set(new) {
            new = again;
            match last.next.get() {
                Some(next) => last = next,
                None => return,
            }
        }
    }

    /// Uses the set that the head of the ledger names, if it is loaded.
    pub(super) fn follow(&self, in_force: Digest, epoch: u64) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch < *since {
            return;
        }
        // Raised even where nothing changes: a call that was held up since an older head must not bring that head's set back.
        *since = epoch;
        if let Some(place) = self.loaded().position(|set| set.digest() == in_force)
            && self.in_use.swap(place, Ordering::AcqRel) != place
        {
            tracing::info!(policy = %in_force, "the policies that were put in force are in use");
        }
    }
}

impl Deref for Policies {
    type Target = PolicySet;

    fn deref(&self) -> &PolicySet {
        self.loaded().nth(self.in_use.load(Ordering::Acquire)).unwrap_or(&self.first.set)
    }
}

impl Gateway {
    /// Takes a set that was read again. It is used from the moment it is in force; until then, and if it never is, the one in use stays.
    pub fn offer_policies(&self, set: PolicySet) {
        self.policy.keep(set);
    }

    /// Digest of the set in use.
    #[must_use]
    pub fn policies_in_use(&self) -> Digest {
        self.policy.digest()
    }

    /// Puts the loaded set in force for every gateway of the ledger. The entry has no actor: the gateway's owner did it at the machine; who that was
    /// stands in the opening. Nothing where it is in force already.
    ///
    /// # Errors
    /// When the ledger cannot record it.
    pub async fn activate_policies(&self, by: Option<&Pseudonym>) -> Result<Option<Committed>, Failure> {
        if self.store.head().await?.policy == self.policy.digest() {
            return Ok(None);
        }
        let mut trail = Trail::new(Operation::PolicyActivate);
        trail.staff = by.map(|staff| staff.as_str().to_owned());
        let entry = self.entry(None, &trail, EntryType::Policy, Outcome::Permit, None)?;
        let draft = self.draft(entry, &trail, Vec::new(), GATEWAY_KEY, None).await?;
        recorded(self.ledger.append(draft).await?).map(Some)
    }

    /// Refuses early what the policies do not let the caller do, so that no work is done for it. By the set in force only; whoever passes is asked
    /// again with [`Gateway::may`] where the call is decided, because another set may be in force by then.
    pub(super) async fn may_begin(&self, caller: &Caller, deed: Deed) -> Result<(), Failure> {
        if !self.decides_by(&caller.seen) && !self.decides_by(&self.seen().await?) {
            return Err(RefusalCode::PolicyMismatch.into());
        }
        Ok(self.may(caller, deed)?)
    }

    /// That the policies let the caller do this.
    pub(super) fn may(&self, caller: &Caller, deed: Deed) -> Result<(), Refusal> {
        let ruling = self.policy.may(caller.kind(), deed);
        if ruling.allow {
            return Ok(());
        }
        let rules = ruling.forbids.iter().map(ToString::to_string).collect();
        Err(Refusal { code: RefusalCode::OperationNotAllowed, violations: Vec::new(), rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> PolicySet {
        PolicySet::builtin().unwrap()
    }

    /// Another set that decides alike: one file more, with a comment.
    fn other() -> PolicySet {
        let (from, to) = (std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), tempfile::tempdir().unwrap());
        std::fs::create_dir(to.path().join("catalogue")).unwrap();
        for folder in ["", "catalogue"] {
            for entry in std::fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
                std::fs::copy(entry.path(), to.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
        std::fs::write(to.path().join("60_more.cedar"), "// another set\n").unwrap();
        PolicySet::load(to.path()).unwrap()
    }

    #[test]
    fn a_set_is_used_from_the_moment_it_is_in_force_and_an_old_head_brings_no_old_set_back() {
        let (old, new) = (published(), other());
        let (before, after) = (old.digest(), new.digest());
        assert_ne!(before, after);
        let policies = Policies::new(old);
        policies.follow(after, 7);
        assert_eq!(policies.digest(), before, "not loaded, so not used");
        policies.keep(new);
        assert_eq!(policies.digest(), before, "loaded, and not in force");
        policies.follow(after, 8);
        assert_eq!(policies.digest(), after);
        policies.follow(before, 7);
        assert_eq!(policies.digest(), after, "a head that was read before the change");
        policies.keep(published());
        assert_eq!(policies.loaded().count(), 2);
        policies.follow(before, 9);
        assert_eq!(policies.digest(), before, "put back in force");
    }

    #[test]
    fn a_head_that_is_older_than_the_last_one_seen_changes_nothing_even_if_that_one_changed_nothing() {
        let (old, new) = (published(), other());
        let (before, after) = (old.digest(), new.digest());
        let policies = Policies::new(old);
        policies.keep(new);
        policies.follow(before, 9);
        policies.follow(after, 8);
        assert_eq!(policies.digest(), before, "in force at 8, and no longer at 9");
        policies.follow(after, 10);
        policies.follow(after, 12);
        policies.follow(before, 11);
        assert_eq!(policies.digest(), after);
        let unknown = Digest::of(b"loaded elsewhere");
        policies.follow(unknown, 14);
        policies.follow(before, 13);
        assert_eq!(policies.digest(), after, "what is in force is not loaded here, and what was before it is not in force");
    }
}
