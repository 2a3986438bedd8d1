//! SIGKILL at random moments of a running load (`ledger.md` section 5): what was acknowledged stays, nothing is doubled, nothing was shown
//! without its entry, no right outlives its end.
//!
//! `TSUNAGI_KILL_CYCLES` sets how often the gateway is killed. The default suits a change; a night suits thousands.

use std::time::Duration;

use tokio::time::sleep;

use crate::exchange_stage::{
    Sandbox, Settings,
    ledger::Stored,
    load::{Load, below, cycles},
    story::Story,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_the_gateway_loses_doubles_and_leaks_nothing() {
    let cycles = cycles("TSUNAGI_KILL_CYCLES", 25);
    let sandbox = Sandbox::new(Settings { log: "warn", ..Settings::default() });
    let mut server = sandbox.serve().await;
    let load = Load::new(vec![Story::open(&sandbox).await]);
    let workers = load.start();
    let mut hits = 0;
    for cycle in 0..cycles {
        load.progress(PROGRESS).await;
        sleep(Duration::from_millis(below(500))).await;
        let (before, _) = load.hits();
        server.kill();
        sleep(Duration::from_millis(10 + below(90))).await;
        hits += usize::from(load.hits().0 > before);
        server = sandbox.serve().await;
        let told = load.told().clone();
        assert_eq!(told.missing(&Stored::of(&sandbox).await), Vec::<String>::new(), "kill {cycle}");
    }
    load.settle(&sandbox, workers, &format!("{cycles} kills, {hits} into requests in work")).await;
    let told = load.told().clone();
    assert!(hits * 2 > cycles && load.hits().0 >= hits, "the kills did not hit the load");
    assert!(told.messages.len() > cycles && told.releases.len() > cycles, "there was no load");
    server.stop().await;
}

/// Acknowledgements between two kills, at least.
const PROGRESS: usize = 4;
