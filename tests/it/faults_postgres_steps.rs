//! What fails at each step of an append on PostgreSQL (`ledger.md` section 5): at every turn of the conversation with the server, and when the COMMIT is
//! answered and the gateway does not know it yet, the append stands still, and there the gateway is killed, its connection is cut, its backend is ended
//! by an administrator or killed.
//!
//! By default each kind of fault strikes every step of one kind of append, and the end of the gateway of both; `TSUNAGI_FAULT_STEPS=all` lets everything
//! strike both.

use std::{cell::Cell, process::Command};

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::timeout;

use crate::{
    exchange_stage::{
        SOON, Sandbox, Settings,
        aftermath::{Aftermath, pause, repeat},
        ledger::Stored,
        party::{Accepted, Released, Setback},
        process::Server,
        story::{Message, PLACEMENT, Referral, Story},
        told::Told,
    },
    postgres_stage::{self, Cluster, Database, Halted, Moment, Proxy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_at_any_step_of_an_append_the_entry_is_whole_or_not_there() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let mut stage = Stage::new(&cluster).await;
    for fault in [Fault::Cut, Fault::BackendEnded, Fault::BackendKilled, Fault::GatewayKilled] {
        for attempt in [Attempt::Submit, Attempt::Read] {
            let usual = match fault {
                Fault::GatewayKilled => true,
                Fault::Cut | Fault::BackendKilled => attempt == Attempt::Submit,
                Fault::BackendEnded => attempt == Attempt::Read,
            };
            if usual || every_step() {
                stage.sweep(attempt, fault).await;
            }
        }
    }
    stage.finish().await;
}

/// What strikes while an append stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The network: both ends see a closed connection.
    Cut,
    /// `pg_terminate_backend`.
    BackendEnded,
    /// SIGKILL of the backend: the server ends all others and recovers.
    BackendKilled,
    /// SIGKILL.
    GatewayKilled,
}

/// What is tried meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Submit,
    Read,
}

/// What it was answered.
enum Answered {
    Accepted(Box<Accepted>),
    Released(Box<Released>),
}

struct Stage<'a> {
    cluster: &'a Cluster,
    database: Database,
    proxy: Proxy,
    sandbox: Sandbox,
    server: Option<Server>,
    story: Story,
    referral: Referral,
    told: Told,
}

impl<'a> Stage<'a> {
    async fn new(cluster: &'a Cluster) -> Self {
        let database = cluster.database();
        let sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
        let proxy = Proxy::before(database.port);
        sandbox.reach(proxy.port);
        let server = Some(sandbox.serve().await);
        let story = Story::open(&sandbox).await;
        let sent = story.refer_under(story.sign_consent(&story.consent())).await;
        let mut told = Told::default();
        told.message(&sent.message, &sent.accepted);
        Self { cluster, database, proxy, sandbox, server, story, referral: sent.referral, told }
    }

    /// Strikes at each turn up to the COMMIT, and behind it.
    async fn sweep(&mut self, attempt: Attempt, fault: Fault) {
        let (mut turn, mut strikes) = (1, 0);
        loop {
            strikes += 1;
            assert!(strikes < MOST, "an append has no end");
            match self.strike(attempt, fault, Moment::Before(turn)).await {
                Some(true) => break,
                Some(false) => turn += 1,
                // Once a second an append forgets expired ids too: the one before had a turn more than this one.
                None => turn -= 1,
            }
        }
        assert_eq!(self.strike(attempt, fault, Moment::Committed).await, Some(true));
        eprintln!("{fault:?} at each of {turn} turns of one {attempt:?}, and behind its commit");
        assert!(turn > 2, "nothing was hit between the lock and the commit");
    }

    /// Lets a fault strike at a moment of an attempt, and looks at what it left. Whether it was at the COMMIT; none: the append had ended before.
    async fn strike(&mut self, attempt: Attempt, fault: Fault, moment: Moment) -> Option<bool> {
        self.warm().await;
        let message = self.message().await;
        let before = self.size().await;
        self.proxy.halt(moment);
        let done = Cell::new(false);
        let victim = self.server.as_ref().unwrap().id();
        let ((answered, ()), halted) = tokio::join!(
            async {
                let answered = self.attempt(attempt, &message).await;
                (answered, done.set(true))
            },
            async {
                let halted = self.halted(&done).await;
                if let Some(halted) = halted {
                    self.fire(fault, halted, victim).await;
                }
                self.proxy.go_on(halted.is_some() && matches!(fault, Fault::Cut | Fault::GatewayKilled));
                halted
            }
        );
        let Some(halted) = halted else {
            let Ok(answered) = answered else { panic!("{moment:?} of {attempt:?} did not come, and it was not answered") };
            self.note(&message, answered);
            return None;
        };
        match fault {
            Fault::GatewayKilled => {
                // It has ended where it stood.
                self.server.take().unwrap().kill();
                self.server = Some(self.sandbox.serve().await);
            }
            Fault::BackendKilled => self.recovered().await,
            Fault::Cut | Fault::BackendEnded => {}
        }
        let committed = moment == Moment::Committed;
        match answered {
            // A connection that was gone before an append began on it is made again; a COMMIT that was answered is not undone.
            Ok(answered) => {
                let unharmed = committed && matches!(fault, Fault::BackendEnded | Fault::BackendKilled);
                assert!(fault != Fault::GatewayKilled && (unharmed || moment == Moment::Before(1)), "{fault:?} at {moment:?}: answered");
                self.note(&message, answered);
            }
            Err(Setback::Broken(error)) => assert_eq!(fault, Fault::GatewayKilled, "{moment:?}: {error}"),
            Err(Setback::Refused(problem)) => {
                assert_eq!(
                    (problem.status, problem.code.as_str()),
                    (503, "ledger_unavailable"),
                    "{fault:?} at {moment:?}: {}",
                    problem.text
                );
                assert!(problem.retry_after.is_some() && fault != Fault::GatewayKilled, "{}", problem.text);
            }
        }
        let size = self.size().await;
        if moment != Moment::Before(1) {
            assert_eq!(size - before, usize::from(committed), "{fault:?} at {moment:?} of {attempt:?}");
        }
        self.unfold(attempt, &message, size, committed).await;
        Some(halted.at_commit)
    }

