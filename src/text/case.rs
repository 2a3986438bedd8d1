//! How a case stands, in plain words: the states that are shown outside.

use super::Lang;
use crate::domain::case::CaseState;

/// A state.
#[must_use]
pub const fn state(state: CaseState, lang: Lang) -> &'static str {
    match state {
        CaseState::Open => lang.of("asked, not decided yet", "依頼・照会中"),
        CaseState::Accepted => lang.of("taken on", "受理・受入れ"),
        CaseState::Declined => lang.of("not taken on", "不受理・受入不可"),
        CaseState::HandedOver => lang.of("the municipality leads now", "主担当の移行後"),
        CaseState::Closed => lang.of("over", "終結"),
    }
}
