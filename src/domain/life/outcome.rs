//! What a deciding message says, from the one row of its body that decides (`domain.md` section 4).

use crate::domain::codes::{MessageKind, closed_list};

closed_list! {
    /// The word of a deciding message.
    Outcome {
        Accepted = "accepted",
        Declined = "declined",
        Redirected = "redirected",
        Possible = "possible",
        Impossible = "impossible",
        Question = "question",
        Agreed = "agreed",
        Started = "started",
        Ended = "ended",
        Cancelled = "cancelled",
    }
}

impl Outcome {
    /// The row of a body that decides, for the kinds that have one.
    #[must_use]
    pub const fn row(kind: MessageKind) -> Option<&'static str> {
        match kind {
            MessageKind::ReferralDecision | MessageKind::PlacementDecision => Some("decision"),
            MessageKind::EnquiryReply => Some("reply"),
            MessageKind::HandoverAgreed => Some("handover_reply"),
            MessageKind::StatusNotice => Some("status"),
            _ => None,
        }
    }

    /// What a code in that row decides. Codes that decide nothing, and those of another kind, are none.
    #[must_use]
    pub fn read(kind: MessageKind, code: &str) -> Option<Self> {
        code.parse().ok().filter(|outcome| Self::of(kind).contains(outcome))
    }

    /// What messages of a kind can decide.
    #[must_use]
    pub const fn of(kind: MessageKind) -> &'static [Self] {
        match kind {
            MessageKind::ReferralDecision => &[Self::Accepted, Self::Declined, Self::Redirected],
            MessageKind::PlacementDecision => &[Self::Accepted, Self::Declined],
            MessageKind::EnquiryReply => &[Self::Possible, Self::Impossible, Self::Question],
            MessageKind::HandoverAgreed => &[Self::Agreed, Self::Declined],
            MessageKind::StatusNotice => &[Self::Started, Self::Ended, Self::Cancelled],
            _ => &[],
        }
    }

    /// Whether a message of this kind says nothing if it decides nothing.
    pub(super) const fn is_demanded(kind: MessageKind) -> bool {
        Self::row(kind).is_some() && !matches!(kind, MessageKind::StatusNotice)
    }
}
