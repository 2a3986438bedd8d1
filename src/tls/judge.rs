//! Whether the certificate of an open connection is still accepted.

use crate::domain::{codes::closed_list, refusal::RefusalCode};

closed_list! {
    /// Why an open connection is no longer served.
    Fault {
        Revoked = "revoked",
        Expired = "expired",
        /// The authority is gone from the configuration, or the chain no longer verifies for another reason.
        Untrusted = "untrusted",
        /// A revocation list is past its `nextUpdate`: nobody can be judged until there is a new one.
        CrlStale = "crl_stale",
    }
}

impl Fault {
    /// Whether the connection is closed. Otherwise its requests are answered with the code.
    #[must_use]
    pub const fn closes(self) -> bool {
        !matches!(self, Self::CrlStale)
    }

    /// The code for a request that is caught by it (protocol section 5). One whose certificate is no longer accepted is nobody we know.
    #[must_use]
    pub const fn code(self) -> RefusalCode {
        match self {
            Self::CrlStale => RefusalCode::CrlStale,
            Self::Revoked | Self::Expired | Self::Untrusted => RefusalCode::UnknownParty,
        }
    }
}
