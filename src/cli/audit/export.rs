//! `tsunagi audit export`: a copy of the ledger at one signed size, checked before it is called done.
//!
//! The size is that of the newest cosigned checkpoint, or of the newest one where nobody cosigns or it is asked for; what is appended meanwhile (the export's own queries are entries too) is not in the copy. A copy that is
//! not whole stays under another name.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{As, Event, events::LONGEST_PAGE, patient, say, verify};
use crate::{
    cli::{CliError, Voice},
    client::{AuditFilter, Client, ClientError, RawEvent, SignedCheckpoint},
    domain::entry::EntryType,
    ledger::{
        export::{CsvWriter, ExportError, FolderWriter, JsonLines, layout},
        verify::Report,
    },
    text::Lang,
    tlog::{Frontier, Hash, TILE_WIDTH, leaf_hash},
};

/// Where to, and as what.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    who: As,
    /// What is written.
    #[arg(long, value_enum, default_value_t = Format::Tiles)]
    format: Format,
    /// Copy up to the newest head even where witnesses have cosigned only an older one.
    #[arg(long)]
    newest: bool,
    /// A folder (tiles) or a file (ndjson, csv) that does not exist yet.
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A folder in the C2SP tlog-tiles layout with openings beside it: for auditors of everything.
    Tiles,
    /// One event a line.
    Ndjson,
    /// A table that opens in Excel.
    Csv,
}

pub(super) async fn run(args: ExportArgs, voice: Voice) -> Result<(), CliError> {
    let out = args.out.as_path();
    if out.symlink_metadata().is_ok() {
        let out = out.display();
        return Err(CliError::usage(format!("{out} exists already"), format!("{out} は既にあります")));
    }
    let client = args.who.client(voice)?;
    let mut head = head(&client, args.newest).await?;
    let unfinished = unfinished(out)?;
    if unfinished.symlink_metadata().is_ok() {
        let unfinished = unfinished.display();
        return Err(CliError::usage(
            format!("{unfinished} is in the way: remove it"),
            format!("{unfinished} があります。削除してください"),
        ));
    }
    let mut tries = TRIES;
    loop {
        tries = tries.saturating_sub(1);
        // Details that an erasure behind the head destroyed are missing, and nothing up to it says that they may be.
        if args.format == Format::Tiles && erased_behind(&client, &head).await? {
            head = patient(async || client.checkpoint().await).await?;
        }
        match write(&client, &head, args.format, &unfinished).await {
            Ok(Done::Folder(report)) if !report.holds() => {
                if tries > 0 && erased_behind(&client, &head).await? {
                    remove(&unfinished)?;
                    continue;
                }
                verify::show(&report, verify::About::Export, voice)?;
                return verify::verdict(&report, verify::About::Export).map_err(|error| after(error, &unfinished));
            }
            Ok(done) => {
                fs::rename(&unfinished, out).map_err(|error| unwritten(out, error))?;
                return done.show(&head, voice);
            }
            Err(error) => return Err(after(error, &unfinished)),
        }
    }
}

/// Whether an erasure stands behind a head.
async fn erased_behind(client: &Client, head: &SignedCheckpoint) -> Result<bool, CliError> {
    let filter = AuditFilter { entry_type: Some(EntryType::Erasure), limit: Some(LONGEST_PAGE), ..AuditFilter::default() };
    let mut cursor = None;
    loop {
        let page = patient(async || client.audit_page(&filter, cursor.as_deref()).await).await?;
        if page.events.iter().any(|event| event.index >= head.head.size()) {
            return Ok(true);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(false);
        }
    }
}

/// The head to copy up to.
async fn head(client: &Client, newest: bool) -> Result<SignedCheckpoint, CliError> {
    if !newest && let Some(cosigned) = patient(async || client.cosigned_checkpoint().await).await? {
        return Ok(cosigned);
    }
    patient(async || client.checkpoint().await).await
}

