//! From a trail to an entry: the one place where drafts are made, permits and refusals alike.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{
    Gateway,
    call::{Call, Caller, Trail},
    failure::Failure,
    tags::tags,
};
use crate::{
    domain::{
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        party::PartyId,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    ledger::{Actor, Answer, Committed, Draft, Entry, Ground, LedgerError, Once, Opening, SaltedOpening},
    store::{DataKeyId, Sealed, Write},
    vault::{self, DataKey},
};

/// The data key that seals what belongs to no case and no person.
pub const GATEWAY_KEY: DataKeyId = DataKeyId(uuid::Uuid::nil());

/// What goes with an entry besides the trail.
#[derive(Debug, Default)]
pub(super) struct With {
    pub writes: Vec<Write>,
    pub object: Option<Once>,
    pub ground: Option<Ground>,
    pub narrows: bool,
    /// The data key of the opening, where it is at hand: new with this entry and not in the store yet, or read for it.
    pub key: Option<DataKey>,
}

impl With {
    /// Nothing but the entry, which rests on who calls.
    pub(super) fn on(caller: &Caller, epoch: u64) -> Self {
        let ground = Ground { rights_epoch: epoch, valid_until: caller.not_after, case: None, consent: None };
        Self { ground: Some(ground), ..Self::default() }
    }
}

impl Gateway {
    /// The draft of a permitted call. Whatever it rests on, it also rests on the caller's certificate and on the keys that signed for it.
    pub(super) async fn permit(&self, caller: &Caller, trail: &Trail, with: With) -> Result<Draft, Failure> {
        let shred = trail.shred.unwrap_or(GATEWAY_KEY);
        let entry = self.entry(Some(caller), trail, trail.entry_type(), Outcome::Permit, None)?;
        let mut draft = self.draft(entry, trail, Vec::new(), shred, with.key.as_ref()).await?;
        draft.writes = with.writes;
        draft.object = with.object;
        draft.ground = with.ground.map(|ground| grounded(caller, trail, ground));
        draft.narrows = with.narrows;
        Ok(draft)
    }

    /// Records a refusal. Beyond the party's budget it is counted and summarised instead (`ledger.md` section 1, promise 2).
    ///
    /// # Errors
    /// When the ledger cannot record: then the caller gets 503 instead of the refusal.
    pub async fn refuse(self: &Arc<Self>, caller: &Caller, call: &Call, refusal: &Refusal) -> Result<(), Failure> {
        let (gateway, caller, trail, refusal) = (Arc::clone(self), caller.clone(), call.trail(), refusal.clone());
        if !self.refusals.spend((caller.party().clone(), trail.operation), self.clock.now()) {
            return Ok(());
        }
        // On a task of its own: who hangs up before the answer has still been refused.
        let recording = tokio::spawn(async move { gateway.record_refusal(&caller, trail, &refusal).await });
        recording.await.map_err(|_| LedgerError::Closed)?
    }

    async fn record_refusal(&self, caller: &Caller, mut trail: Trail, refusal: &Refusal) -> Result<(), Failure> {
        if refusal.code == RefusalCode::ActorReplayed {
            // The token is used already; its second use is what is recorded.
            trail.actor = None;
        }
        for again in 0..MOST_TRIES {
            let answer = if again < 2 {
                let epoch = self.store.head().await?.rights_epoch;
                self.ledger.append(self.refusal_draft(caller, &mut trail, refusal, epoch).await?).await?
            } else {
                let turn = self.ledger.exclusive().await?;
                let draft = self.refusal_draft(caller, &mut trail, refusal, turn.rights_epoch()).await?;
                turn.append(draft).await?
            };
            match answer {
                Answer::Committed(_) => return Ok(()),
                // The token was used elsewhere meanwhile; the refusal is recorded all the same.
                Answer::ActorReplayed => trail.actor = None,
                Answer::Stale => {}
                Answer::Known { .. } | Answer::Conflict => break,
            }
        }
        Err(LedgerError::Unavailable.into())
    }

    /// `epoch` was read before. What is sealed under a key that can be destroyed rests on it: no entry behind an erasure is sealed under its keys.
    async fn refusal_draft(&self, caller: &Caller, trail: &mut Trail, refusal: &Refusal, epoch: u64) -> Result<Draft, Failure> {
        let shred = self.shred_of_refusal(trail).await?;
        let mut entry = self.entry(Some(caller), trail, EntryType::Refusal, Outcome::Deny, Some(refusal.code.as_str()))?;
        entry.rules = refusal.rules.clone();
        entry.rules.truncate(MOST_RULES);
        let violations = refusal.violations.iter().map(|v| format!("{}:{}", v.field, v.rule)).collect();
        let mut draft = self.draft(entry, trail, violations, shred, None).await?;
        if shred != GATEWAY_KEY {
            draft.ground = Some(Ground { rights_epoch: epoch, valid_until: Timestamp::from_micros(i64::MAX), case: None, consent: None });
        }
        Ok(draft)
    }

    /// The data key a refusal is sealed under. Of what was erased, nothing is written down again.
    async fn shred_of_refusal(&self, trail: &mut Trail) -> Result<DataKeyId, Failure> {
        let Some(key) = trail.shred else { return Ok(GATEWAY_KEY) };
        if self.store.data_key(&key).await?.is_some() {
            return Ok(key);
        }
        (trail.case, trail.consent, trail.named, trail.message) = (None, None, None, None);
        Ok(GATEWAY_KEY)
    }

    /// Writes one summary per party and operation of the refusals that exceeded the budget. Called once a minute.
    pub async fn summarise_refusals(&self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for (of, count) in self.refusals.take_excess() {
            if let Err(failure) = self.summarise(EntryType::RefusalSummary, Some(of.clone()), count).await {
                // Not dropped: it goes into the next summary. One whose outcome is unknown may be counted twice.
                self.refusals.give_back(&of, count);
                outcome = Err(failure);
            }
        }
        outcome
    }

    async fn summarise(&self, entry_type: EntryType, of: Option<(PartyId, Operation)>, count: u64) -> Result<(), Failure> {
        let operation = of.as_ref().map_or(Operation::Gateway, |(_, operation)| *operation);
        let mut entry = self.entry(None, &Trail::new(operation), entry_type, Outcome::Deny, None)?;
        entry.recipient = of.map(|(party, _)| party);
        entry.count = Some(count);
        self.ledger.append(Draft::of_gateway(entry)).await?;
        Ok(())
    }

    /// Writes one summary of the connections and calls that failed before a party was known. Called once a minute at most.
    pub async fn summarise_unauthenticated(&self, count: u64) -> Result<(), Failure> {
        if count > 0 { self.summarise(EntryType::UnauthSummary, None, count).await } else { Ok(()) }
    }

    pub(super) fn entry(
        &self,
        caller: Option<&Caller>,
        trail: &Trail,
        entry_type: EntryType,
        decision: Outcome,
        reason: Option<&str>,
    ) -> Result<Entry, Failure> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Entry {
            v: 1,
            id: self.ids.v7()?,
            entry_type,
            time: Timestamp::default(),
            gateway: self.node.clone(),
            actor: caller.map(|c| Actor { party: c.party().clone(), cert: c.certificate, acting_for: trail.acting_for.clone() }),
            recipient: trail.recipient.clone(),
            operation: trail.operation,
            act: trail.act,
            purpose: trail.purpose,
            basis: trail.basis,
            kind: trail.kind,
            schema: trail.schema.clone(),
            agreement: trail.agreement.clone(),
            decision,
            reason: reason.map(str::to_owned),
            rules: trail.rules.iter().take(MOST_RULES).cloned().collect(),
            policy: Some(trail.policy.unwrap_or_else(|| self.policy.digest())),
            request: trail.request,
            sd_hash: trail.sd_hash,
            rel: trail.rel,
            shown: trail.counts.then(|| count(trail.disclosed.len())),
            count: None,
            open_c: None,
            reopens: None,
        })
    }

    pub(super) async fn draft(
        &self,
        mut entry: Entry,
        trail: &Trail,
        violations: Vec<String>,
        shred: DataKeyId,
        at_hand: Option<&DataKey>,
    ) -> Result<Draft, Failure> {
        let opening = Opening {
            case: trail.case,
            consent: trail.consent,
            named: trail.named,
            cases: trail.cases.clone(),
            staff: trail.staff.clone(),
            message: trail.message.clone(),
            further: trail.further.clone(),
            disclosed: trail.disclosed.clone(),
            withheld: trail.withheld.clone(),
            violations,
            statistics: trail.statistics.clone(),
            // What was refused was not registered.
            registered: if entry.decision == Outcome::Permit { trail.registered.clone() } else { Vec::new() },
            ..Opening::default()
        };
        let tags = tags(&self.vault, &entry, &opening, &trail.classes);
        let opening = if opening == Opening::default() {
            None
        } else {
            let (sealed, commitment) = match at_hand {
                Some(key) => Self::seal_opening(key, shred, entry.id, opening)?,
                None => Self::seal_opening(&self.data_key(shred).await?, shred, entry.id, opening)?,
            };
            entry.open_c = Some(commitment);
            Some(sealed)
        };
        Ok(Draft { entry, opening, tags, writes: Vec::new(), object: None, actor: trail.actor.clone(), ground: None, narrows: false })
    }

    pub(super) fn seal_opening(key: &DataKey, shred: DataKeyId, entry: uuid::Uuid, opening: Opening) -> Result<(Sealed, Digest), Failure> {
        let salted = SaltedOpening::new(opening)?;
        Ok((vault::seal(key, shred, &opening_context(entry), &salted.to_bytes()?)?, salted.commitment()?))
    }
}

