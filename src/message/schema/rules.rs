//! What JSON Schema cannot say of a row: its date against the day of sending, one row against another, check digits that only warn.
//!
//! Promises: judged for a form that was checked before; a finding names row and rule, never a value. Whoever sends and whoever receives finds
//! the same, because the only clock is the time of sending that the sender signed.

use serde_json::{Map, Value};

use super::{
    catalogue::Row,
    periods::{DatedCodes, Fit},
};
use crate::domain::{codes::closed_list, day::Day, field::FieldKey, free_text, identifiers, refusal::Violation, time::Timestamp};

closed_list! {
    /// A rule of a row (`domain.md` section 5); a broken one is a refusal. A code outside its period breaks `code_not_in_use` in any row.
    Rule {
        /// Not after the day of sending.
        NotInFuture = "not_in_future",
        /// Not before the day of sending.
        NotBeforeSending = "not_before_sending",
        /// A birth date of a person of 12 to 120 years.
        Age12To120 = "age_12_to_120",
        /// Only with entry support.
        EntrySupportOnly = "entry_support_only",
        /// `from` is not after `to`, in each period of the row.
        PeriodInOrder = "period_in_order",
        /// A text that could name a victim, or that goes to many, holds no telephone number, postal code or mail address, however deep it stands.
        NoContactDetails = "no_contact_details",
        /// The window of a certificate begins before it ends.
        WindowInOrder = "window_in_order",
        /// It ends within three years of its start, unless a court extended the observation.
        WithinThreeYears = "within_three_years",
    }
}

closed_list! {
    /// What the sender is told without being refused. A code whose time may be over is told as `code_may_be_over` in any row.
    Warning {
        /// A check digit whose rule is an assumption (`domain.md` section 7.2).
        CheckDigit = "check_digit",
        /// A support category is decided for 36 months at most as a rule.
        Within36Months = "within_36_months",
    }
}

/// What the rules say about some rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Broken rules.
    pub violations: Vec<Violation>,
    /// What is only suspicious.
    pub warnings: Vec<Violation>,
}

/// Judges the rows that are present, in the order of the catalogue.
pub(super) fn findings(rows: &[Row], body: &Value, sent: Timestamp) -> Findings {
    let mut found = Findings::default();
    let Some(body) = body.as_object() else { return found };
    let facts = Facts { body, sent: Day::in_japan(sent) };
    for row in rows {
        let Some(value) = body.get(row.key.as_str()) else { continue };
        let say = |rule: &str| Violation::of_row(&row.key, row.class, rule);
        found.violations.extend(row.rules.iter().filter(|rule| facts.breaks(**rule, value)).map(|rule| say(rule.as_str())));
        found.warnings.extend(row.warnings.iter().filter(|warning| facts.rouses(**warning, value)).map(|warning| say(warning.as_str())));
        let fits = facts.fits(&row.dated, row.dated_by.as_ref(), value);
        if fits.contains(&Fit::Outside) {
            found.violations.push(say(NOT_IN_USE));
        }
        if fits.contains(&Fit::Late) {
            found.warnings.push(say(MAY_BE_OVER));
        }
    }
    found
}

/// What a row is judged against.
struct Facts<'a> {
    body: &'a Map<String, Value>,
    sent: Day,
}

impl Facts<'_> {
    fn breaks(&self, rule: Rule, value: &Value) -> bool {
        match rule {
            Rule::NotInFuture => day(value).is_some_and(|day| day > self.sent),
            Rule::NotBeforeSending => day(value).is_some_and(|day| day < self.sent),
            Rule::Age12To120 => day(value).is_some_and(|born| !(12..=120).contains(&born.years_until(self.sent))),
            Rule::EntrySupportOnly => {
                self.says("subject_category", |it| it != "entry") || self.says("support_route", |it| it != "entry_support")
            }
            Rule::PeriodInOrder => match value {
                Value::Array(periods) => periods.iter().any(runs_backwards),
                period => runs_backwards(period),
            },
            Rule::NoContactDetails => holds_contact_details(value),
            Rule::WindowInOrder => day(value).zip(self.day("cert_period_end")).is_some_and(|(start, end)| start > end),
            Rule::WithinThreeYears => {
                let window = self.day("cert_period_start").zip(day(value));
                let extended = self.says("cert_eligibility_class", |it| it == "outpatient_observation");
                window.is_some_and(|(start, end)| end > start.last_of_years(3)) && !extended
            }
        }
    }

    fn rouses(&self, warning: Warning, value: &Value) -> bool {
        match warning {
            Warning::CheckDigit => numbers(value).iter().any(|number| !identifiers::passes_modulus_10(number)),
            Warning::Within36Months => day(value).is_some_and(|until| self.sent.months_until(until) > 36),
        }
    }

    fn fits(&self, places: &[DatedCodes], dated_by: Option<&FieldKey>, value: &Value) -> Vec<Fit> {
        let dated = dated_by.and_then(|key| self.day(key.as_str()));
        let periods = places.iter().flat_map(|place| place.of(value));
        periods.map(|period| period.fit(dated, dated_by.is_some(), self.sent)).collect()
    }

    fn day(&self, key: &str) -> Option<Day> {
        self.body.get(key).and_then(day)
    }

    /// Whether a row is there and says something. An absent row says nothing.
    fn says(&self, key: &str, what: impl Fn(&str) -> bool) -> bool {
        self.body.get(key).and_then(Value::as_str).is_some_and(what)
    }
}

fn day(value: &Value) -> Option<Day> {
    value.as_str()?.parse().ok()
}

/// In any of its texts.
fn holds_contact_details(value: &Value) -> bool {
    match value {
        Value::String(text) => free_text::holds_contact_details(text),
        Value::Array(items) => items.iter().any(holds_contact_details),
        Value::Object(members) => members.values().any(holds_contact_details),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn runs_backwards(period: &Value) -> bool {
    let end = |name| period.get(name).and_then(day);
    end("from").zip(end("to")).is_some_and(|(from, to)| from > to)
}

/// The numbers of a row that is one, or that holds one in each of its objects.
fn numbers(value: &Value) -> Vec<&str> {
    match value {
        Value::String(number) => vec![number],
        Value::Object(members) => members.get("provider_number").and_then(Value::as_str).into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

const NOT_IN_USE: &str = "code_not_in_use";
const MAY_BE_OVER: &str = "code_may_be_over";
