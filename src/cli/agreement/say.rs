//! What a party says about a version: signed, kept in the outbox, sent.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Source, VersionName, file::Draft};
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, all_told, deliver, outbox, post, say, unusable},
    },
    client::{Accepted, Client, ClientError, Fate, Item, Listing, Outbox, Parcel, Proven},
    domain::{agreement::AgreementAct, entry::Operation, ids::Jti, refusal::RefusalCode},
    message::sha256,
    text::{Lang, agreement as text},
};

/// What is accepted.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The document that `draft` made, or ID/VERSION of one that was proposed.
    what: Source,
    #[command(flatten)]
    who: As,
    /// Keep it in the outbox; `send` sends it.
    #[arg(long)]
    hold: bool,
}

/// What is said about which version.
#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// The version, as ID/VERSION.
    #[arg(value_name = "ID/VERSION")]
    name: VersionName,
    #[command(flatten)]
    who: As,
    /// Keep it in the outbox; `send` sends it.
    #[arg(long)]
    hold: bool,
}

/// What is sent.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Only these, also when the gateway refused them before.
    #[arg(value_name = "ID")]
    jti: Vec<Jti>,
    #[command(flatten)]
    who: As,
}

pub(super) async fn sign(args: &SignArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let parcel = match &args.what {
        Source::Registered(name) => signature(&client, name, AgreementAct::Accept).await?,
        Source::File(file) => of_file(&client, file, voice.lang).await?,
    };
    finish(&client, &parcel, args.hold, voice).await
}

/// Accepts a document: by a signature when the very same bytes are proposed already, by proposing it otherwise.
async fn of_file(client: &Client, file: &Path, lang: Lang) -> Result<Parcel, CliError> {
    let document = Draft::read(file)?.signable(lang)?;
    match client.agreement_version(&document.agreement.id, document.agreement.ver).await {
        Ok(version) if version.head.sha256 == sha256(&document.bytes) => Ok(client.say(version.head.reference(), AgreementAct::Accept)?),
        Ok(version) => Err(CliError::usage(
            format!("another document is registered as {}/{}: look at it with `tsunagi agreement diff`", version.head.id, version.head.ver),
            format!(
                "{}/{} には別の文書が登録されています。`tsunagi agreement diff` で違いを確かめてください",
                version.head.id, version.head.ver
            ),
        )),
        Err(ClientError::Refused(problem)) if problem.refusal() == Some(RefusalCode::NotFound) => Ok(client.propose(&document.bytes)?),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn act(args: &ActArgs, act: AgreementAct, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let parcel = signature(&client, &args.name, act).await?;
    finish(&client, &parcel, args.hold, voice).await
}

async fn signature(client: &Client, name: &VersionName, act: AgreementAct) -> Result<Parcel, CliError> {
    let version = client.agreement_version(&name.id, name.ver).await?;
    Ok(client.say(version.head.reference(), act)?)
}

async fn finish(client: &Client, parcel: &Parcel, hold: bool, voice: Voice) -> Result<(), CliError> {
    match post(client, parcel, hold).await? {
        Some(accepted) => delivered(&parcel.jti(), &accepted, voice),
        None => waits(parcel, &outbox(client)?, voice),
    }
}

fn waits(parcel: &Parcel, outbox: &Outbox, voice: Voice) -> Result<(), CliError> {
    if voice.json {
        return say(json!({"id": parcel.jti(), "state": "waiting", "outbox": outbox.folder()}));
    }
    let (jti, folder) = (parcel.jti(), outbox.folder().display());
    match voice.lang {
        Lang::En => say(format!("{jti} is signed and waits in {folder}. Next: tsunagi agreement send")),
        Lang::Ja => say(format!("{jti} に署名し、{folder} に置きました。次は: tsunagi agreement send")),
    }
}

fn delivered(jti: &Jti, accepted: &Proven<Accepted>, voice: Voice) -> Result<(), CliError> {
    let (entry, index) = (&accepted.entry, accepted.place().index());
    let named = accepted.agreement();
    if voice.json {
        let (id, ver) = named.map(|(id, ver)| (id.to_string(), ver)).unzip();
        return say(
            json!({"id": jti, "state": "delivered", "agreement": id, "ver": ver, "act": entry.act, "index": index, "time": entry.time}),
        );
    }
    let version = named.map(|(id, ver)| format!("{id}/{ver}")).unwrap_or_default();
    let said = entry.act.and_then(|act| act.as_str().parse().ok()).map_or("", |act| text::act(act, voice.lang));
    match voice.lang {
        Lang::En => say(format!("{version}: {said}. Ledger entry {index}, proven; the receipt is in the outbox beside {jti}.")),
        Lang::Ja => say(format!("{version}：{said}。台帳 {index} 番（確認済み）。受領証は送信箱の {jti} の横にあります。")),
    }
}

/// Sends each that waits; the first that fails is told when all were tried.
pub(super) async fn send(args: &SendArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let outbox = outbox(&client)?;
    let (mut sent, mut tried) = (0, 0);
    let Listing { items, damaged } = outbox.list().map_err(ClientError::from)?;
    let mut failed = None;
    for item in items {
        let jti = item.parcel.jti();
        let chosen = if args.jti.is_empty() { item.fate == Fate::Waiting && is_ours(&item) } else { args.jti.contains(&jti) };
        if !chosen {
            continue;
        }
        tried += 1;
        match deliver(&client, &outbox, &jti).await {
            Ok(accepted) => {
                sent += 1;
                delivered(&jti, &accepted, voice)?;
            }
            Err(error) => {
                if !voice.json {
                    say(format!("{jti}: {}", error.text(voice.lang)))?;
                }
                failed.get_or_insert(error);
            }
        }
    }
    if let Some(error) = args.jti.iter().find_map(|jti| outbox.get(jti).err()) {
        failed.get_or_insert(unusable(error));
    }
    // Who names what is to be sent did not ask about the rest.
    let damaged = if args.jti.is_empty() { damaged } else { Vec::new() };
    if tried == 0 && failed.is_none() && damaged.is_empty() && !voice.json {
        say(voice.lang.of("Nothing waits.", "送るものはありません。"))?;
    }
    if sent < tried && !voice.json {
        say(match voice.lang {
            Lang::En => format!("{sent} of {tried} sent."),
            Lang::Ja => format!("{tried} 件のうち {sent} 件を送りました。"),
        })?;
    }
    all_told(damaged.into_iter().map(unusable).chain(failed).collect())
}

/// Whether a parcel is about an agreement.
pub(super) fn is_ours(item: &Item) -> bool {
    matches!(item.parcel.operation(), Operation::AgreementPropose | Operation::AgreementSign)
}
