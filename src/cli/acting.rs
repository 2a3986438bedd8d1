//! What the commands of a party share: whose identity, how a call that failed ends, and the road through the outbox (protocol section 8).

use std::{
    fmt::Display,
    fs::{File, TryLockError},
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use super::{CliError, Voice};
use crate::{
    client::{Accepted, Client, ClientError, Fate, Identity, Item, Listing, Outbox, OutboxError, Parcel, Proven},
    domain::{ids::Jti, refusal::RefusalCode},
    message::disclosed::Pseudonym,
};

/// Who acts.
#[derive(Debug, Args)]
pub(super) struct As {
    /// Identity folder of the party.
    #[arg(long = "as", env = "TSUNAGI_IDENTITY", value_name = "DIR")]
    identity: PathBuf,
    /// Member of staff who acts, as the unit's own pseudonym. Default: the identity folder's.
    #[arg(long, value_name = "ID")]
    acting_staff: Option<Pseudonym>,
}

impl As {
    /// An identity folder that was named otherwise.
    pub(super) fn of(folder: &std::path::Path) -> Self {
        Self { identity: folder.to_owned(), acting_staff: None }
    }

    /// Keeps other commands that change the identity folder out as long as the handle lives.
    pub(super) fn alone(&self) -> Result<File, CliError> {
        let folder = File::open(&self.identity).map_err(|error| CliError::Io(self.identity.display().to_string(), error))?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(TryLockError::WouldBlock) => Err(CliError::usage(
                "another command is changing the keys of this folder: try again when it has ended",
                "別のコマンドがこのフォルダーの鍵を変えています。終わってからもう一度実行してください",
            )),
            Err(TryLockError::Error(error)) => Err(CliError::Io(self.identity.display().to_string(), error)),
        }
    }

    /// A client for the identity. Does not connect yet.
    pub(super) fn client(&self, voice: Voice) -> Result<Client, CliError> {
        let identity = Identity::load(&self.identity).map_err(|error| {
            CliError::usage(format!("the identity cannot be used: {error}"), format!("身元フォルダーを使えません: {error}"))
        })?;
        let client = Client::new(identity)?.with_lang(voice.lang);
        Ok(match &self.acting_staff {
            Some(staff) => client.with_staff(staff.clone()),
            None => client,
        })
    }
}

/// The outbox of the client's identity.
pub(super) fn outbox(client: &Client) -> Result<Outbox, CliError> {
    Ok(client.identity().outbox().map_err(ClientError::from)?)
}

/// Keeps what was signed, then sends it unless it is to be held. From the first line on a crash loses nothing: `send` goes on.
pub(super) async fn post(client: &Client, parcel: &Parcel, hold: bool) -> Result<Option<Proven<Accepted>>, CliError> {
    let outbox = outbox(client)?;
    outbox.put(parcel).map_err(ClientError::from)?;
    if hold { Ok(None) } else { deliver(client, &outbox, &parcel.jti()).await.map(Some) }
}

/// Sends what waits under this id; the same bytes, however often.
pub(super) async fn deliver(client: &Client, outbox: &Outbox, jti: &Jti) -> Result<Proven<Accepted>, CliError> {
    patient(async || client.deliver(outbox, jti).await).await
}

/// What the outbox keeps for one family of commands.
pub(super) struct Family {
    /// Whether a parcel is one of it.
    pub(super) holds: fn(&Parcel) -> bool,
    /// What such a parcel is, in English and in Japanese.
    pub(super) name: fn(&Parcel) -> [String; 2],
    /// What the family keeps, in English and in Japanese.
    pub(super) all: [&'static str; 2],
    /// The command that sends what waits.
    pub(super) command: &'static str,
}

impl Family {
    /// Sends one parcel, or all that wait: one that is refused keeps none of the others back. `done` tells of each that arrived.
    pub(super) async fn send(
        &self,
        client: &Client,
        id: Option<Jti>,
        voice: Voice,
        done: impl Fn(&Jti, &Proven<Accepted>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let outbox = outbox(client)?;
        let (ids, mut failed) = self.chosen(&outbox, id)?;
        if ids.is_empty() && failed.is_empty() && !voice.json {
            return say(voice.lang.of("Nothing waits.", "待っているものはありません。"));
        }
        for id in ids {
            match deliver(client, &outbox, &id).await {
                Ok(sent) => done(&id, &sent)?,
                Err(error) => failed.push(self.undelivered(&outbox, &id, error)),
            }
        }
        all_told(failed)
    }

    /// What is to be sent, and the files that hold something that cannot be.
    fn chosen(&self, outbox: &Outbox, id: Option<Jti>) -> Result<(Vec<Jti>, Vec<CliError>), CliError> {
        let Some(id) = id else {
            let Listing { items, damaged } = outbox.list().map_err(ClientError::from)?;
            let waiting = items.into_iter().filter(|item| (self.holds)(&item.parcel) && item.fate == Fate::Waiting);
            return Ok((waiting.map(|item| item.parcel.jti()).collect(), damaged.into_iter().map(unusable).collect()));
        };
        if (self.holds)(&outbox.get(&id).map_err(ClientError::from)?.parcel) {
            return Ok((vec![id], Vec::new()));
        }
        let [en, ja] = self.all;
        Err(CliError::usage(
            format!("{id} is in the outbox, but is none of {en}"),
            format!("{id} は送信箱にありますが、{ja}ではありません"),
        ))
    }

    /// Why a parcel was not delivered: which it is and, if it goes on waiting, the command that sends it.
    pub(super) fn undelivered(&self, outbox: &Outbox, id: &Jti, cause: CliError) -> CliError {
        let Ok(Item { parcel, fate }) = outbox.get(id) else { return cause };
        let [en, ja] = (self.name)(&parcel);
        let next = (fate == Fate::Waiting).then(|| format!("{} {id}", self.command));
        CliError::Parcel { id: *id, en, ja, next, cause: Box::new(cause) }
    }
}

/// A file of the outbox that cannot be used.
pub(super) fn unusable(error: OutboxError) -> CliError {
    ClientError::from(error).into()
}

/// The end of a command in which several things may have failed.
pub(super) fn all_told(mut failed: Vec<CliError>) -> Result<(), CliError> {
    match failed.len() {
        0 | 1 => failed.pop().map_or(Ok(()), Err),
        _ => Err(CliError::Several(failed)),
    }
}

/// Prints a line.
pub(super) fn say(line: impl Display) -> Result<(), CliError> {
    writeln!(io::stdout(), "{line}").map_err(|error| CliError::Io("standard output".to_owned(), error))
}

/// Whoever reads the output has read enough.
pub(super) fn unless_closed(outcome: Result<(), CliError>) -> Result<(), CliError> {
    match outcome {
        Err(CliError::Io(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Asks again while the gateway says that it is too much now (protocol section 5: `429` and `503` with `Retry-After`).
pub(super) async fn patient<T>(mut ask: impl AsyncFnMut() -> Result<T, ClientError>) -> Result<T, CliError> {
    for _ in 0..PATIENCE {
        match ask().await {
            Err(ClientError::Refused(problem)) if may_pass(problem.refusal()) => tokio::time::sleep(PAUSE).await,
            other => return Ok(other?),
        }
    }
    Ok(ask().await?)
}

const fn may_pass(code: Option<RefusalCode>) -> bool {
    matches!(code, Some(RefusalCode::RateLimited | RefusalCode::Overloaded))
}

const PATIENCE: u32 = 60;
/// What the gateway asks for in `Retry-After`.
const PAUSE: Duration = Duration::from_secs(2);
