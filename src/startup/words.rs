//! Why the gateway does not start, in Japanese; in English it is what each error displays.
//!
//! Promises: exhaustive matches, so an error without Japanese words does not compile. Terms of a library, names of files and URLs stay what they are.
//! No text holds a value that is not in the English one.

use std::fmt::Display;

use super::StartupError;
use crate::{
    config::ConfigError, ledger::HighWaterError, ledger::LedgerError, store::StoreError, telemetry::TelemetryError, text::Lang,
    tls::TlsError, vault::VaultError, witness::WitnessError,
};

/// An error in either language.
pub trait Told: Display {
    /// What is wrong, in Japanese.
    fn in_japanese(&self) -> String;

    /// What is wrong, in one language.
    fn told(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.to_string(),
            Lang::Ja => self.in_japanese(),
        }
    }
}

impl Told for StartupError {
    fn in_japanese(&self) -> String {
        startup(self)
    }
}

impl Told for StoreError {
    fn in_japanese(&self) -> String {
        store(self)
    }
}

impl Told for LedgerError {
    fn in_japanese(&self) -> String {
        ledger(*self)
    }
}

impl Told for TelemetryError {
    fn in_japanese(&self) -> String {
        match self {
            Self::AlreadyStarted => "このプロセスでは、もう記録が始まっています".to_owned(),
        }
    }
}

impl Told for HighWaterError {
    fn in_japanese(&self) -> String {
        mark(self)
    }
}

impl Told for ConfigError {
    fn in_japanese(&self) -> String {
        config(self)
    }
}

fn startup(error: &StartupError) -> String {
    match error {
        StartupError::Config(error) => config(error),
        StartupError::Key(file, why) => format!("{}: 鍵として読めません（{why}）", file.display()),
        StartupError::Envelope(why) => format!("暗号用の鍵を使えません（{why}）"),
        StartupError::Tlog(why) => format!("台帳の鍵または名前を使えません（{why}）"),
        StartupError::Seed(file) => format!("{}: 16 進数 64 桁でなければなりません", file.display()),
        StartupError::Password(file) => format!("{}: パスワードを 1 行の文字で書いてください", file.display()),
        StartupError::Url => "gateway は https://ホスト:ポート の形で書いてください".to_owned(),
        StartupError::Vault(error) => vault(error),
        StartupError::Kek(file, error) => format!("{}: {}", file.display(), vault(error)),
        StartupError::NoOwnKey => "データベースに、このゲートウェイ自身のデータ鍵がありません".to_owned(),
        StartupError::Policy(why) => format!("方針を使えません（{why}）"),
        StartupError::Schema(why) => format!("スキーマを使えません（{why}）"),
        StartupError::Store(error) => store(error),
        StartupError::Ledger(error) => ledger(*error),
        StartupError::Mark(error) => mark(error),
        StartupError::Behind { shown, stored } => {
            format!("データベースの記録は {stored} 件ですが、このゲートウェイはすでに {shown} 件の先頭を示しています")
        }
        StartupError::NothingLost => "知られているすべての先頭から台帳は続いています。失われたものはありません".to_owned(),
        StartupError::NothingKnown => "以前の台帳の先頭が一つも知られていません".to_owned(),
        StartupError::NoHead(file) => format!("{}: この台帳の鍵が署名したチェックポイントではありません", file.display()),
        StartupError::Tls(error) => tls(error),
        StartupError::PolicyMismatch { loaded, in_force } => format!("読み込んだ方針は {loaded} ですが、効力のある方針は {in_force} です"),
        StartupError::Activation(why) => format!("方針を切り替えられません（{why}）"),
        StartupError::Witness(url, error) => format!("{url}: {}", witness(error)),
        StartupError::Erasure(why) => format!("消去できません（{why}）"),
        StartupError::Recording(why) => format!("登録を記録できません（{why}）"),
        StartupError::Founded => "この交換基盤には、すでに機関が登録されています。ほかの機関は、その運用者が登録します".to_owned(),
        StartupError::Founding(why) => format!("最初の運用者を登録できません（{why}）"),
        StartupError::Io(place, why) => format!("{place} を使えません（{why}）"),
    }
}

