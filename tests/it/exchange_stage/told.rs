//! What the parties were told while the gateway served, and whether its ledger is the one they were told of.

use std::collections::{BTreeMap, BTreeSet};

use tsunagi::{
    domain::{
        digest::Digest,
        entry::{EntryType, Outcome},
        ids::Jti,
    },
    tlog::Checkpoint,
};

use super::{
    ledger::{Ledger, Record, Stored},
    party::{Accepted, Released},
    story::Message,
};

/// Everything that was acknowledged or shown.
#[derive(Clone, Default)]
pub(crate) struct Told {
    /// Leaf of every acknowledged entry.
    pub(crate) entries: BTreeMap<u64, Vec<u8>>,
    /// Answers to messages.
    pub(crate) messages: BTreeMap<Jti, Answer>,
    /// Releases that arrived.
    pub(crate) releases: Vec<Shown>,
    /// Signed checkpoints seen.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// What must be the same in every answer to one message (protocol section 4, "Idempotency").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) sd_jwt: String,
    case: String,
    index: u64,
    leaf: Vec<u8>,
    receipt: Jti,
    received: i64,
}

/// What identifies a release.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    index: u64,
    leaf: Vec<u8>,
    rel: Jti,
    sd_hash: Digest,
}

impl Answer {
    pub(crate) fn new(message: &Message, accepted: &Accepted) -> Self {
        Self {
            sd_jwt: message.sd_jwt.clone(),
            case: accepted.subject["case"].as_str().unwrap().to_owned(),
            index: accepted.index,
            leaf: accepted.leaf.clone(),
            receipt: accepted.receipt.jti,
            received: accepted.receipt.iat.micros(),
        }
    }
}

impl Told {
    /// Something was acknowledged. What was acknowledged before must be the same.
    pub(crate) fn accepted(&mut self, accepted: &Accepted) {
        let before = self.entries.insert(accepted.index, accepted.leaf.clone());
        assert!(before.is_none_or(|leaf| leaf == accepted.leaf), "two leaves at {}", accepted.index);
        self.checkpoints.push(accepted.checkpoint.clone());
    }

    /// A message was accepted, perhaps again.
    pub(crate) fn message(&mut self, message: &Message, accepted: &Accepted) {
        self.accepted(accepted);
        let answer = Answer::new(message, accepted);
        let before = self.messages.insert(message.jti, answer.clone());
        assert!(before.is_none_or(|before| before == answer), "a repetition was answered otherwise");
    }

    /// A release arrived.
    pub(crate) fn shown(&mut self, released: &Released) {
        let binding = &released.release.binding;
        let (index, rel, sd_hash) = (binding.tsn.idx, binding.jti, released.release.sd_hash);
        self.releases.push(Shown { index, leaf: released.leaf.clone(), rel, sd_hash });
        self.checkpoints.push(released.checkpoint.clone());
    }

    /// What was told and is not in the tree as it lies in the database.
    pub(crate) fn missing(&self, stored: &Stored) -> Vec<String> {
        let releases = self.releases.iter().map(|shown| (shown.index, &shown.leaf));
        let entries = self.entries.iter().map(|(index, leaf)| (*index, leaf)).chain(releases);
        let lost = entries.filter(|(index, leaf)| !stored.holds(*index, leaf)).map(|(index, _)| format!("entry {index} is not stored"));
        let forked = self.checkpoints.iter().filter(|seen| !stored.had(seen));
        lost.chain(forked.map(|seen| format!("the signed checkpoint of size {} is of another history", seen.size()))).collect()
    }

    /// What is wrong with a ledger, for those who were told this. Every message of the run must have been acknowledged in the end.
    pub(crate) fn judge(&self, ledger: &Ledger) -> Vec<String> {
        let mut wrong = Vec::new();
        let at = |index: u64| usize::try_from(index).ok().and_then(|index| ledger.records.get(index));
        for (index, leaf) in &self.entries {
            if at(*index).is_none_or(|record| record.leaf != *leaf) {
                wrong.push(format!("entry {index} was acknowledged and is not there"));
            }
        }
        for shown in &self.releases {
            let matches = |record: &Record| {
                let entry = &record.entry;
                let released = entry.entry_type == EntryType::Release && entry.decision == Outcome::Permit;
                released && record.leaf == shown.leaf && entry.rel == Some(shown.rel) && entry.sd_hash == Some(shown.sd_hash)
            };
            if !at(shown.index).is_some_and(matches) {
                wrong.push(format!("a release arrived without its entry {}", shown.index));
            }
        }
        if self.releases.iter().map(|shown| shown.rel).collect::<BTreeSet<_>>().len() != self.releases.len() {
            wrong.push("one entry covers two releases".to_owned());
        }
        for earlier in self.checkpoints.iter().filter(|earlier| !ledger.had(earlier)) {
            wrong.push(format!("the signed checkpoint of size {} is of another history", earlier.size()));
        }
        let mut entered: BTreeMap<Jti, Vec<u64>> = BTreeMap::new();
        for record in ledger.records.iter().filter(|r| r.entry.entry_type == EntryType::Submission && r.entry.decision == Outcome::Permit) {
            if let Some(message) = record.opening.as_ref().and_then(|opening| opening.message.as_ref()) {
                entered.entry(message.jti).or_default().push(record.index);
            }
        }
        wrong.extend(entered.iter().filter(|(_, at)| at.len() > 1).map(|(jti, at)| format!("message {jti} was entered at {at:?}")));
        let unknown = entered.keys().filter(|jti| !self.messages.contains_key(jti));
        wrong.extend(unknown.map(|jti| format!("message {jti} was entered and never acknowledged")));
        let missing = self.messages.iter().filter(|(jti, answer)| entered.get(jti).is_none_or(|at| !at.contains(&answer.index)));
        wrong.extend(missing.map(|(jti, _)| format!("message {jti} was acknowledged and not entered there")));
        wrong
    }
}

