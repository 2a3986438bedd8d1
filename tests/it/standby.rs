//! High availability on what PostgreSQL has: a synchronous standby takes over while two gateways are under load.

use std::time::Duration;

use tokio::time::sleep;
use tsunagi::clock::Stopwatch;

use crate::{
    exchange_stage::{
        Sandbox, Settings,
        ledger::Stored,
        load::{Load, below, cycles},
        story::Story,
    },
    postgres_stage,
};

/// `TSUNAGI_FAILOVERS` sets how often a standby takes over; each time it gets a standby of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_synchronous_standby_takes_over_and_nothing_acknowledged_is_lost() {
    let failovers = cycles("TSUNAGI_FAILOVERS", 1);
    let Some(mut primary) = postgres_stage::own(&[]) else { return };
    let database = primary.database();
    let mut sandbox = Sandbox::on(Settings { log: "error", ..Settings::default() }, Some(&database));
    for failover in 0..failovers {
        let standby = primary.standby(true);
        sandbox.use_postgres(&database.at(primary.port), &[primary.port, standby.port], false);
        let first = sandbox.serve().await;
        let (second, address) = sandbox.serve_another().await;
        let load = Load::new(vec![Story::open(&sandbox).await, Story::open(&sandbox).await.at(address)]);
        let workers = load.start();
        load.progress(30).await;
        sleep(Duration::from_millis(below(300))).await;

        let outage = Stopwatch::start();
        if failover % 2 == 0 {
            primary.kill();
        } else {
            primary.stop_at_once();
        }
        // Nobody can write now: every gateway says so, and when to come again.
        while load.hits().1 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        for gateway in [&first, &second] {
            assert_eq!(gateway.admin("/readyz").await.unwrap().0, 503);
            assert_eq!(gateway.admin("/livez").await.unwrap().0, 200);
        }
        let decided = outage.elapsed();
        standby.promote();
        sandbox.use_postgres(&database.at(standby.port), &[primary.port, standby.port], false);
        load.progress(1).await;
        let (down, promoted) = (outage.elapsed(), outage.elapsed().saturating_sub(decided));
        let told = load.told().clone();
        assert_eq!(told.missing(&Stored::of(&sandbox).await), Vec::<String>::new());
        load.progress(30).await;
        for gateway in [&first, &second] {
            assert_eq!(gateway.admin("/readyz").await.unwrap().0, 200);
        }
        let (_, unavailable) = load.hits();
        assert!(unavailable > 0, "nobody noticed");
        assert!(promoted < BOUND, "the gateways needed {promoted:?} to find the standby");
        load.settle(&sandbox, workers, &format!("failover {failover}: {down:?} without a write, {promoted:?} of them from promotion on"))
            .await;
        first.stop().await;
        second.stop().await;
        primary = standby;
    }
}

/// Promotion, and finding it: connecting takes two seconds at most where a server does not answer.
const BOUND: Duration = Duration::from_secs(20);