fn config(error: &ConfigError) -> String {
    match error {
        ConfigError::Read { file, source } => {
            format!("{}: 読めません（{source}）。場所と、実行する利用者の読み取り権限を確かめてください", file.display())
        }
        ConfigError::TooLarge { file } => format!("{}: 大きすぎます。正しいファイルを指しているか確かめてください", file.display()),
        ConfigError::Syntax { file, line, key, message } => {
            format!("{} の {line} 行目、キー `{key}`: 書き方が正しくありません（{message}）", file.display())
        }
        ConfigError::Invalid { file, key, remedy } => format!("{}、キー `{key}`: 値を使えません（{remedy}）", file.display()),
        ConfigError::Exposed { file, mode } => {
            format!("{0}: 秘密のファイルをほかの利用者が読めます（{mode:04o}）。実行してください: chmod 600 {0}", file.display())
        }
    }
}

fn vault(error: &VaultError) -> String {
    match error {
        VaultError::KekFormat => "鍵暗号化鍵が、小文字の 16 進数 64 桁ではありません".to_owned(),
        VaultError::KekFile(why) => format!("鍵暗号化鍵のファイルを読めません（{why}）"),
        VaultError::KekMode => "鍵暗号化鍵のファイルの権限は 0600 でなければなりません".to_owned(),
        VaultError::Unwrap => "この鍵暗号化鍵では、データ鍵が開きません".to_owned(),
        VaultError::Open => "封じた内容が開きません".to_owned(),
        VaultError::Crypto => "暗号ライブラリーが失敗しました".to_owned(),
    }
}

fn store(error: &StoreError) -> String {
    match error {
        StoreError::Corrupt(column) => format!("列 {column} の値が壊れています"),
        StoreError::Database(_) => "データベースが失敗しました".to_owned(),
        StoreError::CommitUnknown(_) => "確定されたかどうか分かりません".to_owned(),
        StoreError::Schema(why) => format!("データベースの表が、このプログラムのものではありません（{why}）"),
        StoreError::Outdated(step) => format!("表は以前の版のものです。手順 {step} が済んでいません"),
        StoreError::RowConflict => "行が、書き込みの前提と違います".to_owned(),
        StoreError::HeadMoved => "台帳の先頭が、ほかから進められました".to_owned(),
        StoreError::Missing => "データベースがありません。`tsunagi setup exchange`（お試し用は `tsunagi init`）が作ります".to_owned(),
        StoreError::Exists => "データベースがすでにあります".to_owned(),
        StoreError::File(why) => format!("データベースのファイルを作れません（{why}）"),
        StoreError::Damaged(why) => format!("控えが壊れています（{why}）"),
        StoreError::Unfinished => "先行書込みログが残っています。使用中のデータベースであり、完成した控えではありません".to_owned(),
        StoreError::UnknownScheme => "データベースの URL は sqlite: か postgres:// で始めてください".to_owned(),
        StoreError::Address => "データベースの URL を読み取れません".to_owned(),
        StoreError::InUse => "データベースが使用中です".to_owned(),
        StoreError::Miscopied(table) => format!("表 {table} が元のとおりに写されていません"),
        StoreError::Broken(index) => format!("台帳は {index} 番の記録で壊れています"),
        StoreError::Unsafe(why) => format!("データベースサーバーをこのまま使えません（{why}）"),
    }
}

fn ledger(error: LedgerError) -> String {
    let words = match error {
        LedgerError::Unavailable => "台帳を今は読み書きできません",
        LedgerError::OutcomeUnknown => "記録が書かれたかどうか分かりません",
        LedgerError::TooLarge => "記録が大きすぎます",
        LedgerError::Closed => "台帳は閉じられています",
        LedgerError::TurnOver => "書き込みの順番が時間切れになりました",
        LedgerError::NotInLedger => "台帳にありません",
        LedgerError::Broken(what) => return format!("保存されている台帳が合いません（{what}）"),
        LedgerError::BrokenAt(index) => return format!("保存されている台帳は {index} 番の記録で合いません"),
        LedgerError::RolledBack => "保存されている台帳が、署名した先頭より古いものです",
        LedgerError::Forked => "保存されている台帳が、署名した先頭から続いていません",
        LedgerError::Uncosigned => "台帳の先頭に、立会人の署名が長い間ありません",
        LedgerError::Mark => "最高水位ファイルに書けません",
        LedgerError::Clock => "時計が大きく進められました",
        LedgerError::Signer => "チェックポイントの署名鍵が、別の台帳のものです",
        LedgerError::NoEntropy => "乱数が得られません",
        LedgerError::Canonical => "正準形の JSON ではありません",
        LedgerError::Opening => "開示値の形ではありません",
    };
    words.to_owned()
}

