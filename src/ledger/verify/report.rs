//! What verification has to say. No part of it holds a value out of an entry or an opening.

use std::collections::BTreeMap;

use super::Break;
use crate::{
    domain::{entry::EntryType, time::Timestamp},
    text::audit::{Finding, Remark},
    tlog::Checkpoint,
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub finding: Finding,
    /// Index of the entry, where one can be named.
    pub index: Option<u64>,
    /// File within the export, or table and column of the database, where one can be named.
    pub path: Option<String>,
}

/// How far the openings went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpeningCount {
    /// Openings that are what their entry commits to.
    pub opened: u64,
    /// Entries that commit to an opening which is not there: erased.
    pub erased: u64,
    /// Entries that never had one.
    pub none: u64,
}

/// How far the order of rights could be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderCount {
    /// Permitted releases of messages.
    pub releases: u64,
    /// Of these, such that no entry before them that narrows a right was unclear: what the entries and openings tell was checked.
    pub judged: u64,
    /// Of these, such whose opening was erased: their consent is not known.
    pub unopened: u64,
    /// Of these, such behind an end or a narrowing of their consent, agreement or party of which the export does not tell enough.
    pub undecided: u64,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The signed head; none when it could not be trusted, and nothing else was checked.
    pub checkpoint: Option<Checkpoint>,
    /// Entries by type.
    pub types: BTreeMap<EntryType, u64>,
    /// Time of the first and of the last entry that could be read.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Openings.
    pub openings: OpeningCount,
    /// Order of rights.
    pub order: OrderCount,
    /// Where the ledger lost entries and went on under another name.
    pub breaks: Vec<Break>,
    /// Size of the kept checkpoint that this export continues.
    pub continues: Option<u64>,
    /// How many of the witnesses that were asked for cosigned the checkpoint; none: nobody asked, or a cosignature is wrong.
    pub cosignatures: Option<usize>,
    /// What is wrong, in the order it was found; at most [`MOST_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub further: u64,
    /// What should be known.
    pub remarks: Vec<(Remark, Option<String>)>,
}

impl Report {
    /// Whether everything holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.checkpoint.is_some() && self.problems.is_empty()
    }

    /// The lowest index that a problem names.
    #[must_use]
    pub fn first_bad(&self) -> Option<u64> {
        self.problems.iter().filter_map(|problem| problem.index).min()
    }

    /// Whether something of this kind was found.
    #[must_use]
    pub fn has(&self, finding: Finding) -> bool {
        self.problems.iter().any(|problem| problem.finding == finding)
    }
}

/// Problems that are listed one by one.
pub const MOST_PROBLEMS: usize = 200;

/// Problems as they come up. Those beyond the limit are counted, but the one with the lowest index is always kept.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Problems {
    list: Vec<Problem>,
    further: u64,
}

impl Problems {
    pub(in crate::ledger) fn at(&mut self, finding: Finding, index: u64) {
        self.add(Problem { finding, index: Some(index), path: None });
    }

    pub(in crate::ledger) fn file(&mut self, finding: Finding, path: &str) {
        self.add(Problem { finding, index: None, path: Some(path.to_owned()) });
    }

    pub(in crate::ledger) fn whole(&mut self, finding: Finding) {
        self.add(Problem { finding, index: None, path: None });
    }

    pub(in crate::ledger) fn add(&mut self, problem: Problem) {
        if self.list.len() < MOST_PROBLEMS {
            self.list.push(problem);
            return;
        }
        self.further = self.further.saturating_add(1);
        let lowest = self.list.iter().filter_map(|known| known.index).min();
        if problem.index.is_some_and(|index| lowest.is_none_or(|lowest| index < lowest))
            && let Some(last) = self.list.last_mut()
        {
            *last = problem;
        }
    }

    /// Counts problems that are not listed.
    pub(in crate::ledger) const fn more(&mut self, count: u64) {
        self.further = self.further.saturating_add(count);
    }

    pub(in crate::ledger) fn finish(self) -> (Vec<Problem>, u64) {
        (self.list, self.further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends_but_the_lowest_index_is_kept() {
        let mut problems = Problems::default();
        for index in 0..1_000 {
            problems.at(Finding::EntryForm, 2_000 - index);
        }
        problems.whole(Finding::RootMismatch);
        let (list, further) = problems.finish();
        assert_eq!((list.len(), further), (MOST_PROBLEMS, 1_001 - 200));
        assert_eq!(list.iter().filter_map(|p| p.index).min(), Some(1_001));
    }
}
