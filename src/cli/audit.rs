//! `tsunagi audit`: the auditor's side (protocol section 8). Queries and exports go over HTTP and are checked with pinned keys; `verify` opens no
//! network connection.

mod events;
mod export;
mod verify;

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{CliError, Voice};
use crate::{
    client::{Client, ClientError, Identity, RawEvent},
    domain::{digest::Digest, refusal::RefusalCode},
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
    /// Copy the ledger: a folder that foreign tools verify (tiles), lines of JSON (ndjson), or a table (csv). Checked before it is called done.
    Export(export::ExportArgs),
    /// Verify an exported folder offline, with a key of your own. Exit code 3: it does not verify.
    Verify(verify::VerifyArgs),
}

/// Who asks.
#[derive(Debug, Args)]
struct As {
    /// Identity folder of the auditor.
    #[arg(long = "as", env = "TSUNAGI_IDENTITY", value_name = "DIR")]
    identity: PathBuf,
}

pub(super) async fn run(args: AuditArgs, voice: Voice) -> Result<(), CliError> {
    let outcome = match args.command {
        AuditCommand::Events(args) => events::run(&args, voice).await,
        AuditCommand::Export(args) => export::run(args, voice).await,
        AuditCommand::Verify(args) => verify::run(args, voice).await,
    };
    match outcome {
        // Whoever reads the output has read enough.
        Err(CliError::Io(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints a line.
fn say(line: impl Display) -> Result<(), CliError> {
    writeln!(io::stdout(), "{line}").map_err(|error| CliError::Io("standard output".to_owned(), error))
}

impl As {
    fn client(&self, voice: Voice) -> Result<Client, CliError> {
        let identity = Identity::load(&self.identity).map_err(|error| {
            CliError::usage(format!("the identity cannot be used: {error}"), format!("身元フォルダーを使えません: {error}"))
        })?;
        Ok(Client::new(identity).map_err(failed)?.with_lang(voice.lang))
    }
}

/// How a call that failed ends the command.
fn failed(error: ClientError) -> CliError {
    match error {
        ClientError::Refused(problem) => CliError::Refused { code: problem.code, title: problem.title, detail: problem.detail },
        ClientError::Unreachable(error) => CliError::Unreachable {
            en: format!("the gateway cannot be reached: {error}"),
            ja: format!("ゲートウェイに接続できません: {error}"),
        },
        error => CliError::unverified(format!("the answer must not be believed: {error}"), format!("応答を信用できません: {error}")),
    }
}

/// Asks again while the gateway says that it is too much now (protocol section 5: `429` and `503` with `Retry-After`).
async fn patient<T>(mut ask: impl AsyncFnMut() -> Result<T, ClientError>) -> Result<T, CliError> {
    for _ in 0..PATIENCE {
        match ask().await {
            Err(ClientError::Refused(problem)) if may_pass(problem.refusal()) => tokio::time::sleep(PAUSE).await,
            other => return other.map_err(failed),
        }
    }
    ask().await.map_err(failed)
}

const fn may_pass(code: Option<RefusalCode>) -> bool {
    matches!(code, Some(RefusalCode::RateLimited | RefusalCode::Overloaded))
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

const PATIENCE: u32 = 60;
/// What the gateway asks for in `Retry-After`.
const PAUSE: Duration = Duration::from_secs(2);
