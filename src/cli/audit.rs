//! `tsunagi audit`: the auditor's side (protocol section 8). Queries and exports go over HTTP and are checked with pinned keys; `verify` opens no
//! network connection, and `inspect` looks at the gateway's own database.

mod events;
mod export;
mod inspect;
mod received;
mod statistics;
mod verify;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{
    CliError, Voice,
    acting::{As, patient, say, unless_closed},
};
use crate::{
    client::RawEvent,
    domain::digest::Digest,
    ledger::{self, Entry, Opening},
    tlog::leaf_hash,
};

/// The auditor's side: query events, export the ledger, verify an export offline.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Query events within the auditor's jurisdiction. Each one shown is proven to stand in the signed ledger; the query is itself an entry.
    Events(Box<events::EventsArgs>),
    /// Everybody who received rows of one class of one case: what a leak makes somebody ask. Each entry is proven to stand in the signed ledger.
    WhoReceived(received::ReceivedArgs),
    /// The numbers of a municipality in one fiscal year, small ones suppressed: for auditors, and for a municipality about itself.
    Statistics(statistics::StatisticsArgs),
    /// Copy the ledger: a folder that foreign tools verify (tiles), lines of JSON (ndjson), or a table (csv). Checked before it is called done.
    Export(export::ExportArgs),
    /// Verify an exported folder offline, with a key of your own. Exit code 3: it does not verify.
    Verify(verify::VerifyArgs),
    /// Inspect the database behind the ledger at the gateway's machine: every row against its leaf, every opening against its commitment, the search
    /// index, tiles and head. Reads only. Exit code 3: something does not fit.
    Inspect(inspect::InspectArgs),
}

pub(super) async fn run(args: AuditArgs, voice: Voice) -> Result<(), CliError> {
    let outcome = match args.command {
        AuditCommand::Events(args) => events::run(&args, voice).await,
        AuditCommand::WhoReceived(args) => received::run(&args, voice).await,
        AuditCommand::Statistics(args) => statistics::run(&args, voice).await,
        AuditCommand::Export(args) => export::run(args, voice).await,
        AuditCommand::Verify(args) => verify::run(args, voice).await,
        AuditCommand::Inspect(args) => inspect::run(args, voice).await,
    };
    unless_closed(outcome)
}

/// An event whose opening is the one its entry commits to. That the entry stands in the ledger is proven by its leaf hash.
struct Event {
    index: u64,
    entry: Entry,
    opening: Option<Opening>,
    leaf: Vec<u8>,
    raw: RawEvent,
}

impl Event {
    fn read(raw: RawEvent) -> Result<Self, CliError> {
        let index = raw.index;
        let doubt = || {
            CliError::unverified(
                format!("event {index} is not an entry with its opening"),
                format!("記録 {index} の内容が開示情報と合いません"),
            )
        };
        let leaf = serde_json_canonicalizer::to_vec(&raw.entry).map_err(|_| doubt())?;
        let entry: Entry = serde_json::from_value(raw.entry.clone()).map_err(|_| doubt())?;
        let opening = match &raw.opened {
            Value::Null => None,
            Value::Object(members) => Some(opening(members, entry.open_c).ok_or_else(doubt)?),
            _ => return Err(doubt()),
        };
        Ok(Self { index, entry, opening, leaf, raw })
    }

    fn leaf_hash(&self) -> Digest {
        Digest(leaf_hash(&self.leaf).0)
    }
}

fn opening(members: &Map<String, Value>, expected: Option<Digest>) -> Option<Opening> {
    let fits = expected.is_some() && ledger::verify::commitment(members) == expected;
    serde_json::from_value(Value::Object(members.clone())).ok().filter(|_| fits)
}