mod tests {
    use tsunagi::{
        domain::entry::Operation,
        ledger::{MessageRef, Opening},
        tlog::leaf_hash,
    };

    use super::*;
    use crate::exchange_stage::{
        CENTRE,
        ledger::tests::{ledger, record, stored},
        party::new_jti,
    };

    /// A message at 1, a release at 2, and what was told of them.
    fn run() -> (Told, Vec<Record>) {
        let (message, rel) = (new_jti(), new_jti());
        let mut submission = record(1, EntryType::Submission, Operation::ReferralSubmit);
        submission.opening =
            Some(Opening { message: Some(MessageRef { iss: CENTRE.parse().unwrap(), jti: message }), ..Opening::default() });
        let mut release = record(2, EntryType::Release, Operation::CaseRead);
        release.entry.rel = Some(rel);
        release.entry.sd_hash = release.entry.request;
        let answer =
            Answer { sd_jwt: String::new(), case: String::new(), index: 1, leaf: submission.leaf.clone(), receipt: new_jti(), received: 0 };
        let shown = Shown { index: 2, leaf: release.leaf.clone(), rel, sd_hash: release.entry.sd_hash.unwrap() };
        let records = vec![record(0, EntryType::LedgerOpened, Operation::Gateway), submission, release];
        let told = Told {
            entries: BTreeMap::from([(1, answer.leaf.clone())]),
            messages: BTreeMap::from([(message, answer)]),
            releases: vec![shown],
            checkpoints: (1..=3).map(|size| ledger(records[..size].to_vec()).checkpoint).collect(),
        };
        (told, records)
    }

    #[track_caller]
    fn found(told: &Told, records: Vec<Record>, said: &str) {
        let wrong = told.judge(&ledger(records));
        assert!(wrong.iter().any(|wrong| wrong.contains(said)), "{wrong:?}");
    }

    #[test]
    fn the_ledger_that_was_told_of_is_right() {
        let (told, records) = run();
        assert_eq!(told.judge(&ledger(records)), Vec::<String>::new());
    }

    #[test]
    fn a_lost_entry_is_found() {
        let (told, mut records) = run();
        assert_eq!(told.missing(&stored(&records)), Vec::<String>::new());
        assert_eq!(
            told.missing(&stored(&records[..2])),
            ["entry 2 is not stored", "the signed checkpoint of size 3 is of another history"]
        );
        records.truncate(1);
        assert_eq!(told.missing(&stored(&records)).len(), 4);
        found(&told, records, "entry 1 was acknowledged and is not there");
    }

    #[test]
    fn another_tree_in_the_database_is_found() {
        let (told, mut records) = run();
        records[1].leaf.push(b' ');
        let size = |n: u64| format!("the signed checkpoint of size {n} is of another history");
        assert_eq!(told.missing(&stored(&records)), ["entry 1 is not stored".to_owned(), size(2), size(3)]);
    }

    #[test]
    fn a_doubled_message_is_found() {
        let (told, mut records) = run();
        let mut again = record(3, EntryType::Submission, Operation::ReferralSubmit);
        again.opening.clone_from(&records[1].opening);
        records.push(again);
        found(&told, records, "was entered at [1, 3]");
    }

    #[test]
    fn a_message_that_nobody_was_told_of_is_found() {
        let (mut told, records) = run();
        told.messages.clear();
        found(&told, records, "was entered and never acknowledged");
    }

    #[test]
    fn a_release_without_its_entry_is_found() {
        for forge in [
            |release: &mut Record| release.entry.entry_type = EntryType::Refusal,
            |release: &mut Record| release.entry.rel = Some(new_jti()),
            |release: &mut Record| release.entry.sd_hash = None,
            |release: &mut Record| release.leaf.push(b' '),
        ] {
            let (told, mut records) = run();
            forge(&mut records[2]);
            found(&told, records, "a release arrived without its entry 2");
        }
        let (mut told, records) = run();
        told.releases.push(told.releases[0].clone());
        found(&told, records, "one entry covers two releases");
    }

    #[test]
    fn another_history_is_found() {
        let (told, mut records) = run();
        let seen = told.checkpoints.last().unwrap().root();
        records[0] = record(0, EntryType::ClockSkew, Operation::Gateway);
        assert_ne!(leaf_hash(&records[0].leaf), seen);
        found(&told, records, "the signed checkpoint of size 1 is of another history");
        let (mut told, records) = run();
        told.checkpoints.push(Checkpoint::new("test/ledger", 4, seen).unwrap());
        found(&told, records, "the signed checkpoint of size 4 is of another history");
    }
}
