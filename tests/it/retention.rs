//! What is past the period of its agreement is erased by a run, and nothing else (`domain.md` section 12). The months pass by a clock of the test.

use std::sync::Arc;

use serde_json::{Value, json};
use tsunagi::{
    clock::{Clock, ManualClock, SystemClock},
    config::Config,
    domain::{codes::MessageKind, day::Day, time::Timestamp},
    startup,
};

use crate::{
    erasure_stage::in_both,
    exchange_stage::{CENTRE, MUNICIPALITY as CITY, Sandbox},
    life_stage::{Life, PLACEMENT, letter},
};

in_both!("warn"; a_case_is_erased_when_its_period_is_over_and_not_a_day_before);

async fn a_case_is_erased_when_its_period_is_over_and_not_a_day_before(sandbox: Sandbox) {
    // One that was closed, one that was declined, one that its origin took back, and one that goes on.
    let mut life = Life::accepted_on(sandbox).await;
    let (first, referral) = (life.case(CENTRE).to_owned(), life.first(CITY).await);
    let read = life.read(CITY, CENTRE, &referral, PLACEMENT).await.unwrap();
    assert_eq!(read.headers.get("tsunagi-retention-months").unwrap(), "6");
    assert!(read.headers.get("tsunagi-erase-by").is_none(), "no period begins before a case is over");
    let closing = life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    let read = life.read(CENTRE, CITY, &closing, PLACEMENT).await.unwrap();
    let today = Day::in_japan(SystemClock.now());
    assert_eq!(read.headers.get("tsunagi-erase-by").unwrap().to_str().unwrap(), today.months_later(6).to_string());
    let shown = life.tool(CENTRE, &["message", "show", "--case", &first, &closing.to_string()]).unwrap();
    assert!(shown.contains(&format!("Erase it by {}", today.months_later(6))), "{shown}");
    life.another().await;
    let second = life.case(CENTRE).to_owned();
    life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "declined").with("decline_reason", "no_resource")).await;
    life.another().await;
    let third = life.case(CENTRE).to_owned();
    life.goes(letter(MessageKind::StatusNotice, CENTRE, CITY).with("status", "cancelled")).await;
    life.another().await;
    let open = life.case(CENTRE).to_owned();

    let config = Config::load(&life.sandbox.config()).unwrap();
    let planned = startup::retention_plan(&config, Arc::new(SystemClock)).await.unwrap();
    let mut cases: Vec<(String, u32, bool)> = planned.iter().map(|k| (k.case.to_string(), k.months, k.due)).collect();
    cases.sort();
    let mut expected = [&first, &second, &third].map(|case| (case.clone(), 6, false)).to_vec();
    expected.sort();
    assert_eq!(cases, expected);
    assert!(planned.iter().all(|keeping| keeping.until == today.months_later(6) && keeping.party.to_string() == CENTRE));

    // On its last day it is kept.
    let (run, left) = startup::retention_run(&config, at(noon_of(today.months_later(6))), None).await.unwrap();
    assert!(run.erased.is_empty() && run.failed.is_empty() && left.is_none());
    assert_eq!(life.state_of(&first).await, (200, String::new()));

    // Behind it, all three go: the first by a run that is interrupted after it, the others by the next.
    let (later, by) = (at(noon_of(today.months_later(6).next())), "file-7".parse().unwrap());
    let planned = startup::retention_plan(&config, Arc::clone(&later)).await.unwrap();
    assert!(planned.iter().all(|keeping| keeping.due));
    let interrupted = tsunagi::gateway::Erasure {
        case: &planned[0].case,
        party: &planned[0].party,
        reason: tsunagi::domain::entry::ErasureReason::RetentionOver,
        by: Some(&by),
    };
    startup::erase(&config, Arc::clone(&later), &interrupted, false).await.unwrap();
    let (run, left) = startup::retention_run(&config, Arc::clone(&later), Some(&by)).await.unwrap();
    assert_eq!(run.erased.iter().map(|(keeping, _)| keeping.case).collect::<Vec<_>>(), [planned[1].case, planned[2].case]);
    assert!(run.failed.is_empty() && left.unwrap().is_ok());
    let (again, _) = startup::retention_run(&config, later, Some(&by)).await.unwrap();
    assert!(again.erased.is_empty(), "never twice");
    for case in [&first, &second, &third] {
        assert_eq!(life.state_of(case).await, (410, "erased".to_owned()));
    }
    assert_eq!(life.state_of(&open).await.0, 200, "a case that goes on has no period");

    let entries = life.erasures().await;
    assert_eq!(entries.len(), 3, "each with an entry of its own");
    for event in &entries {
        assert_eq!((&event["opened"]["erasure"], &event["opened"]["staff"]), (&json!("retention_over"), &json!("file-7")), "{event}");
    }
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_what_is_kept_and_erases_only_what_is_due() {
    let mut life = Life::accepted().await;
    let config = life.sandbox.config().to_str().unwrap().to_owned();
    let none = life.tool(CENTRE, &["retention", "plan", "--config", &config]).unwrap();
    assert!(none.contains("No case was declined or closed"), "{none}");
    life.goes(letter(MessageKind::ClosingNotice, CITY, CENTRE)).await;
    let planned = life.tool(CENTRE, &["retention", "plan", "--config", &config]).unwrap();
    assert!(planned.contains(life.case(CENTRE)) && !planned.contains("DUE"), "{planned}");
    let done = life.tool(CENTRE, &["--json", "retention", "plan", "--config", &config]).unwrap();
    let keeping: Value = serde_json::from_str(&done).unwrap();
    assert_eq!((&keeping["months"], &keeping["due"]), (&json!(6), &json!(false)));
    let run = life.tool(CENTRE, &["retention", "run", "--config", &config, "--acting-staff", "file-7"]).unwrap();
    assert!(run.contains("0 cases erased"), "{run}");
    life.tool(CENTRE, &["retention", "plan", "--config", "/nowhere.toml"]).unwrap_err();
    life.server.stop().await;
}

fn noon_of(day: Day) -> Timestamp {
    format!("{day}T12:00:00+09:00").parse().unwrap()
}

fn at(time: Timestamp) -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(time))
}

impl Life {
    /// Status and code of the list of messages of a case, as the centre knows it.
    async fn state_of(&self, case: &str) -> (u16, String) {
        match self.party(CENTRE).json(&format!("/v1/cases/{case}/messages"), PLACEMENT).await {
            Ok(_) => (200, String::new()),
            Err(setback) => {
                let problem = setback.problem();
                (problem.status, problem.code)
            }
        }
    }

    async fn erasures(&self) -> Vec<Value> {
        let auditor = self.sandbox.party(crate::exchange_stage::AUDITOR);
        let purpose = tsunagi::domain::codes::Purpose::AuditReview;
        let page = auditor.json("/v1/audit/events?type=erasure", purpose).await.unwrap();
        page["events"].as_array().unwrap().clone()
    }
}
