//! Everything a person reads in the product, in Japanese and English, as typed tables.
//!
//! Promises: each code has both languages (the tables are exhaustive matches, so a missing one does not compile); no text holds a value.

pub mod addon;
pub mod agreement;
pub mod audit;
pub mod case;
pub mod consent;
pub mod csv;
pub(crate) mod demo;
pub mod disclosures;
pub mod help;
pub mod policy;
mod refusal;
pub mod registration;
pub mod statistics;

pub use refusal::{RefusalText, refusal};

/// Language of what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Lang {
    /// The language an `Accept-Language` header prefers (RFC 9110 section 12.5.4): Japanese when `ja` has a higher weight than `en`; English otherwise.
    #[must_use]
    pub fn from_accept_language(header: &str) -> Self {
        let mut best = (0u16, Self::En);
        for range in header.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts.find_map(|p| p.trim().strip_prefix("q=").map(weight)).unwrap_or(1000);
            let primary = tag.split('-').next().unwrap_or_default();
            let lang = match primary {
                "ja" => Self::Ja,
                "en" => Self::En,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// The language of a POSIX locale such as `ja_JP.UTF-8`.
    #[must_use]
    pub fn from_locale(locale: &str) -> Self {
        if locale.starts_with("ja") { Self::Ja } else { Self::En }
    }

    /// One of two texts.
    #[must_use]
    pub const fn of<'a>(self, en: &'a str, ja: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Ja => ja,
        }
    }
}

/// A weight in thousandths; what does not parse is the lowest.
fn weight(text: &str) -> u16 {
    text.trim().parse::<f32>().map_or(0, |q| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 before the cast")]
        let thousandths = (q.clamp(0.0, 1.0) * 1000.0) as u16;
        thousandths
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_weight_decides_the_language() {
        for (header, lang) in [
            ("ja", Lang::Ja),
            ("en-US,en;q=0.9,ja;q=0.8", Lang::En),
            ("ja-JP,ja;q=0.9,en;q=0.8", Lang::Ja),
            ("fr,ja;q=0.5", Lang::Ja),
            ("", Lang::En),
            ("*", Lang::En),
            ("ja;q=0", Lang::En),
            ("ja;q=x,en;q=0.1", Lang::En),
        ] {
            assert_eq!(Lang::from_accept_language(header), lang, "{header}");
        }
    }
}
