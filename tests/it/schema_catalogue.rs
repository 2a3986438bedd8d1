//! The schema files themselves: bounded, closed, annotated, and the same lists as the program.

use std::{collections::BTreeSet, fmt::Display};

use aws_lc_rs::digest;
use serde_json::{Value, json};
use tsunagi::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        consent::ConsentMethod,
        day::Day,
        digest::Digest,
        field::{FieldClass, FieldKey},
        party::PartyKind,
        refusal::RefusalCode,
    },
    message::{
        base64url,
        schema::{Carried, Ident, MessageSchema, SchemaSet},
    },
    policy::PolicySet,
};

use super::message_fixture;

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
    ("codes", "1.0.0", "6WiHOBu2dDd4KknsMjdSA0GY_W7irvKWwbeVNynW33g"),
    ("common", "1.0.0", "rYdVvex8ooA9MsYIBcMv93Irc4QTPIrutcwpXKs0038"),
    ("catalogue", "1.0.0", "bL9_ZmRDqZimOTOb7sRIpf2XyqBeJVN3bfXZWUPTns4"),
    ("referral", "1.0.0", "gj4w9u-jo2UKP1YK_vPbjuFhHP0QIyluqBjMQxbpjig"),
    ("referral_ack", "1.0.0", "ZEHSBJwUQDsSrv7hs6yg2HXdDWTS1zJZgPZfu1kl6m0"),
    ("referral_decision", "1.0.0", "a-Hj0hvyIgBt54x3H6kNP7l5BVjpGixepo26RVlU1E8"),
    ("supplement", "1.0.0", "FB6XJ_P8KrfXcWQ6OWN6FdGRrbtAq_ORljwjode4uFY"),
    ("correction", "1.0.0", "Yvo5rp5KxuWiMPxjEiDjz9Ui9ktiZe_Pn0FqbpsfAZg"),
    ("resource_info", "1.0.0", "NWiRFFudMT0MJEWLRgvFhjJ93nI_58OIPyV21OJatZU"),
    ("enquiry", "1.0.0", "0su3qLdneW3wH7y815CQ-U2jYAtSn1PsfZe0u0b7b9I"),
    ("enquiry_reply", "1.0.0", "BgeXZlcSpu-Rvm9oO7myf4r9paaN-neOwtAwNVrdCQ8"),
    ("placement_request", "1.0.0", "kz9iE59I7VdCwCGiyQ8SoP3brNN1DknmxA8Ja-gXwXE"),
    ("placement_decision", "1.0.0", "wPI5c-R--inbS2s1WOQpvXKwWu2dQri_Zl3lSUf9WbM"),
    ("plan_request", "1.0.0", "sqcID1c8jiTQzCQv7hCOF7Z_ajExNrDZwmPIicE7VmY"),
    ("plan_notice", "1.0.0", "iwz6QgUGTkvXBPsY6YIurYLWj1VlIE56qmmkjNjyjqM"),
    ("benefit_notice", "1.0.0", "4u9N9MZX-svl5c0nxGtudbyTQxQTaMHBmHyR6cdeh0A"),
    ("service_handoff", "1.0.0", "eioQkVtr-k9CvWVekS6_O1nCFqaacB2WBPDqI7900Xg"),
    ("meeting_notice", "1.0.0", "ijQ7U0EYE7q0XsfdXPT4vWBEImJHoybzRckr39Sx6_o"),
    ("meeting_record", "1.0.0", "No-TcoD-71rAjZWYFwymmlo1gPKUyfjHeaebRoVV4hU"),
    ("status_notice", "1.0.0", "sj9pLP5sEgOF3_ZipKoUHHCWRgdmGAZPsEwg0uWHIBE"),
    ("handover_proposal", "1.0.0", "2Kz3UBzm2Pg6ccn8OIxkTxK-d0b9MtqYfQOGM0Adffg"),
    ("handover_agreed", "1.0.0", "18Bx2xoiNS_K2VBoh11hJTk6u9lh6nyvvtSaYMduhxY"),
    ("consultation_request", "1.0.0", "hMrtk9Om29QfmJ_7eDOYQS0oFt-2B6rnlnf5o73dtQs"),
    ("consultation_reply", "1.0.0", "-HrtOt15vZmjjOxNGt0JwmLQt4a5aEeVBV7X4uh7h_M"),
    ("municipal_advice_request", "1.0.0", "VQE6RZquZihremkFKuk7j39-Z73dRvgcguXIwBY1Kg4"),
    ("municipal_advice_reply", "1.0.0", "8AJl04cnpnfSKkSHZtRnHtsZ1s7NX1cobLygO95k2f8"),
    ("third_party_referral", "1.0.0", "G9HNOoNtj_IIBauSr5AmEKCwUa91d3T-Y-IyGyHjdsg"),
    ("center_share", "1.0.0", "udV6T6eKNbrgPX2J1ec7i7FG10m1N8LLOfr8zh0uiLA"),
    ("center_transfer", "1.0.0", "klQmCf8htOkrIfhKrO_p1jvuzSqxL2qB2lR5tJFoWkk"),
    ("coordination_certificate", "1.0.0", "YzMnmLqeTxrS10RiyybukVfV7c0p5pyTdHgGPToX3rs"),
    ("certificate_revocation", "1.0.0", "MtJbVWpqZq7yQQzNXlU002OiUDbQ4Tq3_pPBgYWlfcM"),
    ("consent_event", "1.0.0", "0RNz0ULxXxoAzzFrUFMmYa_dvalc-V1y0b80BCM0o8c"),
    ("erasure_request", "1.0.0", "UvkWXK4hgbtQULNclxy89OxVfARYoonPN0pET9hjG50"),
    ("erasure_report", "1.0.0", "8EsLi5dxw_WH2lP3lmu1X0pcASH4XkEoX6fclB4mYos"),
    ("incident_notice", "1.0.0", "txHvMQKJSy2RNlzcIB11UsdQmDQIOkgoJ9Lg4lqeJdg"),
    ("closing_notice", "1.0.0", "jE4ShUHRv4RjAzFx_R1Kvv6qFS5-Yzias61RKvi_Dto"),
    ("provider_consultation", "1.0.0", "g7auqOB8t1VYyOfp9OcA8l45NuWp5qBMsrnG96OV8Ck"),
    ("visit_record", "1.0.0", "_kCZ6ZIGWHTlV9kOlZTH9WifCco4GencN2eO2DBpJMI"),
    ("interview_evidence", "1.0.0", "8OothWe4zWCvKTNBcij6lJz4Jtgm-w4HsgdgIGc-O_I"),
    ("training_notice", "1.0.0", "bnzcO5NYKqfpUBuk5bjGUCX_K2h7J2iRi93KMUmbOaE"),
    ("periodic_consultation", "1.0.0", "htZnaTaI6y84OfdEZIX_sG4QgjQ6uVFb-ZU6BxC00lc"),
    ("council_notice", "1.0.0", "PxWmJXuQZKY-Xdq4-Xhy2Eu_A6HclKRbvei3ZoTzd9k"),
    ("provider_notice", "1.0.0", "WijnUACB8Ef9Q8wARscoITCU0DQsjPmHi_8LB8R8kkE"),
    ("consent", "1.0.0", "vL9gYMVkLY30P9jCQUatZTB4QqwvMOx1g1ILLgNusNU"),
    ("agreement", "1.0.0", "VrD6W6mL7NCaw9MmAbLOwWpdabk0lFlo7z-Mcule0NM"),
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
        let path = format!("{}/schemas/{}/{}.json", env!("CARGO_MANIFEST_DIR"), published.kind, published.ver);
        assert_eq!(std::fs::read(path).unwrap(), bytes, "what is served is the file");
    }
    let folders = std::fs::read_dir(format!("{}/schemas", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path()).filter(|folder| !folder.ends_with("examples"));
    let files = folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum::<usize>();
    assert_eq!(files, PUBLISHED.len(), "a schema file that is not published");
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
fn every_row_is_annotated_and_every_class_has_rows() {
    let schemas = schemas();
    let rows = schemas.catalogue().rows();
    let japanese = |text: &str| text.chars().any(|c| matches!(c, 'ぁ'..='ヿ' | '一'..='鿿'));
    for row in rows {
        assert!(japanese(&row.title_ja) && japanese(&row.consent_text) && row.title_en.is_ascii(), "{}", row.key);
        assert_eq!(row.special, row.basis.as_deref().is_some_and(japanese), "{}", row.key);
        assert_eq!(row.retention_months == 0, row.carried == Carried::Never, "{}", row.key);
    }
    let classes: BTreeSet<FieldClass> = rows.iter().map(|row| row.class).collect();
    assert_eq!(classes, FieldClass::ALL.iter().copied().collect());
    assert_eq!((rows.len(), classes.len()), (178, 41));
    let direct = rows.iter().filter(|row| row.ident == Ident::Direct).count();
    assert_eq!((direct, rows.iter().filter(|row| row.special).count()), (17, 81), "as the design counts them, and five of the later rows");
}

#[test]
fn a_message_has_the_rows_that_travel_in_it_and_its_example_has_them_all() {
    let schemas = schemas();
    let travels = |kind: MessageKind| {
        let rows = schemas.catalogue().rows().iter();
        rows.filter(|row| row.carried == Carried::Body && row.kinds.contains(&kind)).map(|row| row.key.clone()).collect::<Vec<_>>()
    };
    for schema in schemas.messages() {
        let example = example(schema.kind().as_str());
        let keys: Vec<_> = schema.rows().iter().map(|row| row.key.clone()).collect();
        assert_eq!(keys, travels(schema.kind()), "in the order of the catalogue");
        let shown: BTreeSet<&str> = example.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.iter().map(FieldKey::as_str).collect::<BTreeSet<_>>(), shown);
        assert_eq!(schema.check(&example), []);
        let whole = self::example("catalogue");
        assert!(example.as_object().unwrap().iter().all(|(key, value)| whole[key] == *value), "the example of all rows says otherwise");
    }
    let referral = schemas.messages().find(|schema| schema.kind() == MessageKind::Referral).unwrap();
    assert_eq!((referral.rows().len(), referral.rows().iter().filter(|row| row.required).count()), (118, 12));
    assert_eq!(referral.class_of(&"my_number".parse().unwrap()), None);
    assert_eq!(referral.class_of(&"birth_date".parse().unwrap()), Some(FieldClass::Identity));
    for kind in MessageKind::ALL {
        assert!(schemas.messages().any(|schema| schema.kind() == *kind && !schema.rows().is_empty()), "{kind} has no schema");
    }
    assert_eq!(schemas.messages().count(), MessageKind::ALL.len());
}

