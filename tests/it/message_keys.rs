//! Signatures held against a JOSE library in both directions.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Value, json};
use tsunagi::message::{base64url, jws, keys::SigningKey};

#[test]
fn the_library_verifies_what_a_key_signed() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let token = jws::sign(&key, "tsunagi-test+jwt", &json!({"a": "語"})).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let verified = |key: &SigningKey| {
        let jwk = key.public().jwk();
        let decoding = DecodingKey::from_ec_components(jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()).unwrap();
        crypto::verify(signature, signed.as_bytes(), &decoding, Algorithm::ES256).unwrap()
    };
    assert!(verified(&key));
    assert!(!verified(&other));
}

#[test]
fn a_key_verifies_what_the_library_signed() {
    let key = SigningKey::generate().unwrap();
    let private: Value = serde_json::from_slice(&key.to_jwk()).unwrap();
    let scalar = base64url::decode(private["d"].as_str().unwrap()).unwrap();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &scalar, &key.public().point()).unwrap();
    let encoding = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    let signature = crypto::sign(b"message", &encoding, Algorithm::ES256).unwrap();
    assert!(key.public().verifies(b"message", &signature));
    assert!(!key.public().verifies(b"massage", &signature));
}
