//! The gateway's own parts in the test's process, on the ledger of a sandbox: its clock stands where the test puts it, and the test may do something
//! between a decision and its entry.

use std::{
    collections::VecDeque,
    fs,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use http::Method;
use tokio::{sync::Mutex, task::JoinHandle};
use tsunagi::{
    clock::{Clock, Ids, ManualClock, SystemClock},
    config::Config,
    domain::{
        case::Relation,
        codes::Purpose,
        digest::Digest,
        entry::{Act, EntryType, Operation},
        ids::CaseKey,
        party::PartyId,
        time::Timestamp,
    },
    gateway::{Call, Caller, Failure, Gateway, GatewayKeys, Parts, Release, StatisticsMade},
    ledger::{self, Actor, Answer, Draft, Entry, Node, SequencerHandle},
    message::{
        envelope::Opener,
        keys::{OpeningKey, SigningKey},
        schema::SchemaSet,
    },
    policy::PolicySet,
    startup,
    store::{self, Append, Appender, Store, StoreError, Write},
    tlog::NoteSigner,
    vault::{Kek, Vault},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Sandbox, party::Party};

/// Something that happens before an append begins.
pub(crate) type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A gateway without listeners. Another one may serve the same ledger.
pub(crate) struct Inside {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ledger: SequencerHandle,
    pub(crate) store: Arc<dyn Store>,
    node: Node,
    between: Arc<Between>,
    sequencer: JoinHandle<()>,
}

impl Inside {
    /// Opens the ledger of a sandbox with the policies that its configuration names. The clock stands at the present.
    pub(crate) async fn open(sandbox: &Sandbox) -> Self {
        let config = Config::load(&sandbox.config()).unwrap();
        let read = |file: &Path| Zeroizing::new(fs::read(file).unwrap());
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = store::open(config.database.url.expose()).await.unwrap();
        let between = Arc::new(Between { inner: store.appender(), steps: Mutex::default(), taken: AtomicUsize::new(0) });
        let signer = Arc::new(NoteSigner::from_seed(config.origin.parse().unwrap(), &seed(&config.keys.ledger)).unwrap());
        let vkey = signer.verifier().to_string();
        let node = Node { node: "inside".to_owned(), version: "test".to_owned() };
        let (ledger, sequencer) = ledger::open_ledger(ledger::Parts {
            appender: Arc::clone(&between) as _,
            reads: Arc::clone(&store) as _,
            signer,
            clock: Arc::clone(&clock) as _,
            node: node.clone(),
            mark: None,
        })
        .await
        .unwrap();
        let enc = OpeningKey::from_jwk(&read(&config.keys.enc)).unwrap();
        let gateway = Gateway::new(Parts {
            url: config.gateway.parse().unwrap(),
            origin: config.origin.clone(),
            node: node.clone(),
            keys: GatewayKeys {
                enc: Opener::new(&enc).unwrap(),
                enc_retired: Vec::new(),
                enc_public: enc.public().clone(),
                kb: SigningKey::from_jwk(&read(&config.keys.kb)).unwrap(),
                kb_retired: Vec::new(),
                receipt: SigningKey::from_jwk(&read(&config.keys.receipt)).unwrap(),
                vkey,
            },
            store: Arc::clone(&store),
            ledger: ledger.clone(),
            vault: Vault::new(&Kek::load(&config.keys.kek).unwrap()).unwrap(),
            policy: startup::policies(&config).unwrap(),
            schemas: SchemaSet::builtin().unwrap(),
            clock: Arc::clone(&clock) as _,
            ids: Ids::new(Arc::clone(&clock) as Arc<dyn Clock>),
        });
        Self { gateway: Arc::new(gateway), clock, ledger, store, node, between, sequencer }
    }

    /// Plans what happens before the next appends begin, one step each.
    pub(crate) async fn plan(&self, steps: Vec<Step>) {
        self.between.steps.lock().await.extend(steps);
    }

    /// How many steps were taken, and whether any is left.
    pub(crate) async fn taken(&self) -> (usize, bool) {
        (self.between.taken.load(Ordering::SeqCst), !self.between.steps.lock().await.is_empty())
    }

    /// A party reads a case.
    pub(crate) async fn read(&self, reader: &Party, case: &str, purpose: Purpose) -> Result<Release, Failure> {
        let (caller, call) = self.call(reader, format!("/v1/cases/{case}"), purpose, Operation::CaseRead).await?;
        let outcome = self.gateway.read_case(&caller, &call, &case.parse().unwrap()).await;
        if let Err(Failure::Refused(refusal)) = &outcome {
            self.gateway.refuse(&caller, &call, refusal).await?;
        }
        outcome
    }

    /// A municipality asks for its own numbers of a fiscal year.
    pub(crate) async fn statistics(&self, asker: &Party, year: u16) -> Result<StatisticsMade, Failure> {
        let target = format!("/v1/statistics?year={year}");
        let (caller, call) = self.call(asker, target, Purpose::PlacementCoordination, Operation::StatisticsRead).await?;
        self.gateway.statistics(&caller, &call, Some(year), None).await
    }

    async fn call(&self, from: &Party, target: String, purpose: Purpose, operation: Operation) -> Result<(Caller, Call), Failure> {
        let nonce = Uuid::new_v4().simple().to_string().parse().unwrap();
        // Its clock and the gateway's agree, wherever they stand.
        let at = Timestamp::from_secs(self.clock.now().secs());
        let token = from.actor_at(at, &Method::GET, &target, purpose, None, Some(&nonce));
        let certificate = from.connector.certificate();
        let tomorrow = SystemClock.now().plus_secs(86_400);
        let caller = self.gateway.caller(&from.id, certificate, Digest([0; 32]), tomorrow).await?.map_err(|(_, refusal)| refusal)?;
        Ok((caller, Call::new(Uuid::new_v4(), "GET".to_owned(), target, Some(token), None, operation)))
    }

    /// Lets the gateway use another set once it is in force.
    pub(crate) fn offer(&self, folder: &Path) -> Digest {
        let set = PolicySet::load(folder).unwrap();
        let digest = set.digest();
        self.gateway.offer_policies(set);
        digest
    }

    /// Takes a party's relation to a case; gives the key of the case and the index of the entry. No kind of message does that yet: what such an entry
    /// will write is written at the ledger itself.
    pub(crate) async fn reassign(&self, party: &PartyId, case: &str) -> (CaseKey, u64) {
        let id = case.parse().unwrap();
        let case = self.store.case_of_any(&id).await.unwrap().expect("the case exists");
        self.clock.set(present());
        let writes = vec![Write::CaseParty { case, party: party.clone(), id, relation: Relation::None }];
        let draft = Draft { writes, narrows: true, ..Draft::of_gateway(self.entry(EntryType::Acknowledgement)) };
        (case, self.append(draft).await)
    }

    /// Registers something as versions did whose entries commit to nothing: the rows with an entry that has no opening.
    pub(crate) async fn as_earlier(&self, party: &PartyId, writes: Vec<Write>) -> u64 {
        let mut entry = self.entry(EntryType::Party);
        (entry.operation, entry.recipient) = (Operation::PartyRegister, Some(party.clone()));
        self.append(Draft { writes, ..Draft::of_gateway(entry) }).await
    }

    /// What a party said of a key, as versions entered it whose entries commit to nothing.
    pub(crate) async fn key_as_earlier(&self, party: &Party, act: Act, write: Write) -> u64 {
        let cert = party.connector.certificate();
        let mut entry = self.entry(EntryType::Key);
        (entry.operation, entry.act) = (Operation::KeyRegister, Some(act));
        entry.actor = Some(Actor { party: party.id.clone(), cert, acting_for: None });
        self.append(Draft { writes: vec![write], narrows: act != Act::Add, ..Draft::of_gateway(entry) }).await
    }

    fn entry(&self, entry_type: EntryType) -> Entry {
        let id = Ids::new(Arc::clone(&self.clock) as Arc<dyn Clock>).v7().unwrap();
        Entry::of_gateway(id, self.node.clone(), entry_type)
    }

    async fn append(&self, draft: Draft) -> u64 {
        match self.ledger.append(draft).await.unwrap() {
            Answer::Committed(committed) => committed.idx(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn close(self) {
        self.gateway.close().await;
        self.sequencer.await.unwrap();
        self.store.close().await;
    }
}

/// Puts the policies of a folder in force, as `tsunagi policy activate` does.
pub(crate) fn activation(sandbox: &Sandbox, folder: &Path) -> Step {
    let mut config = Config::load(&sandbox.config()).unwrap();
    config.policies = Some(folder.to_owned());
    Box::pin(async move {
        startup::activate_policies(&config, Arc::new(SystemClock), None).await.unwrap().index.expect("they were in force already");
    })
}

/// Now in whole microseconds, as the ledger has it.
pub(crate) fn present() -> Timestamp {
    SystemClock.now()
}

fn seed(file: &Path) -> Zeroizing<[u8; 32]> {
    let text = fs::read_to_string(file).unwrap();
    let digits = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    Zeroizing::new(std::array::from_fn(digits))
}

/// Appends of a store, with the test's steps before them.
struct Between {
    inner: Arc<dyn Appender>,
    steps: Mutex<VecDeque<Step>>,
    taken: AtomicUsize,
}

#[async_trait]
impl Appender for Between {
    async fn begin(&self) -> Result<Box<dyn Append>, StoreError> {
        let step = self.steps.lock().await.pop_front();
        if let Some(step) = step {
            step.await;
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.begin().await
    }
}
