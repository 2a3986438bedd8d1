//! Time as the ledger counts it: microseconds since 1970-01-01T00:00:00Z. JWT NumericDate is whole seconds, JSON is RFC 3339 UTC.

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::codes::UnknownCode;

/// A point in time, microseconds since the Unix epoch, within the years 0000 to 9999 (UTC): every value has the text form of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z, the first moment RFC 3339 can write.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-31T23:59:59.999999Z, the last one.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// From microseconds since the epoch. Saturates.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// From seconds since the epoch (a JWT NumericDate, RFC 7519 section 2). Saturates.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time moved by `secs` seconds. Saturates.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self::from_micros(self.0.saturating_add(secs.saturating_mul(1_000_000)))
    }

    /// This time moved by `micros` microseconds. Saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }
}

/// RFC 3339 UTC with exactly six digits of a second, the form of the ledger.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .ok()
            .and_then(|moment| moment.format(&form).ok())
            .ok_or(std::fmt::Error)?;
        f.write_str(&text)
    }
}

/// RFC 3339 with any offset. Near the ends of the calendar an offset can lead out of the years that UTC can write: no such moment exists.
impl std::str::FromStr for Timestamp {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = UnknownCode("Timestamp");
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong)?;
        let micros = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).map_err(|_| wrong)?;
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Self(micros)) } else { Err(wrong) }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_has_six_digits_and_reads_back() {
        let moment = Timestamp::from_micros(1_795_000_000_000_001);
        assert_eq!(moment.to_string(), "2026-11-18T11:06:40.000001Z");
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!(Timestamp::from_secs(0).to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn every_value_has_a_text_form_that_reads_back() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        for beyond in [
            Timestamp::from_micros(i64::MAX),
            Timestamp::from_micros(i64::MIN),
            Timestamp::from_secs(i64::MAX),
            Timestamp::from_secs(i64::MIN),
            Timestamp::MAX.plus_micros(1),
            Timestamp::MIN.plus_secs(-1),
            Timestamp::MAX.plus_secs(i64::MAX),
        ] {
            assert!(beyond == Timestamp::MIN || beyond == Timestamp::MAX);
            assert_eq!(beyond.to_string().parse(), Ok(beyond));
        }
    }

    #[test]
    fn an_offset_that_leads_out_of_the_calendar_names_no_moment() {
        for text in ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999999-00:01", "0000-01-01T00:00:00+00:01", "2026-02-30T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(UnknownCode("Timestamp")), "{text}");
        }
        assert_eq!("9999-12-31T23:59:59.999999+00:00".parse(), Ok(Timestamp::MAX));
    }

    #[test]
    fn an_offset_is_turned_into_utc() {
        assert_eq!("2026-10-01T09:00:00+09:00".parse(), Ok(Timestamp::from_secs(1_790_812_800)));
    }
}
