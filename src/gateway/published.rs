//! The yearly numbers that were published once.
//!
//! Promises: the numbers of a place and a year are counted when they are first asked for, and stand in the opening of the entry that records that question;
//! everybody who asks later is given the same. Counted again, they would differ by what happened since: by one person whose consent ended, by one case
//! that was erased, and the difference would tell of what category that person was. What was given cannot be taken back either.
//! The entry is found by a search tag, and its opening must fit the commitment in its leaf: who changes the database changes no number unseen.

use super::{
    Gateway,
    failure::Failure,
    record::{GATEWAY_KEY, opening_context},
};
use crate::{
    domain::{
        entry::Operation,
        statistics::{FiscalYear, Statistics},
    },
    ledger::{Entry, SaltedOpening},
    store::{LedgerFilter, LedgerRow},
    vault,
};

impl Gateway {
    /// What was published of a place and a year; none where nobody asked yet.
    pub(super) async fn published(&self, place: &str, year: FiscalYear) -> Result<Option<Statistics>, Failure> {
        let tag = self.vault.tag(TAG, &of(place, year.number()));
        let operation = Some(Operation::StatisticsRead.as_str().to_owned());
        let filter = LedgerFilter { tags: vec![tag], operation, ..LedgerFilter::default() };
        let size = self.store.head().await?.size;
        // Of several that counted at the same time, the first.
        let Some(row) = self.store.find(&filter, None, size, 1).await?.rows.into_iter().next() else { return Ok(None) };
        let statistics = self.statistics_in(&row).await?;
        if (statistics.municipality.as_str(), statistics.year) != (place, year.number()) {
            return Err(Failure::Corrupt("ledger_index"));
        }
        Ok(Some(statistics))
    }

    async fn statistics_in(&self, row: &LedgerRow) -> Result<Statistics, Failure> {
        let entry: Entry = serde_json::from_slice(&row.body).map_err(|_| Failure::Corrupt("entry"))?;
        let sealed = row.opening.as_ref().filter(|sealed| sealed.key == GATEWAY_KEY).ok_or(Failure::Corrupt("opening"))?;
        let bytes = vault::open(&self.data_key(GATEWAY_KEY).await?, &opening_context(entry.id), sealed)?;
        let salted = SaltedOpening::from_bytes(&bytes)?;
        if !entry.open_c.is_some_and(|commitment| salted.opens(&commitment)) {
            return Err(Failure::Corrupt("opening"));
        }
        salted.opening.statistics.ok_or(Failure::Corrupt("opening"))
    }
}

/// What a publication is looked up by.
pub(super) fn of(place: &str, year: u16) -> String {
    format!("{place}/{year}")
}

/// Kind of its search tag.
pub(super) const TAG: &str = "statistics";
