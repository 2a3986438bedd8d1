//! 個人番号 in anything that is carried: it is refused wherever a person could have written it (番号法19条).

use serde_json::Value;

use crate::domain::{digest::Digest, free_text, ids::Jti, refusal::Violation};

/// Whether a text anywhere in a value holds a 個人番号. Ids and digests made by machines are passed over: they hold no text, and one in a few
/// thousand random UUIDs would pass.
#[must_use]
pub fn holds_my_number(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Jti>().is_err() && text.parse::<Digest>().is_err() && free_text::holds_my_number(text),
        Value::Array(items) => items.iter().any(holds_my_number),
        Value::Object(members) => members.values().any(holds_my_number),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// One violation for each claim that holds one. Only claims that the schema knows are named: others were counted by it.
pub(super) fn in_claims(claims: &Value, known: impl Fn(&str) -> bool) -> Vec<Violation> {
    let claims = claims.as_object().into_iter().flatten();
    let found = claims.filter(|(name, value)| known(name) && holds_my_number(value));
    found.map(|(name, _)| Violation { field: name.clone(), rule: RULE.to_owned(), class: None }).collect()
}

/// How the rule is called in a violation.
pub(super) const RULE: &str = "my_number";
