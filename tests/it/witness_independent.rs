//! Against a witness that somebody else wrote: `aics-witness` 0.1.0 (Python). It cosigns what continues our ledger, and refuses a fork, a rollback
//! and a stale size of ours. `TSUNAGI_AICS_WITNESS` names its program; `tests/run` installs it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tsunagi::{
    clock::{Clock, SystemClock},
    ledger::{LedgerError, SequencerHandle},
    store::WitnessRow,
    tlog::Quorum,
    witness::{Outcome, Publisher, Settings, Witness, WitnessError, ask},
};

use crate::{
    exchange_stage::{SOON, free_port},
    ledger_stage::{ORIGIN, Stage, committed, draft},
};

const SETTINGS: Settings = Settings { quorum: 1, interval: Duration::from_secs(60), patience: Duration::from_secs(3600), stop: false };

/// The program, or nothing where it is not installed; with CI=true that is a failure.
fn program() -> Option<PathBuf> {
    let program = std::env::var_os("TSUNAGI_AICS_WITNESS").map(PathBuf::from);
    if program.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "TSUNAGI_AICS_WITNESS is not set: tests/run installs aics-witness");
        eprintln!("skipped: TSUNAGI_AICS_WITNESS is not set; tests/run installs aics-witness, which needs Python 3.12 or later");
    }
    program
}

/// A running witness. Dropped, it is killed.
struct Aics {
    program: PathBuf,
    folder: tempfile::TempDir,
    vkey: String,
    port: u16,
    process: Child,
}

