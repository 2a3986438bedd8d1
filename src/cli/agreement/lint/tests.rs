//! Each finding is provoked once, and a sound draft gives none.

use serde_json::json;

use super::*;
use crate::domain::{
    agreement::{Delegation, Flow},
    codes::{LegalBasis, MessageKind, Purpose},
    field::FieldClass,
    party::Name,
};

const CENTRE: &str = "settlement_center:13-1";
const CITY: &str = "municipality:131016-1";
const CORE: &str = "core_center:131016-1";
const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn party(text: &str) -> PartyId {
    text.parse().unwrap()
}

fn draft() -> Agreement {
    Agreement {
        id: "AG-13-0001".parse().unwrap(),
        ver: 1,
        title: "協定".to_owned(),
        parties: vec![party(CENTRE), party(CITY), party(CORE)],
        acceding: vec![PartyKind::GroupHome],
        schema_versions: vec!["referral/1.0.0".parse().unwrap()],
        flows: vec![Flow {
            from: CENTRE.parse().unwrap(),
            to: CITY.parse().unwrap(),
            kinds: vec![MessageKind::Referral],
            purposes: vec![Purpose::PlacementCoordination, Purpose::BenefitDecision],
            classes: vec![FieldClass::Identity, FieldClass::CriminalSummary, FieldClass::Benefit],
            bases: vec![LegalBasis::WithinPurpose],
        }],
        purpose_of_use_entry: "個人情報ファイル簿 12".to_owned(),
        terms: vec!["目的外に使わない".to_owned()],
        from: NOW.plus_secs(86_400),
        until: NOW.plus_secs(366 * 86_400),
        retention_months: 60,
        delegations: vec![Delegation {
            from: party(CITY),
            to: party(CORE),
            qualification: "主任相談支援専門員".to_owned(),
            until: NOW.plus_secs(300 * 86_400),
        }],
    }
}

fn known() -> Known {
    let listed = |code: &str| Party {
        party: party(code),
        name: Name { ja: "機関".to_owned(), en: "Unit".to_owned() },
        state: PartyState::Active,
        purposes: vec![Purpose::PlacementCoordination, Purpose::BenefitDecision],
        keys: Vec::new(),
    };
    Known { parties: [CENTRE, CITY, CORE].iter().map(|code| (party(code), listed(code))).collect(), last: 0 }
}

fn findings(agreement: &Agreement, known: &Known) -> Vec<Finding> {
    let words = Words::new().unwrap();
    Check { agreement, words: &words, known: Some(known), published: &published().unwrap(), now: NOW }.all()
}

/// What an edit of a sound draft is told.
fn told(edit: impl FnOnce(&mut Agreement)) -> Vec<(Lint, String)> {
    let mut agreement = draft();
    edit(&mut agreement);
    findings(&agreement, &known()).into_iter().map(|finding| (finding.rule, finding.at)).collect()
}

fn at(rule: Lint, place: &str) -> (Lint, String) {
    (rule, place.to_owned())
}

#[test]
fn a_sound_draft_gives_no_finding() {
    assert_eq!(findings(&draft(), &known()), []);
    let words = Words::new().unwrap();
    assert_eq!(Check { agreement: &draft(), words: &words, known: None, published: &published().unwrap(), now: NOW }.all(), []);
}

#[test]
fn parties_that_are_unknown_suspended_idle_or_outside_are_named() {
    assert_eq!(
        told(|a| a.parties[0] = party("settlement_center:14-1")),
        [at(Lint::PartyUnknown, "parties[0]"), at(Lint::PartyIdle, "parties[0]"), at(Lint::SideOutside, "flows[0].from")]
    );
    assert_eq!(
        told(|a| a.flows[0].to = Side::Kind(PartyKind::Prefecture))[0..2],
        [at(Lint::PartyIdle, "parties[1]"), at(Lint::SideOutside, "flows[0].to")]
    );
    let mut suspended = known();
    suspended.parties.get_mut(&party(CITY)).unwrap().state = PartyState::Suspended;
    let found = findings(&draft(), &suspended);
    assert_eq!((found[0].rule, found[0].what.as_slice()), (Lint::PartySuspended, &[CITY.to_owned()][..]));
    assert_eq!(told(|a| a.acceding.push(PartyKind::Auditor)), [at(Lint::AccedingKind, "acceding[1]")]);
    let stranger = told(|a| a.flows[0].from = "settlement_center:14-1".parse().unwrap());
    assert!(stranger.contains(&at(Lint::PartyUnknown, "flows[0].from")), "{stranger:?}");
}

#[test]
fn a_kind_without_a_schema_version_and_a_version_nobody_published_are_named() {
    assert_eq!(told(|a| a.schema_versions.clear()), [at(Lint::SchemaMissing, "flows[0].kinds")]);
    assert_eq!(told(|a| a.schema_versions.push("referral/9.9.9".parse().unwrap())), [at(Lint::SchemaUnknown, "schema_versions[1]")]);
}

