//! `tsunagi audit statistics`: the yearly numbers of municipalities, small ones suppressed.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{As, patient, say};
use crate::{
    cli::{
        CliError, Voice,
        new_file::{PUBLIC, write},
    },
    domain::{
        codes::Purpose,
        party::PartyKind,
        statistics::{Numbers, Statistics},
    },
    text::{Lang, csv, statistics as words},
};

/// Which year, of whom.
#[derive(Debug, Args)]
pub(super) struct StatisticsArgs {
    #[command(flatten)]
    who: As,
    /// The fiscal year, which must be over: 2026 is April 2026 to March 2027 in Japan.
    #[arg(long, value_name = "YEAR")]
    year: u16,
    /// A municipality by its 全国地方公共団体コード, such as 131016; more than once. A municipality needs none for itself.
    #[arg(long = "municipality", value_name = "CODE")]
    municipalities: Vec<String>,
    /// Purpose of the unit under which it acts. Default: `audit_review` for auditors, otherwise `placement_coordination`.
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<Purpose>,
    /// Write a table for spreadsheet programs (CSV, UTF-8): a new file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Start the table with a byte order mark, which Japanese spreadsheet programs need.
    #[arg(long, requires = "csv")]
    bom: bool,
}

pub(super) async fn run(args: &StatisticsArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let of_kind = if client.party().kind() == PartyKind::Auditor { Purpose::AuditReview } else { Purpose::PlacementCoordination };
    let purpose = args.purpose.unwrap_or(of_kind);
    let asked: Vec<Option<&str>> = match args.municipalities.as_slice() {
        [] => vec![None],
        some => some.iter().map(|code| Some(code.as_str())).collect(),
    };
    let mut found = Vec::with_capacity(asked.len());
    for municipality in asked {
        let made = patient(async || client.statistics(args.year, municipality, purpose).await).await?;
        found.push((made.place().index(), made.into_inner()));
    }
    if let Some(file) = &args.csv {
        let of_all = found.iter().flat_map(|(_, statistics)| table(statistics));
        let begin = if args.bom { csv::BYTE_ORDER_MARK } else { "" };
        let text: String = [begin.to_owned(), csv::line(words::CSV_COLUMNS)].into_iter().chain(of_all).collect();
        write(file, text.as_bytes(), PUBLIC)?;
    }
    for (index, statistics) in &found {
        if voice.json {
            say(json!({"index": index, "statistics": statistics}))?;
        } else {
            lines(*index, statistics, voice.lang).into_iter().try_for_each(say)?;
        }
    }
    Ok(())
}

/// Each number with what it counts.
fn cells(numbers: &Numbers, lang: Lang) -> Vec<[String; 3]> {
    let given = |count: Option<u64>| count.map_or_else(|| words::hidden(lang).to_owned(), |count| count.to_string());
    let mut cells = vec![[String::new(), words::total(lang).to_owned(), given(numbers.total)]];
    for table in &numbers.tables {
        let by = words::division(table.by, lang);
        cells.extend(table.rows.iter().map(|row| [by.to_owned(), words::row(row.code, lang).to_owned(), given(row.count)]));
    }
    cells.extend(numbers.median_days.map(|days| [String::new(), words::median(lang).to_owned(), days.to_string()]));
    cells
}

fn table(statistics: &Statistics) -> Vec<String> {
    let of_subject = |numbers: &Numbers| {
        let subject = words::subject(numbers.subject, Lang::Ja);
        let year = statistics.year.to_string();
        let cells = cells(numbers, Lang::Ja).into_iter();
        let lines = cells.map(|[by, row, count]| csv::line([&statistics.municipality, &year, &subject.to_owned(), &by, &row, &count]));
        lines.collect::<Vec<String>>()
    };
    statistics.numbers.iter().flat_map(of_subject).collect()
}

fn lines(index: u64, statistics: &Statistics, lang: Lang) -> Vec<String> {
    let Statistics { municipality, year, .. } = statistics;
    let mut lines = vec![match lang {
        Lang::En => format!("Municipality {municipality}, fiscal year {year} (April {year} to March {})", year.saturating_add(1)),
        Lang::Ja => format!("市町村 {municipality}、{year}年度（{year}年4月から{}年3月まで）", year.saturating_add(1)),
    }];
    for numbers in &statistics.numbers {
        lines.push(format!("  {}", words::subject(numbers.subject, lang)));
        let mut before = String::new();
        for [by, row, count] in cells(numbers, lang) {
            if by != before && !by.is_empty() {
                lines.push(format!("    {by}"));
            }
            let indent = if by.is_empty() { "    " } else { "      " };
            lines.push(format!("{indent}{row}: {count}"));
            before = by;
        }
    }
    lines.push(words::note(statistics.min_cell, lang));
    lines.push(
        lang.of(&format!("Entry {index} of the ledger records the question."), &format!("この照会は台帳の記録 {index} にあります。"))
            .to_owned(),
    );
    lines
}
