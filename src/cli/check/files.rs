//! What the operator wrote: configuration, keys, certificates, revocation lists, policies; and the schemas of the program.

use std::{os::unix::fs::MetadataExt as _, path::Path, sync::Arc};

use super::{Findings, both};
use crate::{
    cli::serve::remedy,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{digest::Digest, time::Timestamp},
    message::schema::SchemaSet,
    startup::{self, StartupError, Told as _, look},
    tls::TlsState,
};

pub(super) fn configuration(config: &Config, file: &Path, findings: &mut Findings) {
    let name = file.display();
    match file.metadata() {
        Ok(about) if about.mode() & 0o022 != 0 => findings.wrong(
            "configuration",
            [format!("{name}: others may write it"), format!("{name}: ほかの利用者が書き込めます")],
            [
                "Whoever may write it controls the gateway: chmod go-w it.",
                "このファイルに書き込める人はゲートウェイを操れます。chmod go-w を実行してください。",
            ],
        ),
        Ok(_) => findings.fine("configuration", [format!("{name}: every key is known"), format!("{name}: すべてのキーを確認しました")]),
        Err(error) => findings.wrong(
            "configuration",
            [error.to_string(), format!("{name}: 調べられません（{error}）")],
            ["Check the path.", "パスを確かめてください。"],
        ),
    }
    if config.sandbox {
        findings.notice(
            "configuration",
            ["sandbox = true: example keys are accepted".to_owned(), "sandbox = true: 試験用の鍵が使えます".to_owned()],
            ["For trying out only. Set it to false for real data.", "お試し専用です。実際の情報には false にしてください。"],
        );
    }
}

pub(super) fn keys(config: &Config, findings: &mut Findings) {
    for (key, file, fault) in look::keys(config) {
        let file = file.display();
        match fault {
            None => findings.fine("keys", [format!("{key}: {file}"), format!("{key}: {file}")]),
            Some(error) => {
                findings.wrong("keys", [format!("{key}: {error}"), format!("{key}: {}", error.in_japanese())], remedy(&error).into());
            }
        }
    }
}

pub(super) fn certificates(config: &Config, now: Timestamp, findings: &mut Findings) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tls = match TlsState::load(&config.tls, config.sandbox, clock) {
        Ok(tls) => tls,
        Err(error) => {
            let error = StartupError::Tls(error);
            return findings.wrong("certificates", both(&error), remedy(&error).into());
        }
    };
    for (en, ja, until) in [
        ("the gateway's certificate ends", "ゲートウェイの証明書の期限", tls.certificate_not_after()),
        ("the first of the clients' authorities ends", "認証局の証明書のうち最も早い期限", tls.authority_not_after()),
    ] {
        let told = [format!("{en} {until}"), format!("{ja}: {until}")];
        if until <= now.plus_secs(RENEWAL) {
            findings.notice(
                "certificates",
                told,
                [
                    "Less than 30 days: have a new one issued, put it in place and send the gateway SIGHUP.",
                    "30日を切っています。新しい証明書の発行を受けて差し替え、ゲートウェイに SIGHUP を送ってください。",
                ],
            );
        } else {
            findings.fine("certificates", told);
        }
    }
    revocation_lists(&tls, now, findings);
}

fn revocation_lists(tls: &TlsState, now: Timestamp, findings: &mut Findings) {
    let until = tls.crl_next_update();
    let told = [format!("the first revocation list is good until {until}"), format!("失効リストのうち最も早い期限: {until}")];
    let fetch = [
        "Fetch the current lists of every authority and send the gateway SIGHUP; let a timer do it.",
        "すべての認証局の最新の失効リストを取得し、ゲートウェイに SIGHUP を送ってください。定期実行にしておきます。",
    ];
    let old = tls.crl_this_update().is_some_and(|made| made <= now.plus_secs(-LIST_AGE));
    if until <= now {
        findings.wrong(
            "revocation lists",
            [format!("past since {until}: the door is closed"), format!("{until} に期限が切れ、受付を閉じています")],
            fetch,
        );
    } else if until <= now.plus_secs(LIST_RENEWAL) || old {
        findings.notice("revocation lists", told, fetch);
    } else {
        findings.fine("revocation lists", told);
    }
}

/// The digest of the set that would be loaded.
pub(super) fn policies(config: &Config, findings: &mut Findings) -> Option<Digest> {
    match startup::policies(config) {
        Ok(set) => {
            let digest = set.digest();
            findings.fine("policies", [format!("the set loads: sha256 {digest}"), format!("読み込めます: sha256 {digest}")]);
            Some(digest)
        }
        Err(error) => {
            findings.wrong("policies", both(&error), remedy(&error).into());
            None
        }
    }
}

pub(super) fn schemas(findings: &mut Findings) {
    match SchemaSet::builtin() {
        Ok(_) => findings.fine("schemas", ["the built-in schemas load".to_owned(), "内蔵のスキーマを読み込めます".to_owned()]),
        Err(error) => {
            let error = StartupError::Schema(error);
            findings.wrong("schemas", both(&error), remedy(&error).into());
        }
    }
}

/// Thirty days.
const RENEWAL: i64 = 30 * 86_400;
/// A revocation list is fetched a day before its end at the latest.
const LIST_RENEWAL: i64 = 86_400;
/// A revocation list of this age says little, whatever it promises. A month: authorities of this kind publish at least that often.
const LIST_AGE: i64 = 31 * 86_400;
