//! The export as lines: JSON, one event a line as the audit API gives it; or CSV that opens in a Japanese spreadsheet program.
//!
//! CSV is RFC 4180 in UTF-8 with a byte order mark. No cell is a formula: party ids and codes cannot be one, digests and what a staff id holds could.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::{
    domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        entry::Act,
    },
    ledger::{Entry, Opening},
    text::{
        audit::{CSV_COLUMNS, japan},
        csv,
    },
};

/// One event a line: `{"entry":{...},"index":n,"opened":{...}|null}`.
#[derive(Debug)]
pub struct JsonLines<W>(W);

impl<W: Write> JsonLines<W> {
    /// Writes to this.
    pub const fn new(to: W) -> Self {
        Self(to)
    }

    /// Writes an event.
    pub fn push(&mut self, index: u64, entry: &Value, opened: &Value) -> io::Result<()> {
        writeln!(self.0, "{}", json!({"index": index, "entry": entry, "opened": opened}))
    }

    /// Gives back what was written to, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

/// A table with one row per event.
#[derive(Debug)]
pub struct CsvWriter<W>(W);

impl<W: Write> CsvWriter<W> {
    /// Writes to this, starting with the byte order mark and the names of the columns.
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(csv::BYTE_ORDER_MARK.as_bytes())?;
        let mut writer = Self(to);
        writer.row(CSV_COLUMNS.iter().map(|name| (*name).to_owned()))?;
        Ok(writer)
    }

    /// Writes an event.
    pub fn push(&mut self, index: u64, entry: &Entry, opening: Option<&Opening>) -> io::Result<()> {
        self.row(cells(index, entry, opening))
    }

    /// Gives back what was written to, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.0.write_all(csv::line(cells).as_bytes())
    }
}

/// What stands below each of [`CSV_COLUMNS`].
fn cells(index: u64, entry: &Entry, opening: Option<&Opening>) -> [String; CSV_COLUMNS.len()] {
    let code = |code: Option<&'static str>| code.unwrap_or_default().to_owned();
    let list = |list: &mut dyn Iterator<Item = String>| list.collect::<Vec<_>>().join(" ");
    let of = |read: &dyn Fn(&Opening) -> Option<String>| opening.and_then(read).unwrap_or_default();
    [
        index.to_string(),
        japan(entry.time),
        entry.time.to_string(),
        entry.entry_type.to_string(),
        entry.operation.to_string(),
        code(entry.act.map(Act::as_str)),
        entry.decision.to_string(),
        entry.reason.clone().unwrap_or_default(),
        entry.actor.as_ref().map(|actor| actor.party.to_string()).unwrap_or_default(),
        entry.actor.as_ref().and_then(|actor| actor.acting_for.as_ref()).map(ToString::to_string).unwrap_or_default(),
        of(&|o| o.staff.clone()),
        entry.recipient.as_ref().map(ToString::to_string).unwrap_or_default(),
        code(entry.purpose.map(Purpose::as_str)),
        code(entry.basis.map(LegalBasis::as_str)),
        code(entry.kind.map(MessageKind::as_str)),
        entry.schema.as_ref().map(|schema| format!("{} {}", schema.id, schema.ver)).unwrap_or_default(),
        entry.agreement.as_ref().map(|agreement| format!("{}/{}", agreement.id, agreement.ver)).unwrap_or_default(),
        of(&|o| o.case.map(|case| case.to_string())),
        of(&|o| o.consent.map(|consent| consent.to_string())),
        of(&|o| o.message.as_ref().map(|message| format!("{} {}", message.iss, message.jti))),
        entry.shown.map(|n| n.to_string()).unwrap_or_default(),
        of(&|o| Some(list(&mut o.disclosed.iter().map(ToString::to_string)))),
        of(&|o| entry.shown.map(|_| o.withheld.len().to_string())),
        of(&|o| Some(list(&mut o.withheld.iter().map(|row| format!("{}({})", row.field, row.rules.join(",")))))),
        list(&mut entry.rules.iter().cloned()),
        of(&|o| Some(list(&mut o.violations.iter().cloned()))),
        entry.count.map(|n| n.to_string()).unwrap_or_default(),
        format!("{} {}", entry.gateway.node, entry.gateway.version),
        entry.id.hyphenated().to_string(),
    ]
}
