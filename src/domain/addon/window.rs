//! The window of an add-on: the days on which it can be claimed for a person (`domain.md` section 9).
//!
//! 「3年を経過していない者」 is counted so that the first day is a day of the three years. Civil Code art. 140 would not count it; a start on the day
//! (after 29 February: days) between the two is left to the designating authority.

use super::{facts::Event, rule::Rule};
use crate::domain::day::Day;

/// A run of days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Days {
    /// First day.
    pub from: Day,
    /// Last day.
    pub until: Day,
}

impl Days {
    /// Whether a day is one of them.
    #[must_use]
    pub fn contain(&self, day: Day) -> bool {
        self.from <= day && day <= self.until
    }

    /// The days that both have.
    #[must_use]
    pub fn common(&self, from: Day, until: Option<Day>) -> Option<Self> {
        let both = Self { from: self.from.max(from), until: until.map_or(self.until, |until| self.until.min(until)) };
        (both.from <= both.until).then_some(both)
    }

    /// These days without others.
    #[must_use]
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left = vec![self];
        for other in others.iter().copied() {
            left = left.into_iter().flat_map(|days| days.cut(other)).collect();
        }
        left
    }

    fn cut(self, other: Self) -> Vec<Self> {
        if other.until < self.from || self.until < other.from {
            return vec![self];
        }
        let before = (self.from < other.from).then(|| Self { from: self.from, until: other.from.previous() });
        let after = (other.until < self.until).then(|| Self { from: other.until.next(), until: self.until });
        before.into_iter().chain(after).collect()
    }
}

/// The window of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Window {
    /// The days.
    #[serde(flatten)]
    pub days: Days,
    /// The last day without a court's extension, where the window rests on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_after: Option<Day>,
    /// Whether it is counted from the start of use, after a time at home.
    pub late_start: bool,
}

/// How a start of use stands to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Within the years.
    Within(Window),
    /// Between the two ways of counting them: the last day of the one we use, and of the other.
    Boundary(Days),
    /// After them.
    Past,
    /// Before the event.
    Before,
}

/// What an extension is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    None,
    Until(Day),
    /// Not one that a court can have granted for this event.
    Unusable,
}

/// How a start of use stands to an event under a rule with a window of `years`.
pub(super) fn reach(event: &Event, rule: &Rule, years: u8, start: Day, lived_at_home: bool) -> Reach {
    let (last, other_last) = (event.on.last_of_years(years.into()), event.on.last_of_years_after(years.into()));
    let extended = match extension(event, rule, years) {
        Extension::Until(day) => Some(day),
        Extension::None | Extension::Unusable => None,
    };
    let end = extended.unwrap_or(last);
    if start < event.on {
        return Reach::Before;
    }
    if start > end {
        let between = extended.is_none() && start <= other_last;
        return if between { Reach::Boundary(Days { from: last, until: other_last }) } else { Reach::Past };
    }
    let late_start = lived_at_home && rule.late_start.contains(&event.kind);
    let until = if late_start { start.last_of_years(years.into()) } else { end };
    let extended_after = extended.filter(|_| !late_start).map(|_| last);
    Reach::Within(Window { days: Days { from: start, until }, extended_after, late_start })
}

/// What the extension of an event is worth under a rule.
pub(super) fn extension(event: &Event, rule: &Rule, years: u8) -> Extension {
    let Some(until) = event.extended_until else { return Extension::None };
    let longest = rule.extension_years.filter(|_| event.kind.is_extensible()).map(|more| i32::from(years) + i32::from(more));
    let fits = longest.is_some_and(|longest| until <= event.on.last_of_years(longest)) && until > event.on.last_of_years(years.into());
    if fits { Extension::Until(until) } else { Extension::Unusable }
}
