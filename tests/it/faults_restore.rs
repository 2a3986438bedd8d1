//! An old backup, whole or torn, is put back under a gateway that acknowledged more meanwhile, in the middle of a load (`ledger.md` section 5): it is not
//! served, whatever SQLite makes of the file, and with the newest database back nothing is lost. The way on without it: `backup_restore.rs`.
//!
//! `TSUNAGI_RESTORES` sets how often each way of putting it back is taken.

use std::{
    fs,
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::exchange_stage::{
    BINARY, Sandbox, Settings,
    ledger::Stored,
    load::{Load, cycles},
    story::Story,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_backup_that_is_put_back_under_load_is_not_served_whole_or_torn() {
    let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
    let mut server = sandbox.serve().await;
    let load = Load::new(vec![Story::open(&sandbox).await]);
    let workers = load.start();
    load.progress(PROGRESS).await;
    let backup = sandbox.path().join("old.sqlite");
    let (code, said) = tsunagi(&["backup", "-c", text(&sandbox.config()), text(&backup)]);
    assert_eq!(code, 0, "{said}");
    for _ in 0..cycles("TSUNAGI_RESTORES", 1) {
        for way in WAYS {
            load.progress(PROGRESS).await;
            server.kill();
            let told = load.told().clone();
            let mark = fs::read(sandbox.config().with_extension("high-water")).unwrap();
            let newest = Newest::aside(&sandbox);
            put_back(&sandbox, &backup, &newest, way);
            let said = sandbox.refuses_to_serve().await;
            eprintln!("{way:?}: {said}");
            assert!(said.contains("cannot serve") && (way != Way::Whole || said.contains("tsunagi ledger reopen")), "{way:?}: {said}");
            let (code, said) = tsunagi(&["check", "-c", text(&sandbox.config())]);
            assert_eq!(code, 3, "{way:?}: {said}");
            assert_eq!(fs::read(sandbox.config().with_extension("high-water")).unwrap(), mark, "{way:?}: the mark stays");

            newest.back(&sandbox);
            server = sandbox.serve().await;
            assert_eq!(told.missing(&Stored::of(&sandbox).await), Vec::<String>::new(), "{way:?}");
        }
    }
    load.settle(&sandbox, workers, "old backups put back").await;
    server.stop().await;
}

/// How a backup is put back by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    /// The log of the newest database is left beside it.
    WholeBesideLog,
    /// Copying was cut off in the middle.
    Half,
    HalfBesideLog,
    /// Copying in place was cut off in the middle: the rest is the newest database.
    HalfOver,
}

const WAYS: [Way; 5] = [Way::Whole, Way::WholeBesideLog, Way::Half, Way::HalfBesideLog, Way::HalfOver];

fn put_back(sandbox: &Sandbox, backup: &Path, newest: &Newest, way: Way) {
    let (database, half) = (sandbox.database(), fs::metadata(backup).unwrap().len() / 2);
    if way == Way::HalfOver {
        fs::copy(newest.file(""), &database).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
        file.rewind().unwrap();
        file.write_all(&fs::read(backup).unwrap()[..usize::try_from(half).unwrap()]).unwrap();
    } else {
        fs::copy(backup, &database).unwrap();
    }
    if matches!(way, Way::Half | Way::HalfBesideLog) {
        fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(half).unwrap();
    }
    if matches!(way, Way::WholeBesideLog | Way::HalfBesideLog) {
        fs::copy(newest.file("-wal"), beside(&database, "-wal")).unwrap();
    }
    assert_ne!(fs::read(&database).unwrap(), fs::read(newest.file("")).unwrap(), "it was put back");
}

/// The newest database, with what SQLite keeps beside it.
struct Newest(tempfile::TempDir);

impl Newest {
    /// Takes it away.
    fn aside(sandbox: &Sandbox) -> Self {
        let newest = Self(tempfile::tempdir().unwrap());
        for ending in ENDINGS {
            let file = beside(&sandbox.database(), ending);
            if file.exists() {
                fs::copy(&file, newest.file(ending)).unwrap();
                fs::remove_file(&file).unwrap();
            }
        }
        newest
    }

    fn file(&self, ending: &str) -> PathBuf {
        beside(&self.0.path().join("newest"), ending)
    }

    /// Puts it where it was.
    fn back(&self, sandbox: &Sandbox) {
        for ending in ENDINGS {
            let (kept, file) = (self.file(ending), beside(&sandbox.database(), ending));
            if file.exists() {
                fs::remove_file(&file).unwrap();
            }
            if kept.exists() {
                fs::copy(&kept, &file).unwrap();
            }
        }
    }
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", database.display()))
}

/// Exit code and everything a command said.
fn tsunagi(arguments: &[&str]) -> (i32, String) {
    let done = Command::new(BINARY).args(["--lang", "en"]).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (done.status.code().unwrap(), said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];
/// Acknowledgements between two faults, at least.
const PROGRESS: usize = 20;