fn mark(error: &HighWaterError) -> String {
    match error {
        HighWaterError::Missing(file) => format!("{}: 最高水位ファイルがありません", file.display()),
        HighWaterError::Exists(file) => format!("{}: 最高水位ファイルがすでにあります", file.display()),
        HighWaterError::Spoilt(file) => format!("{}: 最高水位ファイルを読み取れません", file.display()),
        HighWaterError::OtherOrigin { path, origin } => format!("{}: 台帳 {origin} の最高水位ファイルです", path.display()),
        HighWaterError::Held(file) => format!(
            "{}: この最高水位ファイルはほかのゲートウェイが使っています。`ledger.high_water` はゲートウェイごとに要ります",
            file.display()
        ),
        HighWaterError::File { path, source } => format!("{}: 使えません（{source}）", path.display()),
    }
}

fn witness(error: &WitnessError) -> String {
    match error {
        WitnessError::Tlog(why) => format!("立会人の鍵または定足数を使えません（{why}）"),
        WitnessError::Url => "立会人は https://ホスト[:ポート][/パス] で書いてください。http:// はこの機械の中だけで使えます".to_owned(),
        WitnessError::NoAuthority => "https の立会人には、その証明書の認証局が要ります".to_owned(),
        WitnessError::Connection(why) => format!("接続を用意できません（{why}）"),
        WitnessError::Ledger(error) => ledger(*error),
        WitnessError::Store(error) => store(error),
    }
}

fn tls(error: &TlsError) -> String {
    match error {
        TlsError::File(error) => config(error),
        TlsError::BadPem { file } => format!("{}: PEM 形式の証明書を読み取れません", file.display()),
        TlsError::BadKey { file } => format!("{}: PEM 形式の秘密鍵（PKCS#8、SEC1、PKCS#1）を読み取れません", file.display()),
        TlsError::Expired { file, subject, until } => {
            format!("{}: {subject} の証明書は {until} に切れました。新しい証明書を置いてください", file.display())
        }
        TlsError::Example { file } => {
            format!("{}: 練習用の認証局のものです。自分の認証局の証明書を使うか、sandbox = true にしてください", file.display())
        }
        TlsError::Rejected { file, why } => format!("{}: 使えません（{why}）", file.display()),
        TlsError::BadList { file } => format!("{}: nextUpdate のある失効リストを読み取れません", file.display()),
        TlsError::ForgedList { file, issuer } => format!("{}: {issuer} の署名がありません。失効リストを取り直してください", file.display()),
        TlsError::OlderList { file, issuer } => {
            format!("{}: {issuer} の失効リストが、効力のあるものより古いものです。最新のものを取ってください", file.display())
        }
        TlsError::ListTwice { file, issuer } => {
            format!("{}: {issuer} の失効リストが二つあります。最新の完全なものだけを残してください", file.display())
        }
        TlsError::NoList { issuer } => {
            format!("tls.crls: {issuer} の失効リストがありません。tls.client_ca の認証局ごとに、空でも一つ要ります")
        }
        TlsError::AuthorityTwice { issuer } => format!("tls.client_ca: {issuer} という名前の認証局が二つあります。一つだけ残してください"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_is_said_in_japanese_says_the_same_names_and_numbers() {
        let file = PathBuf::from("/etc/tsunagi/keys/kek");
        let errors: Vec<(StartupError, &[&str])> = vec![
            (StartupError::Kek(file.clone(), VaultError::KekMode), &["/etc/tsunagi/keys/kek", "0600"]),
            (StartupError::Behind { shown: 12, stored: 7 }, &["12", "7"]),
            (LedgerError::BrokenAt(41).into(), &["41"]),
            (StoreError::Outdated(4).into(), &["4"]),
            (HighWaterError::Held(file.clone()).into(), &["/etc/tsunagi/keys/kek", "ledger.high_water"]),
            (ConfigError::Exposed { file, mode: 0o644 }.into(), &["/etc/tsunagi/keys/kek", "0644", "chmod 600"]),
            (TlsError::NoList { issuer: "CN=Tokyo".to_owned() }.into(), &["CN=Tokyo", "tls.crls"]),
        ];
        for (error, named) in errors {
            let (en, ja) = (error.told(Lang::En), error.told(Lang::Ja));
            assert!(!ja.is_ascii() && ja != en, "{ja}");
            for name in named {
                assert!(en.contains(name) && ja.contains(name), "{name}: {en} / {ja}");
            }
        }
    }
}
