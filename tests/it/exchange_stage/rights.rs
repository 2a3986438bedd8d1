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
    use tsunagi::ledger::{Actor, AgreementRef, MessageRef, Opening};

    use super::*;
    use crate::exchange_stage::{AUDITOR, CENTRE, MUNICIPALITY, ledger::tests::record, party::new_jti};

    /// Index 0 to 9: what a change makes of a release to the municipality, which the core centre reads for it.
    fn releases(consent: Jti, change: impl Fn(u64, &mut Record)) -> Vec<Record> {
        let release = |index| {
            let mut release = record(index, EntryType::Release, Operation::CaseRead);
            let (party, by): (PartyId, PartyId) = (MUNICIPALITY.parse().unwrap(), CENTRE.parse().unwrap());
            release.entry.actor = Some(Actor { party: party.clone(), cert: release.entry.request.unwrap(), acting_for: Some(by.clone()) });
            release.entry.recipient = Some(party);
            release.entry.agreement = Some(AgreementRef { id: id("AG-13-0001"), ver: 1, sha256: SET });
            release.entry.policy = Some(SET);
            release.opening = Some(Opening {
                case: Some(CASE),
                consent: Some(consent),
                message: Some(MessageRef { iss: by, jti: consent }),
                disclosed: vec!["family_name".parse().unwrap(), "birth_date".parse().unwrap()],
                ..Opening::default()
            });
            change(index, &mut release);
            release
        };
        (0..10).map(release).collect()
    }

    /// An entry that says what its object does.
    fn said(index: u64, entry_type: EntryType, operation: Operation, act: Option<Act>, change: impl Fn(&mut Record)) -> Record {
        let mut record = record(index, entry_type, operation);
        record.entry.act = act;
        record.entry.actor = Some(Actor { party: CENTRE.parse().unwrap(), cert: SET, acting_for: None });
        change(&mut record);
        record
    }

    fn ended_at_5(right: Right) -> Vec<Lapse> {
        vec![Lapse { right, from: 5, until: None }]
    }

    fn id(text: &str) -> AgreementId {
        text.parse().unwrap()
    }

    fn party(text: &str) -> PartyId {
        text.parse().unwrap()
    }

    fn row(name: &str) -> BTreeSet<FieldKey> {
        BTreeSet::from([name.parse().unwrap()])
    }

    fn consent(jti: Jti) -> Right {
        Right::Consent { jti, collector: party(CENTRE) }
    }

    /// What a release of the test rests on, and the same of somebody or something else.
    fn rights(jti: Jti) -> Vec<(Right, Right)> {
        let (own, other) = (id("AG-13-0001"), id("AG-13-0002"));
        let terms = |id: &AgreementId, ver, rows| Right::Terms { id: id.clone(), ver, rows };
        let delegation = |by: &str, to: &str| Right::Delegation { by: party(by), to: party(to) };
        let messages = |jti| Right::Messages(BTreeSet::from([jti]));
        let case = |case, of: &str| Right::Case { case, party: party(of) };
        vec![
            (consent(jti), consent(new_jti())),
            (Right::Rows { consent: jti, rows: row("birth_date") }, Right::Rows { consent: jti, rows: row("sex") }),
            (Right::Rows { consent: jti, rows: row("family_name") }, Right::Rows { consent: new_jti(), rows: row("family_name") }),
            (Right::Agreement(own.clone()), Right::Agreement(other.clone())),
            (terms(&own, 1, row("birth_date")), terms(&own, 2, row("birth_date"))),
            (terms(&own, 1, row("family_name")), terms(&own, 1, row("sex"))),
            (Right::Party(party(MUNICIPALITY)), Right::Party(party(AUDITOR))),
            (delegation(CENTRE, MUNICIPALITY), delegation(AUDITOR, MUNICIPALITY)),
            (messages(jti), messages(new_jti())),
            (case(CASE, MUNICIPALITY), case(CaseKey::from_uuid(uuid::Uuid::from_u128(2)), MUNICIPALITY)),
            (case(CASE, MUNICIPALITY), case(CASE, AUDITOR)),
            (Right::Policy(SET), Right::Policy(OTHER_SET)),
        ]
    }

    #[test]
    fn every_release_behind_the_end_of_its_right_is_found_and_no_other() {
        let jti = new_jti();
        let planted = releases(jti, |_, _| {});
        for (right, other) in rights(jti) {
            assert_eq!(resting_on(&planted, &right).len(), 10, "{right:?}");
            assert_eq!(breaches(&planted, &ended_at_5(right)), [6, 7, 8, 9]);
            assert_eq!(breaches(&planted, &ended_at_5(other.clone())), Vec::<u64>::new(), "{other:?}");
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
        for (right, _) in rights(jti) {
            assert_eq!(breaches(&releases(jti, refuse), &ended_at_5(right)), [8]);
        }
    }

    #[test]
    fn a_collector_looks_at_its_own_consent_whatever_became_of_it() {
        let jti = new_jti();
        let own = releases(jti, |_, release| {
            release.entry.operation = Operation::ConsentRead;
            release.entry.actor.as_mut().unwrap().party = party(CENTRE);
        });
        assert_eq!(breaches(&own, &ended_at_5(consent(jti))), Vec::<u64>::new());
    }

    #[test]
    fn a_submission_under_a_version_that_was_superseded_is_found_and_a_read_is_none() {
        let jti = new_jti();
        let version = Right::Version(id("AG-13-0001"), 1);
        let submit = |_, release: &mut Record| release.entry.entry_type = EntryType::Submission;
        assert_eq!(breaches(&releases(jti, submit), &ended_at_5(version.clone())), [6, 7, 8, 9]);
        assert_eq!(breaches(&releases(jti, submit), &ended_at_5(Right::Version(id("AG-13-0001"), 2))), Vec::<u64>::new());
        assert_eq!(breaches(&releases(jti, |_, _| {}), &ended_at_5(version)), Vec::<u64>::new());
    }

    #[test]
    fn a_right_that_came_back_is_breached_only_in_between() {
        let jti = new_jti();
        for (right, _) in rights(jti) {
            assert_eq!(breaches(&releases(jti, |_, _| {}), &[Lapse { right, from: 2, until: Some(5) }]), [3, 4]);
        }
    }

    #[test]
    fn the_ledger_itself_says_what_ended() {
        let jti = new_jti();
        let about = |record: &mut Record| record.opening = Some(Opening { consent: Some(jti), ..Opening::default() });
        let agreed = |record: &mut Record| {
            record.entry.agreement = Some(AgreementRef { id: id("AG-13-0001"), ver: 1, sha256: SET });
        };
        let decided = |set| move |record: &mut Record| record.entry.policy = Some(set);
        let end = said(2, EntryType::ConsentEnd, Operation::ConsentEnd, Some(Act::End), about);
        let suspend = |index| said(index, EntryType::AgreementSignature, Operation::AgreementSign, Some(Act::Suspend), agreed);
        let resume = said(5, EntryType::AgreementSignature, Operation::AgreementSign, Some(Act::Resume), agreed);
        let revoke = said(7, EntryType::AgreementSignature, Operation::AgreementSign, Some(Act::Revoke), agreed);
        let activate = |index, set| said(index, EntryType::Policy, Operation::PolicyActivate, None, decided(set));
        let cases: [(&[Record], &[u64]); 7] = [
            (std::slice::from_ref(&end), &[3, 4, 5, 6, 7, 8, 9]),
            (&[suspend(4)], &[5, 6, 7, 8, 9]),
            (&[suspend(2), resume.clone()], &[3, 4]),
            (&[suspend(2), resume.clone(), suspend(7)], &[3, 4, 8, 9]),
            (&[revoke], &[8, 9]),
            (&[activate(6, OTHER_SET)], &[7, 8, 9]),
            (&[activate(3, OTHER_SET), activate(6, SET)], &[4, 5]),
        ];
        for (spoken, found) in cases {
            let mut planted = releases(jti, |_, _| {});
            planted[1] = said(1, EntryType::Consent, Operation::ConsentRegister, None, about);
            for record in spoken {
                planted[usize::try_from(record.index).unwrap()] = record.clone();
            }
            assert_eq!(breaches(&planted, &told_by(&planted)), found, "{:?}", told_by(&planted));
        }
        let refused = said(2, EntryType::ConsentEnd, Operation::ConsentEnd, Some(Act::End), |record| {
            about(record);
            record.entry.decision = Outcome::Deny;
        });
        assert!(
            told_by(&[said(1, EntryType::Consent, Operation::ConsentRegister, None, about), refused]).is_empty(),
            "a refusal ends nothing"
        );
    }

    const SET: Digest = Digest([1; 32]);
    const OTHER_SET: Digest = Digest([2; 32]);
    const CASE: CaseKey = CaseKey::from_uuid(uuid::Uuid::from_u128(1));
}
