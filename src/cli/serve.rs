//! `tsunagi serve -c tsunagi.toml`: the gateway.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{CliError, Voice};
use crate::{
    clock::SystemClock,
    config::Config,
    gateway::Failure,
    ledger::{HighWaterError, LedgerError},
    startup::{self, StartupError, Told},
    store::StoreError,
    telemetry,
    vault::VaultError,
    witness::WitnessError,
};

/// Run the gateway until SIGTERM or SIGINT. SIGHUP reads certificates, revocation lists and policies again.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn run(args: ServeArgs, _voice: Voice) -> Result<(), CliError> {
    let usage = |error: &dyn Told| CliError::usage(format!("cannot serve: {error}"), format!("起動できません: {}", error.in_japanese()));
    let config = Config::load(&args.config).map_err(|e| usage(&e))?;
    telemetry::start_logging(config.log).map_err(|e| usage(&e))?;
    startup::serve(&config, Arc::new(SystemClock)).await.map_err(|error| match &error {
        StartupError::Policy(fault) => super::policy::unusable(fault),
        _ => told(&error, "cannot serve", "起動できません"),
    })
}

/// What a database said about it, where that is not told yet.
pub(super) fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// The error with what to do about it: what is written in files is usage, what is stored does not verify, a database that does not answer is not reached.
pub(super) fn told(error: &StartupError, en: &str, ja: &str) -> CliError {
    if let StartupError::Founding(Failure::Ledger(LedgerError::OutcomeUnknown) | Failure::Store(StoreError::CommitUnknown(_))) = error {
        return CliError::unverified(
            "whether the operator was registered is not known: the connection to the database was lost while it was written. Give the same command again: it \
             says that the operator is registered, or registers it.",
            "運用者が登録されたかどうか分かりません。書き込み中にデータベースとの接続が切れました。同じコマンドをもう一度実行してください。登録済みならそう表示し、\
             そうでなければ登録します。",
        );
    }
    if let StartupError::Store(StoreError::CommitUnknown(_)) | StartupError::Ledger(LedgerError::OutcomeUnknown) = error {
        return CliError::unverified(
            "whether it was done is not known: the connection to the database was lost while it was written. Look with `tsunagi check -c FILE` what stands \
             before anything else is done.",
            "完了したかどうか分かりません。書き込み中にデータベースとの接続が切れました。ほかのことをする前に、`tsunagi check -c FILE` で状態を確かめてください。",
        );
    }
    let remedy = remedy(error);
    // What a database server says is told, never what was sent to it.
    let cause = match error {
        StartupError::Store(error) => cause(error),
        _ => String::new(),
    };
    let (en, ja) = (format!("{en}: {error}{cause}. {}", remedy.0), format!("{ja}: {}{cause}。{}", error.in_japanese(), remedy.1));
    match error {
        StartupError::Ledger(_)
        | StartupError::Behind { .. }
        | StartupError::Store(StoreError::Corrupt(_) | StoreError::Damaged(_) | StoreError::Broken(_) | StoreError::Miscopied(_)) => {
            CliError::Unverified { en, ja }
        }
        StartupError::Store(StoreError::Database(_)) | StartupError::Founding(Failure::Store(StoreError::Database(_))) => {
            CliError::Unreachable { en, ja }
        }
        _ => CliError::Usage { en, ja },
    }
}

