//! Cases: who stands where in them, and the coarse states shown outside (protocol section 4).

use super::codes::closed_list;

closed_list! {
    /// Relation of a party to a case, derived from the case's own history. No client may assert it.
    Relation {
        Origin = "origin",
        Assigned = "assigned",
        Prospective = "prospective",
        Considering = "considering",
        Accepted = "accepted",
        Closed = "closed",
        None = "none",
    }
}

impl Relation {
    /// Relations that may end or narrow the consent of the case (protocol section 2).
    #[must_use]
    pub const fn may_end_consent(self) -> bool {
        matches!(self, Self::Origin | Self::Assigned | Self::Considering | Self::Accepted)
    }
}

closed_list! {
    /// State of a case as it is shown outside.
    CaseState {
        Open = "open",
        Accepted = "accepted",
        Declined = "declined",
        HandedOver = "handed_over",
        Closed = "closed",
    }
}
