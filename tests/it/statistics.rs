//! Yearly numbers through a gateway: what is counted is what happened, small numbers are not told, an erasure changes nothing, and every question is recorded.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tsunagi::domain::{
    codes::{MessageKind, Purpose},
    entry::{EntryType, Operation, Outcome},
};

use crate::{
    disclosures::parsed,
    erasure_stage::{erase, in_both, printed},
    exchange_stage::{AUDITOR, BINARY, CENTRE, MUNICIPALITY as CITY, Sandbox, ledger::Ledger},
    life_stage::{HOME, Life, PLACEMENT, letter},
    statistics_stage::{Counts, a_year_later, last_year, told},
};

async fn decide(life: &mut Life, decision: &str) {
    let answer = letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", decision);
    life.goes(if decision == "accepted" { answer } else { answer.with("decline_reason", "no_resource") }).await;
}

in_both!("warn"; the_numbers_are_what_happened_and_small_ones_are_not_told);

async fn the_numbers_are_what_happened_and_small_ones_are_not_told(sandbox: Sandbox) {
    let mut life = Life::referred_on(sandbox, false).await;
    decide(&mut life, "accepted").await;
    life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    life.goes(letter(MessageKind::StatusNotice, HOME, CITY).with("status", "started")).await;
    life.goes(letter(MessageKind::ClosingNotice, CITY, HOME)).await;
    let served = life.case(CITY).to_owned();
    for decision in std::iter::repeat_n("accepted", 11).chain(std::iter::repeat_n("declined", 10)) {
        life.another().await;
        decide(&mut life, decision).await;
    }
    a_year_later(&life).await;
    let year = last_year();
    let (own, audited) = (format!("/v1/statistics?year={year}"), format!("/v1/statistics?year={year}&municipality=131016"));
    let answer = life.party(CITY).json(&own, PLACEMENT).await.unwrap();
    let counts = told(&answer);
    let expected = [
        ("received", Some(22)),
        ("received.settlement_center", Some(22)),
        ("received.probation_office_direct", Some(0)),
        // Everybody of one category: that nobody is of another is not told either.
        ("received.entry", None),
        ("received.exit", None),
        ("received.not_known", None),
        ("consulted", Some(0)),
        ("consulted.group_home", Some(0)),
        ("decided", Some(22)),
        ("decided.accepted", Some(12)),
        ("decided.declined", Some(10)),
        ("decided.redirected", Some(0)),
        // One of each: too few to tell.
        ("started", None),
        ("started.group_home", None),
        ("started.day_service", Some(0)),
        ("closed", None),
        ("closed.taken_on", None),
        ("closed.not_taken_on", Some(0)),
    ];
    for (name, count) in expected {
        assert_eq!(counts[name], count, "{name}: {answer}");
    }
    let median =
        |subject: &str| answer["numbers"].as_array().unwrap().iter().find(|of| of["subject"] == subject).unwrap()["median_days"].clone();
    assert_eq!((median("decided"), median("started")), (0.into(), Value::Null));
    assert_eq!((&answer["municipality"], &answer["min_cell"]), (&"131016".into(), &10.into()));
    let by_auditor = life.story.auditor.json(&audited, Purpose::AuditReview).await.unwrap();
    assert_eq!(told(&by_auditor), counts);

    // A year in which nothing happened says so.
    let before = life.party(CITY).json(&format!("/v1/statistics?year={}", year - 1), PLACEMENT).await.unwrap();
    assert!(told(&before).values().all(|count| *count == Some(0)), "{before}");

    // An erasure takes back nothing that happened, and nothing that was said of it.
    printed(&erase(&life.sandbox, &served, CITY, &[]));
    let after = life.party(CITY).json(&own, PLACEMENT).await.unwrap();
    assert_eq!(after["numbers"], answer["numbers"]);

    what_may_not_be_asked_is_refused(&life, year).await;
    the_command_says_the_same(&life, year, &counts);
    let ledger = Ledger::read(&life.story.auditor).await;
    let asked: Vec<_> = ledger.records.iter().filter(|record| record.entry.operation == Operation::StatisticsRead).collect();
    let permitted = asked.iter().filter(|record| record.entry.decision == Outcome::Permit);
    assert_eq!(permitted.clone().count(), 6);
    assert!(permitted.into_iter().all(|record| record.entry.entry_type == EntryType::AuditQuery));
    assert_eq!(asked.len(), 6 + 5, "refused ones too");
    life.server.stop().await;
}

async fn what_may_not_be_asked_is_refused(life: &Life, year: u16) {
    let others = format!("/v1/statistics?year={year}&municipality=131024");
    let running = format!("/v1/statistics?year={}", year + 1);
    for (party, target, purpose, status, code) in [
        (CITY, &others, PLACEMENT, 403, "operation_not_allowed"),
        (CENTRE, &others, PLACEMENT, 403, "operation_not_allowed"),
        (HOME, &others, PLACEMENT, 403, "operation_not_allowed"),
        (CITY, &running, PLACEMENT, 400, "bad_request"),
    ] {
        let problem = life.party(party).json(target, purpose).await.unwrap_err().problem();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{party} {target}: {}", problem.text);
    }
    let nowhere = format!("/v1/statistics?year={year}");
    let problem = life.story.auditor.json(&nowhere, Purpose::AuditReview).await.unwrap_err().problem();
    assert_eq!((problem.status, problem.code.as_str()), (400, "bad_request"), "an auditor says of whom: {}", problem.text);
}

fn the_command_says_the_same(life: &Life, year: u16, counts: &Counts) {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("numbers.csv");
    let year = year.to_string();
    let made =
        command(life, AUDITOR, &["--json", "audit", "statistics", "--year", &year, "--municipality", "131016", "--bom", "--csv"], &table);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(told(&made["statistics"]).get("decided.accepted"), counts.get("decided.accepted"));
    assert!(fs::read_to_string(&table).unwrap().starts_with('\u{feff}'));
    let rows = parsed(&table);
    assert!(rows.iter().all(|row| row.len() == 6));
    let of = |row: &str| rows.iter().find(|cells| cells[2] == "受理・不受理・移送の決定" && cells[4] == row).unwrap()[5].clone();
    assert_eq!((of("受理").as_str(), of("合計").as_str()), ("12", "22"));
    assert!(rows.iter().any(|cells| cells[5] == "非公表"));
    let spoken = command(life, CITY, &["--lang", "ja", "audit", "statistics", "--year", &year, "--csv"], &folder.path().join("own.csv"));
    assert!(spoken.contains("1 から 9 まで") && spoken.contains("受理: 12"), "{spoken}");
}

fn command(life: &Life, party: &str, words: &[&str], file: &Path) -> String {
    let mut command = Command::new(BINARY);
    command.args(words).arg(file).stdin(Stdio::null()).env("TSUNAGI_IDENTITY", life.sandbox.identity(&party.parse().unwrap()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
