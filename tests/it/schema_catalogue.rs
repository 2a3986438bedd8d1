//! The schema files themselves: bounded, closed, annotated, and the same lists as the program.

use std::{collections::BTreeSet, fmt::Display};

use aws_lc_rs::digest;
use serde_json::Value;
use tsunagi::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        consent::ConsentMethod,
        digest::Digest,
        field::FieldClass,
        party::PartyKind,
        refusal::RefusalCode,
    },
    message::schema::{Ident, MessageSchema, SchemaSet},
};

fn schemas() -> SchemaSet {
    SchemaSet::builtin().unwrap()
}

fn file(kind: &str) -> Value {
    serde_json::from_slice(schemas().bytes(kind, "1.0.0").unwrap()).unwrap()
}

fn example(kind: &str) -> Value {
    let path = format!("{}/schemas/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Digests of every version ever published. A line is added, never changed: agreements and messages pin these bytes for years.
const PUBLISHED: &[(&str, &str, &str)] = &[
    ("codes", "1.0.0", "J3kWORqQ31gI1ySOdeJFzJLjisGOKUfbgqQMtGpfAYc"),
    ("common", "1.0.0", "rYdVvex8ooA9MsYIBcMv93Irc4QTPIrutcwpXKs0038"),
    ("referral", "1.0.0", "Q1Q7i2NbrcUafdSLVmfmrCJw36EBA2NbsHEykyBTB6c"),
    ("consent", "1.0.0", "VCjUCWyPpSNhqNzar10meax6FK-wuAfgN0s04tv0El4"),
    ("agreement", "1.0.0", "XVH7bAaRAe-3WU0DwgP1Lc8mC9OI-VJgCiM8WU5YXXk"),
];

#[test]
fn a_published_version_never_changes() {
    let schemas = schemas();
    let published: Vec<(&str, &str, String)> = schemas.published().map(|p| (p.kind, p.ver, p.sha256.to_string())).collect();
    let expected: Vec<(&str, &str, String)> = PUBLISHED.iter().map(|(kind, ver, sha256)| (*kind, *ver, (*sha256).to_owned())).collect();
    assert_eq!(published, expected);
    for published in schemas.published() {
        let bytes = schemas.bytes(published.kind, published.ver).unwrap();
        assert_eq!(digest::digest(&digest::SHA256, bytes).as_ref(), published.sha256.as_bytes());
        assert_eq!(published.id, format!("urn:tsunagi:schema:{}", published.kind));
        let json: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(json["$id"], format!("{}:{}", published.id, published.ver));
    }
    assert_eq!(schemas.bytes("referral", "9.9.9"), None);
    assert_eq!(schemas.bytes("nothing", "1.0.0"), None);
}

#[test]
fn a_message_finds_its_schema_only_by_the_exact_claim() {
    let schemas = schemas();
    let published = *schemas.published().filter(|p| p.kind == "referral").collect::<Vec<_>>().first().unwrap();
    let find = |kind, id: &str, ver: &str, sha256: Digest| schemas.for_message(kind, id, ver, &sha256).map(MessageSchema::kind);
    assert_eq!(find(MessageKind::Referral, published.id, published.ver, published.sha256), Ok(MessageKind::Referral));
    assert_eq!(find(MessageKind::Enquiry, published.id, published.ver, published.sha256), Err(RefusalCode::SchemaMismatch));
    assert_eq!(find(MessageKind::Referral, published.id, published.ver, Digest([0; 32])), Err(RefusalCode::SchemaMismatch));
    assert_eq!(find(MessageKind::Referral, published.id, "2.0.0", published.sha256), Err(RefusalCode::SchemaUnknown));
    assert_eq!(find(MessageKind::Referral, "urn:tsunagi:schema:consent", "1.0.0", published.sha256), Err(RefusalCode::SchemaUnknown));
}

#[test]
fn every_row_is_annotated_and_the_example_has_every_row() {
    let schemas = schemas();
    let example = example("referral");
    let schema = schemas.messages().next().unwrap();
    let keys: BTreeSet<&str> = schema.rows().iter().map(|row| row.key.as_str()).collect();
    let shown: BTreeSet<&str> = example.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, shown);
    assert_eq!(schema.check(&example), []);
    let japanese = |text: &str| text.chars().any(|c| matches!(c, 'ぁ'..='ヿ' | '一'..='鿿'));
    for row in schema.rows() {
        assert!(japanese(&row.title_ja) && japanese(&row.consent_text) && row.title_en.is_ascii(), "{}", row.key);
        assert_eq!(schema.class_of(&row.key), Some(row.class));
    }
    let classes: BTreeSet<FieldClass> = schema.rows().iter().map(|row| row.class).collect();
    let absent: Vec<FieldClass> = FieldClass::ALL.iter().copied().filter(|class| !classes.contains(class)).collect();
    // A certificate has its own message; the scope of a consent is the consent itself; a scan stays with its collector.
    assert_eq!(absent, [FieldClass::AddonProof, FieldClass::ConsentDetail, FieldClass::ConsentScan, FieldClass::Prohibited]);
    assert_eq!(schema.class_of(&"my_number".parse().unwrap()), None);
    assert_eq!((schema.rows().len(), schema.rows().iter().filter(|row| row.required).count()), (118, 12));
    assert_eq!(schema.rows().first().map(|row| row.key.as_str()), Some("urgency"), "rows keep the order of the file");
}

#[test]
fn everything_that_names_the_person_is_marked_a_direct_identifier() {
    let schemas = schemas();
    let direct: Vec<&str> =
        schemas.messages().flat_map(MessageSchema::rows).filter(|r| r.ident == Ident::Direct).map(|r| r.key.as_str()).collect();
    for key in ["family_name", "given_name_kana", "birth_date", "registered_address", "phone", "handbook_number", "recipient_cert_number"] {
        assert!(direct.contains(&key), "{key}");
    }
}

/// Walks every schema object of a file and says what is unbounded or open in it.
fn loose_ends(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(object) = schema.as_object() else { return };
    let has = |keyword: &str| object.contains_key(keyword);
    match object.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") => found.push(format!("{path}: no maxLength")),
        Some("array") if !has("maxItems") || !has("items") => found.push(format!("{path}: no maxItems")),
        Some("object") if object.get("additionalProperties") != Some(&Value::Bool(false)) => found.push(format!("{path}: open object")),
        Some("integer") if !has("minimum") || !has("maximum") => found.push(format!("{path}: unbounded integer")),
        Some("number") => found.push(format!("{path}: floats are not carried")),
        None if !["$ref", "oneOf", "anyOf", "const"].iter().any(|keyword| has(keyword)) => found.push(format!("{path}: anything goes")),
        _ => {}
    }
    for branch in ["properties", "$defs"] {
        for (name, schema) in object.get(branch).and_then(Value::as_object).into_iter().flatten() {
            loose_ends(&format!("{path}/{name}"), schema, found);
        }
    }
    for branch in ["oneOf", "anyOf"] {
        for schema in object.get(branch).and_then(Value::as_array).into_iter().flatten() {
            loose_ends(&format!("{path}/{branch}"), schema, found);
        }
    }
    if let Some(items) = object.get("items") {
        loose_ends(&format!("{path}/items"), items, found);
    }
}