#[test]
fn rows_that_travel_as_claims_have_the_form_of_the_claims() {
    let schemas = schemas();
    let message = message_fixture::draft();
    let token = message.sign(&message_fixture::SENDER).unwrap();
    let payload = base64url::decode(token.split(['.', '~']).nth(1).unwrap()).unwrap();
    let plain: Value = serde_json::from_slice(&payload).unwrap();
    let hidden: Vec<Value> = token
        .split('~')
        .skip(1)
        .filter_map(|text| base64url::decode(text).ok())
        .filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .collect();
    let mut seen = 0;
    for row in schemas.catalogue().rows() {
        let value = match &row.carried {
            Carried::Claim(name) => plain[name].clone(),
            // A first message has no case yet: its id has the form of every id.
            Carried::Hidden(name) if name == "case" => json!(message_fixture::JTI),
            Carried::Hidden(name) => hidden.iter().find(|disclosure| disclosure[1] == **name).unwrap()[2].clone(),
            _ => continue,
        };
        let value = if row.key.as_str() == "consent_id" { value["jti"].clone() } else { value };
        assert_eq!(schemas.catalogue().check(&json!({row.key.as_str(): value})), [], "{}", row.key);
        seen += 1;
    }
    assert_eq!(seen, 13);
    let scope = &file("catalogue")["$defs"]["consent_scope"];
    let items = &file("consent")["properties"]["items"];
    for keyword in ["type", "items", "minItems", "maxItems"] {
        assert_eq!(scope[keyword], items[keyword], "{keyword}");
    }
}

