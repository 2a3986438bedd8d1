//! Is the order of the ledger the order of the rights (`ledger.md` section 1, promise 6)? As far as entries and openings tell.
//!
//! What it sees: a release of a message behind the entry that ended its consent as a whole, that suspended or revoked its agreement, or that suspended
//! the party it went to. What such an entry did stands in its member `act`. An entry that does not say it may have narrowed or not: the releases
//! behind it are counted as undecided and never as a breach, because accusing a gateway that kept the order would be worse than saying nothing.
//!
//! What it does not see: the consent of a release whose opening was erased; which products a narrowing took out of a consent; consents and agreements
//! that were superseded (the entry names only the new one); rights that ended by time; retired keys; reassigned cases.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use serde_json::{Map, Value};

use super::report::{OrderCount, Problems};
use crate::{
    domain::{
        codes::LegalBasis,
        entry::{Act, EntryType, Operation, Outcome},
        ids::{AgreementId, Jti},
        party::PartyId,
    },
    ledger::Entry,
    text::audit::Finding,
};

/// Bases that rest on a consent in the catalogue as it is shipped; the others go without (protocol section 2, "Consent rules").
pub const CONSENT_BASES: &[LegalBasis] =
    &[LegalBasis::WithinPurpose, LegalBasis::Consent69_2_1, LegalBasis::Consent27, LegalBasis::Delegation66_2];

/// What was done to a right, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// Something that the export does not tell enough of.
    Unclear,
    /// It was taken away and may come back.
    Suspended,
    /// It was taken away for ever.
    Ended,
}

/// Rights that were taken away so far.
#[derive(Debug)]
pub(in crate::ledger) struct Order<'a> {
    consent_bases: &'a [LegalBasis],
    consents: HashMap<Jti, Right>,
    agreements: HashMap<(AgreementId, u32), Right>,
    parties: HashMap<PartyId, Right>,
    registered: HashSet<PartyId>,
    /// A consent was ended whose name was erased: it could be anyone's.
    unnamed_end: bool,
    count: OrderCount,
}

impl<'a> Order<'a> {
    pub(in crate::ledger) fn new(consent_bases: &'a [LegalBasis]) -> Self {
        Self {
            consent_bases,
            consents: HashMap::new(),
            agreements: HashMap::new(),
            parties: HashMap::new(),
            registered: HashSet::new(),
            unnamed_end: false,
            count: OrderCount::default(),
        }
    }

    pub(in crate::ledger) fn finish(self) -> OrderCount {
        self.count
    }

    /// Takes the next entry, with its opening if that is there and fits.
    pub(in crate::ledger) fn next(&mut self, index: u64, entry: &Entry, opened: Option<&Map<String, Value>>, problems: &mut Problems) {
        if entry.decision != Outcome::Permit {
            return;
        }
        match entry.entry_type {
            EntryType::ConsentEnd => match consent(opened) {
                Some(jti) => raise(&mut self.consents, jti, if entry.act == Some(Act::End) { Right::Ended } else { Right::Unclear }),
                None => self.unnamed_end = true,
            },
            EntryType::AgreementSignature => {
                let Some(agreement) = &entry.agreement else { return };
                let key = (agreement.id.clone(), agreement.ver);
                match entry.act {
                    Some(Act::Revoke) => raise(&mut self.agreements, key, Right::Ended),
                    Some(Act::Suspend) => raise(&mut self.agreements, key, Right::Suspended),
                    // It takes the resumption of every named party; who they are stands in the document, not here.
                    Some(Act::Resume) => {
                        if let Some(right) = self.agreements.get_mut(&key).filter(|right| **right == Right::Suspended) {
                            *right = Right::Unclear;
                        }
                    }
                    Some(_) => {}
                    None => raise(&mut self.agreements, key, Right::Unclear),
                }
            }
            EntryType::Party => {
                let Some(party) = entry.recipient.clone() else { return };
                let registers = self.registered.insert(party.clone());
                match entry.act {
                    Some(Act::Suspend) => raise(&mut self.parties, party, Right::Suspended),
                    Some(Act::Readmit) => {
                        self.parties.remove(&party);
                    }
                    // The first entry of a party can only register it.
                    None if !registers => raise(&mut self.parties, party, Right::Unclear),
                    _ => {}
                }
            }
            // A collector's look at its own consent rests on nothing else, and names no agreement.
            EntryType::Release
                if matches!(entry.operation, Operation::CaseRead | Operation::MessageRead)
                    || (entry.operation == Operation::ConsentRead && entry.agreement.is_some()) =>
            {
                self.release(index, entry, opened, problems);
            }
            _ => {}
        }
    }

