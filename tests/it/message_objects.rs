//! The signed objects of protocol section 2: each is read as itself, written back unchanged, and never taken for another.

use serde_json::{Value, json};
use tsunagi::{
    domain::{refusal::RefusalCode, time::Timestamp},
    message::{
        keys::SigningKey,
        objects::{
            Acknowledgement, Actor, AgreementSignature, Certificate, ConsentEnd, ConsentGiven, Countersignature, Issued, KeyStatement,
            PartyStatement, Receipt, Revocation, Signed, SignedObject,
        },
        sha256,
    },
};

use super::message_fixture::{JTI, SENDER, token};

const IAT: i64 = 1_790_812_800;

fn issued(more: Value) -> Value {
    let mut object = json!({"iss": "settlement_center:13-1", "aud": "https://gateway.example:8443", "jti": JTI, "iat": IAT});
    let Value::Object(more) = more else { panic!("claims are an object") };
    object.as_object_mut().unwrap().extend(more);
    object
}

/// One good claim set of each object, by `typ`.
pub(crate) fn good() -> Vec<(&'static str, Value)> {
    let digest = sha256(b"x");
    vec![
        (
            Actor::TYP,
            issued(json!({"sub": "staff-1", "exp": IAT + 60, "pur": "audit_review", "htm": "GET", "htu": "/v1/cases?limit=2",
            "cnf": {"x5t#S256": digest}, "nonce": "abcdefghijklmnop"})),
        ),
        (
            ConsentGiven::TYP,
            issued(json!({"nbf": IAT, "exp": IAT + 86400, "sub": "person-1",
            "items": [{"rcp": ["municipality", "group_home:1320100017"], "pur": ["placement_coordination"], "cls": ["minimal"], "tick": ["medical"]}],
            "refused": [{"rcp": ["day_service"]}], "sup": JTI, "how": "paper_signed", "form": {"ver": "1", "sha256": digest},
            "expl": {"by": "staff", "how": "aloud", "understood": true}, "place": "office", "witness": "弁護士"})),
        ),
        (
            ConsentEnd::TYP,
            issued(json!({"con": JTI, "by": "representative", "why": "本人の希望",
            "narrow": [{"rcp": ["day_service"], "pur": ["service_provision"], "cls": ["medical"]}], "from": IAT})),
        ),
        (AgreementSignature::TYP, issued(json!({"agr": {"id": "AG-13-0001", "ver": 2, "sha256": digest}, "act": "suspend"}))),
        (KeyStatement::TYP, issued(json!({"act": "compromised", "use": "enc", "jwk": SENDER.public().jwk(), "compromised_at": IAT}))),
        (PartyStatement::TYP, {
            let mut claims = issued(json!({"act": "suspend", "party": {"party": "group_home:1320100017"}}));
            claims["iss"] = "operator:main".into();
            claims
        }),
        (
            Acknowledgement::TYP,
            issued(json!({"msg": {"iss": "settlement_center:13-1", "jti": JTI}, "rel": JTI, "sd_hash": digest, "st": "received"})),
        ),
        (
            Receipt::TYP,
            json!({"iss": "https://gateway.example:8443", "aud": "settlement_center:13-1", "jti": JTI, "iat": IAT,
            "msg": {"iss": "settlement_center:13-1", "jti": JTI, "sha256": digest}, "st": "refused", "code": "over_disclosure",
            "log": {"origin": "gateway.example/ledger", "idx": 3, "leaf": digest}}),
        ),
        (
            Certificate::TYP,
            issued(
                json!({"no": "TC13-0001", "person": digest, "provider": "1320100017", "addons": ["community_life_transition", "social_life_support"],
            "eligibility": "correctional_release", "statement": "coordinated_by_center",
            "window": {"from": "2026-09-01", "until": "2029-08-31"}, "pol": digest}),
            ),
        ),
        (Revocation::TYP, issued(json!({"crt": {"jti": JTI, "sha256": digest}, "why": "facts_changed", "from": "2027-01-01"}))),
        (
            Countersignature::TYP,
            json!({"iss": "https://gateway.example:8443", "aud": "settlement_center:13-1", "jti": JTI, "iat": IAT,
            "obj": {"typ": Certificate::TYP, "iss": "settlement_center:13-1", "jti": JTI, "sha256": digest}, "ent": [3, 5],
            "log": {"origin": "gateway.example/ledger", "idx": 6, "leaf": digest}}),
        ),
    ]
}

