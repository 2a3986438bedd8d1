//! A message from its sender through the gateway to its reader, and what a forger may try at each step.

use serde_json::{Value, json};
use tsunagi::{
    domain::refusal::{Refusal, RefusalCode},
    message::{
        Verified, base64url,
        compose::{ComposeError, Draft, Padding},
        disclosed::Row,
        key_binding::{Grounds, KbClaims, bind},
        keys::SigningKey,
        release::{Asked, Release, UnverifiedRelease, verify_release},
        sd_jwt::{self, Disclosure},
        sha256,
        submission::{Message, Submission, message_digest},
    },
};

use super::message_fixture::{BINDER, JTI, NOW, Pieces, SENDER, body, claims, disclosure, draft, header, hidden, token};

fn submit(text: &str) -> Result<Verified<Message>, Refusal> {
    Submission::read(text.as_bytes())?.verify(SENDER.public())
}

/// The code with which a message is refused at the first step that refuses it.
fn refused(text: &str) -> Option<RefusalCode> {
    let judged = submit(text).and_then(|message| {
        message.check_time(NOW)?;
        message.check_binding(&BINDER.public().thumbprint())?;
        message.disclose().map(drop)
    });
    judged.err().map(|refusal| refusal.code)
}

fn forged(change: impl FnOnce(&mut Pieces)) -> Option<RefusalCode> {
    let mut pieces = Pieces::new();
    change(&mut pieces);
    refused(&pieces.sign(&SENDER))
}

#[test]
fn a_message_arrives_as_it_was_drafted() {
    let text = draft().sign(&SENDER).unwrap();
    let read = Submission::read(text.as_bytes()).unwrap();
    assert_eq!((read.iss().to_string().as_str(), read.kid()), ("settlement_center:13-1", SENDER.public().thumbprint()));
    let message = read.verify(SENDER.public()).unwrap();
    assert_eq!(message.claims(), &claims());
    assert_eq!(message.check_time(NOW), Ok(()));
    assert_eq!(message.check_binding(&BINDER.public().thumbprint()), Ok(()));
    let disclosed = message.disclose().unwrap();
    assert_eq!(disclosed.hidden, hidden());
    assert_eq!(disclosed.body(), Value::Object(body().into_iter().map(|(name, value)| (name.to_string(), value)).collect()));
    assert_eq!(disclosed.consent_disclosures().len(), 2);
    assert_eq!(message.to_sd_jwt(), text);
    let digests: Vec<_> = sd_jwt::split(&text).unwrap().disclosures.into_iter().map(|text| sha256(text.as_bytes())).collect();
    assert!(digests.is_sorted(), "the order of the disclosures says nothing about the rows");
    assert_eq!(Message::reopen(text.as_bytes()).unwrap().digest(), message.digest());
    assert_eq!(refused(&Pieces::new().sign(&SENDER)), None, "the pieces of the forger are good before he forges");
}

#[test]
fn nothing_personal_is_printed() {
    let draft = draft();
    let text = draft.sign(&SENDER).unwrap();
    let (read, parts) = (Submission::read(text.as_bytes()).unwrap(), sd_jwt::split(&text).unwrap());
    let printed = format!("{draft:?} {read:?} {parts:?} {:?}", Disclosure::read(parts.disclosures[0]).unwrap());
    let message = read.verify(SENDER.public()).unwrap();
    let disclosed = message.disclose().unwrap();
    let printed = format!("{printed} {message:?} {:?} {disclosed:?} {:?}", message.get(), message.present(|_| true));
    let text = released(|_| true, true);
    let printed = format!("{printed} {:?} {:?}", UnverifiedRelease::read(text.as_bytes()).unwrap(), receive(&text).unwrap().get());
    for personal in ["つなぎ", "1970-01-01", "5f0c2f6a", "intellectual", "eyJ", "WyJ"] {
        assert!(!printed.contains(personal), "{personal} in {printed}");
    }
}

