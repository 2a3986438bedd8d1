//! The machine: room on the disks, and whether a time service keeps the clock.

use std::path::{Path, PathBuf};

use super::Findings;
use crate::{config::Config, domain::time::Timestamp, startup, store};

/// Looks at the disk of the database and at that of the high-water mark.
pub(super) fn disk(config: &Config, findings: &mut Findings) {
    let database = startup::database(config).ok().and_then(|address| store::sqlite_path(address.file()?));
    for (en, ja, file) in [("database", "データベース", database), ("high-water mark", "最高水位", Some(config.ledger.high_water.clone()))]
    {
        let Some(folder) = file.map(|file| folder(&file)) else { continue };
        let place = folder.display();
        match rustix::fs::statvfs(&folder) {
            Ok(about) => {
                let free = about.f_bavail.saturating_mul(about.f_frsize) / MIB;
                let told = [format!("{en}: {free} MiB free at {place}"), format!("{ja}: {place} の空きは {free} MiB です")];
                let remedy = [
                    "Make room: without it nothing is recorded, and so nothing is served.",
                    "空きを作ってください。記録できなければ、すべて 503 になります。",
                ];
                match free {
                    ..FULL => findings.broken("disk", told, remedy),
                    FULL..LITTLE => findings.notice("disk", told, remedy),
                    _ => findings.fine("disk", told),
                }
            }
            Err(error) => findings.broken(
                "disk",
                [format!("{place}: {error}"), format!("{place}: 調べられません（{error}）")],
                ["Check the path.", "パスを確かめてください。"],
            ),
        }
    }
}

/// Looks at the clock by itself; beside the ledger it is looked at with the ledger.
pub(super) fn clock(now: Timestamp, findings: &mut Findings) {
    let told = [format!("the clock says {now}"), format!("時計は {now} です")];
    if now < EARLIEST {
        return findings.broken(
            "clock",
            told,
            ["It cannot be that early: set the clock.", "これほど早い時刻はあり得ません。時計を合わせてください。"],
        );
    }
    // systemd-timesyncd leaves this file once it has set the clock. Other services leave none, so its absence alone says nothing.
    let (service, set) = (Path::new("/run/systemd/timesync"), Path::new("/run/systemd/timesync/synchronized"));
    if service.exists() && !set.exists() {
        findings.notice(
            "clock",
            told,
            [
                "The time service has not set the clock since the machine started: check it, and start the gateway after time-sync.target.",
                "起動してから時刻同期が済んでいません。時刻同期を確かめ、ゲートウェイは time-sync.target の後に起動してください。",
            ],
        );
    } else {
        findings.fine("clock", told);
    }
}

fn folder(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned()
}

const MIB: u64 = 1024 * 1024;
/// Below this many MiB it is a matter of hours.
const FULL: u64 = 64;
/// Below this many, of days.
const LITTLE: u64 = 1024;
/// This program was not there before 2025.
const EARLIEST: Timestamp = Timestamp::from_secs(1_735_689_600);
