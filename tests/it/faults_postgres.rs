//! Faults of a PostgreSQL database under two gateways (`ledger.md` section 5): backends and the whole server killed at random moments of a load, the
//! database down and closed for writing, the connection lost at a commit whose outcome nobody can tell.
//!
//! `TSUNAGI_DATABASE_FAULTS` sets how many faults there are. The default suits a change; a night suits thousands.

use std::{process::Command, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    exchange_stage::{
        SOON, Sandbox, Settings,
        aftermath::{Aftermath, pause, repeat},
        ledger::Stored,
        load::{Load, below, cycles},
        party::Setback,
        process::Server,
        story::{PLACEMENT, Story},
        told::Told,
    },
    postgres_stage::{self, Cluster, Cut, Database, Proxy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_database_two_gateways_lose_double_and_leak_nothing() {
    let Some(cluster) = postgres_stage::own(&[]) else { return };
    let cycles = cycles("TSUNAGI_DATABASE_FAULTS", 2 * FAULTS.len());
    let database = cluster.database();
    let sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
    let mut first = sandbox.serve().await;
    let (second, address) = sandbox.serve_another().await;
    let load = Load::new(vec![Story::open(&sandbox).await, Story::open(&sandbox).await.at(address)]);
    let workers = load.start();
    let mut hit = [0; FAULTS.len()];
    for cycle in 0..cycles {
        let which = cycle % FAULTS.len();
        load.progress(PROGRESS).await;
        sleep(Duration::from_millis(below(300))).await;
        let before = load.hits();
        match FAULTS[which] {
            Fault::BackendsEnded => assert!(database.kill_backends() > 0),
            Fault::BackendKilled => kill_a_backend(&database).await,
            Fault::ServerStoppedAtOnce => {
                cluster.stop_at_once();
                sleep(Duration::from_millis(below(500))).await;
                cluster.resume();
            }
            Fault::ServerKilled => {
                cluster.kill();
                cluster.resume();
            }
            Fault::ServerAway => away(&cluster, &first, &second).await,
            Fault::ClosedForWriting => closed(&database, &load).await,
            Fault::GatewayKilled => {
                first.kill();
                sleep(Duration::from_millis(below(100))).await;
                first = sandbox.serve().await;
            }
        }
        hit[which] += usize::from(load.hits() != before);
        let told = load.told().clone();
        assert_eq!(told.missing(&Stored::of(&sandbox).await), Vec::<String>::new(), "{cycle}: {:?}", FAULTS[which]);
    }
    load.progress(PROGRESS).await;
    let faults: Vec<String> = FAULTS.iter().zip(hit).map(|(fault, hit)| format!("{fault:?} hit {hit}")).collect();
    load.settle(&sandbox, workers, &format!("{cycles} faults ({})", faults.join(", "))).await;
    // A backend that ends between two requests is noticed by nobody: its connection is made again.
    let noticed = hit.iter().filter(|hit| **hit > 0).count();
    assert!(noticed * 2 > FAULTS.len(), "the faults did not hit the load: {faults:?}");
    first.stop().await;
    second.stop().await;
}

/// What a fault at a commit leaves: nothing, or an entry that nobody was told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_at_a_commit_leaves_one_entry_and_no_disclosure_without_one() {
    let Some(database) = postgres_stage::database() else { return };
    let sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
    let proxy = Proxy::before(database.port);
    sandbox.reach(proxy.port);
    let server = sandbox.serve().await;
    let story = Story::open(&sandbox).await;
    let mut told = Told::default();
    let sent = story.refer_under(story.sign_consent(&story.consent())).await;
    told.message(&sent.message, &sent.accepted);
    for cut in [Cut::CommitLost, Cut::AnswerLost, Cut::CommitLost, Cut::AnswerLost] {
        let consent = story.sign_consent(&story.consent());
        story.register(&consent).await.unwrap();
        let message = story.sign(&story.draft(&consent));
        let (size, fired) = (Stored::of(&sandbox).await.leaves.len(), proxy.fired());
        proxy.arm(cut);
        unknown(story.submit(&message).await);
        let left = Stored::of(&sandbox).await.leaves.len() - size;
        assert_eq!((proxy.fired(), left), (fired + 1, usize::from(cut == Cut::AnswerLost)), "{cut:?}");
        let accepted = patiently(async || story.submit(&message).await).await;
        assert_eq!(usize::try_from(accepted.index).unwrap() < size + left, cut == Cut::AnswerLost, "{cut:?}");
        told.message(&message, &accepted);

        let (size, fired) = (Stored::of(&sandbox).await.leaves.len(), proxy.fired());
        proxy.arm(cut);
        unknown(story.read(&sent.referral.case, PLACEMENT).await);
        let left = Stored::of(&sandbox).await.leaves.len() - size;
        assert_eq!((proxy.fired(), left), (fired + 1, usize::from(cut == Cut::AnswerLost)), "{cut:?}");
        let released = patiently(async || story.read(&sent.referral.case, PLACEMENT).await).await;
        told.shown(&released);
    }

    // The network away, and back.
    proxy.close();
    unknown(story.read(&sent.referral.case, PLACEMENT).await);
    assert_eq!(server.admin("/readyz").await.unwrap().0, 503);
    assert_eq!(server.admin("/livez").await.unwrap().0, 200);
    proxy.open();
    told.shown(&patiently(async || story.read(&sent.referral.case, PLACEMENT).await).await);
    repeat(&story, &told).await;
    Aftermath::of(&sandbox, &story, &told, &[]).await;
    server.stop().await;
}

/// What happens to a database.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `pg_terminate_backend` for every connection.
    BackendsEnded,
    /// SIGKILL of one backend: the server ends all others and recovers.
    BackendKilled,
    /// `pg_ctl -m immediate`.
    ServerStoppedAtOnce,
    /// SIGKILL of the postmaster.
    ServerKilled,
    /// Stopped in order, and started again after a while.
    ServerAway,
    /// Transactions may not write.
    ClosedForWriting,
    GatewayKilled,
}

