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
    ("catalogue", "1.0.0", "xOdoFZvy37U1vYtuXQqhA9bNoJGmcG3mtl5nP705AVQ"),
    ("referral", "1.0.0", "2ILTOMTeGKFIOO9nooSe17g6z3I34ceNCfuh_Aewi9Y"),
    ("referral_ack", "1.0.0", "_HDInRddRmDrXKOtM28eRLgRr5T1Trzh7F2oA_RntYI"),
    ("referral_decision", "1.0.0", "wyoXMsTC72geFNSgvcifM31LWZOPc8iwT9MBCREVzrg"),
    ("supplement", "1.0.0", "6eMft7MnGeiQmzIyroLmGkr5aUwaZxA5wXHyYHHz-e4"),
    ("correction", "1.0.0", "dNIDdscbrfxkZrm-SnB4l1ERgS2HbaSPPy-jgGZlbyY"),
    ("resource_info", "1.0.0", "eNqN8a2MJJxieQyDbSPxMAwcTyunPJDUNX8k8IhIfSg"),
    ("enquiry", "1.0.0", "lmqx7iVjvuXKtwpr1uWilMoSCL6WzPh6gVaBI_TRVDk"),
    ("enquiry_reply", "1.0.0", "fNcDDqHbIw7K--pfCcwq2lHtju7gLi_2sLn9eYZtn5Y"),
    ("placement_request", "1.0.0", "Xv5y9DH4hd7kU88Hts0bV1LGb7ptYOIIZ7rqfIbR6u0"),
    ("placement_decision", "1.0.0", "J22T33JCbtivrMF-SR9Eiuk34PDYGHO79ewwxkuUsiA"),
    ("plan_request", "1.0.0", "4XaiES6QAju9UBZluHwejBIxeHJUJ3rsOuWM3sIUeqg"),
    ("plan_notice", "1.0.0", "dl-Vd3UqkjPIg1-VpxevERE8YPiK5acBlyJHGNER9iQ"),
    ("benefit_notice", "1.0.0", "oTyclsBj4aEvZS7XewI4aekwTt9iiOIpUq_4MMZw99M"),
    ("service_handoff", "1.0.0", "ZatBLdV-AiQ7m8lywUghgCj_t5AyI8_APfPwyMj8TZw"),
    ("meeting_notice", "1.0.0", "JJK1Zj0oK1FqcYd4B4WBokYXaNw4LJ6Q0RMD-hyuhn8"),
    ("meeting_record", "1.0.0", "eclzf4xYKbLiAqyxlLS8GWOTHxYo_aQ17ix9yB5j0hc"),
    ("status_notice", "1.0.0", "ruWGtfYeTSn60ilye-YdR2j5LCXMxP8Iq1ZeM9S7XZc"),
    ("handover_proposal", "1.0.0", "Drla9wCN2pRgGrA3E5L6U6ZdFo2EH-RO7zsZB252axM"),
    ("handover_agreed", "1.0.0", "OysrUfId9y0iyKRSQYenZWGTMdE1NyegubNzgF3S0fc"),
    ("consultation_request", "1.0.0", "7skx3HNMx47y6AWTYShbi-VI5Xb07IFFMIzcA-_AsJM"),
    ("consultation_reply", "1.0.0", "Tgxd3HCrf7OJMVOecLahAVEk12DdX2-pk2HpmANedMs"),
    ("municipal_advice_request", "1.0.0", "nZgLaYdYwRecrxA76GkS5mTa5FztGX8NPguo-US2rC0"),
    ("municipal_advice_reply", "1.0.0", "8GhZ637bs6NsbRKCoxqizWjAfR-oAmEbYf4BXKWHjWw"),
    ("third_party_referral", "1.0.0", "78-aSOfck_D_gjFfvo8aYr3poxBXnnFZzmSeLWJOQbY"),
    ("center_share", "1.0.0", "KVnl0O6TMlPB44b9QAguai09O1naTO0e8Z__6beF0A0"),
    ("center_transfer", "1.0.0", "GVtls2clbBYbhKOkomiArPSTNUtWzpzYEY3KR68wYiw"),
    ("coordination_certificate", "1.0.0", "hPiif8l9waLwi_Opl2CvbGbgoHOr3CT1JMyAgM5tm_c"),
    ("certificate_revocation", "1.0.0", "Uge0YAJRjN0G1-_sLNJZA8VWWj7zZuBxxUsGjx1LK3o"),
    ("consent_event", "1.0.0", "WIykFfpJU_4jNjDrX90OCKuQi6TIdFpVJ9MOxnnB3is"),
    ("erasure_request", "1.0.0", "LElIzhHaL_DRMHsHO6QOM0i3lsexEP3SMJRjsqcC_pw"),
    ("erasure_report", "1.0.0", "664HbLnMNvvfqwwiG0cJLHqYLHreU5CH8Wn4uVOF8UE"),
    ("incident_notice", "1.0.0", "aZSzxf6pTt3PBbJhxNQKtF7fCE7iTNjo3HxdhouWKEI"),
    ("closing_notice", "1.0.0", "S8S0CzzX8bBmYw1-kXanFyPfEEisQL1oqTZwxOFmBB8"),
    ("provider_consultation", "1.0.0", "GjkdNpaM-yqrgEKfMi9JduDmFiALfULLKWoIYypOmv0"),
    ("visit_record", "1.0.0", "YW0IB42lc9gRu_6kdYqSpxkucWBmXO-yruO_7lMP5IA"),
    ("interview_evidence", "1.0.0", "-2mBPMIUbInY_j39HqXHaF7WPZ0VIp5PpJQcLWTdUJ4"),
    ("training_notice", "1.0.0", "_pDPGQPGFilbBOrX4ATY93WfNgMVuC9Y_eTYmD2rMcs"),
    ("periodic_consultation", "1.0.0", "dnBA7IDr9m30JBSBXp20-Ow0T8OIyd3OdrVqigbP8-U"),
    ("council_notice", "1.0.0", "LgMSD_vxz40bDhyVhE2hMUmBNQQIghoQP2Xn_dj0q8s"),
    ("provider_notice", "1.0.0", "4rDKzp8c3gZI6Tg2dCS1k5mHqsTiyZB5HTcAAJUlVeM"),
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
