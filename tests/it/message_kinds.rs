//! Every kind of message: who sends it to whom, by a table written by hand from `domain.md` section 4; what its form demands; and that what it demands
//! may be shown to those it goes to.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{BasisGroup, MessageKind, Purpose},
        consent::ConsentState,
        field::FieldClass,
        life::Outcome,
        party::PartyKind,
        refusal::Violation,
        time::Timestamp,
    },
    message::schema::{Ident, MessageSchema, SchemaSet},
    policy::{CodeList, Deed, Key, PolicySet},
    text::Lang,
};

use MessageKind as M;
use PartyKind as P;

/// Kinds of parties that a line of the table speaks of together.
type Group = &'static [PartyKind];

const CENTRE: Group = &[P::SettlementCenter];
const TOWN: Group = &[P::Municipality];
const CORE: Group = &[P::CoreCenter];
const DESKS: Group = &[P::Municipality, P::CoreCenter];
const PUBLIC: Group = &[P::Municipality, P::CoreCenter, P::Prefecture];
const WHO_REFERS: Group = &[P::SettlementCenter, P::ProbationOffice, P::BarAssociation, P::Municipality, P::CoreCenter];
const DIRECT: Group = &[P::ProbationOffice, P::BarAssociation];
const OFFICE: Group = &[P::ConsultationOffice];
const SERVICES: Group = &[P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService];
const PROVIDERS: Group = &[P::ConsultationOffice, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService];
const WITH_REHAB: Group = &[P::ConsultationOffice, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService, P::RehabFacility];
const PARTIES: Group = &[
    P::SettlementCenter,
    P::ProbationOffice,
    P::BarAssociation,
    P::Municipality,
    P::CoreCenter,
    P::Prefecture,
    P::ConsultationOffice,
    P::GroupHome,
    P::SupportFacility,
    P::LodgingTraining,
    P::DayService,
    P::RehabFacility,
];
const AUTHORITIES: Group = &[P::SettlementCenter, P::ProbationOffice, P::BarAssociation, P::Municipality, P::CoreCenter, P::Prefecture];
const COORDINATORS: Group =
    &[P::SettlementCenter, P::ProbationOffice, P::Municipality, P::CoreCenter, P::Prefecture, P::ConsultationOffice];
const PLANNED_FOR: Group = &[P::Municipality, P::CoreCenter, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService];
const CERTIFIED: Group = &[P::Municipality, P::GroupHome, P::SupportFacility, P::LodgingTraining, P::DayService];
const VISITED: Group = &[
    P::SettlementCenter,
    P::Municipality,
    P::CoreCenter,
    P::ConsultationOffice,
    P::GroupHome,
    P::SupportFacility,
    P::LodgingTraining,
    P::DayService,
];

/// Who sends which kind to whom. Nobody whose name tells of criminal history sends anything to a provider, whatever stands here.
fn flows(kind: MessageKind) -> Vec<(Group, Group)> {
    match kind {
        M::Referral => vec![(WHO_REFERS, DESKS)],
        M::ReferralAck | M::ReferralDecision | M::ResourceInfo => vec![(DESKS, WHO_REFERS)],
        M::Supplement => vec![(WHO_REFERS, DESKS), (DESKS, WHO_REFERS)],
        M::Correction | M::StatusNotice | M::ErasureRequest | M::ErasureReport | M::IncidentNotice => vec![(PARTIES, PARTIES)],
        M::Enquiry | M::PlacementRequest | M::ServiceHandoff => vec![(DESKS, SERVICES)],
        M::EnquiryReply | M::PlacementDecision => vec![(SERVICES, DESKS)],
        M::PlanRequest => vec![(DESKS, OFFICE)],
        M::PlanNotice => vec![(OFFICE, PLANNED_FOR)],
        M::BenefitNotice => vec![(TOWN, PROVIDERS)],
        M::MeetingNotice | M::MeetingRecord => vec![(CORE, PARTIES)],
        M::HandoverProposal | M::HandoverAgreed | M::PeriodicConsultation => vec![(CENTRE, DESKS), (DESKS, CENTRE)],
        M::ConsultationRequest => vec![(WITH_REHAB, DESKS), (DESKS, CENTRE)],
        M::ConsultationReply => vec![(DESKS, WITH_REHAB), (CENTRE, DESKS)],
        M::MunicipalAdviceRequest => vec![(TOWN, CENTRE)],
        M::MunicipalAdviceReply => vec![(CENTRE, TOWN)],
        M::ThirdPartyReferral => vec![(DIRECT, DESKS)],
        M::CenterShare => vec![(DESKS, CENTRE)],
        M::CenterTransfer => vec![(CENTRE, CENTRE)],
        M::CoordinationCertificate | M::CertificateRevocation => {
            vec![(&[P::SettlementCenter, P::ProbationOffice], DESKS), (TOWN, CERTIFIED)]
        }
        M::ConsentEvent => vec![(WHO_REFERS, PARTIES)],
        M::ClosingNotice => vec![(TOWN, PARTIES)],
        M::ProviderConsultation => vec![(PROVIDERS, DESKS)],
        M::VisitRecord => vec![(DESKS, VISITED), (CENTRE, DESKS)],
        M::InterviewEvidence => vec![(OFFICE, DESKS)],
        M::TrainingNotice => vec![(PUBLIC, PARTIES), (CENTRE, AUTHORITIES)],
        M::CouncilNotice => vec![(PUBLIC, PARTIES)],
        M::ProviderNotice => vec![(PUBLIC, COORDINATORS), (PROVIDERS, DESKS)],
    }
}