/// What to do about it.
pub(super) const fn remedy(error: &StartupError) -> (&'static str, &'static str) {
    match error {
        StartupError::Config(_) | StartupError::Url | StartupError::Password(_) => {
            ("Correct the configuration file; README lists every key.", "設定ファイルを直してください。キーの一覧は README にあります。")
        }
        StartupError::Key(..) | StartupError::Envelope(_) | StartupError::Seed(_) | StartupError::Tlog(_) => {
            ("Put the key file back that the configuration names.", "設定が指す鍵ファイルを元に戻してください。")
        }
        StartupError::Kek(_, VaultError::KekMode) => ("Run chmod 600 on that file.", "そのファイルに chmod 600 を実行してください。"),
        StartupError::Kek(..) | StartupError::Vault(_) => (
            "keys.kek must be the key this database was made with. Put it back; never make a new one for an old database.",
            "keys.kek は、このデータベースを作ったときの鍵でなければなりません。元に戻してください。古いデータベースに新しい鍵を作ってはいけません。",
        ),
        StartupError::Policy(_) => (
            "Correct the policies, or leave `policies` out to use the built-in set.",
            "方針を直すか、`policies` を書かずに内蔵のものを使ってください。",
        ),
        StartupError::PolicyMismatch { .. } => (
            "Load the set that is in force, or put this one in force for every gateway of the ledger with `tsunagi policy activate`.",
            "効力のある方針を読み込むか、`tsunagi policy activate` でこの方針をこの台帳のすべてのゲートウェイに効かせてください。",
        ),
        StartupError::Schema(_) => ("This program is damaged: install it again.", "プログラムが壊れています。入れ直してください。"),
        StartupError::Store(StoreError::Exists) => (
            "Nothing is written over. Move what is there away first, with the files -wal and -shm beside it, or name another place.",
            "上書きはしません。先に、そこにあるものを -wal、-shm のファイルとともに移すか、別の場所を指定してください。",
        ),
        StartupError::Store(StoreError::Unfinished) => (
            "Make a copy with `tsunagi backup` while the gateway serves; copying the file of a database in use loses what waits in its log.",
            "`tsunagi backup` で控えを作ってください（起動中でもできます）。使用中のデータベースのファイルをそのまま写すと、ログにある内容が失われます。",
        ),
        StartupError::Store(StoreError::Damaged(_)) => ("Use another backup.", "別の控えを使ってください。"),
        StartupError::Store(StoreError::Outdated(_)) => (
            "Stop every gateway of this database and run `tsunagi database migrate -c FILE` of this version; on PostgreSQL with --owner-url-file FILE.",
            "このデータベースのゲートウェイをすべて止め、この版の `tsunagi database migrate -c FILE` を実行してください。PostgreSQL では --owner-url-file FILE も必要です。",
        ),
        StartupError::Store(StoreError::Schema(_)) => (
            "The tables are of a newer version of this program, or not of this program: use the version they were made with, or correct database.url.",
            "表は、より新しい版のものか、このプログラムのものではありません。表を作った版を使うか、database.url を直してください。",
        ),
        StartupError::Store(StoreError::Unsafe(_)) => (
            "Set fsync, full_page_writes and synchronous_commit to on, and let database.url name the server that can be written.",
            "fsync、full_page_writes、synchronous_commit を on にし、database.url に書き込めるサーバーを書いてください。",
        ),
        StartupError::Store(_) | StartupError::NoOwnKey => (
            "Check that database.url names the gateway's own database, that its file and folder can be read and written or its server runs and lets the role in; if it is damaged, restore a backup.",
            "database.url がこのゲートウェイのデータベースを指し、ファイルとフォルダーを読み書きできること（サーバーの場合は、動いていてロールが接続できること）を確かめてください。壊れていれば、控えから戻してください。",
        ),
        StartupError::Mark(error) => mark_remedy(error),
        StartupError::Behind { .. } | StartupError::Ledger(LedgerError::RolledBack | LedgerError::Forked) => (
            "The database is older than what this gateway showed, or another one. Put the newest database back. If the entries are lost for good, open a new \
             origin that records the break: `tsunagi ledger reopen -c FILE --origin NAME`. Never delete the high-water mark.",
            "データベースが、このゲートウェイがすでに示したものより古いか、別のものです。最新のデータベースに戻してください。記録が失われて戻らない場合は、\
             断絶を記録して新しい名前で開き直します: `tsunagi ledger reopen -c FILE --origin NAME`。最高水位ファイルを消してはいけません。",
        ),
        StartupError::NothingLost => {
            ("There is no need for a new name; serve as before.", "新しい名前は要りません。これまでどおり起動してください。")
        }
        StartupError::NothingKnown => (
            "Bring the newest head that another gateway, an auditor or a witness kept (--known FILE), or say with --nothing-known that nobody has one. If \
             nothing was lost, use `tsunagi ledger adopt`.",
            "ほかのゲートウェイ、監査人、立会人が持つ最新の先頭を --known で渡すか、誰も持っていないことを --nothing-known で示してください。\
             失われていなければ `tsunagi ledger adopt` を使ってください。",
        ),
        StartupError::NoHead(_) => (
            "Give a checkpoint note of this ledger, or another gateway's high-water mark.",
            "この台帳のチェックポイントか、ほかのゲートウェイの最高水位ファイルを指定してください。",
        ),
        StartupError::Recording(_) => (
            "Try again; what was recorded stays recorded, and the next run goes on.",
            "もう一度試してください。記録された分はそのまま残り、続きから進みます。",
        ),
        StartupError::Founded => (
            "Register further operators with `tsunagi party register`. For a new exchange, let database.url name a new database.",
            "運用者を増やすには `tsunagi party register` を使ってください。新しく始めるには、database.url に新しいデータベースを書いてください。",
        ),
        StartupError::Founding(_) => {
            ("Give the same command again; it goes on where it stopped.", "同じコマンドをもう一度実行してください。続きから進みます。")
        }
        StartupError::Activation(_) | StartupError::Erasure(_) => {
            ("Try again; nothing was changed.", "もう一度試してください。何も変わっていません。")
        }
        StartupError::Ledger(LedgerError::Signer) => (
            "Write the ledger's own name into `origin`. A ledger that was opened again has the name that `tsunagi ledger reopen` said.",
            "`origin` に台帳の名前を書いてください。開き直した台帳の名前は `tsunagi ledger reopen` が示したものです。",
        ),
        StartupError::Ledger(_) => (
            "Do not change the database. Compare it with a backup and with the heads that auditors keep.",
            "データベースに触れず、控えと、監査人が持つ先頭と比べてください。",
        ),
        StartupError::Tls(_) => (
            "Check the certificates, keys and revocation lists that the section [tls] names.",
            "[tls] が指す証明書、鍵、失効リストを確かめてください。",
        ),
        StartupError::Witness(_, WitnessError::Ledger(LedgerError::RolledBack | LedgerError::Forked)) => (
            "The stored ledger is not the one that was signed before: an older copy was restored, or entries were lost or changed. Find the newest copy. Where there \
             is none, record the break: `tsunagi ledger reopen -c FILE --origin NAME --known FILE`, with the head that the witness keeps. Only if the witness itself is known to be wrong, take it out of the configuration.",
            "保存されている台帳が、以前に署名されたものと違います。古い控えを戻したか、記録が失われたか、書き換えられています。最新の控えを探してください。\
             なければ、立会人の持つ先頭を渡して断絶を記録してください: `tsunagi ledger reopen -c FILE --origin NAME --known FILE`。立会人の側が誤っていると分かっているときに限り、設定から外してください。",
        ),
        StartupError::Witness(..) => (
            "Correct the [[witness]] table with that URL, or [checkpoints]; README lists every key.",
            "その URL の [[witness]]、または [checkpoints] を直してください。キーの一覧は README にあります。",
        ),
        StartupError::Io(..) => (
            "Another program may hold that address, or this user may not use it.",
            "ほかのプログラムがそのアドレスを使っているか、この利用者に権限がありません。",
        ),
    }
}

