//! A ledger in a fresh folder, drafts for it, and appends that fail when told to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use sqlx::{Connection as _, SqliteConnection};
use tokio::task::JoinHandle;
use tsunagi::{
    clock::ManualClock,
    domain::{
        codes::MessageKind,
        digest::Digest,
        entry::{EntryType, Operation, Outcome},
        ids::{CaseId, CaseKey, Jti},
        party::PartyId,
        time::Timestamp,
    },
    ledger::{Actor, Answer, Committed, Draft, Entry, Ground, LedgerError, Node, Once, Parts, SequencerHandle, open_ledger},
    store::{Append, Appender, DataKeyId, EntryRow, HeadRow, OnceKey, OnceKind, OnceRow, Store, StoreError, TileRow, Write, create, open},
    tlog::{Hash, NoteSigner, leaf_hash, open_checkpoint, verify_inclusion},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::postgres_stage;

pub(crate) const ORIGIN: &str = "ledger.example/tsunagi";
pub(crate) const START: Timestamp = Timestamp::from_secs(1_795_000_000);
pub(crate) const POLICY: Digest = Digest([7; 32]);

/// Makes of each `async fn name(stage: Stage)` one test for each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(crate::ledger_stage::Stage::new().await).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() {
                if let Some(stage) = crate::ledger_stage::Stage::postgres().await { super::$name(stage).await; }
            })*
        }
    };
}
pub(crate) use on_both;

/// A database with an empty ledger. The file of SQLite goes with its folder, a database of PostgreSQL with the cluster.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) postgres: Option<postgres_stage::Database>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) signer: Arc<NoteSigner>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::on(None).await
    }

    /// None: there is no PostgreSQL here, which was said.
    pub(crate) async fn postgres() -> Option<Self> {
        Some(Self::on(Some(postgres_stage::database()?)).await)
    }

    async fn on(postgres: Option<postgres_stage::Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = create(&url(&folder, postgres.as_ref()), ORIGIN, POLICY).await.unwrap();
        let signer = NoteSigner::from_seed(ORIGIN.parse().unwrap(), &Zeroizing::new([5; 32])).unwrap();
        Self { folder, postgres, store, clock: Arc::new(ManualClock::new(START)), signer: Arc::new(signer) }
    }

    pub(crate) fn url(&self) -> String {
        url(&self.folder, self.postgres.as_ref())
    }

    /// Runs SQL past the program, where nothing but the database itself refuses it.
    pub(crate) async fn sql(&self, statement: &str) -> Result<(), String> {
        if let Some(database) = &self.postgres {
            return database.try_sql(statement).map(drop);
        }
        let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await;
        connection.close().await.unwrap();
        done.map(drop).map_err(|error| error.to_string())
    }

    /// Closes the database and opens it again, as a restart does.
    pub(crate) async fn reopen(&mut self) {
        self.store.close().await;
        self.store = open(&self.url()).await.unwrap();
    }

    pub(crate) async fn ledger(&self) -> (SequencerHandle, JoinHandle<()>) {
        self.try_ledger(self.store.appender()).await.unwrap()
    }

    /// A sequencer on connections of its own.
    pub(crate) async fn ledger_of(&self, store: &Arc<dyn Store>) -> (SequencerHandle, JoinHandle<()>) {
        self.try_ledger(store.appender()).await.unwrap()
    }

    pub(crate) async fn try_ledger(&self, appender: Arc<dyn Appender>) -> Result<(SequencerHandle, JoinHandle<()>), LedgerError> {
        open_ledger(Parts {
            appender,
            reads: Arc::clone(&self.store) as _,
            signer: Arc::clone(&self.signer),
            clock: Arc::clone(&self.clock) as _,
            node: node(),
            mark: None,
        })
        .await
    }

    /// The entry is where the answer says, and its proof leads to the root that was signed.
    pub(crate) async fn holds(&self, committed: &Committed) {
        let row = self.store.entry(committed.idx()).await.unwrap().unwrap();
        assert_eq!(row.body, committed.leaf());
        self.verify(committed.idx(), committed.leaf(), committed.proof(), committed.checkpoint());
        let entry: Entry = serde_json::from_slice(committed.leaf()).unwrap();
        assert_eq!((entry.id, entry.time), (committed.entry_id(), committed.time()));
    }

    pub(crate) fn verify(&self, idx: u64, leaf: &[u8], proof: &[[u8; 32]], checkpoint: &str) {
        let checkpoint = open_checkpoint(checkpoint, self.signer.verifier()).unwrap();
        let proof: Vec<Hash> = proof.iter().copied().map(Hash).collect();
        assert_eq!(verify_inclusion(idx, checkpoint.size(), &leaf_hash(leaf), &proof, &checkpoint.root()), Ok(()), "entry {idx}");
    }

    /// All entries, parsed.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let rows = self.store.entries(0, u64::MAX, u32::MAX).await.unwrap();
        rows.iter().map(|row| serde_json::from_slice(&row.body).unwrap()).collect()
    }
}

