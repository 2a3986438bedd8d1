//! The worked vectors of `domain.md` section 9, one after the other, and what holds for every date.

use proptest::prelude::*;

use super::*;
use crate::domain::day::Day;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub(super) fn days(from: &str, until: &str) -> Days {
    Days { from: day(from), until: day(until) }
}

/// A rule for group homes as on 2024-04-01, but in force at all times.
fn rule() -> Rule {
    Rule {
        code: AddOn::CommunityLifeTransition,
        part: Part::Person,
        service_types: vec![Service::GroupHomeInclusive],
        unit: 670,
        unit_of: UnitOf::Day,
        from: day("1980-01-01"),
        until: None,
        grounds: vec![Ground::CorrectionalRelease, Ground::RehabFacilityRelease, Ground::OutpatientDecision],
        window_years: Some(3),
        extension_years: Some(2),
        late_start: vec![Ground::CorrectionalRelease],
        max_count: None,
        excludes: vec![Rival::PsychiatricTransition],
        needs_certificate: true,
        needs_capability: vec![Capability::Notice, Capability::QualifiedStaff],
        needs_evidence: vec![Evidence::SupportPlan],
        source: "test".to_owned(),
        note: None,
        verified_by: Some("test".to_owned()),
        verified_on: Some(day("2026-11-22")),
    }
}

fn social() -> Rule {
    Rule { code: AddOn::SocialLifeSupport, service_types: vec![Service::EmploymentB], excludes: Vec::new(), ..rule() }
}

fn discharge() -> Rule {
    Rule {
        code: AddOn::DischargePlanning,
        service_types: vec![Service::Planning],
        unit: 200,
        unit_of: UnitOf::Time,
        window_years: None,
        extension_years: None,
        late_start: Vec::new(),
        max_count: Some(3),
        excludes: Vec::new(),
        needs_certificate: false,
        needs_capability: Vec::new(),
        needs_evidence: vec![Evidence::FacilityInformation, Evidence::ServicePlan],
        ..rule()
    }
}

fn with(rules: Vec<Rule>) -> RuleSet {
    RuleSet::of(rules).unwrap()
}

pub(super) fn rules() -> RuleSet {
    with(vec![rule(), social(), discharge()])
}

fn event(kind: Ground, on: &str) -> Event {
    Event { kind, on: day(on), extended_until: None }
}

/// A person who was coordinated for by a centre before the use began, with nothing missing.
fn facts(events: Vec<Event>, start: &str, lived_at_home: bool) -> Facts {
    Facts {
        events,
        start: Some(day(start)),
        lived_at_home: Some(lived_at_home),
        coordination: Some(Coordination { by: Coordinator::SettlementCenter, began: Some(day("1980-01-01")) }),
        capability: vec![Capability::Notice, Capability::QualifiedStaff],
        evidence: vec![Evidence::SupportPlan],
        certificate: true,
        ..Facts::of(Service::GroupHomeInclusive)
    }
}

fn released(on: &str, start: &str, lived_at_home: bool) -> Facts {
    facts(vec![event(Ground::CorrectionalRelease, on)], start, lived_at_home)
}

