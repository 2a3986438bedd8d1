//! What a policy set must be before it is believed: complete about itself, and made of the program's closed lists only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use cedar_policy::{ActionConstraint, Effect, Policy, SchemaFragment};
use serde_json::Value;

use super::{error::PolicyError, key::RuleId, operation::Deed, source::SCHEMA};
use crate::domain::{
    agreement::AgreementState,
    case::Relation,
    codes::{BasisGroup, MessageKind, Purpose},
    consent::ConsentState,
    field::FieldClass,
    party::PartyKind,
};

/// Purposes a disclosure can have. Administration never releases anything, so the policies do not know it.
pub(super) fn purposes() -> impl Iterator<Item = Purpose> {
    Purpose::ALL.iter().copied().filter(|purpose| *purpose != Purpose::Administration)
}

/// Refuses a list that has not exactly the program's codes, each once.
pub(super) fn same_codes<'a, C: Display>(
    file: &'static str,
    list: &'static str,
    ours: &[C],
    theirs: impl Iterator<Item = &'a str>,
) -> Result<(), PolicyError> {
    let ours: BTreeSet<String> = ours.iter().map(C::to_string).collect();
    let mut found = BTreeSet::new();
    let mut difference = Vec::new();
    for code in theirs {
        if !found.insert(code.to_owned()) {
            difference.push(format!("{code} twice"));
        }
    }
    difference.extend(ours.symmetric_difference(&found).cloned());
    if difference.is_empty() { Ok(()) } else { Err(PolicyError::List { file, list, difference: difference.join(", ") }) }
}

/// The Cedar schema has the closed lists as enumerated entity types, the known actions, and nothing else: a policy that passes strict
/// validation then cannot name one organisation, one person or one case.
pub(super) fn closed_lists(fragment: SchemaFragment) -> Result<(), PolicyError> {
    let json = fragment.to_json_value().map_err(|e| PolicyError::Schema(e.to_string()))?;
    let namespaces = json.as_object().ok_or_else(|| PolicyError::Schema("is not an object".to_owned()))?;
    let Some(root) = namespaces.get("").filter(|_| namespaces.len() == 1) else {
        return Err(PolicyError::Schema("namespaces are not allowed".to_owned()));
    };
    let types = root.get("entityTypes").and_then(Value::as_object).ok_or_else(|| PolicyError::Schema("has no entity types".to_owned()))?;
    same_codes(SCHEMA, "entity types", TYPES, types.keys().map(String::as_str))?;
    let codes = |list: &'static str| -> Result<Vec<&str>, PolicyError> {
        let codes = types.get(list).and_then(|t| t.get("enum")).and_then(Value::as_array);
        let codes = codes.ok_or_else(|| PolicyError::Schema(format!("{list} is not a closed list")))?;
        Ok(codes.iter().filter_map(Value::as_str).collect())
    };
    let purposes: Vec<Purpose> = purposes().collect();
    same_codes(SCHEMA, "OrgKind", PartyKind::ALL, codes("OrgKind")?.into_iter())?;
    same_codes(SCHEMA, "FieldClass", FieldClass::ALL, codes("FieldClass")?.into_iter())?;
    same_codes(SCHEMA, "Purpose", &purposes, codes("Purpose")?.into_iter())?;
    same_codes(SCHEMA, "MessageType", MessageKind::ALL, codes("MessageType")?.into_iter())?;
    same_codes(SCHEMA, "CaseRelation", Relation::ALL, codes("CaseRelation")?.into_iter())?;
    same_codes(SCHEMA, "LegalBasis", BasisGroup::ALL, codes("LegalBasis")?.into_iter())?;
    same_codes(SCHEMA, "AgreementState", AgreementState::ALL, codes("AgreementState")?.into_iter())?;
    same_codes(SCHEMA, "ConsentState", ConsentState::ALL, codes("ConsentState")?.into_iter())?;
    same_codes(SCHEMA, "Record", RECORDS, codes("Record")?.into_iter())?;
    let actions = root.get("actions").and_then(Value::as_object).ok_or_else(|| PolicyError::Schema("has no action".to_owned()))?;
    let expected: Vec<&str> = [DISCLOSE].iter().chain(Deed::ACTIONS).copied().collect();
    same_codes(SCHEMA, "actions", &expected, actions.keys().map(String::as_str))?;
    let context = root.pointer("/actions/disclose/appliesTo/context/attributes").and_then(Value::as_object);
    let context = context.ok_or_else(|| PolicyError::Schema("the action has no context".to_owned()))?;
    same_codes(SCHEMA, "context", CONTEXT, context.keys().map(String::as_str))
}

/// The id a policy gives itself, `X-00`.
pub(super) fn id(policy: &Policy) -> Option<&str> {
    let id = policy.annotation("id")?;
    let (letter, number) = id.split_once('-')?;
    let fits = letter.len() == 1
        && letter.bytes().all(|b| b.is_ascii_uppercase())
        && (2..=3).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(id)
}

/// Whether a policy is about operations, by its id.
pub(super) fn is_operation(id: &str) -> bool {
    id.starts_with(['O', 'X'])
}

/// A policy says what it does, why it may, and has the effect its id announces.
pub(super) fn policy(id: &str, policy: &Policy) -> Vec<PolicyError> {
    let silent = |annotation: &&str| policy.annotation(annotation).is_none_or(|text| text.trim().is_empty());
    let mut faults: Vec<PolicyError> = ["title", "title_en", "basis"]
        .into_iter()
        .filter(silent)
        .map(|annotation| PolicyError::NoAnnotation { id: id.to_owned(), annotation })
        .collect();
    if id.starts_with(['N', 'O']) != (policy.effect() == Effect::Permit) {
        faults.push(PolicyError::Effect(id.to_owned()));
    }
    faults
}

/// A policy is about one action, the one its id announces: one that names none would be about all of them.
pub(super) fn action(id: &str, policy: &Policy) -> Result<(), PolicyError> {
    let about = match policy.action_constraint() {
        ActionConstraint::Eq(uid) => uid.id().unescaped() != DISCLOSE,
        ActionConstraint::Any | ActionConstraint::In(_) => return Err(PolicyError::Action(id.to_owned())),
    };
    if about == is_operation(id) { Ok(()) } else { Err(PolicyError::Action(id.to_owned())) }
}

/// Two policies with one title cannot be told apart by whoever reads why.
pub(super) fn same_titles<'a>(rules: impl Iterator<Item = (&'a RuleId, &'a String, &'a String)>) -> Vec<PolicyError> {
    let mut seen = BTreeMap::new();
    let mut faults = Vec::new();
    for (id, ja, en) in rules {
        for title in [ja, en].into_iter().filter(|title| !title.trim().is_empty()) {
            if let Some(first) = seen.insert(title, id) {
                faults.push(PolicyError::SameTitle { first: first.to_string(), second: id.to_string() });
            }
        }
    }
    faults
}

const DISCLOSE: &str = "disclose";
const RECORDS: &[&str] = &["consent", "agreement", "party", "ledger", "disclosures", "statistics"];
const TYPES: &[&str] =
    &["OrgKind", "FieldClass", "Purpose", "MessageType", "CaseRelation", "LegalBasis", "AgreementState", "ConsentState", "Record"];
const CONTEXT: &[&str] = &["sender_kind", "purpose", "message_type", "relation", "legal_basis", "agreement", "consent", "named_recipient"];
