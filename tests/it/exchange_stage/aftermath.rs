//! What must hold behind every fault: nothing acknowledged is lost, nothing is there twice, no gap, every signed checkpoint that anybody saw is of
//! this ledger's past, no disclosure without its entry or behind the end of its right, and the export verifies.

use std::{ffi::OsStr, process::Command, time::Duration};

use serde_json::Value;
use tokio::time::sleep;
use tsunagi::tlog::{Hash, VerifierKey, verify_consistency};

use super::{
    AUDITOR, BINARY, Sandbox,
    ledger::Ledger,
    rights::{Lapse, breaches, told_by},
    story::{Message, Story},
    told::{Answer, Told},
};

/// The ledger behind a fault, found right.
pub(crate) struct Aftermath {
    pub(crate) ledger: Ledger,
}

impl Aftermath {
    /// Reads the whole ledger at a gateway that serves, and judges it by everything that anybody was told. Fails the test where anything is wrong.
    pub(crate) async fn of(sandbox: &Sandbox, story: &Story, told: &Told, lapses: &[Lapse]) -> Self {
        let ledger = Ledger::read(&story.auditor).await;
        assert_eq!(told.judge(&ledger), Vec::<String>::new());
        assert_eq!(breaches(&ledger.records, lapses), Vec::<u64>::new(), "by what the test ended");
        assert_eq!(breaches(&ledger.records, &told_by(&ledger.records)), Vec::<u64>::new(), "by what the ledger itself says");
        prove_consistency(story, told, &ledger).await;
        verify_export(sandbox, &story.auditor.pinned.ledger);
        Self { ledger }
    }
}

/// Sends every message once more: it is answered as it was the first time.
pub(crate) async fn repeat(story: &Story, told: &Told) {
    for (jti, first) in &told.messages {
        let message = Message { jti: *jti, sd_jwt: first.sd_jwt.clone() };
        let again = story.submit(&message).await.unwrap();
        assert_eq!(Answer::new(&message, &again), *first);
    }
}

/// Proofs from checkpoints seen on the way to the last one, as a monitor asks for them.
async fn prove_consistency(story: &Story, told: &Told, ledger: &Ledger) {
    let last = &ledger.checkpoint;
    for seen in told.checkpoints.iter().step_by(told.checkpoints.len().div_ceil(PROOFS).max(1)) {
        let target = format!("/v1/ledger/consistency?from={}&to={}", seen.size(), last.size());
        let proof: Value = serde_json::from_slice(&story.auditor.open_data(&target).await.unwrap().body).unwrap();
        let hashes: Vec<Hash> = proof["hashes"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect();
        verify_consistency(seen.size(), last.size(), &seen.root(), &last.root(), &hashes).unwrap();
    }
}

/// Exports the ledger as an auditor and verifies the export offline.
fn verify_export(sandbox: &Sandbox, key: &VerifierKey) {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    let run = |what: &str, option: &str, value: &OsStr| {
        let ran = Command::new(BINARY).args(["audit", what, option]).arg(value).arg(&export).output().unwrap();
        assert!(ran.status.success(), "{what}: {}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    };
    run("export", "--as", sandbox.identity(&AUDITOR.parse().unwrap()).as_os_str());
    run("verify", "--vkey", key.to_string().as_ref());
}

/// Between two tries.
pub(crate) async fn pause() {
    sleep(Duration::from_millis(5)).await;
}

const PROOFS: usize = 20;
