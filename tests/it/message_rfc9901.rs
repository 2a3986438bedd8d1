//! Every example of RFC 9901 (15, with their issuance, presentation, payload and result) through the general mechanism; where the protocol's
//! profile is narrower than the RFC, the test names the rule that refuses.

use std::fs;

use serde_json::Value;
use tsunagi::{
    domain::refusal::RefusalCode,
    message::{
        base64url, json, jws,
        keys::{KeyUse, PublicKey},
        profile::KEY_BINDING_TYP,
        sd_jwt::{self, Disclosure, SdJwtError},
        sha256,
        submission::Submission,
    },
};

use super::message_fixture::{read, read_json, vectors};

/// Signature, then processing: the result of RFC 9901 section 7.1.
fn verify(text: &str, issuer: &PublicKey) -> Result<Value, SdJwtError> {
    let parts = sd_jwt::split(text)?;
    let payload = payload_of(parts.jwt, issuer);
    let disclosures = parts.disclosures.iter().map(|text| Disclosure::read(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(sd_jwt::process(&payload, disclosures)?.claims)
}

fn payload_of(jwt: &str, key: &PublicKey) -> Value {
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    assert!(key.verifies(signed.as_bytes(), signature), "the issuer's signature");
    json::parse(&base64url::decode(signed.split_once('.').unwrap().1).unwrap()).unwrap()
}

/// The flattened and the general JSON serialization (RFC 9901 section 8) as compact text: `(issuance or presentation)`.
fn compact(example: &str) -> String {
    let Ok(Value::Object(example)) = serde_json::from_str::<Value>(example) else { return example.to_owned() };
    let text = |object: &Value, name: &str| object[name].as_str().unwrap().to_owned();
    let object = Value::Object(example);
    let signature = object.get("signatures").map_or(&object, |list| &list[0]);
    let unprotected = &signature["header"];
    let jwt = format!("{}.{}.{}", text(signature, "protected"), text(&object, "payload"), text(signature, "signature"));
    let disclosures = [unprotected, &object].into_iter().find_map(|at| at.get("disclosures")).unwrap();
    let kb = [unprotected, &object].into_iter().find_map(|at| at.get("kb_jwt")).and_then(Value::as_str).unwrap_or_default();
    let joined = sd_jwt::join(&jwt, disclosures.as_array().unwrap().iter().map(|text| text.as_str().unwrap()));
    format!("{joined}{kb}")
}

/// RFC 9901 section 7.3: the key in `cnf` signed the hash of exactly this presentation. `head` is what the generator hashed in front of the
/// disclosures: the JWT, but for the two examples in JSON serialization the JSON text of the issuance, where the RFC (section 8.1) says the
/// JWT. Those two are therefore not of the RFC, and their form is refused by the profile anyway.
fn check_key_binding(presentation: &str, head: &str, issuer: &PublicKey) -> bool {
    let parts = sd_jwt::split(presentation).unwrap();
    let Some(binding) = parts.key_binding else { return false };
    let payload = payload_of(parts.jwt, issuer);
    let holder = PublicKey::from_jwk(&payload["cnf"]["jwk"], KeyUse::Sig).unwrap();
    let claims = payload_of(binding, &holder);
    let presented = sd_jwt::join(head, parts.disclosures.iter().copied());
    assert_eq!(claims["sd_hash"], Value::String(sha256(presented.as_bytes()).to_string()));
    true
}

/// The JWT of a compact text, or a JSON text whole.
fn head(issuance: &str) -> &str {
    issuance.split('~').next().unwrap()
}

#[test]
fn every_example_is_verified_and_gives_the_published_result() {
    let Some(folder) = vectors("rfc9901") else { return };
    let file = read_json(folder.join("rfc9901-examples.json"));
    let issuer = PublicKey::from_jwk(&file["issuer_jwk"], KeyUse::Sig).unwrap();
    let (mut bound, mut printed) = (0, 0);
    for example in file["examples"].as_array().unwrap() {
        let name = example["name"].as_str().unwrap();
        let issuance = compact(example["issuance"].as_str().unwrap());
        let presentation = compact(example["presentation"].as_str().unwrap());

        assert_eq!(payload_of(sd_jwt::split(&issuance).unwrap().jwt, &issuer), example["sd_jwt_payload"], "{name}");
        verify(&issuance, &issuer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(verify(&presentation, &issuer).as_ref(), Ok(&example["verified"]), "{name}");
        bound += usize::from(check_key_binding(&presentation, head(example["issuance"].as_str().unwrap()), &issuer));

        if let Some(text) = example["rfc_issuance"].as_str() {
            assert_eq!(verify(text, &issuer), verify(&issuance, &issuer), "{name}: the signature printed in the RFC");
            let shown = example["rfc_presentation_no_kb"].as_str().unwrap();
            assert_eq!(verify(shown, &issuer).as_ref(), Ok(&example["verified"]), "{name}: the presentation printed in the RFC");
            printed += 1;
        }
    }
    assert_eq!((file["examples"].as_array().unwrap().len(), bound, printed), (15, 6, 3));
}

#[test]
fn every_generated_folder_is_verified_too() {
    let Some(folder) = vectors("rfc9901") else { return };
    let issuer = PublicKey::from_jwk(&read_json(folder.join("rfc9901-examples.json"))["issuer_jwk"], KeyUse::Sig).unwrap();
    let mut folders = 0;
    for entry in fs::read_dir(folder.join("generated")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = entry.display().to_string();
        let either = |stem: &str| {
            let text = entry.join(format!("{stem}.txt"));
            if text.exists() { read(text) } else { read_json(entry.join(format!("{stem}.json"))).as_str().unwrap().to_owned() }
        };
        let issued = either("sd_jwt_issuance");
        let issuance = compact(issued.trim());
        let presentation = compact(either("sd_jwt_presentation").trim());
        let jwt = sd_jwt::split(&issuance).unwrap().jwt;
        assert_eq!(payload_of(jwt, &issuer), read_json(entry.join("sd_jwt_payload.json")), "{name}");
        assert_eq!(verify(&presentation, &issuer), Ok(read_json(entry.join("verified_contents.json"))), "{name}");
        if entry.join("sd_jwt_jws_part.txt").exists() {
            assert_eq!(jwt, read(entry.join("sd_jwt_jws_part.txt")).trim(), "{name}");
        }
        if entry.join("kb_jwt_serialized.txt").exists() {
            assert!(check_key_binding(&presentation, head(issued.trim()), &issuer), "{name}");
            assert_eq!(
                sd_jwt::split(&presentation).unwrap().key_binding.unwrap(),
                read(entry.join("kb_jwt_serialized.txt")).trim(),
                "{name}"
            );
        }
        if entry.join("decoy_digests.json").exists() {
            let payload = payload_of(jwt, &issuer).to_string();
            for decoy in read_json(entry.join("decoy_digests.json")).as_array().unwrap() {
                assert!(payload.contains(decoy.as_str().unwrap()), "{name}: a decoy is a digest like any other");
            }
        }
        folders += 1;
    }
    assert_eq!(folders, 15);
}

#[test]
fn the_profile_refuses_what_the_rfc_allows_and_says_by_which_rule() {
    let Some(folder) = vectors("rfc9901") else { return };
    let file = read_json(folder.join("rfc9901-examples.json"));
    for example in file["examples"].as_array().unwrap() {
        let name = example["name"].as_str().unwrap();
        let issuance = compact(example["issuance"].as_str().unwrap());
        let jwt = sd_jwt::split(&issuance).unwrap().jwt;
        // Rule: a header of exactly alg, kid and typ; the examples name no key.
        assert_eq!(jws::Unverified::read(jwt.as_bytes(), "example+sd-jwt").err(), Some(jws::TokenError::Header), "{name}");
        assert_eq!(Submission::read(issuance.as_bytes()).err().map(|refusal| refusal.code), Some(RefusalCode::BadToken), "{name}");
        // Rule: no key binding in a submission, and one that names its key in a release.
        let presentation = compact(example["presentation"].as_str().unwrap());
        if let Some(binding) = sd_jwt::split(&presentation).unwrap().key_binding {
            assert_eq!(jws::Unverified::read(binding.as_bytes(), KEY_BINDING_TYP).err(), Some(jws::TokenError::Header), "{name}");
            assert_eq!(Submission::read(presentation.as_bytes()).err().unwrap().violations[0].field, "kb", "{name}");
        }
        // Rule: compact form only.
        if example["format"] == "json" {
            assert_eq!(sd_jwt::split(example["issuance"].as_str().unwrap()).err(), Some(SdJwtError::Form), "{name}");
        }
    }
}

#[test]
fn no_example_survives_a_change_of_its_disclosures() {
    let Some(folder) = vectors("rfc9901") else { return };
    let file = read_json(folder.join("rfc9901-examples.json"));
    let issuer = PublicKey::from_jwk(&file["issuer_jwk"], KeyUse::Sig).unwrap();
    for example in file["examples"].as_array().unwrap() {
        let name = example["name"].as_str().unwrap();
        let issuance = compact(example["issuance"].as_str().unwrap());
        let parts = sd_jwt::split(&issuance).unwrap();
        for text in &parts.disclosures {
            let twice = sd_jwt::join(parts.jwt, parts.disclosures.iter().copied().chain([*text]));
            assert_eq!(verify(&twice, &issuer), Err(SdJwtError::Repeated), "{name}");
            let invented = Disclosure::make(Some("invented"), &Value::Bool(true)).unwrap();
            let swapped = parts.disclosures.iter().map(|other| if other == text { invented.text() } else { *other });
            assert_eq!(verify(&sd_jwt::join(parts.jwt, swapped), &issuer), Err(SdJwtError::Unreferenced), "{name}");
        }
    }
}