/// The codes that a Cedar enumeration lists, read as text.
fn enumerated(entity: &str) -> BTreeSet<String> {
    let schema = std::fs::read_to_string(format!("{}/policies/disclosure.cedarschema", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let list = schema.split_once(&format!("entity {entity} enum [")).unwrap().1.split_once(']').unwrap().0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn schemas_catalogue_policies_and_program_have_one_list_of_classes() {
    let program: BTreeSet<String> = all(FieldClass::ALL.iter()).into_iter().collect();
    assert_eq!(program.len(), 41);
    let codes = file("codes");
    let listed = |list: &str| -> BTreeSet<String> {
        codes["$defs"][list]["oneOf"].as_array().unwrap().iter().map(|code| code["const"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("fieldClass"), program);
    assert_eq!(enumerated("FieldClass"), program);
    let used: BTreeSet<String> = schemas().catalogue().rows().iter().map(|row| row.class.to_string()).collect();
    assert_eq!(used, program);
    let text = std::fs::read_to_string(format!("{}/policies/catalogue/classes.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let classes: toml::Table = toml::from_str(&text).unwrap();
    let classes = classes["class"].as_array().unwrap();
    let member = |class: &toml::Value, name: &str| class[name].as_str().unwrap().to_owned();
    assert_eq!(classes.iter().map(|class| member(class, "code")).collect::<BTreeSet<_>>(), program);
    assert_eq!(classes.len(), 41);
    for class in classes {
        let title = |list: &str| {
            let codes = codes["$defs"][list]["oneOf"].as_array().unwrap();
            codes.iter().find(|code| code["const"] == *member(class, "code")).map(|code| code["title"].as_str().unwrap().to_owned())
        };
        assert_eq!(title("fieldClass"), Some(member(class, "ja")));
        assert!(title("consentClass").is_none_or(|ja| ja == member(class, "ja")));
    }
    assert_eq!(enumerated("MessageType"), listed("messageKind"));
    assert_eq!(enumerated("Purpose"), listed("purpose"));
    assert_eq!(enumerated("OrgKind"), listed("partyKind"));
}

#[test]
fn a_class_is_special_or_identifying_exactly_when_one_of_its_rows_is() {
    let (schemas, policies) = (schemas(), PolicySet::builtin().unwrap());
    for class in FieldClass::ALL {
        let text = policies.class_text(*class).unwrap();
        let rows: Vec<_> = schemas.catalogue().rows().iter().filter(|row| row.class == *class).collect();
        assert_eq!(text.special, rows.iter().any(|row| row.special), "{class}");
        assert_eq!(text.direct_identifier, rows.iter().any(|row| row.ident == Ident::Direct), "{class}");
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
        None if !["$ref", "oneOf", "anyOf", "const", "not"].iter().any(|keyword| has(keyword)) => {
            found.push(format!("{path}: anything goes"));
        }
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
    for kind in MessageKind::ALL.iter().map(|kind| kind.as_str()).chain(["consent", "agreement"]) {
        loose_ends(kind, &file(kind), &mut found);
    }
    for kind in ["codes", "common", "catalogue"] {
        for (name, schema) in file(kind)["$defs"].as_object().unwrap() {
            loose_ends(&format!("{kind}/{name}"), schema, &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_code_has_a_japanese_name_and_stands_once() {
    // Sizes and levels are written with digits in both languages.
    let japanese = |text: &str| text.chars().any(|c| matches!(c, 'ぁ'..='ヿ' | '一'..='鿿'));
    for (list, schema) in file("codes")["$defs"].as_object().unwrap() {
        let codes = schema["oneOf"].as_array().unwrap();
        let names: BTreeSet<&str> = codes.iter().map(|code| code["const"].as_str().unwrap()).collect();
        assert_eq!(names.len(), codes.len(), "{list}");
        let titles: BTreeSet<&str> = codes.iter().map(|code| code["title"].as_str().unwrap()).collect();
        assert_eq!(titles.len(), codes.len(), "{list}: one name for two codes");
        assert!(titles.iter().all(|title| japanese(title)) && japanese(schema["title"].as_str().unwrap()), "{list}");
        assert!(names.iter().all(|code| code.is_ascii()), "{list}");
    }
}

#[test]
fn codes_with_dates_are_the_sentences_of_the_old_and_the_new_law() {
    let codes = file("codes");
    let mut dated = Vec::new();
    for (list, schema) in codes["$defs"].as_object().unwrap() {
        for code in schema["oneOf"].as_array().unwrap() {
            let day = |name: &str| code.get(name).map(|day| day.as_str().unwrap().parse::<Day>().unwrap().to_string());
            if let (from, until) = (day("x-tsunagi-from"), day("x-tsunagi-until"))
                && (from.is_some() || until.is_some())
            {
                dated.push((list.as_str(), code["const"].as_str().unwrap(), from, until));
            }
        }
    }
    let (june, may) = (Some("2025-06-01".to_owned()), Some("2025-05-31".to_owned()));
    assert_eq!(
        dated,
        [
            ("sentenceKind", "imprisonment_2025", june, None),
            ("sentenceKind", "penal_servitude", None, may.clone()),
            ("sentenceKind", "imprisonment_without_work", None, may),
        ]
    );
}

#[test]
fn the_code_lists_have_the_designs_codes() {
    let codes = file("codes");
    for (list, count, some) in [
        ("subjectCategory", 3, "municipal_recognised"),
        ("supportRoute", 4, "entry_support"),
        ("referralOrigin", 8, "family_or_self"),
        ("procedureStage", 6, "medical_observation"),
        ("facilityKind", 6, "juvenile_classification_home"),
        ("releaseKind", 10, "suspended_part"),
        ("sentenceKind", 7, "protective_measure"),
        ("offenceCategory", 12, "obstruction"),
        ("supervisionKind", 7, "intensive_planned"),
        ("disabilityKind", 7, "undiagnosed"),
        ("supportCategory", 9, "not_assessed"),
        ("serviceType", 17, "independent_living"),
        ("guardianKind", 7, "voluntary"),
        ("legalBasis", 8, "delegation_66_2"),
        ("purpose", 7, "addon_certification"),
        ("declineReason", 8, "deadline_too_short"),
        ("closingReason", 9, "consent_withdrawn"),
        ("consentMethod", 5, "thumbprint"),
        ("probationOffice", 50, "kushiro"),
        ("countryRegion", 249, "JPN"),
        ("addOn", 3, "discharge_planning"),
        ("certStatement", 3, "coordinated_by_municipality_with_center"),
        ("certEligibility", 3, "outpatient_observation"),
        ("messageKind", 40, "provider_notice"),
        ("referralDecision", 3, "redirected"),
        ("enquiryReply", 3, "question"),
        ("handoverReply", 2, "agreed"),
        ("caseStatus", 7, "closing_proposed"),
        ("consentChange", 5, "withdrawn"),
        ("erasureResult", 3, "kept_by_statute"),
        ("partyKind", 14, "rehab_facility"),
    ] {
        let codes = codes["$defs"][list]["oneOf"].as_array().unwrap();
        assert_eq!(codes.len(), count, "{list}");
        assert!(codes.iter().any(|code| code["const"] == some), "{list}");
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