#[test]
fn the_digest_names_the_message_whatever_carries_it() {
    let text = draft().sign(&SENDER).unwrap();
    let parts = sd_jwt::split(&text).unwrap();
    let digest = submit(&text).unwrap().digest();
    let (signed, _) = parts.jwt.rsplit_once('.').unwrap();
    // The layout: signing input, then `~` and the disclosure for each, in bytewise order.
    let mut sorted = parts.disclosures.clone();
    sorted.sort_unstable();
    assert_eq!(digest, sha256(format!("{signed}~{}", sorted.join("~")).as_bytes()));
    assert_eq!(digest, message_digest(signed, &parts.disclosures));
    // Another signature over the same, and another order of the disclosures.
    let again = format!("{signed}.{}", SENDER.sign(signed.as_bytes()).unwrap());
    let other = sd_jwt::join(&again, parts.disclosures.iter().rev().copied());
    assert_ne!(other, text);
    assert_eq!(submit(&other).unwrap().digest(), digest);
    // One disclosure less is another message.
    let fewer = sd_jwt::join(parts.jwt, parts.disclosures.iter().skip(1).copied());
    assert_ne!(submit(&fewer).unwrap().digest(), digest);
}

#[test]
fn padding_hides_how_much_there_is() {
    for rows in [0, 1, 32, 33, 100, 200] {
        let body = (0..rows).map(|n| (format!("row_{n}").parse().unwrap(), json!(n))).collect();
        let text = Draft { body, padding: Padding::Ladder, ..draft() }.sign(&SENDER).unwrap();
        let message = submit(&text).unwrap();
        assert!(message.is_padded());
        assert_eq!(message.body_digest_count(), [32, 64, 128, 256].into_iter().find(|size| *size >= rows).unwrap());
        assert_eq!(message.disclose().unwrap().rows.len(), rows);
    }
    assert!(!submit(&draft().sign(&SENDER).unwrap()).unwrap().is_padded());
    let many = (0..257).map(|n| (format!("row_{n}").parse().unwrap(), json!(n))).collect();
    assert_eq!(Draft { body: many, padding: Padding::Ladder, ..draft() }.sign(&SENDER), Err(ComposeError::TooMany));
}

#[test]
fn a_sender_does_not_sign_what_would_be_refused() {
    let body = |value: Value| Draft { body: vec![("height".parse().unwrap(), value)], ..draft() }.sign(&SENDER);
    for value in [json!(1.5), json!("a\u{0}"), json!({"_sd": 1}), json!({"...": 1})] {
        assert_eq!(body(value.clone()).map_err(|error| error.code()), Err(RefusalCode::BadDisclosure), "{value}");
    }
    let twice = vec![("height".parse().unwrap(), json!(1)), ("height".parse().unwrap(), json!(2))];
    assert_eq!(Draft { body: twice, ..draft() }.sign(&SENDER).map_err(|error| error.code()), Err(RefusalCode::BadDisclosure));
}