    fn release(&mut self, index: u64, entry: &Entry, opened: Option<&Map<String, Value>>, problems: &mut Problems) {
        let rests_on_consent = entry.basis.is_none_or(|basis| self.consent_bases.contains(&basis));
        let consent = consent(opened);
        let of_consent = match &consent {
            Some(jti) if rests_on_consent => self.consents.get(jti).copied().or(self.unnamed_end.then_some(Right::Unclear)),
            _ => None,
        };
        let of_agreement = entry.agreement.as_ref().and_then(|a| self.agreements.get(&(a.id.clone(), a.ver)).copied());
        let reader = entry.recipient.as_ref().or(entry.actor.as_ref().map(|actor| &actor.party));
        let of_party = reader.and_then(|party| self.parties.get(party).copied());
        let found = [
            (of_consent, Finding::ReleaseAfterConsentEnd),
            (of_agreement, Finding::ReleaseAfterAgreementEnd),
            (of_party, Finding::ReleaseToSuspended),
        ];
        for (_, finding) in found.iter().filter(|(right, _)| *right > Some(Right::Unclear)) {
            problems.at(*finding, index);
        }
        self.count.releases += 1;
        if entry.open_c.is_some() && opened.is_none() {
            self.count.unopened += 1;
        } else if found.iter().any(|(right, _)| *right == Some(Right::Unclear)) {
            self.count.undecided += 1;
        } else {
            self.count.judged += 1;
        }
    }
}

/// A right that was taken away stays so, whatever unclear thing is done to it later.
fn raise<K: Hash + Eq>(rights: &mut HashMap<K, Right>, key: K, to: Right) {
    let right = rights.entry(key).or_insert(to);
    *right = to.max(*right);
}

