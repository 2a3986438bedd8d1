//! Zero grace (`ledger.md` section 1, promise 6), as any auditor can check it: behind the entry that ended a right, no entry rests on it.

use std::collections::{BTreeMap, BTreeSet};

use tsunagi::domain::{
    digest::Digest,
    entry::{Act, EntryType, Operation, Outcome},
    field::FieldKey,
    ids::{AgreementId, CaseKey, Jti},
    party::PartyId,
};

use super::ledger::Record;

/// A right that ended with one entry and, perhaps, came back with another.
#[derive(Debug, Clone)]
pub(crate) struct Lapse {
    pub(crate) right: Right,
    /// Index of the entry that ended it.
    pub(crate) from: u64,
    /// Index of the entry that restored it.
    pub(crate) until: Option<u64>,
}

/// What disclosures and changes rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Right {
    /// A consent. Its collector may still look at it.
    Consent { jti: Jti, collector: PartyId },
    /// These rows, under a consent.
    Rows { consent: Jti, rows: BTreeSet<FieldKey> },
    /// An agreement.
    Agreement(AgreementId),
    /// A version of an agreement, for what is new: another took its place.
    Version(AgreementId, u32),
    /// These rows, under a version of an agreement.
    Terms { id: AgreementId, ver: u32, rows: BTreeSet<FieldKey> },
    /// To act and to receive, of a party; of its only signer too.
    Party(PartyId),
    /// To act for another party.
    Delegation { by: PartyId, to: PartyId },
    /// To be shown to anybody, of messages whose signer's key was stolen.
    Messages(BTreeSet<Jti>),
    /// The relation of a party to a case.
    Case { case: CaseKey, party: PartyId },
    /// To decide by, of a policy set.
    Policy(Digest),
}

/// Indexes of the entries that rest on a right that had ended.
pub(crate) fn breaches(records: &[Record], lapses: &[Lapse]) -> Vec<u64> {
    let breaks = |record: &&Record| {
        let lapsed = |lapse: &&Lapse| record.index > lapse.from && lapse.until.is_none_or(|until| record.index < until);
        record.entry.decision == Outcome::Permit && lapses.iter().filter(lapsed).any(|lapse| lapse.right.carries(record))
    };
    records.iter().filter(breaks).map(|record| record.index).collect()
}

/// Indexes of the permitted entries that rest on a right: what shows that a check had something to look at.
pub(crate) fn resting_on(records: &[Record], right: &Right) -> Vec<u64> {
    let rests = |record: &&Record| record.entry.decision == Outcome::Permit && right.carries(record);
    records.iter().filter(rests).map(|record| record.index).collect()
}

/// What ended, by the ledger's own words: the other half of a check, for a test might forget to say what it ended. A suspension is taken to end with
/// the first that resumes.
pub(crate) fn told_by(records: &[Record]) -> Vec<Lapse> {
    let mut lapses: Vec<Lapse> = Vec::new();
    let mut collectors = BTreeMap::new();
    let mut policy = None;
    for record in records.iter().filter(|record| record.entry.decision == Outcome::Permit) {
        let entry = &record.entry;
        let consent = record.opening.as_ref().and_then(|opening| opening.consent);
        let actor = entry.actor.as_ref().map(|actor| &actor.party);
        let agreement = entry.agreement.as_ref().map(|agreement| Right::Agreement(agreement.id.clone()));
        match (entry.entry_type, entry.act) {
            (EntryType::Consent, _) => collectors.extend(consent.zip(actor.cloned())),
            (EntryType::ConsentEnd, Some(Act::End)) => {
                let right = consent.and_then(|jti| Some(Right::Consent { jti, collector: collectors.get(&jti)?.clone() }));
                lapses.extend(right.map(|right| Lapse { right, from: record.index, until: None }));
            }
            (EntryType::AgreementSignature, Some(Act::Suspend | Act::Revoke)) => {
                lapses.extend(agreement.map(|right| Lapse { right, from: record.index, until: None }));
            }
            (EntryType::AgreementSignature, Some(Act::Resume)) => {
                for lapse in lapses.iter_mut().filter(|lapse| Some(&lapse.right) == agreement.as_ref()) {
                    lapse.until.get_or_insert(record.index);
                }
            }
            (EntryType::Policy, _) => {
                let before = std::mem::replace(&mut policy, entry.policy);
                for lapse in lapses.iter_mut().filter(|lapse| policy.is_some_and(|policy| lapse.right == Right::Policy(policy))) {
                    lapse.until.get_or_insert(record.index);
                }
                lapses.extend(before.map(|set| Lapse { right: Right::Policy(set), from: record.index, until: None }));
            }
            _ => policy = policy.or(entry.policy),
        }
    }
    lapses
}

