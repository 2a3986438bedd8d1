//! When codes are in use: which codes of a list have a first or a last day, where such lists stand in a row, and whether a code fits a date.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use super::SchemaError;
use crate::domain::day::Day;

/// When a code is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    from: Option<Day>,
    until: Option<Day>,
    /// The last day is one of the act that was judged, which no row tells: a later date is only suspicious.
    of_act: bool,
}

/// What a date means for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is in use.
    Fits,
    /// It is not, and cannot have been.
    Outside,
    /// It is not, but may rightly have been used.
    Late,
}

impl Period {
    /// Judges a code by the date that its row names. Where the row names one and it is absent, only the day of sending is known: a code that was
    /// not yet in use then was not in use before either, one that has ended may have been.
    pub(super) fn fit(&self, dated: Option<Day>, dated_by_row: bool, sent: Day) -> Fit {
        let early = self.from.is_some_and(|from| dated.unwrap_or(sent) < from);
        let day = if dated_by_row { dated } else { Some(sent) };
        let late = self.until.zip(day).is_some_and(|(until, day)| day > until);
        match (early, late) {
            (true, _) => Fit::Outside,
            (_, true) => {
                if self.of_act {
                    Fit::Late
                } else {
                    Fit::Outside
                }
            }
            _ => Fit::Fits,
        }
    }
}

/// The codes of one list that are not in use at all times.
type Dated = BTreeMap<String, Period>;

/// Every list that has such codes, by the reference that names it.
pub(super) struct Periods(BTreeMap<String, Arc<Dated>>);

impl Periods {
    /// Reads the file of the code lists.
    pub(super) fn read(urn: &str, bytes: &[u8]) -> Result<Self, SchemaError> {
        #[derive(Deserialize)]
        struct Codes {
            #[serde(rename = "$defs")]
            lists: BTreeMap<String, List>,
        }
        #[derive(Deserialize)]
        struct List {
            #[serde(rename = "oneOf")]
            codes: Vec<Listed>,
        }
        #[derive(Deserialize)]
        struct Listed {
            #[serde(rename = "const")]
            code: String,
            #[serde(rename = "x-tsunagi-from")]
            from: Option<Day>,
            #[serde(rename = "x-tsunagi-until")]
            until: Option<Day>,
            #[serde(rename = "x-tsunagi-until-of")]
            until_of: Option<String>,
        }
        let wrong = |reason: String| SchemaError::Malformed { kind: "codes", reason };
        let codes: Codes = serde_json::from_slice(bytes).map_err(|e| wrong(e.to_string()))?;
        let mut periods = BTreeMap::new();
        for (name, list) in codes.lists {
            let mut dated = Dated::new();
            for code in list.codes {
                let of_act = match code.until_of.as_deref() {
                    None => false,
                    Some("act") if code.until.is_some() => true,
                    Some(_) => return Err(wrong(format!("{name}: x-tsunagi-until-of is not a way"))),
                };
                if code.from.zip(code.until).is_some_and(|(from, until)| from > until) {
                    return Err(wrong(format!("{name}: a code ends before it begins")));
                }
                if code.from.is_some() || code.until.is_some() {
                    dated.insert(code.code, Period { from: code.from, until: code.until, of_act });
                }
            }
            if !dated.is_empty() {
                periods.insert(format!("{urn}#/$defs/{name}"), Arc::new(dated));
            }
        }
        Ok(Self(periods))
    }
}

/// A place in a row where codes with a period can stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatedCodes {
    path: Vec<Step>,
    list: Arc<Dated>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Items,
}

impl DatedCodes {
    /// The periods of the codes that stand there.
    pub(super) fn of(&self, row: &Value) -> Vec<Period> {
        let mut found = vec![row];
        for step in &self.path {
            found = match step {
                Step::Member(name) => found.into_iter().filter_map(|value| value.get(name)).collect(),
                Step::Items => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            };
        }
        found.into_iter().filter_map(Value::as_str).filter_map(|code| self.list.get(code)).copied().collect()
    }
}