/// Who begins something with which kind.
fn openers(kind: MessageKind) -> Group {
    match kind {
        M::Referral => WHO_REFERS,
        M::ThirdPartyReferral => DIRECT,
        M::ProviderConsultation => PROVIDERS,
        M::ResourceInfo => DESKS,
        M::PeriodicConsultation => &[P::SettlementCenter, P::Municipality, P::CoreCenter],
        M::TrainingNotice => &[P::SettlementCenter, P::Municipality, P::CoreCenter, P::Prefecture],
        M::CouncilNotice => PUBLIC,
        M::ProviderNotice => &[
            P::Municipality,
            P::CoreCenter,
            P::Prefecture,
            P::ConsultationOffice,
            P::GroupHome,
            P::SupportFacility,
            P::LodgingTraining,
            P::DayService,
        ],
        _ => &[],
    }
}

fn goes(kind: MessageKind, from: PartyKind, to: PartyKind) -> bool {
    let telling = from.reveals_criminal_history() && to.is_provider();
    !telling && flows(kind).iter().any(|(senders, recipients)| senders.contains(&from) && recipients.contains(&to))
}

fn example(kind: &str) -> Value {
    let path = format!("{}/schemas/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn of(schemas: &SchemaSet, kind: MessageKind) -> &MessageSchema {
    schemas.messages().find(|schema| schema.kind() == kind).unwrap()
}

fn sent() -> Timestamp {
    "2026-11-20T09:00:00+09:00".parse().unwrap()
}

fn said(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|v| (v.field.as_str(), v.rule.as_str())).collect()
}

#[test]
fn every_kind_goes_from_whom_to_whom_the_table_says_and_nowhere_else() {
    let policies = PolicySet::builtin().unwrap();
    for kind in M::ALL.iter().copied() {
        for from in P::ALL.iter().copied() {
            assert_eq!(policies.may(from, Deed::OpenCase(kind)).allow, openers(kind).contains(&from), "{from} opens with {kind}");
            for to in P::ALL.iter().copied() {
                let ruling = policies.may(from, Deed::Submit { kind, recipient: to });
                assert_eq!(ruling.allow, goes(kind, from, to), "{kind}: {from} to {to}: {ruling:?}");
            }
        }
    }
}

#[test]
fn who_opens_with_a_kind_may_send_it_to_somebody() {
    for kind in M::ALL.iter().copied() {
        for from in openers(kind) {
            assert!(P::ALL.iter().any(|to| goes(kind, *from, *to)), "{from}: {kind}");
        }
    }
}

/// Whether a class can be shown to a reader of a kind at all, whatever the purpose and the stage, under an agreement and a consent that cover it.
fn can_be_shown(policies: &PolicySet, kind: MessageKind, (sender, reader): (PartyKind, PartyKind), class: FieldClass) -> bool {
    Purpose::ALL.iter().copied().any(|purpose| {
        Relation::ALL.iter().copied().any(|relation| {
            let (basis, agreement, consent) = (BasisGroup::Consent, AgreementState::Covers, ConsentState::Covers);
            policies.decide(&Key { reader, sender, class, purpose, kind, relation, basis, agreement, consent, named: true }).allow
        })
    })
}

