//! Yearly numbers of a municipality (年度の件数), with small ones suppressed.
//!
//! Promises: what is published tells of no single case, also to who knows this rule. A number from 1 to 9 is never given (`MIN_CELL`; the smallest
//! count that the guidelines on medical statistics of the ministry of health let out is ten too), and neither is what it could be computed from:
//!
//! - of a table with a small number, those are hidden that are small, and with them numbers of ten or more in the order of the table, at least one and as
//!   many as it takes that each hidden small number could be any small one for all that the total says;
//! - where no such number is left, all of the table are hidden and its total says no more than their sum; where even that would tell, and where the
//!   total is small itself, the total is hidden, and with it all numbers of all tables that add up to it;
//! - which numbers go with the small ones depends on their order alone and not on their size, so that the choice tells nothing;
//! - nought is nought: it tells of nobody. Not so by category (対象者区分): that nobody is of two categories says of everybody that he is of the third.
//!   There a nought is hidden as a small number is: what is given is ten or more, or that there is nobody at all;
//! - tables of one subject have no number in common but their total, and none is a part of another: what one of them gives says nothing of another beyond
//!   that. Requests of providers, who have no category to tell, are therefore a subject of their own.
//!
//! Numbers that are counted again later differ by single cases: they are published once (`gateway::statistics`).
//! Not here: counting.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{codes::closed_list, time::Timestamp};

closed_list! {
    /// What is counted, each with a total of its own.
    Subject {
        /// Persons who were referred to the municipality.
        Received = "received",
        /// Persons about whom a provider that serves them asked it.
        Consulted = "consulted",
        /// Decisions whether to take a case on.
        Decided = "decided",
        /// Persons whom a provider began to serve.
        Started = "started",
        /// Cases that were closed.
        Closed = "closed",
    }
}

closed_list! {
    /// By what it is divided.
    Division {
        /// Kind of the body that referred the person, and how.
        ReferredBy = "referred_by",
        /// Category of the person (対象者区分).
        Category = "category",
        /// Kind of the provider that asked.
        ConsultedBy = "consulted_by",
        /// What was decided.
        Outcome = "outcome",
        /// Kind of the provider.
        Provider = "provider",
        /// Whether the municipality had taken the case on.
        TakenOn = "taken_on",
    }
}

closed_list! {
    /// A row of a table.
    RowName {
        SettlementCenter = "settlement_center",
        ProbationOffice = "probation_office",
        BarAssociation = "bar_association",
        Municipality = "municipality",
        CoreCenter = "core_center",
        /// A probation office that asked directly.
        ProbationOfficeDirect = "probation_office_direct",
        /// A bar association that asked directly.
        BarAssociationDirect = "bar_association_direct",
        /// 矯正施設退所者等.
        Exit = "exit",
        /// 被疑者・被告人等.
        Entry = "entry",
        /// 市町村等が必要と認める者.
        MunicipalRecognised = "municipal_recognised",
        /// Not told, or not to be opened any more.
        NotKnown = "not_known",
        ConsultationOffice = "consultation_office",
        Accepted = "accepted",
        Declined = "declined",
        Redirected = "redirected",
        GroupHome = "group_home",
        SupportFacility = "support_facility",
        LodgingTraining = "lodging_training",
        DayService = "day_service",
        TakenOn = "taken_on",
        NotTakenOn = "not_taken_on",
    }
}

impl Division {
    /// The rows of its table: always the same, in this order.
    #[must_use]
    pub const fn rows(self) -> &'static [RowName] {
        match self {
            Self::ReferredBy => &[
                RowName::SettlementCenter,
                RowName::ProbationOffice,
                RowName::BarAssociation,
                RowName::Municipality,
                RowName::CoreCenter,
                RowName::ProbationOfficeDirect,
                RowName::BarAssociationDirect,
            ],
            Self::Category => &[RowName::Exit, RowName::Entry, RowName::MunicipalRecognised, RowName::NotKnown],
            Self::ConsultedBy => {
                &[RowName::ConsultationOffice, RowName::GroupHome, RowName::SupportFacility, RowName::LodgingTraining, RowName::DayService]
            }
            Self::Outcome => &[RowName::Accepted, RowName::Declined, RowName::Redirected],
            Self::Provider => &[RowName::GroupHome, RowName::SupportFacility, RowName::LodgingTraining, RowName::DayService],
            Self::TakenOn => &[RowName::TakenOn, RowName::NotTakenOn],
        }
    }

    /// The smallest number that is hidden in its table.
    const fn least_hidden(self) -> u64 {
        match self {
            Self::Category => 0,
            Self::ReferredBy | Self::ConsultedBy | Self::Outcome | Self::Provider | Self::TakenOn => 1,
        }
    }

    const fn hides(self, count: u64) -> bool {
        self.least_hidden() <= count && count < MIN_CELL
    }
}

impl Subject {
    /// Its divisions.
    #[must_use]
    pub const fn divisions(self) -> &'static [Division] {
        match self {
            Self::Received => &[Division::ReferredBy, Division::Category],
            Self::Consulted => &[Division::ConsultedBy],
            Self::Decided => &[Division::Outcome],
            Self::Started => &[Division::Provider],
            Self::Closed => &[Division::TakenOn],
        }
    }

    /// Whether it is what brings a case, from which days are counted.
    const fn is_arrival(self) -> bool {
        matches!(self, Self::Received | Self::Consulted)
    }
}

/// Numbers of one subject before they are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What was counted.
    pub subject: Subject,
    /// Its tables. Each adds up to the same total.
    pub tables: Vec<(Division, Vec<(RowName, u64)>)>,
    /// Days from the referral to it, one for each.
    pub days: Vec<i64>,
}