fn url(folder: &tempfile::TempDir, postgres: Option<&postgres_stage::Database>) -> String {
    postgres.map_or_else(|| format!("sqlite://{}", folder.path().join("t.db").display()), postgres_stage::Database::owner)
}

pub(crate) fn node() -> Node {
    Node { node: "gw-1".to_owned(), version: "0.1.0".to_owned() }
}

pub(crate) fn party(id: &str) -> PartyId {
    id.parse().unwrap()
}

pub(crate) fn center() -> PartyId {
    party("settlement_center:13-1")
}

pub(crate) fn town() -> PartyId {
    party("municipality:131016-1")
}

pub(crate) fn jti(n: u128) -> Jti {
    Jti::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn case(n: u128) -> CaseKey {
    CaseKey::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn case_id(n: u128) -> CaseId {
    CaseId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn data_key(n: u128) -> DataKeyId {
    DataKeyId(Uuid::from_u128(n))
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

/// An entry of the centre towards the municipality.
pub(crate) fn entry() -> Entry {
    let mut entry = Entry::of_gateway(Uuid::new_v4(), node(), EntryType::Submission);
    entry.actor = Some(Actor { party: center(), cert: digest(1), acting_for: None });
    entry.recipient = Some(town());
    entry.operation = Operation::ReferralSubmit;
    entry.decision = Outcome::Permit;
    entry
}

pub(crate) fn draft() -> Draft {
    Draft::of_gateway(entry())
}

pub(crate) fn object(n: u128, content: u8) -> Once {
    Once {
        kind: OnceKind::Message,
        iss: center(),
        jti: jti(n),
        digest: digest(content),
        expires: None,
        result: format!("{{\"n\":{n}}}").into_bytes(),
    }
}

pub(crate) fn actor(n: u128, expires: Timestamp) -> Once {
    Once { kind: OnceKind::Actor, iss: center(), jti: jti(n), digest: digest(0), expires: Some(expires), result: Vec::new() }
}

/// A ground that stands until something moves.
pub(crate) fn ground(rights_epoch: u64) -> Ground {
    Ground { rights_epoch, valid_until: START.plus_secs(3600), case: None, consent: None }
}

/// What opens a case with its data key.
pub(crate) fn new_case(n: u128) -> Vec<Write> {
    vec![
        Write::DataKey(data_key(n), vec![1, 2, 3]),
        Write::Case { case: case(n), kind: MessageKind::Referral, key: data_key(n), consent: None },
    ]
}

pub(crate) fn committed(answer: Result<Answer, LedgerError>) -> Committed {
    match answer {
        Ok(Answer::Committed(committed)) => committed,
        other => panic!("not committed: {other:?}"),
    }
}

/// Appends one entry with these rows past the sequencer. The tree is not kept: for what only the store promises.
pub(crate) async fn store_entry(store: &dyn Store, writes: &[Write]) -> u64 {
    try_store_entry(store, writes).await.unwrap()
}

pub(crate) async fn try_store_entry(store: &dyn Store, writes: &[Write]) -> Result<u64, StoreError> {
    let mut append = store.appender().begin().await?;
    let head = append.head().clone();
    let (idx, time) = (head.size, head.last_time.plus_micros(1).max(START));
    append.write(writes, idx, time).await?;
    append.commit(vec![row(idx, time)], Vec::new(), HeadRow { size: idx + 1, last_time: time, ..head }).await?;
    Ok(idx)
}

/// The row of an entry that carries nothing.
pub(crate) fn row(idx: u64, time: Timestamp) -> EntryRow {
    let mut leaf = [0; 32];
    leaf[..8].copy_from_slice(&idx.to_be_bytes());
    EntryRow {
        idx,
        id: Uuid::from_u128(idx.into()),
        leaf_hash: leaf,
        body: idx.to_string().into_bytes(),
        time,
        entry_type: "submission",
        operation: "referral.submit",
        actor: Some(center()),
        recipient: Some(town()),
        decision: "permit",
        reason: None,
        agreement: None,
        opening: None,
        tags: Vec::new(),
    }
}

/// What happens to one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The head lock cannot be had.
    Begin,
    /// A business row fails for a reason of the database.
    Write,
    /// The database fails before the commit.
    BeforeCommit,
    /// The commit is durable, its answer is lost.
    AnswerLost,
    /// The commit is lost, and nobody can tell.
    CommitLost,
}

/// Appends of a store that fail as planned. Counts the commits that are durable.
pub(crate) struct Faulty {
    inner: Arc<dyn Appender>,
    plan: Arc<Mutex<VecDeque<Fault>>>,
    commits: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Appender>) -> Self {
        Self { inner, plan: Arc::default(), commits: Arc::default() }
    }

    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.plan.lock().unwrap().extend(faults);
    }

    /// Nothing more fails.
    pub(crate) fn mend(&self) {
        self.plan.lock().unwrap().clear();
    }

    pub(crate) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Appender for Faulty {
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError> {
        let fault = self.plan.lock().unwrap().pop_front().unwrap_or(Fault::None);
        if fault == Fault::Begin {
            return Err(StoreError::Database(sqlx::Error::PoolTimedOut));
        }
        let inner = self.inner.begin().await?;
        Ok(Box::new(FaultyAppend { inner, fault, commits: Arc::clone(&self.commits) }))
    }
}

struct FaultyAppend {
    inner: Box<dyn Append>,
    fault: Fault,
    commits: Arc<AtomicUsize>,
}

#[async_trait]
impl Append for FaultyAppend {
    fn head(&self) -> &HeadRow {
        self.inner.head()
    }

    async fn once(&mut self, keys: &[OnceKey]) -> Result<Vec<Option<OnceRow>>, StoreError> {
        self.inner.once(keys).await
    }

    fn use_once(&mut self, key: OnceKey, row: OnceRow, expires: Option<Timestamp>) {
        self.inner.use_once(key, row, expires);
    }

    async fn forget_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.forget_expired(now, limit).await
    }

    async fn leaf_hashes(&mut self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        self.inner.leaf_hashes(from, to).await
    }

    async fn case_revision(&mut self, case: &CaseKey) -> Result<Option<u64>, StoreError> {
        self.inner.case_revision(case).await
    }

    async fn consent_case(&mut self, consent: &Jti) -> Result<Option<CaseKey>, StoreError> {
        self.inner.consent_case(consent).await
    }

    async fn write(&mut self, rows: &[Write], idx: u64, time: Timestamp) -> Result<(), StoreError> {
        if self.fault == Fault::Write {
            return Err(StoreError::Database(sqlx::Error::WorkerCrashed));
        }
        self.inner.write(rows, idx, time).await
    }

    async fn commit(self: Box<Self>, entries: Vec<EntryRow>, tiles: Vec<TileRow>, head: HeadRow) -> Result<(), StoreError> {
        match self.fault {
            Fault::BeforeCommit => return Err(StoreError::Database(sqlx::Error::WorkerCrashed)),
            Fault::CommitLost => return Err(StoreError::CommitUnknown(sqlx::Error::WorkerCrashed)),
            _ => {}
        }
        self.inner.commit(entries, tiles, head).await?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::AnswerLost => Err(StoreError::CommitUnknown(sqlx::Error::WorkerCrashed)),
            _ => Ok(()),
        }
    }
}
