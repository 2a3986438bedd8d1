//! A server makes a commit visible that no standby has: after a crash while the commit waited, and when somebody cancels the wait. Nothing that rests on such a
//! commit is said before the standby has it.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tsunagi::{
    ledger::{Answer, Draft, LedgerError, Parts, SequencerHandle, open_ledger},
    store::{create, open},
};

use crate::{
    exchange_stage::SOON,
    ledger_stage::{ORIGIN, POLICY, Stage, committed, draft, node, object},
    postgres_stage::{self, Cluster, Database},
};

/// A ledger with one entry on a server that waits for a standby which is away, two processes on it, and a commit of the first that waits.
struct Waiting {
    primary: Cluster,
    standby: Cluster,
    database: Database,
    stage: Stage,
    first: SequencerHandle,
    second: SequencerHandle,
    append: JoinHandle<Result<Answer, LedgerError>>,
}

impl Waiting {
    async fn new() -> Option<Self> {
        let primary = postgres_stage::own(&[])?;
        let database = primary.database();
        let mut stage = Stage::new().await;
        stage.store = create(&database.owner(), ORIGIN, POLICY).await.unwrap();
        let (first, second) = (process(&stage, &database).await, process(&stage, &database).await);
        let standby = primary.standby(true);
        standby.stop_at_once();
        let append = repeat(&first);
        let waiting = Self { primary, standby, database, stage, first, second, append };
        waiting.until_a_commit_waits().await;
        Some(waiting)
    }

    async fn until_a_commit_waits(&self) {
        until(async || self.database.try_sql(COMMITS_THAT_WAIT).is_ok_and(|count| count != "0")).await;
    }

    /// The entry is there for everybody to see, and nobody says so before the standby has it.
    async fn nothing_is_said_before_the_standby_has_it(self) {
        assert_eq!(self.database.sql("SELECT size FROM ledger_head"), "2", "the server shows it");
        let known = repeat(&self.first);
        self.until_a_commit_waits().await;
        // Whoever asks now waits behind it, or is told that nothing can be said.
        for shown in [timeout(MOMENT, self.second.prove(1)).await.map(|proof| proof.is_ok()), timeout(MOMENT, starts(&self)).await] {
            assert!(!shown.unwrap_or(false), "what the standby lacks was shown");
        }
        assert!(!known.is_finished(), "{:?}", known.await);
        assert_eq!((self.first.size(), self.second.size()), (1, 1));
        self.standby.resume();
        let answer = match known.await.unwrap() {
            Err(LedgerError::OutcomeUnknown | LedgerError::Unavailable) => patiently(&self.first).await,
            answer => answer.unwrap(),
        };
        assert!(matches!(answer, Answer::Known { idx: 1, .. }), "{answer:?}");
        until(async || self.second.prove(1).await.is_ok()).await;
        assert_eq!(self.database.sql("SELECT count(*) FROM ledger_entry"), "2");
        assert_eq!(self.database.at(self.standby.port).sql("SELECT size FROM ledger_head"), "2");
        drop(self.primary);
    }
}

/// Another process on the ledger.
async fn process(stage: &Stage, database: &Database) -> SequencerHandle {
    try_process(stage, database).await.unwrap()
}

async fn try_process(stage: &Stage, database: &Database) -> Result<SequencerHandle, LedgerError> {
    let store = open(&database.owner()).await.unwrap();
    let parts = Parts {
        appender: store.appender(),
        reads: Arc::clone(&store) as _,
        signer: Arc::clone(&stage.signer),
        clock: Arc::clone(&stage.clock) as _,
        node: node(),
        mark: None,
    };
    Ok(open_ledger(parts).await?.0)
}

/// Whether a process that starts now comes up; one that does not is no answer.
async fn starts(waiting: &Waiting) -> bool {
    match try_process(&waiting.stage, &waiting.database).await {
        Ok(ledger) => ledger.size() > 1,
        Err(_) => pending().await,
    }
}

fn repeat(ledger: &SequencerHandle) -> JoinHandle<Result<Answer, LedgerError>> {
    let ledger = ledger.clone();
    tokio::spawn(async move { ledger.append(Draft { object: Some(object(1, 1)), ..draft() }).await })
}

async fn patiently(ledger: &SequencerHandle) -> Answer {
    let answered = async {
        loop {
            match repeat(ledger).await.unwrap() {
                Ok(answer) => return answer,
                Err(LedgerError::OutcomeUnknown | LedgerError::Unavailable) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(SOON, answered).await.expect("it is not answered any more")
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, held).await.expect("it never came to be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_made_visible_is_not_answered_for_before_the_standby_has_it() {
    let Some(mut waiting) = Waiting::new().await else { return };
    waiting.primary.stop_at_once();
    assert_eq!((&mut waiting.append).await.unwrap().unwrap_err(), LedgerError::OutcomeUnknown);
    waiting.primary.resume();
    waiting.nothing_is_said_before_the_standby_has_it().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_the_standby_that_was_cancelled_is_no_commit() {
    let Some(mut waiting) = Waiting::new().await else { return };
    let cancelled = waiting.database.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    assert_eq!(cancelled, "t", "the fault fires");
    assert_eq!((&mut waiting.append).await.unwrap().unwrap_err(), LedgerError::OutcomeUnknown);
    waiting.nothing_is_said_before_the_standby_has_it().await;
}

#[tokio::test]
async fn a_commit_that_the_standby_has_is_answered_for() {
    let Some(primary) = postgres_stage::own(&[]) else { return };
    let database = primary.database();
    let mut stage = Stage::new().await;
    stage.store = create(&database.owner(), ORIGIN, POLICY).await.unwrap();
    let standby = primary.standby(true);
    let ledger = process(&stage, &database).await;
    assert_eq!(committed(repeat(&ledger).await.unwrap()).idx(), 1);
    assert!(matches!(repeat(&ledger).await.unwrap(), Ok(Answer::Known { idx: 1, .. })));
    drop(standby);
}

const COMMITS_THAT_WAIT: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
/// Long enough for what would be answered at once.
const MOMENT: Duration = Duration::from_millis(1500);
