//! Properties: no bytes make a parser panic, no changed byte passes, what is withheld cannot be found.

use std::{collections::HashSet, sync::LazyLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tsunagi::{
    domain::{field::FieldKey, refusal::RefusalCode},
    message::{
        base64url,
        compose::{Draft, Padding},
        envelope::{EnvelopeError, Opener, seal},
        json as strict,
        jws::Unverified,
        keys::{KeyUse, OpeningKey, PublicKey, SigningKey},
        objects::{
            Acknowledgement, Actor, AgreementSignature, ConsentEnd, ConsentGiven, KeyStatement, PartyStatement, Receipt, Signed,
            SignedObject,
        },
        profile::MESSAGE_TYP,
        release::UnverifiedRelease,
        sd_jwt::{self, Disclosure, SdJwtError},
        sha256,
        submission::{Message, Submission},
    },
};

use super::{
    message_fixture::{Pieces, SENDER, claims, draft, hidden},
    message_objects::good,
};

static OPENING: LazyLock<(OpeningKey, Opener)> = LazyLock::new(|| {
    let key = OpeningKey::generate().unwrap();
    let opener = Opener::new(&key).unwrap();
    (key, opener)
});
static SIGNED: LazyLock<String> = LazyLock::new(|| draft().sign(&SENDER).unwrap());

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        "[ -~あ-ん一-龠]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..6).prop_map(|list| Value::Object(list.into_iter().collect())),
        ]
    })
}

/// Bytes that look like something: raw, in base64url parts, JSON in parts, or a good message with a piece replaced.
fn any_token() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "[A-Za-z0-9_-]{0,40}".prop_map(String::from),
        any_json().prop_map(|value| base64url::encode(value.to_string())),
        prop::collection::vec(any::<u8>(), 0..48).prop_map(base64url::encode),
        Just(SIGNED.split('.').next().unwrap().to_owned()),
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(part.clone(), 0..7).prop_map(|parts| parts.join(".").into_bytes()),
        (prop::collection::vec(part.clone(), 3), prop::collection::vec(part, 0..4)).prop_map(|(jwt, rest)| format!(
            "{}~{}~",
            jwt.join("."),
            rest.join("~")
        )
        .into_bytes()),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..8)).prop_map(
            |(from, to, put)| {
                let mut bytes = SIGNED.as_bytes().to_vec();
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.splice(from.min(to)..from.max(to), put);
                bytes
            }
        ),
    ]
}

fn pieces(bytes: &[u8]) -> HashSet<&[u8]> {
    bytes.split(|byte| *byte == b'~').collect()
}

fn read_object<T: SignedObject>(bytes: &[u8]) {
    if let Ok(signed) = Signed::<T>::read(bytes) {
        assert!(signed.verify(SENDER.public()).is_err(), "no generated token has a signature");
    }
}

