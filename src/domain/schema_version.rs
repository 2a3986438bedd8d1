//! A version of a message kind's schema as an agreement names it: `referral/1.0.0`.

use super::{
    agreement::Agreement,
    codes::{MessageKind, UnknownCode},
};

/// A message kind and one version of its schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SchemaVersion {
    kind: MessageKind,
    ver: String,
}

impl SchemaVersion {
    /// The message kind.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The version, three numbers.
    #[must_use]
    pub fn ver(&self) -> &str {
        &self.ver
    }
}

impl Agreement {
    /// Whether messages of this kind and schema version are accepted under the agreement. What it does not name is not.
    #[must_use]
    pub fn accepts_schema(&self, kind: MessageKind, ver: &str) -> bool {
        self.schema_versions.iter().any(|named| named.kind == kind && named.ver == ver)
    }
}

impl std::str::FromStr for SchemaVersion {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = UnknownCode("SchemaVersion");
        let (kind, ver) = text.split_once('/').ok_or(wrong)?;
        let number = |part: &str| {
            (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
        };
        if ver.split('.').count() == 3 && ver.split('.').all(number) {
            Ok(Self { kind: kind.parse()?, ver: ver.to_owned() })
        } else {
            Err(wrong)
        }
    }
}

impl std::fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.ver)
    }
}

impl serde::Serialize for SchemaVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SchemaVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_a_known_kind_and_three_numbers() {
        for good in ["referral/1.0.0", "coordination_certificate/12.0.9999"] {
            assert_eq!(good.parse::<SchemaVersion>().map(|read| read.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "referral",
            "referral/1.0",
            "referral/1.0.0.0",
            "referral/01.0.0",
            "referral/1..0",
            "consent/1.0.0",
            "/1.0.0",
            "referral/1.0.x",
        ] {
            assert!(bad.parse::<SchemaVersion>().is_err(), "{bad}");
        }
    }
}
