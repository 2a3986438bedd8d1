//! On what conditions a consent is taken, as far as numbers and words decide it (`domain.md` section 10.3). They stand in a data file of the policy
//! set, because most are proposals that a lawyer has still to confirm; each part says so.
//!
//! Not here: the rules themselves, which need the signed claims.

use serde::Deserialize;

use crate::domain::{field::FieldClass, party::PartyKind, time::Timestamp};

/// The conditions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentTerms {
    /// Spoken before a witness, until paper takes its place.
    pub oral: OralTerms,
    /// Given in custody.
    pub custody: CustodyTerms,
    /// Given by a representative.
    pub representative: RepresentativeTerms,
}

/// What a spoken consent may be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OralTerms {
    /// How many days it may last.
    pub days: u16,
    /// To whom.
    pub recipients: Vec<PartyKind>,
    /// About what.
    pub classes: Vec<FieldClass>,
    /// Whether a lawyer or a public source has confirmed it.
    pub verified: bool,
    /// What confirms it, or what is open.
    pub note: String,
}

/// What a consent given in custody may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyTerms {
    /// How many days it stands towards providers.
    pub provider_days: u16,
    /// Words that tell a place of custody.
    pub places: Vec<String>,
    /// Words that tell its staff, who are no witnesses.
    pub staff: Vec<String>,
    /// Whether a lawyer or a public source has confirmed it.
    pub verified: bool,
    /// What confirms it, or what is open.
    pub note: String,
}

/// Who may consent in the person's place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepresentativeTerms {
    /// Kinds of representative (code list `guardianKind`).
    pub kinds: Vec<String>,
    /// Classes that the person alone can consent to.
    pub never: Vec<FieldClass>,
    /// Whether a lawyer or a public source has confirmed it.
    pub verified: bool,
    /// What confirms it, or what is open.
    pub note: String,
}

impl CustodyTerms {
    /// Whether the words name a place of custody.
    #[must_use]
    pub fn is_place(&self, words: &str) -> bool {
        tells(&self.places, words)
    }

    /// Whether the words name somebody of its staff.
    #[must_use]
    pub fn is_staff(&self, words: &str) -> bool {
        tells(&self.staff, words)
    }

    /// Until when a consent that was given in custody stands towards providers.
    #[must_use]
    pub fn stands_until(&self, given: Timestamp) -> Timestamp {
        given.plus_secs(i64::from(self.provider_days) * DAY_SECS)
    }
}

impl OralTerms {
    /// The latest end of a spoken consent.
    #[must_use]
    pub fn ends(&self, given: Timestamp) -> Timestamp {
        given.plus_secs(i64::from(self.days) * DAY_SECS)
    }
}

fn tells(list: &[String], words: &str) -> bool {
    let words = words.to_lowercase();
    list.iter().any(|word| words.contains(&word.to_lowercase()))
}

const DAY_SECS: i64 = 86_400;
