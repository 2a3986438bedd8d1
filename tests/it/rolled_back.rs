//! A database that lost entries is found out: at the start by the mark outside it, while running by what was shown. The way on is on record.

use std::{path::PathBuf, sync::Arc};

use sqlx::{Connection as _, SqliteConnection};
use tokio::task::JoinHandle;
use tsunagi::{
    clock::Clock,
    domain::entry::EntryType,
    ledger::{
        Dispute, Draft, HighWater, LedgerError, Node, Parts, Reopen, SequencerHandle, TreeRecount, examine,
        export::FolderWriter,
        open_ledger, read_mark, reopen,
        verify::{Anchors, CONSENT_BASES, Folder, Report, verify},
    },
    store::{self, Store, StoreError},
    text::audit::{Finding, Remark},
    tlog::{Checkpoint, Hash, NoteSigner, VerifierKey, open_checkpoint},
};
use zeroize::Zeroizing;

use crate::ledger_stage::{ORIGIN, START, Stage, committed, node, on_both};

pub(crate) const NEW_ORIGIN: &str = "ledger.example/tsunagi-2";

/// A draft that an offline verification accepts.
fn draft() -> Draft {
    let mut draft = crate::ledger_stage::draft();
    draft.entry.id = uuid::Uuid::now_v7();
    draft
}

/// A stage whose sequencers remember what they show.
struct Marked {
    stage: Stage,
}

impl Marked {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let note = Checkpoint::new(ORIGIN, 0, tsunagi::tlog::empty_root()).unwrap().sign(&stage.signer).unwrap();
        drop(HighWater::create(&mark(&stage), &note, stage.signer.verifier()).unwrap());
        Self { stage }
    }

    async fn open(&self) -> Result<(SequencerHandle, JoinHandle<()>), LedgerError> {
        let mark = HighWater::open(&mark(&self.stage), self.stage.signer.verifier()).unwrap();
        open_ledger(Parts {
            appender: self.stage.store.appender(),
            reads: Arc::clone(&self.stage.store) as _,
            signer: Arc::clone(&self.stage.signer),
            clock: Arc::clone(&self.stage.clock) as _,
            node: node(),
            mark: Some(mark),
        })
        .await
    }

    /// Makes the ledger `size` entries long and stops.
    async fn grow(&self, size: u64) {
        let (ledger, task) = self.open().await.unwrap();
        while ledger.size() < size {
            committed(ledger.append(draft()).await);
        }
        ledger.close().await;
        task.await.unwrap();
    }

    fn shown(&self) -> u64 {
        read_mark(&mark(&self.stage), self.stage.signer.verifier()).unwrap().size()
    }

    /// A copy of the database as it is now.
    async fn copy(&self, name: &str) -> PathBuf {
        let place = self.stage.folder.path().join(name);
        store::back_up(&self.stage.url().as_str().into(), &place, TreeRecount::default()).await.unwrap().finish().await.unwrap()
    }

    /// Puts a copy where the database is, as a careless restore does.
    async fn put_back(&mut self, copy: &PathBuf) {
        self.stage.store.close().await;
        std::fs::copy(copy, self.stage.folder.path().join("t.db")).unwrap();
        self.stage.store = store::open(&self.stage.url()).await.unwrap();
    }
}

fn mark(stage: &Stage) -> PathBuf {
    stage.folder.path().join("t.high-water")
}

pub(crate) fn other_name(origin: &str) -> NoteSigner {
    NoteSigner::from_seed(origin.parse().unwrap(), &Zeroizing::new([5; 32])).unwrap()
}

/// Everything of a stored ledger, verified offline with the key of this name and a note that was kept.
async fn verified(store: &dyn Store, signer: &NoteSigner, kept: Option<&str>) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("export");
    let head = store.head().await.unwrap();
    let mut writer = FolderWriter::create(&folder).unwrap();
    for row in store.entries(0, head.size, u32::MAX).await.unwrap() {
        writer.push(&row.body, &serde_json::Value::Null).unwrap();
    }
    let checkpoint = Checkpoint::new(&head.origin, head.size, Hash(head.root)).unwrap();
    writer.finish(&checkpoint.sign(signer).unwrap(), signer.verifier()).unwrap();
    verify(&Folder::new(&folder), &Anchors { key: signer.verifier(), kept, consent_bases: CONSENT_BASES, quorum: None }).unwrap()
}

