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
        field::FieldClass,
        party::PartyKind,
        refusal::RefusalCode,
    },
    message::{
        base64url,
        schema::{Carried, Ident, MessageSchema, SchemaSet},
    },
    policy::PolicySet,
};

use super::{message_fixture, message_kinds::beyond_the_matrix};

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
    ("catalogue", "1.0.0", "FbQp8mtPN90LoOGSI00BjAC6HiDWnxqPfRIYe-VR_I8"),
    ("referral", "1.0.0", "0aNQPhgOhK59WYxYMYHzygPy8mG6d3bzAnsXjdVNFpM"),
    ("referral_ack", "1.0.0", "0q3HtAYvyfRQSISxWHhTP7RYiXOOeKEXiEG0191hH-Q"),
    ("referral_decision", "1.0.0", "SF3eSupjYlhPSEVBsxMQnYKAPtOwLYNm3N8oGvERqBI"),
    ("supplement", "1.0.0", "H3vNywA0S_oCqvzUzdyz8DJ72HXSYED56bRwpsTdm8c"),
    ("correction", "1.0.0", "O5LvPme99CGUwr66fN4y9S35Bwk_KmqBx-SvMeqEobs"),
    ("resource_info", "1.0.0", "bYpi2dICtygnB7im2HcsHJSa09cQmprAamxp7DzRL8c"),
    ("enquiry", "1.0.0", "z_iLusReClunQmQTvRwlcoIc8pDqoL6FPdBMuWNWohc"),
    ("enquiry_reply", "1.0.0", "OBvoH0UC5OIVZ-uhyHRtMNEht7MdZYHYLehBZpnbg0o"),
    ("placement_request", "1.0.0", "_1LWwZdxkSAdMuLE5bpC-dtiTpz6QS0K5Vo56IFZtjE"),
    ("placement_decision", "1.0.0", "m0ZQv41Q-6Hpp6SnZB9fDxDn4vtNFZaxlKnnz6PIIS4"),
    ("plan_request", "1.0.0", "PbR4pgiJOxxGqMOFM0HxbWrW3zP4vPdOlF5VERiNFaQ"),
    ("plan_notice", "1.0.0", "snz2cpXB2rvUhHw4mgO60n2jAMCIqMBaPbM6pErKm6s"),
    ("benefit_notice", "1.0.0", "xkUcdWZk2NMiWZPQQ12VDpIBowM7M1tA-eY3Lyp7mGw"),
    ("service_handoff", "1.0.0", "2yV9n15HzeJ-gMdpjHs7V13HIsoHaEr_ef-3R5XWI34"),
    ("meeting_notice", "1.0.0", "7gbSMAjv-4Hj9ZGJqxDL9j0H2dkcrZtU9EMY8F4mOCc"),
    ("meeting_record", "1.0.0", "VHKlqTx33VRkOAIe1Fzhnq8AaEh8qG7dnzXIaR9TYSQ"),
    ("status_notice", "1.0.0", "o8_XXFk2juDKqv6AfqfId0Exz7wWCM3rjlKzDXBE8hk"),
    ("handover_proposal", "1.0.0", "fQxhXtXEfY29z3bi3ubh18gUu4HiGGPPoWvPN5khIDk"),
    ("handover_agreed", "1.0.0", "eOGkmilLAhWGK9uE0_9GiMWT4QFZOEr93LV1LfE5HTU"),
    ("consultation_request", "1.0.0", "MVzN6i-1dwzF_Ihnkx3WQaewlzCHHNHP4dJOlOenhOc"),
    ("consultation_reply", "1.0.0", "V-hfE1AziU99j6DylFhVZqkugkZIT5-nVxtYq9u9FCg"),
    ("municipal_advice_request", "1.0.0", "rZRqKpK_5LN4VjmwRZ3Jkg7LePpuMB4WtBGVKjxrJvQ"),
    ("municipal_advice_reply", "1.0.0", "vXmsgrLEeoxL3jPtiwj2h5qdHIjjHe_nmVDIzxAhR7g"),
    ("third_party_referral", "1.0.0", "oPWAIqE-6RIslxLFsOGuBDZSHJFFj46SDwpXo_bNCIM"),
    ("center_share", "1.0.0", "-gIHAMe0t3xC27oHy8rBRrSfo8USl7lcGnfttlHkUUU"),
    ("center_transfer", "1.0.0", "kzzMX0OuUm9n1aRc0ymIyu6AD5UlIYlwyrgXoM9SqwU"),
    ("coordination_certificate", "1.0.0", "tZJer2o2KybBoHcgGdPFOofO29c9ISgGpADr8GK9pSU"),
    ("certificate_revocation", "1.0.0", "o49gSCLMPXJNPwxZox5sPfVYn6w2Gc4vPjngi5d8GgQ"),
    ("consent_event", "1.0.0", "cMFGFXWqSJTL0N6Hnqd8Dpvj0SW9PyeBRBWEwpTu1eE"),
    ("erasure_request", "1.0.0", "-hq8diX4poo_8UovvF9lBktYtqf-QOqUoqBG94ClJ0I"),
    ("erasure_report", "1.0.0", "9qje6GMt044YFfa1AtyZA_SoPKxeKWRvG48U-toDHXE"),
    ("incident_notice", "1.0.0", "HqJSZxVlpiklStAiPepc94SFfBLdZS_oVOvaEGF2y8k"),
    ("closing_notice", "1.0.0", "39bPLhejTwp6oEHhOSWpheOqydYZd-mVxx0_sf0GOuY"),
    ("provider_consultation", "1.0.0", "OHwsPSxgPdcbP8MQ7iK1Wl0AZI6CCStJ6VhhynAIqn4"),
    ("visit_record", "1.0.0", "-p5h7V68smVdQ9iCyPDiBeppznDnd0-taUO_Z6Ikk9E"),
    ("interview_evidence", "1.0.0", "FNCsaOI9HHWZ5-TU1qDNifmFekWTtF8ry01HxC7Spr0"),
    ("training_notice", "1.0.0", "hNxZcAhzJFujmJe-deMTztz79K04_Dc2jLPpbBWcrZk"),
    ("periodic_consultation", "1.0.0", "RvckvhijRgkGBYjtYWWrzDwvHF_yK818VyjTLo3VKO4"),
    ("council_notice", "1.0.0", "kpZzlStcQd5mdjfAn8q4oubE9F6p8bGqSc1HRfLlys4"),
    ("provider_notice", "1.0.0", "xhRPM79bNvRABbTpQsewMNWPCRLS1v4_ApYpxmXt-VQ"),
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
fn a_message_has_the_rows_that_travel_in_it_and_its_example_those_that_somebody_it_goes_to_may_be_shown() {
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
        let hidden = beyond_the_matrix(schema.kind());
        let somebody = schema.rows().iter().filter(|row| !hidden.contains(&row.class));
        assert_eq!(somebody.map(|row| row.key.as_str()).collect::<BTreeSet<_>>(), shown);
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