#[test]
fn classes_and_purposes_that_no_policy_would_open_are_named() {
    let mut agreement = draft();
    agreement.flows[0].purposes = vec![Purpose::BenefitDecision];
    let found = findings(&agreement, &known());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].rule, found[0].at.as_str(), found[0].what.as_slice()),
        (Lint::ClassNever, "flows[0].classes", &["criminal_summary".to_owned()][..])
    );
    assert_eq!(told(|a| a.flows[0].classes.push(FieldClass::Prohibited)), [at(Lint::ClassProhibited, "flows[0].classes")]);
    let idle = told(|a| a.flows[0].purposes.push(Purpose::Administration));
    assert_eq!(idle, [at(Lint::PurposeIdle, "flows[0].purposes")]);
    let unregistered = told(|a| a.flows[0].purposes.push(Purpose::AddonCertification));
    assert!(unregistered.contains(&at(Lint::PurposeUnregistered, "flows[0].purposes")), "{unregistered:?}");
    assert_eq!(told(|a| a.flows.push(a.flows[0].clone())), [at(Lint::FlowRepeated, "flows[1]")]);
    let revealing = told(|a| a.flows.push(Flow { to: Side::Kind(PartyKind::GroupHome), ..a.flows[0].clone() }));
    assert_eq!(revealing, [at(Lint::SenderReveals, "flows[1].to")]);
}

#[test]
fn forms_that_nobody_published_or_that_a_flow_misses_are_named() {
    assert_eq!(told(|a| a.schema_versions.push("referral/9.0.0".parse().unwrap())), [at(Lint::SchemaUnknown, "schema_versions[1]")]);
    assert_eq!(told(|a| a.flows[0].kinds.push(MessageKind::Supplement)), [at(Lint::KindWithoutSchema, "flows[0].kinds")]);
}

#[test]
fn periods_are_checked_against_each_other_and_against_now() {
    assert_eq!(told(|a| a.from = a.until)[0], at(Lint::PeriodEmpty, "until"));
    let past = told(|a| (a.from, a.until, a.delegations) = (NOW.plus_secs(-20), NOW, Vec::new()));
    assert_eq!(past, [at(Lint::PartyIdle, "parties[2]"), at(Lint::PeriodPast, "until")]);
    assert_eq!(told(|a| a.from = NOW.plus_secs(-1)), [at(Lint::PeriodRetroactive, "from")]);
    assert_eq!(told(|a| a.until = a.from.plus_secs(6 * 366 * 86_400)), [at(Lint::PeriodLong, "until")]);
    assert_eq!(told(|a| a.retention_months = 0), [at(Lint::RetentionNone, "retention_months")]);
}

#[test]
fn what_the_law_asks_to_be_written_must_be_there() {
    assert_eq!(told(|a| a.purpose_of_use_entry = " ".to_owned()), [at(Lint::PurposeEntryMissing, "purpose_of_use_entry")]);
    assert_eq!(told(|a| a.terms.clear()), [at(Lint::TermsMissing, "terms")]);
}

#[test]
fn delegations_name_qualified_bodies_of_the_agreement_and_end_with_it() {
    assert_eq!(
        told(|a| a.delegations[0].qualification = "社会福祉士".to_owned()),
        [at(Lint::DelegationQualification, "delegations[0].qualification")]
    );
    assert_eq!(told(|a| a.delegations[0].from = party(CENTRE)), [at(Lint::DelegationFrom, "delegations[0].from")]);
    let to = told(|a| a.delegations[0].to = party(CENTRE));
    assert!(to.contains(&at(Lint::DelegationTo, "delegations[0].to")), "{to:?}");
    let outside = told(|a| a.delegations[0].to = party("core_center:131024-1"));
    assert!(outside.contains(&at(Lint::DelegationOutside, "delegations[0].to")), "{outside:?}");
    assert_eq!(told(|a| a.delegations[0].until = a.until.plus_secs(1)), [at(Lint::DelegationPeriod, "delegations[0].until")]);
}

#[test]
fn the_version_must_be_the_next() {
    assert_eq!(told(|a| a.ver = 3), [at(Lint::VersionNext, "ver")]);
    assert_eq!(findings(&Agreement { ver: 2, ..draft() }, &Known { last: 1, ..known() }), []);
}

#[test]
fn what_the_template_left_open_is_found_wherever_it_stands() {
    let value = json!({"title": "【要記入】題", "terms": ["よい", "【要記入】条件"], "delegations": [{"qualification": "x【要記入】"}]});
    let places: Vec<String> = placeholders(&value).into_iter().map(|finding| finding.at).collect();
    assert_eq!(places, ["title", "terms[1]", "delegations[0].qualification"]);
}
