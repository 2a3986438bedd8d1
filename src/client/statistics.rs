//! The yearly numbers of a municipality.

use serde::Deserialize;

use super::{
    connection::{Client, JSON, query, read_json},
    error::{ClientError, Doubt},
    proven::{LedgerPart, Proven},
};
use crate::domain::{
    codes::Purpose,
    entry::{Operation, Outcome},
    statistics::Statistics,
};

impl Client {
    /// The numbers of a fiscal year that is over: this municipality's own, or those of one within the jurisdiction. Asking is recorded.
    pub async fn statistics(&self, year: u16, municipality: Option<&str>, purpose: Purpose) -> Result<Proven<Statistics>, ClientError> {
        let asked = [("year", Some(year.to_string())), ("municipality", municipality.map(str::to_owned))];
        let (response, _) = self.read(&format!("/v1/statistics{}", query(&asked)), JSON, purpose).await?;
        let Answer { statistics, ledger } = read_json(&response.body, "statistics")?;
        let (entry, place) = ledger.verify(&self.identity.pinned)?;
        for (same, what) in [
            (entry.operation == Operation::StatisticsRead, "operation"),
            (entry.decision == Outcome::Permit, "decision"),
            (entry.party() == Some(self.party()), "party"),
            (statistics.year == year && municipality.is_none_or(|asked| asked == statistics.municipality), "question"),
        ] {
            if !same {
                return Err(Doubt::Entry(what).into());
            }
        }
        Ok(Proven::new(statistics, place))
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    statistics: Statistics,
    ledger: LedgerPart,
}