/// What was written, checked.
enum Done {
    Folder(Box<Report>),
    /// So many events.
    Lines(u64),
}

impl Done {
    fn show(&self, head: &SignedCheckpoint, voice: Voice) -> Result<(), CliError> {
        let (origin, size, root) = (head.head.origin(), head.head.size(), head.head.root().to_string());
        match self {
            Self::Folder(report) => verify::show(report, verify::About::Export, voice),
            Self::Lines(written) if voice.json => say(json!({"origin": origin, "size": size, "root": root, "events": written})),
            Self::Lines(written) => say(match voice.lang {
                Lang::En => format!("{written} events, each of them in the signed ledger of {size} entries."),
                Lang::Ja => format!("{written} 件を書き出しました。どれも、署名された台帳（{size} 件）にあります。"),
            }),
        }
    }
}

async fn write(client: &Client, head: &SignedCheckpoint, format: Format, unfinished: &Path) -> Result<Done, CliError> {
    if format == Format::Tiles {
        return tiles(client, head, unfinished).await;
    }
    let file = BufWriter::new(new_file(unfinished)?);
    let sink = match format {
        Format::Csv => Sink::Table(CsvWriter::new(file).map_err(|error| unwritten(unfinished, error))?),
        Format::Ndjson | Format::Tiles => Sink::Lines(JsonLines::new(file)),
    };
    lines(client, head, sink, unfinished).await
}

/// What does not verify may be evidence and stays; everything else that is not whole goes.
fn after(error: CliError, unfinished: &Path) -> CliError {
    if let CliError::Unverified { en, ja } = error {
        let path = unfinished.display();
        return CliError::Unverified {
            en: format!("{en}; what was received is in {path}"),
            ja: format!("{ja}。受け取ったものは {path} にあります"),
        };
    }
    match remove(unfinished) {
        Err(more) => more,
        Ok(()) => error,
    }
}

fn remove(unfinished: &Path) -> Result<(), CliError> {
    let removed = if unfinished.is_dir() { fs::remove_dir_all(unfinished) } else { fs::remove_file(unfinished) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(unfinished, error)),
        _ => Ok(()),
    }
}

/// Bundles and openings of exactly this size, and then everything verified as a stranger would.
async fn tiles(client: &Client, head: &SignedCheckpoint, folder: &Path) -> Result<Done, CliError> {
    let key = client.identity().pinned().document().vkey.clone();
    let mut writer = FolderWriter::create(folder).map_err(|error| export_failed(folder, error))?;
    let mut events = Events::new(client, head.head.size());
    for bundle in layout::bundles(head.head.size()) {
        for leaf in patient(async || client.entries(&bundle).await).await? {
            let index = writer.size();
            let event = events.next().await?.filter(|event| event.index == index && event.leaf == leaf);
            let event = event.ok_or_else(|| {
                CliError::unverified(
                    format!("entry {index} and the event of that index are not the same"),
                    format!("番号 {index} の記録が、監査の問い合わせの結果と一致しません"),
                )
            })?;
            writer.push(&leaf, &event.raw.opened).map_err(|error| export_failed(folder, error))?;
        }
    }
    writer.finish(&head.note, &key).map_err(|error| export_failed(folder, error))?;
    verify::check(folder.to_owned(), key, None, None).await.map(|report| Done::Folder(Box::new(report)))
}

/// Events within the jurisdiction, each compared with its leaf hash, and the leaf hashes with the signed root.
async fn lines(client: &Client, head: &SignedCheckpoint, mut sink: Sink, out: &Path) -> Result<Done, CliError> {
    let size = head.head.size();
    let mut events = Events::new(client, size);
    let mut frontier = Frontier::new();
    let mut written = 0;
    for tile in layout::leaf_tiles(size) {
        let hashes = patient(async || client.tile(&tile).await).await?;
        let first = tile.index() * u64::from(TILE_WIDTH);
        for hash in &hashes {
            frontier.push(*hash).map_err(ClientError::from)?;
        }
        while let Some(event) = events.next_before(frontier.size()).await? {
            if !stands(&event, first, &hashes) {
                return Err(doubt(&format!(" ({})", event.index)));
            }
            sink.push(&event).map_err(|error| unwritten(out, error))?;
            written += 1;
        }
    }
    if frontier.root() != head.head.root() {
        return Err(doubt(""));
    }
    sink.finish().map_err(|error| unwritten(out, error))?;
    Ok(Done::Lines(written))
}

