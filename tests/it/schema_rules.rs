//! The rules beyond the form: a table, written by hand, with rows that break each rule of each row and rows that keep it. A rule of the
//! catalogue without a line here turns the test red.

use serde_json::{Value, json};
use tsunagi::{
    domain::{refusal::Violation, time::Timestamp},
    message::schema::{Catalogue, Findings, SchemaSet},
};

/// When the rows were sent: 2026-11-22, five minutes after midnight in Japan and still the day before in UTC.
fn sent() -> Timestamp {
    "2026-11-21T15:05:00Z".parse().unwrap()
}

fn judge(catalogue: &Catalogue, rows: &Value) -> Findings {
    assert_eq!(catalogue.check(rows), [], "the form of {rows}");
    catalogue.check_rules(rows, sent())
}

fn said(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|v| (v.field.as_str(), v.rule.as_str())).collect()
}

/// Row, rule, rows that break it, rows that keep it.
type Line = (&'static str, &'static str, Vec<Value>, Vec<Value>);

fn one(key: &str, values: &[Value]) -> Vec<Value> {
    values.iter().map(|value| json!({key: value})).collect()
}

/// Rules whose breach is a refusal.
fn rules() -> Vec<Line> {
    let day = |key: &'static str, rule, broken: &[&str], kept: &[&str]| -> Line {
        let rows = |days: &[&str]| days.iter().map(|day| json!({key: day})).collect();
        (key, rule, rows(broken), rows(kept))
    };
    let contact = |key: &'static str| -> Line {
        let texts = |texts: &[&str]| texts.iter().map(|text| json!({key: text})).collect();
        let broken = texts(&["連絡先は090-1234-5678", "〒100-0001 に住む人", "ａ@example.jp"]);
        (key, "no_contact_details", broken, texts(&["駅前の繁華街", "2024-07-19 2024-08-01 の夜", "〇〇店の系列"]))
    };
    let window =
        |start: &str, end: &str, class: &str| json!({"cert_period_start": start, "cert_period_end": end, "cert_eligibility_class": class});
    let sentence = |code: &str, day: Option<&str>| match day {
        Some(day) => json!({"sentence_kind": code, "disposition_date": day}),
        None => json!({"sentence_kind": code}),
    };
    vec![
        day("birth_date", "not_in_future", &["2026-11-23"], &["2000-01-01"]),
        day("birth_date", "age_12_to_120", &["2014-11-23", "1905-11-22", "2026-11-23"], &["2014-11-22", "1905-11-23"]),
        day("actual_release_date", "not_in_future", &["2026-11-23"], &["2026-11-22", "2020-01-01"]),
        day("expected_release_date", "not_before_sending", &["2026-11-21"], &["2026-11-22", "2030-01-01"]),
        day("desired_reply_by", "not_before_sending", &["2026-11-21"], &["2026-11-22"]),
        (
            "detention_deadline",
            "entry_support_only",
            vec![
                json!({"detention_deadline": "2026-11-27", "subject_category": "exit"}),
                json!({"detention_deadline": "2026-11-27", "subject_category": "municipal_recognised", "support_route": "entry_support"}),
                json!({"detention_deadline": "2026-11-27", "support_route": "exit_coordination"}),
            ],
            vec![json!({"detention_deadline": "2026-11-27", "subject_category": "entry", "support_route": "entry_support"})],
        ),
        (
            "supervision_period",
            "period_in_order",
            one("supervision_period", &[json!({"from": "2026-11-02", "to": "2026-11-01"})]),
            one("supervision_period", &[json!({"from": "2026-11-01", "to": "2026-11-01"}), json!({"from": "2026-11-01"})]),
        ),
        (
            "grant_decision",
            "period_in_order",
            one(
                "grant_decision",
                &[json!([{"service": "employment_b"}, {"service": "daily_care", "from": "2026-11-02", "to": "2026-11-01"}])],
            ),
            one("grant_decision", &[json!([{"service": "employment_b", "from": "2025-10-01", "to": "2026-09-30"}])]),
        ),
        contact("no_go_area"),
        contact("offence_outline"),
        contact("contact_prohibition"),
        contact("free_note"),
        contact("decline_note"),
        contact("notice_title"),
        (
            "division_of_roles",
            "no_contact_details",
            one("division_of_roles", &[json!([{"task": "迎え（090-1234-5678）", "org": "架空区"}])]),
            one("division_of_roles", &[json!([{"task": "受入先の調整", "org": "架空区", "until": "2026-11-27"}])]),
        ),
        (
            "meeting_schedule",
            "no_contact_details",
            one(
                "meeting_schedule",
                &[json!({"at": "2026-11-24T14:00:00+09:00", "kind": "case_conference", "place": "〒100-0001 の会議室"})],
            ),
            one("meeting_schedule", &[json!({"at": "2026-11-24T14:00:00+09:00", "kind": "case_conference", "place": "3階会議室"})]),
        ),
        (
            "cert_period_start",
            "window_in_order",
            vec![window("2026-11-02", "2026-11-01", "correctional_release")],
            vec![window("2026-11-01", "2026-11-01", "correctional_release")],
        ),
        (
            "cert_period_end",
            "within_three_years",
            vec![
                window("2023-10-10", "2026-10-10", "correctional_release"),
                window("2024-02-29", "2027-03-01", "rehab_facility_release"),
                json!({"cert_period_start": "2023-10-10", "cert_period_end": "2026-10-10"}),
            ],
            vec![
                window("2023-10-10", "2026-10-09", "correctional_release"),
                window("2024-02-29", "2027-02-28", "rehab_facility_release"),
                window("2024-05-01", "2029-04-30", "outpatient_observation"),
            ],
        ),
        (
            "sentence_kind",
            "code_not_in_use",
            vec![sentence("imprisonment_2025", Some("2025-05-31"))],
            vec![
                sentence("imprisonment_2025", Some("2025-06-01")),
                sentence("imprisonment_2025", None),
                sentence("penal_servitude", Some("2025-05-31")),
                sentence("penal_servitude", None),
                sentence("fine", Some("2020-01-01")),
            ],
        ),
    ]
}

