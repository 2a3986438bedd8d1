//! `tsunagi migrate-store`: a SQLite exchange moves to PostgreSQL with its ledger intact.
//!
//! Promises: the SQLite file is only read, by nobody else meanwhile, and stays; the PostgreSQL database becomes one that a gateway opens only when every
//! row was read back and the root of the ledger came out the same. Not here: the configuration, which a person changes.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{CliError, Voice};
use crate::{
    config::{Config, Database},
    ledger::TreeRecount,
    startup::{self, Told},
    store::{self, Copied, Hold, StoreError},
    tlog::Hash,
};

/// Copy the ledger and everything else from the configured SQLite file into an empty PostgreSQL database. The gateway must not run meanwhile.
#[derive(Debug, Args)]
pub(super) struct MigrateStoreArgs {
    /// Configuration file of the gateway; its database.url names the SQLite file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The empty PostgreSQL database, with the role of the gateways: postgres://ROLE@HOST:PORT/NAME. Without a password: a command line is no secret.
    #[arg(long, value_name = "URL")]
    to: String,
    /// File (mode 0600) with the password of the role of --to.
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,
    /// File (mode 0600) with the URL of the role that is to own the tables there: the server itself, no pooler. Default: the role of --to owns them.
    #[arg(long, value_name = "FILE")]
    to_owner_url_file: Option<PathBuf>,
}

pub(super) async fn run(args: MigrateStoreArgs, voice: Voice) -> Result<(), CliError> {
    let config = Config::load(&args.config).map_err(|error| unusable(&error))?;
    if !config.database.url.expose().starts_with("sqlite:") {
        return Err(CliError::usage(
            "database.url does not name a SQLite file: there is nothing to move",
            "database.url は SQLite のファイルではありません。移すものがありません",
        ));
    }
    let mut named = Database::named(&args.to).map_err(|remedy| CliError::usage(format!("--to: {remedy}"), format!("--to: {remedy}")))?;
    if named.url.expose().starts_with("sqlite:") {
        return Err(CliError::usage(
            "--to must name a PostgreSQL database: postgres://ROLE@HOST:PORT/NAME",
            "--to には PostgreSQL のデータベース postgres://ROLE@HOST:PORT/NAME を書いてください",
        ));
    }
    if named.url.has_password() {
        return Err(CliError::usage(
            "--to: leave the password out, everybody on this machine can read a command line; write it to a file (mode 0600) for --to-password-file, and \
             change it: it was shown",
            "--to: パスワードは書かないでください。コマンドラインはこの機械の誰にでも読めます。ファイル（権限 0600）に書いて --to-password-file で渡し、\
             見えてしまったパスワードは変えてください",
        ));
    }
    named.password_file = args.to_password_file;
    let from = startup::database(&config).map_err(|error| unusable(&error))?;
    let to = startup::address(&named).map_err(|error| unusable(&error))?;
    let owner = args.to_owner_url_file.as_deref().map(super::database::owner).transpose()?;
    let copied = store::copy(&from, &to, owner.as_ref(), Hold::Alone, TreeRecount::default()).await.map_err(|error| failed(&error))?;
    // What was promised, once more from outside.
    let opened = store::open(owner.unwrap_or(to)).await.map_err(|error| failed(&error))?;
    let head = opened.head().await.map_err(|error| failed(&error))?;
    opened.close().await;
    if head != copied.head {
        return Err(failed(&StoreError::Miscopied("ledger_head")));
    }
    tell(&copied, &args.to, named.password_file.is_some(), voice);
    Ok(())
}

fn tell(copied: &Copied, to: &str, with_password: bool, voice: Voice) {
    let (size, root) = (copied.head.size, Hash(copied.head.root));
    if voice.json {
        let rows: Map<String, Value> = copied.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        println!("{}", json!({"origin": copied.head.origin, "size": size, "root": root.to_string(), "rows": rows}));
        return;
    }
    let all: u64 = copied.rows.iter().map(|(_, rows)| rows).sum();
    println!(
        "{}",
        voice.lang.of(
            "Moved. Every row was read back, and the ledger has the same root.",
            "移しました。すべての行を読み戻し、台帳の根は同じです。"
        )
    );
    println!("  {}   {size}", voice.lang.of("entries of the ledger", "台帳の記録"));
    println!("  {}   {root}", voice.lang.of("root", "根"));
    println!("  {}   {all}", voice.lang.of("rows in all", "行の合計"));
    println!("\n{}", voice.lang.of("Next, in tsunagi.toml of every gateway:", "次に、すべてのゲートウェイの tsunagi.toml で:"));
    println!("  [database]\n  url = \"{to}\"");
    if with_password {
        println!("  password_file = \"{}\"", voice.lang.of("FILE", "ファイル"));
    }
    println!(
        "{}",
        voice.lang.of(
            "Keep the SQLite file as a backup and never serve it again: two ledgers under one key are a fork.",
            "SQLite のファイルは控えとして残し、二度とそれで起動しないでください。一つの鍵に二つの台帳があれば分岐です。",
        )
    );
}

fn unusable(error: &dyn Told) -> CliError {
    CliError::usage(format!("cannot move the store: {error}"), format!("移せません: {}", error.in_japanese()))
}

/// What happened and what to do. Except where it says so, nothing was changed anywhere.
fn failed(error: &StoreError) -> CliError {
    let (en, ja) = match error {
        StoreError::InUse => (
            "The gateway still runs, or something else has the SQLite file open: stop it and try again.",
            "ゲートウェイが動いているか、何かが SQLite のファイルを開いています。止めてから、もう一度実行してください。",
        ),
        StoreError::Exists => (
            "The PostgreSQL database is not empty. Name one without tables (createdb); an earlier run that was cut off at its end may have filled this one: then it is complete.",
            "PostgreSQL のデータベースが空ではありません。表のないもの（createdb）を指定してください。前の実行が最後で切れたなら、これはもう揃っていることがあります。",
        ),
        StoreError::Missing => (
            "database.url must name the SQLite file of the exchange.",
            "database.url は、この交換の SQLite のファイルを指さなければなりません。",
        ),
        StoreError::Broken(_) => (
            "The ledger in the SQLite file is not whole; it was not moved. Compare it with a backup and with the heads that auditors keep.",
            "SQLite のファイルの台帳が壊れているので、移しませんでした。控えと、監査人が持つ先頭と比べてください。",
        ),
        StoreError::Miscopied(_) => ("Nothing was moved. Try again.", "何も移していません。もう一度実行してください。"),
        StoreError::CommitUnknown(_) => (
            "The connection broke at the last step. Run this again: if it says that the database is not empty, the copy is complete.",
            "最後の段階で接続が切れました。もう一度実行してください。データベースが空でないと出れば、移し終わっています。",
        ),
        _ => (
            "Nothing was moved; the SQLite file is as it was. Check both addresses, that the role owns the database, and try again.",
            "何も移していません。SQLite のファイルは元のままです。二つの宛先と、役割がデータベースの所有者であることを確かめて、もう一度実行してください。",
        ),
    };
    let cause = std::error::Error::source(error).map(|source| format!(" ({source})")).unwrap_or_default();
    let (en, ja) = (format!("{error}{cause}. {en}"), format!("{}{cause}。{ja}", error.in_japanese()));
    match error {
        StoreError::Broken(_) | StoreError::Miscopied(_) => CliError::unverified(en, ja),
        _ => CliError::usage(en, ja),
    }
}
