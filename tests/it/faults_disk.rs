//! A disk that is full or may not be written (`ledger.md` section 5): nothing moves while it lasts, and everything goes on behind it. Once as what the
//! system answers then, which any user can test, and once as a file system of its own, which only a user who may mount one can.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use crate::{
    exchange_stage::{
        Sandbox, Settings, files,
        inject::{Fault, Injection, When},
        story::{PLACEMENT, Story},
    },
    faults_store::Outage,
    postgres_stage::missing,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_no_write_finds_room_nothing_moves_and_then_everything_works_again() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let outage = Outage::prepare(&story).await;
    let injection = Injection::into(&server, "pwrite64", Fault::Error("ENOSPC"), When::Always);
    outage.nothing_moves(&sandbox, &story, &server).await;
    let refused = injection.end().fired();
    assert!(refused > 0, "no write was refused");
    outage.everything_works(&story, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_is_full_nothing_moves_and_then_everything_works_again() {
    let sandbox = Sandbox::new(Settings::default());
    let Some(disk) = Disk::under(&sandbox) else { return };
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let outage = Outage::prepare(&story).await;
    disk.fill();
    outage.nothing_moves(&sandbox, &story, &server).await;
    disk.empty();
    outage.everything_works(&story, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_file_system_that_is_read_only_the_gateway_does_not_start() {
    let sandbox = Sandbox::new(Settings::default());
    let Some(disk) = Disk::under(&sandbox) else { return };
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let referral = story.refer().await;
    server.stop().await;
    disk.remount("ro");
    let refusal = sandbox.refuses_to_serve().await;
    assert!(refusal.contains("cannot serve"), "{refusal}");
    disk.remount("rw");
    let server = sandbox.serve().await;
    story.read(&referral.case, PLACEMENT).await.unwrap();
    server.stop().await;
}

/// A small file system of its own under the database. Dropped, it goes.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// None: this user may not mount one, which was said; with `CI=true` that fails.
    fn under(sandbox: &Sandbox) -> Option<Self> {
        let place = sandbox.database().parent().unwrap().to_owned();
        let saved = tempfile::tempdir().unwrap();
        copy(&place, saved.path());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(&place).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            missing("this user may not mount a file system (root of a container may want CAP_SYS_ADMIN)");
            return None;
        }
        let disk = Self { place };
        copy(saved.path(), &disk.place);
        Some(disk)
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0; size];
            let full = loop {
                if let Err(error) = ballast.write_all(&piece) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }

    fn remount(&self, how: &str) {
        let remounted = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.place).status();
        assert!(remounted.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detached at once, whoever still has a file open there.
        let _gone = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}