/// The entry of a call that used no id but that of its actor token.
pub(super) fn recorded(answer: Answer) -> Result<Committed, Failure> {
    match answer {
        Answer::Committed(committed) => Ok(committed),
        Answer::ActorReplayed => Err(RefusalCode::ActorReplayed.into()),
        Answer::Known { .. } | Answer::Conflict | Answer::Stale => Err(LedgerError::Unavailable.into()),
    }
}

/// A ground that also ends with the caller's certificate and with the keys that signed for the call.
pub(super) fn grounded(caller: &Caller, trail: &Trail, mut ground: Ground) -> Ground {
    let keys_end = trail.keys_end.unwrap_or(ground.valid_until);
    ground.valid_until = ground.valid_until.min(caller.not_after).min(keys_end);
    ground
}

/// What an opening's ciphertext is bound to.
pub(super) fn opening_context(entry: uuid::Uuid) -> Vec<u8> {
    format!("opening/{entry}").into_bytes()
}

impl Gateway {
    /// Counts a call that changes rights against what its party may change. Once per call, however often it is decided. The end or narrowing of a
    /// consent is never put off: it takes effect with its entry, and the narrowings of one consent are bounded by themselves.
    pub(super) fn spend_change(&self, caller: &Caller, call: &Call) -> Result<(), Refusal> {
        if changes_rights(&call.trail()) && self.changes.check_key(caller.party()).is_err() {
            return Err(RefusalCode::RateLimited.into());
        }
        Ok(())
    }
}

