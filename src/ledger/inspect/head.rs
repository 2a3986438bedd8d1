//! What the entries say about the head: rights epoch, policy in force, time of the last entry.

use super::{Anchors, problem};
use crate::{
    domain::{
        digest::Digest,
        entry::{Act, EntryType, Outcome},
        time::Timestamp,
    },
    ledger::{Entry, verify::report::Problems},
    store::HeadRow,
    text::audit::Finding,
};

/// What moved so far.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Entries that advanced the rights epoch.
    moved: u64,
    /// The policy in force as the entries tell: of the last activation, before the first one of what was permitted.
    policy: Option<(Digest, Option<u64>)>,
}

impl Course {
    pub(super) fn next(&mut self, idx: u64, entry: &Entry) {
        if entry.decision != Outcome::Permit {
            return;
        }
        match entry.entry_type {
            EntryType::Party
            | EntryType::Key
            | EntryType::Agreement
            | EntryType::AgreementSignature
            | EntryType::ConsentEnd
            | EntryType::Erasure => self.moved += 1,
            EntryType::Consent if entry.act == Some(Act::Supersede) => self.moved += 1,
            // A message that ended somebody's access to its case: a decline, a hand-over, a closing.
            EntryType::Submission if entry.act == Some(Act::End) => self.moved += 1,
            EntryType::Policy if entry.policy.is_some() => self.moved += 1,
            EntryType::LedgerOpened if entry.reopens.is_some() => self.moved += 1,
            _ => {}
        }
        let activated = (entry.entry_type == EntryType::Policy).then_some(idx);
        if let Some(policy) = entry.policy
            && (activated.is_some() || self.policy.is_none())
        {
            self.policy = Some((policy, activated));
        }
    }

    /// Compares the head. The root and the frontier are the tree's business.
    pub(super) fn compare(&self, head: &HeadRow, last: Option<Timestamp>, anchors: &Anchors<'_>, problems: &mut Problems) {
        if head.origin != anchors.key.name().as_str() {
            problems.file(Finding::ColumnDiffers, "ledger_head.origin");
        }
        if head.last_time != last.unwrap_or_default() {
            problems.add(problem(Finding::ColumnDiffers, head.size.checked_sub(1), "ledger_head.last_time"));
        }
        if head.rights_epoch != self.moved {
            problems.file(Finding::ColumnDiffers, "ledger_head.rights_epoch");
        }
        let (policy, since) = self.policy.unwrap_or((anchors.policy, None));
        if head.policy != policy {
            problems.add(problem(Finding::ColumnDiffers, since, "ledger_head.policy"));
        }
    }
}