impl Drop for Aics {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

impl Aics {
    async fn start(program: &Path, log: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let vkey = run(program, folder.path(), &["init", "--name", "witness.example/aics"]);
        run(program, folder.path(), &["add-log", "--origin", ORIGIN, "--vkey", log]);
        let process = Command::new(program)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("AICS_WITNESS_CONFIG", folder.path().join("witness.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let up = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let aics = Self { program: program.to_owned(), folder, vkey: vkey.trim().to_owned(), port, process };
        tokio::time::timeout(SOON, up).await.expect("the witness listens");
        aics
    }

    fn witness(&self) -> Witness {
        let url = format!("http://127.0.0.1:{}", self.port);
        Witness::new(&self.vkey, &url, None, Arc::new(SystemClock)).unwrap()
    }

    fn publisher(&self, stage: &Stage, ledger: &SequencerHandle) -> Publisher {
        let clock = Arc::new(SystemClock) as Arc<dyn Clock>;
        Publisher::new(ledger.clone(), Arc::clone(&stage.store), vec![self.witness()], SETTINGS, clock, "one".to_owned()).unwrap()
    }

    /// The size it cosigned last, and how many requests it keeps as evidence against the log.
    fn holds(&self) -> (u64, u64) {
        let status: Value = serde_json::from_str(&run(&self.program, self.folder.path(), &["status", "--json"])).unwrap();
        (status["logs"][0]["size"].as_u64().unwrap(), status["logs"][0]["evidence"].as_u64().unwrap())
    }
}

fn run(program: &Path, folder: &Path, words: &[&str]) -> String {
    let output = Command::new(program).args(words).env("AICS_WITNESS_CONFIG", folder.join("witness.json")).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn grow(ledger: &SequencerHandle, entries: usize) {
    for _ in 0..entries {
        committed(ledger.append(draft()).await);
    }
}

/// Closes the database and puts the copy in its place.
async fn restore(stage: &mut Stage, ledger: &SequencerHandle, copy: &[u8]) {
    ledger.close().await;
    stage.store.close().await;
    std::fs::write(stage.folder.path().join("t.db"), copy).unwrap();
    stage.reopen().await;
}

#[tokio::test]
async fn another_program_cosigns_our_heads_and_refuses_a_fork_a_rollback_and_a_stale_size() {
    let Some(program) = program() else { return };
    let mut stage = Stage::new().await;
    let log = stage.signer.verifier().clone();
    let aics = Aics::start(&program, &log.to_string()).await;
    let (ledger, _task) = stage.ledger().await;
    let publisher = aics.publisher(&stage, &ledger);
    publisher.start().await.unwrap();
    let quorum = Quorum::new(vec![aics.vkey.parse().unwrap()], 1).unwrap();
    for entries in [1, 255, 300] {
        grow(&ledger, entries).await;
        publisher.round().await.unwrap();
        let note = ledger.standing().now().cosigned.expect("cosigned").note;
        assert_eq!(quorum.open(&note, &log).unwrap().size(), ledger.size());
    }
    assert_eq!(aics.holds(), (557, 0));

    // A stale size: it says what it holds, and is asked again from there. For a head that it has passed there is no cosignature.
    let old = ledger.head().await.unwrap();
    grow(&ledger, 5).await;
    let head = ledger.head().await.unwrap();
    for known in [0, 300] {
        assert!(matches!(ask(&aics.witness(), &ledger, &head, known, SystemClock.now()).await.unwrap(), Outcome::Cosigned(_)), "{known}");
    }
    assert_eq!(ask(&aics.witness(), &ledger, &old, 0, SystemClock.now()).await.unwrap(), Outcome::Ahead(562));
    assert_eq!(aics.holds(), (562, 0));

    // Rolled back: an older copy is restored.
    ledger.close().await;
    stage.store.close().await;
    let copy = std::fs::read(stage.folder.path().join("t.db")).unwrap();
    stage.reopen().await;
    let (ledger, _task) = stage.ledger().await;
    grow(&ledger, 3).await;
    aics.publisher(&stage, &ledger).start().await.unwrap();
    restore(&mut stage, &ledger, &copy).await;
    let (ledger, _task) = stage.ledger().await;
    let refused = aics.publisher(&stage, &ledger).start().await;
    assert!(matches!(refused, Err(WitnessError::Ledger(LedgerError::RolledBack))), "{refused:?}");

    // Forked: the older copy goes on another way, to the same size and beyond it, whatever is remembered of the witness.
    let mut evidence = 0;
    for (entries, remembered) in [(3, 0), (3, 565), (9, 0), (9, 565)] {
        restore(&mut stage, &ledger, &copy).await;
        let (ledger, _task) = stage.ledger().await;
        grow(&ledger, entries).await;
        stage.store.keep_witness(&WitnessRow { vkey: aics.vkey.clone(), size: remembered, dispute: None }).await.unwrap();
        let refused = aics.publisher(&stage, &ledger).start().await;
        assert!(matches!(refused, Err(WitnessError::Ledger(LedgerError::Forked))), "{entries} {remembered}: {refused:?}");
        assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::Forked);
        ledger.close().await;
        let (size, kept) = aics.holds();
        assert!(size == 565 && kept > evidence, "it cosigned nothing of it and keeps the proof");
        evidence = kept;
    }
}

#[tokio::test]
async fn another_program_refuses_a_ledger_that_it_does_not_know() {
    let Some(program) = program() else { return };
    let stage = Stage::new().await;
    let stranger = tsunagi::tlog::NoteSigner::from_seed(ORIGIN.parse().unwrap(), &zeroize::Zeroizing::new([8; 32])).unwrap();
    let aics = Aics::start(&program, &stranger.verifier().to_string()).await;
    let (ledger, _task) = stage.ledger().await;
    let head = ledger.head().await.unwrap();
    let outcome = ask(&aics.witness(), &ledger, &head, 0, SystemClock.now()).await.unwrap();
    assert_eq!(outcome, Outcome::Away(tsunagi::witness::Away::Status(403)));
    aics.publisher(&stage, &ledger).start().await.unwrap();
    assert_eq!((ledger.standing().now().cosigned, ledger.standing().check()), (None, Ok(())));
}
