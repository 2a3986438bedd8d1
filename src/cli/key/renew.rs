//! `tsunagi key add` and `renew`: new keys, registered first and used then.
//!
//! If we crash anywhere here, the same command goes on: a new key lies beside the old one under the ending `.next.jwk` until it is registered, takes its
//! place in one step, and the old one is kept under its own name. One command at a time changes a folder.

use std::{
    fs::{self, File},
    path::Path,
};

use clap::Args;

use super::told;
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, deliver, outbox, say},
        new_file,
        party::{STATEMENTS, post},
    },
    client::{Client, ClientError, Fate, NewKey},
    config,
    domain::{digest::Digest, entry::Operation, time::Timestamp},
    message::keys::{KeyError, KeyUse, OpeningKey, PublicKey, SigningKey},
    startup::Told as _,
};

/// For how long.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    who: As,
    /// Days for which the key is good.
    #[arg(long, value_name = "N", default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

/// Which key, for how long.
#[derive(Debug, Args)]
pub(super) struct RenewArgs {
    /// What the key is for: sig (signs) or enc (opens what is released to the party).
    #[arg(long = "use", value_name = "USE")]
    usage: KeyUse,
    #[command(flatten)]
    who: As,
    /// Days for which the key is good.
    #[arg(long, value_name = "N", default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

pub(super) async fn add(args: &AddArgs, voice: Voice) -> Result<(), CliError> {
    let _alone = args.who.alone()?;
    let client = args.who.client(voice)?;
    deliver_waiting(&client).await?;
    let key = client.identity().public_key(KeyUse::Enc);
    let kid = key.thumbprint();
    if is_registered(&client, &kid).await? {
        return say(voice.lang.of(&format!("{kid} is registered already."), &format!("{kid} はすでに登録されています。")));
    }
    let parcel = client.add_key(&NewKey::Opens(key), until(&client, args.days))?;
    told(&kid, &post(&client, &parcel).await?, ["is registered", "を登録しました"], voice)
}

pub(super) async fn renew(args: &RenewArgs, voice: Voice) -> Result<(), CliError> {
    let _alone = args.who.alone()?;
    let client = args.who.client(voice)?;
    deliver_waiting(&client).await?;
    let purpose = args.usage;
    let (file, old) = (client.identity().key_file(purpose), client.identity().public_key(purpose).thumbprint());
    let next = file.with_extension("next.jwk");
    let until = until(&client, args.days);
    let bytes = next_key(&next, purpose)?;
    let (kid, parcel) = match purpose {
        KeyUse::Sig => {
            let key = SigningKey::from_jwk(&bytes).map_err(|error| unusable(&next, error))?;
            (key.public().thumbprint(), client.add_key(&NewKey::Signs(&key), until)?)
        }
        KeyUse::Enc => {
            let key = OpeningKey::from_jwk(&bytes).map_err(|error| unusable(&next, error))?;
            let public: &PublicKey = key.public();
            (public.thumbprint(), client.add_key(&NewKey::Opens(public), until)?)
        }
    };
    let done = if is_registered(&client, &kid).await? { None } else { Some(post(&client, &parcel).await?) };
    let kept = file.with_extension(format!("{old}.jwk"));
    put_in_place(&next, file, &kept)?;
    match done {
        Some(done) => told(&kid, &done, ["is registered and in use", "を登録し、使用を始めました"], voice)?,
        None if !voice.json => say(voice.lang.of(&format!("{kid} is in use."), &format!("{kid} の使用を始めました。")))?,
        None => say(serde_json::json!({"kid": kid}))?,
    }
    if voice.json {
        return Ok(());
    }
    let kept = kept.display();
    say(voice.lang.of(
        &format!("The old key is kept in {kept}. When nothing signed with it waits any more: tsunagi key retire {old}"),
        &format!("前の鍵は {kept} に残っています。それで署名したものが送信箱で待っていなければ: tsunagi key retire {old}"),
    ))
}

/// A statement that was signed before goes first: it may have arrived.
async fn deliver_waiting(client: &Client) -> Result<(), CliError> {
    let outbox = outbox(client)?;
    let items = outbox.list().map_err(ClientError::from)?.items;
    for item in items.into_iter().filter(|item| item.parcel.operation() == Operation::KeyRegister && item.fate == Fate::Waiting) {
        let id = item.parcel.jti();
        match deliver(client, &outbox, &id).await {
            // Refused, it stays in the outbox with its reason; what is asked for now is judged by itself.
            Ok(_) | Err(CliError::Refused { .. }) => {}
            Err(cause) => return Err(STATEMENTS.undelivered(&outbox, &id, cause)),
        }
    }
    Ok(())
}

async fn is_registered(client: &Client, kid: &Digest) -> Result<bool, CliError> {
    Ok(client.party_of(client.party()).await?.keys.iter().any(|key| key.kid == *kid))
}

fn until(client: &Client, days: u16) -> Timestamp {
    Timestamp::from_secs(client.now().secs()).plus_secs(i64::from(days) * 86_400)
}

/// The key that is to come: the one that an earlier run made, or a new one, on disk before it is registered.
fn next_key(next: &Path, purpose: KeyUse) -> Result<zeroize::Zeroizing<Vec<u8>>, CliError> {
    if !next.exists() {
        let made = match purpose {
            KeyUse::Sig => SigningKey::generate().map(|key| key.to_jwk()),
            KeyUse::Enc => OpeningKey::generate().map(|key| key.to_jwk()),
        };
        new_file::write(next, &made.map_err(|error| unusable(next, error))?, new_file::PRIVATE)?;
        synced(next).map_err(|error| CliError::Io(next.display().to_string(), error))?;
    }
    config::read_secret(next)
        .map(|bytes| zeroize::Zeroizing::new(bytes.to_vec()))
        .map_err(|error| CliError::usage(error.to_string(), error.in_japanese()))
}

/// The new key takes the place of the old one in one step, and the old one stays under its own name.
fn put_in_place(next: &Path, file: &Path, kept: &Path) -> Result<(), CliError> {
    let failed = |error| CliError::Io(file.display().to_string(), error);
    match fs::hard_link(file, kept) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    fs::rename(next, file).and_then(|()| synced(file)).map_err(failed)
}

/// The file and its name are on disk.
fn synced(file: &Path) -> std::io::Result<()> {
    File::open(file)?.sync_all()?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn unusable(file: &Path, error: KeyError) -> CliError {
    let file = file.display();
    CliError::usage(format!("{file}: {error}"), format!("{file}: 鍵として使えません（{error}）"))
}
