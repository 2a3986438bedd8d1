//! `tsunagi database`: what is done to the database by its owner and not by a gateway.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, Voice};
use crate::{
    config::{self, Config, Database},
    startup,
    store::{self, Address, StoreError},
};

/// Create or upgrade the tables of a PostgreSQL database.
#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create or upgrade the tables as their owner, and give the role of the gateways exactly what it needs.
    Migrate(MigrateArgs),
}

/// Create or upgrade the tables as their owner, and give the role of the gateways exactly what it needs.
#[derive(Debug, Args)]
struct MigrateArgs {
    /// Configuration file of the gateways.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// File (mode 0600) with the URL of the role that owns the tables: the server itself, no pooler.
    #[arg(long, value_name = "FILE")]
    owner_url_file: PathBuf,
    /// Role of the gateways. Default: the one that database.url names.
    #[arg(long, value_name = "NAME")]
    app_role: Option<String>,
}

pub(super) async fn run(args: DatabaseArgs, voice: Voice) -> Result<(), CliError> {
    let Command::Migrate(args) = args.command;
    let config = Config::load(&args.config).map_err(|error| usage(&error))?;
    let address = startup::database(&config).map_err(|error| usage(&error))?;
    let owner = owner(&args.owner_url_file)?;
    let role = args.app_role.map_or_else(|| store::role(&address), Ok).map_err(|error| told(&error))?;
    store::migrate(&owner, &role).await.map_err(|error| told(&error))?;
    if voice.json {
        println!("{}", json!({"role": role}));
        return Ok(());
    }
    println!(
        "{}",
        voice.lang.of(
            "The tables are those of this program, and the role of the gateways may do what it needs and nothing else.",
            "表はこのプログラムのものになり、ゲートウェイのロールには、要ることだけが許されています。",
        )
    );
    println!("  {role}");
    Ok(())
}

/// The address of the owner, from a private file. What holds for the gateway's own address holds for this one.
pub(super) fn owner(file: &Path) -> Result<Address, CliError> {
    let bytes = config::read_secret(file).map_err(|error| usage(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let file = file.display();
        CliError::usage(format!("{file}: write one PostgreSQL URL"), format!("{file}: PostgreSQL の URL を一つ書いてください"))
    })?;
    let (text, file) = (text.trim(), file.display());
    if !text.starts_with("postgres") {
        return Err(CliError::usage(
            format!("{file}: write one PostgreSQL URL"),
            format!("{file}: PostgreSQL の URL を一つ書いてください"),
        ));
    }
    let named = Database::named(text).map_err(|remedy| CliError::usage(format!("{file}: {remedy}"), format!("{file}: {remedy}")))?;
    startup::address(&named).map_err(|error| usage(&error))
}

/// What to do about a database that cannot be made or changed.
pub(super) fn told(error: &StoreError) -> CliError {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let (en, ja) = match error {
        StoreError::Exists => (
            "It holds a ledger already. Name an empty database; nothing was changed in this one.",
            "すでに台帳があります。空のデータベースを指定してください。何も変えていません。",
        ),
        StoreError::UnknownScheme | StoreError::Address => {
            ("Write postgres://ROLE@HOST:PORT/NAME.", "postgres://ロール@ホスト:ポート/名前 と書いてください。")
        }
        StoreError::Unsafe(_) => (
            "Set fsync, full_page_writes and synchronous_commit to on, and name the server that can be written.",
            "fsync、full_page_writes、synchronous_commit を on にし、書き込めるサーバーを指定してください。",
        ),
        _ => (
            "Check that the server runs, that the database exists, and that the role may create tables in it.",
            "サーバーが動き、データベースがあり、ロールがその中に表を作れることを確かめてください。",
        ),
    };
    CliError::usage(format!("database: {error}{cause}. {en}"), format!("データベース: {error}{cause}。{ja}"))
}

fn usage(error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(error.to_string(), error.to_string())
}