/// Kills the backend of some connection where it stands.
async fn kill_a_backend(database: &Database) {
    let backends = database.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    let backends: Vec<&str> = backends.lines().collect();
    let some = usize::try_from(below(u64::try_from(backends.len()).unwrap())).unwrap();
    assert!(Command::new("kill").args(["-9", backends[some]]).status().unwrap().success());
    let recovered = async {
        while database.try_sql("SELECT 1").is_err() {
            pause().await;
        }
    };
    timeout(SOON, recovered).await.expect("the server does not recover");
}

/// While the server is away, no gateway says that it is ready.
async fn away(cluster: &Cluster, first: &Server, second: &Server) {
    cluster.stop_fast();
    for server in [first, second] {
        let noticed = async {
            while server.admin("/readyz").await.unwrap().0 != 503 {
                pause().await;
            }
        };
        timeout(SOON, noticed).await.expect("a gateway says that it is ready without its database");
        assert_eq!(server.admin("/livez").await.unwrap().0, 200);
    }
    cluster.resume();
}

/// While nothing can be written, nothing is acknowledged and nothing is shown.
async fn closed(database: &Database, load: &Load) {
    database.read_only(true);
    let (_, before) = load.hits();
    let refused = async {
        while load.hits().1 < before + PROGRESS {
            pause().await;
        }
    };
    timeout(SOON, refused).await.expect("nobody was told that the ledger cannot be written");
    database.read_only(false);
}

#[track_caller]
fn unknown<T>(outcome: Result<T, Setback>) {
    let problem = outcome.err().expect("it was answered").problem();
    assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"), "{}", problem.text);
    assert!(problem.retry_after.is_some());
}

/// Asks again until it is answered.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, Setback>) -> T {
    let answered = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(Setback::Refused(problem)) if problem.status == 503 => pause().await,
                Err(setback) => panic!("{setback:?}"),
            }
        }
    };
    timeout(SOON, answered).await.expect("it is not answered any more")
}

const FAULTS: [Fault; 7] = [
    Fault::BackendsEnded,
    Fault::BackendKilled,
    Fault::ServerStoppedAtOnce,
    Fault::ServerKilled,
    Fault::ServerAway,
    Fault::ClosedForWriting,
    Fault::GatewayKilled,
];
/// Acknowledgements between two faults, at least.
const PROGRESS: usize = 4;
