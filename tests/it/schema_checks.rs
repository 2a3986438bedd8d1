//! Checking values: what is refused, and what a violation may say.

use serde_json::{Value, json};
use tsunagi::{
    domain::{agreement::Agreement, consent::Item, field::FieldClass, refusal::Violation},
    message::schema::{MessageSchema, SchemaSet},
};

fn schemas() -> SchemaSet {
    SchemaSet::builtin().unwrap()
}

fn referral(schemas: &SchemaSet) -> &MessageSchema {
    schemas.messages().find(|schema| schema.kind().as_str() == "referral").unwrap()
}

fn example(kind: &str) -> Value {
    let path = format!("{}/schemas/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The example with one member set.
fn with(kind: &str, member: &str, value: Value) -> Value {
    let mut whole = example(kind);
    whole[member] = value;
    whole
}

/// The example without one member.
fn without(kind: &str, member: &str) -> Value {
    let mut whole = example(kind);
    whole.as_object_mut().unwrap().remove(member).unwrap();
    whole
}

fn said(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|v| (v.field.as_str(), v.rule.as_str())).collect()
}

#[test]
fn a_violation_names_row_keyword_and_class() {
    let schemas = schemas();
    let schema = referral(&schemas);
    for (row, value, rule) in [
        ("birth_date", json!("1984-02-30"), "format"),
        ("birth_date", json!(19_840_517), "type"),
        ("family_name", json!(""), "minLength"),
        ("family_name", json!("あ".repeat(51)), "maxLength"),
        ("family_name_kana", json!("こなみ"), "format"),
        ("subject_category", json!("convict"), "oneOf"),
        ("return_destination_area", json!("131017"), "format"),
        ("cert_municipality_number", json!("131016"), "format"),
        ("desired_start_month", json!("2026-13"), "format"),
        ("phone", json!("電話なし"), "pattern"),
        ("disability_kinds", json!(["mental", "mental"]), "uniqueItems"),
        ("disability_kinds", json!([]), "minItems"),
        ("registered_address", json!({"lg_code": "131016", "text": "x", "note": "y"}), "additionalProperties"),
        ("registered_address", json!({"lg_code": "131016"}), "required"),
        ("diagnoses", json!(vec![json!({"name": "x", "main": false}); 21]), "maxItems"),
        ("adl", json!({"meal": 4, "toilet": 0, "bath": 0, "dressing": 0, "mobility": 0}), "maximum"),
        ("medical_observation_state", json!({}), "required"),
        ("sentence_term", json!({}), "minProperties"),
    ] {
        let violations = schema.check(&with("referral", row, value));
        assert_eq!(said(&violations), [(row, rule)]);
        assert_eq!(violations[0].class, schema.class_of(&row.parse().unwrap()));
    }
}

#[test]
fn an_absent_required_row_is_named_and_an_optional_one_may_be_absent() {
    let schemas = schemas();
    let schema = referral(&schemas);
    for row in schema.rows() {
        let violations = schema.check(&without("referral", row.key.as_str()));
        let expected: &[(&str, &str)] = if row.required { &[(row.key.as_str(), "required")] } else { &[] };
        assert_eq!(said(&violations), expected);
    }
}

#[test]
fn what_is_not_in_the_catalogue_is_counted_and_never_named() {
    let schemas = schemas();
    let mut body = example("referral");
    body["山田太郎の秘密"] = json!(1);
    body["my_number"] = json!("983205673214");
    body["sex"] = json!("秘密");
    let violations = referral(&schemas).check(&body);
    assert_eq!(said(&violations), [("body", "unknown_rows:2"), ("sex", "oneOf")]);
    assert_eq!(violations[0].class, None);
    assert_eq!(violations[1].class, Some(FieldClass::Identity));
    for whole in [json!([]), json!("x"), Value::Null] {
        assert_eq!(said(&referral(&schemas).check(&whole)), [("body", "type")]);
    }
}

#[test]
fn no_violation_carries_a_value() {
    let schemas = schemas();
    let schema = referral(&schemas);
    let secret = "秘匿-7391";
    let wrong =
        [json!(secret.repeat(300)), json!({secret: secret}), json!([secret, {secret: [secret]}]), json!({"code": secret, "level": secret})];
    for row in schema.rows() {
        for value in &wrong {
            let violations = schema.check(&with("referral", row.key.as_str(), value.clone()));
            assert!(!violations.is_empty(), "{} takes anything", row.key);
            let text = serde_json::to_string(&violations).unwrap();
            assert!(!text.contains("7391") && !text.contains("秘匿"), "{text}");
        }
    }
}

#[test]
fn the_example_consent_is_valid_and_its_scope_is_read_by_the_program() {
    let schemas = schemas();
    let example = example("consent");
    assert_eq!(schemas.check_consent(&example), []);
    let items: Vec<Item> = serde_json::from_value(example["items"].clone()).unwrap();
    assert!(items.iter().all(|item| !item.rcp.is_empty()));
}

#[test]
fn a_consent_names_providers_one_by_one_and_never_the_classes_that_are_not_carried() {
    let schemas = schemas();
    let item =
        |rcp: &str, class: &str, tick: &str| json!([{"rcp": [rcp], "pur": ["placement_coordination"], "cls": [class], "tick": [tick]}]);
    let check = |items: Value| {
        said(&schemas.check_consent(&with("consent", "items", items))).into_iter().map(|(f, _)| f.to_owned()).collect::<Vec<_>>()
    };
    assert!(check(item("municipality", "identity", "family")).is_empty());
    assert!(check(item("group_home:1320100017", "identity", "family")).is_empty());
    for wrong in [
        item("group_home", "identity", "family"),
        item("auditor", "identity", "family"),
        item("municipality:131017-1", "identity", "family"),
        item("municipality", "prohibited", "family"),
        item("municipality", "identity", "consent_scan"),
        item("municipality", "identity", "山田"),
        json!([{"rcp": ["municipality"], "pur": ["administration"], "cls": ["identity"]}]),
        json!([{"rcp": [], "pur": ["placement_coordination"], "cls": ["identity"]}]),
        json!([]),
    ] {
        assert_eq!(check(wrong.clone()), ["items"], "{wrong}");
    }
}

#[test]
fn a_consent_without_a_pseudonym_a_form_or_an_explanation_that_was_understood_is_refused() {
    let schemas = schemas();
    for (claim, value, rule) in [
        ("sub", json!("山田太郎"), "pattern"),
        ("sub", json!("983205673214"), "minLength"),
        ("jti", json!("5D0F3A52-1C8E-4B7A-9A44-3F3B6F0F7C11"), "format"),
        ("exp", json!(1.5), "type"),
        ("form", json!({"ver": "1"}), "required"),
        ("expl", json!({"by": "staff-1", "how": "読み上げ", "understood": false}), "oneOf"),
        ("how", json!("telepathy"), "oneOf"),
    ] {
        assert!(said(&schemas.check_consent(&with("consent", claim, value))).contains(&(claim, rule)), "{claim} {rule}");
    }
    for claim in ["iss", "aud", "jti", "iat", "nbf", "exp", "sub", "items", "how", "form", "expl"] {
        assert_eq!(said(&schemas.check_consent(&without("consent", claim))), [(claim, "required")]);
    }
    assert_eq!(said(&schemas.check_consent(&with("consent", "氏名", json!("山田")))), [("consent", "unknown_claims:1")]);
}

#[test]
fn an_agreement_that_passes_can_be_read_and_one_that_cannot_be_read_does_not_pass() {
    let schemas = schemas();
    let whole = example("agreement");
    assert_eq!(schemas.check_agreement(&whole), []);
    let read: Agreement = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap()["flows"], whole["flows"]);

    // Floats do not get here: the strict reader refuses them, and for JSON Schema 1.0 is an integer.
    let odd =
        [json!(null), json!(0), json!(-1), json!(4_294_967_296_u64), json!(""), json!("x"), json!([]), json!([0]), json!({}), json!(true)];
    let mut documents: Vec<(String, Value)> = Vec::new();
    for claim in whole.as_object().unwrap().keys() {
        documents.push((claim.clone(), without("agreement", claim)));
        documents.extend(odd.iter().map(|value| (claim.clone(), with("agreement", claim, value.clone()))));
    }
    for (list, members) in [
        ("flows", ["from", "to", "kinds", "purposes", "classes", "bases"].as_slice()),
        ("delegations", &["from", "to", "qualification", "until"]),
    ] {
        for member in members {
            for value in &odd {
                let mut changed = whole.clone();
                changed[list][0][*member] = value.clone();
                documents.push((list.to_owned(), changed));
            }
            let mut changed = whole.clone();
            changed[list][0].as_object_mut().unwrap().remove(*member);
            documents.push((list.to_owned(), changed));
            let mut changed = whole.clone();
            changed[list][0]["more"] = json!(1);
            documents.push((list.to_owned(), changed));
        }
    }
    documents.push(("agreement".to_owned(), with("agreement", "more", json!(1))));
    for time in [
        "2026-10-01",
        "2026-10-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-10-01T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-10-01t00:00:00z",
    ] {
        documents.push(("from".to_owned(), with("agreement", "from", json!(time))));
    }
    for id in ["AG-13-001", "AG-13-000000001", "ag-13-0001", "AG-13-0001\n"] {
        documents.push(("id".to_owned(), with("agreement", "id", json!(id))));
    }
    let (mut passed, mut refused) = (0, 0);
    for (field, document) in documents {
        let violations = schemas.check_agreement(&document);
        let readable = serde_json::from_value::<Agreement>(document.clone()).is_ok();
        assert!(readable || !violations.is_empty(), "passes and cannot be read: {document}");
        assert!(violations.iter().all(|violation| violation.field == field), "{field}: {violations:?}");
        if violations.is_empty() { passed += 1 } else { refused += 1 }
    }
    assert!(passed >= 4 && refused > 100, "{passed} {refused}");
}
