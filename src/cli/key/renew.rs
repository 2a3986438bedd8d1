//! `tsunagi key add` and `renew`: new keys, registered first and used then.
//!
//! If we crash anywhere here, the same command goes on: a new key lies whole beside the old one, under the ending `.next`, until it is registered, takes its
//! place in one step, and the old one is kept under its own name. One command at a time changes a folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::told;
use crate::{
    cli::{
        CliError, Voice,
        acting::{As, say},
        party::post,
    },
    client::{Client, DirectoryKey, NewKey},
    config,
    domain::{digest::Digest, time::Timestamp},
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
    let key = client.identity().public_key(KeyUse::Enc);
    let kid = key.thumbprint();
    match Found::of(&listed(&client).await?, &kid, KeyUse::Enc, client.now()) {
        Found::Good if voice.json => say(json!({"kid": kid, "already": true})),
        Found::Good => say(voice.lang.of(&format!("{kid} is registered already."), &format!("{kid} はすでに登録されています。"))),
        Found::Over => Err(CliError::usage(
            format!("{kid} is out of use: make a new one with `tsunagi key renew --use enc`"),
            format!("{kid} は使用を終えています。`tsunagi key renew --use enc` で新しい鍵を作ってください"),
        )),
        Found::Nowhere => {
            let parcel = client.add_key(&NewKey::Opens(key), until(&client, args.days))?;
            told(&kid, &post(&client, &parcel).await?, ["is registered", "を登録しました"], voice)
        }
    }
}

pub(super) async fn renew(args: &RenewArgs, voice: Voice) -> Result<(), CliError> {
    let _alone = args.who.alone()?;
    let client = args.who.client(voice)?;
    let purpose = args.usage;
    let (file, old) = (client.identity().key_file(purpose), client.identity().public_key(purpose).thumbprint());
    let (next, keys) = (next_to(file), listed(&client).await?);
    let (key, registered) = coming(&next, purpose, &old, &keys, client.now())?;
    let kid = key.public().thumbprint();
    let done = if registered {
        None
    } else {
        let parcel = client.add_key(&key.as_new(), until(&client, args.days))?;
        Some(post(&client, &parcel).await.map_err(|error| goes_on(error, purpose))?)
    };
    let kept = ending(file, &old.to_string());
    put_in_place(&next, file, &kept)?;
    match done {
        Some(done) => told(&kid, &done, ["is registered and in use", "を登録し、使用を始めました"], voice)?,
        None if voice.json => say(json!({"kid": kid}))?,
        None => say(voice.lang.of(&format!("{kid} is in use."), &format!("{kid} の使用を始めました。")))?,
    }
    if voice.json {
        return Ok(());
    }
    let kept = kept.display();
    say(match (Found::of(&keys, &old, purpose, client.now()), purpose) {
        (Found::Good, KeyUse::Sig) => voice
            .lang
            .of(
                &format!("The old key is kept in {kept}. When nothing signed with it waits any more: tsunagi key retire --kid {old}"),
                &format!("前の鍵は {kept} に残っています。それで署名したものが送信箱で待っていなければ: tsunagi key retire --kid {old}"),
            )
            .to_owned(),
        (Found::Good, KeyUse::Enc) => voice
            .lang
            .of(
                &format!("The old key is kept in {kept}. Nothing new is sealed to it: tsunagi key retire --kid {old}"),
                &format!("前の鍵は {kept} に残っています。今後の開示には使われません: tsunagi key retire --kid {old}"),
            )
            .to_owned(),
        _ => voice.lang.of(&format!("The old key is kept in {kept}."), &format!("前の鍵は {kept} に残っています。")).to_owned(),
    })
}

/// A statement that may not have arrived is sent first; then this command goes on with the key.
fn goes_on(error: CliError, purpose: KeyUse) -> CliError {
    match error {
        CliError::Parcel { id, en, ja, next: Some(next), cause } => {
            let next = Some(format!("{next} && tsunagi key renew --use {purpose}"));
            CliError::Parcel { id, en, ja, next, cause }
        }
        other => other,
    }
}

/// How the directory has a key.
enum Found {
    /// Active, of this use, and not past its time.
    Good,
    /// Retired, compromised, past its time, or of another use.
    Over,
    Nowhere,
}

