//! From validation errors to what may be said about them: positions of known names, keywords, and a count of what is unknown.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::{Validator, error::ValidationErrorKind, paths::LocationSegment};
use serde_json::Value;

use crate::domain::refusal::Violation;

/// A compiled schema and the names of its top-level properties.
pub(super) struct Checker {
    validator: Validator,
    names: Vec<String>,
    positions: BTreeMap<String, usize>,
}

/// What is wrong with a value. Holds nothing of the value itself: jsonschema's own texts would (`"山田" is not a "date"`), so they are not used.
#[derive(Default)]
pub(super) struct Faults {
    /// Position of a top-level property and the keyword broken in or below it.
    pub(super) named: BTreeSet<(usize, String)>,
    /// Keywords broken by the value as a whole.
    whole: BTreeSet<String>,
    /// How many top-level members the schema does not know.
    unknown: usize,
}

impl Checker {
    pub(super) fn new(validator: Validator, names: Vec<String>) -> Self {
        let positions = names.iter().cloned().zip(0..).collect();
        Self { validator, names, positions }
    }

    pub(super) fn name(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(String::as_str)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    /// What is wrong with a value as a whole, and with the form of its members, which another checker knows by the same names.
    pub(super) fn faults_with_forms(&self, forms: &Self, value: &Value) -> Faults {
        let mut faults = self.faults(value);
        let here = |(position, rule)| Some((*self.positions.get(forms.name(position)?)?, rule));
        faults.named.extend(forms.faults(value).named.into_iter().filter_map(here));
        faults
    }

    pub(super) fn faults(&self, value: &Value) -> Faults {
        let mut faults = Faults::default();
        // Whether it fits is asked first: that is several times cheaper than looking for what does not, and nearly everything fits.
        if self.validator.is_valid(value) {
            return faults;
        }
        for error in self.validator.iter_errors(value) {
            let top = match (error.instance_path().segments().next(), error.kind()) {
                (Some(LocationSegment::Property(name)), _) => self.positions.get(name.as_ref()),
                (None, ValidationErrorKind::Required { property: Value::String(name) }) => self.positions.get(name),
                (
                    None,
                    ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected },
                ) => {
                    faults.unknown += unexpected.len();
                    continue;
                }
                _ => None,
            };
            let keyword = error.kind().keyword().to_owned();
            match top {
                Some(position) => faults.named.insert((*position, keyword)),
                None => faults.whole.insert(keyword),
            };
        }
        faults
    }
}

impl Faults {
    /// What is wrong with the value as a whole, under the given name.
    pub(super) fn of_whole(&self, field: &str, unknown: &str) -> Vec<Violation> {
        let counted = (self.unknown > 0).then(|| format!("{unknown}:{}", self.unknown));
        let rules = counted.into_iter().chain(self.whole.iter().cloned());
        rules.map(|rule| Violation { field: field.to_owned(), rule, class: None }).collect()
    }
}
