//! What was erased lawfully, and what is only gone.
//!
//! An erasure's own opening, which no erasure destroys, lists the entries whose openings it destroyed, and its leaf says how many. So an opening may be
//! missing only if an erasure behind it names its entry; and what an erasure names must be gone. A message whose entries were erased must not be
//! released behind the erasure: submission and release carry its digest in the leaf (`request`), which stays.
//!
//! Not seen: whether the erasure should have been; what else the database kept.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::report::Problems;
use crate::{
    domain::{
        digest::Digest,
        entry::{EntryType, Outcome},
    },
    ledger::Entry,
    text::audit::Finding,
};

/// Openings that are not there, as the entries come. Some 40 bytes each.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Erasures {
    /// Gone without an erasure so far: the message that the entry is about.
    gone: BTreeMap<u64, Option<Digest>>,
    /// Messages that were erased.
    messages: HashSet<Digest>,
    erased: u64,
}

impl Erasures {
    /// An entry commits to an opening that is not there.
    pub(in crate::ledger) fn gone(&mut self, index: u64, entry: &Entry) {
        let of_message = matches!(entry.entry_type, EntryType::Submission | EntryType::Release) && entry.decision == Outcome::Permit;
        self.gone.insert(index, entry.request.filter(|_| of_message));
    }

    /// Takes the next entry, after [`Erasures::gone`] of it, with the members `erased` of its opening if that is there and fits.
    pub(in crate::ledger) fn next(&mut self, index: u64, entry: &Entry, erased: Option<&[u64]>, problems: &mut Problems) {
        if entry.decision != Outcome::Permit {
            return;
        }
        match (entry.entry_type, erased) {
            (EntryType::Erasure, Some(erased)) => self.erasure(index, entry, erased, problems),
            (EntryType::Release, _) if entry.request.is_some_and(|message| self.messages.contains(&message)) => {
                problems.at(Finding::ReleaseAfterErasure, index);
            }
            _ => {}
        }
    }

    fn erasure(&mut self, index: u64, entry: &Entry, erased: &[u64], problems: &mut Problems) {
        let counted = u64::try_from(erased.len()).ok() == entry.count && erased.is_sorted_by(|a, b| a < b);
        let mut whole = counted;
        for one in erased {
            match self.gone.remove(one) {
                Some(message) => {
                    self.erased += 1;
                    self.messages.extend(message);
                }
                // Its opening is there, or another erasure named it: it came back, or it was never destroyed.
                None => whole = false,
            }
        }
        if !whole {
            problems.at(Finding::ErasureList, index);
        }
    }

    /// Says what is gone and was not erased; gives how many were.
    pub(in crate::ledger) fn finish(self, problems: &mut Problems) -> u64 {
        for index in self.gone.into_keys() {
            problems.at(Finding::OpeningGone, index);
        }
        self.erased
    }
}

/// The entries that an opening of an erasure names, as an export gives it. None: it names none in a form that can be read.
pub(super) fn list(opened: &Map<String, Value>) -> Option<Vec<u64>> {
    match opened.get("erased") {
        None => Some(Vec::new()),
        Some(listed) => listed.as_array()?.iter().map(Value::as_u64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::Node;

    fn entry(entry_type: EntryType) -> Entry {
        let mut entry = Entry::of_gateway(uuid::Uuid::nil(), Node { node: "gw-1".to_owned(), version: "1".to_owned() }, entry_type);
        entry.request = Some(Digest([7; 32]));
        entry
    }

    fn erasure(count: u64) -> Entry {
        Entry { request: None, count: Some(count), ..entry(EntryType::Erasure) }
    }

    /// Entries 1 and 3 are gone.
    fn run(erased: &[u64], count: u64, released: bool) -> (Vec<(Finding, u64)>, u64) {
        let (mut erasures, mut problems) = (Erasures::default(), Problems::default());
        for index in [1, 3] {
            erasures.gone(index, &entry(EntryType::Submission));
        }
        erasures.next(5, &erasure(count), Some(erased), &mut problems);
        if released {
            erasures.next(6, &entry(EntryType::Release), None, &mut problems);
        }
        let erased = erasures.finish(&mut problems);
        (problems.finish().0.into_iter().map(|p| (p.finding, p.index.unwrap())).collect(), erased)
    }

    #[test]
    fn what_an_erasure_names_was_erased_and_everything_else_is_gone() {
        assert_eq!(run(&[1, 3], 2, false), (vec![], 2));
        assert_eq!(run(&[1], 1, false), (vec![(Finding::OpeningGone, 3)], 1));
        assert_eq!(run(&[], 0, false), (vec![(Finding::OpeningGone, 1), (Finding::OpeningGone, 3)], 0));
    }

    #[test]
    fn an_erasure_that_names_what_is_there_or_counts_wrongly_is_a_problem() {
        assert_eq!(run(&[1, 2, 3], 3, false).0, [(Finding::ErasureList, 5)]);
        assert_eq!(run(&[1, 3], 3, false).0, [(Finding::ErasureList, 5)]);
        assert_eq!(run(&[3, 1], 2, false).0, [(Finding::ErasureList, 5)]);
        assert_eq!(run(&[1, 1, 3], 3, false).0, [(Finding::ErasureList, 5)]);
    }

    #[test]
    fn a_release_of_an_erased_message_is_a_breach() {
        assert_eq!(run(&[1, 3], 2, true).0, [(Finding::ReleaseAfterErasure, 6)]);
        assert_eq!(run(&[], 0, true).0.iter().filter(|(finding, _)| *finding == Finding::ReleaseAfterErasure).count(), 0);
    }

    #[test]
    fn a_list_is_read_strictly() {
        let members = |value: Value| value.as_object().cloned().unwrap();
        assert_eq!(list(&members(json!({"erased": [1, 2]}))), Some(vec![1, 2]));
        assert_eq!(list(&members(json!({}))), Some(vec![]));
        for bad in [json!({"erased": [-1]}), json!({"erased": ["1"]}), json!({"erased": 1})] {
            assert_eq!(list(&members(bad)), None);
        }
    }
}
