//! RFC 7520: none of its keys and tokens is one of this protocol's (P-521, P-384, RSA and symmetric keys; other algorithms), so each must be
//! refused, and by the gate rather than by the library behind it.

use std::fs;

use serde_json::Value;
use tsunagi::message::{
    envelope::{EnvelopeError, Opener},
    jws::Unverified,
    keys::{KeyError, KeyUse, OpeningKey, PublicKey, SigningKey},
    profile::MESSAGE_TYP,
};

use super::message_fixture::{read_json, vectors};

fn files(folder: &str) -> Vec<(String, Value)> {
    let Some(folder) = vectors(&format!("rfc7520-cookbook/{folder}")) else { return Vec::new() };
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let list: Vec<_> = paths.map(|path| (path.display().to_string(), read_json(&path))).collect();
    assert!(!list.is_empty());
    list
}

#[test]
fn no_key_of_the_cookbook_is_a_p256_key() {
    for (name, jwk) in files("jwk") {
        for purpose in [KeyUse::Sig, KeyUse::Enc] {
            assert_eq!(PublicKey::from_jwk(&jwk, purpose), Err(KeyError::Form), "{name}");
        }
        assert!(SigningKey::from_jwk(jwk.to_string().as_bytes()).is_err(), "{name}");
        assert!(OpeningKey::from_jwk(jwk.to_string().as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn no_envelope_of_the_cookbook_passes_the_gate() {
    let opener = Opener::new(&OpeningKey::generate().unwrap()).unwrap();
    for (name, example) in files("jwe") {
        let Some(compact) = example["output"]["compact"].as_str() else {
            let json = example["output"]["json"].to_string();
            assert_eq!(opener.open(json.as_bytes(), MESSAGE_TYP).err(), Some(EnvelopeError::BadEnvelope), "{name}");
            continue;
        };
        assert_eq!(opener.open(compact.as_bytes(), MESSAGE_TYP).err(), Some(EnvelopeError::DecryptFailed), "{name}");
    }
}

#[test]
fn no_signature_of_the_cookbook_is_read_as_a_token() {
    for (name, example) in files("jws") {
        if let Some(compact) = example["output"]["compact"].as_str() {
            assert!(Unverified::read(compact.as_bytes(), MESSAGE_TYP).is_err(), "{name}");
        }
    }
}
