//! Signatures, hashes and envelopes.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree},
    digest::{SHA256, digest},
    key_wrap::{AES_256, AesKek, KeyWrap as _},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey},
};
use tsunagi::{
    message::{
        envelope::{Opener, Sealer},
        keys::{OpeningKey, SigningKey},
        profile::MESSAGE_TYP,
    },
    tlog::{Checkpoint, Hash, NoteSigner},
};
use zeroize::Zeroizing;

use crate::measure::Case;

pub(super) fn cases() -> Vec<Case<'static>> {
    let mut cases = signatures();
    cases.extend(envelopes());
    cases.push(Case::new("SHA-256 of 4 KiB: aws-lc-rs", || digest(&SHA256, &[7; 4096])));
    cases
}

/// A signing input of the usual length.
const SIGNED: [u8; 5632] = [b'a'; 5632];
/// Content of an envelope.
const CONTENT: [u8; 4096] = [b'a'; 4096];

fn signatures() -> Vec<Case<'static>> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()).unwrap();
    let random = SystemRandom::new();
    let signature = pair.sign(&random, &SIGNED).unwrap();
    let key = SigningKey::generate().unwrap();
    let (verifier, token) = (key.public().clone(), key.sign(&SIGNED).unwrap());
    let edwards = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let note = NoteSigner::from_seed("bench.example/ledger".parse().unwrap(), &Zeroizing::new([7; 32])).unwrap();
    vec![
        Case::new("ES256 verify: aws-lc-rs", move || public.verify_sig(&SIGNED, signature.as_ref()).unwrap()),
        Case::new("ES256 verify: message room", move || assert!(verifier.verifies(&SIGNED, &token))),
        Case::new("ES256 sign: aws-lc-rs", move || pair.sign(&random, &SIGNED).unwrap()),
        Case::new("ES256 sign: message room", move || key.sign(&SIGNED).unwrap()),
        Case::new("Ed25519 sign: aws-lc-rs", move || edwards.sign(&[b'a'; 128])),
        Case::new("Ed25519 sign: checkpoint, tlog room", move || {
            Checkpoint::new("bench.example/ledger", 1 << 20, Hash([7; 32])).unwrap().sign(&note).unwrap()
        }),
    ]
}

fn envelopes() -> Vec<Case<'static>> {
    let key = OpeningKey::generate().unwrap();
    let (opener, sealer) = (Opener::new(&key).unwrap(), Sealer::new(key.public()).unwrap());
    let envelope = sealer.seal(MESSAGE_TYP, &CONTENT).unwrap();
    // Who seals to its own key agrees on the same secret as anybody else.
    let own = PrivateKey::generate(&ECDH_P256).unwrap();
    let peer = own.compute_public_key().unwrap().as_ref().to_vec();
    let (to, wrapped, ciphertext) = (peer.clone(), wrap(&shared(&own, &peer)), encrypt());
    vec![
        Case::new("JWE open of 4 KiB: aws-lc-rs, its steps alone", move || {
            let (mut secret, mut content) = ([0; 32], ciphertext.clone());
            kek(&shared(&own, &peer)).unwrap(&wrapped, &mut secret).unwrap();
            content_key().open_in_place(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut content).unwrap();
        }),
        Case::new("JWE open of 4 KiB: message room", move || opener.open(envelope.as_bytes(), MESSAGE_TYP).unwrap()),
        Case::new("JWE seal of 4 KiB: aws-lc-rs, its steps alone", move || {
            let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
            (wrap(&shared(&ephemeral, &to)), encrypt())
        }),
        Case::new("JWE seal of 4 KiB: message room", move || sealer.seal(MESSAGE_TYP, &CONTENT).unwrap()),
    ]
}

/// The agreed secret, through one round of the Concat KDF (RFC 7518 section 4.6.2).
fn shared(own: &PrivateKey, peer: &[u8]) -> [u8; 32] {
    let derive = |secret: &[u8]| Ok(digest(&SHA256, secret).as_ref().try_into().unwrap());
    agree(own, UnparsedPublicKey::new(&ECDH_P256, peer), (), derive).unwrap()
}

fn kek(key: &[u8; 32]) -> AesKek {
    AesKek::new(&AES_256, key).unwrap()
}

fn wrap(under: &[u8; 32]) -> [u8; 40] {
    let mut wrapped = [0; 40];
    kek(under).wrap(&[7; 32], &mut wrapped).unwrap();
    wrapped
}

fn content_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap())
}

fn encrypt() -> Vec<u8> {
    let mut content = CONTENT.to_vec();
    content_key().seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut content).unwrap();
    content
}
