//! How this ledger stands beside what others hold of it: witnesses, and the mark that was kept of its size (`ledger.md` section 5).
//!
//! Promises: a dispute latches; from then on nothing is appended by this process, and so nothing is disclosed and nothing changes. What is merely
//! missing (witnesses that do not answer) passes by itself. Not here: who finds out, and how.

use std::{fmt, str::FromStr, sync::Arc};

use tokio::sync::watch;

use super::LedgerError;
use crate::domain::time::Timestamp;

/// What shows that the stored ledger is not, or not only, the one that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispute {
    /// Somebody holds a signed head of more entries than are stored: an older copy was restored, or a replica lost what was acknowledged.
    RolledBack {
        /// Entries of the head that is held.
        held: u64,
        /// Entries stored.
        stored: u64,
    },
    /// Somebody holds a signed head that the stored ledger does not continue: two histories were signed.
    Forked {
        /// Entries of the head that is held.
        held: u64,
    },
}

/// The newest head that enough witnesses signed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The signed note with the cosignatures.
    pub note: Arc<str>,
    /// Entries of its tree.
    pub size: u64,
}

/// What is known now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stand {
    /// The first dispute. It stays.
    pub dispute: Option<Dispute>,
    /// Whether witnesses are configured at all.
    pub witnessed: bool,
    /// The newest head with a quorum of cosignatures.
    pub cosigned: Option<Cosigned>,
    /// The time of the first entry that no cosigned head covers.
    pub uncosigned_since: Option<Timestamp>,
    /// Whether that is longer ago than the operator bears.
    pub overdue: bool,
    /// Whether nothing may be appended because of that.
    pub stopped: bool,
}

/// Shared by everybody who appends, asks witnesses or reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Standing(Arc<watch::Sender<Stand>>);

impl Standing {
    /// A ledger of which nothing bad is known.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stand::default())))
    }

    /// Latches a dispute. Only the first one counts.
    pub fn dispute(&self, dispute: Dispute) {
        let first = self.0.send_if_modified(|stand| {
            let first = stand.dispute.is_none();
            stand.dispute = stand.dispute.or(Some(dispute));
            first
        });
        if first {
            tracing::error!(%dispute, "the stored ledger is in dispute: nothing is served until an operator has looked at it");
        }
    }

    /// Changes what is known besides disputes.
    pub fn update(&self, change: impl FnOnce(&mut Stand)) {
        self.0.send_if_modified(|stand| {
            let before = stand.clone();
            change(stand);
            stand.dispute = before.dispute;
            *stand != before
        });
    }

    /// What is known now.
    #[must_use]
    pub fn now(&self) -> Stand {
        self.0.borrow().clone()
    }

    /// Fails when the ledger is in dispute: then no further head is signed either.
    pub fn undisputed(&self) -> Result<(), LedgerError> {
        self.0.borrow().dispute.map_or(Ok(()), |dispute| Err(dispute.error()))
    }

    /// Follows the changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Stand> {
        self.0.subscribe()
    }

    /// Whether entries may be made.
    pub fn check(&self) -> Result<(), LedgerError> {
        let stand = self.0.borrow();
        match stand.dispute {
            Some(dispute) => Err(dispute.error()),
            None if stand.stopped => Err(LedgerError::Uncosigned),
            None => Ok(()),
        }
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self::new()
    }
}

impl Dispute {
    /// What callers of the ledger are told.
    #[must_use]
    pub const fn error(self) -> LedgerError {
        match self {
            Self::RolledBack { .. } => LedgerError::RolledBack,
            Self::Forked { .. } => LedgerError::Forked,
        }
    }
}

impl Stand {
    /// For readiness: a dispute, and how far the ledger is cosigned where there are witnesses; each on a line of its own.
    #[must_use]
    pub fn lines(&self) -> String {
        let dispute = self.dispute.map(|dispute| format!("{dispute}\n")).unwrap_or_default();
        if !self.witnessed {
            return dispute;
        }
        let state = if self.overdue { "overdue" } else { "in_time" };
        let size = self.cosigned.as_ref().map_or(0, |cosigned| cosigned.size);
        let since = self.uncosigned_since.map(|since| format!(", not cosigned since {since}")).unwrap_or_default();
        format!("{dispute}witnesses_{state}: cosigned {size}{since}\n")
    }
}

/// One word and its numbers, as it is stored for other processes.
impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RolledBack { held, stored } => write!(f, "rolled_back {held} {stored}"),
            Self::Forked { held } => write!(f, "forked {held}"),
        }
    }
}

/// Not the text of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a dispute")]
pub struct NoDispute;

impl FromStr for Dispute {
    type Err = NoDispute;

    fn from_str(text: &str) -> Result<Self, NoDispute> {
        let number = |word: &str| word.parse().map_err(|_| NoDispute);
        match *text.split(' ').collect::<Vec<_>>() {
            ["rolled_back", held, stored] => Ok(Self::RolledBack { held: number(held)?, stored: number(stored)? }),
            ["forked", held] => Ok(Self::Forked { held: number(held)? }),
            _ => Err(NoDispute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dispute_stays() {
        let standing = Standing::new();
        assert_eq!(standing.check(), Ok(()));
        standing.dispute(Dispute::Forked { held: 7 });
        standing.dispute(Dispute::RolledBack { held: 9, stored: 8 });
        standing.update(|stand| *stand = Stand::default());
        assert_eq!(standing.now().dispute, Some(Dispute::Forked { held: 7 }));
        assert_eq!(standing.check(), Err(LedgerError::Forked));
    }

    #[test]
    fn what_is_only_missing_passes() {
        let standing = Standing::new();
        standing.update(|stand| stand.stopped = true);
        assert_eq!(standing.check(), Err(LedgerError::Uncosigned));
        standing.update(|stand| stand.stopped = false);
        assert_eq!(standing.check(), Ok(()));
        standing.dispute(Dispute::RolledBack { held: 9, stored: 8 });
        assert_eq!(standing.clone().check(), Err(LedgerError::RolledBack));
    }

    #[test]
    fn a_dispute_is_read_as_it_was_written() {
        for dispute in [Dispute::Forked { held: u64::MAX }, Dispute::RolledBack { held: 2, stored: 1 }] {
            assert_eq!(dispute.to_string().parse(), Ok(dispute));
        }
        for other in ["", "forked", "forked x", "forked 1 2", "rolled_back 1", "gone 1"] {
            assert_eq!(other.parse::<Dispute>(), Err(NoDispute), "{other}");
        }
    }
}
