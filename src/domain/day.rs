//! A day of the calendar, as the rows of the catalogue write it: `YYYY-MM-DD`. What day it is, is a question about Japan (UTC+9, no summer time).

use time::{Date, Duration, Month, OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

use super::{codes::UnknownCode, time::Timestamp};

/// One day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day in Japan at a moment.
    #[must_use]
    pub fn in_japan(at: Timestamp) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(moment.checked_to_offset(JAPAN).map_or_else(|| moment.date(), OffsetDateTime::date))
    }

    /// The last of `years` years that begin with this day, the first day counted: 2023-10-10 and three years give 2026-10-09. A 29 February
    /// that the last year lacks ends with its 28th.
    #[must_use]
    pub fn last_of_years(self, years: i32) -> Self {
        let year = self.0.year().saturating_add(years);
        match self.0.replace_year(year) {
            Ok(anniversary) => Self(anniversary.saturating_sub(Duration::days(1))),
            // Only 29 February is missing in some years, and no date at all beyond the calendar.
            Err(_) => Self(Date::from_calendar_date(year, Month::February, 28).unwrap_or(Date::MAX)),
        }
    }

    /// The same when the first day is not counted (Civil Code art. 140 and 143): 2023-10-10 and three years give 2026-10-10.
    #[must_use]
    pub fn last_of_years_after(self, years: i32) -> Self {
        self.next().last_of_years(years)
    }

    /// The last day of so many months that begin with the day after this one (Civil Code art. 140 and 143): the day of the same number, or the last of a
    /// shorter month.
    #[must_use]
    pub fn months_later(self, months: u32) -> Self {
        let count = i64::from(self.0.year()) * 12 + i64::from(self.0.month() as u8) - 1 + i64::from(months);
        let (year, month) = (i32::try_from(count.div_euclid(12)), u8::try_from(count.rem_euclid(12) + 1));
        let (Ok(year), Some(month)) = (year, month.ok().and_then(|month| Month::try_from(month).ok())) else { return Self(Date::MAX) };
        Self(Date::from_calendar_date(year, month, self.0.day().min(month.length(year))).unwrap_or(Date::MAX))
    }

    /// The day after. The last day of the calendar has none.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(Duration::days(1)))
    }

    /// The day before. The first day of the calendar has none.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(Duration::days(1)))
    }

    /// Whole years from this day to `until`, as one counts an age. Negative when `until` is earlier.
    #[must_use]
    pub fn years_until(self, until: Self) -> i32 {
        let before = (until.0.month() as u8, until.0.day()) < (self.0.month() as u8, self.0.day());
        until.0.year().saturating_sub(self.0.year()).saturating_sub(i32::from(before))
    }

    /// Calendar months from this day's month to the month of `until`.
    #[must_use]
    pub fn months_until(self, until: Self) -> i32 {
        let years = until.0.year().saturating_sub(self.0.year());
        years.saturating_mul(12).saturating_add(i32::from(until.0.month() as u8) - i32::from(self.0.month() as u8))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.format(&FORM).map_err(|_| std::fmt::Error)?)
    }
}

impl std::str::FromStr for Day {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = UnknownCode("Day");
        if text.len() == 10 { Date::parse(text, &FORM).map(Self).map_err(|_| wrong) } else { Err(wrong) }
    }
}

impl serde::Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const JAPAN: UtcOffset = time::macros::offset!(+9);

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_of_months_ends_on_the_day_of_the_same_number() {
        for (from, months, last) in [
            ("2026-11-22", 60, "2031-11-22"),
            ("2026-11-30", 3, "2027-02-28"),
            ("2027-11-30", 3, "2028-02-29"),
            ("2026-12-31", 2, "2027-02-28"),
            ("2026-01-31", 0, "2026-01-31"),
            ("2026-11-01", 1, "2026-12-01"),
        ] {
            assert_eq!(day(from).months_later(months), day(last), "{from} and {months} months");
        }
        assert_eq!(day("2026-11-22").months_later(u32::MAX), Day(Date::MAX));
    }

    #[test]
    fn the_day_begins_at_midnight_in_japan() {
        let at = |text: &str| Day::in_japan(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-21T14:59:59Z"), "2026-11-21");
        assert_eq!(at("2026-11-21T15:00:00Z"), "2026-11-22");
        assert_eq!(at("2026-11-22T00:00:00+09:00"), "2026-11-22");
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert!(!Day::in_japan(end).to_string().is_empty());
        }
    }

    #[test]
    fn three_years_end_on_the_day_before_their_anniversary() {
        for (start, last) in
            [("2023-10-10", "2026-10-09"), ("2024-02-29", "2027-02-28"), ("2026-09-01", "2029-08-31"), ("2024-03-01", "2027-02-28")]
        {
            assert_eq!(day(start).last_of_years(3), day(last), "{start}");
        }
        assert_eq!(day("2021-03-01").last_of_years(3), day("2024-02-29"));
        assert!(day("9999-12-31").last_of_years(3) >= day("9999-12-31"));
    }

    #[test]
    fn a_first_day_that_is_not_counted_moves_the_end_by_a_day() {
        for (start, last) in [("2023-10-10", "2026-10-10"), ("2024-02-29", "2027-02-28"), ("2021-02-28", "2024-02-29")] {
            assert_eq!(day(start).last_of_years_after(3), day(last), "{start}");
        }
        assert_eq!((day("2024-02-28").next(), day("2024-03-01").previous()), (day("2024-02-29"), day("2024-02-29")));
        assert_eq!(day("9999-12-31").next(), day("9999-12-31"));
    }

    #[test]
    fn an_age_is_counted_in_whole_years() {
        for (born, today, age) in [
            ("1984-05-17", "2026-05-16", 41),
            ("1984-05-17", "2026-05-17", 42),
            ("2014-11-22", "2026-11-22", 12),
            ("2014-11-23", "2026-11-22", 11),
            ("2026-11-23", "2026-11-22", -1),
            ("2004-02-29", "2025-02-28", 20),
            ("2004-02-29", "2025-03-01", 21),
        ] {
            assert_eq!(day(born).years_until(day(today)), age, "{born} {today}");
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        assert_eq!(day("2026-11-22").months_until(day("2029-11-30")), 36);
        assert_eq!(day("2026-11-22").months_until(day("2029-12-01")), 37);
        assert_eq!(day("2026-11-22").months_until(day("2026-10-01")), -1);
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_refused() {
        for bad in ["2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01T00:00:00Z", "+026-01-01", "２０２６-01-01", ""] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
        assert!("2024-02-29".parse::<Day>().is_ok());
    }
}
