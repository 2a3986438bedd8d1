//! The agreement of the whole work of a case: every kind between all who take part, as far as the policies let it pass.
//!
//! Promises: a flow names the classes that its forms can hold and the purposes that the two units work for, and nothing beyond.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parties::{TERMS, Unit};
use crate::{
    domain::{
        agreement::Delegation,
        codes::{MessageKind, Purpose},
        field::FieldClass,
        party::{PartyId, PartyKind},
        time::Timestamp,
    },
    message::schema::{MessageSchema, SchemaSet},
    policy::{Deed, PolicySet},
};

/// Its number.
pub(super) const ID: &str = "AG-13-0010";

/// The document, between these units.
pub(super) fn agreement(units: &[(PartyId, &Unit)], from: Timestamp, schemas: &SchemaSet, policies: &PolicySet) -> Value {
    let until = from.plus_secs(365 * 86_400);
    let parties: Vec<&PartyId> = units.iter().map(|(party, _)| party).collect();
    let kinds: BTreeSet<PartyKind> = parties.iter().map(|party| party.kind()).collect();
    let flows: Vec<Value> = kinds
        .iter()
        .flat_map(|from| kinds.iter().map(move |to| (*from, *to)))
        .filter_map(|(from, to)| {
            let passes = |kind: &MessageKind| policies.may(from, Deed::Submit { kind: *kind, recipient: to }).allow;
            let passing: Vec<MessageKind> = schemas.messages().map(MessageSchema::kind).filter(passes).collect();
            let classes = classes(schemas, &passing);
            let purposes = purposes(units, from, to);
            (!passing.is_empty()).then(|| {
                json!({
                    "from": from, "to": to, "kinds": passing, "purposes": purposes, "classes": classes,
                    "bases": ["within_purpose", "consent_69_2_1", "consent_27"],
                })
            })
        })
        .collect();
    let versions: Vec<String> =
        schemas.messages().map(|form| format!("{}/{}", form.kind(), form.published().ver)).collect::<BTreeSet<_>>().into_iter().collect();
    json!({
        "id": ID,
        "ver": 1,
        "title": "地域生活定着支援の全過程における個人情報の取扱いに関する協定（試験）",
        "parties": parties,
        "acceding": [],
        "flows": flows,
        "schema_versions": versions,
        "purpose_of_use_entry": "個人情報ファイル簿（試験）：障害福祉サービスの利用調整、計画相談、サービス提供、後方支援および支給決定に関する事務",
        "terms": TERMS,
        "from": from,
        "until": until,
        "retention_months": 60,
        "delegations": delegations(&parties, until),
    })
}

/// A core centre acts for the municipality of its own code.
fn delegations(parties: &[&PartyId], until: Timestamp) -> Vec<Value> {
    let of = |kind| parties.iter().filter(move |party| party.kind() == kind);
    of(PartyKind::Municipality)
        .flat_map(|from| of(PartyKind::CoreCenter).filter(|to| to.code() == from.code()).map(move |to| (from, to)))
        .map(|(from, to)| {
            let qualification = format!("{}を配置する基幹相談支援センター", Delegation::QUALIFICATION);
            json!({"from": from, "to": to, "qualification": qualification, "until": until})
        })
        .collect()
}

/// What the forms of these kinds can hold, and the scope of the consent that they rest on.
fn classes(schemas: &SchemaSet, kinds: &[MessageKind]) -> BTreeSet<FieldClass> {
    let forms = schemas.messages().filter(|form| kinds.contains(&form.kind()));
    let held = forms.flat_map(|form| form.rows().iter().map(|row| row.class));
    held.chain([FieldClass::ConsentDetail]).filter(|class| !class.consent_may_not_name()).collect()
}

/// What both sides work for: each acts for a purpose of its own.
fn purposes(units: &[(PartyId, &Unit)], from: PartyKind, to: PartyKind) -> BTreeSet<Purpose> {
    let of_both = units.iter().filter(|(party, _)| [from, to].contains(&party.kind()));
    of_both.flat_map(|(_, unit)| unit.purposes().iter().copied()).collect()
}
