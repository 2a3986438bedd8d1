//! A standby that lost acknowledged entries takes over (`ledger.md` section 5): both gateways find it out by their high-water marks, refuse everything and
//! sign nothing, and say why; so do `tsunagi check` and a gateway that is started. The way on that they name leads to a ledger that serves again and
//! admits the loss.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tokio::time::timeout;
use tsunagi::{text::audit::Remark, tlog::open_checkpoint};

use crate::{
    exchange_stage::{
        BINARY, SOON, Sandbox, Settings,
        aftermath::{Aftermath, pause, repeat},
        ledger::Stored,
        party::Setback,
        process::Server,
        story::{PLACEMENT, Sent, Story},
        told::Told,
    },
    postgres_stage::{self, Database},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_lost_entries_is_served_by_nobody_until_the_loss_is_on_record() {
    let Some(primary) = postgres_stage::own(&[]) else { return };
    let mut database = primary.database();
    let mut sandbox = Sandbox::on(Settings { log: "warn", ..Settings::default() }, Some(&database));
    let standby = primary.standby(false);
    sandbox.use_postgres(&database, &[primary.port, standby.port], false);
    let first = sandbox.serve().await;
    let (second, address) = sandbox.serve_another().await;
    let (here, there) = (Story::open(&sandbox).await, Story::open(&sandbox).await.at(address));

    let mut told = Told::default();
    let kept = refer(&here, &mut told).await;
    told.shown(&there.read(&kept.referral.case, PLACEMENT).await.unwrap());
    let survived = Stored::of(&sandbox).await.leaves.len();
    caught_up(&database.at(standby.port), survived).await;
    standby.fall_behind();
    // Acknowledged, shown, and not on the standby.
    let mut lost_told = told.clone();
    let lost = refer(&here, &mut lost_told).await;
    lost_told.shown(&there.read(&lost.referral.case, PLACEMENT).await.unwrap());
    let shown = Stored::of(&sandbox).await.leaves.len();
    let notes = [note(&here, shown).await, note(&there, shown).await];
    assert!(survived < shown);
    primary.kill();
    standby.promote();
    database = database.at(standby.port);
    sandbox.use_postgres(&database, &[primary.port, standby.port], false);

    // Running, both find it out by themselves, and say so to whoever asks.
    let found = format!("rolled_back {shown} {survived}");
    for gateway in [&first, &second] {
        disputed(gateway, &found).await;
    }
    for story in [&here, &there] {
        refused(story, &kept, &lost).await;
    }
    let stored = Stored::of(&sandbox).await;
    assert_eq!(stored.leaves.len(), survived, "nothing was appended");
    assert_eq!(told.missing(&stored), Vec::<String>::new());
    assert!(!lost_told.missing(&stored).is_empty(), "nothing acknowledged was lost");
    first.stop().await;
    second.stop().await;

    // Started, they refuse, in both languages, and name the way on; adopting is none.
    for (config, mark) in both(&sandbox) {
        let before = fs::read(&mark).unwrap();
        let config = text(&config);
        for (lang, words) in [
            ("en", ["older than what this gateway showed", "tsunagi ledger reopen"]),
            ("ja", ["すでに示したものより古い", "tsunagi ledger reopen"]),
        ] {
            for command in ["serve", "check"] {
                let (code, said) = tsunagi(lang, &[command, "-c", config]);
                assert!(code == 3 && words.iter().all(|word| said.contains(word)), "{command}: {code} {said}");
                assert!(said.contains(&shown.to_string()) && said.contains(&survived.to_string()), "{command}: how many there are, {said}");
            }
        }
        let (code, said) = tsunagi("en", &["ledger", "adopt", "-c", config]);
        assert_eq!(code, 3, "adopting is no way past a loss: {said}");
        assert_eq!(fs::read(&mark).unwrap(), before, "the mark stays as it is");
    }

    let vkey = reopened(&sandbox, survived, shown);
    let first = sandbox.serve().await;
    let second = sandbox.resume_another().await;
    goes_on(&sandbox, [&kept, &lost], told, address).await;
    admits(&sandbox, &vkey, &notes[0], survived);
    first.stop().await;
    second.stop().await;
}

/// A consent, a referral under it and its first read.
async fn refer(story: &Story, told: &mut Told) -> Sent {
    let sent = story.refer_under(story.sign_consent(&story.consent())).await;
    told.message(&sent.message, &sent.accepted);
    told.shown(&story.read(&sent.referral.case, PLACEMENT).await.unwrap());
    sent
}

/// Waits until the standby has so many entries.
async fn caught_up(standby: &Database, size: usize) {
    let there = async {
        while standby.sql("SELECT size FROM ledger_head") != size.to_string() {
            pause().await;
        }
    };
    timeout(SOON, there).await.expect("the standby does not follow");
}

/// Waits until a gateway shows a head of so many entries.
async fn note(story: &Story, size: usize) -> String {
    let shown = async {
        loop {
            let note = String::from_utf8(story.auditor.open_data("/v1/ledger/checkpoint").await.unwrap().body.to_vec()).unwrap();
            let seen = open_checkpoint(&note, &story.auditor.pinned.ledger).unwrap().size();
            if usize::try_from(seen).unwrap() == size {
                return note;
            }
            pause().await;
        }
    };
    timeout(SOON, shown).await.expect("the gateway does not know of all")
}

/// Waits until a gateway is not ready for this reason.
async fn disputed(gateway: &Server, reason: &str) {
    let noticed = async {
        loop {
            let (status, body) = gateway.admin("/readyz").await.unwrap();
            if body.lines().any(|line| line == reason) {
                return assert_eq!(status, 503);
            }
            pause().await;
        }
    };
    timeout(SOON, noticed).await.expect("nobody says what is wrong");
    assert_eq!(gateway.admin("/livez").await.unwrap().0, 200);
    let (_, metrics) = gateway.admin("/metrics").await.unwrap();
    assert!(metrics.lines().any(|line| line == "tsunagi_ready 0"), "{metrics}");
}

/// Nothing is read, nothing is taken, nothing is signed: neither what survived nor what was lost, nor open data.
async fn refused(story: &Story, kept: &Sent, lost: &Sent) {
    let consent = story.sign_consent(&story.consent());
    let outcomes = [
        story.read(&kept.referral.case, PLACEMENT).await.map(|_| ()),
        story.read(&lost.referral.case, PLACEMENT).await.map(|_| ()),
        story.submit(&kept.message).await.map(|_| ()),
        story.register(&consent).await.map(|_| ()),
        story.cases(None).await.map(|_| ()),
        story.auditor.open_data("/v1/ledger/checkpoint").await.map(|_| ()),
        story.auditor.open_data("/v1/parties").await.map(|_| ()),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let problem = outcome.map_err(Setback::problem).expect_err("it was answered");
        assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"), "{number}: {}", problem.text);
        assert!(problem.retry_after.is_some(), "{number}: {}", problem.text);
    }
}

/// Follows the way on: opens the ledger again with what both gateways showed, and gives it to the other.
fn reopened(sandbox: &Sandbox, survived: usize, shown: usize) -> String {
    let [(config, _), (other, other_mark)] = both(sandbox);
    let arguments = ["--json", "ledger", "reopen", "-c", text(&config), "--origin", ORIGIN, "--known", text(&other_mark)];
    let (code, said) = tsunagi("en", &arguments);
    assert_eq!(code, 0, "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    let number = |pointer| usize::try_from(told.pointer(pointer).and_then(Value::as_u64).unwrap()).unwrap();
    assert_eq!((number("/index"), number("/reopens/survived/size"), number("/reopens/known/size")), (survived, survived, shown));
    assert!(Path::new(told["aside"].as_str().unwrap()).exists(), "the mark from before is evidence");
    let vkey = told["vkey"].as_str().unwrap().to_owned();
    sandbox.rename(ORIGIN, &vkey);
    let (code, said) = tsunagi("en", &["serve", "-c", text(&other)]);
    assert!(code != 0 && said.contains("tsunagi ledger adopt"), "the other gateway's mark has the old name: {said}");
    let (code, said) = tsunagi("en", &["ledger", "adopt", "-c", text(&other)]);
    assert_eq!(code, 0, "{said}");
    for config in [&config, &other] {
        let (code, said) = tsunagi("en", &["check", "-c", text(config)]);
        assert_eq!(code, 0, "{said}");
    }
    vkey
}

/// Both gateways serve what survived; what was lost is sent once more and stands in the ledger once.
async fn goes_on(sandbox: &Sandbox, [kept, lost]: [&Sent; 2], mut told: Told, address: std::net::SocketAddr) {
    let (here, there) = (Story::open(sandbox).await, Story::open(sandbox).await.at(address));
    let (cases, cursor) = here.cases(None).await.unwrap();
    assert!(cases.contains(&kept.referral.case) && !cases.contains(&lost.referral.case));
    assert_eq!(there.read(&lost.referral.case, PLACEMENT).await.err().unwrap().code(), "not_found");
    told.accepted(&here.register(&lost.referral.consent).await.unwrap());
    let again = there.submit(&lost.message).await.unwrap();
    assert_ne!(again.leaf, lost.accepted.leaf);
    told.message(&lost.message, &again);
    let (fresh, _) = here.cases(cursor).await.unwrap();
    assert_eq!(fresh.len(), 1);
    for case in [&kept.referral.case, &fresh[0]] {
        told.shown(&here.read(case, PLACEMENT).await.unwrap());
        told.shown(&there.read(case, PLACEMENT).await.unwrap());
    }
    repeat(&there, &told).await;
    Aftermath::of(sandbox, &here, &told, &[]).await;
}

/// The export verifies, names the break, and says to whoever kept a head from before that entries were lost.
fn admits(sandbox: &Sandbox, vkey: &str, kept: &str, survived: usize) {
    let (export, file) = (sandbox.path().join("export"), sandbox.path().join("kept-by-the-auditor"));
    fs::write(&file, kept).unwrap();
    let auditor = sandbox.path().join("parties/auditor-tokyo");
    let (code, said) = tsunagi("en", &["audit", "export", "--as", text(&auditor), text(&export)]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = tsunagi("en", &["--json", "audit", "verify", text(&export), "--vkey", vkey, "--since", text(&file)]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["holds"]), (0, &Value::from(true)), "{report}");
    assert_eq!(report["breaks"][0]["index"].as_u64(), u64::try_from(survived).ok(), "{report}");
    let remarks = report["remarks"].as_array().unwrap();
    for remark in [Remark::LedgerReopened, Remark::EntriesLost] {
        assert!(remarks.iter().any(|told| told["remark"] == serde_json::to_value(remark).unwrap()), "{report}");
    }
}

/// Configuration and high-water mark of each gateway.
fn both(sandbox: &Sandbox) -> [(PathBuf, PathBuf); 2] {
    [sandbox.config(), sandbox.path().join("another.toml")].map(|config| (config.clone(), config.with_extension("high-water")))
}

/// Exit code and everything a command said.
fn tsunagi(lang: &str, arguments: &[&str]) -> (i32, String) {
    let done = Command::new(BINARY).args(["--lang", lang]).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (done.status.code().unwrap(), said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const ORIGIN: &str = "localhost/ledger-2";