/// Whether a call changes rights and is counted.
const fn changes_rights(trail: &Trail) -> bool {
    match trail.operation {
        Operation::PartyRegister | Operation::KeyRegister | Operation::AgreementPropose | Operation::AgreementSign => true,
        Operation::ConsentRegister => trail.supersedes,
        _ => false,
    }
}

/// Changes of rights that one party may make: each hands every decision in work back to its maker (protocol section 6, narrowing caps).
pub(super) fn changes_per_party() -> DefaultKeyedRateLimiter<PartyId> {
    RateLimiter::keyed(Quota::per_second(CHANGES_PER_SECOND).allow_burst(CHANGES_AT_ONCE))
}

const CHANGES_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();
const CHANGES_AT_ONCE: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// A leaf stays under 4 KiB: more determining policies than this do not exist for one message of the published kinds.
pub(super) const MOST_RULES: usize = 48;

/// How often a refusal is written down before its caller gets 503 instead: twice in the crowd, then under the head lock.
const MOST_TRIES: u32 = 4;

/// How many refusals of one party and operation become entries of their own: 60, refilled by one a second.
const BUDGET: i64 = 60;

/// Refusal budgets per party and operation: noise on one route does not hide what is tried on another.
#[derive(Debug, Default)]
pub(super) struct RefusalBudget {
    budgets: Mutex<BTreeMap<(PartyId, Operation), Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    left: i64,
    at: Timestamp,
    excess: u64,
}

