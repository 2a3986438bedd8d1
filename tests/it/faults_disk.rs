//! A disk that is full or may not be written (`ledger.md` section 5), as a file system of its own: nothing moves while it lasts, and everything goes on
//! behind it. What a disk answers that fails is injected elsewhere.

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
        story::{PLACEMENT, Story},
    },
    faults_store::Outage,
};

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
    /// Nothing where mounting is not permitted, which is said: a full and a read-only disk are injected in `faults_steps` as well.
    fn under(sandbox: &Sandbox) -> Option<Self> {
        let place = sandbox.database().parent().unwrap().to_owned();
        let saved = tempfile::tempdir().unwrap();
        copy(&place, saved.path());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(&place).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("this user may not mount a file system: a full and a read-only disk are only injected here");
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
