//! Parties: one unit in one role, `<kind>:<code>` (protocol section 1).

use super::{
    codes::{Purpose, UnknownCode, closed_list},
    identifiers,
};

closed_list! {
    /// The role of a unit. It comes from the registration and the certificate of the unit, never from the legal body.
    PartyKind {
        SettlementCenter = "settlement_center",
        ProbationOffice = "probation_office",
        BarAssociation = "bar_association",
        Municipality = "municipality",
        CoreCenter = "core_center",
        Prefecture = "prefecture",
        ConsultationOffice = "consultation_office",
        GroupHome = "group_home",
        SupportFacility = "support_facility",
        LodgingTraining = "lodging_training",
        DayService = "day_service",
        RehabFacility = "rehab_facility",
        Auditor = "auditor",
        Operator = "operator",
    }
}

impl PartyKind {
    /// Private service providers: named one by one in a consent, never reached by a centre directly.
    #[must_use]
    pub const fn is_provider(self) -> bool {
        matches!(
            self,
            Self::ConsultationOffice
                | Self::GroupHome
                | Self::SupportFacility
                | Self::LodgingTraining
                | Self::DayService
                | Self::RehabFacility
        )
    }

    /// Whose code is a 事業所番号.
    #[must_use]
    pub const fn has_provider_number(self) -> bool {
        matches!(self, Self::ConsultationOffice | Self::GroupHome | Self::SupportFacility | Self::LodgingTraining | Self::DayService)
    }

    /// Public bodies and their contractors, which a consent may name by kind.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::SettlementCenter | Self::ProbationOffice | Self::Municipality | Self::CoreCenter | Self::Prefecture)
    }

    /// Who takes a case on and leads it: the municipality, or the core centre that acts for it (`domain.md` section 3).
    #[must_use]
    pub const fn leads_cases(self) -> bool {
        matches!(self, Self::Municipality | Self::CoreCenter)
    }

    /// Who may collect a consent (protocol section 2): never a provider.
    #[must_use]
    pub const fn may_collect_consent(self) -> bool {
        matches!(self, Self::SettlementCenter | Self::Municipality | Self::CoreCenter | Self::ProbationOffice | Self::BarAssociation)
    }

    /// Whose messages may never go to a provider: saying "this body wrote to you" would disclose criminal history.
    #[must_use]
    pub const fn reveals_criminal_history(self) -> bool {
        matches!(self, Self::SettlementCenter | Self::ProbationOffice | Self::BarAssociation)
    }
}

/// One unit in one role. Parsed, so its code has the form its kind demands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId {
    kind: PartyKind,
    code: String,
}

impl PartyId {
    /// The role.
    #[must_use]
    pub const fn kind(&self) -> PartyKind {
        self.kind
    }

    /// The code within the role.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether the code is a 事業所番号 whose check digit is not the assumed one: to be told, not refused (`domain.md` section 7.2).
    #[must_use]
    pub fn has_doubtful_check_digit(&self) -> bool {
        identifiers::is_provider_number(&self.code) && self.kind.has_provider_number() && !identifiers::passes_modulus_10(&self.code)
    }

    /// The place that the code itself tells: the local government code (6 digits) of public bodies of a place, otherwise the prefecture number
    /// (2 digits). A 法人番号 and the codes of auditors and operators tell none.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match self.kind {
            PartyKind::Municipality | PartyKind::CoreCenter | PartyKind::Prefecture => self.code.get(..6),
            PartyKind::RehabFacility | PartyKind::Auditor | PartyKind::Operator => None,
            _ => self.code.get(..2),
        }
    }
}

impl std::fmt::Display for PartyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.code)
    }
}

impl std::str::FromStr for PartyId {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = UnknownCode("PartyId");
        let (kind, code) = text.split_once(':').ok_or(wrong)?;
        let kind: PartyKind = kind.parse().map_err(|_| wrong)?;
        if code_fits(kind, code) { Ok(Self { kind, code: code.to_owned() }) } else { Err(wrong) }
    }
}

