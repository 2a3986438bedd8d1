//! What was taken from a party that got something under a consent, and what is due of it then (`domain.md` section 10.3, rule 3).

use crate::domain::codes::closed_list;

closed_list! {
    /// What became of a consent for one party.
    Taking {
        /// It was withdrawn as a whole.
        Ended = "ended",
        /// Something of it was taken out, or a narrower one took its place.
        Narrowed = "narrowed",
    }
}

closed_list! {
    /// Whether a party that holds what was taken since has said what became of it.
    ErasureDue {
        /// Not yet.
        Due = "due",
        /// It has reported.
        Done = "done",
    }
}
