//! `tsunagi init DIR`: a complete sandbox in a new folder.

mod local;
mod parties;
mod work;

use std::{net::TcpListener, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{CliError, Voice, folder::Folder};

/// Make a sandbox: authority with revocation list, gateway keys, configuration, database, parties with registered keys, agreements in force.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// A folder that does not exist yet, or is empty.
    dir: PathBuf,
    /// Port of the gateway on 127.0.0.1. Default: a free one.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// URL of an empty PostgreSQL database, with the role of the gateway. Default: a SQLite file in the folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// File (mode 0600) with the URL of the role that owns the tables there. Default: the role of --database owns them.
    #[arg(long, value_name = "FILE", requires = "database")]
    database_owner_url_file: Option<PathBuf>,
}

pub(super) async fn run(args: InitArgs, voice: Voice) -> Result<(), CliError> {
    let port = args.port.map_or_else(free_port, Ok)?;
    let admin = free_port()?;
    let owner = args.database_owner_url_file.as_deref().map(super::database::owner).transpose()?;
    let folder = Folder::create(&args.dir)?;
    let made = local::make(&folder, (port, admin), local::Place { url: args.database, owner }).await?;
    let dir = args.dir.display();
    if voice.json {
        println!("{}", json!({"folder": args.dir, "gateway": made.gateway, "parties": made.parties, "agreements": made.agreements}));
        return Ok(());
    }
    let text = voice.lang.of(
        "A sandbox is ready. Nothing in it is secret to anybody who can read the folder: use it for trying things out only.",
        "お試し用の環境ができました。このフォルダーを読める人には何も秘密ではありません。試すためだけに使ってください。",
    );
    println!("{text}\n");
    println!("  {dir}/tsunagi.toml   {}", voice.lang.of("configuration", "設定"));
    println!("  {dir}/ca/            {}", voice.lang.of("test authority and its revocation list", "試験用の認証局と失効リスト"));
    println!("  {dir}/parties/       {}", voice.lang.of("one identity folder per party", "機関ごとの身元フォルダー"));
    for party in &made.parties {
        println!("      {party}");
    }
    println!("\n{}", voice.lang.of("Next:", "次に:"));
    println!("  tsunagi serve -c {dir}/tsunagi.toml");
    println!("  tsunagi audit events --as {dir}/parties/auditor-tokyo");
    Ok(())
}

/// A port that is free now.
fn free_port() -> Result<u16, CliError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| CliError::Io("127.0.0.1".to_owned(), e))?;
    Ok(listener.local_addr().map_err(|e| CliError::Io("127.0.0.1".to_owned(), e))?.port())
}
