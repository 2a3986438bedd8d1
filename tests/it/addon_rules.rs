//! The rules of the add-ons as they are published: their lists are those of the schemas, the worked cases come out, a file that says too little does
//! not load.

use serde_json::Value;
use tsunagi::{
    domain::{
        addon::{
            AddOn, Coordination, Coordinator, Eligibility, Event, Facts, Ground, Need, Part, Reason, Service, Statement, Verdict, assess,
        },
        day::Day,
    },
    message::schema::SchemaSet,
    policy::{PolicyError, PolicySet, addon_rules},
    text::{Lang, addon},
};

const PUBLISHED: &str = include_str!("../../policies/catalogue/addon_rules.toml");

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn facts(service: Service, kind: Ground, on: &str, start: &str) -> Facts {
    Facts {
        events: vec![Event { kind, on: day(on), extended_until: None }],
        start: Some(day(start)),
        lived_at_home: Some(false),
        coordination: Some(Coordination { by: Coordinator::SettlementCenter, began: Some(day(on)) }),
        ..Facts::of(service)
    }
}

/// Codes and Japanese names of a list of the schemas.
fn list(name: &str) -> Vec<(String, String)> {
    let schemas = SchemaSet::builtin().unwrap();
    let document: Value = serde_json::from_slice(schemas.bytes("codes", "1.0.0").unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    document["$defs"][name]["oneOf"].as_array().unwrap().iter().map(|code| (text(&code["const"]), text(&code["title"]))).collect()
}

#[test]
fn the_lists_and_their_japanese_names_are_those_of_the_schemas() {
    let named = |words: Vec<(&str, &str)>| words.into_iter().map(|(code, ja)| (code.to_owned(), ja.to_owned())).collect::<Vec<_>>();
    assert_eq!(list("addOn"), named(AddOn::ALL.iter().map(|code| (code.as_str(), addon::addon(*code, Lang::Ja))).collect()));
    assert_eq!(
        list("certStatement"),
        named(Statement::ALL.iter().map(|code| (code.as_str(), addon::statement(*code, Lang::Ja))).collect())
    );
    assert_eq!(
        list("certEligibility"),
        named(Eligibility::ALL.iter().map(|code| (code.as_str(), addon::eligibility(*code, Lang::Ja))).collect())
    );
    let services: Vec<String> = list("serviceType").into_iter().map(|(code, _)| code).collect();
    assert_eq!(services, Service::ALL.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>());
}

#[test]
fn each_service_has_the_units_of_the_question_and_answer_and_what_nobody_confirmed_says_so() {
    let set = PolicySet::builtin().unwrap();
    for (service, code, units) in [
        (Service::GroupHomeInclusive, AddOn::CommunityLifeTransition, &[(Part::Person, 670)][..]),
        (Service::GroupHomeExternal, AddOn::CommunityLifeTransition, &[(Part::Person, 670)]),
        (Service::GroupHomeDaytime, AddOn::CommunityLifeTransition, &[(Part::Person, 670)]),
        (Service::LodgingTraining, AddOn::CommunityLifeTransition, &[(Part::Person, 670)]),
        (Service::SupportFacility, AddOn::CommunityLifeTransition, &[(Part::Person, 306), (Part::System, 12)]),
        (Service::FunctionalTraining, AddOn::SocialLifeSupport, &[(Part::Person, 480)]),
        (Service::LifeTraining, AddOn::SocialLifeSupport, &[(Part::Person, 480)]),
        (Service::EmploymentTransition, AddOn::SocialLifeSupport, &[(Part::Person, 480)]),
        (Service::EmploymentA, AddOn::SocialLifeSupport, &[(Part::Person, 480)]),
        (Service::EmploymentB, AddOn::SocialLifeSupport, &[(Part::Person, 480)]),
    ] {
        let found = assess(set.addon_rules(), &facts(service, Ground::CorrectionalRelease, "2025-04-01", "2025-04-10"));
        assert_eq!((found.len(), found[0].addon, found[0].verdict), (1, code, Verdict::Eligible), "{service}");
        assert_eq!(found[0].window.unwrap().days.until, day("2028-03-31"));
        let before: Vec<(Part, u32)> = found[0].rates.iter().filter(|rate| rate.verified).map(|rate| (rate.part, rate.unit)).collect();
        assert_eq!(before, units, "{service}");
        assert!(found[0].rates.iter().all(|rate| rate.verified == (rate.from < day("2026-06-01"))), "{service}");
        assert_eq!(found[0].reasons, [Reason::RatesUnverified]);
        assert!(found[0].missing.contains(&Need::Certificate) && found[0].missing.contains(&Need::Notice));
    }
    let mut planning = facts(Service::Planning, Ground::CorrectionalRelease, "2025-04-01", "2025-04-10");
    planning.interviews = Some(4);
    let found = assess(set.addon_rules(), &planning);
    assert_eq!((found[0].addon, found[0].count.unwrap().counted, found[0].rates[0].unit), (AddOn::DischargePlanning, 3, 200));
    assert!(!found[0].rates[0].verified && found[0].rates[0].note.as_deref().is_some_and(|note| note.contains("300")));
    assert!(assess(set.addon_rules(), &Facts::of(Service::DailyCare)).is_empty());
}

#[test]
fn a_permission_to_leave_hospital_counts_for_one_add_on_only() {
    let set = PolicySet::builtin().unwrap();
    let verdict = |service| assess(set.addon_rules(), &facts(service, Ground::DischargePermission, "2025-04-01", "2025-04-10"))[0].verdict;
    assert_eq!(verdict(Service::EmploymentB), Verdict::Eligible);
    assert_eq!(verdict(Service::LodgingTraining), Verdict::NotEligible);
}

#[test]
fn a_file_that_is_misspelt_or_says_too_little_does_not_load() {
    let refused = |from: &str, to: &str| {
        assert!(PUBLISHED.contains(from), "{from}");
        addon_rules("rules.toml", &PUBLISHED.replacen(from, to, 1)).unwrap_err()
    };
    assert_eq!(addon_rules("rules.toml", PUBLISHED).unwrap(), *PolicySet::builtin().unwrap().addon_rules());
    for (from, to) in [
        ("unit = 670", "units = 670"),
        ("unit = 670", "unit = \"670\""),
        ("\"lodging_training\"", "\"lodging\""),
        ("unit_of = \"day\"", "unit_of = \"month\""),
        ("from = \"2024-04-01\"", "from = \"2024-02-30\""),
        ("source = ", "sauce = "),
        ("needs_certificate = true\n", ""),
    ] {
        assert!(matches!(refused(from, to), PolicyError::Syntax { .. }), "{to}");
    }
    for (from, to, what) in [
        ("unit = 670", "unit = 0", "rule 1 gives no units"),
        ("until = \"2026-05-31\"\n", "", "rule 2 overlaps"),
        ("until = \"2026-05-31\"", "until = \"2024-03-31\"", "rule 1 ends before"),
        ("verified_on = \"2026-11-22\"\n", "", "rule 1 verified_by and verified_on"),
        ("note = \"令和8年6月の改定後の単位数は、告示でまだ確かめていない。改定前と同じと置く\"\n", "", "rule 2 is unverified"),
    ] {
        let fault = refused(from, to);
        assert!(matches!(fault, PolicyError::Addons { .. }) && fault.to_string().contains(what), "{fault}");
    }
}