/// Who receives a kind and is shown nothing of what its form demands: the matrix of `domain.md` section 8 has no column for it.
fn shown_nothing(kind: MessageKind, to: PartyKind) -> bool {
    kind == M::ConsultationReply && to == P::RehabFacility
}

#[test]
fn what_a_form_demands_can_be_shown_to_everybody_it_goes_to() {
    let (policies, schemas) = (PolicySet::builtin().unwrap(), SchemaSet::builtin().unwrap());
    for schema in schemas.messages() {
        let kind = schema.kind();
        let demanded: BTreeSet<FieldClass> = schema.rows().iter().filter(|row| row.required).map(|row| row.class).collect();
        for (from, to) in
            P::ALL.iter().flat_map(|from| P::ALL.iter().map(move |to| (*from, *to))).filter(|(from, to)| goes(kind, *from, *to))
        {
            for class in &demanded {
                assert_eq!(can_be_shown(&policies, kind, (from, to), *class), !shown_nothing(kind, to), "{kind}: {class}: {from} to {to}");
            }
        }
        for row in schema.rows() {
            let readers: BTreeSet<PartyKind> =
                P::ALL.iter().copied().filter(|to| P::ALL.iter().any(|from| goes(kind, *from, *to))).collect();
            assert!(row.needed_by.iter().all(|reader| readers.contains(reader)), "{kind}: {}: needed by one who gets none", row.key);
            let from = |reader: PartyKind| P::ALL.iter().copied().find(|from| goes(kind, *from, reader)).unwrap();
            let needed = |reader: &PartyKind| can_be_shown(&policies, kind, (from(*reader), *reader), row.class);
            assert!(row.needed_by.iter().all(needed), "{kind}: {}: needed by one who may not see it", row.key);
        }
    }
}

/// What a form could carry (`domain.md` section 4 bounds it by the consent only) and the matrix of section 8 shows to nobody it goes to: the column of
/// the centre is the narrower of the two.
pub(crate) fn beyond_the_matrix(kind: MessageKind) -> &'static [FieldClass] {
    match kind {
        M::MunicipalAdviceRequest => &[FieldClass::Minimal],
        M::CenterTransfer => &[
            FieldClass::Minimal,
            FieldClass::Accommodation,
            FieldClass::MedicalObservation,
            FieldClass::VictimRelated,
            FieldClass::MedicalRestricted,
            FieldClass::AssessmentClinical,
            FieldClass::LifeHistory,
            FieldClass::Finance,
            FieldClass::Family,
            FieldClass::FreeText,
        ],
        _ => &[],
    }
}

#[test]
fn every_row_of_a_form_can_be_shown_to_somebody_it_goes_to_or_only_when_ticked() {
    let (policies, schemas) = (PolicySet::builtin().unwrap(), SchemaSet::builtin().unwrap());
    let ticked = |kind, sender, reader, class| {
        Purpose::ALL.iter().copied().any(|purpose| {
            Relation::ALL.iter().copied().any(|relation| {
                let (basis, agreement, consent) = (BasisGroup::Consent, AgreementState::Covers, ConsentState::CoversTicked);
                policies.decide(&Key { reader, sender, class, purpose, kind, relation, basis, agreement, consent, named: true }).allow
            })
        })
    };
    for schema in schemas.messages() {
        let kind = schema.kind();
        for class in schema.rows().iter().map(|row| row.class).collect::<BTreeSet<_>>() {
            let shown = P::ALL.iter().any(|from| P::ALL.iter().any(|to| goes(kind, *from, *to) && ticked(kind, *from, *to, class)));
            assert_eq!(shown, !beyond_the_matrix(kind).contains(&class), "{kind}: {class}");
        }
    }
}

#[test]
fn every_form_has_the_names_of_its_kind_and_an_example_that_keeps_every_rule() {
    let (policies, schemas) = (PolicySet::builtin().unwrap(), SchemaSet::builtin().unwrap());
    for schema in schemas.messages() {
        let kind = schema.kind().as_str();
        let file: Value = serde_json::from_slice(schemas.bytes(kind, "1.0.0").unwrap()).unwrap();
        let names = [Lang::Ja, Lang::En].map(|lang| Some(policies.label(CodeList::MessageKind, kind, lang)));
        assert_eq!([file["title"].as_str(), file["x-tsunagi-title-en"].as_str()], names);
        let found = schema.check_rules(&example(kind), sent());
        assert_eq!((found.violations, found.warnings), (Vec::new(), Vec::new()), "{kind}");
        assert!(schema.rows().iter().any(|row| row.required) || kind == "supplement", "{kind} demands nothing");
        assert!(!schema.check(&json!({})).is_empty(), "{kind}: an empty body says nothing");
    }
}

