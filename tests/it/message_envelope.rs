//! The gate in front of the JWE library: what an attacker may send, each with the one answer it may get; and two other implementations that
//! agree about what is good (the library's own serialization, and the primitives of aws-lc-rs).

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, UnparsedPublicKey},
    digest,
    key_wrap::{AES_256, AesKek, KeyWrap as _},
};
use josekit::{
    jwe::{self, JweContext, JweHeader},
    jwk::Jwk,
};
use serde_json::{Value, json};
use tsunagi::{
    domain::refusal::RefusalCode,
    message::{
        base64url,
        envelope::{EnvelopeError, Opener, Sealer, seal},
        keys::OpeningKey,
        profile::{ENVELOPE_TYP, MAX_ENVELOPE, MESSAGE_TYP, RELEASE_CTY},
    },
};

const CONTENT: &[u8] = "issuer.jwt.signature~WyJzYWx0Il0~".as_bytes();

struct Gate {
    key: OpeningKey,
    opener: Opener,
}

impl Gate {
    fn new() -> Self {
        let key = OpeningKey::generate().unwrap();
        Self { opener: Opener::new(&key).unwrap(), key }
    }

    fn open(&self, envelope: impl AsRef<[u8]>) -> Result<Vec<u8>, EnvelopeError> {
        self.opener.open(envelope.as_ref(), MESSAGE_TYP).map(|plaintext| plaintext.to_vec())
    }

    fn good(&self) -> String {
        seal(self.key.public(), MESSAGE_TYP, CONTENT).unwrap()
    }

    /// The library itself, with a header of the attacker's choice: cryptographically valid, so that only the gate can refuse it.
    fn forged(&self, alg: &str, enc: &str, change: impl FnOnce(&mut JweHeader)) -> String {
        let mut header = JweHeader::new();
        header.set_content_encryption(enc);
        header.set_token_type(ENVELOPE_TYP);
        header.set_content_type(MESSAGE_TYP);
        header.set_key_id(self.key.public().thumbprint().to_string());
        change(&mut header);
        let Value::Object(jwk) = self.key.public().jwk() else { panic!("a JWK is an object") };
        let jwk = Jwk::from_map(jwk).unwrap();
        let algorithm = match alg {
            "ECDH-ES" => jwe::ECDH_ES,
            "ECDH-ES+A128KW" => jwe::ECDH_ES_A128KW,
            "ECDH-ES+A192KW" => jwe::ECDH_ES_A192KW,
            "ECDH-ES+A256KW" => jwe::ECDH_ES_A256KW,
            other => panic!("{other}"),
        };
        JweContext::new().serialize_compact(CONTENT, &header, &algorithm.encrypter_from_jwk(&jwk).unwrap()).unwrap()
    }

    fn claimed(&self, name: &'static str, value: Value) -> String {
        self.forged("ECDH-ES+A256KW", "A256GCM", |header| header.set_claim(name, Some(value)).unwrap())
    }

    fn without(&self, name: &'static str) -> String {
        self.forged("ECDH-ES+A256KW", "A256GCM", |header| header.set_claim(name, None).unwrap())
    }

    /// A good envelope with one part replaced.
    fn with(&self, part: usize, value: &str) -> String {
        let envelope = self.good();
        let mut parts: Vec<&str> = envelope.split('.').collect();
        parts[part] = value;
        parts.join(".")
    }

    fn resized(&self, part: usize, bytes: usize) -> String {
        let envelope = self.good();
        let mut value = base64url::decode(envelope.split('.').nth(part).unwrap()).unwrap();
        value.resize(bytes, 0);
        let mut parts: Vec<String> = envelope.split('.').map(str::to_owned).collect();
        parts[part] = base64url::encode(value);
        parts.join(".")
    }

    /// A good envelope whose header was edited after sealing.
    fn edited(&self, change: impl FnOnce(&mut Value)) -> String {
        let envelope = self.good();
        let (header, rest) = envelope.split_once('.').unwrap();
        let mut header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
        change(&mut header);
        format!("{}.{rest}", base64url::encode(header.to_string()))
    }
}