fn stands(event: &Event, first: u64, hashes: &[Hash]) -> bool {
    let place = event.index.checked_sub(first).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| hashes.get(place)) == Some(&leaf_hash(&event.leaf))
}

fn doubt(place: &str) -> CliError {
    CliError::unverified(
        format!("what the gateway shows{place} does not lead to the checkpoint it signed"),
        format!("ゲートウェイの示した内容{place}が、署名されたチェックポイントと一致しません"),
    )
}

/// Events below one size, in the order of the ledger, page by page.
struct Events<'a> {
    client: &'a Client,
    size: u64,
    filter: AuditFilter,
    cursor: Option<String>,
    ended: bool,
    ahead: VecDeque<RawEvent>,
    last: Option<u64>,
}

impl<'a> Events<'a> {
    fn new(client: &'a Client, size: u64) -> Self {
        let filter = AuditFilter { limit: Some(LONGEST_PAGE), ..AuditFilter::default() };
        Self { client, size, filter, cursor: None, ended: false, ahead: VecDeque::new(), last: None }
    }

    async fn next(&mut self) -> Result<Option<Event>, CliError> {
        self.next_before(self.size).await
    }

    /// The next event, if its index is below this.
    async fn next_before(&mut self, end: u64) -> Result<Option<Event>, CliError> {
        while self.ahead.is_empty() && !self.ended {
            let page = patient(async || self.client.audit_page(&self.filter, self.cursor.as_deref()).await).await?;
            self.cursor = page.cursor;
            self.ahead = page.events.into();
            self.ended = self.cursor.is_none() || self.ahead.back().is_some_and(|event| event.index >= self.size);
        }
        let Some(raw) = self.ahead.pop_front_if(|event| event.index < end) else { return Ok(None) };
        if self.last.is_some_and(|last| raw.index <= last) {
            return Err(doubt(&format!(" ({})", raw.index)));
        }
        self.last = Some(raw.index);
        Event::read(raw).map(Some)
    }
}

enum Sink {
    Lines(JsonLines<BufWriter<File>>),
    Table(CsvWriter<BufWriter<File>>),
}

impl Sink {
    fn push(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Self::Lines(lines) => lines.push(event.index, &event.raw.entry, &event.raw.opened),
            Self::Table(table) => table.push(event.index, &event.entry, event.opening.as_ref()),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Lines(lines) => lines.finish(),
            Self::Table(table) => table.finish(),
        }?;
        Ok(())
    }
}

/// The name a copy has until it is whole.
fn unfinished(out: &Path) -> Result<PathBuf, CliError> {
    let name = out.file_name().ok_or_else(|| {
        let out = out.display();
        CliError::usage(format!("{out} names no file"), format!("{out} はファイル名ではありません"))
    })?;
    let mut name = OsString::from(name);
    name.push(".unfinished");
    Ok(out.with_file_name(name))
}

/// A new file that only its owner can read.
fn new_file(path: &Path) -> Result<File, CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| unwritten(path, error))
}

fn unwritten(path: &Path, error: io::Error) -> CliError {
    CliError::Io(path.display().to_string(), error)
}

fn export_failed(folder: &Path, error: ExportError) -> CliError {
    match error {
        ExportError::File(name, error) => unwritten(&folder.join(name), error),
        ExportError::Checkpoint | ExportError::Tree(_) | ExportError::Json => doubt(""),
    }
}

/// How often it is copied anew because something was erased meanwhile.
const TRIES: u8 = 3;