/// What is only told.
fn warnings() -> Vec<Line> {
    vec![
        (
            "recipient_cert_number",
            "check_digit",
            one("recipient_cert_number", &[json!("0131001233")]),
            one("recipient_cert_number", &[json!("0131001232")]),
        ),
        (
            "candidate_providers",
            "check_digit",
            one(
                "candidate_providers",
                &[json!([{"provider_number": "2070900168", "state": "asked"}, {"provider_number": "2070900167", "state": "asked"}])],
            ),
            one("candidate_providers", &[json!([{"provider_number": "2070900168", "state": "asked"}]), json!([])]),
        ),
        (
            "local_resources",
            "check_digit",
            one(
                "local_resources",
                &[json!([{"name": "x", "provider_number": "2070900167", "services": ["employment_b"], "intake": "open"}])],
            ),
            one(
                "local_resources",
                &[
                    json!([{"name": "x", "provider_number": "2070900168", "services": ["employment_b"], "intake": "open"}, {"name": "y", "services": ["employment_b"], "intake": "full"}]),
                ],
            ),
        ),
        (
            "placement_result",
            "check_digit",
            one("placement_result", &[json!({"provider_number": "1320100018", "service": "employment_b"})]),
            one("placement_result", &[json!({"provider_number": "1320100017", "service": "employment_b"})]),
        ),
        (
            "cert_provider_number",
            "check_digit",
            one("cert_provider_number", &[json!("1320100018")]),
            one("cert_provider_number", &[json!("1320100017")]),
        ),
        (
            "support_category_valid_until",
            "within_36_months",
            one("support_category_valid_until", &[json!("2029-12-01")]),
            one("support_category_valid_until", &[json!("2029-11-30"), json!("2020-01-01")]),
        ),
        (
            "sentence_kind",
            "code_may_be_over",
            vec![
                json!({"sentence_kind": "penal_servitude", "disposition_date": "2025-06-01"}),
                json!({"sentence_kind": "imprisonment_without_work", "disposition_date": "2026-01-15"}),
            ],
            vec![
                json!({"sentence_kind": "penal_servitude", "disposition_date": "2025-05-31"}),
                json!({"sentence_kind": "imprisonment_without_work"}),
            ],
        ),
    ]
}