#[test]
fn what_was_sealed_is_opened_by_its_own_key_and_as_its_own_type() {
    let (gate, other) = (Gate::new(), Gate::new());
    let envelope = gate.good();
    assert_eq!(gate.open(&envelope).unwrap(), CONTENT);
    assert_eq!(other.open(&envelope), Err(EnvelopeError::DecryptFailed));
    assert_eq!(gate.opener.open(envelope.as_bytes(), RELEASE_CTY).err(), Some(EnvelopeError::DecryptFailed));
    let release = Sealer::new(gate.key.public()).unwrap().seal(RELEASE_CTY, CONTENT).unwrap();
    assert_eq!(gate.opener.open(release.as_bytes(), RELEASE_CTY).unwrap().as_slice(), CONTENT);
    assert_eq!(gate.open(&release), Err(EnvelopeError::DecryptFailed));
    assert_ne!(gate.good(), envelope, "every envelope has its own keys");
    let header: Value = serde_json::from_slice(&base64url::decode(envelope.split_once('.').unwrap().0).unwrap()).unwrap();
    let mut names: Vec<&str> = header.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "cty", "enc", "epk", "kid", "typ"]);
}

#[test]
fn the_library_alone_agrees_in_both_directions() {
    let gate = Gate::new();
    assert_eq!(gate.open(gate.forged("ECDH-ES+A256KW", "A256GCM", |_| {})).unwrap(), CONTENT);
    let jwk = Jwk::from_bytes(gate.key.to_jwk().as_slice()).unwrap();
    let decrypter = jwe::ECDH_ES_A256KW.decrypter_from_jwk(&jwk).unwrap();
    let (plaintext, header) = jwe::deserialize_compact(&gate.good(), &decrypter).unwrap();
    assert_eq!((plaintext.as_slice(), header.content_type()), (CONTENT, Some(MESSAGE_TYP)));
}

#[test]
fn an_implementation_on_other_primitives_opens_the_envelope() {
    let gate = Gate::new();
    let envelope = gate.good();
    let parts: Vec<&str> = envelope.split('.').collect();
    let part = |at: usize| base64url::decode(parts[at]).unwrap();
    let header: Value = serde_json::from_slice(&part(0)).unwrap();
    let private: Value = serde_json::from_slice(&gate.key.to_jwk()).unwrap();
    let coordinate = |jwk: &Value, name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
    let private = agreement::PrivateKey::from_private_key(&ECDH_P256, &coordinate(&private, "d")).unwrap();
    let point = [vec![4], coordinate(&header["epk"], "x"), coordinate(&header["epk"], "y")].concat();

    // RFC 7518 section 4.6.2: one round of Concat KDF; no party information; 256 bits.
    let algorithm = b"ECDH-ES+A256KW";
    let length = u32::try_from(algorithm.len()).unwrap().to_be_bytes();
    let zero = 0u32.to_be_bytes();
    let kek = agreement::agree(&private, UnparsedPublicKey::new(&ECDH_P256, point), "agreement", |secret| {
        let input = [&1u32.to_be_bytes()[..], secret, &length, algorithm, &zero, &zero, &256u32.to_be_bytes()].concat();
        Ok(digest::digest(&digest::SHA256, &input).as_ref().to_vec())
    })
    .unwrap();
    let mut key = [0; 32];
    AesKek::new(&AES_256, &kek).unwrap().unwrap(&part(1), &mut key).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let mut sealed = [part(3), part(4)].concat();
    let nonce = Nonce::try_assume_unique_for_key(&part(2)).unwrap();
    assert_eq!(key.open_in_place(nonce, Aad::from(parts[0]), &mut sealed).unwrap(), CONTENT);
}

#[test]
fn what_is_not_five_canonical_parts_is_no_envelope() {
    let gate = Gate::new();
    let good = gate.good();
    let parts: Vec<&str> = good.split('.').collect();
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("no header", gate.with(0, "").into_bytes()),
        ("five empty parts", b"....".to_vec()),
        ("four parts", parts[..4].join(".").into_bytes()),
        ("six parts", format!("{good}.").into_bytes()),
        ("a line break at the end", format!("{good}\n").into_bytes()),
        ("a space in front", format!(" {good}").into_bytes()),
        ("padding", format!("{good}==").into_bytes()),
        ("the other alphabet", gate.with(3, "+/+/").into_bytes()),
        ("trailing bits in the tag", gate.with(4, &format!("{}B", &parts[4][..21])).into_bytes()),
        ("trailing bits in the vector's neighbour", gate.with(1, &format!("{}B", &parts[1][..53])).into_bytes()),
        ("not UTF-8", [good.as_bytes(), b"\xff"].concat()),
        ("a full-width dot", good.replacen('.', "．", 1).into_bytes()),
        ("the JSON serialization", json!({"protected": parts[0], "ciphertext": parts[3]}).to_string().into_bytes()),
        ("a NUL", good.replacen('.', ".\0", 1).into_bytes()),
    ];
    for (name, attack) in attacks {
        assert_eq!(gate.open(attack), Err(EnvelopeError::BadEnvelope), "{name}");
    }
    assert_eq!(gate.open(vec![b'A'; MAX_ENVELOPE + 1]), Err(EnvelopeError::TooLarge));
    assert_eq!(gate.open(vec![b'A'; MAX_ENVELOPE]), Err(EnvelopeError::BadEnvelope));
}