/// What to do about a high-water mark that cannot be used.
pub(super) const fn mark_remedy(error: &HighWaterError) -> (&'static str, &'static str) {
    match error {
        HighWaterError::Missing(_) | HighWaterError::Spoilt(_) => (
            "Nobody can tell whether this database went back to an older state. If this gateway is new, or you compared the head with another gateway's and \
             with those that auditors keep, say so once: `tsunagi ledger adopt -c FILE`. If entries were lost: `tsunagi ledger reopen`.",
            "このデータベースが古い状態に戻っていないことを確かめられません。新しいゲートウェイである場合や、先頭をほかのゲートウェイや監査人の控えと比べて確かめた場合は、\
             一度だけ `tsunagi ledger adopt -c FILE` を実行してください。記録が失われている場合は `tsunagi ledger reopen` です。",
        ),
        HighWaterError::OtherOrigin { .. } => (
            "Correct `origin`, or, if the ledger was opened again under a new name, take over with `tsunagi ledger adopt -c FILE`.",
            "`origin` を直してください。台帳を新しい名前で開き直した場合は `tsunagi ledger adopt -c FILE` で引き継いでください。",
        ),
        HighWaterError::Held(_) => (
            "If this gateway runs already, that is it: stop it first. If it is another gateway of the ledger, give each a mark of its own.",
            "このゲートウェイがすでに動いている場合は、先に止めてください。同じ台帳の別のゲートウェイの場合は、それぞれに別のファイルを指定してください。",
        ),
        _ => (
            "Give each gateway a high-water mark of its own (`ledger.high_water`) that its user can write.",
            "ゲートウェイごとに、その利用者が書き込める最高水位ファイル（`ledger.high_water`）を指定してください。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_whose_outcome_is_unknown_is_not_called_undone() {
        let error = StartupError::Ledger(LedgerError::OutcomeUnknown);
        let CliError::Unverified { en, ja } = told(&error, "nothing was restored", "何も戻していません") else {
            panic!("{error}")
        };
        assert!(en.contains("not known") && !en.contains("nothing was"), "{en}");
        assert!(ja.contains("分かりません") && !ja.contains("戻していません"), "{ja}");
    }
}
