//! How much an anonymous message may tell of a person: few enough values that nobody is found by them together (`domain.md` section 16).
//!
//! Promises: the number is data, dated, in the schema file of the kind (`x-tsunagi-anonymity`), so who sends and who receives count alike and a new
//! number is a new version of the schema; a kind that must be anonymous does not compile without one; neither a direct identifier nor a class beyond
//! the few below ever becomes a row of such a kind.
//! Not here: how many persons share the values. The gateway knows nobody's neighbours, so the number is a proposal and says so.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{
    SchemaError,
    catalogue::{Ident, Row},
};
use crate::domain::{codes::MessageKind, day::Day, field::FieldClass, refusal::Violation, time::Timestamp};

/// What an anonymous message may tell from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnonymityTerm {
    /// First day of sending for which it counts.
    pub from: Day,
    /// How many values of rows that identify together with others; each item of a list is one.
    pub quasi_values: usize,
    /// Whether practice or a public source has confirmed the number.
    pub verified: bool,
    /// How the number came about, and what is open.
    pub note: String,
}

/// The terms of one kind, by their days; none where the kind is not anonymous.
#[derive(Debug, Default)]
pub(super) struct Anonymity(Vec<AnonymityTerm>);

/// Kinds that go to somebody who is not to know who the person is.
pub(super) const fn is_demanded(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Enquiry)
}

/// Classes that such a kind may hold.
pub(super) const fn may_hold(class: FieldClass) -> bool {
    matches!(class, FieldClass::Routing | FieldClass::Task | FieldClass::Minimal | FieldClass::Accommodation | FieldClass::CareNeed)
}

impl Anonymity {
    pub(super) fn of(kind: MessageKind, terms: Vec<AnonymityTerm>) -> Result<Self, SchemaError> {
        let wrong = |reason: &str| Err(SchemaError::Malformed { kind: kind.as_str(), reason: format!("x-tsunagi-anonymity: {reason}") });
        if is_demanded(kind) == terms.is_empty() {
            return wrong("belongs to kinds that are anonymous, and to all of them");
        }
        if !terms.is_sorted_by(|one, next| one.from < next.from) {
            return wrong("the terms are not in the order of their days");
        }
        Ok(Self(terms))
    }

    pub(super) fn terms(&self) -> &[AnonymityTerm] {
        &self.0
    }

    /// What a body tells beyond the term of its day of sending.
    pub(super) fn violations(&self, rows: &[Row], body: &Value, sent: Timestamp) -> Vec<Violation> {
        let Some(term) = self.term(sent) else { return Vec::new() };
        let present = |row: &Row| body.get(row.key.as_str()).map(|value| value.as_array().map_or(1, Vec::len));
        let told: usize = rows.iter().filter(|row| row.ident == Ident::Quasi).filter_map(present).sum();
        let too_many = (told > term.quasi_values).then(|| term.too_many());
        // A municipality can have so few people that its code says who.
        let area = rows.iter().find(|row| row.key.as_str() == AREA && body.get(AREA).is_some_and(Value::is_string));
        too_many.into_iter().chain(area.map(|row| Violation::of_row(&row.key, row.class, AREA_ONLY))).collect()
    }

    /// What several bodies to one reader tell together beyond the term of the day on which the last is sent. The same value told again tells nothing.
    pub(super) fn violation_together(&self, rows: &[Row], bodies: &[Value], sent: Timestamp) -> Option<Violation> {
        let term = self.term(sent)?;
        let quasi = rows.iter().filter(|row| row.ident == Ident::Quasi);
        let told =
            quasi.flat_map(|row| bodies.iter().filter_map(|body| body.get(row.key.as_str())).flat_map(move |value| items(row, value)));
        (told.collect::<BTreeSet<_>>().len() > term.quasi_values).then(|| term.too_many())
    }

    /// The term of a day of sending. Before the first day the first term counts.
    fn term(&self, sent: Timestamp) -> Option<&AnonymityTerm> {
        let day = Day::in_japan(sent);
        self.0.iter().rfind(|term| term.from <= day).or(self.0.first())
    }
}

impl AnonymityTerm {
    fn too_many(&self) -> Violation {
        Violation { field: "body".to_owned(), rule: format!("{TOO_MANY}:{}", self.quasi_values), class: None }
    }
}

/// The values of a row, one by one.
fn items<'a>(row: &'a Row, value: &Value) -> Vec<(&'a str, String)> {
    let one = |value: &Value| (row.key.as_str(), value.to_string());
    value.as_array().map_or_else(|| vec![one(value)], |items| items.iter().map(one).collect())
}

const TOO_MANY: &str = "too_many_quasi_identifiers";
const AREA: &str = "desired_area";
const AREA_ONLY: &str = "welfare_area_only";
