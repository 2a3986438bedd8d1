//! Reading, choosing and judging what a message says.

use std::{collections::HashSet, hint::black_box, sync::Arc};

use serde_json::Value;
use tsunagi::{
    domain::{
        agreement::AgreementState, case::Relation, codes::BasisGroup, consent::ConsentState, field::FieldClass, party::PartyKind,
        time::Timestamp,
    },
    message::{
        base64url,
        compose::{Draft, Padding},
        disclosed::{ConsentRef, Hidden},
        keys::SigningKey,
        schema::{MessageSchema, SchemaSet},
        sd_jwt, sha256,
        submission::{AgreementRef, Claims, Message, SchemaRef},
    },
    policy::{Key, PolicySet},
};

use super::{ROWS, referral};
use crate::measure::Case;

pub(super) fn cases() -> Vec<Case<'static>> {
    let mut cases = disclosures();
    cases.extend(judging());
    cases
}

fn disclosures() -> Vec<Case<'static>> {
    let text = message();
    let (bytes, stored) = (text.clone(), Arc::new(Message::reopen(text.as_bytes()).unwrap()));
    let disclosed = stored.disclose().unwrap();
    let shown: HashSet<usize> = disclosed.rows.iter().step_by(2).map(|row| row.disclosure).collect();
    vec![
        Case::new("SD-JWT of 60 rows: split, hash, serde_json, nothing checked", move || {
            let parts = sd_jwt::split(&text).unwrap();
            let payload: Value = serde_json::from_slice(&base64url::decode(parts.jwt.split('.').nth(1).unwrap()).unwrap()).unwrap();
            assert!(payload.is_object());
            for disclosure in parts.disclosures {
                black_box(sha256(disclosure.as_bytes()));
                let row: Value = serde_json::from_slice(&base64url::decode(disclosure).unwrap()).unwrap();
                assert!(row.is_array());
            }
        }),
        Case::new("SD-JWT of 60 rows: message room, read", move || Message::reopen(bytes.as_bytes()).unwrap()),
        Case::new("SD-JWT of 60 rows: message room, disclose", {
            let stored = Arc::clone(&stored);
            move || {
                stored.disclose().unwrap();
            }
        }),
        Case::new("SD-JWT of 60 rows: message room, present 30", move || {
            stored.present_rows(&disclosed, |row| shown.contains(&row.disclosure), true)
        }),
    ]
}

fn judging() -> Vec<Case<'static>> {
    let (schemas, body) = (SchemaSet::builtin().unwrap(), Value::Object(referral(ROWS)));
    let policy = PolicySet::builtin().unwrap();
    let permitted = KEY;
    assert!(policy.decide(&permitted).allow, "the key is permitted, so it is remembered");
    let (cold, mut keys) = (PolicySet::builtin().unwrap(), unmet());
    vec![
        Case::new("schema of 60 rows: message room", move || {
            let schema: &MessageSchema = schemas.messages().next().unwrap();
            assert!(schema.check(&body).is_empty());
        }),
        Case::new("policy decision: remembered", move || assert!(policy.decide(&permitted).allow)),
        Case::new("policy decision: decided anew by Cedar", move || cold.decide(&keys.next().unwrap())),
    ]
}

/// Keys in an order in which each comes again only long after it was forgotten.
fn unmet() -> impl Iterator<Item = Key> {
    let readers = PartyKind::ALL.iter().flat_map(|reader| PartyKind::ALL.iter().map(move |sender| (*reader, *sender)));
    let classes =
        readers.flat_map(|(reader, sender)| FieldClass::ALL.iter().map(move |class| Key { reader, sender, class: *class, ..KEY }));
    let consents = |key: Key| ConsentState::ALL.iter().map(move |consent| Key { consent: *consent, ..key });
    classes.flat_map(consents).collect::<Vec<_>>().into_iter().cycle()
}

const KEY: Key = Key {
    reader: PartyKind::Municipality,
    sender: PartyKind::SettlementCenter,
    class: FieldClass::Routing,
    purpose: tsunagi::domain::codes::Purpose::PlacementCoordination,
    kind: tsunagi::domain::codes::MessageKind::Referral,
    relation: Relation::Assigned,
    basis: BasisGroup::Consent,
    agreement: AgreementState::Covers,
    consent: ConsentState::Covers,
    named: true,
};

/// A referral of 60 rows as its sender signed it.
fn message() -> String {
    let claims = Claims {
        iss: "settlement_center:13-1".parse().unwrap(),
        aud: "municipality:131016-1".parse().unwrap(),
        jti: "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap(),
        iat: Timestamp::from_secs(1_790_812_800),
        kind: "referral".parse().unwrap(),
        sch: SchemaRef { id: "urn:tsunagi:schema:referral".to_owned(), ver: "1.0.0".to_owned(), sha256: sha256(b"schema") },
        agr: AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: sha256(b"agreement") },
        pur: vec!["placement_coordination".parse().unwrap()],
        bas: "consent_69_2_1".parse().unwrap(),
        bref: None,
        cnf: SigningKey::generate().unwrap().public().clone(),
    };
    let consent = ConsentRef { jti: "3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21".parse().unwrap(), sha256: sha256(b"consent") };
    let hidden = Hidden { sub: Some("p-5f0c2f6a".parse().unwrap()), con: Some(consent), ..Hidden::default() };
    let body = referral(ROWS).into_iter().map(|(name, value)| (name.parse().unwrap(), value)).collect();
    Draft { claims, hidden, body, padding: Padding::None }.sign(&SigningKey::generate().unwrap()).unwrap()
}
