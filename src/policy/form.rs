//! The form of a policy: which keys it applies to, read off its text. A policy tests members of the key against codes of the closed lists and
//! joins such tests with and, or, not; anything else is refused when the set is loaded, because its reach could not be told in full.

use cedar_policy::Policy;
use serde_json::Value;

use super::region::{Dimension, Region};

/// The keys a policy applies to; what is not understood, where the policy goes beyond the form.
pub(super) fn region(policy: &Policy) -> Result<Region, String> {
    let json = policy.to_json().map_err(|e| e.to_string())?;
    let mut region = scope(&json, "principal", Dimension::Reader)?.and(&scope(&json, "resource", Dimension::Class)?);
    for condition in json.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let body = test(condition.get("body").unwrap_or(&Value::Null))?;
        region = match condition.get("kind").and_then(Value::as_str) {
            Some("when") => region.and(&body),
            Some("unless") => region.minus(&body),
            _ => return Err("condition".to_owned()),
        };
    }
    Ok(region)
}

fn scope(json: &Value, name: &str, dimension: Dimension) -> Result<Region, String> {
    let scope = json.get(name).unwrap_or(&Value::Null);
    match scope.get("op").and_then(Value::as_str) {
        Some("All") => Ok(Region::whole()),
        Some("==") => Ok(Region::with(dimension, code(scope.get("entity").unwrap_or(&Value::Null), dimension)?)),
        _ => Err(name.to_owned()),
    }
}

/// A test that holds for some keys.
fn test(expression: &Value) -> Result<Region, String> {
    let (operator, operands) = single(expression)?;
    let operand = |name: &str| operands.get(name).unwrap_or(&Value::Null);
    let (left, right) = (operand("left"), operand("right"));
    match operator {
        "&&" => Ok(test(left)?.and(&test(right)?)),
        "||" => Ok(test(left)?.or(&test(right)?)),
        "!" => Ok(Region::whole().minus(&test(operand("arg"))?)),
        "==" => equal(left, right),
        "!=" => Ok(Region::whole().minus(&equal(left, right)?)),
        "contains" => {
            let dimension = member(right)?;
            let codes = left.get("Set").and_then(Value::as_array).ok_or("contains")?;
            let places = codes.iter().try_fold(0, |places, value| Ok::<u64, String>(places | literal(value, dimension)?))?;
            Ok(Region::with(dimension, places))
        }
        // A member that is a truth value by itself.
        "." => match member(expression)? {
            Dimension::Named => Ok(Region::with(Dimension::Named, literal(&serde_json::json!({"Value": true}), Dimension::Named)?)),
            _ => Err(operator.to_owned()),
        },
        _ => Err(operator.to_owned()),
    }
}

fn equal(left: &Value, right: &Value) -> Result<Region, String> {
    let (dimension, value) = match member(left) {
        Ok(dimension) => (dimension, right),
        Err(_) => (member(right)?, left),
    };
    Ok(Region::with(dimension, literal(value, dimension)?))
}

/// The member of the key that an expression names.
fn member(expression: &Value) -> Result<Dimension, String> {
    let (operator, operand) = single(expression)?;
    let attribute = operand.get("attr").and_then(Value::as_str).unwrap_or_default();
    let of_context = operand.pointer("/left/Var").and_then(Value::as_str) == Some("context");
    match (operator, operand.as_str(), attribute) {
        ("Var", Some("principal"), _) => Ok(Dimension::Reader),
        ("Var", Some("resource"), _) => Ok(Dimension::Class),
        (".", _, "sender_kind") if of_context => Ok(Dimension::Sender),
        (".", _, "purpose") if of_context => Ok(Dimension::Purpose),
        (".", _, "message_type") if of_context => Ok(Dimension::Kind),
        (".", _, "relation") if of_context => Ok(Dimension::Relation),
        (".", _, "legal_basis") if of_context => Ok(Dimension::Basis),
        (".", _, "agreement") if of_context => Ok(Dimension::Agreement),
        (".", _, "consent") if of_context => Ok(Dimension::Consent),
        (".", _, "named_recipient") if of_context => Ok(Dimension::Named),
        _ => Err(operator.to_owned()),
    }
}

fn literal(value: &Value, dimension: Dimension) -> Result<u64, String> {
    match value.get("Value") {
        Some(Value::Bool(holds)) if dimension == Dimension::Named => dimension.place(&holds.to_string()).ok_or_else(|| holds.to_string()),
        Some(Value::Object(entity)) => code(entity.get("__entity").unwrap_or(&Value::Null), dimension),
        _ => Err(value.as_object().and_then(|object| object.keys().next()).cloned().unwrap_or_default()),
    }
}

fn code(entity: &Value, dimension: Dimension) -> Result<u64, String> {
    let id = entity.get("id").and_then(Value::as_str).unwrap_or_default();
    dimension.place(id).ok_or_else(|| id.to_owned())
}

/// An expression is an object with one member: its operator.
fn single(expression: &Value) -> Result<(&str, &Value), String> {
    let mut members = expression.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((operator, operand)), None) => Ok((operator, operand)),
        _ => Err("expression".to_owned()),
    }
}
