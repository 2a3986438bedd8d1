//! The closed key of a decision and its answer.

use std::sync::Arc;

use crate::domain::{
    agreement::AgreementState,
    case::Relation,
    codes::{BasisGroup, MessageKind, Purpose},
    consent::ConsentState,
    field::FieldClass,
    party::PartyKind,
};

/// Everything a decision depends on (protocol section 3). Each member is from a closed list, so decisions are finite, comparable and
/// free of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Kind of the party that would read.
    pub reader: PartyKind,
    /// Kind of the party that issued the message.
    pub sender: PartyKind,
    /// Class of the field.
    pub class: FieldClass,
    /// What the read is for.
    pub purpose: Purpose,
    /// Message kind.
    pub kind: MessageKind,
    /// Relation of the reader to the case.
    pub relation: Relation,
    /// What the legal basis of the message means.
    pub basis: BasisGroup,
    /// What the agreement says about the class.
    pub agreement: AgreementState,
    /// What the consent says about the class.
    pub consent: ConsentState,
    /// Whether the consent names the reader itself, not only its kind.
    pub named: bool,
}

/// The answer for one key. `allow` holds exactly when some permit applies and no prohibition does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether the class may be shown.
    pub allow: bool,
    /// Permits that apply, sorted.
    pub permits: Arc<[RuleId]>,
    /// Prohibitions that apply, sorted.
    pub forbids: Arc<[RuleId]>,
}

impl Ruling {
    pub(super) fn of(mut permits: Vec<RuleId>, mut forbids: Vec<RuleId>) -> Self {
        permits.sort();
        forbids.sort();
        Self { allow: !permits.is_empty() && forbids.is_empty(), permits: permits.into(), forbids: forbids.into() }
    }

    /// Whether the policies said so, and not a fault of the engine.
    pub(super) fn is_of_the_policies(&self) -> bool {
        self.forbids.iter().all(|rule| rule.as_str() != RuleId::ENGINE_FAILED)
    }
}

/// The `@id` of a policy, e.g. `N-10`. Exists only for policies of a loaded set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// The rule that stands in when the engine itself fails: nothing is shown.
    pub const ENGINE_FAILED: &str = "E-00";
    /// What withholds a class that no policy permits.
    pub const NECESSITY: &str = "necessity";

    pub(super) fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for RuleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
