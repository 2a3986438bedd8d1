//! The published examples fit together: under the example agreement and the example consent, the example referral may be sent whole, and
//! the benefit desk of the same municipality sees a narrower view of it.

use serde_json::Value;
use tsunagi::{
    domain::{
        agreement::{Agreement, AgreementAct, AgreementRecord, Exchange, SignedAct},
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{Consent, ConsentHistory},
        field::FieldClass,
        free_text::holds_my_number,
        party::PartyId,
        time::Timestamp,
    },
    message::schema::{Row, SchemaSet},
    policy::{Key, PolicySet},
};

fn example(kind: &str) -> Value {
    let path = format!("{}/schemas/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn agreement() -> AgreementRecord {
    let agreement: Agreement = serde_json::from_value(example("agreement")).unwrap();
    let acts = agreement.parties.iter().map(|party| SignedAct { party: party.clone(), act: AgreementAct::Accept }).collect();
    AgreementRecord { agreement, acts, leaving: Vec::new(), successor: None }
}

fn consent() -> Consent {
    let claims = example("consent");
    let time = |claim: &str| Timestamp::from_secs(claims[claim].as_i64().unwrap());
    let read = |claim: &str| claims[claim].clone();
    Consent {
        jti: serde_json::from_value(read("jti")).unwrap(),
        collector: serde_json::from_value(read("iss")).unwrap(),
        not_before: time("nbf"),
        expires: time("exp"),
        items: serde_json::from_value(read("items")).unwrap(),
        refused: serde_json::from_value(read("refused")).unwrap(),
    }
}

/// Whether the municipality may see a class of the example referral for a purpose.
fn shown(policies: &PolicySet, purpose: Purpose, class: FieldClass) -> bool {
    let (agreement, consent) = (agreement(), consent());
    let now = consent.not_before.plus_secs(86_400);
    let sender: PartyId = "settlement_center:13-1".parse().unwrap();
    let recipient: PartyId = "municipality:131016-1".parse().unwrap();
    let basis = LegalBasis::Consent69_2_1;
    let exchange = Exchange { sender: &sender, recipient: &recipient, kind: MessageKind::Referral, basis };
    let key = Key {
        reader: recipient.kind(),
        sender: sender.kind(),
        class,
        purpose,
        kind: MessageKind::Referral,
        relation: Relation::Assigned,
        basis: policies.basis_group(basis),
        agreement: agreement.state(&exchange, purpose, class, now),
        consent: consent.state(&ConsentHistory::default(), &recipient, purpose, class, now),
        named: consent.names(&recipient),
    };
    policies.decide(&key).allow
}

#[test]
fn the_example_referral_may_be_sent_whole_under_the_example_consent_and_agreement() {
    let (policies, schemas) = (PolicySet::builtin().unwrap(), SchemaSet::builtin().unwrap());
    let rows: &[Row] = schemas.messages().next().unwrap().rows();
    for row in rows {
        assert!(shown(&policies, Purpose::PlacementCoordination, row.class), "{} ({})", row.key, row.class);
    }
    let narrow: Vec<&str> =
        rows.iter().filter(|row| shown(&policies, Purpose::BenefitDecision, row.class)).map(|row| row.key.as_str()).collect();
    assert!(narrow.len() < rows.len() && narrow.contains(&"support_category"));
    for withheld in ["offence_name", "custody_facility_name", "subject_category", "trigger_situations", "family_members", "free_note"] {
        assert!(!narrow.contains(&withheld), "{withheld}");
    }
    assert!(rows.iter().all(|row| !shown(&policies, Purpose::ServiceProvision, row.class)), "a purpose outside the agreement");
}

#[test]
fn no_example_holds_anything_that_reads_as_a_my_number() {
    fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
            Value::Object(members) => members.values().for_each(|value| texts(value, found)),
            _ => {}
        }
    }
    for kind in MessageKind::ALL.iter().map(|kind| kind.as_str()).chain(["catalogue", "consent", "agreement"]) {
        let example = example(kind);
        let mut found = Vec::new();
        texts(&example, &mut found);
        assert!(!found.is_empty());
        assert_eq!(found.into_iter().filter(|text| holds_my_number(text)).collect::<Vec<_>>(), Vec::<&str>::new(), "{kind}");
    }
}
