//! Reading without a pause: whether anything stalls, now and then, that a short run does not meet.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tsunagi::{clock::Stopwatch, domain::ids::CaseId, tls::client::HttpsClient};

use crate::{
    load::{Run, answer},
    measure::Cpu,
    party::Party,
};

/// What it came to.
pub(crate) struct Steady {
    clients: usize,
    wall: Duration,
    run: Run,
    /// Answers of each whole second.
    seconds: Vec<u32>,
    /// Longest time in which nobody got an answer, in milliseconds.
    gap: f64,
}

impl Steady {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "clients": self.clients,
            "seconds": self.seconds.len(),
            "reads": self.run.count(),
            "per_second": {"least": self.least(), "mean": self.run.per_second(), "most": self.seconds.iter().max()},
            "longest_gap_ms": self.gap,
            "p50_ms": self.run.latency(0.5),
            "p99_ms": self.run.latency(0.99),
            "slowest_ms": self.run.latency(1.0),
            "cpu_us": self.run.cpu(),
        })
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{:.0} s of reading with {} clients: {} reads, {:.0} a second (slowest second {}, fastest {}), p50 {:.2} ms, p99 {:.2} ms, slowest \
             {:.0} ms, longest time without an answer {:.0} ms, {:.0} CPU us a read",
            self.wall.as_secs_f64(),
            self.clients,
            self.run.count(),
            self.run.per_second(),
            self.least(),
            self.seconds.iter().max().copied().unwrap_or_default(),
            self.run.latency(0.5),
            self.run.latency(0.99),
            self.run.latency(1.0),
            self.gap,
            self.run.cpu(),
        )
    }

    fn least(&self) -> u32 {
        self.seconds.iter().min().copied().unwrap_or_default()
    }
}

/// Every client reads one case after the other, for so long. Each request is signed right before it is sent.
pub(crate) async fn read(reader: &Arc<Party>, clients: &[Arc<HttpsClient>], cases: &[CaseId], seconds: u64, server: &Cpu) -> Steady {
    let (whole, told) = (Duration::from_secs(seconds), Arc::new(Mutex::new(Vec::new())));
    let (before, watch, mut tasks) = (server.spent(), Stopwatch::start(), JoinSet::new());
    for (first, client) in clients.iter().enumerate() {
        let (client, reader, told) = (Arc::clone(client), Arc::clone(reader), Arc::clone(&told));
        let cases: Vec<CaseId> = cases.iter().cycle().skip(first).take(cases.len()).copied().collect();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for case in cases.iter().cycle() {
                if watch.elapsed() >= whole {
                    break;
                }
                latencies.push(answer(&client, reader.reading(*case), StatusCode::OK).await);
                told.lock().unwrap().push(watch.elapsed());
            }
            latencies
        });
    }
    let latencies = tasks.join_all().await.concat();
    let (wall, cpu) = (watch.elapsed(), server.spent().saturating_sub(before));
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    told.sort_unstable();
    let gaps = told.iter().zip(told.iter().skip(1)).map(|(one, next)| next.saturating_sub(*one));
    let mut counts = vec![0; usize::try_from(seconds).unwrap()];
    for at in &told {
        if let Some(second) = counts.get_mut(usize::try_from(at.as_secs()).unwrap()) {
            *second += 1;
        }
    }
    let gap = gaps.max().unwrap_or_default().as_secs_f64() * 1e3;
    Steady { clients: clients.len(), wall, run: Run::new(wall, cpu, latencies), seconds: counts, gap }
}