impl Found {
    fn of(keys: &[DirectoryKey], kid: &Digest, purpose: KeyUse, now: Timestamp) -> Self {
        match keys.iter().find(|key| key.kid == *kid) {
            Some(key) if key.state == "active" && key.usage == purpose.as_str() && now < key.naf => Self::Good,
            Some(_) => Self::Over,
            None => Self::Nowhere,
        }
    }
}

async fn listed(client: &Client) -> Result<Vec<DirectoryKey>, CliError> {
    Ok(client.party_of(client.party()).await?.keys)
}

fn until(client: &Client, days: u16) -> Timestamp {
    Timestamp::from_secs(client.now().secs()).plus_secs(i64::from(days) * 86_400)
}

/// A private key of the folder.
enum Own {
    Signs(SigningKey),
    Opens(OpeningKey),
}

impl Own {
    fn generate(purpose: KeyUse) -> Result<Self, KeyError> {
        Ok(match purpose {
            KeyUse::Sig => Self::Signs(SigningKey::generate()?),
            KeyUse::Enc => Self::Opens(OpeningKey::generate()?),
        })
    }

    fn read(jwk: &[u8], purpose: KeyUse) -> Result<Self, KeyError> {
        Ok(match purpose {
            KeyUse::Sig => Self::Signs(SigningKey::from_jwk(jwk)?),
            KeyUse::Enc => Self::Opens(OpeningKey::from_jwk(jwk)?),
        })
    }

    fn jwk(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Signs(key) => key.to_jwk(),
            Self::Opens(key) => key.to_jwk(),
        }
    }

    const fn public(&self) -> &PublicKey {
        match self {
            Self::Signs(key) => key.public(),
            Self::Opens(key) => key.public(),
        }
    }

    const fn as_new(&self) -> NewKey<'_> {
        match self {
            Self::Signs(key) => NewKey::Signs(key),
            Self::Opens(key) => NewKey::Opens(key.public()),
        }
    }
}

/// The key that is to come, on disk before it is registered, and whether it is registered: the one that an earlier run made if it can be used, or a new one.
fn coming(next: &Path, purpose: KeyUse, old: &Digest, keys: &[DirectoryKey], now: Timestamp) -> Result<(Own, bool), CliError> {
    if next.exists() {
        let bytes = config::read_secret(next).map_err(|error| CliError::usage(error.to_string(), error.in_japanese()))?;
        let found = Own::read(&bytes, purpose).ok().filter(|key| key.public().thumbprint() != *old);
        let name = match &found {
            Some(key) => key.public().thumbprint().to_string(),
            // What is registered was written whole before.
            None => "unusable".to_owned(),
        };
        match found.map(|key| (Found::of(keys, &key.public().thumbprint(), purpose, now), key)) {
            Some((Found::Good, key)) => return Ok((key, true)),
            Some((Found::Nowhere, key)) => return Ok((key, false)),
            // Somebody has taken it out of use since: it is put aside, and never used.
            Some((Found::Over, _)) | None => moved(next, &ending(next, &name)).map_err(|error| failed(next, error))?,
        }
    }
    let made = Own::generate(purpose)
        .map_err(|error| CliError::usage(format!("the key could not be made: {error}"), format!("鍵を作れませんでした（{error}）")))?;
    whole(next, &made.jwk()).map_err(|error| failed(next, error))?;
    Ok((made, false))
}

/// The new key takes the place of the old one in one step, and the old one stays under its own name.
fn put_in_place(next: &Path, file: &Path, kept: &Path) -> Result<(), CliError> {
    if !kept.exists() {
        let bytes = config::read_secret(file).map_err(|error| CliError::usage(error.to_string(), error.in_japanese()))?;
        whole(kept, &bytes).map_err(|error| failed(kept, error))?;
    }
    moved(next, file).map_err(|error| failed(file, error))
}

/// A private file that is there whole or not at all.
fn whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = ending(file, "part");
    if part.exists() {
        fs::remove_file(&part)?;
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    moved(&part, file)
}

/// Renames a file; the new name is on disk when this returns.
fn moved(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Where the key lies that comes after the one of a file.
pub(super) fn next_to(file: &Path) -> PathBuf {
    ending(file, "next")
}

fn ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn failed(file: &Path, error: io::Error) -> CliError {
    CliError::Io(file.display().to_string(), error)
}