/// Numbers of one subject as they are published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// What was counted.
    pub subject: Subject,
    /// How many; none where it is hidden.
    pub total: Option<u64>,
    /// The same divided.
    pub tables: Vec<Table>,
    /// Median of the days from the referral to it; none where there are fewer than ten, and where it is the referral.
    pub median_days: Option<i64>,
}

/// One division.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// By what.
    pub by: Division,
    /// Its rows, always the same ones.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Of what.
    pub code: RowName,
    /// How many; none where it is hidden.
    pub count: Option<u64>,
}

/// The numbers of one place and one fiscal year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// 全国地方公共団体コード.
    pub municipality: String,
    /// The fiscal year, from April to March in Japan.
    pub year: u16,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
    /// Smallest number that is given.
    pub min_cell: u64,
    /// The numbers.
    pub numbers: Vec<Numbers>,
}

/// A year from April to March in Japan (年度).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiscalYear(u16);

impl FiscalYear {
    /// The year that begins in April of this one; none that the calendar of the ledger does not have.
    #[must_use]
    pub const fn new(year: u16) -> Option<Self> {
        if year >= FIRST && year <= LAST { Some(Self(year)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Its first moment: 1 April, 00:00 in Japan, which is 15:00 of the day before in UTC.
    #[must_use]
    pub fn from(self) -> Timestamp {
        begin(self.0)
    }

    /// The first moment behind it.
    #[must_use]
    pub fn until(self) -> Timestamp {
        begin(self.0 + 1)
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.from() <= at && at < self.until()
    }
}

impl Counted {
    /// Nothing yet.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        let empty = |by: &Division| (*by, by.rows().iter().map(|row| (*row, 0)).collect());
        Self { subject, tables: subject.divisions().iter().map(empty).collect(), days: Vec::new() }
    }

    /// Counts one, which stands in one row of each table.
    pub fn add(&mut self, rows: &[RowName], days: i64) {
        for (_, table) in &mut self.tables {
            table.iter_mut().filter(|(row, _)| rows.contains(row)).for_each(|(_, count)| *count += 1);
        }
        self.days.push(days);
    }

    /// What may be published.
    #[must_use]
    pub fn publish(&self) -> Numbers {
        let total = self.tables.first().map_or(0, |(_, rows)| sum(rows));
        let told: Option<Vec<Vec<bool>>> = self.tables.iter().map(|(by, rows)| shown(*by, rows)).collect();
        let told = told.filter(|_| !is_small(total));
        let tables = self.tables.iter().enumerate().map(|(at, (by, rows))| {
            let shown =
                |row: usize| told.as_ref().is_some_and(|tables| tables.get(at).and_then(|rows| rows.get(row)).copied().unwrap_or(false));
            // Where there is nobody, nobody is of any kind.
            let is_nought = |count: u64| count == 0 && (total == 0 || !by.hides(0));
            let row = |(at, (code, count)): (usize, &(RowName, u64))| Row {
                code: *code,
                count: Some(*count).filter(|count| is_nought(*count) || shown(at)),
            };
            Table { by: *by, rows: rows.iter().enumerate().map(row).collect() }
        });
        let tables = tables.collect();
        let median_days = median(&self.days).filter(|_| !self.subject.is_arrival());
        Numbers { subject: self.subject, total: Some(total).filter(|total| *total == 0 || told.is_some()), tables, median_days }
    }
}

/// Which rows of a table are shown beside its total; none where the total must be hidden too.
fn shown(by: Division, rows: &[(RowName, u64)]) -> Option<Vec<bool>> {
    let mut shown: Vec<bool> = rows.iter().map(|(_, count)| !by.hides(*count)).collect();
    let small = count(shown.iter().filter(|shown| !**shown));
    if small == 0 {
        return Some(shown);
    }
    let hidden = |shown: &[bool]| -> u64 { rows.iter().zip(shown).filter(|(_, shown)| !**shown).map(|((_, count), _)| *count).sum() };
    // Each small number could be any small one while one of the others stays ten or more.
    let room = MIN_CELL - 1 + MIN_CELL + by.least_hidden() * (small - 1);
    let mut beside = 0_u64;
    for (at, _) in rows.iter().enumerate().filter(|(_, (_, count))| *count >= MIN_CELL) {
        if beside > 0 && hidden(&shown) >= room {
            return Some(shown);
        }
        if let Some(row) = shown.get_mut(at) {
            *row = false;
        }
        beside += 1;
    }
    let enough = if beside > 0 && hidden(&shown) >= room {
        true
    } else {
        // All are hidden: their sum must leave each of them its room.
        sum(rows) >= by.least_hidden() * (small + beside) + MIN_CELL - 1
    };
    enough.then_some(shown)
}

const fn is_small(count: u64) -> bool {
    0 < count && count < MIN_CELL
}

fn sum(rows: &[(RowName, u64)]) -> u64 {
    rows.iter().map(|(_, count)| *count).sum()
}

fn count(things: impl Iterator) -> u64 {
    u64::try_from(things.count()).unwrap_or(u64::MAX)
}

/// The lower median, where there are enough of them.
fn median(days: &[i64]) -> Option<i64> {
    let mut days = days.to_vec();
    days.sort_unstable();
    let enough = count(days.iter()) >= MIN_CELL;
    days.get(days.len().saturating_sub(1) / 2).copied().filter(|_| enough)
}

fn begin(year: u16) -> Timestamp {
    // Both bounds of a year that exists can be written.
    format!("{year:04}-04-01T00:00:00+09:00").parse().unwrap_or_default()
}

/// The smallest number of cases that is given.
pub const MIN_CELL: u64 = 10;
/// No ledger of this kind is older.
const FIRST: u16 = 2020;
const LAST: u16 = 9990;