#[test]
fn a_broken_rule_is_named_with_its_row_and_a_kept_one_is_not() {
    let schemas = SchemaSet::builtin().unwrap();
    for (key, rule, broken, kept) in rules() {
        for rows in broken {
            let found = judge(schemas.catalogue(), &rows);
            assert!(said(&found.violations).contains(&(key, rule)), "{key} {rule}: {rows} {:?}", found.violations);
            assert!(found.violations.iter().all(|v| v.field == key && v.class.is_some()), "{rows}");
        }
        for rows in kept {
            assert!(judge(schemas.catalogue(), &rows).violations.is_empty(), "{key} {rule}: {rows}");
        }
    }
}

#[test]
fn what_is_only_suspicious_is_told_and_not_refused() {
    let schemas = SchemaSet::builtin().unwrap();
    for (key, rule, told, quiet) in warnings() {
        for rows in told {
            let found = judge(schemas.catalogue(), &rows);
            assert_eq!((said(&found.violations), said(&found.warnings)), (Vec::new(), vec![(key, rule)]), "{rows}");
        }
        for rows in quiet {
            assert_eq!(judge(schemas.catalogue(), &rows), Findings::default(), "{rows}");
        }
    }
}

#[test]
fn every_rule_of_the_catalogue_has_a_line_in_the_table() {
    let schemas = SchemaSet::builtin().unwrap();
    let (rules, warnings) = (rules(), warnings());
    let known = |lines: &[Line], key: &str, rule: &str| {
        lines.iter().any(|(row, name, broken, kept)| *row == key && *name == rule && !broken.is_empty() && !kept.is_empty())
    };
    let mut named = 0;
    for row in schemas.catalogue().rows() {
        let key = row.key.as_str();
        for rule in &row.rules {
            assert!(known(&rules, key, rule.as_str()), "{key} {rule}");
        }
        for warning in &row.warnings {
            assert!(known(&warnings, key, warning.as_str()), "{key} {warning}");
        }
        if row.dated_by.is_some() {
            assert!(known(&rules, key, "code_not_in_use") && known(&warnings, key, "code_may_be_over"), "{key}");
            named += 2;
        }
        named += row.rules.len() + row.warnings.len();
    }
    assert_eq!(rules.len() + warnings.len(), named, "a line of the table belongs to no rule of the catalogue");
}

#[test]
fn the_day_that_counts_is_the_day_in_japan() {
    let schemas = SchemaSet::builtin().unwrap();
    let rows = json!({"expected_release_date": "2026-11-21"});
    let at = |text: &str| schemas.catalogue().check_rules(&rows, text.parse().unwrap()).violations.len();
    assert_eq!(at("2026-11-21T14:59:59Z"), 0);
    assert_eq!(at("2026-11-21T15:00:00Z"), 1);
}

#[test]
fn a_finding_never_holds_a_value() {
    let schemas = SchemaSet::builtin().unwrap();
    let rows = json!({"free_note": "秘匿 090-7391-7391", "recipient_cert_number": "7391739173"});
    let found = judge(schemas.catalogue(), &rows);
    let text = serde_json::to_string(&(&found.violations, &found.warnings)).unwrap() + &format!("{found:?}");
    assert_eq!((found.violations.len(), found.warnings.len()), (1, 1));
    assert!(!text.contains("7391") && !text.contains("秘匿"), "{text}");
}