#[test]
fn the_form_and_the_header_are_the_protocols() {
    let good = Pieces::new().sign(&SENDER);
    let kid = SENDER.public().thumbprint();
    for (name, text) in [
        ("nothing", String::new()),
        ("no tilde", good.split_once('~').unwrap().0.to_owned()),
        ("a key binding", format!("{good}a.b.c")),
        ("no signature", good.replacen(good.split('.').nth(2).unwrap().split('~').next().unwrap(), "", 1)),
    ] {
        assert_eq!(refused(&text), Some(RefusalCode::BadToken), "{name}");
    }
    for (name, header) in [
        ("typ of the issuer's draft", json!({"alg": "ES256", "kid": kid, "typ": "sd+jwt"})),
        ("no typ", json!({"alg": "ES256", "kid": kid})),
        ("no kid", json!({"alg": "ES256", "typ": "tsunagi-message+sd-jwt"})),
        ("no algorithm", json!({"alg": "none", "kid": kid, "typ": "tsunagi-message+sd-jwt"})),
        ("a key in the header", json!({"alg": "ES256", "kid": kid, "typ": "tsunagi-message+sd-jwt", "jwk": SENDER.public().jwk()})),
        ("crit", json!({"alg": "ES256", "kid": kid, "typ": "tsunagi-message+sd-jwt", "crit": ["exp"]})),
    ] {
        assert_eq!(forged(|pieces| pieces.header = header), Some(RefusalCode::BadToken), "{name}");
    }
    let other = SigningKey::generate().unwrap();
    assert_eq!(refused(&Pieces::new().sign(&other)), Some(RefusalCode::BadToken), "another key behind this kid");
    assert_eq!(forged(|pieces| pieces.header = header(other.public())), Some(RefusalCode::BadToken), "this key behind another kid");
}

#[test]
fn the_plain_claims_are_exactly_the_protocols() {
    let bad: &[(&str, Value)] = &[
        ("exp", json!(NOW.secs() + 60)),
        ("nbf", json!(NOW.secs())),
        ("note", json!("free")),
        ("iss", json!("settlement_center:99-1")),
        ("aud", json!(["municipality:131016-1"])),
        ("aud", json!("somebody")),
        ("jti", json!("1")),
        ("jti", json!(JTI.to_uppercase())),
        ("iat", json!("2026-10-01T00:00:00Z")),
        ("iat", json!(-1)),
        ("iat", json!(NOW.secs() + 11)),
        ("kind", json!("gossip")),
        ("sch", json!({"id": "x", "ver": "1.0.0"})),
        ("sch", json!({"id": "x", "ver": "1.0.0", "sha256": "AAAA"})),
        ("agr", json!({"id": "AG-13-0001", "ver": "1", "sha256": sha256(b"")})),
        ("agr", json!({"id": "AG-13-0001", "ver": 1, "sha256": sha256(b""), "more": 1})),
        ("pur", json!([])),
        ("pur", json!("placement_coordination")),
        ("pur", json!(["placement_coordination", "placement_coordination"])),
        ("bas", json!("because")),
        ("bref", json!({"article": "69-2-1"})),
        ("bref", Value::Null),
        ("cnf", json!({"jwk": {"kty": "EC"}})),
        ("cnf", json!({"jwk": BINDER.public().jwk(), "kid": "x"})),
        ("cnf", json!({"kid": BINDER.public().thumbprint()})),
        ("body", json!([])),
        ("body", json!("text")),
        ("_sd_alg", json!("sha-512")),
        ("_sd_alg", json!(null)),
    ];
    for (name, value) in bad {
        assert_eq!(forged(|pieces| pieces.payload[*name] = value.clone()), Some(RefusalCode::BadToken), "{name}: {value}");
    }
    for name in ["iss", "aud", "jti", "iat", "kind", "sch", "agr", "pur", "bas", "cnf", "body", "_sd_alg"] {
        let missing = |pieces: &mut Pieces| drop(pieces.payload.as_object_mut().unwrap().remove(name));
        assert_eq!(forged(missing), Some(RefusalCode::BadToken), "without {name}");
    }
    assert_eq!(forged(|pieces| pieces.payload["bref"] = json!({"article": "69-2-1", "reason": "理由"})), None);
    assert_eq!(forged(|pieces| pieces.payload["iat"] = json!(NOW.secs() - 86400)), None);
    assert_eq!(forged(|pieces| pieces.payload["iat"] = json!(NOW.secs() + 10)), None);
    assert_eq!(forged(|pieces| pieces.payload["iat"] = json!(NOW.secs() - 86401)), Some(RefusalCode::MessageTooOld));
    let other = SigningKey::generate().unwrap().public().jwk();
    assert_eq!(forged(|pieces| pieces.payload["cnf"] = json!({"jwk": other})), Some(RefusalCode::BindingMismatch));
}

