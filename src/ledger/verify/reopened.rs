//! A ledger that lost entries and went on under another name, as an outsider sees it: the record of the break must fit the tree and the names, and a head
//! that somebody kept from before shows whether the record tells all that was lost.
//!
//! The key behind the names stays the same, so a note under an earlier name is opened by the trusted key under that name.

use super::{Problems, Remarks};
use crate::{
    ledger::Reopening,
    text::audit::{Finding, Remark},
    tlog::{Checkpoint, VerifierKey, open_under_any_name},
};

/// A break that an entry records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Index of the entry.
    pub index: u64,
    /// What it says.
    pub reopening: Reopening,
}

/// The names of the ledger, entry by entry.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Named {
    breaks: Vec<Break>,
}

impl Named {
    /// Takes a record of a break. `rooted`: whether the entries before it have the root that survived.
    pub(in crate::ledger) fn next(&mut self, index: u64, reopening: Reopening, rooted: bool, problems: &mut Problems) {
        let fits = reopening.survived.size == index && rooted;
        let follows = self.breaks.last().is_none_or(|last| last.reopening.origin == reopening.from);
        if !fits || !follows || reopening.from == reopening.origin || index == 0 {
            problems.at(Finding::ReopeningMismatch, index);
        }
        self.breaks.push(Break { index, reopening });
    }

    /// Compares the last name with the ledger's own, and what is recorded as lost with a head that was kept.
    pub(in crate::ledger) fn finish(self, origin: &str, kept: Option<&Checkpoint>, problems: &mut Problems) -> Vec<Break> {
        if let Some(last) = self.breaks.last()
            && last.reopening.origin != origin
        {
            problems.at(Finding::ReopeningMismatch, last.index);
        }
        if let Some(kept) = kept.filter(|kept| kept.origin() != origin) {
            match self.breaks.iter().find(|broke| broke.reopening.from == kept.origin()) {
                None => problems.whole(Finding::KeptNote),
                Some(broke) if kept.size() > broke.index && !admits(&broke.reopening, kept) => {
                    problems.at(Finding::LossConcealed, broke.index);
                }
                Some(_) => {}
            }
        }
        self.breaks
    }
}

/// Whether the record tells of a loss as large as this head shows.
fn admits(reopening: &Reopening, kept: &Checkpoint) -> bool {
    reopening.known.is_some_and(|known| known.size > kept.size() || (known.size == kept.size() && known.root.0 == kept.root().0))
}

/// Whether the tree should contain all of a kept head: not if entries of it were lost.
pub(in crate::ledger) fn continues(kept: &Checkpoint, breaks: &[Break]) -> bool {
    breaks.iter().find(|broke| broke.reopening.from == kept.origin()).is_none_or(|broke| kept.size() <= broke.index)
}

/// What should be known about breaks.
pub(in crate::ledger) fn remarks(breaks: &[Break], kept: Option<&Checkpoint>, mut remarks: Remarks) -> Remarks {
    remarks.extend(breaks.iter().map(|broke| (Remark::LedgerReopened, Some(broke.index.to_string()))));
    if let Some(kept) = kept.filter(|kept| !continues(kept, breaks)) {
        remarks.push((Remark::EntriesLost, Some(kept.size().to_string())));
    }
    remarks
}

/// The kept checkpoint, if it can be compared at all with a ledger of this size under the name of the key.
pub(in crate::ledger) fn kept(note: &str, key: &VerifierKey, size: u64, problems: &mut Problems) -> Option<Checkpoint> {
    let Ok(kept) = open_under_any_name(note, key) else {
        problems.whole(Finding::KeptNote);
        return None;
    };
    if kept.origin() == key.name().as_str() && kept.size() > size {
        problems.at(Finding::KeptNewer, size);
        return None;
    }
    Some(kept)
}
