//! `tsunagi key`: the keys of a party, by the party itself (protocol sections 1 and 8).

mod renew;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError, Voice,
    acting::{As, outbox, say, unless_closed},
    party::{key_json, key_line, post, request},
};
use crate::{
    client::{Accepted, Client, ClientError, DirectoryKey, Fate, Proven},
    domain::{digest::Digest, time::Timestamp},
    message::keys::KeyUse,
    text::Lang,
};

/// The keys of this party: list, add, renew, retire, declare compromised.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// List the registered keys of this party, and which of them the identity folder uses.
    List(ListArgs),
    /// Register the encryption key of the identity folder. Nothing can be released to a party before.
    Add(renew::AddArgs),
    /// Make a new key, register it and use it from now on. The old one stays registered until `retire`.
    Renew(renew::RenewArgs),
    /// Take a registered key out of use: it signs or opens nothing new. What it signed stays valid.
    Retire(RetireArgs),
    /// Declare that others may have a key: nothing that it signed from that time on counts. At once.
    Compromised(CompromisedArgs),
}

/// Whose keys.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    who: As,
}

/// Which key.
#[derive(Debug, Args)]
struct RetireArgs {
    /// Its thumbprint, as `list` shows it.
    #[arg(long, value_name = "KID", value_parser = request::kid, allow_hyphen_values = true)]
    kid: Digest,
    #[command(flatten)]
    who: As,
}

/// Which key, since when.
#[derive(Debug, Args)]
struct CompromisedArgs {
    /// Its thumbprint, as `list` shows it.
    #[arg(long, value_name = "KID", value_parser = request::kid, allow_hyphen_values = true)]
    kid: Digest,
    /// Since when others may have it, 2026-11-23T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Timestamp,
    /// Also where it is a key that the folder uses: if it is the last signature key, the party can sign nothing any more.
    #[arg(long)]
    even_in_use: bool,
    #[command(flatten)]
    who: As,
}

pub(super) async fn run(args: KeyArgs, voice: Voice) -> Result<(), CliError> {
    unless_closed(match args.command {
        KeyCommand::List(args) => list(&args, voice).await,
        KeyCommand::Add(args) => renew::add(&args, voice).await,
        KeyCommand::Renew(args) => renew::renew(&args, voice).await,
        KeyCommand::Retire(args) => retire(&args, voice).await,
        KeyCommand::Compromised(args) => compromised(&args, voice).await,
    })
}

async fn list(args: &ListArgs, voice: Voice) -> Result<(), CliError> {
    let client = args.who.client(voice)?;
    let keys = client.party_of(client.party()).await?.keys;
    for key in &keys {
        let used = uses(&client, &key.kid);
        if voice.json {
            let mut shown = key_json(key);
            if let Value::Object(members) = &mut shown {
                members.insert("in_use".to_owned(), json!(used));
            }
            say(shown)?;
        } else {
            let used = if used { voice.lang.of("  in use here", "  このフォルダーで使用中") } else { "" };
            say(format!("{}{used}", key_line(key, voice.lang)))?;
        }
    }
    let encryption = client.identity().public_key(KeyUse::Enc).thumbprint();
    for purpose in [KeyUse::Sig, KeyUse::Enc] {
        let next = renew::next_to(client.identity().key_file(purpose));
        if !voice.json && next.exists() {
            let next = next.display();
            say(voice.lang.of(
                &format!("A new key waits in {next}: tsunagi key renew --use {purpose} goes on with it"),
                &format!("新しい鍵が {next} で待っています: tsunagi key renew --use {purpose} で続けます"),
            ))?;
        }
    }
    if !voice.json && !keys.iter().any(|key| key.kid == encryption) {
        say(voice.lang.of(
            "The encryption key of this folder is not registered: tsunagi key add",
            "このフォルダーの暗号用の鍵は登録されていません: tsunagi key add",
        ))?;
    }
    Ok(())
}

async fn retire(args: &RetireArgs, voice: Voice) -> Result<(), CliError> {
    let _alone = args.who.alone()?;
    let client = args.who.client(voice)?;
    if uses(&client, &args.kid) {
        return Err(in_use(&args.kid));
    }
    let key = registered(&client, &args.kid).await?;
    if key.usage == KeyUse::Sig.as_str() {
        nothing_waits(&client)?;
    }
    let done = post(&client, &client.retire_key(&key)?).await?;
    told(&args.kid, &done, ["is out of use", "の使用を終えました"], voice)
}

async fn compromised(args: &CompromisedArgs, voice: Voice) -> Result<(), CliError> {
    let _alone = args.who.alone()?;
    let client = args.who.client(voice)?;
    if uses(&client, &args.kid) && !args.even_in_use {
        return Err(in_use(&args.kid));
    }
    if args.since > client.now() {
        return Err(CliError::usage(
            "--since lies ahead: what a thief signs until then would count",
            "--since が先の時刻です。それまでに署名されたものが有効になってしまいます",
        ));
    }
    let key = registered(&client, &args.kid).await?;
    let done = post(&client, &client.give_key_up(&key, args.since)?).await?;
    told(&args.kid, &done, ["counts for nothing from then on", "は、その時刻以後は無効です"], voice)
}

/// What waits may be signed with the key: it would be refused for good.
fn nothing_waits(client: &Client) -> Result<(), CliError> {
    let items = outbox(client)?.list().map_err(ClientError::from)?.items;
    match items.iter().find(|item| item.fate == Fate::Waiting) {
        None => Ok(()),
        Some(item) => {
            let id = item.parcel.jti();
            Err(CliError::usage(
                format!("{id} waits in the outbox and may be signed with this key: send it first (tsunagi outbox retry {id})"),
                format!("送信箱の {id} は、この鍵で署名されたものかもしれません。先に送ってください（tsunagi outbox retry {id}）"),
            ))
        }
    }
}

fn uses(client: &Client, kid: &Digest) -> bool {
    [KeyUse::Sig, KeyUse::Enc].iter().any(|purpose| client.identity().public_key(*purpose).thumbprint() == *kid)
}

fn in_use(kid: &Digest) -> CliError {
    CliError::usage(
        format!("{kid} is in use in this folder: make a new one first with `tsunagi key renew`"),
        format!("{kid} はこのフォルダーで使用中です。先に `tsunagi key renew` で新しい鍵にしてください"),
    )
}

async fn registered(client: &Client, kid: &Digest) -> Result<DirectoryKey, CliError> {
    let keys = client.party_of(client.party()).await?.keys;
    keys.into_iter().find(|key| key.kid == *kid).ok_or_else(|| {
        CliError::usage(
            format!("{kid} is no registered key of this party: see `tsunagi key list`"),
            format!("{kid} は、この機関の登録された鍵ではありません。`tsunagi key list` で確かめてください"),
        )
    })
}

/// What was done to a key.
fn told(kid: &Digest, done: &Proven<Accepted>, [en, ja]: [&str; 2], voice: Voice) -> Result<(), CliError> {
    let index = done.place().index();
    if voice.json {
        return say(json!({"kid": kid, "act": done.entry.act, "index": index}));
    }
    say(match voice.lang {
        Lang::En => format!("{kid} {en}. Ledger entry {index}, proven."),
        Lang::Ja => format!("{kid} {ja}。台帳 {index} 番（確認済み）。"),
    })
}
