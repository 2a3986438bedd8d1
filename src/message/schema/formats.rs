//! The formats of our schemas (`date-time` is ours too, so that what passes is a time the program can read), and the options every schema is compiled with.

use jsonschema::{Draft, PatternOptions, ValidationOptions};

use crate::domain::{digest::Digest, identifiers, ids::Jti, party::PartyId, schema_version::SchemaVersion, time::Timestamp};

/// Offline, formats checked, unknown formats refused, and regular expressions that run in linear time.
pub(super) fn options<'a>() -> ValidationOptions<'a> {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(PatternOptions::regex());
    OURS.iter().fold(options, |options, (name, check)| options.with_format(*name, *check))
}

/// Name of a format and its check.
type Format = (&'static str, fn(&str) -> bool);

const OURS: &[Format] = &[
    ("lg-code", identifiers::is_local_government_code),
    ("benefit-municipality-number", identifiers::is_benefit_municipality_number),
    ("provider-number", identifiers::is_provider_number),
    ("corporate-number", identifiers::is_corporate_number),
    ("kana", is_kana),
    ("year-month", is_year_month),
    ("party-id", |text| text.parse::<PartyId>().is_ok()),
    ("uuid-v4", |text| text.parse::<Jti>().is_ok()),
    ("sha-256", |text| text.parse::<Digest>().is_ok()),
    ("schema-version", |text| text.parse::<SchemaVersion>().is_ok()),
    ("date-time", |text| text.parse::<Timestamp>().is_ok()),
];

/// Full-width katakana with the prolonged sound mark, middle dot and spaces between words.
fn is_kana(text: &str) -> bool {
    let letter = |c: char| matches!(c, 'ァ'..='ヺ' | 'ー' | '・' | '\u{3000}' | ' ');
    text.chars().all(letter) && text.trim() == text && !text.is_empty()
}

/// `YYYY-MM`.
fn is_year_month(text: &str) -> bool {
    let Some((year, month)) = text.split_once('-') else { return false };
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && digits(month, 2) && matches!(month.parse(), Ok(1..=12_u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kana_is_full_width_katakana_only() {
        for good in ["ヤマダ", "サントス ルイス", "ジョー", "ヴァレンティーノ・ローシ"] {
            assert!(is_kana(good), "{good}");
        }
        for bad in ["", "やまだ", "ﾔﾏﾀﾞ", "山田", "Yamada", " ヤマダ", "ヤマダ1"] {
            assert!(!is_kana(bad), "{bad}");
        }
    }

    #[test]
    fn a_month_is_a_year_and_a_month_of_it() {
        for good in ["2026-01", "2026-12"] {
            assert!(is_year_month(good), "{good}");
        }
        for bad in ["2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "２０２６-01", "+026-01"] {
            assert!(!is_year_month(bad), "{bad}");
        }
    }

    #[test]
    fn a_format_nobody_checks_does_not_compile() {
        assert!(options().build(&serde_json::json!({"format": "lg-code"})).is_ok());
        assert!(options().build(&serde_json::json!({"format": "lg-cod"})).is_err());
    }

    #[test]
    fn a_reference_is_never_fetched() {
        assert!(options().build(&serde_json::json!({"$ref": "https://example.com/schema.json"})).is_err());
    }
}
