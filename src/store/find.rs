//! Audit queries with bounded work (`ledger.md` section 3): a time range becomes an index range, the most selective condition with an index
//! drives, and at most [`CANDIDATES`] of its entries are looked at in one call.

use sqlx::QueryBuilder;

use super::{
    Found, LedgerFilter, LedgerRow, StoreError, Tag,
    decode::{self, integer},
    sql,
    sqlite::{Db, DbConnection},
};
use crate::domain::time::Timestamp;

pub(super) async fn find(
    connection: &mut DbConnection,
    filter: &LedgerFilter,
    after: Option<u64>,
    size: u64,
    limit: u32,
) -> Result<Found, StoreError> {
    let mut above = decode::after(after);
    let mut below = integer(size);
    if let Some(from) = filter.from {
        let Some(first) = first_at_or_after(connection, from).await? else { return Ok(Found::default()) };
        above = above.max(first - 1);
    }
    if let Some(to) = filter.to {
        below = below.min(first_at_or_after(connection, to).await?.unwrap_or(i64::MAX));
    }
    if limit == 0 || above.saturating_add(1) >= below {
        return Ok(Found::default());
    }
    let driver = Driver::of(filter);
    let last = driver.last_candidate(connection, above, below).await?;
    let until = last.map_or(below, |last| last + 1);

    let mut query = QueryBuilder::<Db>::new("SELECT e.idx, e.body, o.key, o.sealed FROM ");
    query.push(driver.table());
    // The driving index gives the order, the entries are read one by one behind it, and reading stops with the last row of the page.
    query.push(" c CROSS JOIN ledger_entry e LEFT JOIN ledger_opening o ON o.idx = e.idx WHERE e.idx = c.idx");
    driver.push(&mut query, above, until);
    push_rest(&mut query, filter);
    query.push(" ORDER BY c.idx LIMIT ").push_bind(i64::from(limit));
    let rows: Vec<EntryColumns> = query.build_query_as().fetch_all(connection).await.map_err(StoreError::Database)?;
    let rows: Vec<LedgerRow> = rows.into_iter().map(ledger_row).collect::<Result<_, _>>()?;

    let full = u32::try_from(rows.len()).is_ok_and(|found| found >= limit);
    let next = match (full, last) {
        (true, _) => rows.last().map(|row| row.idx),
        (false, Some(last)) => Some(decode::count("ledger_entry.idx", last)?),
        (false, None) => None,
    };
    Ok(Found { rows, next })
}

async fn first_at_or_after(connection: &mut DbConnection, time: Timestamp) -> Result<Option<i64>, StoreError> {
    let query = sqlx::query_scalar(sql::FIRST_AT_OR_AFTER).bind(time.micros());
    query.fetch_optional(connection).await.map_err(StoreError::Database)
}

/// The condition that an index answers in the order of the ledger: the first that the filter has, most selective first.
enum Driver {
    Tag(Tag),
    Column(&'static str, String),
    /// No such condition: the range alone.
    Range,
}

impl Driver {
    fn of(filter: &LedgerFilter) -> Self {
        if let Some(tag) = filter.tags.first() {
            return Self::Tag(*tag);
        }
        let columns = [
            ("agreement", filter.agreement.clone()),
            ("recipient", filter.recipient.as_ref().map(ToString::to_string)),
            ("actor", filter.actor.as_ref().map(ToString::to_string)),
            ("reason", filter.reason.clone()),
        ];
        columns.into_iter().find_map(|(name, value)| Some(Self::Column(name, value?))).unwrap_or(Self::Range)
    }

    const fn table(&self) -> &'static str {
        match self {
            Self::Tag(_) => "ledger_index",
            Self::Column(..) | Self::Range => "ledger_entry",
        }
    }

    fn push(&self, query: &mut QueryBuilder<Db>, above: i64, below: i64) {
        match self {
            Self::Tag(tag) => query.push(" AND c.tag = ").push_bind(tag.0.to_vec()),
            Self::Column(name, value) => query.push(" AND c.").push(name).push(" = ").push_bind(value.clone()),
            Self::Range => query,
        };
        query.push(" AND c.idx > ").push_bind(above).push(" AND c.idx < ").push_bind(below);
    }

    /// The index of the last candidate, when there are more than one call looks at.
    async fn last_candidate(&self, connection: &mut DbConnection, above: i64, below: i64) -> Result<Option<i64>, StoreError> {
        if matches!(self, Self::Range) {
            let last = above.saturating_add(CANDIDATES);
            return Ok((last < below - 1).then_some(last));
        }
        let mut query = QueryBuilder::<Db>::new("SELECT c.idx FROM ");
        query.push(self.table()).push(" c WHERE 1 = 1");
        self.push(&mut query, above, below);
        query.push(" ORDER BY c.idx LIMIT 1 OFFSET ").push_bind(CANDIDATES - 1);
        query.build_query_scalar().fetch_optional(connection).await.map_err(StoreError::Database)
    }
}

/// Every condition of the filter; the driving one again, which costs nothing.
fn push_rest(query: &mut QueryBuilder<Db>, filter: &LedgerFilter) {
    let columns = [
        ("actor", filter.actor.as_ref().map(ToString::to_string)),
        ("recipient", filter.recipient.as_ref().map(ToString::to_string)),
        ("operation", filter.operation.clone()),
        ("type", filter.entry_type.clone()),
        ("decision", filter.decision.clone()),
        ("reason", filter.reason.clone()),
        ("agreement", filter.agreement.clone()),
    ];
    for (name, value) in columns {
        if let Some(value) = value {
            query.push(" AND e.").push(name).push(" = ").push_bind(value);
        }
    }
    for tag in &filter.tags {
        query.push(" AND EXISTS (SELECT 1 FROM ledger_index t WHERE t.idx = e.idx AND t.tag = ").push_bind(tag.0.to_vec()).push(")");
    }
    if let Some(places) = &filter.places {
        query.push(" AND (1 = 0");
        for place in places {
            for side in ["actor_place", "recipient_place"] {
                if place.len() == PREFECTURE {
                    query.push(" OR substr(e.").push(side).push(", 1, 2) = ").push_bind(place.clone());
                } else {
                    query.push(" OR e.").push(side).push(" = ").push_bind(place.clone());
                }
            }
        }
        query.push(")");
    }
}

pub(super) type EntryColumns = (i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

pub(super) fn ledger_row((idx, body, key, sealed): EntryColumns) -> Result<LedgerRow, StoreError> {
    let opening = match (key, sealed) {
        (Some(key), Some(sealed)) => Some(decode::sealed("ledger_opening.key", &key, sealed)?),
        _ => None,
    };
    Ok(LedgerRow { idx: decode::count("ledger_entry.idx", idx)?, body, opening })
}

/// Digits of a prefecture number; longer places are local government codes.
const PREFECTURE: usize = 2;
/// How many entries one call looks at: some tens of milliseconds when none passes.
const CANDIDATES: i64 = 20_000;