impl Right {
    /// Whether an entry could not have been made without it.
    fn carries(&self, record: &Record) -> bool {
        let entry = &record.entry;
        let acts = |party: &PartyId| entry.actor.as_ref().is_some_and(|actor| actor.party == *party);
        let discloses = entry.entry_type == EntryType::Release;
        let consent = record.opening.as_ref().and_then(|opening| opening.consent);
        let shows = |rows: &BTreeSet<FieldKey>| {
            record.opening.as_ref().is_some_and(|opening| opening.disclosed.iter().any(|row| rows.contains(row)))
        };
        match self {
            Self::Consent { jti, collector } => {
                let looks_at_its_own = entry.operation == Operation::ConsentRead && acts(collector);
                consent == Some(*jti) && (discloses || entry.entry_type == EntryType::Submission) && !looks_at_its_own
            }
            Self::Rows { consent: jti, rows } => consent == Some(*jti) && discloses && shows(rows),
            Self::Agreement(id) => {
                let rests = matches!(entry.entry_type, EntryType::Release | EntryType::Submission);
                rests && entry.agreement.as_ref().is_some_and(|agreement| agreement.id == *id)
            }
            Self::Version(id, ver) => {
                let new = entry.entry_type == EntryType::Submission;
                new && entry.agreement.as_ref().is_some_and(|agreement| (&agreement.id, &agreement.ver) == (id, ver))
            }
            Self::Terms { id, ver, rows } => {
                let under = entry.agreement.as_ref().is_some_and(|agreement| (&agreement.id, &agreement.ver) == (id, ver));
                discloses && under && shows(rows)
            }
            Self::Delegation { by, to } => {
                entry.actor.as_ref().is_some_and(|actor| actor.party == *to && actor.acting_for.as_ref() == Some(by))
            }
            Self::Messages(stolen) => {
                let message = record.opening.as_ref().and_then(|opening| opening.message.as_ref());
                discloses && message.is_some_and(|message| stolen.contains(&message.jti))
            }
            Self::Case { case, party } => acts(party) && record.opening.as_ref().and_then(|opening| opening.case) == Some(*case),
            Self::Policy(set) => entry.entry_type != EntryType::Policy && entry.policy == Some(*set),
            Self::Party(party) => acts(party) || (discloses && entry.recipient.as_ref() == Some(party)),
        }
    }
}

mod tests {
    use tsunagi::ledger::{Actor, AgreementRef, Opening};

    use super::*;
    use crate::exchange_stage::{CENTRE, MUNICIPALITY, ledger::tests::record, party::new_jti};

    /// Index 0 to 9: what a change makes of a release to the municipality.
    fn releases(consent: Jti, change: impl Fn(u64, &mut Record)) -> Vec<Record> {
        let release = |index| {
            let mut release = record(index, EntryType::Release, Operation::CaseRead);
            let party: PartyId = MUNICIPALITY.parse().unwrap();
            release.entry.actor = Some(Actor { party: party.clone(), cert: release.entry.request.unwrap(), acting_for: None });
            release.entry.recipient = Some(party);
            release.entry.agreement =
                Some(AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: release.entry.request.unwrap() });
            release.opening = Some(Opening {
                consent: Some(consent),
                disclosed: vec!["family_name".parse().unwrap(), "birth_date".parse().unwrap()],
                ..Opening::default()
            });
            change(index, &mut release);
            release
        };
        (0..10).map(release).collect()
    }

    fn ended_at_5(right: Right) -> Vec<Lapse> {
        vec![Lapse { right, from: 5, until: None }]
    }

    fn consent(jti: Jti) -> Right {
        Right::Consent { jti, collector: CENTRE.parse().unwrap() }
    }

    fn rows(consent: Jti, row: &str) -> Right {
        Right::Rows { consent, rows: BTreeSet::from([row.parse().unwrap()]) }
    }

    #[test]
    fn every_release_behind_the_end_of_its_right_is_found() {
        let jti = new_jti();
        let planted = releases(jti, |_, _| {});
        let rights = [
            consent(jti),
            rows(jti, "birth_date"),
            Right::Agreement("AG-13-0001".parse().unwrap()),
            Right::Party(MUNICIPALITY.parse().unwrap()),
        ];
        for right in rights {
            assert_eq!(resting_on(&planted, &right).len(), 10, "{right:?}");
            assert_eq!(breaches(&planted, &ended_at_5(right)), [6, 7, 8, 9]);
        }
    }

    #[test]
    fn one_release_among_refusals_is_found() {
        let jti = new_jti();
        let refuse = |index, release: &mut Record| {
            if index > 5 && index != 8 {
                release.entry.entry_type = EntryType::Refusal;
                release.entry.decision = Outcome::Deny;
            }
        };
        assert_eq!(breaches(&releases(jti, refuse), &ended_at_5(consent(jti))), [8]);
    }

    #[test]
    fn what_does_not_rest_on_the_right_is_no_breach() {
        let jti = new_jti();
        let planted = releases(jti, |_, _| {});
        let others = [
            consent(new_jti()),
            rows(jti, "sex"),
            rows(new_jti(), "birth_date"),
            Right::Agreement("AG-13-0002".parse().unwrap()),
            Right::Party(CENTRE.parse().unwrap()),
        ];
        for right in others {
            assert_eq!(breaches(&planted, &ended_at_5(right)), Vec::<u64>::new());
        }
        let own = releases(jti, |_, release| {
            release.entry.operation = Operation::ConsentRead;
            release.entry.actor.as_mut().unwrap().party = CENTRE.parse().unwrap();
        });
        assert_eq!(breaches(&own, &ended_at_5(consent(jti))), Vec::<u64>::new());
    }

    #[test]
    fn a_right_that_came_back_is_breached_only_in_between() {
        let jti = new_jti();
        let lapse = Lapse { right: Right::Party(MUNICIPALITY.parse().unwrap()), from: 2, until: Some(5) };
        assert_eq!(breaches(&releases(jti, |_, _| {}), &[lapse]), [3, 4]);
    }
}
