//! What the ledger can fail with.

/// A failure of the ledger. What the store said is in the log, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed before anything was committed: nothing happened.
    #[error("the ledger cannot be written or read now")]
    Unavailable,
    /// The entry may be durable or not. Nothing may leave; a repetition with the same id finds out.
    #[error("whether the entry was written is not known")]
    OutcomeUnknown,
    /// The leaf would not be under 4 KiB. Nothing happened.
    #[error("the entry is too large")]
    TooLarge,
    /// The sequencer was shut down.
    #[error("the ledger is closed")]
    Closed,
    /// The turn was held for longer than its deadline: its lock is released. Nothing happened.
    #[error("the turn is over")]
    TurnOver,
    /// The ledger does not hold this entry or size.
    #[error("not in the ledger")]
    NotInLedger,
    /// What is stored does not fit together; says what. The ledger is not written any further.
    #[error("the stored ledger does not fit: {0}")]
    Broken(&'static str),
    /// An entry, its leaf hash or a tile it completes does not fit.
    #[error("the stored ledger does not fit at entry {0}")]
    BrokenAt(u64),
    /// Somebody holds a signed head of more entries than are stored. Nothing is written until an operator has looked at it.
    #[error("the stored ledger is older than a head that was signed")]
    RolledBack,
    /// Somebody holds a signed head that the stored ledger does not continue. Nothing is written until an operator has looked at it.
    #[error("the stored ledger does not continue a head that was signed")]
    Forked,
    /// Witnesses have been away for longer than the configuration bears. Nothing happened.
    #[error("the ledger's head has not been cosigned for too long")]
    Uncosigned,
    /// The newest head cannot be remembered outside the database, so it is not shown. What was appended is durable.
    #[error("the high-water mark cannot be written")]
    Mark,
    /// The clock was set far ahead while the gateway ran. Nothing happened.
    #[error("the clock was set far ahead")]
    Clock,
    /// The signer's name is not the ledger's origin.
    #[error("the checkpoint signer belongs to another ledger")]
    Signer,
    /// The machine gave no randomness.
    #[error("no randomness")]
    NoEntropy,
    /// An entry or opening has no canonical form.
    #[error("not a canonical JSON value")]
    Canonical,
    /// A salted opening does not parse.
    #[error("not a salted opening")]
    Opening,
}