    /// Waits until an append stands still, or the attempt is over without it.
    async fn halted(&self, done: &Cell<bool>) -> Option<Halted> {
        let waited = async {
            loop {
                if let Some(halted) = self.proxy.halted() {
                    return Some(halted);
                }
                if done.get() {
                    return None;
                }
                pause().await;
            }
        };
        timeout(SOON, waited).await.expect("no append, and no answer")
    }

    /// Fails the test where the fault does not fire.
    async fn fire(&self, fault: Fault, halted: Halted, gateway: u32) {
        let backend = format!("FROM pg_stat_activity WHERE client_port = {}", halted.client_port);
        let kill = |id: &str| assert!(Command::new("kill").args(["-9", id]).status().unwrap().success());
        match fault {
            Fault::Cut => {}
            Fault::BackendEnded => assert_eq!(self.database.sql(&format!("SELECT pg_terminate_backend(pid) {backend}")), "t"),
            Fault::BackendKilled => {
                let mut other = PgConnection::connect(&self.database.superuser()).await.unwrap();
                kill(&self.database.sql(&format!("SELECT pid {backend}")));
                // The server ends everybody before it recovers.
                while other.execute("SELECT 1").await.is_ok() {
                    pause().await;
                }
            }
            Fault::GatewayKilled => kill(&gateway.to_string()),
        }
    }

    async fn recovered(&self) {
        let recovered = async {
            while self.database.try_sql("SELECT 1").is_err() {
                pause().await;
            }
        };
        timeout(SOON, recovered).await.unwrap_or_else(|_| panic!("the server does not recover: {}", self.cluster.log().display()));
    }

    /// The connection that writes knows its statements, so that each turn of the next append is a step of its own.
    async fn warm(&mut self) {
        let message = self.message().await;
        for attempt in [Attempt::Submit, Attempt::Read] {
            self.patiently(attempt, &message).await;
        }
    }

    /// A message that was not sent yet.
    async fn message(&mut self) -> Message {
        let consent = self.story.sign_consent(&self.story.consent());
        let registered = async {
            loop {
                match self.story.register(&consent).await {
                    Ok(registered) => return registered,
                    Err(setback) => passes(&setback),
                }
                pause().await;
            }
        };
        let registered = timeout(SOON, registered).await.expect("it goes on");
        self.told.accepted(&registered);
        self.story.sign(&self.story.draft(&consent))
    }

    async fn attempt(&self, attempt: Attempt, message: &Message) -> Result<Answered, Setback> {
        Ok(match attempt {
            Attempt::Submit => Answered::Accepted(Box::new(self.story.submit(message).await?)),
            Attempt::Read => Answered::Released(Box::new(self.story.read(&self.referral.case, PLACEMENT).await?)),
        })
    }

    fn note(&mut self, message: &Message, answered: Answered) {
        match answered {
            Answered::Accepted(accepted) => self.told.message(message, &accepted),
            Answered::Released(released) => self.told.shown(&released),
        }
    }

    /// Asks until it is answered.
    async fn patiently(&mut self, attempt: Attempt, message: &Message) {
        let answered = async {
            loop {
                match self.attempt(attempt, message).await {
                    Ok(answered) => return answered,
                    Err(setback) => passes(&setback),
                }
                pause().await;
            }
        };
        let answered = timeout(SOON, answered).await.expect("it goes on");
        self.note(message, answered);
    }

    /// Size of the stored tree, whole and without a gap, that holds whatever was told.
    async fn size(&self) -> usize {
        let stored = Stored::of(&self.sandbox).await;
        assert_eq!(self.told.missing(&stored), Vec::<String>::new());
        stored.leaves.len()
    }

    /// The repetition is answered, a message with what was there already if it was there.
    async fn unfold(&mut self, attempt: Attempt, message: &Message, size: usize, committed: bool) {
        self.patiently(attempt, message).await;
        let known = committed && attempt == Attempt::Submit;
        let now = self.size().await;
        assert!(if known { now == size } else { now <= size + 1 }, "{size} entries became {now}");
    }

    async fn finish(mut self) {
        repeat(&self.story, &self.told).await;
        Aftermath::of(&self.sandbox, &self.story, &self.told, &[]).await;
        self.server.take().unwrap().stop().await;
    }
}

/// It comes again: the ledger is away.
#[track_caller]
fn passes(setback: &Setback) {
    assert!(matches!(setback, Setback::Refused(problem) if problem.status == 503), "{setback:?}");
}

fn every_step() -> bool {
    std::env::var("TSUNAGI_FAULT_STEPS").as_deref() == Ok("all")
}

/// Turns that no append has.
const MOST: usize = 40;
