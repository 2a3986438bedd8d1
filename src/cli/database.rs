//! `tsunagi database`: what is done to the database by its owner and not by a gateway. A PostgreSQL database has an owner role; a SQLite file belongs to
//! who runs the gateway, and nobody may have it open.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, Voice, serve::cause};
use crate::{
    config::{self, Config, Database},
    startup::{self, Told},
    store::{self, Address, StoreError, Upgraded},
    text::Lang,
};

/// Upgrade the tables of the database; create them on PostgreSQL.
#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the tables those of this program. PostgreSQL: as their owner, who gives the role of the gateways exactly what it needs. SQLite: with every gateway
    /// stopped, after a copy of the file was made beside it.
    Migrate(MigrateArgs),
}

/// Make the tables those of this program. PostgreSQL: as their owner, who gives the role of the gateways exactly what it needs. SQLite: with every gateway
/// stopped, after a copy of the file was made beside it.
#[derive(Debug, Args)]
struct MigrateArgs {
    /// Configuration file of the gateways.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// PostgreSQL: file (mode 0600) with the URL of the role that owns the tables: the server itself, no pooler.
    #[arg(long, value_name = "FILE", conflicts_with = "backup")]
    owner_url_file: Option<PathBuf>,
    /// PostgreSQL: role of the gateways. Default: the one that database.url names.
    #[arg(long, value_name = "NAME", requires = "owner_url_file")]
    app_role: Option<String>,
    /// SQLite: where the copy of the file as it was goes, if anything is to be changed. Default: beside the file.
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
}

pub(super) async fn run(args: DatabaseArgs, voice: Voice) -> Result<(), CliError> {
    let Command::Migrate(args) = args.command;
    let config = Config::load(&args.config).map_err(|error| usage(&error))?;
    let address = startup::database(&config).map_err(|error| usage(&error))?;
    match (address.file(), &args.owner_url_file) {
        (Some(url), None) => upgrade(url, args.backup.as_deref(), voice).await,
        (Some(_), Some(_)) => Err(CliError::usage(
            "the database is a SQLite file, which knows no roles: leave --owner-url-file out",
            "データベースは SQLite のファイルで、ロールはありません。--owner-url-file を付けずに実行してください",
        )),
        (None, Some(file)) => grant(&address, file, args.app_role, voice).await,
        (None, None) => Err(CliError::usage(
            "name the owner of the tables of PostgreSQL: --owner-url-file FILE",
            "PostgreSQL の表の所有者を --owner-url-file FILE で指定してください",
        )),
    }
}

/// The tables of PostgreSQL, and what the role of the gateways may do.
async fn grant(address: &Address, owner_url_file: &Path, app_role: Option<String>, voice: Voice) -> Result<(), CliError> {
    let owner = owner(owner_url_file)?;
    let role = app_role.map_or_else(|| store::role(address), Ok).map_err(|error| told(&error))?;
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

/// The tables of a SQLite file.
async fn upgrade(url: &str, backup: Option<&Path>, voice: Voice) -> Result<(), CliError> {
    let upgraded = store::upgrade(url, backup).await.map_err(|error| not_upgraded(&error))?;
    if voice.json {
        println!("{}", json!({"steps": upgraded.steps, "backup": upgraded.backup}));
        return Ok(());
    }
    for line in lines(&upgraded, voice.lang) {
        println!("{line}");
    }
    Ok(())
}

fn lines(upgraded: &Upgraded, lang: Lang) -> Vec<String> {
    let Some(backup) = &upgraded.backup else {
        let done = lang.of(
            "The tables are those of this program already; nothing was changed.",
            "表はすでにこのプログラムのものです。何も変えていません。",
        );
        return vec![done.to_owned()];
    };
    let steps: Vec<String> = upgraded.steps.iter().map(ToString::to_string).collect();
    let (steps, backup) = (steps.join(", "), backup.display());
    match lang {
        Lang::En => vec![
            format!("The tables are those of this program now (steps {steps})."),
            format!(
                "  {backup}: the database as it was. An earlier version of this program can serve it, but only as long as no gateway has served the new one."
            ),
            "Start the gateway. When it serves, delete that copy: it holds keys of what is erased from now on.".to_owned(),
        ],
        Lang::Ja => vec![
            format!("表はこのプログラムのものになりました（手順 {steps}）。"),
            format!("  {backup}: 変更前のデータベースです。新しいほうでゲートウェイを起動するまでに限り、以前の版のプログラムで使えます。"),
            "ゲートウェイを起動してください。動作を確かめたら、この控えを削除してください。今後消去する内容の鍵が含まれています。"
                .to_owned(),
        ],
    }
}

/// Why a SQLite file is as it was, and what to do.
fn not_upgraded(error: &StoreError) -> CliError {
    let cause = cause(error);
    let (en, ja) = match error {
        StoreError::InUse => (
            "Stop every gateway of it, and start this again.",
            "このデータベースのゲートウェイをすべて止めてから、もう一度実行してください。",
        ),
        StoreError::Exists => (
            "The place of the copy is taken, perhaps by an attempt that was broken off: look at what is there and remove it, or name another place with --backup FILE.",
            "控えを置く場所にファイルがあります。中断した実行が残したものかもしれません。確かめて削除するか、--backup FILE で別の場所を指定してください。",
        ),
        StoreError::Missing => ("Correct database.url in the configuration.", "設定の database.url を直してください。"),
        StoreError::File(_) => {
            ("Check that there is room, and that the folder can be written.", "空き容量と、フォルダーの書込み権限を確かめてください。")
        }
        StoreError::Damaged(_) => (
            "The file was damaged before. Restore a backup with `tsunagi restore`.",
            "ファイルは以前から壊れています。`tsunagi restore` で控えから戻してください。",
        ),
        StoreError::CommitUnknown(_) => (
            "Whether it was upgraded is not known. Run the same command with another --backup FILE: it says so, or does it.",
            "完了したかどうか分かりません。別の --backup FILE を指定して同じコマンドを実行してください。完了していればそう表示し、そうでなければ続きを行います。",
        ),
        _ => (
            "Use the version of the program that made these tables, or a newer one.",
            "表を作った版のプログラムか、それより新しい版を使ってください。",
        ),
    };
    let state = match error {
        StoreError::CommitUnknown(_) => ("", ""),
        _ => (" The database is as it was.", "データベースは元のままです。"),
    };
    CliError::usage(
        format!("database: {error}{cause}. {en}{}", state.0),
        format!("データベース: {}{cause}。{ja}{}", error.in_japanese(), state.1),
    )
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
    let cause = cause(error);
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
    let (en, ja) = (format!("database: {error}{cause}. {en}"), format!("データベース: {}{cause}。{ja}", error.in_japanese()));
    match error {
        StoreError::Database(_) => CliError::Unreachable { en, ja },
        _ => CliError::Usage { en, ja },
    }
}

fn usage(error: &dyn Told) -> CliError {
    CliError::usage(error.to_string(), error.in_japanese())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_a_file_is_told_in_both_languages() {
        let nothing = Upgraded { steps: Vec::new(), backup: None };
        let done = Upgraded { steps: vec![2, 3], backup: Some("t.db.before-0002".into()) };
        for (lang, told) in [(Lang::En, "steps 2, 3"), (Lang::Ja, "手順 2, 3")] {
            assert_eq!(lines(&nothing, lang).len(), 1);
            let said = lines(&done, lang).join("\n");
            assert!(said.contains(told) && said.contains("t.db.before-0002"), "{said}");
        }
    }
}