#[test]
fn a_kind_that_concerns_nobody_has_no_row_about_a_person() {
    let schemas = SchemaSet::builtin().unwrap();
    let nobody: Vec<_> = schemas.messages().filter(|schema| schema.kind().concerns_nobody()).collect();
    assert_eq!(nobody.len(), 5);
    for row in nobody.iter().flat_map(|schema| schema.rows()) {
        assert!(row.class.needs_no_consent_item() && !row.special && row.ident == Ident::Neither, "{}", row.key);
    }
    let personal = |schema: &MessageSchema| schema.rows().iter().any(|row| !row.class.needs_no_consent_item());
    for schema in schemas.messages().filter(|schema| !openers(schema.kind()).is_empty() && !schema.kind().concerns_nobody()) {
        assert!(personal(schema), "{}: opens a case about nobody", schema.kind());
    }
}

#[test]
fn a_decision_is_one_code_and_a_refusal_says_why() {
    let schemas = SchemaSet::builtin().unwrap();
    for (kind, row, codes, wants) in [
        (M::ReferralDecision, "decision", &["accepted", "declined", "redirected"][..], &[("declined", "decline_reason")][..]),
        (M::PlacementDecision, "decision", &["accepted", "declined"], &[("declined", "decline_reason")]),
        (
            M::EnquiryReply,
            "reply",
            &["possible", "impossible", "question"],
            &[("impossible", "decline_reason"), ("question", "question_topics")],
        ),
        (M::HandoverAgreed, "handover_reply", &["agreed", "declined"], &[("agreed", "handover_date")]),
        (M::StatusNotice, "status", &["started", "ended", "suspended", "resumed", "moved", "cancelled", "closing_proposed"], &[]),
    ] {
        let schema = of(&schemas, kind);
        let mut whole = example(kind.as_str());
        let known = schema.row(&row.parse().unwrap()).unwrap();
        assert!(known.required && matches!(known.class, FieldClass::Task | FieldClass::Placement), "{kind}");
        for code in codes {
            whole[row] = json!(code);
            assert_eq!(schema.check(&whole), [], "{kind}: {code}");
            let wanted = wants.iter().find(|(decided, _)| decided == code).map(|(_, wanted)| *wanted);
            if let Some(wanted) = wanted {
                let mut silent = whole.clone();
                silent.as_object_mut().unwrap().remove(wanted).unwrap();
                assert_eq!(said(&schema.check(&silent)), [(wanted, "required")], "{kind}: {code}");
            }
        }
        whole[row] = json!("perhaps");
        assert!(schema.check(&whole).iter().any(|violation| violation.field == row), "{kind}");
    }
    let mut placement = example("placement_decision");
    placement["decision"] = json!("redirected");
    assert_eq!(said(&of(&schemas, M::PlacementDecision).check(&placement)), [("decision", "enum")], "a placement goes nowhere else");
    let mut proposal = example("handover_proposal");
    proposal["division_of_roles"] = json!([]);
    assert_eq!(said(&of(&schemas, M::HandoverProposal).check(&proposal)), [("division_of_roles", "minItems")]);
}

