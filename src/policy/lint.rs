//! What a policy set must be before it is believed: complete about itself, and made of the program's closed lists only.

use std::{collections::BTreeSet, fmt::Display};

use cedar_policy::{Effect, Policy, SchemaFragment};
use serde_json::Value;

use super::{error::PolicyError, source::SCHEMA};
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

/// The Cedar schema has the eight closed lists as enumerated entity types, one action, and nothing else: a policy that passes strict
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
    let actions = root.get("actions").and_then(Value::as_object).ok_or_else(|| PolicyError::Schema("has no action".to_owned()))?;
    same_codes(SCHEMA, "actions", &["disclose"], actions.keys().map(String::as_str))?;
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

/// A policy says what it does, why it may, and has the effect its id announces.
pub(super) fn policy(id: &str, policy: &Policy) -> Result<(), PolicyError> {
    for annotation in ["title", "title_en", "basis"] {
        if policy.annotation(annotation).is_none_or(|text| text.trim().is_empty()) {
            return Err(PolicyError::NoAnnotation { id: id.to_owned(), annotation });
        }
    }
    if id.starts_with('N') == (policy.effect() == Effect::Permit) { Ok(()) } else { Err(PolicyError::Effect(id.to_owned())) }
}

const TYPES: &[&str] = &["OrgKind", "FieldClass", "Purpose", "MessageType", "CaseRelation", "LegalBasis", "AgreementState", "ConsentState"];
const CONTEXT: &[&str] = &["sender_kind", "purpose", "message_type", "relation", "legal_basis", "agreement", "consent", "named_recipient"];
