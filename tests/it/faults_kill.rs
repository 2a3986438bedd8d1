//! SIGKILL at random moments of a running load (`ledger.md` section 5): what was acknowledged stays, nothing is doubled, nothing was shown
//! without its entry, no right outlives its end.
//!
//! `TSUNAGI_KILL_CYCLES` sets how often the gateway is killed. The default suits a change; a night suits thousands.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::time::Timestamp,
    ledger::Entry,
    tlog::{Hash, verify_consistency},
    tls::client::ClientError,
};
use uuid::Uuid;

use crate::exchange_stage::{
    Sandbox, Settings,
    ledger::{Ledger, Stored},
    party::{Accepted, Setback},
    rights::{Lapse, Right, breaches},
    story::{BENEFIT, Message, PLACEMENT, Story},
    told::{Answer, Told},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_the_gateway_loses_doubles_and_leaks_nothing() {
    let cycles = std::env::var("TSUNAGI_KILL_CYCLES").map_or(25, |text| text.parse().unwrap());
    let sandbox = Sandbox::new(Settings { log: "warn", ..Settings::default() });
    let mut server = sandbox.serve().await;
    let load = Arc::new(Load::new(Story::open(&sandbox).await));
    let mut workers = load.start();

    let mut hits = 0;
    for cycle in 0..cycles {
        let entries = load.told().entries.len();
        while load.told().entries.len() < entries + PROGRESS {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(below(500))).await;
        let before = load.broken.load(Ordering::Relaxed);
        server.kill();
        sleep(Duration::from_millis(10 + below(90))).await;
        hits += usize::from(load.broken.load(Ordering::Relaxed) > before);
        server = sandbox.serve().await;
        let told = load.told().clone();
        let stored = Stored::read(&sandbox.database()).await;
        let lost: Vec<_> = told.entries.iter().filter(|(index, leaf)| !stored.holds(**index, leaf)).map(|(index, _)| index).collect();
        assert!(lost.is_empty(), "kill {cycle} lost {lost:?}");
        assert!(told.checkpoints.iter().all(|seen| stored.had(seen)), "kill {cycle} made another history");
    }
    load.done.store(true, Ordering::Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }

    let ledger = Ledger::read(&load.story.auditor).await;
    let told = load.told().clone();
    let lapses = load.lapses.lock().unwrap().clone();
    assert_eq!(told.judge(&ledger), Vec::<String>::new());
    assert_eq!(breaches(&ledger.records, &lapses), Vec::<u64>::new());
    prove_consistency(&load.story, &told, &ledger).await;
    for (jti, first) in &told.messages {
        let message = Message { jti: *jti, sd_jwt: first.sd_jwt.clone() };
        let again = load.story.submit(&message).await.unwrap();
        assert_eq!(Answer::new(&message, &again), *first);
    }

    let (broken, recovered) = (load.broken.load(Ordering::Relaxed), load.recovered.load(Ordering::Relaxed));
    let (messages, releases) = (told.messages.len(), told.releases.len());
    eprintln!(
        "{cycles} kills, {hits} into requests in work; {broken} requests broke, {recovered} of them had been committed; {} entries, {messages} \
         messages, {releases} releases, {} withdrawals, {} checkpoints",
        ledger.records.len(),
        lapses.len(),
        told.checkpoints.len()
    );
    assert!(hits * 2 > cycles && broken >= hits, "the kills did not hit the load");
    assert!(messages > cycles && releases > cycles && !lapses.is_empty(), "there was no load");
    server.stop().await;
}

/// Proofs from checkpoints seen on the way to the last one, as a monitor asks for them.
async fn prove_consistency(story: &Story, told: &Told, ledger: &Ledger) {
    let last = &ledger.checkpoint;
    for seen in told.checkpoints.iter().step_by(told.checkpoints.len().div_ceil(20)) {
        let target = format!("/v1/ledger/consistency?from={}&to={}", seen.size(), last.size());
        let proof: Value = serde_json::from_slice(&story.auditor.open_data(&target).await.unwrap().body).unwrap();
        let hashes: Vec<Hash> = proof["hashes"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect();
        verify_consistency(seen.size(), last.size(), &seen.root(), &last.root(), &hashes).unwrap();
    }
}

/// Senders and readers that go on whatever happens to the gateway.
struct Load {
    story: Story,
    told: Mutex<Told>,
    /// Cases that the municipality knows.
    cases: Mutex<Vec<String>>,
    lapses: Mutex<Vec<Lapse>>,
    done: AtomicBool,
    /// Requests that were in work when the gateway was killed.
    broken: AtomicUsize,
    /// Of those, the ones that had been committed: the repetition got the answer that was lost.
    recovered: AtomicUsize,
}

impl Load {
    fn new(story: Story) -> Self {
        Self {
            story,
            told: Mutex::default(),
            cases: Mutex::default(),
            lapses: Mutex::default(),
            done: AtomicBool::new(false),
            broken: AtomicUsize::new(0),
            recovered: AtomicUsize::new(0),
        }
    }

    fn start(self: &Arc<Self>) -> JoinSet<()> {
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

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// A consent, a referral under it, sometimes a repetition, sometimes a withdrawal.
    async fn send(&self) {
        let consent = self.story.sign_consent(&self.story.consent());
        let registered = self.insist(|| self.story.register(&consent)).await;
        self.told().accepted(&registered);
        let message = self.story.sign(&self.story.draft(&consent));
        let accepted = self.insist(|| self.story.submit(&message)).await;
        self.told().message(&message, &accepted);
        if below(4) == 0 {
            let again = self.insist(|| self.story.submit(&message)).await;
            self.told().message(&message, &again);
        }
        if below(4) == 0 {
            let end = self.story.sign_end(&consent, None);
            let ended = self.insist(|| self.story.register_end(&consent, &end)).await;
            self.told().accepted(&ended);
            let right = Right::Consent { jti: consent.jti, collector: self.story.centre.id.clone() };
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
            Setback::Refused(problem) if problem.status == 503 => {}
            setback => panic!("{setback:?}"),
        }
        sleep(Duration::from_millis(5)).await;
    }

    async fn read(&self) {
        let case = {
            let cases = self.cases.lock().unwrap();
            cases.get(usize::try_from(below(cases.len().max(1).try_into().unwrap())).unwrap()).cloned()
        };
        let Some(case) = case else { return sleep(Duration::from_millis(10)).await };
        let purpose = if below(2) == 0 { PLACEMENT } else { BENEFIT };
        match self.story.read(&case, purpose).await {
            Ok(released) => self.told().shown(&released),
            Err(Setback::Refused(problem)) if problem.code == "consent_ended" => {}
            Err(setback) => self.endure(setback).await,
        }
    }

    async fn list(&self) {
        let mut cursor = None;
        while !self.done.load(Ordering::Relaxed) {
            match self.story.cases(cursor.clone()).await {
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
fn below(bound: u64) -> u64 {
    u64::try_from(Uuid::new_v4().as_u128() % u128::from(bound)).unwrap()
}

/// Acknowledgements between two kills, at least.
const PROGRESS: usize = 4;
const SENDERS: usize = 3;
const READERS: usize = 3;