#[test]
fn an_enquiry_tells_three_classes_and_not_too_much_of_them() {
    let schemas = SchemaSet::builtin().unwrap();
    let enquiry = of(&schemas, M::Enquiry);
    let personal: BTreeSet<FieldClass> = enquiry.rows().iter().map(|row| row.class).filter(|class| *class != FieldClass::Routing).collect();
    assert_eq!(personal, [FieldClass::Minimal, FieldClass::Accommodation, FieldClass::CareNeed].into());
    assert!(enquiry.rows().iter().all(|row| row.ident != Ident::Direct));
    let term = enquiry.anonymity().first().unwrap();
    assert_eq!((enquiry.anonymity().len(), term.quasi_values, term.verified), (1, 6, false));
    let told = |body: &Value| {
        said(&enquiry.check_rules(body, sent()).violations).into_iter().map(|(f, r)| format!("{f}: {r}")).collect::<Vec<_>>()
    };
    let mut body = example("enquiry");
    assert_eq!(told(&body), Vec::<String>::new(), "four values that it must tell, and two needs");
    body["medical_devices_care"] = json!(["suction"]);
    assert_eq!(enquiry.check(&body), []);
    assert_eq!(told(&body), ["body: too_many_quasi_identifiers:6"], "one more, in another row");
    body["medical_devices_care"] = json!([]);
    body["key_support_needs"] = json!(["medication_prompt", "hospital_visit", "smoking"]);
    assert_eq!(told(&body), ["body: too_many_quasi_identifiers:6"], "one more, in the same list");
    body.as_object_mut().unwrap().remove("key_support_needs").unwrap();
    body["disability_type_coarse"] = json!(["intellectual", "mental", "developmental"]);
    assert_eq!(told(&body), Vec::<String>::new());
    body["desired_area"] = json!("131016");
    assert_eq!(enquiry.check(&body), []);
    assert_eq!(told(&body), ["desired_area: welfare_area_only"], "a municipality may be too small");
    for kind in M::ALL.iter().filter(|kind| **kind != M::Enquiry) {
        assert_eq!(of(&schemas, *kind).anonymity(), [], "{kind}");
    }
}

/// What each word about the use of a service ends, by hand.
const ENDS: &[(&str, bool)] = &[
    ("started", false),
    ("ended", true),
    ("suspended", false),
    ("resumed", false),
    ("moved", false),
    ("cancelled", true),
    ("closing_proposed", false),
];

#[test]
fn every_word_about_the_use_of_a_service_either_ends_a_part_or_does_not() {
    let schemas = SchemaSet::builtin().unwrap();
    let notice: Value = serde_json::from_slice(schemas.bytes("status_notice", "1.0.0").unwrap()).unwrap();
    let codes: Value = serde_json::from_slice(schemas.bytes("codes", "1.0.0").unwrap()).unwrap();
    let catalogue: Value = serde_json::from_slice(schemas.bytes("catalogue", "1.0.0").unwrap()).unwrap();
    assert!(notice["properties"]["status"].is_object());
    let list = catalogue["$defs"]["status"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let words: BTreeSet<&str> =
        codes["$defs"][list]["oneOf"].as_array().unwrap().iter().map(|code| code["const"].as_str().unwrap()).collect();
    assert_eq!(words, ENDS.iter().map(|(word, _)| *word).collect());
    for (word, ends) in ENDS {
        let outcome = Outcome::read(M::StatusNotice, word);
        assert_eq!(matches!(outcome, Some(Outcome::Ended | Outcome::Cancelled)), *ends, "{word}");
    }
}

/// Arrangements are told without consent, to providers too: nothing in them may say more than the day and the desk.
#[test]
fn what_a_provider_is_told_of_arrangements_names_no_other_body_and_no_custody() {
    let (schemas, policies) = (SchemaSet::builtin().unwrap(), PolicySet::builtin().unwrap());
    let reaches = |kind| {
        let to = |recipient: &&PartyKind| recipient.is_provider();
        let sends = |recipient: &PartyKind| {
            PartyKind::ALL.iter().any(|from| policies.may(*from, Deed::Submit { kind, recipient: *recipient }).allow)
        };
        PartyKind::ALL.iter().filter(to).any(sends)
    };
    let mut looked_at = 0;
    for schema in schemas.messages().filter(|schema| schema.kind().may_name_no_consent() && reaches(schema.kind())) {
        let kind = schema.kind();
        assert!(schema.row(&"division_of_roles".parse().unwrap()).is_none(), "{kind}: who does what for the person names the centre");
        let file = format!("{}/schemas/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
        let example: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for word in ["釈放", "定着支援", "保護観察", "弁護", "刑務", "矯正"] {
            assert!(!example.to_string().contains(word), "{kind}: the example says {word}");
        }
        looked_at += 1;
    }
    assert!(looked_at > 8, "only {looked_at} kinds reach a provider without a consent");
    let catalogue: Value = serde_json::from_slice(schemas.bytes("catalogue", "1.0.0").unwrap()).unwrap();
    let members = catalogue["$defs"]["meeting_schedule"]["properties"].as_object().unwrap();
    assert_eq!(members.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["at", "kind", "place"]));
}
