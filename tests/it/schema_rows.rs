//! The form of every row: for each row of the catalogue instances that break its type, its code lists, its lengths and its members are made
//! from the schema itself, and each must be found. A row for which nothing can be broken turns the test red, so no row comes without.

use std::{collections::BTreeSet, fs};

use serde_json::{Map, Value, json};
use tsunagi::message::schema::{Carried, Catalogue, SchemaSet};

/// A place in a row: members by name, items of a list.
type Path = Vec<Option<String>>;

/// A row's schema with its references followed, and how to find the rest.
struct Schemas {
    set: SchemaSet,
    files: Map<String, Value>,
    examples: Map<String, Value>,
}

/// One instance of a row that must not pass.
struct Broken {
    what: &'static str,
    value: Value,
    /// The keyword that must be named, where the schema leaves no choice.
    keyword: Option<&'static str>,
}

impl Schemas {
    fn load() -> Self {
        let set = SchemaSet::builtin().unwrap();
        let file = |kind: &str| serde_json::from_slice(set.bytes(kind, "1.0.0").unwrap()).unwrap();
        let files = ["codes", "common", "catalogue"].map(|kind| (format!("urn:tsunagi:schema:{kind}:1.0.0"), file(kind)));
        let examples = fs::read(format!("{}/schemas/examples/catalogue.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
        Self { files: files.into_iter().collect(), examples: serde_json::from_slice(&examples).unwrap(), set }
    }

    fn catalogue(&self) -> &Catalogue {
        self.set.catalogue()
    }

    fn row(&self, key: &str) -> &Value {
        &self.files["urn:tsunagi:schema:catalogue:1.0.0"]["$defs"][key]
    }

    /// The schema a reference leads to, or the schema itself.
    fn followed<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return schema };
        let (urn, name) = reference.split_once("#/$defs/").unwrap();
        &self.files[urn]["$defs"][name]
    }

    /// Whether a schema is a list of codes.
    fn codes<'a>(&'a self, schema: &'a Value) -> Option<Vec<&'a str>> {
        let list = self.followed(schema).get("oneOf")?.as_array().unwrap();
        list.iter().map(|code| code.get("const")?.as_str()).collect()
    }

    /// The example of a row with a value put in a place.
    fn put(&self, key: &str, path: &[Option<String>], value: Value) -> Value {
        let mut whole = self.examples[key].clone();
        let mut place = &mut whole;
        for step in path {
            if let Some(name) = step {
                place = &mut place[name.as_str()];
                continue;
            }
            // One item stands for all, so that nothing else in the list matters.
            if !place.is_array() {
                *place = json!([]);
            }
            let items = place.as_array_mut().unwrap();
            items.resize(1, Value::Null);
            place = &mut items[0];
        }
        *place = value;
        whole
    }

    /// What the example of a row says in a place; nothing where an optional member is absent.
    fn at(&self, key: &str, path: &[Option<String>]) -> Value {
        let step = |value: Value, step: &Option<String>| match step {
            Some(name) => value.get(name).cloned().unwrap_or_default(),
            None => value.get(0).cloned().unwrap_or_default(),
        };
        path.iter().fold(self.examples[key].clone(), step)
    }