#[test]
fn every_other_attack_gets_the_one_uniform_answer() {
    let (gate, other) = (Gate::new(), Gate::new());
    let x25519 = json!({"kty": "OKP", "crv": "X25519", "x": base64url::encode([9; 32])});
    let p384 = json!({"kty": "EC", "crv": "P-384", "x": base64url::encode([1; 48]), "y": base64url::encode([1; 48])});
    let good = gate.good();
    let mut attacks: Vec<(String, String)> = vec![
        // Other algorithms, validly encrypted to this key.
        ("direct key agreement".into(), gate.forged("ECDH-ES", "A256GCM", |_| {})),
        ("key wrap with 128 bits".into(), gate.forged("ECDH-ES+A128KW", "A256GCM", |_| {})),
        ("key wrap with 192 bits".into(), gate.forged("ECDH-ES+A192KW", "A256GCM", |_| {})),
        ("content with 128 bits".into(), gate.forged("ECDH-ES+A256KW", "A128GCM", |_| {})),
        ("content with CBC".into(), gate.forged("ECDH-ES+A256KW", "A256CBC-HS512", |_| {})),
        // Other headers, validly encrypted to this key.
        ("compression".into(), gate.claimed("zip", json!("DEF"))),
        ("a critical extension".into(), gate.claimed("crit", json!(["exp"]))),
        ("party information".into(), gate.claimed("apu", json!("QWxpY2U"))),
        ("a key to fetch".into(), gate.claimed("jku", json!("https://attacker.example/keys"))),
        ("a certificate to fetch".into(), gate.claimed("x5u", json!("https://attacker.example/cert"))),
        ("a key in the header".into(), gate.claimed("jwk", gate.key.public().jwk())),
        ("an unknown member".into(), gate.claimed("iat", json!(1))),
        ("no type".into(), gate.without("typ")),
        ("another type".into(), gate.claimed("typ", json!("JWE"))),
        ("the type in capitals".into(), gate.claimed("typ", json!(ENVELOPE_TYP.to_uppercase()))),
        ("no content type".into(), gate.without("cty")),
        ("another content type".into(), gate.claimed("cty", json!("JWT"))),
        ("no key id".into(), gate.without("kid")),
        ("another key id".into(), gate.claimed("kid", json!(other.key.public().thumbprint()))),
        ("a header beyond 1 KiB".into(), gate.claimed("cty", json!("x".repeat(1025)))),
        // Another key behind this key's id.
        ("sealed to another key".into(), {
            let kid = json!(gate.key.public().thumbprint());
            other.claimed("kid", kid)
        }),
        // Headers edited after sealing.
        ("no algorithm".into(), gate.edited(|header| header["alg"] = json!("none"))),
        ("a shared key".into(), gate.edited(|header| header["alg"] = json!("dir"))),
        ("RSA".into(), gate.edited(|header| header["alg"] = json!("RSA-OAEP"))),
        (
            "a password with many rounds".into(),
            gate.edited(|header| {
                header["alg"] = json!("PBES2-HS512+A256KW");
                header["p2c"] = json!(2_000_000_000);
            }),
        ),
        ("an algorithm that is a list".into(), gate.edited(|header| header["alg"] = json!(["ECDH-ES+A256KW"]))),
        ("members in another order".into(), {
            let (header, rest) = good.split_once('.').unwrap();
            let text = String::from_utf8(base64url::decode(header).unwrap()).unwrap();
            format!("{}.{rest}", base64url::encode(text.replacen('{', "{ ", 1)))
        }),
        ("a member twice".into(), {
            let (header, rest) = good.split_once('.').unwrap();
            let text = String::from_utf8(base64url::decode(header).unwrap()).unwrap();
            format!("{}.{rest}", base64url::encode(text.replacen('{', r#"{"alg":"ECDH-ES+A256KW","#, 1)))
        }),
        // Ephemeral keys.
        ("no ephemeral key".into(), gate.edited(|header| header["epk"] = Value::Null)),
        ("an ephemeral key of another kind".into(), gate.edited(|header| header["epk"] = x25519)),
        ("an ephemeral key on another curve".into(), gate.edited(|header| header["epk"] = p384)),
        ("a point off the curve".into(), gate.edited(|header| header["epk"]["y"] = json!(base64url::encode([1; 32])))),
        (
            "the point zero".into(),
            gate.edited(|header| {
                header["epk"]["x"] = json!(base64url::encode([0; 32]));
                header["epk"]["y"] = json!(base64url::encode([0; 32]));
            }),
        ),
        ("a coordinate beyond the field".into(), gate.edited(|header| header["epk"]["x"] = json!(base64url::encode([0xff; 32])))),
        ("a short coordinate".into(), gate.edited(|header| header["epk"]["x"] = json!(base64url::encode([1; 31])))),
        ("an empty coordinate".into(), gate.edited(|header| header["epk"]["x"] = json!(""))),
        ("a coordinate with a zero in front".into(), gate.edited(|header| header["epk"]["x"] = json!(base64url::encode([0; 33])))),
        ("a private ephemeral key".into(), gate.edited(|header| header["epk"]["d"] = json!(base64url::encode([1; 32])))),
        ("another good point".into(), gate.edited(|header| header["epk"] = other.key.public().jwk())),
        // Parts.
        ("a header that is no JSON".into(), gate.with(0, &base64url::encode("{alg}"))),
        ("a header that is a list".into(), gate.with(0, &base64url::encode("[]"))),
        ("no content".into(), gate.with(3, "")),
    ];
    for bytes in (0..=8).chain([24, 32, 39, 41, 48, 4096]) {
        attacks.push((format!("an encrypted key of {bytes} bytes"), gate.resized(1, bytes)));
    }
    for bytes in [0, 1, 8, 11, 13, 16, 128] {
        attacks.push((format!("an initialisation vector of {bytes} bytes"), gate.resized(2, bytes)));
    }
    for bytes in [0, 1, 4, 8, 12, 15, 17, 32] {
        attacks.push((format!("a tag of {bytes} bytes"), gate.resized(4, bytes)));
    }
    for part in 1..5 {
        let mut bytes = base64url::decode(good.split('.').nth(part).unwrap()).unwrap();
        bytes[0] ^= 1;
        attacks.push((format!("a changed bit in part {part}"), gate.with(part, &base64url::encode(bytes))));
    }
    assert!(attacks.len() > 70);
    for (name, attack) in attacks {
        let error = gate.open(&attack).unwrap_err();
        assert_eq!((error, error.code()), (EnvelopeError::DecryptFailed, RefusalCode::DecryptFailed), "{name}");
    }
    assert_eq!(gate.open(&good).unwrap(), CONTENT, "the gate still opens what is good");
}

#[test]
fn an_inflating_content_is_not_inflated() {
    let gate = Gate::new();
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    header.set_token_type(ENVELOPE_TYP);
    header.set_content_type(MESSAGE_TYP);
    header.set_key_id(gate.key.public().thumbprint().to_string());
    header.set_compression("DEF");
    let Value::Object(jwk) = gate.key.public().jwk() else { panic!("a JWK is an object") };
    let encrypter = jwe::ECDH_ES_A256KW.encrypter_from_jwk(&Jwk::from_map(jwk).unwrap()).unwrap();
    let bomb = jwe::serialize_compact(&vec![0; 64 << 20], &header, &encrypter).unwrap();
    assert!(bomb.len() < MAX_ENVELOPE);
    assert_eq!(gate.open(bomb), Err(EnvelopeError::DecryptFailed));
}

#[test]
fn what_would_be_too_large_is_not_sealed() {
    let gate = Gate::new();
    assert_eq!(seal(gate.key.public(), MESSAGE_TYP, &vec![0; MAX_ENVELOPE]), Err(EnvelopeError::TooLarge));
    let most = seal(gate.key.public(), MESSAGE_TYP, &vec![0; 380 * 1024]).unwrap();
    assert_eq!(gate.open(most).unwrap().len(), 380 * 1024);
}