fn the_one(facts: &Facts) -> Assessment {
    let mut all = assess(&rules(), facts);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_start_soon_after_release_has_three_years_from_release() {
    let found = the_one(&released("2023-10-10", "2023-10-20", false));
    assert_eq!(found.verdict, Verdict::Eligible);
    assert_eq!(found.window, Some(Window { days: days("2023-10-20", "2026-10-09"), extended_after: None, late_start: false }));
    assert_eq!((found.eligibility, found.statement), (Some(Eligibility::CorrectionalRelease), Some(Statement::CoordinatedByCenter)));
    assert!(found.is_complete() && found.reasons.is_empty());
    assert_eq!(found.on(day("2023-10-20")), Claim::Claimable);
    assert_eq!(found.on(day("2026-10-09")), Claim::Claimable);
    assert_eq!((found.on(day("2023-10-19")), found.on(day("2026-10-10"))), (Claim::OutsideWindow, Claim::OutsideWindow));
}

#[test]
fn a_late_start_after_a_time_at_home_has_three_years_from_the_start() {
    let found = the_one(&released("2023-10-10", "2026-09-01", true));
    assert_eq!(found.verdict, Verdict::Eligible);
    assert_eq!(found.window, Some(Window { days: days("2026-09-01", "2029-08-31"), extended_after: None, late_start: true }));
    assert_eq!(found.reasons, [Reason::LateStartAsNeeded]);
    let straight = the_one(&released("2023-10-10", "2026-09-01", false));
    assert_eq!(straight.window.unwrap().days, days("2026-09-01", "2026-10-09"));
}

#[test]
fn a_start_between_the_two_ways_of_counting_is_not_decided_here() {
    for lived_at_home in [true, false] {
        let found = the_one(&released("2023-10-10", "2026-10-10", lived_at_home));
        assert_eq!((found.verdict, found.window), (Verdict::ToConfirm, None));
        assert_eq!(found.boundary, Some(days("2026-10-09", "2026-10-10")));
        assert_eq!(found.reasons, [Reason::Boundary]);
        assert_eq!(found.on(day("2026-10-10")), Claim::NotEligible);
    }
}

#[test]
fn a_start_after_the_three_years_is_too_late() {
    let found = the_one(&released("2023-10-10", "2026-11-01", true));
    assert_eq!((found.verdict, found.window, found.reasons.as_slice()), (Verdict::NotEligible, None, &[Reason::PastWindow][..]));
}

#[test]
fn a_release_on_the_29th_of_february_has_one_end_by_both_ways_of_counting() {
    let found = the_one(&released("2024-02-29", "2024-03-01", false));
    assert_eq!(found.window.unwrap().days, days("2024-03-01", "2027-02-28"));
    assert_eq!(the_one(&released("2024-02-29", "2027-02-28", false)).verdict, Verdict::Eligible);
    assert_eq!(the_one(&released("2024-02-29", "2027-03-01", false)).verdict, Verdict::NotEligible);
}

#[test]
fn an_extended_observation_reaches_to_the_end_that_the_court_set_and_no_further() {
    let observed = Event { extended_until: Some(day("2029-04-30")), ..event(Ground::OutpatientDecision, "2024-05-01") };
    let found = the_one(&facts(vec![observed.clone()], "2024-06-01", false));
    assert_eq!(found.eligibility, Some(Eligibility::OutpatientObservation));
    assert_eq!(
        found.window,
        Some(Window { days: days("2024-06-01", "2029-04-30"), extended_after: Some(day("2027-04-30")), late_start: false })
    );
    assert_eq!(found.reasons, [Reason::ByExtension]);
    assert_eq!((found.on(day("2029-04-30")), found.on(day("2029-05-01"))), (Claim::Claimable, Claim::OutsideWindow));
    assert_eq!(the_one(&facts(vec![observed.clone()], "2029-05-01", false)).verdict, Verdict::NotEligible);
    let plain = the_one(&facts(vec![event(Ground::OutpatientDecision, "2024-05-01")], "2024-06-01", false));
    assert_eq!(plain.window.unwrap().days.until, day("2027-04-30"));
    // Longer than a court can grant, shorter than the three years, or of another event: the ordinary end.
    for until in ["2029-05-01", "2027-04-30", "2026-01-01"] {
        let unusable = Event { extended_until: Some(day(until)), ..observed.clone() };
        let found = the_one(&facts(vec![unusable], "2024-06-01", false));
        assert_eq!((found.window.unwrap().days.until, found.reasons), (day("2027-04-30"), vec![Reason::ExtensionUnusable]), "{until}");
    }
    let released = Event { extended_until: Some(day("2028-01-01")), ..event(Ground::CorrectionalRelease, "2024-05-01") };
    assert_eq!(the_one(&facts(vec![released], "2024-06-01", false)).reasons, [Reason::ExtensionUnusable]);
}

#[test]
fn leaving_the_rehabilitation_facility_begins_the_three_years_anew() {
    let both = vec![event(Ground::CorrectionalRelease, "2021-01-10"), event(Ground::RehabFacilityRelease, "2025-01-15")];
    let found = the_one(&facts(both, "2025-01-16", false));
    assert_eq!((found.verdict, found.eligibility), (Verdict::Eligible, Some(Eligibility::RehabFacilityRelease)));
    assert_eq!(found.window.unwrap().days, days("2025-01-16", "2028-01-14"));
    assert_eq!(the_one(&released("2021-01-10", "2025-01-16", false)).verdict, Verdict::NotEligible);
}

#[test]
fn a_place_found_by_the_family_alone_is_not_coordinated() {
    let mut alone = released("2023-10-10", "2023-10-20", false);
    alone.coordination = Some(Coordination { by: Coordinator::Nobody, began: None });
    let found = the_one(&alone);
    assert_eq!((found.verdict, found.statement), (Verdict::NotEligible, None));
    assert_eq!(found.reasons, [Reason::NotCoordinated]);
    // The municipality with the centre counts as the centre; coordination after the start does not count.
    alone.coordination = Some(Coordination { by: Coordinator::MunicipalityWithCenter, began: Some(day("2023-10-20")) });
    assert_eq!(the_one(&alone).statement, Some(Statement::CoordinatedByMunicipalityWithCenter));
    assert_eq!(the_one(&alone).verdict, Verdict::Eligible);
    alone.coordination = Some(Coordination { by: Coordinator::ProbationOffice, began: Some(day("2023-10-21")) });
    assert_eq!(the_one(&alone).reasons, [Reason::CoordinationAfterStart]);
    assert_eq!(the_one(&alone).verdict, Verdict::NotEligible);
}

#[test]
fn on_a_day_with_an_add_on_that_excludes_it_nothing_can_be_claimed() {
    let mut both = released("2023-10-10", "2023-10-20", false);
    both.others = vec![OtherClaim { code: Rival::PsychiatricTransition, from: day("2023-01-01"), until: Some(day("2024-01-31")) }];
    let found = the_one(&both);
    assert_eq!((found.verdict, found.reasons.as_slice()), (Verdict::Eligible, &[Reason::ExcludedDays][..]));
    assert_eq!(found.blocked, [Blocked { by: Rival::PsychiatricTransition, days: days("2023-10-20", "2024-01-31") }]);
    assert_eq!((found.on(day("2024-01-31")), found.on(day("2024-02-01"))), (Claim::Excluded, Claim::Claimable));
    both.others[0].until = None;
    let found = the_one(&both);
    assert_eq!(found.verdict, Verdict::NotEligible);
    assert!(found.reasons.contains(&Reason::ExcludedThroughout));
    // Where the rule does not exclude, nothing happens.
    let elsewhere = Facts { service: Service::EmploymentB, ..both };
    assert_eq!(the_one(&elsewhere).reasons, []);
}

#[test]
fn of_four_interviews_three_count() {
    let mut planned = Facts { interviews: Some(4), ..Facts::of(Service::Planning) };
    planned.events = vec![event(Ground::CorrectionalRelease, "2025-05-01")];
    planned.evidence = vec![Evidence::FacilityInformation, Evidence::ServicePlan];
    let found = the_one(&planned);
    assert_eq!(found.count, Some(Count { held: 4, counted: 3, most: 3 }));
    assert_eq!((found.verdict, found.reasons.as_slice()), (Verdict::Eligible, &[Reason::CountLimited][..]));
    assert!(found.is_complete());
    for (held, counted) in [(1, 1), (3, 3)] {
        planned.interviews = Some(held);
        assert_eq!(the_one(&planned).count, Some(Count { held, counted, most: 3 }));
    }
    planned.interviews = Some(0);
    assert_eq!(the_one(&planned).reasons, [Reason::NoInterview]);
    planned.interviews = None;
    planned.evidence = Vec::new();
    let found = the_one(&planned);
    assert_eq!(found.verdict, Verdict::Undecided);
    assert_eq!(found.missing, [Need::Interviews, Need::FacilityInformation, Need::ServicePlan]);
}

#[test]
fn what_is_missing_is_named() {
    let nothing = the_one(&Facts::of(Service::GroupHomeInclusive));
    assert_eq!(nothing.verdict, Verdict::Undecided);
    assert_eq!(
        nothing.missing,
        [Need::Start, Need::Coordination, Need::Event, Need::Certificate, Need::Notice, Need::QualifiedStaff, Need::SupportPlan]
    );
    let mut person_only = released("2023-10-10", "2023-10-20", false);
    (person_only.certificate, person_only.capability, person_only.evidence) = (false, Vec::new(), Vec::new());
    let found = the_one(&person_only);
    assert!(found.verdict == Verdict::Eligible && !found.is_complete());
    assert_eq!(found.missing, [Need::Certificate, Need::Notice, Need::QualifiedStaff, Need::SupportPlan]);
    person_only.coordination = Some(Coordination { by: Coordinator::SettlementCenter, began: None });
    assert_eq!(the_one(&person_only).missing[0], Need::CoordinationBegan);
    assert!(assess(&rules(), &Facts::of(Service::DailyCare)).is_empty());
}

#[test]
fn a_time_at_home_is_asked_for_where_it_changes_the_window() {
    let mut unknown = released("2023-10-10", "2024-10-20", false);
    unknown.lived_at_home = None;
    let found = the_one(&unknown);
    assert_eq!((found.verdict, found.missing.as_slice()), (Verdict::Eligible, &[Need::LivedAtHome][..]));
    assert_eq!(found.window.unwrap().days.until, day("2026-10-09"), "the shorter window until it is known");
    unknown.start = Some(day("2023-10-11"));
    assert!(the_one(&unknown).missing.is_empty(), "no time in between");
    let unclear = the_one(&facts(vec![event(Ground::RehabFacilityRelease, "2023-10-10")], "2024-10-20", true));
    assert_eq!((unclear.reasons.as_slice(), unclear.window.unwrap().days.until), (&[Reason::LateStartUnclear][..], day("2026-10-09")));
}

#[test]
fn an_event_that_the_rule_does_not_know_and_a_start_before_the_event_are_told_apart() {
    let other = the_one(&facts(vec![event(Ground::DischargePermission, "2024-05-01")], "2024-06-01", false));
    assert_eq!((other.verdict, other.reasons.as_slice()), (Verdict::NotEligible, &[Reason::GroundNotCounted][..]));
    let early = the_one(&released("2024-05-01", "2024-04-30", false));
    assert_eq!((early.verdict, early.reasons.as_slice()), (Verdict::NotEligible, &[Reason::StartBeforeGround][..]));
    assert_eq!(the_one(&released("2024-05-01", "2024-05-01", false)).verdict, Verdict::Eligible);
}

#[test]
fn a_notice_that_counts_later_opens_the_days_later() {
    let mut later = released("2023-10-10", "2023-10-20", false);
    (later.capability, later.notice_from) = (vec![Capability::QualifiedStaff], Some(day("2023-12-01")));
    let found = the_one(&later);
    assert!(found.is_complete());
    assert_eq!(found.reasons, [Reason::NoticeLater]);
    assert_eq!((found.on(day("2023-11-30")), found.on(day("2023-12-01"))), (Claim::BeforeNotice, Claim::Claimable));
}

#[test]
fn each_day_has_the_units_of_its_row_and_what_is_unverified_or_not_on_file_is_said() {
    let until = |rule: Rule, until: &str| Rule { until: Some(day(until)), ..rule };
    let first = until(Rule { from: day("2024-04-01"), ..rule() }, "2026-05-31");
    let second = Rule { from: day("2026-06-01"), unit: 700, verified_by: None, verified_on: None, note: Some("open".to_owned()), ..rule() };
    let system = Rule { part: Part::System, unit: 12, needs_certificate: false, ..rule() };
    let rules = with(vec![second, system, first, social(), discharge()]);
    let found = &assess(&rules, &released("2023-10-10", "2023-10-20", false))[0];
    let told: Vec<(Part, u32, Day, Option<Day>, bool)> =
        found.rates.iter().map(|rate| (rate.part, rate.unit, rate.from, rate.until, rate.verified)).collect();
    let last = Some(day("2026-10-09"));
    assert_eq!(
        told,
        [
            (Part::Person, 670, day("2024-04-01"), Some(day("2026-05-31")), true),
            (Part::Person, 700, day("2026-06-01"), last, false),
            (Part::System, 12, day("2023-10-20"), last, true),
        ]
    );
    assert_eq!(found.unruled, [days("2023-10-20", "2024-03-31")]);
    assert_eq!(found.reasons, [Reason::RatesMissing, Reason::RatesUnverified]);
    assert_eq!((found.on(day("2024-03-31")), found.on(day("2024-04-01"))), (Claim::OutsideWindow, Claim::Claimable));
    let long_ago = &assess(&rules, &released("2014-10-10", "2014-10-20", false))[0];
    assert_eq!((long_ago.verdict, long_ago.reasons.as_slice()), (Verdict::NotEligible, &[Reason::NoRule][..]));
}

#[test]
fn rows_that_contradict_each_other_or_say_too_little_are_no_rules() {
    let good = || vec![rule(), social(), discharge()];
    let fault = |change: &dyn Fn(&mut Vec<Rule>)| {
        let mut rows = good();
        change(&mut rows);
        RuleSet::of(rows).unwrap_err()
    };
    let changes: &[(Change, &str)] = &[
        (|rule| rule.service_types.clear(), "names no service"),
        (|rule| rule.service_types.push(Service::GroupHomeInclusive), "names a service twice"),
        (|rule| rule.unit = 0, "gives no units"),
        (|rule| rule.until = Some(day("1979-12-31")), "ends before it begins"),
        (|rule| rule.grounds.clear(), "names no event"),
        (|rule| rule.max_count = Some(3), "max_count goes"),
        (|rule| rule.unit_of = UnitOf::Time, "max_count goes"),
        (|rule| rule.window_years = None, "window_years goes"),
        (|rule| rule.window_years = Some(0), "1 to 10"),
        (|rule| rule.extension_years = Some(11), "1 to 10"),
        (|rule| rule.grounds.truncate(1), "extension_years without"),
        (|rule| rule.late_start.push(Ground::DischargePermission), "late_start names an event that"),
        (|rule| rule.excludes.push(Rival::PsychiatricTransition), "excludes names"),
        (|rule| rule.source = " ".to_owned(), "names no source"),
        (|rule| rule.verified_on = None, "go together"),
        (|rule| (rule.verified_by, rule.verified_on) = (None, None), "what is open"),
    ];
    for (change, expected) in changes {
        let found = fault(&|rows| change(&mut rows[0]));
        assert!(found[0].row == 1 && found[0].what.contains(expected), "{expected}: {found:?}");
    }
    assert!(fault(&|rows| rows.push(rule()))[0].what.contains("overlaps"));
    assert!(fault(&|rows| rows.truncate(2))[0].what.contains("no row of part person"));
    let apart = Rule { from: day("2026-06-01"), ..rule() };
    let mut rows = good();
    rows[0].until = Some(day("2026-05-31"));
    rows.push(apart);
    assert_eq!(with(rows).rules().len(), 4);
}

#[test]
fn facts_do_not_print_their_dates() {
    let text = format!("{:?}", released("2023-10-10", "2023-10-20", false));
    assert!(!text.contains("2023"), "{text}");
}

/// What is done to a good row.
type Change = fn(&mut Rule);

/// Any day from 1990 to 2089, leap days more often than chance has them.
fn any_day() -> impl Strategy<Value = Day> {
    let common = (1990..2090i32, 1..=12u8, 1..=28u8).prop_map(|(year, month, dom)| day(&format!("{year:04}-{month:02}-{dom:02}")));
    let leap = (498..522i32).prop_map(|quarter| day(&format!("{:04}-02-29", quarter * 4)));
    let ends = (1990..2090i32, prop_oneof![Just("02-28"), Just("03-01"), Just("12-31"), Just("01-01")])
        .prop_map(|(year, end)| day(&format!("{year:04}-{end}")));
    prop_oneof![4 => common, 1 => leap, 1 => ends]
}

/// A day some days after another.
fn after(mut from: Day, steps: u32) -> Day {
    for _ in 0..steps {
        from = from.next();
    }
    from
}

proptest! {
    #[test]
    fn the_two_ways_of_counting_differ_by_a_day_and_around_a_leap_day_by_none_or_two(event in any_day(), years in 1..=5i32) {
        let (last, other) = (event.last_of_years(years), event.last_of_years_after(years));
        let apart = [last, last.next(), last.next().next()].iter().position(|day| *day == other);
        let at_leap = event.to_string().ends_with("02-29") || event.next().to_string().ends_with("02-29")
            || event.to_string().ends_with("02-28");
        prop_assert!(if at_leap { apart.is_some() } else { apart == Some(1) }, "{event} {years}: {last} {other}");
    }

    #[test]
    fn a_window_begins_with_the_use_and_never_outlasts_the_years(event_on in any_day(), steps in 0..1200u32, home in any::<bool>()) {
        let start = after(event_on, steps);
        let last = event_on.last_of_years(3);
        let found = the_one(&released(&event_on.to_string(), &start.to_string(), home));
        let in_time = start <= last;
        prop_assert_eq!(found.window.is_some(), in_time);
        if let Some(window) = found.window {
            prop_assert_eq!(window.days.from, start);
            prop_assert_eq!(window.days.until, if home { start.last_of_years(3) } else { last });
            prop_assert_eq!(found.on(window.days.from), Claim::Claimable);
            prop_assert_eq!(found.on(window.days.until), Claim::Claimable);
            prop_assert_eq!(found.on(window.days.until.next()), Claim::OutsideWindow);
            prop_assert_eq!(found.on(window.days.from.previous()), Claim::OutsideWindow);
        } else {
            let doubt = start <= event_on.last_of_years_after(3);
            prop_assert_eq!(found.verdict, if doubt { Verdict::ToConfirm } else { Verdict::NotEligible });
        }
    }

    #[test]
    fn days_without_others_are_exactly_the_days_that_the_others_lack(from in any_day(), length in 0..60u32, cuts in prop::collection::vec((0..70u32, 0..20u32), 0..4)) {
        let whole = Days { from, until: after(from, length) };
        let others: Vec<Days> = cuts.iter().map(|(at, long)| Days { from: after(from, *at), until: after(from, at + long) }).collect();
        let left = whole.without(&others);
        let mut probe = from.previous();
        for _ in 0..length + 3 {
            let expected = whole.contain(probe) && !others.iter().any(|days| days.contain(probe));
            prop_assert_eq!(left.iter().filter(|days| days.contain(probe)).count(), usize::from(expected));
            probe = probe.next();
        }
    }
}