/// Reads a token as one type and writes its claims again.
fn again<T: SignedObject>(token: &str) -> Result<Value, RefusalCode> {
    let signed = Signed::<T>::read(token.as_bytes()).map_err(|refusal| refusal.code)?;
    let object = signed.verify(SENDER.public()).map_err(|refusal| refusal.code)?;
    Ok(object.to_claims().unwrap())
}

type Reader = fn(&str) -> Result<Value, RefusalCode>;

const READERS: [(&str, Reader); 11] = [
    (Actor::TYP, again::<Actor>),
    (ConsentGiven::TYP, again::<ConsentGiven>),
    (ConsentEnd::TYP, again::<ConsentEnd>),
    (AgreementSignature::TYP, again::<AgreementSignature>),
    (KeyStatement::TYP, again::<KeyStatement>),
    (PartyStatement::TYP, again::<PartyStatement>),
    (Acknowledgement::TYP, again::<Acknowledgement>),
    (Receipt::TYP, again::<Receipt>),
    (Certificate::TYP, again::<Certificate>),
    (Revocation::TYP, again::<Revocation>),
    (Countersignature::TYP, again::<Countersignature>),
];

fn signed(typ: &str, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": SENDER.public().thumbprint(), "typ": typ});
    token(&SENDER, &header.to_string(), &claims.to_string())
}

fn reader(typ: &str) -> Reader {
    READERS.into_iter().find(|(name, _)| *name == typ).unwrap().1
}

#[test]
fn each_object_is_written_back_as_it_was_read() {
    for (typ, claims) in good() {
        assert_eq!(reader(typ)(&signed(typ, &claims)), Ok(claims), "{typ}");
    }
}

#[test]
fn a_token_of_one_type_is_never_read_as_another() {
    for (typ, claims) in good() {
        for (name, read) in READERS {
            assert_eq!(read(&signed(typ, &claims)).is_ok(), name == typ, "{typ} as {name}");
            // Nor are its claims under another type's name.
            assert_eq!(read(&signed(name, &claims)).is_ok(), name == typ, "claims of {typ} as {name}");
        }
    }
}

#[test]
fn every_claim_counts() {
    // Claims that may be absent.
    let free = ["nonce", "refused", "sup", "place", "witness", "narrow", "from"];
    for (typ, claims) in good() {
        let read = |claims: &Value| reader(typ)(&signed(typ, claims));
        for name in claims.as_object().unwrap().keys() {
            let mut less = claims.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&less).is_ok(), free.contains(&name.as_str()), "{typ} without {name}");
            let mut null = claims.clone();
            null[name] = Value::Null;
            assert!(read(&null).is_err(), "{typ} with {name} null");
        }
        let mut more = claims.clone();
        more["more"] = 1.into();
        assert!(read(&more).is_err(), "{typ} with a claim more");
        for jti in ["", "1", "0b0e5f6a-5c7e-1f0e-8d57-2f6f0ac1b1a4", "0B0E5F6A-5C7E-4F0E-8D57-2F6F0AC1B1A4"] {
            let mut other = claims.clone();
            other["jti"] = jti.into();
            assert!(read(&other).is_err(), "{typ} with jti {jti}");
        }
    }
}

#[test]
fn what_the_end_of_a_consent_and_a_receipt_say_is_consistent() {
    let change = |typ: &str, name: &str, value: Value| {
        let mut claims = good().into_iter().find(|(name, _)| *name == typ).unwrap().1;
        claims[name] = value;
        reader(typ)(&signed(typ, &claims))
    };
    assert!(change(ConsentEnd::TYP, "narrow", json!([])).is_err(), "a narrowing that takes nothing away");
    assert!(change(ConsentEnd::TYP, "by", json!("neighbour")).is_err());
    assert!(change(Receipt::TYP, "st", json!("accepted")).is_err(), "accepted with a code of refusal");
    assert!(change(Receipt::TYP, "code", json!("because")).is_err());
    assert!(change(AgreementSignature::TYP, "act", json!("widen")).is_err());
}