#[test]
fn every_string_list_and_object_is_bounded() {
    let mut found = Vec::new();
    for kind in ["referral", "consent", "agreement"] {
        loose_ends(kind, &file(kind), &mut found);
    }
    for kind in ["codes", "common"] {
        for (name, schema) in file(kind)["$defs"].as_object().unwrap() {
            loose_ends(&format!("{kind}/{name}"), schema, &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_code_has_a_japanese_name_and_stands_once() {
    for (list, schema) in file("codes")["$defs"].as_object().unwrap() {
        let codes = schema["oneOf"].as_array().unwrap();
        let names: BTreeSet<&str> = codes.iter().map(|code| code["const"].as_str().unwrap()).collect();
        assert_eq!(names.len(), codes.len(), "{list}");
        assert!(codes.iter().all(|code| !code["title"].as_str().unwrap().is_empty()), "{list}");
        assert!(names.iter().all(|code| code.is_ascii()), "{list}");
    }
}

fn all<C: Display>(codes: impl Iterator<Item = C>) -> Vec<String> {
    codes.map(|code| code.to_string()).collect()
}

#[test]
fn the_code_lists_are_the_programs() {
    let codes = file("codes");
    let list = |name: &str| -> Vec<String> {
        codes["$defs"][name]["oneOf"].as_array().unwrap().iter().map(|code| code["const"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("messageKind"), all(MessageKind::ALL.iter()));
    assert_eq!(list("partyKind"), all(PartyKind::ALL.iter()));
    let public: BTreeSet<String> = all(PartyKind::ALL.iter().filter(|kind| kind.is_public())).into_iter().collect();
    assert_eq!(list("publicKind").into_iter().collect::<BTreeSet<_>>(), public);
    assert_eq!(list("agreementPurpose"), all(Purpose::ALL.iter()));
    assert_eq!(list("purpose"), all(Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::Administration)));
    assert_eq!(list("legalBasis"), all(LegalBasis::ALL.iter()));
    assert_eq!(list("consentMethod"), all(ConsentMethod::ALL.iter()));
    assert_eq!(list("fieldClass"), all(FieldClass::ALL.iter()));
    assert_eq!(list("consentClass"), all(FieldClass::ALL.iter().filter(|class| !class.consent_may_not_name())));
}