impl RefusalBudget {
    /// Takes one from the budget; `false` when it is used up and the refusal was counted instead.
    fn spend(&self, of: (PartyId, Operation), now: Timestamp) -> bool {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = budgets.entry(of).or_insert(Spent { left: BUDGET, at: now, excess: 0 });
        let refill = now.secs().saturating_sub(spent.at.secs()).max(0);
        if refill > 0 {
            spent.left = spent.left.saturating_add(refill).min(BUDGET);
            spent.at = now;
        }
        if spent.left > 0 {
            spent.left -= 1;
            true
        } else {
            spent.excess += 1;
            false
        }
    }

    /// What could not be summarised waits for the next summary.
    fn give_back(&self, of: &(PartyId, Operation), count: u64) {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spent) = budgets.get_mut(of) {
            spent.excess = spent.excess.saturating_add(count);
        }
    }

    fn take_excess(&self) -> Vec<((PartyId, Operation), u64)> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.iter_mut().filter(|(_, s)| s.excess > 0).map(|(of, s)| (of.clone(), std::mem::take(&mut s.excess))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::party::PartyState, gateway::call::Seen, store::PartyRow};

    #[test]
    fn changes_of_rights_are_counted_and_the_end_of_a_consent_is_not() {
        let counted = |operation, supersedes| {
            let mut trail = Trail::new(operation);
            trail.supersedes = supersedes;
            changes_rights(&trail)
        };
        for operation in [Operation::PartyRegister, Operation::KeyRegister, Operation::AgreementPropose, Operation::AgreementSign] {
            assert!(counted(operation, false), "{operation}");
        }
        assert!(counted(Operation::ConsentRegister, true) && !counted(Operation::ConsentRegister, false));
        for operation in [Operation::ConsentEnd, Operation::ReferralSubmit, Operation::Acknowledge, Operation::CaseRead, Operation::Explain]
        {
            assert!(!counted(operation, false), "{operation}");
        }
        let (changes, party) = (changes_per_party(), "auditor:tokyo".parse::<PartyId>().unwrap());
        assert!((0..CHANGES_AT_ONCE.get()).all(|_| changes.check_key(&party).is_ok()));
        assert!((0..CHANGES_AT_ONCE.get()).any(|_| changes.check_key(&party).is_err()));
    }

    #[test]
    fn a_ground_ends_with_the_certificate_and_with_the_keys_that_signed() {
        let registration = serde_json::json!({"party": "auditor:tokyo", "name": {"ja": "監査", "en": "Audit"}, "purposes": []});
        let row = PartyRow { registration: serde_json::from_value(registration).unwrap(), state: PartyState::Active, idx: 0 };
        let seen = Seen { rights_epoch: 7, policy: Digest::of(b"policies") };
        let caller = Caller { row: Arc::new(row), certificate: Digest::of(b"certificate"), not_after: Timestamp::from_secs(50), seen };
        let until = |decided: i64, keys: &[i64]| {
            let mut trail = Trail::new(Operation::Explain);
            for end in keys {
                trail.rests_on(Timestamp::from_secs(*end));
            }
            let ground = Ground { rights_epoch: 7, valid_until: Timestamp::from_secs(decided), case: None, consent: None };
            grounded(&caller, &trail, ground).valid_until.secs()
        };
        assert_eq!((until(90, &[]), until(20, &[]), until(90, &[40, 30]), until(20, &[30])), (50, 20, 30, 20));
    }

    #[test]
    fn refusals_beyond_the_budget_are_counted_and_none_is_lost() {
        let budget = RefusalBudget::default();
        let of = |operation| ("auditor:tokyo".parse::<PartyId>().unwrap(), operation);
        let (read, unknown) = (of(Operation::CaseRead), of(Operation::Unknown));
        let now = Timestamp::from_secs(1_000);
        let recorded = (0..100).filter(|_| budget.spend(unknown.clone(), now)).count();
        assert_eq!(recorded, 60);
        assert!(budget.spend(read, now), "another operation has a budget of its own");
        assert_eq!(budget.take_excess(), vec![(unknown.clone(), 40)]);
        budget.give_back(&unknown, 40);
        assert_eq!(budget.take_excess(), vec![(unknown.clone(), 40)], "a summary that failed");
        assert_eq!(budget.take_excess(), vec![]);
        assert!(budget.spend(unknown.clone(), now.plus_secs(1)));
        assert!(!budget.spend(unknown, now.plus_secs(1)));
    }
}