#[test]
fn a_certificate_says_what_its_issuer_can_say_of_days_that_can_be() {
    let base = good().into_iter().find(|(name, _)| *name == Certificate::TYP).unwrap().1;
    let read = |changes: &[(&str, Value)]| {
        let mut claims = base.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        reader(Certificate::TYP)(&signed(Certificate::TYP, &claims)).is_ok()
    };
    let (center, office, together) =
        (json!("coordinated_by_center"), json!("coordinated_by_probation_office"), json!("coordinated_by_municipality_with_center"));
    for (issuer, own) in [
        ("settlement_center:13-1", Some(&center)),
        ("probation_office:13-1", Some(&office)),
        ("municipality:131016-1", Some(&together)),
        ("core_center:131016-2", Some(&together)),
        ("group_home:1320100017", None),
        ("bar_association:13-1", None),
        ("operator:main", None),
    ] {
        for statement in [&center, &office, &together] {
            assert_eq!(read(&[("iss", issuer.into()), ("statement", statement.clone())]), own == Some(statement), "{issuer} {statement}");
        }
    }
    let window = |from: &str, until: &str| ("window", json!({"from": from, "until": until}));
    let observed = ("eligibility", json!("outpatient_observation"));
    assert!(read(&[window("2026-09-01", "2026-09-01")]) && !read(&[window("2026-09-01", "2026-08-31")]));
    assert!(!read(&[window("2026-09-01", "2029-09-01")]));
    assert!(read(&[window("2026-09-01", "2029-09-01"), observed.clone()]) && read(&[window("2026-09-01", "2031-08-31"), observed.clone()]));
    assert!(!read(&[window("2026-09-01", "2031-09-01"), observed]));
    for (name, bad) in [
        ("no", json!("13-0001")),
        ("provider", json!("132010001")),
        ("provider", json!("group_home:1320100017")),
        ("addons", json!([])),
        ("addons", json!(["social_life_support", "social_life_support"])),
        ("addons", json!(["670"])),
        ("eligibility", json!("full_term")),
        ("window", json!({"from": "2026-09-01", "until": "2027-09-01", "facility": "x"})),
        ("window", json!({"from": "2026-09-01"})),
        ("offence", json!("theft")),
        ("facility", json!("prison")),
        ("sub", json!("person-1")),
    ] {
        assert!(!read(&[(name, bad.clone())]), "{name} {bad}");
    }
}

#[test]
fn a_countersignature_is_for_the_issuer_and_rests_on_what_was_there_before() {
    let base = good().into_iter().find(|(name, _)| *name == Countersignature::TYP).unwrap().1;
    let read = |name: &str, value: Value| {
        let mut claims = base.clone();
        claims[name] = value;
        reader(Countersignature::TYP)(&signed(Countersignature::TYP, &claims)).is_ok()
    };
    assert!(read("ent", json!([0])));
    for (name, bad) in [
        ("aud", json!("probation_office:13-1")),
        ("ent", json!([])),
        ("ent", json!([6])),
        ("ent", json!([3, 3])),
        ("ent", json!((0..65).collect::<Vec<u64>>())),
        ("iss", json!("settlement_center:13-1")),
    ] {
        assert!(!read(name, bad.clone()), "{name} {bad}");
    }
}

#[test]
fn a_signature_of_another_key_is_refused_with_the_objects_code() {
    let stranger = SigningKey::generate().unwrap();
    for (typ, claims) in good() {
        let header = json!({"alg": "ES256", "kid": SENDER.public().thumbprint(), "typ": typ});
        let forged = token(&stranger, &header.to_string(), &claims.to_string());
        let expected = if typ == Actor::TYP { RefusalCode::ActorInvalid } else { RefusalCode::BadToken };
        assert_eq!(reader(typ)(&forged), Err(expected), "{typ}");
    }
}

#[test]
fn an_object_for_another_gateway_or_from_the_future_is_refused() {
    let gateway = "https://gateway.example:8443".parse().unwrap();
    let issued = Issued {
        iss: "settlement_center:13-1".parse().unwrap(),
        aud: "https://gateway.example:8443".parse().unwrap(),
        jti: JTI.parse().unwrap(),
        iat: Timestamp::from_secs(IAT),
    };
    assert_eq!(issued.check(&gateway, Timestamp::from_secs(IAT - 10)), Ok(()));
    assert_eq!(issued.check(&gateway, Timestamp::from_secs(IAT - 11)).unwrap_err().violations[0].field, "iat");
    let other = "https://gateway.example".parse().unwrap();
    assert_eq!(issued.check(&other, Timestamp::from_secs(IAT)).unwrap_err().violations[0].field, "aud");
    for bad in ["http://gateway.example", "https://", "https://gateway.example/", "https://a b", "gateway.example"] {
        assert!(bad.parse::<tsunagi::message::objects::GatewayUrl>().is_err(), "{bad}");
    }
}
