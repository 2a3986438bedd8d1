//! Rights that ended in the middle of reads: whether reads met each end from both sides, by what the readers were told and by the ledger's order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tsunagi::clock::{Clock as _, SystemClock};

use super::{
    ledger::Record,
    reader::Read,
    rights::{Lapse, breaches, resting_on},
};

/// The end of a right. Times are the machine's, in microseconds: the readers are other processes.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) what: &'static str,
    pub(crate) lapse: Lapse,
    pub(crate) met: Met,
    /// Before it was asked for, and when it was acknowledged.
    pub(crate) asked: i64,
    pub(crate) acknowledged: i64,
    /// Whether a gateway was killed right behind the acknowledgement.
    pub(crate) killed: bool,
}

/// How a read that comes too late shows that it met the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Met {
    /// This path is refused with this code.
    Refused(String, &'static str),
    /// This path is still answered, with less.
    Less(String),
    /// It is no matter of reads.
    Never,
}

/// What reads were to an end.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Meetings {
    endings: usize,
    pub(crate) killed: usize,
    /// Releases that rested on the right, in the reads of the readers.
    before: usize,
    /// Reads that had begun and had not ended.
    during: usize,
    /// Reads that began behind the acknowledgement and met the end.
    behind: usize,
}

impl fmt::Display for Meetings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endings, killed, before, during, behind } = self;
        write!(
            f,
            "{endings} times ({killed} with a kill behind it), {before} releases before, {during} reads meanwhile, {behind} met it behind"
        )
    }
}

/// The machine's time now.
pub(crate) fn present() -> i64 {
    SystemClock.now().micros()
}

impl Ending {
    /// Whether a read that began behind the acknowledgement met the end.
    pub(crate) fn met_behind(&self, read: &Read) -> bool {
        let met = match &self.met {
            Met::Refused(path, code) => read.path == *path && read.refused() == Some(code),
            Met::Less(path) => read.path == *path && read.shown().is_some_and(|index| index > self.lapse.from),
            Met::Never => false,
        };
        met && read.began > self.acknowledged
    }

    /// Fails the test where the checker had nothing to look at, where it would overlook a breach, or where no read met the end on some side.
    fn met_by(&self, reads: &[Read], shown: &BTreeSet<u64>, records: &[Record]) -> Meetings {
        let rests = resting_on(records, &self.lapse.right);
        let before: Vec<u64> = rests.iter().copied().filter(|index| *index < self.lapse.from).collect();
        let newest = before.last().unwrap_or_else(|| panic!("nothing rested on what ended: {self:?}"));
        self.would_be_found(&records[usize::try_from(*newest).unwrap()]);
        if self.met == Met::Never {
            return Meetings { endings: 1, killed: usize::from(self.killed), ..Meetings::default() };
        }
        let meetings = Meetings {
            endings: 1,
            killed: usize::from(self.killed),
            before: before.iter().filter(|index| shown.contains(index)).count(),
            during: reads.iter().filter(|read| read.began < self.acknowledged && read.ended > self.asked).count(),
            behind: reads.iter().filter(|read| self.met_behind(read)).count(),
        };
        assert!(meetings.before > 0 && meetings.during > 0 && meetings.behind > 0, "it did not end in the middle: {meetings:?} {self:?}");
        meetings
    }

    /// A release as the ledger has it, moved right behind the end, is a breach.
    fn would_be_found(&self, release: &Record) {
        let late = Record { index: self.lapse.from + 1, ..release.clone() };
        assert_eq!(breaches(std::slice::from_ref(&late), std::slice::from_ref(&self.lapse)), [late.index], "{self:?}");
    }
}

/// By what ended: how reads met it.
pub(crate) fn meetings(endings: &[Ending], reads: &[Read], records: &[Record]) -> BTreeMap<&'static str, Meetings> {
    let shown: BTreeSet<u64> = reads.iter().filter_map(Read::shown).collect();
    let mut found: BTreeMap<&str, Meetings> = BTreeMap::new();
    for ending in endings {
        let of = ending.met_by(reads, &shown, records);
        let sum = found.entry(ending.what).or_default();
        *sum = Meetings {
            endings: sum.endings + of.endings,
            killed: sum.killed + of.killed,
            before: sum.before + of.before,
            during: sum.during + of.during,
            behind: sum.behind + of.behind,
        };
    }
    found
}
