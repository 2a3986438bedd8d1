//! A clock that is set while the gateway serves (`ledger.md` section 5), as a program of others sets it from outside: libfaketime(1), which reads from a
//! file how far the clock is off. Nothing of it is in the product. The steady clock stays what it is, as it does where a machine's clock is set.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use tsunagi::domain::entry::{EntryType, Outcome};

use crate::{
    exchange_stage::{
        Sandbox, Settings,
        aftermath::{Aftermath, repeat},
        ledger::Ledger,
        story::{PLACEMENT, Story},
        told::Told,
    },
    faults_store::Outage,
    postgres_stage::missing,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_clock_is_ahead_nothing_moves_and_then_everything_works_again() {
    let Some(sandbox) = sandbox() else { return };
    let server = sandbox.serve().await;
    let story = Arc::new(Story::open(&sandbox).await);
    let outage = Outage::prepare(&story).await;
    for ahead in ["+301", "+3600"] {
        set(&sandbox, ahead);
        outage.nothing_moves(&sandbox, &story, &server).await;
    }
    set(&sandbox, "+0");
    let log = fs::read_to_string(sandbox.log()).unwrap();
    assert!(log.contains("nothing is appended until the clock is right again"), "the clock was not ahead");
    outage.everything_works(&story, &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_is_recorded_once_and_no_entry_stands_before_another() {
    let Some(sandbox) = sandbox() else { return };
    set(&sandbox, "+30");
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let mut told = Told::default();
    // From half a minute ahead, so that the keys of the sandbox are older than any step.
    for (step, offset) in ["+30", "+5", "+30", "+5"].into_iter().enumerate() {
        set(&sandbox, offset);
        for _ in 0..3 {
            let sent = story.refer_under(story.sign_consent(&story.consent())).await;
            told.message(&sent.message, &sent.accepted);
            told.shown(&story.read(&sent.referral.case, PLACEMENT).await.unwrap());
        }
        let ledger = Ledger::read(&story.auditor).await;
        let skews = ledger.records.iter().filter(|record| record.entry.entry_type == EntryType::ClockSkew).count();
        assert_eq!(skews, step.div_ceil(2), "behind step {step}");
    }

    // An hour back whatever is signed now is of the future. That is refused, and the refusal is an entry behind the others.
    let (consent, before) = (story.sign_consent(&story.consent()), Ledger::read(&story.auditor).await.records.len());
    set(&sandbox, "-3570");
    assert_eq!(story.register(&consent).await.unwrap_err().problem().status, 401);
    set(&sandbox, "+30");
    story.register(&consent).await.unwrap();

    repeat(&story, &told).await;
    let ledger = Aftermath::of(&sandbox, &story, &told, &[]).await.ledger;
    let times: Vec<_> = ledger.records.iter().map(|record| record.entry.time).collect();
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
    let clamped = times.windows(2).filter(|pair| pair[1] == pair[0].plus_micros(1)).count();
    assert!(clamped >= 12, "the clock was not behind: {clamped}");
    let refused = ledger.records.iter().skip(before).filter(|record| record.entry.decision == Outcome::Deny).count();
    assert_eq!(refused, 1);
    server.stop().await;
}

/// A sandbox whose gateway has a clock that can be set. None: libfaketime is missing, which was said; with `CI=true` that fails.
fn sandbox() -> Option<Sandbox> {
    static FOUND: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let mut folders = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"));
        folders.find(|library| library.exists())
    });
    let Some(library) = &*FOUND else {
        missing("libfaketime is not installed (Debian package libfaketime)");
        return None;
    };
    let sandbox = Sandbox::new(Settings { clock: Some(library), ..Settings::default() });
    set(&sandbox, "+0");
    Some(sandbox)
}

/// Sets the clock of the gateway, in seconds from the right one. Renamed into its place, because it is read at every look at the clock.
fn set(sandbox: &Sandbox, offset: &str) {
    let (file, new): (PathBuf, PathBuf) = (sandbox.clock(), sandbox.clock().with_extension("new"));
    fs::write(&new, offset).unwrap();
    fs::rename::<&Path, &Path>(&new, &file).unwrap();
}