/// Where a row's schema refers to a list that has codes with a period.
pub(super) fn dated_codes(schema: &Value, periods: &Periods) -> Vec<DatedCodes> {
    let mut found = Vec::new();
    look(schema, periods, &mut Vec::new(), &mut found);
    found
}

fn look(schema: &Value, periods: &Periods, path: &mut Vec<Step>, found: &mut Vec<DatedCodes>) {
    if let Some(list) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| periods.0.get(reference)) {
        found.push(DatedCodes { path: path.clone(), list: Arc::clone(list) });
    }
    for branch in ["oneOf", "anyOf", "allOf"] {
        for schema in schema.get(branch).and_then(Value::as_array).into_iter().flatten() {
            look(schema, periods, path, found);
        }
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(Step::Member(name.clone()));
        look(schema, periods, path, found);
        path.pop();
    }
    if let Some(items) = schema.get("items") {
        path.push(Step::Items);
        look(items, periods, path, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LISTS: &str = r#"{"$defs": {
        "service": {"oneOf": [{"const": "old", "x-tsunagi-until": "2025-09-30"}, {"const": "new", "x-tsunagi-from": "2025-10-01"}, {"const": "both"}]},
        "plain": {"oneOf": [{"const": "x"}]}
    }}"#;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn codes_are_found_wherever_they_stand_in_a_row() {
        let periods = Periods::read("urn:codes", LISTS.as_bytes()).unwrap();
        let list = json!({"$ref": "urn:codes#/$defs/service"});
        let row = json!({"type": "array", "items": {"type": "object", "properties": {"service": list, "other": {"$ref": "urn:codes#/$defs/plain"}}}});
        let places = dated_codes(&row, &periods);
        assert_eq!(places.len(), 1);
        let value = json!([{"service": "old", "other": "x"}, {"service": "both"}, {"other": "old"}, {"service": "new"}]);
        assert_eq!(places[0].of(&value).len(), 2);
        assert!(places[0].of(&json!({"service": "old"})).is_empty());
        assert_eq!(dated_codes(&json!({"oneOf": [{"type": "null"}, list]}), &periods)[0].of(&json!("new")).len(), 1);
        assert!(dated_codes(&json!({"$ref": "urn:codes#/$defs/plain"}), &periods).is_empty());
    }

    #[test]
    fn a_code_is_judged_by_the_date_of_its_row_or_by_the_day_of_sending() {
        let (before, after, sent) = (Some(day("2025-09-30")), Some(day("2025-10-01")), day("2026-01-01"));
        let new = Period { from: Some(day("2025-10-01")), until: None, of_act: false };
        assert_eq!(new.fit(before, true, sent), Fit::Outside);
        assert_eq!(new.fit(after, true, sent), Fit::Fits);
        assert_eq!(new.fit(None, true, sent), Fit::Fits);
        assert_eq!(new.fit(None, false, day("2025-09-30")), Fit::Outside);
        let old = Period { from: None, until: Some(day("2025-09-30")), of_act: false };
        assert_eq!(old.fit(before, true, sent), Fit::Fits);
        assert_eq!(old.fit(after, true, sent), Fit::Outside);
        assert_eq!(old.fit(None, true, sent), Fit::Fits);
        assert_eq!(old.fit(None, false, sent), Fit::Outside);
        let act = Period { of_act: true, ..old };
        assert_eq!(act.fit(after, true, sent), Fit::Late);
    }

    #[test]
    fn a_period_that_cannot_be_does_not_load() {
        for code in [
            r#"{"const": "a", "x-tsunagi-from": "2026-01-01", "x-tsunagi-until": "2025-12-31"}"#,
            r#"{"const": "a", "x-tsunagi-from": "2026-02-30"}"#,
            r#"{"const": "a", "x-tsunagi-until": "2026-01-01", "x-tsunagi-until-of": "trial"}"#,
            r#"{"const": "a", "x-tsunagi-until-of": "act"}"#,
        ] {
            let lists = format!(r#"{{"$defs": {{"list": {{"oneOf": [{code}]}}}}}}"#);
            assert!(matches!(Periods::read("urn:codes", lists.as_bytes()), Err(SchemaError::Malformed { .. })), "{code}");
        }
    }
}
