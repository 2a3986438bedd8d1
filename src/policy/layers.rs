//! That no layer of a set is hollow: a set whose prohibitions were emptied is well-formed, and would show what nobody meant to show.
//!
//! Promises: each layer of the built-in set has a policy, and the guards of the agreement and of the consent withhold in every state in which they
//! must. Not here: whether a rule of some other layer would withhold as well; a guard that leans on it is none.

use cedar_policy::Effect;

use super::{
    engine::RuleText,
    error::PolicyError,
    key::RuleId,
    region::{Region, Situations},
};
use crate::domain::{agreement::AgreementState, codes::BasisGroup, consent::ConsentState, field::FieldClass};

/// The layer among the files of every set that a file name stands for; none for a file that was added.
pub(super) fn of_file(name: &str) -> Option<&'static str> {
    LAYERS.iter().find(|layer| **layer == name).copied()
}

/// The states of agreement and consent in which the guards let something through that they must withhold.
pub(super) fn unguarded<'a>(rules: &(impl Iterator<Item = (&'a RuleId, &'a RuleText)> + Clone)) -> Vec<PolicyError> {
    let guards = |letter: char| {
        let withheld = rules.clone().filter(|(id, text)| id.as_str().starts_with(letter) && text.effect == Effect::Forbid);
        withheld.fold(Region::default(), |all, (_, text)| all.or(&text.reach))
    };
    let (agreement, consent) = (guards('A'), guards('C'));
    let agreements = AgreementState::ALL.iter().filter(|state| **state != AgreementState::Covers).filter_map(|state| {
        let left = Region::from(&Situations { agreements: vec![*state], ..Situations::all() }).minus(&agreement);
        (!left.is_empty()).then(|| PolicyError::Unguarded { layer: AGREEMENT, state: state.as_str() })
    });
    // Outside a living consent, classes without personal data may remain (`40_consent.cedar`).
    let personal: Vec<FieldClass> = FieldClass::ALL.iter().copied().filter(|class| !class.needs_no_consent_item()).collect();
    let withholding = ConsentState::ALL.iter().filter(|state| !matches!(state, ConsentState::Covers | ConsentState::CoversTicked));
    let consents = withholding.filter_map(|state| {
        let (bases, classes) = (vec![BasisGroup::Consent], personal.clone());
        let left = Region::from(&Situations { consents: vec![*state], bases, classes, ..Situations::all() }).minus(&consent);
        (!left.is_empty()).then(|| PolicyError::Unguarded { layer: CONSENT, state: state.as_str() })
    });
    agreements.chain(consents).collect()
}

const AGREEMENT: &str = "30_agreement.cedar";
const CONSENT: &str = "40_consent.cedar";
const LAYERS: &[&str] = &["10_necessity.cedar", "20_prohibition.cedar", AGREEMENT, CONSENT, "50_operation.cedar"];
