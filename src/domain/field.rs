//! Field classes (情報区分) and catalogue keys: what the policy decides about, and the names under which disclosures are recorded.

use super::codes::closed_list;

closed_list! {
    /// The 41 classes of the field catalogue (`domain.md` sections 5 and 8). Decisions are made per class.
    FieldClass {
        Routing = "routing",
        Task = "task",
        CriminalStatus = "criminal_status",
        Identity = "identity",
        Minimal = "minimal",
        Accommodation = "accommodation",
        Contact = "contact",
        Residence = "residence",
        Wishes = "wishes",
        Custody = "custody",
        ReleaseFact = "release_fact",
        Supervision = "supervision",
        CriminalSummary = "criminal_summary",
        CriminalDetail = "criminal_detail",
        CriminalBackground = "criminal_background",
        MedicalObservation = "medical_observation",
        RiskEnvironment = "risk_environment",
        Safety = "safety",
        VictimRelated = "victim_related",
        Disability = "disability",
        Medical = "medical",
        MedicalRestricted = "medical_restricted",
        CareNeed = "care_need",
        Assessment = "assessment",
        AssessmentClinical = "assessment_clinical",
        LifeHistory = "life_history",
        GovIdentifier = "gov_identifier",
        Benefit = "benefit",
        Finance = "finance",
        Guardian = "guardian",
        Family = "family",
        Network = "network",
        Plan = "plan",
        Placement = "placement",
        Followup = "followup",
        AddonProof = "addon_proof",
        ConsentMeta = "consent_meta",
        ConsentDetail = "consent_detail",
        ConsentScan = "consent_scan",
        FreeText = "free_text",
        Prohibited = "prohibited",
    }
}

impl FieldClass {
    /// Classes that no consent item needs to name: they carry no personal data of their own (protocol section 2, "Consent rules").
    /// The consent itself must still be valid.
    #[must_use]
    pub const fn needs_no_consent_item(self) -> bool {
        matches!(self, Self::Routing | Self::Task | Self::ConsentMeta)
    }

    /// Classes that no consent may name: `prohibited` is never carried, `consent_scan` stays with its collector.
    #[must_use]
    pub const fn consent_may_not_name(self) -> bool {
        matches!(self, Self::Prohibited | Self::ConsentScan)
    }
}

/// Key of one row of the field catalogue, `^[a-z][a-z0-9_]{0,63}$`. It names a field, never a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct FieldKey(String);

impl FieldKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for FieldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for FieldKey {
    type Err = super::codes::UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = text.bytes();
        let head = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let tail = text.len() <= 64 && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if head && tail { Ok(Self(text.to_owned())) } else { Err(super::codes::UnknownCode("FieldKey")) }
    }
}

impl<'de> serde::Deserialize<'de> for FieldKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_carry_a_value_is_refused() {
        for bad in ["", "A", "1a", "a-b", "名前", "a b", &"a".repeat(65)] {
            assert!(bad.parse::<FieldKey>().is_err());
        }
        assert!("family_name".parse::<FieldKey>().is_ok());
    }
}
