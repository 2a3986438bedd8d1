//! Identifiers. Each is its own type; none is a string across a function boundary.

use uuid::{Uuid, Variant};

use super::codes::UnknownCode;

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From a UUID whose origin is trusted (our own generator or our own database).
            #[must_use]
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The UUID.
            #[must_use]
            pub const fn uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        /// Only the canonical form: version 4, lower case, hyphenated.
        impl std::str::FromStr for $name {
            type Err = UnknownCode;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let value = Uuid::try_parse(text).map_err(|_| UnknownCode(stringify!($name)))?;
                let canonical = value.get_version_num() == 4
                    && value.get_variant() == Variant::RFC4122
                    && value.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
                if canonical { Ok(Self(value)) } else { Err(UnknownCode(stringify!($name))) }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_id! {
    /// `jti` of a message or another signed object, UUIDv4, single use per issuer.
    Jti
}
uuid_id! {
    /// A case as one party knows it: random, different for every party (protocol section 4, "pairwise").
    CaseId
}
uuid_id! {
    /// A case inside this gateway. Never leaves it.
    CaseKey
}

/// An agreement version: `AG-[0-9]{2}-[0-9]{4,8}` and a positive number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgreementId(String);

impl AgreementId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for AgreementId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for AgreementId {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = UnknownCode("AgreementId");
        let (prefecture, number) = text.strip_prefix("AG-").and_then(|rest| rest.split_once('-')).ok_or(wrong)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let fits = prefecture.len() == 2 && (4..=8).contains(&number.len()) && digits(prefecture) && digits(number);
        if fits { Ok(Self(text.to_owned())) } else { Err(wrong) }
    }
}

impl serde::Serialize for AgreementId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for AgreementId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jti_is_a_canonical_uuid_of_version_4() {
        assert!("0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse::<Jti>().is_ok());
        for bad in [
            "0B0E5F6A-5C7E-4F0E-8D57-2F6F0AC1B1A4",
            "0b0e5f6a5c7e4f0e8d572f6f0ac1b1a4",
            "0b0e5f6a-5c7e-7f0e-8d57-2f6f0ac1b1a4",
            "{0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4}",
            "",
        ] {
            assert!(bad.parse::<Jti>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_agreement_id_names_prefecture_and_number() {
        assert!("AG-13-0001".parse::<AgreementId>().is_ok());
        for bad in ["AG-13-001", "AG-1-0001", "AG-13-000000001", "ag-13-0001", "AG-13-00a1"] {
            assert!(bad.parse::<AgreementId>().is_err(), "{bad}");
        }
    }
}