    /// Every instance of a row that its schema, followed from here, forbids.
    fn broken(&self, key: &str, schema: &Value, path: &Path, found: &mut Vec<Broken>) {
        let mut add = |what, value, keyword| found.push(Broken { what, value: self.put(key, path, value), keyword });
        if self.codes(schema).is_some() {
            add("type", json!(7), None);
            add("code", json!("no-such-code"), None);
            return;
        }
        let schema = self.followed(schema);
        if let Some(branches) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
            add("type", json!(7), None);
            add("code", json!("no-such-code"), None);
            let example = self.at(key, path);
            for branch in branches.as_array().unwrap().iter().filter(|branch| self.codes(branch).is_none()) {
                // Whatever breaks the branch that the example takes breaks the choice, under its own name.
                let kind = self.followed(branch)["type"].as_str().unwrap();
                if (kind == "object" && example.is_object()) || (kind == "string" && example.is_string()) {
                    let mut within = Vec::new();
                    self.broken(key, branch, path, &mut within);
                    found.extend(within.into_iter().map(|broken| Broken { keyword: None, ..broken }));
                }
            }
            return;
        }
        let number = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        match schema["type"].as_str().unwrap() {
            "string" => {
                add("type", json!(7), Some("type"));
                let length = usize::try_from(number("maxLength").unwrap()).unwrap();
                let free = schema.get("format").is_none() && schema.get("pattern").is_none();
                add("length", json!("あ".repeat(length + 1)), free.then_some("maxLength"));
                if free {
                    add("length", json!(""), Some("minLength"));
                } else {
                    add("form", json!("?"), None);
                }
            }
            "integer" => {
                add("type", json!("1"), Some("type"));
                add("range", json!(schema["maximum"].as_u64().unwrap().saturating_add(1)), Some("maximum"));
                add("range", json!(i64::try_from(number("minimum").unwrap()).unwrap() - 1), Some("minimum"));
            }
            "boolean" => add("type", json!("true"), Some("type")),
            "array" => {
                add("type", json!({}), Some("type"));
                let items = self.at(key, path);
                let one = items.get(0).cloned().unwrap_or(Value::Null);
                let many = usize::try_from(number("maxItems").unwrap()).unwrap() + 1;
                add("length", json!(vec![one.clone(); many]), None);
                if number("minItems").is_some() {
                    add("length", json!([]), Some("minItems"));
                }
                if schema.get("uniqueItems").is_some() && items.get(0).is_some() {
                    add("twice", json!([one.clone(), one]), Some("uniqueItems"));
                }
                let inner: Path = path.iter().cloned().chain([None]).collect();
                self.broken(key, &schema["items"], &inner, found);
            }
            "object" => {
                add("type", json!([]), Some("type"));
                let mut more = self.at(key, path);
                more["no_such_member"] = json!(1);
                add("members", more, Some("additionalProperties"));
                for name in schema["required"].as_array().unwrap() {
                    let mut less = self.at(key, path);
                    less.as_object_mut().unwrap().remove(name.as_str().unwrap()).unwrap();
                    add("members", less, Some("required"));
                }
                for (name, schema) in schema["properties"].as_object().unwrap() {
                    let inner: Path = path.iter().cloned().chain([Some(name.clone())]).collect();
                    self.broken(key, schema, &inner, found);
                }
            }
            other => panic!("{key}: no instance breaks {other}"),
        }
    }

    /// Every list of codes in a row, with its place.
    fn lists(&self, schema: &Value, path: &Path, found: &mut Vec<(Path, Vec<String>)>) {
        if let Some(codes) = self.codes(schema) {
            found.push((path.clone(), codes.into_iter().map(str::to_owned).collect()));
            return;
        }
        let schema = self.followed(schema);
        for branch in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            self.lists(branch, path, found);
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.lists(schema, &path.iter().cloned().chain([Some(name.clone())]).collect(), found);
        }
        if let Some(items) = schema.get("items") {
            self.lists(items, &path.iter().cloned().chain([None]).collect(), found);
        }
    }
}

#[test]
fn every_row_has_instances_that_break_its_type_its_codes_and_its_lengths() {
    let schemas = Schemas::load();
    let mut made = 0;
    for row in schemas.catalogue().rows() {
        let key = row.key.as_str();
        let schema = schemas.row(key);
        if schema.get("not").is_some() {
            assert_eq!(row.carried, Carried::Never, "{key}");
            for value in [json!("x"), json!(1), json!({}), json!([]), json!(null), json!(true)] {
                let violations = schemas.catalogue().check(&json!({key: value}));
                assert_eq!((violations.len(), violations[0].rule.as_str()), (1, "not"), "{key}");
            }
            continue;
        }
        let mut broken = Vec::new();
        schemas.broken(key, schema, &Path::new(), &mut broken);
        for Broken { what, value, keyword } in &broken {
            let violations = schemas.catalogue().check(&json!({key: value}));
            assert!(!violations.is_empty(), "{key}: {what} is not found: {value}");
            assert!(violations.iter().all(|v| v.field == key && v.class == Some(row.class)), "{key}: {violations:?}");
            assert!(keyword.is_none_or(|keyword| violations.iter().any(|v| v.rule == keyword)), "{key}: {keyword:?} {violations:?}");
        }
        let kinds: BTreeSet<&str> = broken.iter().map(|broken| broken.what).collect();
        let text = schema.to_string();
        assert!(kinds.contains("type"), "{key} has no instance of a wrong type");
        assert_eq!(kinds.contains("code"), text.contains("codes:1.0.0") || text.contains("oneOf"), "{key}: its code list");
        let bounded = ["maxLength", "maxItems"].iter().any(|keyword| text.contains(keyword));
        assert!(!bounded || kinds.contains("length"), "{key} has no instance that is too long");
        made += broken.len();
    }
    assert!(made > 800, "{made}");
}

#[test]
fn the_example_has_every_row_that_is_carried_and_each_passes() {
    let schemas = Schemas::load();
    let sent = "2026-11-20T09:00:00+09:00".parse().unwrap();
    let whole = Value::Object(schemas.examples.clone());
    assert_eq!(schemas.catalogue().check(&whole), []);
    let findings = schemas.catalogue().check_rules(&whole, sent);
    assert_eq!((findings.violations, findings.warnings), (Vec::new(), Vec::new()));
    for row in schemas.catalogue().rows() {
        let known = schemas.examples.contains_key(row.key.as_str());
        assert!(known || row.carried == Carried::Never, "{} has no example", row.key);
        assert_eq!(known, schemas.row(row.key.as_str()).get("not").is_none(), "{}", row.key);
    }
    let unknown = schemas.catalogue().check(&json!({"no_such_row": 1}));
    assert_eq!((unknown.len(), unknown[0].rule.as_str()), (1, "unknown_rows:1"));
}

