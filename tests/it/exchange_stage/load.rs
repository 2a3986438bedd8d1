//! Senders and readers that go on whatever happens to the gateways and to their database, and remember everything they were told.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::time::Timestamp,
    ledger::Entry,
    tls::client::ClientError,
};
use uuid::Uuid;

use super::{
    SOON, Sandbox,
    aftermath::{Aftermath, pause, repeat},
    party::{Accepted, Setback},
    rights::{Lapse, Right},
    story::{BENEFIT, PLACEMENT, Story},
    told::Told,
};

/// A load on one or more gateways of one ledger.
pub(crate) struct Load {
    /// The same parties, at each gateway.
    pub(crate) gates: Vec<Story>,
    told: Mutex<Told>,
    /// Cases that the municipality knows.
    cases: Mutex<Vec<String>>,
    lapses: Mutex<Vec<Lapse>>,
    done: AtomicBool,
    /// Requests that were in work when their gateway was gone.
    broken: AtomicUsize,
    /// Requests that were told that the ledger cannot be written now.
    unavailable: AtomicUsize,
    /// Requests that broke or were refused and had been committed: the repetition got the answer that was lost.
    recovered: AtomicUsize,
}

impl Load {
    pub(crate) fn new(gates: Vec<Story>) -> Arc<Self> {
        Arc::new(Self {
            gates,
            told: Mutex::default(),
            cases: Mutex::default(),
            lapses: Mutex::default(),
            done: AtomicBool::new(false),
            broken: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
            recovered: AtomicUsize::new(0),
        })
    }

    pub(crate) fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for _ in 0..SENDERS {
            let load = Arc::clone(self);
            workers.spawn(async move {
                while !load.done.load(Ordering::Relaxed) {
                    load.send().await;
                }
            });
        }
        for _ in 0..READERS {
            let load = Arc::clone(self);
            workers.spawn(async move {
                while !load.done.load(Ordering::Relaxed) {
                    load.read().await;
                }
            });
        }
        let load = Arc::clone(self);
        workers.spawn(async move { load.list().await });
        workers
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// How many requests broke, and how many were told to come again.
    pub(crate) fn hits(&self) -> (usize, usize) {
        (self.broken.load(Ordering::Relaxed), self.unavailable.load(Ordering::Relaxed))
    }

    /// Waits until that much more was acknowledged.
    pub(crate) async fn progress(&self, acknowledged: usize) {
        let goal = self.told().entries.len() + acknowledged;
        let there = async {
            while self.told().entries.len() < goal {
                pause().await;
            }
        };
        timeout(SOON, there).await.expect("nothing is acknowledged any more");
    }

    /// Ends the load and judges the ledger that is left. `faults` is what the test did, for what is printed.
    pub(crate) async fn settle(&self, sandbox: &Sandbox, mut workers: JoinSet<()>, faults: &str) -> Aftermath {
        self.done.store(true, Ordering::Relaxed);
        while let Some(ended) = workers.join_next().await {
            ended.unwrap();
        }
        let (told, lapses) = (self.told().clone(), self.lapses.lock().unwrap().clone());
        repeat(&self.gates[0], &told).await;
        let aftermath = Aftermath::of(sandbox, &self.gates[0], &told, &lapses).await;
        let (broken, unavailable) = self.hits();
        let (messages, releases) = (told.messages.len(), told.releases.len());
        eprintln!(
            "{faults}; {broken} requests broke, {unavailable} were told to come again, {} of all had been committed; {} entries, {messages} \
             messages, {releases} releases, {} withdrawals, {} checkpoints",
            self.recovered.load(Ordering::Relaxed),
            aftermath.ledger.records.len(),
            lapses.len(),
            told.checkpoints.len()
        );
        assert!(messages > 0 && releases > 0 && !lapses.is_empty(), "there was no load");
        aftermath
    }

    /// Some gateway.
    fn gate(&self) -> &Story {
        let count = u64::try_from(self.gates.len()).unwrap();
        &self.gates[usize::try_from(below(count)).unwrap()]
    }

