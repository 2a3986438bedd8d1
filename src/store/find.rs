//! Audit queries with bounded work (`ledger.md` section 3): a time range becomes an index range, the most selective condition with an index
//! drives, and at most [`CANDIDATES`] of its entries are looked at in one call.

use super::{
    Found, LedgerFilter, LedgerRow, StoreError, Tag,
    decode::{self, integer},
    reads::{Database, SqlStore},
    sql,
    statement::Statement,
};
use crate::domain::time::Timestamp;

pub(super) async fn find<D: Database>(
    store: &SqlStore<D>,
    filter: &LedgerFilter,
    after: Option<u64>,
    size: u64,
    limit: u32,
) -> Result<Found, StoreError> {
    let mut above = decode::after(after);
    let mut below = integer(size);
    if let Some(from) = filter.from {
        let Some(first) = first_at_or_after(store, from).await? else { return Ok(Found::default()) };
        above = above.max(first - 1);
    }
    if let Some(to) = filter.to {
        below = below.min(first_at_or_after(store, to).await?.unwrap_or(i64::MAX));
    }
    if limit == 0 || above.saturating_add(1) >= below {
        return Ok(Found::default());
    }
    let driver = Driver::of(filter);
    let last = driver.last_candidate(store, above, below).await?;
    let until = last.map_or(below, |last| last + 1);

    let query = Statement::new("SELECT e.idx, e.body, o.key, o.sealed FROM ").push(driver.table());
    // The driving index gives the order, the entries are read one by one behind it, and reading stops with the last row of the page.
    let query = query.push(" c CROSS JOIN ledger_entry e LEFT JOIN ledger_opening o ON o.idx = e.idx WHERE e.idx = c.idx");
    let query = push_rest(driver.push(query, above, until), filter);
    let query = query.push(" ORDER BY c.idx LIMIT ").next().int(i64::from(limit));
    let rows: Vec<EntryColumns> = store.all(query).await?;
    let rows: Vec<LedgerRow> = rows.into_iter().map(ledger_row).collect::<Result<_, _>>()?;

    let full = u32::try_from(rows.len()).is_ok_and(|found| found >= limit);
    let next = match (full, last) {
        (true, _) => rows.last().map(|row| row.idx),
        (false, Some(last)) => Some(decode::count("ledger_entry.idx", last)?),
        (false, None) => None,
    };
    Ok(Found { rows, next })
}

async fn first_at_or_after<D: Database>(store: &SqlStore<D>, time: Timestamp) -> Result<Option<i64>, StoreError> {
    store.cell(Statement::new(sql::FIRST_AT_OR_AFTER).int(time.micros())).await
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

    fn push(&self, query: Statement, above: i64, below: i64) -> Statement {
        let query = match self {
            Self::Tag(tag) => query.push(" AND c.tag = ").next().blob(&tag.0),
            Self::Column(name, value) => query.push(" AND c.").push(name).push(" = ").next().text(value),
            Self::Range => query,
        };
        query.push(" AND c.idx > ").next().int(above).push(" AND c.idx < ").next().int(below)
    }

    /// The index of the last candidate, when there are more than one call looks at.
    async fn last_candidate<D: Database>(&self, store: &SqlStore<D>, above: i64, below: i64) -> Result<Option<i64>, StoreError> {
        if matches!(self, Self::Range) {
            let last = above.saturating_add(CANDIDATES);
            return Ok((last < below - 1).then_some(last));
        }
        let query = Statement::new("SELECT c.idx FROM ").push(self.table()).push(" c WHERE 1 = 1");
        let query = self.push(query, above, below).push(" ORDER BY c.idx LIMIT 1 OFFSET ").next().int(CANDIDATES - 1);
        store.cell(query).await
    }
}

/// Every condition of the filter; the driving one again, which costs nothing.
fn push_rest(mut query: Statement, filter: &LedgerFilter) -> Statement {
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
            query = query.push(" AND e.").push(name).push(" = ").next().text(value);
        }
    }
    for tag in &filter.tags {
        query = query.push(" AND EXISTS (SELECT 1 FROM ledger_index t WHERE t.idx = e.idx AND t.tag = ").next().blob(&tag.0).push(")");
    }
    if let Some(places) = &filter.places {
        query = query.push(" AND (1 = 0");
        for place in places {
            for side in ["actor_place", "recipient_place"] {
                query = if place.len() == PREFECTURE {
                    query.push(" OR substr(e.").push(side).push(", 1, 2) = ").next().text(place)
                } else {
                    query.push(" OR e.").push(side).push(" = ").next().text(place)
                };
            }
        }
        query = query.push(")");
    }
    query
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
