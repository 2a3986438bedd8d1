//! A fiscal year that is over, and what is told of it.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::Connection as _;

use crate::{exchange_stage::ledger::connect, life_stage::Life};

/// Takes what happened so far back into the fiscal year before.
pub(crate) async fn a_year_later(life: &Life) {
    let cutoff = i64::try_from(cutoff()).unwrap();
    for table in ["message", "case_party"] {
        let back = format!("UPDATE {table} SET received = received - {YEAR} WHERE received > {cutoff}");
        if let Some(database) = life.sandbox.postgres() {
            assert_ne!(database.sql(&format!("WITH moved AS ({back} RETURNING 1) SELECT count(*) FROM moved")), "0", "{table}");
            continue;
        }
        let mut connection = connect(&life.sandbox.database()).await;
        let moved = sqlx::query(sqlx::AssertSqlSafe(back)).execute(&mut connection).await.unwrap();
        assert!(moved.rows_affected() > 0, "{table}");
        connection.close().await.unwrap();
    }
}

/// A moment within the last hundred days, microseconds.
fn cutoff() -> u64 {
    let now = u64::try_from(crate::exchange_stage::party::now().micros()).unwrap();
    now - 100 * 86_400_000_000
}

/// The fiscal year in which a moment one year ago lies.
pub(crate) fn last_year() -> u16 {
    let moment = crate::exchange_stage::party::now().plus_secs(-YEAR / 1_000_000 + 9 * 3600).to_string();
    let (year, month): (u16, u16) = (moment[..4].parse().unwrap(), moment[5..7].parse().unwrap());
    if month < 4 { year - 1 } else { year }
}

pub(crate) type Counts = BTreeMap<String, Option<u64>>;

/// Totals and rows of an answer.
pub(crate) fn told(answer: &Value) -> Counts {
    let mut counts = Counts::new();
    for numbers in answer["numbers"].as_array().unwrap() {
        let subject = numbers["subject"].as_str().unwrap();
        counts.insert(subject.to_owned(), numbers["total"].as_u64());
        for row in numbers["tables"].as_array().unwrap().iter().flat_map(|table| table["rows"].as_array().unwrap()) {
            counts.insert(format!("{subject}.{}", row["code"].as_str().unwrap()), row["count"].as_u64());
        }
    }
    counts
}

/// Microseconds of 365 days.
const YEAR: i64 = 365 * 86_400 * 1_000_000;
