//! Clients that each send their next request when the last was answered.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tsunagi::{clock::Stopwatch, tls::client::HttpsClient};

use crate::{
    measure::{Cpu, Spread, micros},
    party::Request,
};

/// What one run came to.
pub(crate) struct Run {
    per_second: f64,
    cpu: f64,
    latencies: Vec<f64>,
}

impl Run {
    /// `latencies` in microseconds.
    pub(crate) fn new(wall: Duration, cpu: Duration, latencies: Vec<f64>) -> Self {
        let count = f64::from(u32::try_from(latencies.len()).unwrap());
        Self { per_second: count / wall.as_secs_f64(), cpu: micros(cpu) / count, latencies }
    }

    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Server CPU microseconds of one operation.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu
    }

    /// See [`Line::latency`].
    pub(crate) fn latency(&self, part: f64) -> f64 {
        latency(self.latencies.clone(), part)
    }
}

/// The latency that this part of all operations does not exceed, in milliseconds.
fn latency(mut all: Vec<f64>, part: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    let last = f64::from(u32::try_from(all.len() - 1).unwrap());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in the list, between 0 and its last one")]
    let at = (last * part).round() as usize;
    all[at] / 1000.0
}

/// Sends all requests and checks every status.
pub(crate) async fn send(clients: &[Arc<HttpsClient>], requests: Vec<Request>, status: StatusCode, server: &Cpu) -> Run {
    let queue = Arc::new(Mutex::new(requests.into_iter()));
    let (before, watch, mut tasks) = (server.spent(), Stopwatch::start(), JoinSet::new());
    for client in clients {
        let (client, queue) = (Arc::clone(client), Arc::clone(&queue));
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let next = queue.lock().unwrap().next();
                let Some(request) = next else { return latencies };
                latencies.push(answer(&client, request, status).await);
            }
        });
    }
    let latencies = tasks.join_all().await.concat();
    let wall = watch.elapsed();
    Run::new(wall, server.spent().saturating_sub(before), latencies)
}

/// Microseconds until the answer was there.
pub(crate) async fn answer(client: &HttpsClient, request: Request, status: StatusCode) -> f64 {
    let watch = Stopwatch::start();
    let answer = client.request(request.method, &request.target, request.headers, request.body).await.unwrap();
    let took = micros(watch.elapsed());
    assert_eq!(answer.status, status, "{}: {}", request.target, String::from_utf8_lossy(&answer.body));
    took
}

/// All runs of one operation with one number of clients.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) clients: usize,
    pub(crate) runs: Vec<Run>,
}

impl Line {
    /// Server CPU microseconds of one operation.
    pub(crate) fn cpu(&self) -> Spread {
        Spread::of(self.runs.iter().map(|run| run.cpu).collect())
    }

    fn per_second(&self) -> Spread {
        Spread::of(self.runs.iter().map(|run| run.per_second).collect())
    }

    /// The latency that this part of all operations does not exceed, in milliseconds.
    fn latency(&self, part: f64) -> f64 {
        latency(self.runs.iter().flat_map(|run| run.latencies.iter().copied()).collect(), part)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "clients": self.clients,
            "runs": self.runs.len(),
            "operations": self.runs.iter().map(|run| run.latencies.len()).sum::<usize>(),
            "per_second": self.per_second().to_json(),
            "cpu_us": self.cpu().to_json(),
            "p50_ms": self.latency(0.5),
            "p99_ms": self.latency(0.99),
        })
    }

    /// A row of the table whose head is [`HEAD`].
    pub(crate) fn row(&self) -> String {
        let (rate, cpu) = (self.per_second(), self.cpu());
        format!(
            "{:<28} {:>7} {:>8.0} {:>8.0} {:>8.0} {:>9.2} {:>9.2} {:>9.0} {:>7.0} {:>7.0}",
            self.what,
            self.clients,
            rate.min,
            rate.median,
            rate.max,
            self.latency(0.5),
            self.latency(0.99),
            cpu.min,
            cpu.median,
            cpu.max
        )
    }
}

/// The head of the table.
pub(crate) const HEAD: &str =
    "                             clients     per second: min/med/max   p50 ms    p99 ms   CPU us of one: min/med/max";