#[test]
fn what_must_be_hidden_is_never_plain() {
    for name in ["sub", "con", "case", "thr", "drv"] {
        assert_eq!(forged(|pieces| pieces.payload[name] = json!("x")), Some(RefusalCode::BadDisclosure), "{name}");
    }
    for name in ["family_name", "free_note"] {
        assert_eq!(forged(|pieces| pieces.payload["body"][name] = json!("x")), Some(RefusalCode::BadDisclosure), "{name}");
    }
    assert_eq!(forged(|pieces| pieces.payload["body"]["_sd_alg"] = json!("sha-256")), Some(RefusalCode::BadDisclosure));
}

type Attack = Box<dyn Fn(&mut Pieces)>;

#[test]
fn each_bad_disclosure_is_refused() {
    let salt = base64url::encode([7; 16]);
    let row = |name: &str, value: &str| disclosure(&format!(r#"["{salt}","{name}",{value}]"#));
    let at = |pointer: &'static str, text: String| -> Attack { Box::new(move |pieces| pieces.disclose(pointer, &text)) };
    let attacks: Vec<(&str, Attack)> = vec![
        (
            "not referenced",
            Box::new({
                let text = row("x", "1");
                move |pieces| pieces.disclosures.push(text.clone())
            }),
        ),
        (
            "twice",
            Box::new(|pieces| {
                let again = pieces.disclosures[0].clone();
                pieces.disclosures.push(again);
            }),
        ),
        ("empty", Box::new(|pieces| pieces.disclosures.push(String::new()))),
        ("no base64url", Box::new(|pieces| pieces.disclosures.push("a+b".into()))),
        ("trailing bits", Box::new(|pieces| pieces.disclosures.push("WyJh".to_owned() + "AB"))),
        (
            "a digest twice",
            Box::new(|pieces| {
                let list = pieces.payload["body"]["_sd"].as_array_mut().unwrap();
                let first = list[0].clone();
                list.push(first);
            }),
        ),
        (
            "a digest in two places",
            Box::new(|pieces| {
                let first = pieces.payload["body"]["_sd"][0].clone();
                pieces.payload["_sd"].as_array_mut().unwrap().push(first);
            }),
        ),
        ("a digest that is none", Box::new(|pieces| pieces.payload["_sd"].as_array_mut().unwrap().push(json!("AAAA")))),
        ("a list that is none", Box::new(|pieces| pieces.payload["body"]["_sd"] = json!("AAAA"))),
        ("a short salt", at("/body", disclosure(r#"["c2FsdHNhbHRzYWx0c2Fs","x",1]"#))),
        (
            "the same salt twice",
            Box::new({
                let (one, two) = (row("x", "1"), row("y", "2"));
                move |pieces| {
                    pieces.disclose("/body", &one);
                    pieces.disclose("/body", &two);
                }
            }),
        ),
        ("_sd as a name", at("/body", row("_sd", "[]"))),
        ("_sd_alg as a name", at("/body", row("_sd_alg", "1"))),
        ("... as a name", at("/body", row("...", "1"))),
        ("a row that is there already", at("/body", row("family_name", "1"))),
        ("a plain claim that is there already", at("", row("iss", "1"))),
        ("a claim that may not be hidden", at("", row("exp", "1"))),
        ("a body in the body's place", at("", row("body", "{}"))),
        ("a key in capitals", at("/body", row("Name", "1"))),
        ("a key that is a value", at("/body", row("山田太郎", "1"))),
        ("an empty key", at("/body", row("", "1"))),
        ("a long key", at("/body", row(&"a".repeat(65), "1"))),
        ("an array element in the body", at("/body", disclosure(&format!(r#"["{salt}",1]"#)))),
        ("a part of a plain claim", at("/sch", row("more", "1"))),
        ("two members of one name", at("/body", row("x", r#"{"a":1,"a":2}"#))),
        ("a number that is no integer", at("/body", row("x", "1.5"))),
        (
            "a pseudonym that is a name",
            Box::new({
                let text = disclosure(&format!(r#"["{salt}","sub","山田 太郎"]"#));
                move |pieces| {
                    let at = pieces.position("sub");
                    pieces.disclosures.remove(at);
                    pieces.disclose("", &text);
                }
            }),
        ),
        ("a consent without its pseudonym", Box::new(|pieces| drop(pieces.disclosures.remove(pieces.position("sub"))))),
        ("a case that is no UUID", at("", row("case", "\"1\""))),
        ("a source that is no message", at("", row("drv", r#"{"iss":"auditor:tokyo"}"#))),
    ];
    for (name, attack) in attacks {
        assert_eq!(forged(attack), Some(RefusalCode::BadDisclosure), "{name}");
    }
}

#[test]
fn a_row_is_disclosed_whole_or_not_at_all() {
    let salt = |byte: u8| base64url::encode([byte; 16]);
    let part = disclosure(&format!(r#"["{}","inner",1]"#, salt(1)));
    let element = disclosure(&format!(r#"["{}",1]"#, salt(2)));
    let nested = format!(r#"["{}","x",{{"_sd":["{}"]}}]"#, salt(3), sha256(part.as_bytes()));
    let listed = format!(r#"["{}","x",[{{"...":"{}"}}]]"#, salt(4), sha256(element.as_bytes()));
    for (row, inner) in [(disclosure(&nested), part), (disclosure(&listed), element)] {
        let with_part = |pieces: &mut Pieces| {
            pieces.disclose("/body", &row);
            pieces.disclosures.push(inner.clone());
        };
        assert_eq!(forged(with_part), Some(RefusalCode::BadDisclosure));
        // The same digest without its disclosure is a decoy, and decoys are accepted anywhere.
        assert_eq!(forged(|pieces| pieces.disclose("/body", &row)), None);
    }
}

#[test]
fn decoys_are_accepted_anywhere_and_leave_no_trace() {
    let mut pieces = Pieces::new();
    for pointer in ["", "/body", "/sch", "/agr", "/cnf", "/cnf/jwk"] {
        pieces.list(pointer, &format!("decoy {pointer}"));
    }
    pieces.payload["pur"].as_array_mut().unwrap().push(json!({"...": sha256(b"decoy")}));
    let message = submit(&pieces.sign(&SENDER)).unwrap();
    assert_eq!(message.claims(), &claims());
    assert_eq!(message.disclose().unwrap().hidden, hidden());
    assert_eq!(message.body_digest_count(), 5);
}

#[test]
fn the_limits_are_met_and_not_passed() {
    let row =
        |n: usize, value: &str| disclosure(&format!(r#"["{}","row_{n}",{value}]"#, base64url::encode(format!("salt of the row {n:03}"))));
    let filled = |total: usize| {
        forged(|pieces| {
            pieces.payload["body"]["_sd"] = json!([]);
            pieces
                .disclosures
                .retain(|text| Disclosure::read(text).unwrap().name().is_some_and(|name| ["sub", "con", "thr"].contains(&name)));
            for n in 0..total - 3 {
                pieces.disclose("/body", &row(n, "1"));
            }
        })
    };
    assert_eq!(filled(256), None);
    assert_eq!(filled(257), Some(RefusalCode::LimitExceeded));
    let long = |chars: usize| row(0, &format!("[\"{}\",\"{}\"]", "x".repeat(chars), "y".repeat(chars)));
    let longest = (5000..8000).rev().find(|chars| long(*chars).len() <= 16384).unwrap();
    assert_eq!(forged(|pieces| pieces.disclose("/body", &long(longest))), None);
    assert_eq!(forged(|pieces| pieces.disclose("/body", &long(longest + 2))), Some(RefusalCode::LimitExceeded));
    assert_eq!(forged(|pieces| pieces.disclose("/body", &row(0, &format!("\"{}\"", "x".repeat(8193))))), Some(RefusalCode::LimitExceeded));
    let deep = format!("{}{}", "[".repeat(16), "]".repeat(16));
    assert_eq!(forged(|pieces| pieces.disclose("/body", &row(0, &deep))), Some(RefusalCode::LimitExceeded));
    let long = format!("{{\"x\":\"{}\"}}", " ".repeat(128 * 1024));
    let text = format!("{}~", token(&SENDER, &header(SENDER.public()).to_string(), &long));
    assert_eq!(refused(&text), Some(RefusalCode::LimitExceeded));
}

// Releases.

fn binding() -> KbClaims {
    KbClaims {
        iat: NOW,
        aud: "municipality:131016-1".parse().unwrap(),
        nonce: "abcdefghijklmnopqrstuv".parse().unwrap(),
        jti: "7d8f0b1c-8c1e-4b7a-9d52-6f3a1b2c4d5e".parse().unwrap(),
        tsn: Grounds {
            origin: "gateway.example/ledger".into(),
            idx: 17,
            agr: claims().agr,
            pol: sha256(b"policy"),
            terms: vec!["目的外利用の禁止".into()],
            on_behalf_of: None,
            con: None,
        },
    }
}

fn released(keep: impl Fn(&Row) -> bool, consent_detail: bool) -> String {
    let message = submit(&draft().sign(&SENDER).unwrap()).unwrap();
    let disclosed = message.disclose().unwrap();
    bind(&message.present_rows(&disclosed, keep, consent_detail), &BINDER, &binding()).unwrap()
}

fn receive(text: &str) -> Result<Verified<Release>, RefusalCode> {
    let binding = binding();
    let asked = Asked { aud: &binding.aud, nonce: &binding.nonce };
    let issuer = |iss: &_, kid: &_| (*iss == claims().iss && *kid == SENDER.public().thumbprint()).then(|| SENDER.public().clone());
    verify_release(text.as_bytes(), issuer, &[BINDER.public().clone()], &asked).map_err(|refusal| refusal.code)
}

#[test]
fn a_reader_verifies_what_it_was_shown_and_sees_nothing_else() {
    let text = released(|row| row.key.as_str() != "family_name", false);
    let release = receive(&text).unwrap();
    assert_eq!(release.claims, claims());
    assert_eq!(release.binding, binding());
    let names: Vec<&str> = release.disclosed.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(names.len(), 3);
    assert!(!names.contains(&"family_name"));
    assert_eq!(release.disclosed.hidden, tsunagi::message::disclosed::Hidden::default(), "hidden claims go to nobody");
    let shown = sd_jwt::split(&text).unwrap();
    assert_eq!(release.sd_hash, sha256(sd_jwt::join(shown.jwt, shown.disclosures).as_bytes()));

    let detail = receive(&released(|_| false, true)).unwrap();
    assert_eq!((detail.disclosed.hidden.con.clone(), detail.disclosed.hidden.thr.clone()), (hidden().con, None));
    assert!(detail.disclosed.rows.is_empty());
}

#[test]
fn a_key_that_is_not_named_in_the_message_does_not_bind() {
    let message = submit(&draft().sign(&SENDER).unwrap()).unwrap();
    let other = SigningKey::generate().unwrap();
    assert!(bind(&message.present(|_| true), &other, &binding()).is_err());
    assert_eq!(message.present(|_| true).holder(), BINDER.public().thumbprint());
}

#[test]
fn a_forged_release_is_refused() {
    let text = released(|row| row.key.as_str() == "birth_date", false);
    let full = released(|_| true, true);
    let (shown, all) = (sd_jwt::split(&text).unwrap(), sd_jwt::split(&full).unwrap());
    let kb = shown.key_binding.unwrap();
    let put = |jwt: &str, disclosures: &[&str], kb: &str| format!("{}{kb}", sd_jwt::join(jwt, disclosures.iter().copied()));
    let payload = |token: &str| -> Value { serde_json::from_slice(&base64url::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap() };
    let kb_header = json!({"alg": "ES256", "kid": BINDER.public().thumbprint(), "typ": "kb+jwt"});
    let rebound = |name: &str, value: Value| {
        let mut claims = payload(kb);
        claims[name] = value;
        put(shown.jwt, &shown.disclosures, &token(&BINDER, &kb_header.to_string(), &claims.to_string()))
    };
    let other = SigningKey::generate().unwrap();
    let typ = json!({"alg": "ES256", "kid": BINDER.public().thumbprint(), "typ": "JWT"});
    let (token_, mismatch, disclosure) = (RefusalCode::BadToken, RefusalCode::BindingMismatch, RefusalCode::BadDisclosure);
    assert!(receive(&text).is_ok());
    for (name, text, code) in [
        ("no key binding", sd_jwt::join(shown.jwt, shown.disclosures.iter().copied()), token_),
        ("a disclosure taken away", put(shown.jwt, &[], kb), mismatch),
        ("a disclosure of another copy added", put(shown.jwt, &[shown.disclosures[0], all.disclosures[0]], kb), mismatch),
        ("a key binding of another release", put(all.jwt, &all.disclosures, kb), mismatch),
        (
            "another key's binding",
            put(shown.jwt, &shown.disclosures, &token(&other, &kb_header.to_string(), &payload(kb).to_string())),
            token_,
        ),
        ("another type", put(shown.jwt, &shown.disclosures, &token(&BINDER, &typ.to_string(), &payload(kb).to_string())), token_),
        ("for another reader", rebound("aud", json!("municipality:131016-2")), mismatch),
        ("for another challenge", rebound("nonce", json!("zzzzzzzzzzzzzzzzzzzzzz")), mismatch),
        ("another hash", rebound("sd_hash", json!(sha256(b"other"))), mismatch),
        ("a claim more", rebound("exp", json!(1)), token_),
        ("grounds without a policy", rebound("tsn", json!({"origin": "x", "idx": 1})), token_),
        ("an empty disclosure", format!("{}~{kb}", sd_jwt::join(shown.jwt, shown.disclosures.iter().copied())), disclosure),
    ] {
        assert_eq!(receive(&text).err(), Some(code), "{name}");
    }
    // The sender's key is unknown, or the message is bound to a gateway the reader does not know.
    let asked_binding = binding();
    let asked = Asked { aud: &asked_binding.aud, nonce: &asked_binding.nonce };
    let pinned = [BINDER.public().clone()];
    assert_eq!(verify_release(text.as_bytes(), |_, _| None, &pinned, &asked).unwrap_err().code, RefusalCode::KeyNotAllowed);
    let issuer = |_: &_, _: &_| Some(SENDER.public().clone());
    assert_eq!(verify_release(text.as_bytes(), issuer, &[other.public().clone()], &asked).unwrap_err().code, mismatch);
    assert_eq!(verify_release(text.as_bytes(), issuer, &[], &asked).unwrap_err().code, mismatch);
}

#[test]
fn a_disclosure_added_again_to_a_bound_release_is_refused() {
    let message = submit(&draft().sign(&SENDER).unwrap()).unwrap();
    let everything = message.to_sd_jwt();
    let bound = bind(&message.present(|_| false), &BINDER, &binding()).unwrap();
    let (all, none) = (sd_jwt::split(&everything).unwrap(), sd_jwt::split(&bound).unwrap());
    for withheld in all.disclosures {
        let text = format!("{}{}", sd_jwt::join(none.jwt, [withheld]), none.key_binding.unwrap());
        assert_eq!(receive(&text).err(), Some(RefusalCode::BindingMismatch));
    }
}