#[tokio::test]
async fn every_head_is_in_the_mark_before_it_is_shown() {
    let marked = Marked::new().await;
    let (ledger, task) = marked.open().await.unwrap();
    assert_eq!(marked.shown(), 1);
    for size in 2..6 {
        let entry = committed(ledger.append(draft()).await);
        assert_eq!(open_checkpoint(entry.checkpoint(), marked.stage.signer.verifier()).unwrap().size(), size);
        assert_eq!(marked.shown(), size, "without waiting for a flush");
    }
    ledger.close().await;
    task.await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_went_back_while_the_gateway_was_down_is_not_opened() {
    let mut marked = Marked::new().await;
    marked.grow(300).await;
    let copy = marked.copy("old.sqlite").await;
    marked.grow(301).await;
    marked.put_back(&copy).await;
    assert_eq!(marked.open().await.unwrap_err(), LedgerError::RolledBack);
    // Grown past the mark by somebody who had none, it is still not what was shown.
    let (ledger, task) = marked.stage.ledger().await;
    for _ in 0..2 {
        committed(ledger.append(draft()).await);
    }
    ledger.close().await;
    task.await.unwrap();
    assert_eq!(marked.open().await.unwrap_err(), LedgerError::Forked);
    assert_eq!(marked.shown(), 301);
}

#[tokio::test]
async fn a_ledger_that_grew_elsewhere_is_opened() {
    let marked = Marked::new().await;
    marked.grow(250).await;
    let (elsewhere, task) = marked.stage.ledger().await;
    for _ in 0..20 {
        committed(elsewhere.append(draft()).await);
    }
    elsewhere.close().await;
    task.await.unwrap();
    let (ledger, _task) = marked.open().await.unwrap();
    assert_eq!((ledger.size(), marked.shown()), (270, 270));
}

#[tokio::test]
async fn a_database_that_goes_back_under_a_running_gateway_ends_its_service_for_good() {
    for (regrown, dispute) in
        [(0, Dispute::RolledBack { held: 20, stored: 10 }), (10, Dispute::Forked { held: 20 }), (15, Dispute::Forked { held: 20 })]
    {
        let marked = Marked::new().await;
        marked.grow(10).await;
        let copy = marked.copy("old.sqlite").await;
        let (ledger, _task) = marked.open().await.unwrap();
        for _ in 0..10 {
            committed(ledger.append(draft()).await);
        }
        // The file is swapped under the open connections: what a standby that lost entries looks like after it took over.
        swap(&marked.stage, &copy).await;
        let (other, _other) = marked.stage.ledger_of(&store::open(&marked.stage.url()).await.unwrap()).await;
        for _ in 0..regrown {
            committed(other.append(draft()).await);
        }
        assert_eq!(ledger.append(draft()).await.unwrap_err(), expected(dispute), "{dispute}");
        assert_eq!(ledger.standing().now().dispute, Some(dispute));
        assert_eq!(ledger.writable().await.unwrap_err(), expected(dispute), "not ready");
        assert_eq!(ledger.exclusive().await.unwrap_err(), expected(dispute));
        assert!(ledger.head().await.is_err(), "nothing more is signed");
        assert_eq!(marked.shown(), 20, "the mark stays");
    }
}

#[tokio::test]
async fn a_larger_database_that_went_another_way_is_found_out_by_whoever_looks() {
    for _ in 0..20 {
        let marked = Marked::new().await;
        marked.grow(10).await;
        let copy = marked.copy("old.sqlite").await;
        let (ledger, _task) = marked.open().await.unwrap();
        for _ in 0..10 {
            committed(ledger.append(draft()).await);
        }
        swap(&marked.stage, &copy).await;
        let (other, _other) = marked.stage.ledger_of(&store::open(&marked.stage.url()).await.unwrap()).await;
        for _ in 0..15 {
            committed(other.append(draft()).await);
        }
        // Nobody appends here: looking is enough.
        let looked = ledger.refresh().await;
        if looked == Err(LedgerError::RolledBack) {
            // On a slow machine the watcher looked before the other history was the longer one.
            continue;
        }
        assert_eq!(looked, Err(LedgerError::Forked));
        assert_eq!(ledger.standing().now().dispute, Some(Dispute::Forked { held: 20 }));
        assert_eq!(ledger.writable().await.unwrap_err(), LedgerError::Forked, "not ready");
        assert_eq!((ledger.size(), marked.shown()), (20, 20));
        return;
    }
    panic!("the watcher was always faster");
}

fn expected(dispute: Dispute) -> LedgerError {
    match dispute {
        Dispute::RolledBack { .. } => LedgerError::RolledBack,
        Dispute::Forked { .. } => LedgerError::Forked,
    }
}

/// Makes the tables of the database those of a copy, while everybody stays connected.
async fn swap(stage: &Stage, copy: &std::path::Path) {
    let mut connection = SqliteConnection::connect(&stage.url()).await.unwrap();
    let run = async |connection: &mut SqliteConnection, sql: &'static str| {
        sqlx::query(sql).execute(&mut *connection).await.unwrap();
    };
    sqlx::query("ATTACH ? AS old").bind(copy.to_str().unwrap()).execute(&mut connection).await.unwrap();
    run(&mut connection, "BEGIN IMMEDIATE").await;
    for sql in [
        "DROP TRIGGER ledger_leaf_no_delete",
        "DROP TRIGGER ledger_entry_no_delete",
        "DROP TRIGGER ledger_head_forward",
        "DELETE FROM ledger_leaf WHERE idx >= (SELECT size FROM old.ledger_head)",
        "DELETE FROM ledger_entry WHERE idx >= (SELECT size FROM old.ledger_head)",
        "UPDATE ledger_head SET (size, root, frontier, last_time) = (SELECT size, root, frontier, last_time FROM old.ledger_head)",
        "COMMIT",
    ] {
        run(&mut connection, sql).await;
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_far_ahead_appends_nothing_until_it_is_right_again() {
    let stage = Stage::new().await;
    let (ledger, _task) = stage.ledger().await;
    committed(ledger.append(draft()).await);
    let right = stage.clock.now();
    stage.clock.step(right.plus_secs(3600 * 24 * 365));
    assert_eq!(ledger.append(draft()).await.unwrap_err(), LedgerError::Clock);
    assert_eq!(ledger.writable().await.unwrap_err(), LedgerError::Clock, "not ready");
    assert_eq!(stage.store.head().await.unwrap().size, 2, "nothing was recorded at that time");
    stage.clock.step(right.plus_secs(60));
    assert_eq!(ledger.writable().await, Ok(()));
    assert_eq!(committed(ledger.append(draft()).await).time(), START.plus_secs(60));
    // A restart is an operator's word for the clock.
    stage.clock.step(right.plus_secs(3600));
    assert!(ledger.append(draft()).await.is_err());
    drop(ledger);
    let (again, _task) = stage.ledger().await;
    assert_eq!(committed(again.append(draft()).await).time(), START.plus_secs(3600));
}

on_both!(the_name_of_a_ledger_changes_only_with_the_entry_that_records_it);

async fn the_name_of_a_ledger_changes_only_with_the_entry_that_records_it(stage: Stage) {
    let (ledger, task) = stage.ledger().await;
    committed(ledger.append(draft()).await);
    ledger.close().await;
    task.await.unwrap();
    for sql in [
        "UPDATE ledger_head SET origin = 'other'",
        "UPDATE ledger_head SET origin = 'other', size = size + 1",
        "UPDATE ledger_head SET origin = 'other', size = 1",
    ] {
        let refused = stage.sql(sql).await.unwrap_err();
        assert!(refused.contains("ledger_head"), "{sql}: {refused}");
    }
    // An append that carries another name without saying so fails as a whole.
    let append = stage.store.appender().begin().await.unwrap();
    let head = append.head().clone();
    let row = crate::ledger_stage::row(head.size, START.plus_secs(9));
    let renamed = store::HeadRow { origin: "other".to_owned(), size: head.size + 1, last_time: START.plus_secs(9), ..head };
    let refused = append.commit(vec![row], Vec::new(), renamed).await;
    assert!(matches!(refused, Err(StoreError::Database(_) | StoreError::CommitUnknown(_))), "{refused:?}");
    assert_eq!(stage.store.head().await.unwrap().size, 2);
    let signer = other_name(NEW_ORIGIN);
    let done = reopen(Reopen {
        appender: &*stage.store.appender(),
        reads: &*stage.store,
        signer: &signer,
        clock: Arc::clone(&stage.clock) as Arc<dyn Clock>,
        node: node(),
        known: None,
    })
    .await
    .unwrap();
    let head = stage.store.head().await.unwrap();
    assert_eq!((done.index, head.size, head.origin.as_str()), (2, 3, NEW_ORIGIN));
    assert_eq!(stage.try_ledger(stage.store.appender()).await.unwrap_err(), LedgerError::Signer, "nothing is signed under the old name");
}

/// A ledger of 300 entries of which 40 were lost, opened again. Gives the notes of 250, 290 and 300 entries from before.
pub(crate) async fn reopened(known: Option<u64>) -> (Stage, NoteSigner, Vec<String>) {
    let mut marked = Marked::new().await;
    let mut notes = Vec::new();
    for size in [250, 260, 290, 300] {
        marked.grow(size).await;
        let head = marked.stage.store.head().await.unwrap();
        notes.push(Checkpoint::new(ORIGIN, size, Hash(head.root)).unwrap().sign(&marked.stage.signer).unwrap());
        if size == 260 {
            marked.copy("old.sqlite").await;
        }
    }
    let copy = marked.stage.folder.path().join("old.sqlite");
    marked.put_back(&copy).await;
    let signer = other_name(NEW_ORIGIN);
    let stage = marked.stage;
    let known = known
        .map(|size| notes.iter().map(|note| open_checkpoint(note, stage.signer.verifier()).unwrap()).find(|n| n.size() == size).unwrap());
    let done = reopen(Reopen {
        appender: &*stage.store.appender(),
        reads: &*stage.store,
        signer: &signer,
        clock: Arc::clone(&stage.clock) as Arc<dyn Clock>,
        node: Node { node: "gw-1".to_owned(), version: "0.1.0".to_owned() },
        known: known.as_ref(),
    })
    .await
    .unwrap();
    assert_eq!((done.index, done.reopening.survived.size), (260, 260));
    assert_eq!(open_checkpoint(&done.note, signer.verifier()).unwrap().size(), 261);
    (stage, signer, notes)
}

#[tokio::test]
async fn a_ledger_that_lost_entries_goes_on_under_another_name_and_says_so() {
    let (stage, signer, notes) = reopened(Some(300)).await;
    // Nothing is signed under the old name any more.
    assert_eq!(stage.try_ledger(stage.store.appender()).await.unwrap_err(), LedgerError::Signer);
    let head = stage.store.head().await.unwrap();
    assert_eq!((head.origin.as_str(), head.size, head.rights_epoch), (NEW_ORIGIN, 261, 1));
    let entries = stage.entries().await;
    let reopening = entries[260].reopens.clone().unwrap();
    assert_eq!((entries[260].entry_type, reopening.from.as_str(), reopening.known.unwrap().size), (EntryType::LedgerOpened, ORIGIN, 300));
    let (ledger, task) = open_ledger(Parts {
        appender: stage.store.appender(),
        reads: Arc::clone(&stage.store) as _,
        signer: Arc::new(other_name(NEW_ORIGIN)),
        clock: Arc::clone(&stage.clock) as _,
        node: node(),
        mark: None,
    })
    .await
    .unwrap();
    assert_eq!(committed(ledger.append(draft()).await).idx(), 261);
    ledger.close().await;
    task.await.unwrap();
    assert_eq!(examine(&*stage.store).await.unwrap().breaks, [(260, *reopening)]);

    let report = verified(&*stage.store, &signer, None).await;
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.breaks.iter().map(|broke| broke.index).collect::<Vec<_>>(), [260]);
    assert!(report.remarks.iter().any(|(remark, at)| *remark == Remark::LedgerReopened && at.as_deref() == Some("260")));
    // What an auditor kept from before the break is continued as far as it survived; beyond it the loss is on record.
    let report = verified(&*stage.store, &signer, Some(&notes[0])).await;
    assert_eq!((report.holds(), report.continues), (true, Some(250)));
    for lost in &notes[2..] {
        let report = verified(&*stage.store, &signer, Some(lost)).await;
        assert_eq!((report.holds(), report.continues), (true, None));
        assert!(report.remarks.iter().any(|(remark, _)| *remark == Remark::EntriesLost));
    }
}

#[tokio::test]
async fn a_loss_that_is_told_smaller_than_it_was_is_found_by_whoever_kept_a_head() {
    for (known, concealed) in [(Some(290), true), (None, true), (Some(300), false)] {
        let (stage, signer, notes) = reopened(known).await;
        let report = verified(&*stage.store, &signer, Some(&notes[3])).await;
        assert_eq!(report.has(Finding::LossConcealed), concealed, "{known:?}");
        assert_eq!(report.holds(), !concealed);
    }
    // Two histories of one size are no admission either.
    let (stage, signer, _) = reopened(Some(300)).await;
    let forged = Checkpoint::new(ORIGIN, 300, Hash([9; 32])).unwrap().sign(&stage.signer).unwrap();
    assert!(verified(&*stage.store, &signer, Some(&forged)).await.has(Finding::LossConcealed));
    let stranger = Checkpoint::new("elsewhere.example", 200, Hash([9; 32])).unwrap().sign(&other_name("elsewhere.example")).unwrap();
    assert!(verified(&*stage.store, &signer, Some(&stranger)).await.has(Finding::KeptNote));
    let within = Checkpoint::new(ORIGIN, 250, Hash([9; 32])).unwrap().sign(&stage.signer).unwrap();
    assert!(verified(&*stage.store, &signer, Some(&within)).await.has(Finding::HistoryForked));
}

#[tokio::test]
async fn a_record_of_a_break_that_does_not_fit_is_named() {
    let (stage, _, _) = reopened(Some(300)).await;
    // Signed under a third name, the last record does not lead to it.
    let third = other_name("third.example");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("export");
    let mut writer = FolderWriter::create(&folder).unwrap();
    for (index, row) in stage.store.entries(0, 261, u32::MAX).await.unwrap().iter().enumerate() {
        let body = if index == 260 {
            let mut entry: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
            entry["reopens"]["survived"]["size"] = 259.into();
            serde_json_canonicalizer::to_vec(&entry).unwrap()
        } else {
            row.body.clone()
        };
        writer.push(&body, &serde_json::Value::Null).unwrap();
    }
    let checkpoint = Checkpoint::new("third.example", 261, writer.root()).unwrap();
    let key: &VerifierKey = third.verifier();
    writer.finish(&checkpoint.sign(&third).unwrap(), key).unwrap();
    let report = verify(&Folder::new(&folder), &Anchors { key, kept: None, consent_bases: CONSENT_BASES, quorum: None }).unwrap();
    let named = report.problems.iter().filter(|p| p.finding == Finding::ReopeningMismatch && p.index == Some(260)).count();
    assert_eq!((named, report.first_bad()), (2, Some(260)), "its size, and its name");
}