/// Whatever an object's reader takes, its writer gives back with the same meaning.
fn write_object<T: SignedObject + PartialEq + std::fmt::Debug>(value: &Value) {
    if let Ok(object) = T::from_claims(value) {
        assert_eq!(T::from_claims(&object.to_claims().unwrap()).as_ref(), Ok(&object));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in any_token()) {
        let judged = Submission::read(&bytes).and_then(|read| read.verify(SENDER.public())?.disclose().map(drop));
        prop_assert!(judged.is_err() || pieces(&bytes).is_subset(&pieces(SIGNED.as_bytes())), "only what was signed passes");
        prop_assert!(UnverifiedRelease::read(&bytes).is_err());
        prop_assert!(OPENING.1.open(&bytes, MESSAGE_TYP).is_err());
        prop_assert!(SigningKey::from_jwk(&bytes).is_err() && OpeningKey::from_jwk(&bytes).is_err());
        prop_assert!(PublicKey::from_jwk_bytes(&bytes, KeyUse::Enc).is_err());
        if let Ok(read) = Unverified::read(&bytes, MESSAGE_TYP) {
            prop_assert!(read.verify(SENDER.public()).is_err());
        }
        // A message from the store that rotted there: still no panic.
        if let Ok(message) = Message::reopen(&bytes) {
            let _ = message.disclose();
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Disclosure::read(text);
        }
        read_object::<Actor>(&bytes);
        read_object::<ConsentGiven>(&bytes);
        read_object::<ConsentEnd>(&bytes);
        read_object::<AgreementSignature>(&bytes);
        read_object::<KeyStatement>(&bytes);
        read_object::<PartyStatement>(&bytes);
        read_object::<Acknowledgement>(&bytes);
        read_object::<Receipt>(&bytes);
    }

    #[test]
    fn the_strict_reader_takes_what_it_wrote_and_never_panics(value in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let canonical = strict::canonical(&value).unwrap();
        prop_assert_eq!(strict::parse(&canonical), Ok(value));
        if let Ok(read) = strict::parse(&bytes) {
            let canonical = strict::canonical(&read).unwrap();
            prop_assert_eq!(strict::parse(&canonical), Ok(read));
        }
    }

    #[test]
    fn the_strict_reader_agrees_with_serde_json_about_everything_it_takes(text in r#"[\[\]{}",:0-9eE.+\-tfn\\u a-d]{0,24}"#) {
        if let Ok(value) = strict::parse(text.as_bytes()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn claims_with_one_member_replaced_never_panic_and_keep_their_meaning(at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), value in any_json()) {
        let objects = good();
        let mut object = at.get(&objects).1.clone();
        let names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        object[which.get(&names).as_str()] = value;
        write_object::<Actor>(&object);
        write_object::<ConsentGiven>(&object);
        write_object::<ConsentEnd>(&object);
        write_object::<AgreementSignature>(&object);
        write_object::<KeyStatement>(&object);
        write_object::<PartyStatement>(&object);
        write_object::<Acknowledgement>(&object);
        write_object::<Receipt>(&object);
    }

    #[test]
    fn any_changed_byte_of_a_signed_message_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = SIGNED.as_bytes().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let judged = Submission::read(&bytes).and_then(|read| read.verify(SENDER.public())?.disclose().map(drop));
        prop_assert!(matches!(judged.map_err(|refusal| refusal.code), Err(RefusalCode::BadToken | RefusalCode::BadDisclosure)));
    }

    #[test]
    fn any_changed_byte_of_an_envelope_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = seal(OPENING.0.public(), MESSAGE_TYP, b"content").unwrap().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let error = OPENING.1.open(&bytes, MESSAGE_TYP).unwrap_err();
        prop_assert!(matches!(error, EnvelopeError::BadEnvelope | EnvelopeError::DecryptFailed));
    }

    #[test]
    fn a_disclosure_added_again_swapped_or_invented_is_refused(one in any::<prop::sample::Index>(), two in any::<prop::sample::Index>(), value in any_json()) {
        let pieces = Pieces::new();
        let (one, two) = (one.index(pieces.disclosures.len()), two.index(pieces.disclosures.len()));
        let sent = |change: &dyn Fn(&mut Vec<String>)| {
            let mut disclosures = pieces.disclosures.clone();
            change(&mut disclosures);
            let text = Pieces { disclosures, header: pieces.header.clone(), payload: pieces.payload.clone() }.sign(&SENDER);
            let message = Submission::read(text.as_bytes()).unwrap().verify(SENDER.public()).unwrap();
            message.disclose().map(drop).map_err(|refusal| refusal.code)
        };
        let invented = Disclosure::make(Disclosure::read(&pieces.disclosures[one]).unwrap().name(), &value).unwrap();
        prop_assert_eq!(sent(&|_| {}), Ok(()));
        prop_assert_eq!(sent(&|list| list.swap(one, two)), Ok(()), "their order means nothing");
        prop_assert_eq!(sent(&|list| list.push(list[one].clone())), Err(RefusalCode::BadDisclosure));
        prop_assert_eq!(sent(&|list| list[one] = invented.text().to_owned()), Err(RefusalCode::BadDisclosure));
        prop_assert_eq!(sent(&|list| list.push(invented.text().to_owned())), Err(RefusalCode::BadDisclosure));
        if one != two {
            prop_assert_eq!(sent(&|list| list[one] = list[two].clone()), Err(RefusalCode::BadDisclosure));
        }
    }

    #[test]
    fn what_was_concealed_comes_back_and_what_is_withheld_does_not(value in any_json(), mask in any::<u64>()) {
        let original = json!({"top": value});
        let hide = |path: &[String]| path.iter().flat_map(|step| step.bytes()).fold(mask, |hash, byte| hash.rotate_left(7) ^ u64::from(byte)) % 3 == 0;
        let (mut payload, mut made) = (original.clone(), Vec::new());
        if let Err(error) = sd_jwt::conceal(&mut payload, &hide, &mut made) {
            prop_assert_eq!(error, SdJwtError::Reserved);
            prop_assert!(original.to_string().contains("\"_sd"));
            return Ok(());
        }
        prop_assert_eq!(sd_jwt::process(&payload, made).unwrap().claims, original);
        sd_jwt::process(&payload, Vec::new()).unwrap();
    }

    #[test]
    fn a_withheld_value_cannot_be_found_and_withholding_is_stable(shown in prop::collection::vec(any::<bool>(), 1..24), padded in any::<bool>()) {
        let secret = |n: usize| format!("秘密{n}-{}", base64url::encode(sha256(&n.to_be_bytes()).as_bytes()));
        let body: Vec<(FieldKey, Value)> = (0..shown.len()).map(|n| (format!("row_{n}").parse().unwrap(), json!(secret(n)))).collect();
        let padding = if padded { Padding::Ladder } else { Padding::None };
        let text = Draft { claims: claims(), hidden: hidden(), body, padding }.sign(&SENDER).unwrap();
        let message = Submission::read(text.as_bytes()).unwrap().verify(SENDER.public()).unwrap();
        let disclosed = message.disclose().unwrap();
        let keep = |row: &tsunagi::message::disclosed::Row| shown[row.key.as_str()[4..].parse::<usize>().unwrap()];
        let one = message.present_rows(&disclosed, keep, false);
        let two = Message::reopen(text.as_bytes()).unwrap().present_rows(&disclosed, keep, false);
        prop_assert_eq!(one.sd_jwt(), two.sd_jwt());
        prop_assert_eq!(one.sd_hash(), two.sd_hash());

        // Everything the presentation says, in the clear.
        let parts = sd_jwt::split(one.sd_jwt()).unwrap();
        let mut clear: String = parts.jwt.split('.').take(2).map(|part| String::from_utf8(base64url::decode(part).unwrap()).unwrap()).collect();
        let texts: Vec<String> = parts.disclosures.iter().map(|text| String::from_utf8(base64url::decode(text).unwrap()).unwrap()).collect();
        clear.extend(texts);
        for (n, shown) in shown.iter().enumerate() {
            prop_assert_eq!(clear.contains(&secret(n)), *shown);
            prop_assert_eq!(clear.contains(&format!("\"row_{n}\"")), *shown);
        }
        prop_assert!(!clear.contains("thread-1") && !clear.contains("p-5f0c2f6a"));
        // And nothing of what stays can be matched by guessing: no digest of an unsalted or known-salt disclosure stands in it.
        let digests: HashSet<&str> = parts.jwt.split('.').collect();
        for row in &disclosed.rows {
            let guess = base64url::encode(json!(["", row.key.as_str(), row.value]).to_string());
            prop_assert!(!digests.contains(sha256(guess.as_bytes()).to_string().as_str()));
            prop_assert!(!clear.contains(&sha256(guess.as_bytes()).to_string()));
        }
    }
}

#[test]
fn salts_never_repeat_between_messages() {
    let mut salts = HashSet::new();
    for _ in 0..50 {
        for text in sd_jwt::split(&draft().sign(&SENDER).unwrap()).unwrap().disclosures {
            assert!(salts.insert(Disclosure::read(text).unwrap().salt().to_owned()));
        }
    }
}

#[test]
fn the_same_row_has_another_digest_in_every_message() {
    let digests = || -> HashSet<String> {
        let pieces = Pieces::new();
        pieces.payload["body"]["_sd"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap().to_owned()).collect()
    };
    assert!(digests().is_disjoint(&digests()));
    let empty: Map<String, Value> = Map::new();
    assert_eq!(sd_jwt::process(&Value::Object(empty.clone()), Vec::new()).unwrap().claims, Value::Object(empty));
}