    /// A consent, a referral under it, sometimes a repetition, sometimes a withdrawal.
    async fn send(&self) {
        let story = &self.gates[0];
        let consent = story.sign_consent(&story.consent());
        let registered = self.insist(|| self.gate().register(&consent)).await;
        self.told().accepted(&registered);
        let message = story.sign(&story.draft(&consent));
        let accepted = self.insist(|| self.gate().submit(&message)).await;
        self.told().message(&message, &accepted);
        if below(4) == 0 {
            let again = self.insist(|| self.gate().submit(&message)).await;
            self.told().message(&message, &again);
        }
        if below(4) == 0 {
            let end = story.sign_end(&consent, None);
            let ended = self.insist(|| self.gate().register_end(&consent, &end)).await;
            self.told().accepted(&ended);
            let right = Right::Consent { jti: consent.jti, collector: story.centre.id.clone() };
            self.lapses.lock().unwrap().push(Lapse { right, from: ended.index, until: None });
        }
    }

    /// Sends the same signed object until it is acknowledged, as an outbox does.
    async fn insist<A: Future<Output = Result<Accepted, Setback>>>(&self, send: impl Fn() -> A) -> Accepted {
        let mut began = None;
        loop {
            let started = SystemClock.now();
            match send().await {
                Ok(accepted) => {
                    let time = entry_time(&accepted);
                    self.recovered.fetch_add(usize::from(began.is_some() && time < started), Ordering::Relaxed);
                    return accepted;
                }
                Err(setback) => self.endure(setback).await,
            }
            began.get_or_insert(started);
        }
    }

    /// A broken connection is counted; anything but "not now" fails the test.
    async fn endure(&self, setback: Setback) {
        match setback {
            Setback::Broken(ClientError::Broken(_)) => {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
            // The gateway was not there, or ended in the handshake.
            Setback::Broken(ClientError::Unreachable { .. } | ClientError::Tls(_)) => {}
            Setback::Refused(problem) if problem.status == 503 => {
                assert!(problem.retry_after.is_some(), "{}", problem.text);
                self.unavailable.fetch_add(1, Ordering::Relaxed);
            }
            setback => panic!("{setback:?}"),
        }
        pause().await;
    }

    async fn read(&self) {
        let case = {
            let cases = self.cases.lock().unwrap();
            cases.get(usize::try_from(below(cases.len().max(1).try_into().unwrap())).unwrap()).cloned()
        };
        let Some(case) = case else { return sleep(Duration::from_millis(10)).await };
        let purpose = if below(2) == 0 { PLACEMENT } else { BENEFIT };
        match self.gate().read(&case, purpose).await {
            Ok(released) => self.told().shown(&released),
            Err(Setback::Refused(problem)) if problem.code == "consent_ended" => {}
            Err(setback) => self.endure(setback).await,
        }
    }

    async fn list(&self) {
        let mut cursor = None;
        while !self.done.load(Ordering::Relaxed) {
            match self.gate().cases(cursor.clone()).await {
                Ok((fresh, next)) => {
                    self.cases.lock().unwrap().extend(fresh);
                    cursor = next;
                    sleep(Duration::from_millis(50)).await;
                }
                Err(setback) => self.endure(setback).await,
            }
        }
    }
}

fn entry_time(accepted: &Accepted) -> Timestamp {
    serde_json::from_slice::<Entry>(&accepted.leaf).unwrap().time
}

/// A random number below another.
pub(crate) fn below(bound: u64) -> u64 {
    u64::try_from(Uuid::new_v4().as_u128() % u128::from(bound)).unwrap()
}

/// How many cycles a test goes through: by default few, by an environment variable as many as wanted.
pub(crate) fn cycles(variable: &str, few: usize) -> usize {
    std::env::var(variable).map_or(few, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

const SENDERS: usize = 3;
const READERS: usize = 3;
