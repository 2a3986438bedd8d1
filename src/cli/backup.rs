//! `tsunagi backup -c tsunagi.toml DIR|FILE`: a copy of the database while gateways serve from it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, Voice, serve::told};
use crate::{
    clock::{Clock as _, SystemClock},
    config::Config,
    startup::{
        Told as _,
        keeping::{self, Copied},
    },
    text::Lang,
};

/// Copy the database as of one moment into a new file, and verify the copy: every page, every entry of the ledger, the root, the signed mark. What is in
/// it stays encrypted; no key is in it.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The new file, or a folder for it.
    #[arg(value_name = "DIR|FILE")]
    to: PathBuf,
}

pub(super) async fn run(args: BackupArgs, voice: Voice) -> Result<(), CliError> {
    let config = read(&args.config)?;
    let place = if args.to.is_dir() { args.to.join(name()) } else { args.to };
    let copied = keeping::back_up(&config, &place).await.map_err(|error| told(&error, "no backup was made", "控えを作れませんでした"))?;
    let beside = beside(&args.config, &config);
    if voice.json {
        println!("{}", json!({"backup": facts(&copied), "keys": false, "keep_beside": beside}));
        return Ok(());
    }
    let (place, size) = (place.display(), copied.examined.head.size);
    println!(
        "{}\n",
        match voice.lang {
            Lang::En => format!("{place}: a verified copy of the whole database, ledger of {size} entries."),
            Lang::Ja => format!("{place}: データベース全体の控えです（検証済み、台帳は {size} 件）。"),
        }
    );
    println!(
        "{}",
        voice.lang.of(
            "It holds no key: without keys.kek nobody can read what is stored, you neither. Keep these too, each apart from the copy:",
            "控えに鍵は入っていません。keys.kek がなければ、保存された内容は誰にも（運用者にも）読めません。次のものも、控えとは別の場所に保管してください。",
        )
    );
    for file in &beside {
        println!("  {}", file.display());
    }
    println!(
        "\n{}",
        match voice.lang {
            Lang::En => format!(
                "Do not keep {} with backups: it must stay newer than they are, because it shows when an old one was restored.",
                config.ledger.high_water.display()
            ),
            Lang::Ja => format!(
                "{} は控えと一緒に戻してはいけません。古い控えが戻されたことを見つけるためのファイルで、控えより新しくなければなりません。",
                config.ledger.high_water.display()
            ),
        }
    );
    Ok(())
}

/// The configuration, or what is wrong with it.
pub(super) fn read(file: &Path) -> Result<Config, CliError> {
    Config::load(file).map_err(|error| CliError::usage(error.to_string(), format!("設定を読めません: {}", error.in_japanese())))
}

/// What a copy holds.
pub(super) fn facts(copied: &Copied) -> Value {
    let head = &copied.examined.head;
    json!({
        "file": copied.place,
        "origin": head.origin,
        "size": head.size,
        "root": crate::tlog::Hash(head.root).to_string(),
        "last_time": head.last_time,
        "tiles": copied.examined.tiles,
        "breaks": copied.examined.breaks.len(),
    })
}

/// What is needed besides the database to serve again.
fn beside(file: &Path, config: &Config) -> Vec<PathBuf> {
    let Config { keys, tls, policies, .. } = config;
    let own = [&keys.kek, &keys.ledger, &keys.enc, &keys.kb, &keys.receipt].into_iter().chain(&keys.retired);
    let door = [&tls.cert, &tls.key, &tls.client_ca].into_iter().chain(&tls.crls);
    std::iter::once(file.to_owned()).chain(own.chain(door).chain(policies).cloned()).collect()
}

/// A name that sorts by time.
fn name() -> String {
    let now = SystemClock.now().to_string();
    let digits: String = now.chars().take(19).filter(|c| *c != '-' && *c != ':').collect();
    format!("tsunagi-{digits}Z.sqlite")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_backups_sort_by_time() {
        let name = super::name();
        assert!(
            name.starts_with("tsunagi-20") && name.ends_with("Z.sqlite") && name.len() == "tsunagi-20261118T110640Z.sqlite".len(),
            "{name}"
        );
    }
}