#[test]
fn every_code_of_every_list_passes_in_every_place() {
    let schemas = Schemas::load();
    let mut passed = 0;
    for row in schemas.catalogue().rows() {
        let key = row.key.as_str();
        let mut lists = Vec::new();
        schemas.lists(schemas.row(key), &Path::new(), &mut lists);
        for (path, codes) in lists {
            for code in codes {
                let violations = schemas.catalogue().check(&json!({key: schemas.put(key, &path, json!(code))}));
                assert_eq!(violations, [], "{key}: {code}");
                passed += 1;
            }
        }
    }
    assert!(passed > 800, "{passed}");
}

#[test]
fn what_takes_more_than_a_keyword_to_say_is_checked_too() {
    let schemas = Schemas::load();
    for (key, value) in [
        ("desired_area", json!("131017")),
        ("desired_area", json!({"prefecture": "48", "welfare_area": "x"})),
        ("desired_area", json!({"prefecture": "13"})),
        ("desired_area", json!({"prefecture": "13", "welfare_area": "x", "more": 1})),
        ("return_destination_area", json!("131010")),
        ("former_residence_area", json!("092015")),
        ("cert_municipality_number", json!("092011")),
        ("registered_address", json!({"lg_code": "131017", "text": "x"})),
        ("support_network", json!([{"org": "x", "role": "y", "corporate_number": "8123456789012"}])),
        ("nationality_region", json!("JAP")),
        ("preferred_language", json!({"language": "日本語"})),
        ("sentence_term", json!({})),
        ("message_id", json!("0F5B9A52-7C1E-4B7A-9A44-3F3B6F0F7C11")),
        ("sender_org", json!("municipality:131017-1")),
        ("sent_at", json!(-1)),
        ("schema_version", json!({"id": "x", "ver": "1.0", "sha256": "Wd7uSdwJq7CiXUiUGz8FenSDphS5kyr4k5_t9Izq9Lo"})),
        ("cert_no", json!("131-000012")),
        ("intractable_disease", json!("パーキンソン病")),
        ("birth_date", json!("2026-02-29")),
        ("desired_start_month", json!("2026-13")),
        ("diagnoses", json!([{"icd10": "f70", "name": "x", "main": true}])),
    ] {
        let violations = schemas.catalogue().check(&json!({key: value}));
        assert!(violations.iter().all(|v| v.field == key) && !violations.is_empty(), "{key}: {value} {violations:?}");
    }
}

/// What the design's table calls a type, for a row's schema. Where the protocol or the rule column says more than the type column, the row
/// stands in `OTHERWISE` with what it is.
fn type_of(schemas: &Schemas, schema: &Value) -> String {
    let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    if schemas.codes(schema).is_some() {
        return "code".to_owned();
    }
    match reference.rsplit('/').next().unwrap_or_default() {
        "date" => return "date".to_owned(),
        "dateTime" => return "datetime".to_owned(),
        _ => {}
    }
    let schema = schemas.followed(schema);
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => format!("{}[]", type_of(schemas, &schema["items"])),
        Some(other) => other.to_owned(),
        None if schema.get("not").is_some() => "never".to_owned(),
        None => "choice".to_owned(),
    }
}

#[test]
fn the_catalogue_is_the_designs_row_by_row() {
    let schemas = Schemas::load();
    let table = fs::read_to_string(format!("{}/tests/data/field_catalogue.psv", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let lines: Vec<Vec<&str>> = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('|').collect()).collect();
    assert_eq!(lines.len(), 178);
    let keys: Vec<&str> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(schemas.catalogue().rows().iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), keys);
    for (line, row) in lines.iter().zip(schemas.catalogue().rows()) {
        let [key, ja, kind, _, class, ident, special, card] = line.as_slice() else { panic!("{line:?}") };
        let schema = schemas.row(key);
        assert_eq!((row.title_ja.as_str(), row.class.as_str(), row.ident.as_str()), (*ja, *class, *ident), "{key}");
        assert_eq!((row.special, schema["x-tsunagi-card"].as_str()), (*special == "Y", Some(*card)), "{key}");
        let said = OTHERWISE.iter().find(|(row, _)| row == key).map_or(*kind, |(_, said)| said);
        assert_eq!(type_of(&schemas, schema), said, "{key}");
    }
    assert!(OTHERWISE.iter().all(|(key, _)| keys.contains(key)));
}

const OTHERWISE: &[(&str, &str)] = &[
    // As the protocol writes the claim.
    ("schema_version", "object"),
    ("sent_at", "integer"),
    ("sender_org", "string"),
    ("recipient_org", "string"),
    ("purpose", "code[]"),
    ("consent_scope", "object[]"),
    // A code and more: means of communication, a welfare area, the programme's name.
    ("preferred_language", "object"),
    ("desired_area", "choice"),
    ("institution_programme", "object[]"),
    // A text from a closed list.
    ("probation_office_name", "code"),
    // Numbers with a check digit, written as text.
    ("return_destination_area", "string"),
    ("former_residence_area", "string"),
    // As often as there are some.
    ("former_or_alias_name", "string[]"),
    ("handbook_number", "string[]"),
    // Never carried.
    ("photo", "never"),
    ("my_number", "never"),
    ("consent_scan", "never"),
    ("attachment", "never"),
];