fn code_fits(kind: PartyKind, code: &str) -> bool {
    let number = |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match kind {
        PartyKind::SettlementCenter | PartyKind::ProbationOffice | PartyKind::BarAssociation => {
            code.split_once('-').is_some_and(|(prefecture, unit)| {
                prefecture.len() == 2 && number(unit) && prefecture.parse().is_ok_and(|p: u8| (1..=47).contains(&p))
            })
        }
        PartyKind::Municipality | PartyKind::CoreCenter => {
            code.split_once('-').is_some_and(|(place, unit)| identifiers::is_local_government_code(place) && number(unit))
        }
        PartyKind::Prefecture => identifiers::is_local_government_code(code),
        PartyKind::ConsultationOffice
        | PartyKind::GroupHome
        | PartyKind::SupportFacility
        | PartyKind::LodgingTraining
        | PartyKind::DayService => identifiers::is_provider_number(code),
        PartyKind::RehabFacility => code.split_once('-').is_some_and(|(body, unit)| identifiers::is_corporate_number(body) && number(unit)),
        PartyKind::Auditor | PartyKind::Operator => {
            (1..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }
    }
}

impl serde::Serialize for PartyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PartyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

closed_list! {
    /// State of a registration.
    PartyState {
        Active = "active",
        Suspended = "suspended",
    }
}

/// Names in both languages, as registered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// What an auditor may look at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Jurisdiction {
    /// `"all"`.
    Everything(All),
    /// Prefecture numbers (2 digits) or local government codes (6 digits).
    Places(Vec<String>),
}

closed_list! {
    /// The word `all`.
    All {
        All = "all",
    }
}

/// The registration of a party, as the operator signed it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The unit.
    pub party: PartyId,
    /// Names.
    pub name: Name,
    /// 法人番号 of the legal body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corporate_number: Option<String>,
    /// Purposes this unit works for.
    pub purposes: Vec<Purpose>,
    /// SHA-256 of the subject public key infos its certificates may carry; empty: any certificate of an accepted authority that names the party.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<super::digest::Digest>,
    /// For auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Jurisdiction>,
}

impl Registration {
    /// Whether the unit works for a purpose. Every unit has `administration`.
    #[must_use]
    pub fn works_for(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Administration || self.purposes.contains(&purpose)
    }

    /// What is wrong with the 法人番号: its check digit, or that it is not the number of the body that the code of the party names.
    #[must_use]
    pub fn identifier_fault(&self) -> Option<&'static str> {
        let number = self.corporate_number.as_deref()?;
        let named = match (self.party.kind, self.party.code.split_once('-')) {
            (PartyKind::Municipality, Some((place, _))) => identifiers::is_corporate_number_of_place(number, place),
            (PartyKind::Prefecture, _) => identifiers::is_corporate_number_of_place(number, &self.party.code),
            (PartyKind::RehabFacility, Some((body, _))) => number == body,
            _ => true,
        };
        if !identifiers::is_corporate_number(number) {
            Some("check_digit")
        } else if named {
            None
        } else {
            Some("party")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_stands_where_its_code_says() {
        for (party, place) in [
            ("settlement_center:13-1", Some("13")),
            ("municipality:131016-1", Some("131016")),
            ("prefecture:130001", Some("130001")),
            ("group_home:1320100017", Some("13")),
            ("rehab_facility:4011001098993-1", None),
            ("auditor:tokyo", None),
        ] {
            assert_eq!(party.parse::<PartyId>().unwrap().place(), place, "{party}");
        }
    }

    #[test]
    fn each_kind_demands_its_form_of_code() {
        for good in [
            "settlement_center:13-1",
            "municipality:131016-1",
            "prefecture:130001",
            "group_home:1320100017",
            "rehab_facility:4011001098993-1",
            "auditor:tokyo",
        ] {
            assert_eq!(good.parse::<PartyId>().map(|id| id.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "settlement_center:48-1",
            "settlement_center:13",
            "municipality:131017-1",
            "municipality:131016",
            "group_home:132010001",
            "auditor:Tokyo",
            "auditor:",
            "nobody:1",
            "municipality",
            "municipality:131016-1:2",
        ] {
            assert!(bad.parse::<PartyId>().is_err(), "{bad}");
        }
    }
}
