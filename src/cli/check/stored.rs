//! What is stored: the database, its ledger, and the mark beside it.

use std::os::unix::fs::MetadataExt as _;

use super::{Findings, both, witnesses::witnesses};
use crate::{
    cli::serve::{mark_remedy, remedy},
    config::Config,
    domain::{digest::Digest, time::Timestamp},
    ledger::LedgerError,
    startup::{
        self, StartupError,
        keeping::MarkState,
        look::{self, Stored},
    },
    store::{self, Address, GrantFault},
};

pub(super) async fn database(config: &Config, policy: Option<Digest>, now: Timestamp, findings: &mut Findings) {
    let address = match startup::database(config) {
        Ok(address) => address,
        Err(error) => return findings.wrong("database", both(&error), remedy(&error).into()),
    };
    let opened = store::open(address.clone()).await;
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            let error = StartupError::Store(error);
            return findings.broken("database", both(&error), remedy(&error).into());
        }
    };
    findings.fine(
        "database",
        [
            "reachable, with the tables of this version, and keeps what it confirms".to_owned(),
            "接続でき、表はこの版のもので、確定した内容を失わない設定です".to_owned(),
        ],
    );
    match address.file() {
        Some(url) => file_mode(url, findings),
        None => grants(&address, findings).await,
    }
    match look::stored(config, &*store).await {
        Ok(stored) => {
            ledger(config, &stored, policy, now, findings);
            witnesses(config, &*store, stored.head.size, findings).await;
        }
        Err(error) => findings.broken("ledger", both(&error), remedy(&error).into()),
    }
    store.close().await;
}

fn file_mode(url: &str, findings: &mut Findings) {
    let Some(file) = store::sqlite_path(url) else { return };
    if file.metadata().is_ok_and(|about| about.mode() & 0o077 != 0) {
        let file = file.display();
        findings.wrong(
            "database",
            [format!("{file}: others may read or write it"), format!("{file}: ほかの利用者が読み書きできます")],
            ["chmod 600 the file.", "chmod 600 を実行してください。"],
        );
    }
}

async fn grants(address: &Address, findings: &mut Findings) {
    let faults = match store::check_grants(address).await {
        Ok(faults) => faults,
        Err(error) => {
            let error = StartupError::Store(error);
            return findings.broken("database", both(&error), remedy(&error).into());
        }
    };
    if faults.is_empty() {
        return findings.fine(
            "database",
            ["the role may do what the gateway needs and nothing more".to_owned(), "役割の権限は必要なものだけです".to_owned()],
        );
    }
    for fault in faults {
        let grave = fault.is_grave();
        let GrantFault { table, privilege, missing } = fault;
        let migrate = [
            "Have the owner set the grants: tsunagi database migrate -c FILE --owner-url-file FILE",
            "所有者の権限で設定し直してください: tsunagi database migrate -c FILE --owner-url-file FILE",
        ];
        let more = [format!("{table}: {privilege} is more than the gateway needs"), format!("{table}: {privilege} は余分な権限です")];
        if missing {
            let told = [format!("{table}: {privilege} is missing"), format!("{table}: {privilege} の権限がありません")];
            findings.broken("database", told, migrate);
        } else if grave {
            findings.broken(
                "database",
                more,
                [
                    "With it the gateway could switch off what protects the ledger. Give the gateways a role of their own that owns nothing and is a member of \
                     nothing (docs/scaling.md, section 2).",
                    "これがあると、台帳を守る仕組みをゲートウェイから外せます。何も所有せず、どのロールにも属さない専用のロールにしてください（docs/scaling.md の 2）。",
                ],
            );
        } else {
            findings.notice("database", more, migrate);
        }
    }
}

fn ledger(config: &Config, stored: &Stored, policy: Option<Digest>, now: Timestamp, findings: &mut Findings) {
    let head = &stored.head;
    let (size, origin) = (head.size, &head.origin);
    if *origin != config.origin {
        let own = &config.origin;
        findings.wrong(
            "ledger",
            [format!("the ledger is {origin}, the configuration says {own}"), format!("台帳の名前は {origin} ですが、設定は {own} です")],
            remedy(&StartupError::Ledger(LedgerError::Signer)).into(),
        );
    }
    match stored.fits {
        Ok(()) => findings.fine(
            "ledger",
            [format!("{origin}: {size} entries, head and tree fit"), format!("{origin}: {size} 件、先頭と木は合っています")],
        ),
        Err(error) => findings.broken("ledger", both(&error), remedy(&StartupError::Ledger(error)).into()),
    }
    if let Err(error) = &stored.own_key {
        findings.broken("keys", both(error), remedy(error).into());
    }
    if let Some(loaded) = policy.filter(|loaded| *loaded != head.policy) {
        let error = StartupError::PolicyMismatch { loaded, in_force: head.policy };
        findings.wrong("policies", both(&error), remedy(&error).into());
    }
    if let Some(mark) = &stored.mark {
        high_water(mark, size, findings);
    }
    entries_and_clock(head.last_time, size, now, findings);
}

fn high_water(mark: &MarkState, size: u64, findings: &mut Findings) {
    match mark {
        MarkState::Fits { shown } => {
            findings.fine("high-water mark", [format!("the ledger goes on from {shown} entries"), format!("台帳は {shown} 件の続きです")]);
        }
        MarkState::Behind { shown } => {
            let error = StartupError::Behind { shown: *shown, stored: size };
            findings.broken("high-water mark", both(&error), remedy(&error).into());
        }
        MarkState::Forked { shown } => findings.broken(
            "high-water mark",
            [
                format!("the ledger does not go on from the head of {shown} entries that was shown"),
                format!("台帳は、示した {shown} 件の先頭の続きではありません"),
            ],
            remedy(&StartupError::Ledger(LedgerError::Forked)).into(),
        ),
        MarkState::Unusable(error) => {
            findings.broken("high-water mark", both(error), mark_remedy(error).into());
        }
    }
}

/// The clock beside the last entry: it cannot be right if it is behind, and need not be if it is far ahead.
fn entries_and_clock(last: Timestamp, size: u64, now: Timestamp, findings: &mut Findings) {
    if size == 0 {
        return;
    }
    let told = [format!("the last entry was made at {last}, the clock says {now}"), format!("最後の記録は {last}、時計は {now} です")];
    if now.plus_secs(BEHIND) < last {
        findings.broken(
            "clock",
            told,
            [
                "The clock is behind the ledger, or an entry was made with a clock that was ahead: correct the clock. Entries keep their order meanwhile.",
                "時計が台帳より遅れているか、進んだ時計で記録されています。時計を直してください。その間も記録の順序は保たれます。",
            ],
        );
    } else if last.plus_secs(AHEAD) < now {
        findings.notice(
            "clock",
            told,
            [
                "Nothing was recorded for over a month. Make sure that the clock is right before serving: entries cannot go back in time.",
                "一か月以上記録がありません。起動の前に時計が正しいことを確かめてください。記録の時刻は後戻りできません。",
            ],
        );
    }
}

/// Seconds a clock may be behind the last entry.
const BEHIND: i64 = 5;
/// Seconds without any entry that make a clock doubtful.
const AHEAD: i64 = 31 * 86_400;