fn consent(opened: Option<&Map<String, Value>>) -> Option<Jti> {
    opened?.get("consent")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::digest::Digest,
        ledger::{AgreementRef, Node},
    };

    const CONSENT: &str = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";
    const OTHER: &str = "7c0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4";

    fn entry(entry_type: EntryType, act: Option<Act>) -> Entry {
        let mut entry: Entry = serde_json::from_value(json!({
            "v": 1,
            "id": "019a9b3c-0000-7000-8000-000000000001",
            "type": entry_type,
            "time": "2026-11-18T11:06:40.000001Z",
            "gateway": Node { node: "gw-1".to_owned(), version: "0.1.0".to_owned() },
            "operation": if entry_type == EntryType::Release { "case.read" } else { "consent.end" },
            "recipient": "municipality:131016-1",
            "basis": "consent_27",
            "agreement": AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: Digest([0; 32]) },
            "open_c": Digest([1; 32]),
            "decision": "permit",
        }))
        .unwrap();
        entry.act = act;
        entry
    }

    fn run(steps: &[(Entry, Option<&str>)]) -> (Vec<(Finding, u64)>, OrderCount) {
        let (mut order, mut problems) = (Order::new(CONSENT_BASES), Problems::default());
        for (index, (entry, consent)) in (0..).zip(steps) {
            let opened = consent.map(|jti| json!({"consent": jti}).as_object().unwrap().clone());
            order.next(index, entry, opened.as_ref(), &mut problems);
        }
        (problems.finish().0.into_iter().map(|p| (p.finding, p.index.unwrap())).collect(), order.finish())
    }

    fn release() -> Entry {
        entry(EntryType::Release, None)
    }

    fn changed(mut entry: Entry, change: impl FnOnce(&mut Entry)) -> Entry {
        change(&mut entry);
        entry
    }

    #[test]
    fn a_release_behind_the_end_of_its_consent_is_a_breach() {
        let end = || entry(EntryType::ConsentEnd, Some(Act::End));
        assert_eq!(run(&[(release(), Some(CONSENT)), (end(), Some(CONSENT))]).0, []);
        assert_eq!(run(&[(end(), Some(CONSENT)), (release(), Some(OTHER))]).0, []);
        assert_eq!(run(&[(end(), Some(CONSENT)), (release(), Some(CONSENT))]).0, [(Finding::ReleaseAfterConsentEnd, 1)]);
        let later = entry(EntryType::ConsentEnd, Some(Act::Narrow));
        assert_eq!(
            run(&[(end(), Some(CONSENT)), (later, Some(CONSENT)), (release(), Some(CONSENT))]).0,
            [(Finding::ReleaseAfterConsentEnd, 2)]
        );
    }

    #[test]
    fn a_refused_end_ends_nothing_and_a_basis_without_consent_needs_none() {
        let refused = changed(entry(EntryType::ConsentEnd, Some(Act::End)), |e| e.decision = Outcome::Deny);
        assert_eq!(run(&[(refused, Some(CONSENT)), (release(), Some(CONSENT))]).0, []);
        let statute = changed(release(), |e| e.basis = Some(LegalBasis::Statute));
        assert_eq!(run(&[(entry(EntryType::ConsentEnd, Some(Act::End)), Some(CONSENT)), (statute, Some(CONSENT))]).0, []);
        // The collector's own look names no agreement; anybody else's rests on what a release rests on.
        let end = || (entry(EntryType::ConsentEnd, Some(Act::End)), Some(CONSENT));
        let looked = changed(release(), |e| e.operation = Operation::ConsentRead);
        assert_eq!(run(&[end(), (looked.clone(), Some(CONSENT))]).0, [(Finding::ReleaseAfterConsentEnd, 1)]);
        let consent_itself = changed(looked, |e| e.agreement = None);
        let (breaches, count) = run(&[end(), (consent_itself, Some(CONSENT))]);
        assert_eq!((breaches, count.releases), (vec![], 0));
    }

    #[test]
    fn what_cannot_be_told_is_counted_and_is_no_breach() {
        for act in [None, Some(Act::Narrow)] {
            let (breaches, count) = run(&[(entry(EntryType::ConsentEnd, act), Some(CONSENT)), (release(), Some(CONSENT))]);
            assert_eq!((breaches, count.undecided, count.judged), (vec![], 1, 0));
        }
        let (breaches, count) = run(&[(entry(EntryType::ConsentEnd, Some(Act::End)), None), (release(), Some(CONSENT)), (release(), None)]);
        assert_eq!((breaches, count), (vec![], OrderCount { releases: 2, judged: 0, unopened: 1, undecided: 1 }));
    }

    #[test]
    fn an_agreement_that_was_revoked_or_suspended_carries_nothing() {
        for act in [Act::Revoke, Act::Suspend] {
            let end = || (entry(EntryType::AgreementSignature, Some(act)), None);
            assert_eq!(run(&[end(), (release(), Some(CONSENT))]).0, [(Finding::ReleaseAfterAgreementEnd, 1)]);
            let other = changed(release(), |e| e.agreement.as_mut().unwrap().ver = 2);
            assert_eq!(run(&[end(), (other, Some(CONSENT))]).0, []);
        }
        let steps = [
            (entry(EntryType::AgreementSignature, Some(Act::Suspend)), None),
            (entry(EntryType::AgreementSignature, Some(Act::Resume)), None),
            (release(), Some(CONSENT)),
        ];
        assert_eq!(run(&steps), (vec![], OrderCount { releases: 1, judged: 0, unopened: 0, undecided: 1 }));
        let revoked = [
            (entry(EntryType::AgreementSignature, Some(Act::Revoke)), None),
            (entry(EntryType::AgreementSignature, Some(Act::Resume)), None),
            (release(), Some(CONSENT)),
        ];
        assert_eq!(run(&revoked).0, [(Finding::ReleaseAfterAgreementEnd, 2)], "a revocation is for ever");
        assert_eq!(run(&[(entry(EntryType::AgreementSignature, None), None), (release(), Some(CONSENT))]).1.undecided, 1);
        assert_eq!(run(&[(entry(EntryType::AgreementSignature, Some(Act::Accept)), None), (release(), Some(CONSENT))]).1.judged, 1);
    }

    #[test]
    fn a_suspended_party_receives_nothing_until_it_is_readmitted() {
        let of = |act| (entry(EntryType::Party, Some(act)), None);
        assert_eq!(run(&[of(Act::Register), of(Act::Suspend), (release(), None)]).0, [(Finding::ReleaseToSuspended, 2)]);
        assert_eq!(run(&[of(Act::Suspend), of(Act::Readmit), (release(), None)]).0, []);
        assert_eq!(run(&[(entry(EntryType::Party, None), None), (release(), None)]).1.undecided, 0);
        let twice = [(entry(EntryType::Party, None), None), (entry(EntryType::Party, None), None), (release(), Some(OTHER))];
        assert_eq!(run(&twice).1.undecided, 1);
        let other = changed(release(), |e| e.recipient = Some("municipality:131024-1".parse().unwrap()));
        assert_eq!(run(&[of(Act::Suspend), (other, None)]).0, []);
    }
}
