//! What a use case can end with instead of an answer.

use crate::{
    domain::refusal::{Refusal, RefusalCode},
    ledger::LedgerError,
    message::{compose::ComposeError, jws::TokenError},
    store::StoreError,
    vault::VaultError,
};

/// Why a use case gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller is refused; the refusal is recorded.
    #[error("refused: {}", .0.code)]
    Refused(Refusal),
    /// The ledger cannot record; nothing happened that the caller was told of.
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The store failed.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Stored content cannot be opened or sealed.
    #[error("vault: {0}")]
    Vault(#[from] VaultError),
    /// The system's source of randomness failed.
    #[error("{0}")]
    Randomness(#[from] crate::clock::NoEntropy),
    /// The gateway could not sign or encrypt its own answer.
    #[error("signing: {0}")]
    Signing(#[from] TokenError),
    /// The gateway's own object would be refused by its reader.
    #[error("own object: {0}")]
    Composing(#[from] ComposeError),
    /// Something that was stored does not read back as what it was.
    #[error("stored {0} does not read back")]
    Corrupt(&'static str),
    /// The release could not leave in time after its commit.
    #[error("the release was dropped: it could not leave in time")]
    TooLate,
}

impl Failure {
    /// Whether it can come of reading partly before and partly behind an erasure.
    #[must_use]
    pub(super) fn may_be_torn(&self) -> bool {
        match self {
            Self::Corrupt(_) | Self::Vault(_) => true,
            Self::Refused(refusal) => refusal.code == RefusalCode::Erased,
            _ => false,
        }
    }

    /// Whether the failure passes by itself: the answer is 503 with `Retry-After`, otherwise 500.
    #[must_use]
    pub const fn passes(&self) -> bool {
        match self {
            // Repeating the call gives the same again.
            Self::Ledger(LedgerError::TooLarge | LedgerError::NotInLedger | LedgerError::Canonical | LedgerError::Opening) => false,
            Self::Ledger(_) | Self::TooLate => true,
            // A server that must not be used is a standby before it takes over, or one that is being set right.
            Self::Store(error) => {
                matches!(error, StoreError::Database(_) | StoreError::CommitUnknown(_) | StoreError::HeadMoved | StoreError::Unsafe(_))
            }
            _ => false,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RefusalCode> for Failure {
    fn from(code: RefusalCode) -> Self {
        Self::Refused(code.into())
    }
}
