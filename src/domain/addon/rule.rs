//! The rules of the add-ons as dated data: what a row says, and what a set of rows must be before it is believed.

use serde::Deserialize;

use super::codes::{AddOn, Capability, Evidence, Ground, Part, Rival, Service, UnitOf};
use crate::domain::day::Day;

/// One row: an add-on, or a part of it, with some services, during some time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The add-on.
    pub code: AddOn,
    /// Which part of it.
    pub part: Part,
    /// The services with which it can be claimed.
    pub service_types: Vec<Service>,
    /// Units.
    pub unit: u32,
    /// What they are for.
    pub unit_of: UnitOf,
    /// First day on which the row applies.
    pub from: Day,
    /// Last day; none: until a later row.
    pub until: Option<Day>,
    /// Events that open the window.
    pub grounds: Vec<Ground>,
    /// Length of the window.
    pub window_years: Option<u8>,
    /// By how many years a court can extend it at most.
    pub extension_years: Option<u8>,
    /// Events after which a person may first live at home: the window then begins with the use of the service (`domain.md` section 9, F7).
    #[serde(default)]
    pub late_start: Vec<Ground>,
    /// How often it can be claimed.
    pub max_count: Option<u32>,
    /// What cannot be claimed on the same day.
    #[serde(default)]
    pub excludes: Vec<Rival>,
    /// Whether coordination must be certified.
    pub needs_certificate: bool,
    /// What the provider must have in place.
    #[serde(default)]
    pub needs_capability: Vec<Capability>,
    /// What a claim must be able to show.
    #[serde(default)]
    pub needs_evidence: Vec<Evidence>,
    /// Where the row comes from.
    pub source: String,
    /// What is still open.
    pub note: Option<String>,
    /// What confirmed it. Without: unverified, and shown as such.
    pub verified_by: Option<String>,
    /// When.
    pub verified_on: Option<Day>,
}

impl Rule {
    /// Whether a source confirmed the row.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.verified_by.is_some() && self.verified_on.is_some()
    }

    /// Whether the row applies on a day.
    #[must_use]
    pub fn applies_on(&self, day: Day) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }

    fn meets(&self, other: &Self) -> bool {
        let shares = self.service_types.iter().any(|service| other.service_types.contains(service));
        let before = |one: &Self, two: &Self| one.until.is_some_and(|until| until < two.from);
        self.code == other.code && self.part == other.part && shares && !before(self, other) && !before(other, self)
    }

    fn fault(&self) -> Option<&'static str> {
        let counted = self.unit_of == UnitOf::Time;
        [
            (self.service_types.is_empty(), "names no service"),
            (repeats(&self.service_types), "names a service twice"),
            (self.unit == 0, "gives no units"),
            (self.until.is_some_and(|until| until < self.from), "ends before it begins"),
            (self.grounds.is_empty(), "names no event"),
            (repeats(&self.grounds), "names an event twice"),
            (counted != self.max_count.is_some(), "max_count goes with unit_of time and with nothing else"),
            (self.max_count == Some(0), "max_count is zero"),
            (counted == self.window_years.is_some(), "window_years goes with unit_of day and with nothing else"),
            (self.window_years.is_some_and(|years| !(1..=10).contains(&years)), "window_years is not 1 to 10"),
            (self.extension_years.is_some_and(|years| !(1..=10).contains(&years)), "extension_years is not 1 to 10"),
            (
                self.extension_years.is_some() && !self.grounds.iter().any(|ground| ground.is_extensible()),
                "extension_years without an event whose period a court can extend",
            ),
            (self.late_start.iter().any(|ground| !self.grounds.contains(ground)), "late_start names an event that is not in grounds"),
            (repeats(&self.late_start), "late_start names an event twice"),
            (repeats(&self.excludes), "excludes names an add-on twice"),
            (repeats(&self.needs_capability), "needs_capability names something twice"),
            (repeats(&self.needs_evidence), "needs_evidence names something twice"),
            (counted && !(self.late_start.is_empty() && self.excludes.is_empty()), "late_start and excludes go with a window"),
            (self.source.trim().is_empty(), "names no source"),
            (self.note.as_deref().is_some_and(|note| note.trim().is_empty()), "has an empty note"),
            (self.verified_by.is_some() != self.verified_on.is_some(), "verified_by and verified_on go together"),
            (self.verified_by.as_deref().is_some_and(|by| by.trim().is_empty()), "verified_by is empty"),
            (!self.is_verified() && self.note.is_none(), "is unverified and does not say in note what is open"),
        ]
        .into_iter()
        .find_map(|(wrong, what)| wrong.then_some(what))
    }
}

fn repeats<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().any(|(at, one)| list.iter().take(at).any(|before| before == one))
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleFault {
    /// The row, from 1; 0: the set as a whole.
    pub row: usize,
    /// What.
    pub what: &'static str,
}

/// Rows that do not contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet(Vec<Rule>);

impl RuleSet {
    /// Believes rows, if nothing is wrong with them.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the rows.
    pub fn of(mut rules: Vec<Rule>) -> Result<Self, Vec<RuleFault>> {
        let mut faults: Vec<RuleFault> =
            rules.iter().zip(1..).filter_map(|(rule, row)| rule.fault().map(|what| RuleFault { row, what })).collect();
        for ((at, rule), row) in rules.iter().enumerate().zip(1..) {
            if rules.iter().take(at).any(|before| before.meets(rule)) {
                faults.push(RuleFault { row, what: "overlaps an earlier row of the same add-on, part and service" });
            }
        }
        if AddOn::ALL.iter().any(|code| !rules.iter().any(|rule| rule.code == *code && rule.part == Part::Person)) {
            faults.push(RuleFault { row: 0, what: "an add-on has no row of part person" });
        }
        rules.sort_by_key(|rule| (rule.code, rule.part, rule.from));
        if faults.is_empty() { Ok(Self(rules)) } else { Err(faults) }
    }

    /// All rows, by add-on, part and first day.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// The rows of one add-on with one service.
    pub(super) fn with(&self, code: AddOn, service: Service) -> Vec<&Rule> {
        self.0.iter().filter(|rule| rule.code == code && rule.service_types.contains(&service)).collect()
    }
}
