//! The single operations that an exchange is made of: each with the bare library beside our room, where both exist.

mod crypto;
mod durable;
mod message;
mod wire;

use serde_json::{Map, Value};

use crate::measure::Case;

/// Everything that can be measured without a gateway.
pub(crate) fn cases() -> Vec<Case<'static>> {
    [crypto::cases(), message::cases(), durable::cases(), wire::cases()].into_iter().flatten().collect()
}

/// The rows of a referral: those that every referral has and then others of the published example, up to `count`.
pub(crate) fn referral(count: usize) -> Map<String, Value> {
    let mut example: Map<String, Value> = serde_json::from_str(include_str!("../../schemas/examples/referral.json")).unwrap();
    // The example is of one day; these two may not lie before the day of sending.
    for row in ["expected_release_date", "desired_reply_by"] {
        example[row] = "2099-12-31".into();
    }
    let schema: Value = serde_json::from_str(include_str!("../../schemas/referral/1.0.0.json")).unwrap();
    let required = |name: &str| schema["required"].as_array().unwrap().iter().any(|required| required == name);
    let (first, rest): (Vec<_>, Vec<_>) = example.into_iter().partition(|(name, _)| required(name));
    first.into_iter().chain(rest).take(count).collect()
}

/// Rows of a usual referral.
pub(crate) const ROWS: usize = 60;
