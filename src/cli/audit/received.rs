//! `tsunagi audit who-received`: everybody who received rows of one class of one case. What a leak makes somebody ask, answered from the ledger alone.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{As, Event, patient, say};
use crate::{
    cli::{
        CliError, Voice,
        new_file::{PRIVATE, write},
    },
    client::AuditFilter,
    domain::{
        codes::{MessageKind, Purpose},
        entry::{EntryType, Outcome},
        field::{FieldClass, FieldKey},
        ids::CaseId,
        party::PartyId,
        time::Timestamp,
    },
    message::schema::SchemaSet,
    text::{Lang, audit::japan, csv},
};

/// Which class, of which case.
#[derive(Debug, Args)]
pub(super) struct ReceivedArgs {
    #[command(flatten)]
    who: As,
    /// The case, by the id that any party knows it under.
    #[arg(long, value_name = "ID")]
    case: CaseId,
    /// The class of rows.
    #[arg(long, value_name = "CLASS")]
    class: FieldClass,
    /// Write a table for spreadsheet programs (CSV, UTF-8): a new file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Start the table with a byte order mark, which Japanese spreadsheet programs need.
    #[arg(long, requires = "csv")]
    bom: bool,
}

/// One release in which rows of the class were shown.
struct Receipt {
    index: u64,
    time: Timestamp,
    recipient: PartyId,
    acting_for: Option<PartyId>,
    staff: Option<String>,
    purpose: Option<Purpose>,
    kind: Option<MessageKind>,
    rows: Vec<FieldKey>,
}

pub(super) async fn run(args: &ReceivedArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let schemas =
        SchemaSet::builtin().map_err(|error| CliError::usage(error.to_string(), format!("このプログラムは壊れています: {error}")))?;
    let filter = AuditFilter {
        case: Some(args.case),
        class: Some(args.class.to_string()),
        entry_type: Some(EntryType::Release),
        decision: Some(Outcome::Permit),
        limit: Some(super::events::LONGEST_PAGE),
        ..AuditFilter::default()
    };
    let (mut cursor, mut tree, mut receipts, mut erased) = (None::<String>, None, Vec::new(), false);
    loop {
        let page = patient(async || client.audit_page(&filter, cursor.as_deref()).await).await?;
        erased |= page.case_erased;
        // The first page fixes the tree that the cursor goes on in.
        let tree = tree.get_or_insert_with(|| client.tree(&page.checkpoint));
        for raw in page.events {
            let event = Event::read(raw)?;
            tree.includes(event.index, &event.leaf_hash()).await?;
            receipts.extend(receipt(event, args.class, &schemas));
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    // What was erased is not nobody: the list is silent because its source is gone.
    if erased {
        return Err(CliError::unverified(
            "the case was erased: who received what can no longer be told from the ledger",
            "この事案は消去されています。だれが何を受け取ったかは、もう台帳から分かりません",
        ));
    }
    if let Some(file) = &args.csv {
        write(file, table(&receipts, args.bom).as_bytes(), PRIVATE)?;
    }
    if voice.json {
        for receipt in &receipts {
            let Receipt { index, time, recipient, acting_for, staff, purpose, kind, rows } = receipt;
            say(json!({
                "index": index, "time": time, "recipient": recipient, "for": acting_for, "staff": staff, "purpose": purpose, "kind": kind,
                "rows": rows,
            }))?;
        }
    } else {
        lines(&receipts, args.class, voice.lang).into_iter().try_for_each(say)?;
    }
    Ok(())
}

/// The release, if its opening shows rows of the class. An opening that was erased since tells nothing.
fn receipt(event: Event, class: FieldClass, schemas: &SchemaSet) -> Option<Receipt> {
    let (entry, opening) = (event.entry, event.opening?);
    let of_class = |key: &FieldKey| schemas.catalogue().row(key).is_some_and(|row| row.class == class);
    Some(Receipt {
        index: event.index,
        time: entry.time,
        recipient: entry.recipient?,
        acting_for: entry.actor.and_then(|actor| actor.acting_for),
        staff: opening.staff,
        purpose: entry.purpose,
        kind: entry.kind,
        rows: opening.disclosed.into_iter().filter(of_class).collect(),
    })
}

fn lines(receipts: &[Receipt], class: FieldClass, lang: Lang) -> Vec<String> {
    let mut by_recipient: BTreeMap<&PartyId, Vec<&Receipt>> = BTreeMap::new();
    for receipt in receipts {
        by_recipient.entry(&receipt.recipient).or_default().push(receipt);
    }
    let (who, times) = (by_recipient.len(), receipts.len());
    let mut lines = vec![match lang {
        Lang::En => format!("{who} bodies received rows of {class}, {times} times; each entry is proven to stand in the signed ledger."),
        Lang::Ja => format!("{class} を受け取ったのは {who} 機関、{times} 回です。どの記録も、署名された台帳にあることを確かめました。"),
    }];
    for (recipient, receipts) in by_recipient {
        lines.push(format!("{recipient}  ({})", receipts.len()));
        for receipt in receipts {
            let code = |code: Option<&'static str>| code.unwrap_or("-");
            let rows: Vec<&str> = receipt.rows.iter().map(FieldKey::as_str).collect();
            let staff = receipt.staff.as_deref().unwrap_or("-");
            let acting_for = receipt.acting_for.as_ref().map(|by| format!(" {} {by}", lang.of("for", "委任元"))).unwrap_or_default();
            let line = format!(
                "{:>7}  {}  {staff}{acting_for}  {}  {}  {}",
                receipt.index,
                japan(receipt.time),
                code(receipt.kind.map(MessageKind::as_str)),
                code(receipt.purpose.map(Purpose::as_str)),
                rows.join(" ")
            );
            lines.push(super::events::plain(&line));
        }
    }
    lines
}

fn table(receipts: &[Receipt], byte_order_mark: bool) -> String {
    let mut table = if byte_order_mark { csv::BYTE_ORDER_MARK.to_owned() } else { String::new() };
    table.push_str(&csv::line(COLUMNS));
    for receipt in receipts {
        let code = |code: Option<&'static str>| code.unwrap_or_default().to_owned();
        let rows: Vec<&str> = receipt.rows.iter().map(FieldKey::as_str).collect();
        table.push_str(&csv::line([
            receipt.index.to_string(),
            japan(receipt.time),
            receipt.recipient.to_string(),
            receipt.acting_for.as_ref().map(ToString::to_string).unwrap_or_default(),
            receipt.staff.clone().unwrap_or_default(),
            code(receipt.purpose.map(Purpose::as_str)),
            code(receipt.kind.map(MessageKind::as_str)),
            rows.join(" "),
        ]));
    }
    table
}

const COLUMNS: [&str; 8] = [
    "番号 (index)",
    "時刻・日本時間 (time, Japan)",
    "受け取った機関 (recipient)",
    "委任元 (for)",
    "職員 (staff)",
    "利用目的 (purpose)",
    "文書の種類 (kind)",
    "項目 (rows)",
];
